/*
 * Pools in their own partition: finding and making, definitions, and what the clock brings (POOL-1, POOL-5, CYC-4).
 *
 * A pool is made by its definition or by the first usage report, whichever comes first; without a definition it sums and
 * cuts nothing. Whatever touches a pool puts it on the list of those that are evaluated when the round ends, so that a
 * round's hundred usage reports are evaluated once. While the stage replays, nothing is evaluated and no cycle ended: usage
 * reports of the cycle that ended meanwhile are still to come.
 */
#include "aggregators/pools/pool_definitions.h"

#include <string.h>

#include "aggregators/pools/pool_sources.h"
#include "aggregators/state/sound.h"

#define S_US 1000000ll
#define SCAN_US (60 * S_US) /* at the latest: a carrier's calendar may have been defined anew */
#define DAY_S 86400u

/* ---- definitions ---- */

/* POOL-1: members share carrier and plan, so neither can change under them. */
static enum weir_class
check_definition(const struct weir_partition *p, const struct weir_pool_slot *pool, const struct weir_ref_pool *ref,
    uint32_t carrier, uint32_t plan, struct weir_error *err)
{
	if (plan != 0 && p->registry.plans[plan - 1].known &&
	    strcmp(p->registry.plans[plan - 1].ref.carrier, p->registry.carriers[carrier - 1].ref.id) != 0)
		return weir_error_set(err, WEIR_POISON, "pool '%s' is of carrier '%s', its plan '%s' of '%s' (POOL-1)",
		    ref->id, ref->carrier, ref->plan, p->registry.plans[plan - 1].ref.carrier);
	if (pool == NULL || (pool->flags & WEIR_POOL_DEFINED) == 0 || pool->members == 0)
		return WEIR_OK;
	if (pool->carrier == carrier && pool->plan == plan)
		return WEIR_OK;
	return weir_error_set(err, WEIR_POISON,
	    "pool '%s' has %u members: their carrier and plan cannot change to '%s' and '%s' (POOL-1)", ref->id,
	    pool->members, ref->carrier, ref->plan);
}

static void
take_definition(struct weir_partition *p, uint32_t slot, const struct weir_ref_pool *ref, uint32_t carrier, uint32_t plan)
{
	WEIR_CHECK(carrier > 0 && carrier <= p->registry.carrier_count && plan <= p->registry.plan_count);
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint32_t ladder = ref->alerts[0] == '\0' ? 0 : weir_ladder_number(p, ref->alerts) + 1;
	if (pool->carrier != carrier)
		pool->cycle = (uint16_t)p->registry.carriers[carrier - 1].current.number;
	if (pool->threshold_bytes != ref->threshold_bytes)
		pool->flags &= (uint8_t)~WEIR_POOL_ALERTED;
	pool->carrier = (uint8_t)carrier;
	pool->plan = (uint16_t)plan;
	pool->kind = (uint8_t)ref->kind;
	pool->total_bytes = ref->total_bytes;
	pool->threshold_bytes = ref->threshold_bytes;
	pool->retention_days = (uint16_t)(ref->retention_days > UINT16_MAX ? UINT16_MAX : ref->retention_days);
	pool->alerts = (uint16_t)(ladder > UINT16_MAX ? 0 : ladder);
	pool->flags &= (uint8_t)~WEIR_POOL_SUSPENDS;
	pool->flags |= (uint8_t)(WEIR_POOL_DEFINED | WEIR_POOL_FORCE | (ref->threshold_suspends ? WEIR_POOL_SUSPENDS : 0));
	pool->changed_us = p->clock.now_us;
}

