/* Life, time and background work of a partition; see partition.h. */
#include "aggregators/partition.h"

#include <stdlib.h>

#include "aggregators/partition_priv.h"
#include "aggregators/rollups/feeds.h"

struct weir_partition *
weir_partition_new(const struct weir_partition_opts *opts)
{
	struct weir_partition *p = weir_calloc(1, sizeof(*p));
	p->magic = WEIR_PARTITION_MAGIC;
	p->opts = *opts;
	p->clock.stream_hour_us = -WEIR_HOUR_US; /* of no stream time */
	weir_slab_init(&p->tables.cards, sizeof(struct weir_card_slot));
	weir_slab_init(&p->tables.overrides, sizeof(struct weir_card_overrides_slot));
	weir_slab_init(&p->tables.enforcements, sizeof(struct weir_enforcement_slot));
	weir_slab_init(&p->tables.sessions, sizeof(struct weir_session_slot));
	weir_slab_init(&p->tables.lifecycles, sizeof(struct weir_lifecycle_slot));
	weir_slab_init(&p->tables.pool_locals, sizeof(struct weir_pool_local_slot));
	weir_slab_init(&p->tables.pools, sizeof(struct weir_pool_slot));
	weir_slab_init(&p->tables.pool_sources, sizeof(struct weir_pool_source_slot));
	weir_dedupe_keys_init(&p->tables.dedupe_keys);
	weir_closed_cycles_init(&p->tables.closed_cycles);
	weir_closed_cycles_init(&p->tables.pool_closed_cycles);
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
	weir_feeds_free(p);
	weir_timers_free(p);
	weir_smart_free(p);
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

/* Past a carrier's boundary: the new window, and a look at all that are suspended (CYC-4). */
static void
advance_cycles(struct weir_partition *p)
{
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		struct weir_carrier_entry *carrier = &p->registry.carriers[i];
		if (!carrier->known || p->clock.now_us < carrier->current.end_us)
			continue;
		carrier->current =
		    weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, p->clock.now_us);
		p->scans.boundary_running = true;
		p->scans.boundary_slot = 0;
	}
}

void
weir_partition_set_time(struct weir_partition *p, int64_t now_us, int64_t stream_us)
{
	if (now_us != p->clock.now_us) {
		p->clock.now_us = now_us;
		advance_cycles(p);
	}
	if (stream_us > now_us)
		stream_us = now_us;
	if (stream_us > p->clock.stream_time_us)
		p->clock.stream_time_us = stream_us;
	weir_partition_limits(p, p->clock.stream_time_us != 0 ? p->clock.stream_time_us : now_us);
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
		weir_partition_evaluate(p, e->card - 1, &cause); /* rolls a card whose cycle is over */
	}
}

void
weir_partition_scan_all(struct weir_partition *p)
{
	p->scans.scan_running = p->scans.scan_all = p->tables.cards.used > 0;
	p->scans.scan_slot = 0;
}

static void
scan_end(struct weir_partition *p)
{
	p->scans.scan_running = p->scans.scan_all = false;
	for (uint32_t k = 0; k < p->registry.plan_count; k++)
		p->registry.plans[k].changed = false;
}

/* Cards that are still in a past cycle are left alone: the roll evaluates them, and rolling a fleet is not the scan's work.
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

bool
weir_partition_tick(struct weir_partition *p, uint32_t slots_max)
{
	bool more = weir_timers_run(p, slots_max);
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

uint64_t
weir_partition_bytes(const struct weir_partition *p)
{
	uint64_t bytes =
	    sizeof(*p) + weir_shards_bytes(&p->tables.card_index) + weir_shards_bytes(&p->tables.session_index) +
	    weir_shards_bytes(&p->tables.pool_local_index) + weir_shards_bytes(&p->tables.pool_index) +
	    weir_dedupe_keys_bytes(&p->tables.dedupe_keys) +
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
