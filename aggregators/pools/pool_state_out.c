/*
 * A pool's state to its members' partitions (POOL-7).
 *
 * The state says all of the pool that a member's partition needs: definition, reasons and their cycle, unreported
 * allowance. It goes to every partition that has a source total, each by its own number, when any of it has changed in a
 * way that matters, and to a single one that asked. Versions rise with every update, so that a partition takes them in
 * order whatever the log's order.
 *
 * unreported allowance = max(floor, remaining / (2 x partitions)): all partitions together may keep half of what remains to
 * themselves. It is published again when it has halved or doubled, so a pool that is used up evenly costs a state update a
 * halving; once the limit is met nothing depends on being published early and the tick is enough.
 */
#include "aggregators/pools/pool_state_out.h"

#include <string.h>

#include "aggregators/pools/pool_evaluate.h"

static uint64_t
unreported_allowance_of(const struct weir_partition *p, const struct weir_pool_slot *pool)
{
	const uint16_t met = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD);
	uint64_t limit = weir_pool_limit(pool);
	if ((pool->flags & WEIR_POOL_DEFINED) == 0 || limit == UINT64_MAX || (pool->reasons & met) != 0)
		return WEIR_UNREPORTED_UNBOUNDED;
	uint64_t unreported_allowance =
	    (limit - pool->used) / (2u * (uint64_t)(p->opts.partitions > 0 ? p->opts.partitions : 1));
	uint64_t least = p->opts.unreported_floor_bytes > 0 ? p->opts.unreported_floor_bytes : 1;
	unreported_allowance = unreported_allowance < least ? least : unreported_allowance;
	return unreported_allowance < WEIR_UNREPORTED_UNBOUNDED ? unreported_allowance : WEIR_UNREPORTED_UNBOUNDED;
}

static bool
is_due_to_all(const struct weir_pool_slot *pool, uint64_t unreported_allowance)
{
	return (pool->flags & WEIR_POOL_FORCE) != 0 || pool->reasons != pool->published_reasons ||
	       pool->cycle != pool->published_cycle || unreported_allowance <= pool->published_allowance / 2 ||
	       unreported_allowance / 2 >= pool->published_allowance;
}

static struct weir_ref_pool_state
state_of_pool(const struct weir_partition *p, const struct weir_pool_slot *pool, uint64_t unreported_allowance)
{
	const uint16_t met = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD);
	struct weir_ref_pool_state pool_state = {.epoch = p->opts.epoch,
	    .version = pool->state_version,
	    .defined = (pool->flags & WEIR_POOL_DEFINED) != 0,
	    .kind = (enum weir_plan_kind)pool->kind,
	    .cycle = pool->cycle,
	    .reasons = pool->reasons,
	    .unreported_allowance = unreported_allowance,
	    .limit = (pool->reasons & met) != 0 ? weir_pool_limit(pool) : 0,
	    .used = pool->used,
	    .crossed_us = pool->crossed_us};
	memcpy(pool_state.pool, pool->id, sizeof(pool_state.pool));
	if (pool_state.defined)
		memcpy(pool_state.carrier, p->registry.carriers[pool->carrier - 1].ref.id, sizeof(pool_state.carrier));
	if (pool_state.defined && pool->plan != 0)
		memcpy(pool_state.plan, p->registry.plans[pool->plan - 1].ref.id, sizeof(pool_state.plan));
	return pool_state;
}

static void
send_state(struct weir_partition *p, uint32_t source_slot, struct weir_ref_pool_state *pool_state, struct weir_buf *json)
{
	struct weir_pool_source_slot *pool_source = weir_pool_source_at(p, source_slot);
	pool_state->active = pool_source->active;
	json->len = 0;
	weir_reference_print_pool_state(pool_state, json);
	weir_outbox_add(p, WEIR_OUTBOX_CARDS, pool_source->source, pool_state->pool, json->data, (uint32_t)json->len);
	if ((pool_source->flags & WEIR_POOL_SOURCE_NEW) != 0) {
		pool_source->flags &= (uint8_t)~WEIR_POOL_SOURCE_NEW;
		weir_slab_dirty(&p->tables.pool_sources, source_slot);
	}
	p->stats.pool_states_published++;
}

static bool
is_asked(const struct weir_partition *p, const struct weir_pool_slot *pool)
{
	for (uint32_t at = pool->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next)
		if ((weir_pool_source_at(p, at - 1)->flags & WEIR_POOL_SOURCE_NEW) != 0)
			return true;
	return false;
}

static void
publish_pool_state(struct weir_partition *p, uint32_t slot, struct weir_buf *json)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint64_t unreported_allowance = unreported_allowance_of(p, pool);
	bool all = is_due_to_all(pool, unreported_allowance);
	if (!all && !is_asked(p, pool))
		return;
	pool->state_version++;
	struct weir_ref_pool_state pool_state = state_of_pool(p, pool, unreported_allowance);
	for (uint32_t at = pool->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next)
		if (all || (weir_pool_source_at(p, at - 1)->flags & WEIR_POOL_SOURCE_NEW) != 0)
			send_state(p, at - 1, &pool_state, json);
	if (all) {
		pool->published_reasons = pool->reasons;
		pool->published_cycle = pool->cycle;
		pool->published_allowance = unreported_allowance;
		pool->flags &= (uint8_t)~WEIR_POOL_FORCE;
	}
	weir_slab_dirty(&p->tables.pools, slot);
}

void
weir_pools_publish(struct weir_partition *p)
{
	if (!p->pools_work.pools_caught_up || p->pools_work.pool_states.n == 0)
		return;
	struct weir_buf json = {0};
	for (uint32_t i = 0; i < p->pools_work.pool_states.n; i++) {
		uint32_t slot = (uint32_t)p->pools_work.pool_states.v[i];
		weir_pool_at(p, slot)->flags &= (uint8_t)~WEIR_POOL_EVALUATE_DUE;
		weir_pool_evaluate(p, slot);
		publish_pool_state(p, slot, &json);
	}
	p->pools_work.pool_states.n = 0;
	weir_buf_free(&json);
}
