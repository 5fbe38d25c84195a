/*
 * Pool locals: a pool as this partition's cards see it (POOL-2 to POOL-4; docs/pools.md). Its state is
 * pool_local_state.c's.
 *
 * A pool local counts its members and what they use, and holds the pool's last state. It never goes away: when its last
 * member has left it still holds usage of the cycle (POOL-3). Members are a doubly linked list through the cards' life
 * slots, so that joining and leaving cost the same however many there are, and a scan needs nothing but its place.
 */
#include "aggregators/pools/pool_local.h"

#include <stdlib.h>
#include <string.h>

#include "aggregators/state/sound.h"

uint32_t
weir_pool_local_get(struct weir_partition *p, const char *pool)
{
	WEIR_CHECK(pool[0] != '\0');
	uint32_t slot;
	if (weir_partition_find_pool_local(p, pool, &slot) != NULL)
		return slot;
	slot = weir_slab_new(&p->tables.pool_locals);
	struct weir_pool_local_slot *a = weir_pool_local_at(p, slot);
	(void)strncpy(a->pool, pool, sizeof(a->pool) - 1);
	a->unreported_allowance = p->opts.unreported_floor_bytes;
	a->flags = WEIR_POOL_LOCAL_ASKS;
	uint64_t hash = weir_pool_hash(pool);
	weir_shard_insert(weir_shards_of(&p->tables.pool_local_index, hash), weir_index_entry(hash, slot));
	weir_pool_local_changed(p, slot, true);
	return slot;
}

void
weir_pool_local_changed(struct weir_partition *p, uint32_t pool_local, bool urgent)
{
	WEIR_CHECK(pool_local < p->tables.pool_locals.used);
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	if ((a->flags & WEIR_POOL_LOCAL_QUEUED) == 0)
		weir_u64_list_push(&p->pools_work.publish_queue, pool_local);
	if (urgent && (a->flags & WEIR_POOL_LOCAL_URGENT) == 0)
		weir_u64_list_push(&p->pools_work.urgent, pool_local);
	a->flags |= (uint8_t)(WEIR_POOL_LOCAL_QUEUED | (urgent ? WEIR_POOL_LOCAL_URGENT : 0));
	weir_slab_dirty(&p->tables.pool_locals, pool_local);
}

/* ---- members ---- */

/* Brings `active` in line with what the card is counted as; the pool's total moves with it, so the state is checked anew.
 */
static void
count_active(struct weir_partition *p, uint32_t pool_local, uint32_t card_slot, bool active)
{
	struct weir_card_slot *card = weir_card_at(p, card_slot);
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	if (((card->flags & WEIR_CARD_MEMBER_ACTIVE) != 0) == active)
		return;
	card->flags ^= WEIR_CARD_MEMBER_ACTIVE;
	weir_slab_dirty(&p->tables.cards, card_slot);
	WEIR_CHECK(active ? a->active < a->members : a->active > 0);
	a->active += active ? 1 : UINT32_MAX;
	if ((a->reasons & WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)) != 0)
		a->flags |= WEIR_POOL_LOCAL_RESCAN;
	weir_pool_local_changed(p, pool_local, true);
}

static void
set_neighbour(struct weir_partition *p, uint32_t *link, uint32_t card_plus_1, uint32_t value)
{
	*link = value;
	weir_slab_dirty(&p->tables.lifecycles, card_plus_1 - 1);
}

static void
leave_pool(struct weir_partition *p, uint32_t card_slot)
{
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, card_slot);
	uint32_t pool_local = lifecycle->pool_local - 1;
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	WEIR_CHECK(a->members > 0);
	count_active(p, pool_local, card_slot, false);
	if (a->member_scan == card_slot + 1)
		a->member_scan = lifecycle->next;
	if (lifecycle->prev == 0)
		a->first = lifecycle->next;
	else
		set_neighbour(p, &weir_lifecycle_at(p, lifecycle->prev - 1)->next, lifecycle->prev, lifecycle->next);
	if (lifecycle->next != 0)
		set_neighbour(p, &weir_lifecycle_at(p, lifecycle->next - 1)->prev, lifecycle->next, lifecycle->prev);
	lifecycle->pool_local = lifecycle->next = lifecycle->prev = 0;
	a->members--;
	WEIR_CHECK((a->first == 0) == (a->members == 0));
	weir_slab_dirty(&p->tables.lifecycles, card_slot);
	weir_pool_local_changed(p, pool_local, true);
}

/* At the head of the list: a scan in progress does not come by, and need not, since the joining card is evaluated anyway.
 */
