/*
 * The partition's invariants as asserts; see check.h. A failure names the line, and so the invariant: none of them is about
 * input, so each is a mistake in the rules or in the tables.
 */
#include "aggregators/snapshot/check.h"

#include <stdlib.h>

#include "aggregators/enforcement/guard.h"
#include "aggregators/rollups/feeds.h"
#include "aggregators/state/card_table.h"
#include "aggregators/state/pool_table.h"
#include "aggregators/state/sound.h"

/* ---- tables ---- */

/* Pages with dirt are on the list, once, and no others. */
static void
check_dirt(const struct weir_slab *slab)
{
	uint32_t pages = (slab->used + (1u << slab->page_shift) - 1) >> slab->page_shift, dirty = 0;
	WEIR_CHECK(pages <= slab->page_cap && slab->dirty_count <= pages);
	for (uint32_t i = 0; i < pages; i++)
		dirty +=
		    (slab->dirt[i].bits[0] | slab->dirt[i].bits[1] | slab->dirt[i].bits[2] | slab->dirt[i].bits[3]) != 0;
	WEIR_CHECK(dirty == slab->dirty_count);
	for (uint32_t i = 0; i < slab->dirty_count; i++)
		WEIR_CHECK(slab->dirty_pages[i] < pages);
}

static void
check_free_slots(const struct weir_slab *slab)
{
	WEIR_CHECK(slab->free_count <= slab->used);
	for (uint32_t i = 0; i < slab->free_count; i++)
		WEIR_CHECK(slab->free_slots[i] < slab->used && !weir_slab_is_filler(slab, slab->free_slots[i]));
}

static void
check_dedupe_keys(const struct weir_dedupe_keys *keys)
{
	uint64_t pending = 0;
	uint32_t warm = 0;
	for (uint32_t i = 0; i < keys->hour_count; i++)
		pending += keys->hours[i]->pending.n;
	for (uint32_t i = 0; i < keys->warm_cap; i++) {
		if (keys->warm[i] == NULL)
			continue;
		WEIR_CHECK(keys->warm[i]->loaded || keys->warm[i]->pending.n == 0);
		pending += keys->warm[i]->pending.n;
		warm++;
	}
	WEIR_CHECK(pending == keys->pending);
	WEIR_CHECK(warm == keys->warm_count);
}

static void
check_closed_cycles(const struct weir_closed_cycles *cycles, uint32_t slots)
{
	uint32_t used = 0, dirty = 0;
	for (uint32_t i = 0; i < cycles->cap; i++) {
		const struct weir_closed_cycle_entry *entry = &cycles->entries[i];
		WEIR_CHECK(entry->slot <= slots);
		WEIR_CHECK(!entry->dirty || entry->loaded);
		used += entry->slot != 0;
		dirty += entry->slot != 0 && entry->dirty;
	}
	WEIR_CHECK(used == cycles->used && dirty == cycles->dirty);
}

static void
check_windows(const struct weir_windows *windows)
{
	uint64_t dirty = 0;
	uint32_t used = 0;
	for (uint32_t i = 0; i < windows->cap; i++) {
		const struct weir_window_page *page = windows->places[i].page;
		if (page == NULL)
			continue;
		WEIR_CHECK(page->window == windows->places[i].window && page->page == windows->places[i].number);
		WEIR_CHECK((page->dirty[0] & ~page->present[0]) == 0 && (page->dirty[1] & ~page->present[1]) == 0);
		dirty += (uint64_t)__builtin_popcountll(page->dirty[0]) + (uint64_t)__builtin_popcountll(page->dirty[1]);
		used++;
	}
	WEIR_CHECK(dirty == windows->dirty && used == windows->used);
}

static void
check_tables(const struct weir_partition *p)
{
	for (uint32_t i = 0; i < WEIR_SLABS; i++) {
		const struct weir_slab *slab = weir_partition_slab((struct weir_partition *)p, i);
		check_dirt(slab);
		check_free_slots(slab);
	}
	check_dedupe_keys(&p->tables.dedupe_keys);
	check_closed_cycles(&p->tables.closed_cycles, p->tables.cards.used);
	check_closed_cycles(&p->tables.pool_closed_cycles, p->tables.pools.used);
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		check_windows(&p->tables.windows[kind]);
}

/* ---- slots ---- */

static void
check_cards(const struct weir_partition *p)
{
	WEIR_CHECK(p->tables.lifecycles.used == p->tables.cards.used);
	WEIR_CHECK(p->tables.cards.free_count == 0); /* a card's slot is its for life */
	for (uint32_t slot = 0; slot < p->tables.cards.used; slot++) {
		uint32_t found;
		if (weir_slab_is_filler(&p->tables.cards, slot))
			continue;
		WEIR_CHECK(weir_card_is_sound(p, slot));
		WEIR_CHECK(weir_membership_is_sound(p, slot));
		WEIR_CHECK(weir_partition_find(p, weir_card_at(p, slot)->iccid, &found) != NULL && found == slot);
	}
}

