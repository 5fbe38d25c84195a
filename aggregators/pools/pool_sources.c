/*
 * Source totals: what each source partition last reported of a pool, and the sums over them (POOL-1, POOL-3, CYC-3).
 *
 * A usage report is absolute, so a source total takes the newest and forgets the rest: repeated and lost-and-repeated ones
 * change nothing. Two things can make a usage report say less than an earlier one did without anything having been given
 * back: its source was fenced (lower epoch: ignored), or it replays (not caught up: the larger of each number is kept). So
 * sums fall only when a source that has caught up says so.
 *
 * A pool's source totals are a list, one a source, in the order in which they came; sums are made by scanning it. An index
 * by source and sums kept up by differences were rejected: a list is as long as there are partitions, and a sum that is
 * made anew cannot drift.
 */
#include "aggregators/pools/pool_sources.h"

#include "aggregators/state/sound.h"

struct sums {
	uint64_t members, active, up, down, before_up, before_down, before_records, before_sessions;
	uint16_t newest; /* cycle of the newest source total */
};

static uint64_t
larger_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* ---- usage reports ---- */

static void
replace(struct weir_pool_source_slot *pool_source, const struct weir_usage_report *report)
{
	pool_source->members = report->members;
	pool_source->active = report->active;
	pool_source->cycle = report->cycle;
	pool_source->up = report->up;
	pool_source->down = report->down;
	pool_source->before_up = report->before_up;
	pool_source->before_down = report->before_down;
	pool_source->records = report->records;
	pool_source->sessions = report->sessions;
	pool_source->before_records = report->before_records;
	pool_source->before_sessions = report->before_sessions;
}

/* A cycle that the source total has not seen yet has begun at the source. */
static void
roll_over_source(struct weir_pool_source_slot *pool_source, uint16_t cycle)
{
	WEIR_CHECK(cycle > pool_source->cycle);
	bool next = pool_source->cycle != 0 && cycle == pool_source->cycle + 1;
	pool_source->before_up = next ? pool_source->up : 0;
	pool_source->before_down = next ? pool_source->down : 0;
	pool_source->before_records = next ? pool_source->records : 0;
	pool_source->before_sessions = next ? pool_source->sessions : 0;
	pool_source->up = pool_source->down = 0;
	pool_source->records = pool_source->sessions = 0;
	pool_source->cycle = cycle;
}

static void
keep_larger(struct weir_pool_source_slot *pool_source, const struct weir_usage_report *report)
{
	pool_source->members = (uint32_t)larger_of(pool_source->members, report->members);
	pool_source->active = (uint32_t)larger_of(pool_source->active, report->active);
	if (report->cycle > pool_source->cycle)
		roll_over_source(pool_source, report->cycle);
	if (report->cycle == pool_source->cycle) {
		pool_source->up = larger_of(pool_source->up, report->up);
		pool_source->down = larger_of(pool_source->down, report->down);
		pool_source->records = (uint32_t)larger_of(pool_source->records, report->records);
		pool_source->sessions = (uint32_t)larger_of(pool_source->sessions, report->sessions);
		pool_source->before_up = larger_of(pool_source->before_up, report->before_up);
		pool_source->before_down = larger_of(pool_source->before_down, report->before_down);
		pool_source->before_records = (uint32_t)larger_of(pool_source->before_records, report->before_records);
		pool_source->before_sessions = (uint32_t)larger_of(pool_source->before_sessions, report->before_sessions);
	} else if (report->cycle == pool_source->cycle - 1) {
		pool_source->before_up = larger_of(pool_source->before_up, report->up);
		pool_source->before_down = larger_of(pool_source->before_down, report->down);
		pool_source->before_records = (uint32_t)larger_of(pool_source->before_records, report->records);
		pool_source->before_sessions = (uint32_t)larger_of(pool_source->before_sessions, report->sessions);
	}
}