static void
join(struct weir_partition *p, uint32_t pool_local, uint32_t card_slot)
{
	WEIR_CHECK(weir_lifecycle_at(p, card_slot)->pool_local == 0);
	WEIR_CHECK((weir_card_at(p, card_slot)->flags & WEIR_CARD_MEMBER_ACTIVE) == 0);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, card_slot);
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	lifecycle->pool_local = pool_local + 1;
	lifecycle->prev = 0;
	lifecycle->next = a->first;
	if (a->first != 0)
		set_neighbour(p, &weir_lifecycle_at(p, a->first - 1)->prev, a->first, card_slot + 1);
	a->first = card_slot + 1;
	a->members++;
	weir_slab_dirty(&p->tables.lifecycles, card_slot);
	weir_pool_local_changed(p, pool_local, true);
	count_active(p, pool_local, card_slot, weir_card_is_activated(weir_card_at(p, card_slot)));
}

void
weir_pool_local_move(struct weir_partition *p, uint32_t card_slot, const char *pool)
{
	const struct weir_pool_local_slot *now = weir_pool_local_of(p, card_slot);
	if (now != NULL && strcmp(now->pool, pool) == 0) {
		weir_pool_local_activity(p, card_slot, weir_card_is_activated(weir_card_at(p, card_slot)));
		return;
	}
	if (now != NULL)
		leave_pool(p, card_slot);
	if (pool[0] != '\0')
		join(p, weir_pool_local_get(p, pool), card_slot);
}

void
weir_pool_local_activity(struct weir_partition *p, uint32_t card_slot, bool active)
{
	uint32_t pool_local = weir_lifecycle_at(p, card_slot)->pool_local;
	if (pool_local != 0)
		count_active(p, pool_local - 1, card_slot, active);
}

/* ---- usage ---- */

static uint64_t
before_of(const struct weir_pool_local_slot *a)
{
	return weir_add_saturating(a->before_up, a->before_down);
}

/* Counting goes over to a newer cycle; what is older than the one before it has long been published. */
static void
roll_over(struct weir_pool_local_slot *a, int32_t cycle)
{
	bool next = a->cycle != 0 && cycle == a->cycle + 1;
	a->before_up = next ? a->up : 0;
	a->before_down = next ? a->down : 0;
	a->before_records = next ? a->records : 0;
	a->before_sessions = next ? a->sessions : 0;
	a->up = a->down = 0;
	a->records = a->sessions = 0;
	a->cycle = (uint16_t)cycle;
}

/* The record's cycle is not the pool local's: a new one begins, or it is late. */
void
weir_pool_local_count_slow(struct weir_partition *p, uint32_t pool_local, int32_t cycle, uint64_t up, uint64_t down,
    bool session, int64_t arrived_us)
{
	WEIR_CHECK(pool_local < p->tables.pool_locals.used);
	WEIR_CHECK(cycle >= 0 && cycle <= UINT16_MAX);
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	a->crossed_us = arrived_us;
	if (cycle > a->cycle) {
		roll_over(a, cycle);
		a->up = up;
		a->down = down;
		a->records = 1;
		a->sessions = session;
		weir_pool_local_changed(p, pool_local, true);
		return;
	}
	if (cycle < a->cycle - 1) {
		p->stats.unattributed++; /* older than any dedupe horizon of the settings lets through */
		return;
	}
	a->before_up = weir_add_saturating(a->before_up, up);
	a->before_down = weir_add_saturating(a->before_down, down);
	a->before_records++;
	a->before_sessions += session;
	/* For the pool it may be the current cycle still: some clock is always the first past a boundary. */
	uint64_t published = a->published_cycle == a->cycle ? a->published_before : 0;
	weir_pool_local_changed(p, pool_local, before_of(a) - published >= a->unreported_allowance);
}

/* ---- usage reports ---- */

static bool
has_unpublished(const struct weir_pool_local_slot *a)
{
	/* crossed_us: a record was counted, if one of no bytes */
	return (a->flags & WEIR_POOL_LOCAL_PUBLISHED) == 0 || a->crossed_us != 0 || a->published_cycle != a->cycle ||
	       a->published_used != weir_pool_local_used(a) || a->published_before != before_of(a) ||
	       a->published_members != a->members || a->published_active != a->active;
}

static void
publish_one(struct weir_partition *p, uint32_t pool_local)
{
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	struct weir_usage_report report = {.magic = "WPA1",
	    .source = p->opts.number,
	    .epoch = p->opts.epoch,
	    .members = a->members,
	    .active = a->active,
	    .cycle = a->cycle,
	    .flags = (uint8_t)((p->pools_work.cards_caught_up ? WEIR_REPORT_CAUGHT_UP : 0) |
			       (weir_pool_local_asks(a) ? WEIR_REPORT_ASKS : 0)),
	    .up = a->up,
	    .down = a->down,
	    .before_up = a->before_up,
	    .before_down = a->before_down,
	    .records = a->records,
	    .sessions = a->sessions,
	    .before_records = a->before_records,
	    .before_sessions = a->before_sessions,
	    .crossed_us = a->crossed_us};
	memcpy(report.pool, a->pool, sizeof(report.pool));
	weir_outbox_add(p, WEIR_OUTBOX_USAGE_REPORTS, WEIR_OUTBOX_BY_KEY, a->pool, &report, sizeof(report));
	a->published_used = weir_pool_local_used(a);
	a->published_before = before_of(a);
	a->published_members = a->members;
	a->published_active = a->active;
	a->published_cycle = a->cycle;
	a->crossed_us = 0;
	a->flags |= WEIR_POOL_LOCAL_PUBLISHED;
	weir_slab_dirty(&p->tables.pool_locals, pool_local);
	p->stats.reports_published++;
}