/* Those that are empty are on the free list: found by their number, and by how many there are. */
static void
check_overrides(const struct weir_partition *p)
{
	uint32_t free = 0;
	for (uint32_t slot = 0; slot < p->tables.overrides.used; slot++) {
		const struct weir_card_overrides_slot *overrides = weir_slab_at(&p->tables.overrides, slot);
		if (weir_slab_is_filler(&p->tables.overrides, slot))
			continue;
		free += overrides->card == 0;
		WEIR_CHECK(overrides->card == 0 || weir_card_overrides_are_sound(p, slot));
	}
	WEIR_CHECK(free == p->tables.overrides.free_count);
}

static void
check_enforcements(const struct weir_partition *p)
{
	uint32_t free = 0;
	for (uint32_t slot = 0; slot < p->tables.enforcements.used; slot++) {
		const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, slot);
		if (weir_slab_is_filler(&p->tables.enforcements, slot))
			continue;
		free += e->card == 0;
		WEIR_CHECK(e->card == 0 || weir_enforcement_is_sound(p, slot));
		WEIR_CHECK(e->card == 0 || e->desired != WEIR_DESIRED_UNKNOWN);
		WEIR_CHECK(e->command <= WEIR_COMMAND_FAILED);
	}
	WEIR_CHECK(free == p->tables.enforcements.free_count);
}

static void
check_sessions(const struct weir_partition *p)
{
	uint32_t free = 0;
	for (uint32_t slot = 0; slot < p->tables.sessions.used; slot++) {
		const struct weir_session_slot *s = weir_slab_at(&p->tables.sessions, slot);
		if (weir_slab_is_filler(&p->tables.sessions, slot))
			continue;
		free += s->key == 0;
		WEIR_CHECK(s->key == 0 || weir_session_is_sound(p, slot));
	}
	WEIR_CHECK(free == p->tables.sessions.free_count);
}

/* ---- pools, on the cards' side and on their own ---- */

struct tally {
	uint32_t members, active;
};

static void
check_pool_locals(const struct weir_partition *p)
{
	uint32_t queued = 0, urgent = 0, scanned = 0, found;
	struct tally *tallies = weir_calloc((size_t)p->tables.pool_locals.used + 1, sizeof(*tallies));
	for (uint32_t slot = 0; slot < p->tables.cards.used; slot++) {
		struct tally *tally = &tallies[weir_lifecycle_at(p, slot)->pool_local];
		tally->members++;
		tally->active += (weir_card_at(p, slot)->flags & WEIR_CARD_MEMBER_ACTIVE) != 0;
	}
	for (uint32_t slot = 0; slot < p->tables.pool_locals.used; slot++) {
		const struct weir_pool_local_slot *a = weir_pool_local_at(p, slot);
		if (weir_slab_is_filler(&p->tables.pool_locals, slot) || a->pool[0] == '\0')
			continue;
		WEIR_CHECK(weir_pool_local_is_sound(p, slot));
		WEIR_CHECK(weir_partition_find_pool_local(p, a->pool, &found) == a && found == slot);
		WEIR_CHECK(a->members == tallies[slot + 1].members && a->active == tallies[slot + 1].active);
		WEIR_CHECK(a->active <= a->members && a->member_scan <= p->tables.cards.used);
		WEIR_CHECK(a->member_scan == 0 || weir_lifecycle_at(p, a->member_scan - 1)->pool_local == slot + 1);
		queued += (a->flags & WEIR_POOL_LOCAL_QUEUED) != 0;
		urgent += (a->flags & WEIR_POOL_LOCAL_URGENT) != 0;
		scanned += (a->flags & WEIR_POOL_LOCAL_SCAN) != 0;
	}
	free(tallies);
	WEIR_CHECK(queued == p->pools_work.publish_queue.n && urgent == p->pools_work.urgent.n);
	WEIR_CHECK(p->pools_work.scans_head <= p->pools_work.scans.n);
	WEIR_CHECK(scanned == p->pools_work.scans.n - p->pools_work.scans_head);
}

static void
check_pool(const struct weir_partition *p, uint32_t slot, uint32_t *visited_io)
{
	const struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint32_t found;
	uint64_t members = 0, active = 0;
	WEIR_CHECK(weir_pool_is_sound(p, slot));
	WEIR_CHECK(weir_partition_find_pool(p, pool->id, &found) == pool && found == slot);
	WEIR_CHECK(weir_pool_source_list_is_sound(p, slot, visited_io));
	WEIR_CHECK((pool->flags & WEIR_POOL_DEFINED) == 0 || pool->carrier != 0);
	for (uint32_t at = pool->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next) {
		members += weir_pool_source_at(p, at - 1)->members;
		active += weir_pool_source_at(p, at - 1)->active;
	}
	WEIR_CHECK(pool->members == (members > UINT32_MAX ? UINT32_MAX : members));
	WEIR_CHECK(pool->active == (active > UINT32_MAX ? UINT32_MAX : active));
}