void
weir_pool_source_take(struct weir_partition *p, const struct weir_usage_report *report, int64_t arrived_us)
{
	WEIR_CHECK(report->active <= report->members && report->source < p->opts.partitions);
	uint32_t pool_slot = weir_pool_get(p, report->pool);
	uint32_t slot = weir_pool_source_get(p, pool_slot, report->source);
	struct weir_pool_source_slot *pool_source = weir_pool_source_at(p, slot);
	if (report->epoch < pool_source->epoch)
		return; /* of an owner that was fenced */
	bool caught_up = (report->flags & WEIR_REPORT_CAUGHT_UP) != 0;
	if (caught_up)
		replace(pool_source, report);
	else
		keep_larger(pool_source, report);
	pool_source->epoch = report->epoch;
	pool_source->at_us = arrived_us;
	pool_source->flags &= (uint8_t)~WEIR_POOL_SOURCE_CAUGHT_UP;
	pool_source->flags |= (uint8_t)((caught_up ? WEIR_POOL_SOURCE_CAUGHT_UP : 0) |
					((report->flags & WEIR_REPORT_ASKS) != 0 ? WEIR_POOL_SOURCE_NEW : 0));
	struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	if (report->crossed_us != 0) {
		pool_source->crossed_us = report->crossed_us;
		pool->newest_us = report->crossed_us;
	}
	pool->changed_us = p->clock.now_us;
	weir_slab_dirty(&p->tables.pool_sources, slot);
	weir_pool_sum(p, pool_slot);
	weir_pool_touch(p, pool_slot);
	p->stats.reports_applied++;
}

/* ---- sums ---- */

static void
add_source_total(struct sums *sums, const struct weir_pool_source_slot *pool_source, uint16_t cycle)
{
	bool now = pool_source->cycle == cycle, ahead = pool_source->cycle == cycle + 1,
	     behind = pool_source->cycle + 1 == cycle;
	sums->members += pool_source->members;
	sums->active += pool_source->active;
	sums->up = weir_add_saturating(sums->up, now ? pool_source->up : ahead ? pool_source->before_up : 0);
	sums->down = weir_add_saturating(sums->down, now ? pool_source->down : ahead ? pool_source->before_down : 0);
	sums->before_up = weir_add_saturating(sums->before_up, now ? pool_source->before_up : behind ? pool_source->up : 0);
	sums->before_down = weir_add_saturating(sums->before_down, now      ? pool_source->before_down
								   : behind ? pool_source->down
									    : 0);
	sums->before_records += now ? pool_source->before_records : behind ? pool_source->records : 0;
	sums->before_sessions += now ? pool_source->before_sessions : behind ? pool_source->sessions : 0;
}

/* For a pool without a definition, and so without a clock: the newest cycle that any source counts in. */
static uint16_t
cycle_of(const struct weir_partition *p, const struct weir_pool_slot *pool, uint16_t *newest_out)
{
	uint16_t newest = 0;
	for (uint32_t at = pool->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next)
		if (weir_pool_source_at(p, at - 1)->cycle > newest)
			newest = weir_pool_source_at(p, at - 1)->cycle;
	*newest_out = newest;
	return pool->cycle != 0 ? pool->cycle : newest;
}

/*
 * The cycle before, as far as the source totals tell it: restated by late records (REC-6). A source that is a cycle ahead
 * of the pool's clock no longer reports it; that lasts a moment around a boundary, when nothing can be late by a whole
 * cycle.
 */