enum weir_class
weir_pool_define(struct weir_partition *p, const struct weir_ref_pool *ref, struct weir_error *err)
{
	uint32_t carrier = weir_partition_carrier_number(p, ref->carrier) + 1;
	if (carrier == 0)
		return weir_error_set(
		    err, WEIR_POISON, "carrier '%s' is not defined: send it before its pools", ref->carrier);
	uint32_t plan = ref->plan[0] == '\0' ? 0 : weir_partition_plan_number(p, ref->plan) + 1;
	if (ref->plan[0] != '\0' && (plan == 0 || plan > UINT16_MAX))
		return weir_error_set(err, WEIR_POISON, "more than %d plans in one partition", UINT16_MAX);
	uint32_t slot;
	enum weir_class class = check_definition(p, weir_partition_find_pool(p, ref->id, &slot), ref, carrier, plan, err);
	if (class != WEIR_OK)
		return class;
	slot = weir_pool_get(p, ref->id);
	take_definition(p, slot, ref, carrier, plan);
	weir_pool_due(p, p->clock.now_us); /* of boundaries and retention */
	weir_pool_sum(p, slot);
	weir_pool_touch(p, slot);
	return WEIR_OK;
}

void
weir_pools_plan_changed(struct weir_partition *p, uint32_t plan_number)
{
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++) {
		if (weir_pool_is_free(p, slot) || weir_pool_at(p, slot)->plan != plan_number + 1)
			continue;
		weir_pool_sum(p, slot);
		weir_pool_touch(p, slot);
	}
}

/* ---- the clock ---- */

/* POOL-5: arrears past the retention period disable a metered pool. */
static void
check_arrears(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if (pool->arrears_s == 0 || pool->disabled_s != 0 || pool->kind != WEIR_PLAN_METERED)
		return;
	int64_t due_us = ((int64_t)pool->arrears_s + (int64_t)pool->retention_days * DAY_S) * S_US;
	if (p->clock.now_us < due_us) {
		weir_pool_due(p, due_us);
		return;
	}
	pool->disabled_s = (uint32_t)(due_us / S_US);
	pool->changed_us = p->clock.now_us;
	weir_pool_touch(p, slot);
}

static void
check_clock(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if (weir_pool_is_free(p, slot) || pool->carrier == 0)
		return;
	const struct weir_window *current = &p->registry.carriers[pool->carrier - 1].current;
	if (current->number > pool->cycle) {
		weir_pool_roll_over(p, slot, current->number);
		weir_pool_touch(p, slot);
	}
	weir_pool_due(p, current->end_us);
	check_arrears(p, slot);
}

bool
weir_pools_tick(struct weir_partition *p, uint32_t max)
{
	if (!p->pools_work.pools_caught_up)
		return false;
	if (!p->pools_work.scan.running) {
		if (p->clock.now_us < p->pools_work.scan.due_us)
			return false;
		p->pools_work.scan.running = true;
		p->pools_work.scan.next = 0;
		p->pools_work.scan.due_us = p->clock.now_us + SCAN_US;
	}
	for (; max > 0 && p->pools_work.scan.next < p->tables.pools.used; max--)
		check_clock(p, p->pools_work.scan.next++);
	p->pools_work.scan.running = p->pools_work.scan.next < p->tables.pools.used;
	return p->pools_work.scan.running;
}

void
weir_pools_caught_up(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++) {
		if (weir_pool_is_free(p, slot))
			continue;
		check_clock(p, slot);
		weir_pool_at(p, slot)->flags |= WEIR_POOL_FORCE;
		weir_pool_touch(p, slot);
	}
}

/* ---- loading ---- */

static bool
check_pool(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint32_t other;
	if (!weir_pool_is_sound(p, slot) || weir_partition_find_pool(p, pool->id, &other) != NULL)
		return false;
	/* Lists that only memory holds; every pool's state is published when the stage has caught up. */
	pool->flags &= (uint8_t) ~(WEIR_POOL_EVALUATE_DUE | WEIR_POOL_FORCE);
	weir_pool_index(p, slot);
	return true;
}

bool
weir_pools_load(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++) {
		if (weir_slab_is_filler(&p->tables.pools, slot))
			continue;
		if (weir_pool_at(p, slot)->id[0] == '\0')
			weir_slab_push_free(&p->tables.pools, slot);
		else if (!check_pool(p, slot))
			return false;
	}
	return weir_pool_sources_load(p);
}