void
weir_pool_local_begin_scan(struct weir_partition *p, uint32_t pool_local)
{
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	a->member_scan = a->first;
	if (a->first == 0 || (a->flags & WEIR_POOL_LOCAL_SCAN) != 0)
		return;
	a->flags |= WEIR_POOL_LOCAL_SCAN;
	weir_u64_list_push(&p->pools_work.scans, pool_local);
}

static void
publish_queued(struct weir_partition *p, struct weir_u64_list *list, uint8_t queued)
{
	for (uint32_t i = 0; i < list->n; i++) {
		struct weir_pool_local_slot *a = weir_pool_local_at(p, (uint32_t)list->v[i]);
		a->flags &= (uint8_t)~queued;
		if (has_unpublished(a)) {
			publish_one(p, (uint32_t)list->v[i]);
		} else if ((a->flags & WEIR_POOL_LOCAL_RESCAN) != 0 && a->active <= a->state_active) {
			/* One came and another went: there is nothing to tell, so no state update will have them looked at.
			 */
			a->flags &= (uint8_t)~WEIR_POOL_LOCAL_RESCAN;
			weir_pool_local_begin_scan(p, (uint32_t)list->v[i]);
		}
	}
	list->n = 0;
}

void
weir_pool_locals_publish(struct weir_partition *p, bool all)
{
	for (uint32_t slot = 0; all && slot < p->tables.pool_locals.used; slot++)
		if (!weir_slab_is_filler(&p->tables.pool_locals, slot) && weir_pool_local_at(p, slot)->pool[0] != '\0')
			publish_one(p, slot);
	publish_queued(p, &p->pools_work.urgent, WEIR_POOL_LOCAL_URGENT);
	if (p->clock.now_us < p->pools_work.published_us ||
	    p->clock.now_us - p->pools_work.published_us >= (int64_t)p->opts.pool_tick_ms * 1000) {
		p->pools_work.published_us = p->clock.now_us;
		publish_queued(p, &p->pools_work.publish_queue, WEIR_POOL_LOCAL_QUEUED);
	}
}

/* ---- loading ---- */

struct tally {
	uint32_t members, active;
};

static bool
tally_member(const struct weir_partition *p, uint32_t card_slot, struct tally *tallies)
{
	if (!weir_membership_is_sound(p, card_slot))
		return false;
	uint32_t pool_local = weir_lifecycle_at(p, card_slot)->pool_local;
	if (pool_local == 0)
		return true;
	tallies[pool_local - 1].members++;
	tallies[pool_local - 1].active += (weir_card_at(p, card_slot)->flags & WEIR_CARD_MEMBER_ACTIVE) != 0;
	return true;
}

static bool
index_pool_local(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_local_slot *a = weir_pool_local_at(p, slot);
	uint32_t other;
	if (!weir_pool_local_is_sound(p, slot) || weir_partition_find_pool_local(p, a->pool, &other) != NULL)
		return false;
	uint64_t hash = weir_pool_hash(a->pool);
	weir_shard_insert(weir_shards_of(&p->tables.pool_local_index, hash), weir_index_entry(hash, slot));
	/* Lists that only memory holds; all is published when the stage has caught up. */
	a->flags &= (uint8_t) ~(WEIR_POOL_LOCAL_QUEUED | WEIR_POOL_LOCAL_URGENT);
	if ((a->flags & WEIR_POOL_LOCAL_SCAN) != 0) {
		a->flags &= (uint8_t)~WEIR_POOL_LOCAL_SCAN;
		weir_pool_local_begin_scan(p, slot);
	}
	return true;
}

bool
weir_pool_locals_load(struct weir_partition *p)
{
	if (p->tables.lifecycles.used < p->tables.cards.used)
		return false;
	struct tally *tallies = weir_calloc((size_t)p->tables.pool_locals.used + 1, sizeof(*tallies));
	bool good = true;
	for (uint32_t slot = 0; good && slot < p->tables.cards.used; slot++)
		good = weir_slab_is_filler(&p->tables.cards, slot) || tally_member(p, slot, tallies);
	for (uint32_t slot = 0; good && slot < p->tables.pool_locals.used; slot++) {
		if (weir_slab_is_filler(&p->tables.pool_locals, slot))
			continue;
		const struct weir_pool_local_slot *a = weir_pool_local_at(p, slot);
		if (a->pool[0] == '\0')
			weir_slab_push_free(&p->tables.pool_locals, slot);
		else
			good = a->members == tallies[slot].members && a->active == tallies[slot].active &&
			       index_pool_local(p, slot);
	}
	free(tallies);
	return good;
}
