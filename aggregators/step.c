/*
 * A partition's life, its background work, and the end of its rounds: what calls all rooms of rules in turn.
 *
 * Background work is bounded by the caller and goes on where it stopped: timers, the boundary of a cycle, cards of changed
 * plans, members of pools, pools, rows of feeds, sessions.
 */
#include "aggregators/step.h"

#include <stdlib.h>

#include "aggregators/enforcement/guard.h"
#include "aggregators/enforcement/rollover.h"
#include "aggregators/fold/sessions.h"
#include "aggregators/lifecycle/lifecycle.h"
#include "aggregators/lifecycle/timers.h"
#include "aggregators/pools/pool_definitions.h"
#include "aggregators/pools/pool_local.h"
#include "aggregators/pools/pool_local_state.h"
#include "aggregators/pools/pool_state_out.h"
#include "aggregators/rollups/feed_pools.h"
#include "aggregators/state/families.h"

#define GIVE_A_ROUND 4096u /* messages of a flush, so that no round is long */

struct weir_partition *
weir_partition_new(const struct weir_partition_opts *opts)
{
	struct weir_partition *p = weir_calloc(1, sizeof(*p));
	p->magic = WEIR_PARTITION_MAGIC;
	p->opts = *opts;
	p->clock.stream_hour_us = -WEIR_HOUR_US; /* of no stream time */
#define WEIR_SLAB_INIT(number, member, tag, type, field) weir_slab_init(&p->tables.member, sizeof(type));
	WEIR_SLAB_LIST(WEIR_SLAB_INIT)
#undef WEIR_SLAB_INIT
	weir_dedupe_keys_init(&p->tables.dedupe_keys);
	weir_closed_cycles_init(&p->tables.closed_cycles);
	weir_closed_cycles_init(&p->tables.pool_closed_cycles);
	weir_guard_init(p);
	weir_feeds_init(p);
	return p;
}

void
weir_partition_free(struct weir_partition *p)
{
	if (p == NULL)
		return;
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	for (uint32_t i = 0; i < p->registry.carrier_count; i++)
		if (p->registry.carriers[i].zone != NULL)
			weir_zone_free(p->registry.carriers[i].zone);
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		weir_slab_free(weir_partition_slab(p, i));
	weir_shards_free(&p->tables.card_index);
	weir_shards_free(&p->tables.session_index);
	weir_shards_free(&p->tables.pool_local_index);
	weir_shards_free(&p->tables.pool_index);
	weir_dedupe_keys_free(&p->tables.dedupe_keys);
	weir_closed_cycles_free(&p->tables.closed_cycles);
	weir_closed_cycles_free(&p->tables.pool_closed_cycles);
	weir_guard_free(p);
	weir_feeds_free(p);
	weir_timers_free(p);
	weir_families_free(p);
	weir_buf_free(&p->registry.new_names);
	weir_buf_free(&p->registry.new_references);
	weir_buf_free(&p->effects.outbox.bytes);
	weir_records_free(&p->parked.records);
	weir_records_free(&p->effects.dead_letters);
	free(p->registry.carriers);
	free(p->registry.plans);
	free(p->registry.ladders);
	free(p->effects.outbox.v);
	free(p->pools_work.publish_queue.v);
	free(p->pools_work.urgent.v);
	free(p->pools_work.pool_states.v);
	free(p->pools_work.scans.v);
	free(p->tables.new_cards.v);
	weir_unconfirmed_free(&p->unconfirmed.intents_done);
	weir_unconfirmed_free(&p->unconfirmed.loaded);
	weir_unconfirmed_free(&p->unconfirmed.early);
	free(p->effects.fetch_requests.v);
	free(p->effects.pending_commands.v);
	free(p->effects.audits.v);
	p->magic = 0;
	free(p);
}

uint32_t
weir_partition_parked(const struct weir_partition *p)
{
	return p->parked.records.n + weir_feeds_waiting(p);
}

uint64_t
weir_partition_bytes(const struct weir_partition *p)
{
	uint64_t bytes =
	    sizeof(*p) + sizeof(*p->guard) + weir_shards_bytes(&p->tables.card_index) +
	    weir_shards_bytes(&p->tables.session_index) + weir_shards_bytes(&p->tables.pool_local_index) +
	    weir_shards_bytes(&p->tables.pool_index) + weir_dedupe_keys_bytes(&p->tables.dedupe_keys) +
	    (p->tables.closed_cycles.cap + p->tables.pool_closed_cycles.cap) * sizeof(struct weir_closed_cycle_entry);
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		bytes += weir_slab_bytes(weir_partition_slab((struct weir_partition *)p, i));
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		bytes += weir_windows_bytes(&p->tables.windows[kind]);
	return bytes;
}

uint64_t
weir_partition_unflushed(const struct weir_partition *p)
{
	uint64_t windows = p->feeds->sealed_bytes.len;
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		windows += p->tables.windows[kind].dirty * sizeof(struct weir_counts);
	return windows + p->tables.dedupe_keys.pending * sizeof(uint64_t) +
	       (p->tables.closed_cycles.dirty + p->tables.pool_closed_cycles.dirty) *
		   sizeof(struct weir_closed_cycle_entry) +
	       p->effects.audits.n * sizeof(struct weir_audit);
}

/* ---- background work ---- */