static void
check_pools(const struct weir_partition *p)
{
	uint32_t due = 0, visited = 0;
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++) {
		if (weir_pool_is_free(p, slot))
			continue;
		check_pool(p, slot, &visited);
		due += (weir_pool_at(p, slot)->flags & WEIR_POOL_EVALUATE_DUE) != 0;
	}
	WEIR_CHECK(due == p->pools_work.pool_states.n);
	WEIR_CHECK(visited == weir_slab_count(&p->tables.pool_sources));
}

/* ---- what is under way ---- */

static void
check_effects(const struct weir_partition *p)
{
	const struct weir_effects *e = &p->effects;
	for (uint32_t i = 0; i < e->pending_commands.n; i++)
		WEIR_CHECK(e->pending_commands.v[i] < p->tables.cards.used);
	for (uint32_t i = 0; i < e->outbox.n; i++)
		WEIR_CHECK(
		    (size_t)e->outbox.v[i].at + e->outbox.v[i].key_len + e->outbox.v[i].value_len <= e->outbox.bytes.len);
	for (uint32_t i = 0; i < e->audits.n; i++)
		WEIR_CHECK(e->audits.v[i].slot < p->tables.cards.used || e->audits.v[i].pool[0] != '\0');
	for (uint32_t i = 0; i < p->parked.records.n; i++) {
		uint32_t slot;
		WEIR_CHECK(weir_partition_find(p, p->parked.records.v[i].iccid, &slot) != NULL);
		WEIR_CHECK((p->parked.cards[slot / 64 % WEIR_PARKED_WORDS] >> slot % 64 & 1) != 0);
	}
	for (uint32_t i = 1; i < p->unconfirmed.early.n; i++)
		WEIR_CHECK(p->unconfirmed.early.v[i - 1].iccid.hi <= p->unconfirmed.early.v[i].iccid.hi);
}

static void
check_pairs(const struct weir_feed_pairs *pairs, uint32_t slots)
{
	WEIR_CHECK(pairs->list.n == pairs->seen.used);
	for (uint32_t i = 0; i < pairs->list.n; i++)
		WEIR_CHECK(pairs->list.v[i] >> 32 < slots);
}

static void
check_feeds(const struct weir_partition *p)
{
	const struct weir_feeds *f = p->feeds;
	WEIR_CHECK(f->given <= f->sealed_count && f->kept_sealed <= f->kept_count);
	WEIR_CHECK(f->hours.safe.published_us <= f->hours.now.published_us);
	WEIR_CHECK(f->days.safe.published_us <= f->days.now.published_us);
	WEIR_CHECK(!f->scan.running || f->scan.from_us <= f->scan.to_us);
	for (uint32_t i = 0; i < f->kept_count; i++)
		WEIR_CHECK(f->kept[i].pool_local < p->tables.pool_locals.used);
	check_pairs(&f->hours.again, p->tables.pool_locals.used);
	check_pairs(&f->days.again, p->tables.cards.used);
	check_pairs(&f->hour_rows, p->tables.pools.used);
	check_pairs(&f->day_rows, p->tables.pools.used);
	for (uint32_t i = 0; i < f->waiting_count; i++)
		WEIR_CHECK(f->waiting[i].source < p->opts.partitions);
}

static void
check_registry(const struct weir_partition *p)
{
	WEIR_CHECK(p->registry.carrier_count <= WEIR_CARRIER_NUMBERS);
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		const struct weir_carrier_entry *carrier = &p->registry.carriers[i];
		WEIR_CHECK(!carrier->known || carrier->zone != NULL);
		WEIR_CHECK(!carrier->known || carrier->current.start_us < carrier->current.end_us);
	}
	for (uint32_t i = 0; i < p->registry.plan_count; i++)
		WEIR_CHECK(p->registry.plans[i].alerts <= p->registry.ladder_count);
}

void
weir_partition_check(const struct weir_partition *p)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	WEIR_CHECK(p->clock.too_late_us <= p->clock.future_us);
	WEIR_CHECK(p->clock.stream_time_us - p->clock.stream_hour_us < 2 * WEIR_HOUR_US || p->clock.stream_time_us == 0);
	check_registry(p);
	check_tables(p);
	check_cards(p);
	check_overrides(p);
	check_enforcements(p);
	check_sessions(p);
	check_pool_locals(p);
	check_pools(p);
	check_effects(p);
	check_feeds(p);
}