static void
keep_closed_cycle(struct weir_partition *p, uint32_t slot, const struct sums *sums)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if (pool->cycle == 0 || sums->newest > pool->cycle)
		return;
	if (pool->before_up == sums->before_up && pool->before_down == sums->before_down &&
	    pool->before_records == sums->before_records && pool->before_sessions == sums->before_sessions)
		return;
	pool->before_up = sums->before_up;
	pool->before_down = sums->before_down;
	pool->before_records = sums->before_records;
	pool->before_sessions = sums->before_sessions;
	bool created;
	struct weir_closed_cycle_entry *entry =
	    weir_closed_cycles_get(&p->tables.pool_closed_cycles, (uint16_t)(pool->cycle - 1), slot, &created);
	uint64_t records = sums->before_records > UINT32_MAX ? UINT32_MAX : sums->before_records;
	uint64_t sessions = sums->before_sessions > UINT32_MAX ? UINT32_MAX : sums->before_sessions;
	entry->value =
	    (struct weir_closed_cycle_slot){sums->before_up, sums->before_down, (uint32_t)records, (uint32_t)sessions, 0};
	entry->loaded = true;
	weir_closed_cycles_mark_dirty(&p->tables.pool_closed_cycles, entry);
}

/* POOL-1; UINT64_MAX = none, or its plan is not known yet. */
static uint64_t
total_of(const struct weir_partition *p, const struct weir_pool_slot *pool)
{
	uint64_t total = pool->total_bytes;
	if ((pool->flags & WEIR_POOL_DEFINED) == 0 || pool->kind == WEIR_PLAN_METERED)
		return UINT64_MAX;
	if (pool->kind == WEIR_PLAN_ACCUMULATIVE) {
		if (pool->plan == 0 || !p->registry.plans[pool->plan - 1].known)
			return UINT64_MAX;
		if (__builtin_mul_overflow(
			(uint64_t)pool->active, p->registry.plans[pool->plan - 1].ref.allowance_bytes, &total))
			total = UINT64_MAX;
	}
	return pool->addon_cycle == pool->cycle ? weir_add_saturating(total, pool->addon_bytes) : total;
}

void
weir_pool_sum(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	struct sums sums = {0};
	uint16_t cycle = cycle_of(p, pool, &sums.newest);
	for (uint32_t at = pool->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next)
		add_source_total(&sums, weir_pool_source_at(p, at - 1), cycle);
	pool->members = sums.members > UINT32_MAX ? UINT32_MAX : (uint32_t)sums.members;
	pool->active = sums.active > UINT32_MAX ? UINT32_MAX : (uint32_t)sums.active;
	pool->used = weir_add_saturating(sums.up, sums.down);
	pool->effective_total = total_of(p, pool);
	keep_closed_cycle(p, slot, &sums);
	weir_slab_dirty(&p->tables.pools, slot);
}

#define ROLLOVERS_MAX 12 /* after a stop of a year, what lies before that is where the source totals left it */

void
weir_pool_roll_over(struct weir_partition *p, uint32_t slot, int32_t cycle)
{
	WEIR_CHECK(slot < p->tables.pools.used && cycle <= UINT16_MAX);
	WEIR_CHECK(cycle >= weir_pool_at(p, slot)->cycle);
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	for (int i = 0; pool->cycle < cycle; i++) {
		pool->cycle = (uint16_t)(i < ROLLOVERS_MAX ? pool->cycle + 1 : cycle);
		pool->before_up = pool->before_down = pool->before_records = pool->before_sessions = 0;
		weir_pool_sum(p, slot);
	}
	pool->ladder = 0;
	pool->flags &= (uint8_t)~WEIR_POOL_ALERTED;
	pool->evaluated_used = 0;
	pool->changed_us = p->clock.now_us;
}

/* ---- loading ---- */

bool
weir_pool_sources_load(struct weir_partition *p)
{
	uint32_t visited = 0, used = 0;
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++)
		if (!weir_pool_is_free(p, slot) && !weir_pool_source_list_is_sound(p, slot, &visited))
			return false;
	for (uint32_t slot = 0; slot < p->tables.pool_sources.used; slot++) {
		if (weir_slab_is_filler(&p->tables.pool_sources, slot))
			continue;
		if (weir_pool_source_at(p, slot)->pool == 0)
			weir_slab_push_free(&p->tables.pool_sources, slot);
		else
			used++;
	}
	return visited == used;
}