static bool
run_timers(struct weir_partition *p, uint32_t max)
{
	weir_timers_scan(p, max);
	uint32_t slot;
	for (uint32_t i = 0; i < max && weir_timers_next_due(p, &slot); i++)
		if (slot != UINT32_MAX)
			weir_lifecycle_due(p, slot);
	return weir_timers_are_due(p);
}

/*
 * CYC-4: only cards that hold a reason or a command have an enforcement slot, so a boundary costs time in proportion to
 * them. All are evaluated, also those whose cycle goes on: after a load this brings desired states in line with what the
 * carriers can do now.
 */
static void
tick_boundary(struct weir_partition *p, uint32_t slots_max)
{
	for (uint32_t i = 0; i < slots_max && p->scans.boundary_running; i++) {
		if (p->scans.boundary_slot >= p->tables.enforcements.used) {
			p->scans.boundary_running = false;
			break;
		}
		const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, p->scans.boundary_slot++);
		if (e->card == 0)
			continue;
		struct weir_cause cause = {
		    UINT32_MAX, -1, p->clock.now_us, 0, weir_card_used(weir_card_at(p, e->card - 1))};
		weir_partition_evaluate(p, e->card - 1, &cause); /* rolls a card over whose cycle has ended */
	}
}

static void
scan_end(struct weir_partition *p)
{
	p->scans.scan_running = p->scans.scan_all = false;
	for (uint32_t k = 0; k < p->registry.plan_count; k++)
		p->registry.plans[k].changed = false;
}

/* Cards that are still in a closed cycle are left alone: the roll evaluates them, and rolling a fleet is not the scan's
 * work.
 */
static void
scan_card(struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	if (weir_slab_is_filler(&p->tables.cards, slot) ||
	    (!p->scans.scan_all && (card->plan == 0 || !p->registry.plans[card->plan - 1].changed)))
		return;
	if (card->plan != 0)
		weir_lifecycle_term_known(p, slot);
	if (card->cycle < p->registry.carriers[card->carrier - 1].current.number)
		return;
	struct weir_cause cause = {UINT32_MAX, -1, p->clock.now_us, 0, weir_card_used(card)};
	weir_partition_evaluate(p, slot, &cause);
}

static void
tick_scan(struct weir_partition *p, uint32_t slots_max)
{
	for (uint32_t i = 0; i < slots_max && p->scans.scan_running; i++) {
		if (p->scans.scan_slot >= p->tables.cards.used)
			scan_end(p);
		else
			scan_card(p, p->scans.scan_slot++);
	}
}

static void
scan_step(struct weir_partition *p, uint32_t pool_local)
{
	WEIR_CHECK(weir_pool_local_at(p, pool_local)->member_scan != 0);
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	uint32_t card_slot = a->member_scan - 1;
	const struct weir_card_slot *card = weir_card_at(p, card_slot);
	struct weir_cause cause = {UINT32_MAX, -1, p->clock.now_us, a->cut_us, weir_card_used(card)};
	a->member_scan = weir_lifecycle_at(p, card_slot)->next;
	weir_pool_local_check_member(p, pool_local, card_slot, &cause);
	weir_partition_evaluate(p, card_slot, &cause);
	p->stats.members_scanned++;
}

bool
weir_pool_locals_scan(struct weir_partition *p, uint32_t max)
{
	while (p->pools_work.scans_head < p->pools_work.scans.n) {
		uint32_t pool_local = (uint32_t)p->pools_work.scans.v[p->pools_work.scans_head];
		struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
		for (; max > 0 && a->member_scan != 0; max--)
			scan_step(p, pool_local);
		if (a->member_scan != 0)
			return true;
		a->flags &= (uint8_t)~WEIR_POOL_LOCAL_SCAN;
		weir_slab_dirty(&p->tables.pool_locals, pool_local);
		p->pools_work.scans_head++;
	}
	p->pools_work.scans.n = p->pools_work.scans_head = 0;
	return false;
}

bool
weir_partition_tick(struct weir_partition *p, uint32_t slots_max)
{
	bool more = run_timers(p, slots_max);
	tick_boundary(p, slots_max);
	tick_scan(p, slots_max);
	more |= weir_pool_locals_scan(p, slots_max);
	more |= weir_pools_tick(p, slots_max);
	more |= weir_feeds_tick(p, slots_max);
	more |= p->feeds->stored && p->feeds->given < p->feeds->sealed_count;
	if (p->parked.records.n == 0) /* a total that waits still needs its session, however far stream time has gone on */
		weir_partition_session_sweep(p, slots_max / 16);
	return more || p->scans.boundary_running || p->scans.scan_running;
}

/* ---- the end of a round ---- */

void
weir_partition_publish(struct weir_partition *p)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	weir_pool_locals_publish(p, false);
	weir_pools_publish(p);
	weir_feeds_publish_rows(p);
	(void)weir_feeds_give(p, GIVE_A_ROUND);
}

void
weir_partition_caught_up(struct weir_partition *p, bool cards, bool pools)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	if (cards && !p->pools_work.cards_caught_up) {
		p->pools_work.cards_caught_up = true;
		/*
		 * All, not only those that the replay touched: it may have attributed a record to another pool local than
		 * the run before the crash did, whose usage report may be the last state on the one that went without.
		 */
		weir_pool_locals_publish(p, true);
	}
	if (pools && !p->pools_work.pools_caught_up) {
		p->pools_work.pools_caught_up = true;
		weir_pools_caught_up(p);
	}
}
