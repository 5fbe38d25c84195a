/*
 * Evaluating a pool: from its sums to reasons, status and alerts (POOL-1, POOL-5, ALR-1).
 *
 * Once a round, after all of its usage reports and requests, and never while the stage replays. The decision is audited
 * here, with the pool's limit and usage; what it does to a member is the member's own partition's to decide and audit.
 */
#include "aggregators/pools/pool_evaluate.h"

#include <inttypes.h>
#include <string.h>

#include "aggregators/alerts/ladders.h"
#include "config/base/timetext.h"

uint64_t
weir_pool_limit(const struct weir_pool_slot *pool)
{
	if (pool->kind == WEIR_PLAN_METERED)
		return (pool->flags & WEIR_POOL_SUSPENDS) != 0 ? pool->threshold_bytes : UINT64_MAX;
	return pool->effective_total;
}

static uint16_t
reasons_of(const struct weir_pool_slot *pool)
{
	uint16_t reasons = 0;
	if ((pool->flags & WEIR_POOL_DEFINED) == 0)
		return 0;
	uint64_t limit = weir_pool_limit(pool);
	if (limit != UINT64_MAX && pool->used >= limit)
		reasons |= pool->kind == WEIR_PLAN_METERED ? WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD)
							   : WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED);
	/* Disabled pools are off whether or not the pool local was paid since: they are enabled by hand (POOL-5). */
	if ((pool->flags & WEIR_POOL_FROZEN) != 0 || pool->disabled_s != 0)
		reasons |= WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN);
	return reasons;
}

static uint8_t
status_of(const struct weir_pool_slot *pool)
{
	const uint16_t suspending = WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD) | WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN);
	if (pool->disabled_s != 0)
		return WEIR_POOL_DISABLED;
	return (pool->reasons & suspending) != 0 ? WEIR_POOL_SUSPENDED : WEIR_POOL_IN_USE;
}

struct weir_audit *
weir_pool_audit(struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause)
{
	WEIR_CHECK(event <= WEIR_AUDIT_REFUSED);
	const struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint64_t limit = weir_pool_limit(pool);
	struct weir_audit *audit = weir_effects_add_audit(&p->effects);
	*audit = (struct weir_audit){.slot = UINT32_MAX,
	    .event = (uint8_t)event,
	    .action = pool->reasons != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE,
	    .reason = WEIR_REASON_NONE,
	    .carrier = pool->carrier,
	    .reasons_before = pool->reasons,
	    .reasons = pool->reasons,
	    .input = cause->input,
	    .offset = cause->offset,
	    .record_us = cause->record_us,
	    .decided_us = p->clock.now_us,
	    .at_us = p->clock.now_us,
	    .limit = limit == UINT64_MAX ? 0 : limit,
	    .usage_before = cause->usage_before,
	    .usage_after = pool->used,
	    .cycle = pool->cycle};
	memcpy(audit->pool, pool->id, sizeof(audit->pool));
	return audit;
}

static void
decide_reasons(struct weir_partition *p, uint32_t slot, uint16_t reasons, const struct weir_cause *cause)
{
	WEIR_CHECK(reasons != weir_pool_at(p, slot)->reasons);
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint16_t before = pool->reasons, raised = reasons & (uint16_t)~before;
	pool->reasons = reasons;
	pool->crossed_us = raised != 0 ? pool->newest_us : 0;
	pool->changed_us = p->clock.now_us;
	struct weir_audit *audit = weir_pool_audit(p, slot, WEIR_AUDIT_DECIDED, cause);
	audit->reasons_before = before;
	audit->reason = (uint8_t)__builtin_ctz(raised != 0 ? raised : before & (uint16_t)~reasons);
	audit->overshoot = raised != 0 && audit->limit != 0 && pool->used > audit->limit ? pool->used - audit->limit : 0;
	p->stats.decisions++;
}

/* A threshold whose action is an alert: one a cycle. */
static void
alert_threshold(struct weir_partition *p, struct weir_pool_slot *pool)
{
	if (pool->threshold_bytes == WEIR_NO_LIMIT || pool->used < pool->threshold_bytes ||
	    (pool->flags & (WEIR_POOL_SUSPENDS | WEIR_POOL_ALERTED)) != 0)
		return;
	char id[WEIR_JSON_ID_MAX], at[WEIR_TIME_TEXT_MAX], cycle[16];
	weir_json_id(pool->id, id);
	(void)weir_time_format_ms(p->clock.now_us, at);
	weir_cycle_format(pool->cycle, cycle);
	weir_partition_alert(p, pool->id,
	    "{\"type\":\"alert\",\"kind\":\"pool_threshold\",\"pool\":\"%s\",\"cycle\":\"%s\",\"threshold\":%" PRIu64
	    ",\"used\":%" PRIu64 ",\"at\":\"%s\"}",
	    id, cycle, pool->threshold_bytes, pool->used, at);
	pool->flags |= WEIR_POOL_ALERTED;
}

void
weir_pool_evaluate(struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(slot < p->tables.pools.used);
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	struct weir_cause cause = {UINT32_MAX, -1, p->clock.now_us, pool->newest_us, pool->evaluated_used};
	uint16_t reasons = reasons_of(pool);
	if (reasons != pool->reasons)
		decide_reasons(p, slot, reasons, &cause);
	pool->status = status_of(pool);
	if ((pool->flags & WEIR_POOL_DEFINED) != 0) {
		uint64_t base = pool->kind == WEIR_PLAN_METERED ? pool->threshold_bytes : pool->effective_total;
		(void)weir_ladder_alert(p, "pool", pool->id, pool->alerts, base == UINT64_MAX ? 0 : base, pool->used,
		    pool->cycle, &pool->ladder, &cause);
		alert_threshold(p, pool);
	}
	pool->evaluated_used = pool->used;
	weir_slab_dirty(&p->tables.pools, slot);
}
