/*
 * The evaluator: from a card's usage, overrides, lifecycle and pool to its set of reasons, from the set to its desired
 * state (SUS, SUS-1, SUS-2, SUS-4).
 *
 * Derived reasons are computed anew each time: plan_exhausted and usage_limit from usage, plan_expired from the card's
 * life, reset from its overrides, the pool's from its pool local's last state. All others are kept as they were set. The
 * carrier enforces what it can (weir_partition_enforced); the card is desired suspended exactly while that set is not
 * empty, whatever changed: reasons, the carrier's abilities, or the card's status. `next_threshold` is the lowest threshold
 * or alert level not yet reached, so that the fold pays one comparison a record and comes here only when something can
 * change.
 */
#include "aggregators/enforcement/evaluate.h"

#include <inttypes.h>

#include "aggregators/alerts/ladders.h"
#include "aggregators/enforcement/guard.h"
#include "aggregators/enforcement/thresholds.h"
#include "aggregators/pools/pool_local_state.h"
#include "aggregators/state/pool_table.h"
#include "config/base/timetext.h"

#define POOL_REASONS                                                                                                       \
	(WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD) |                       \
	    WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN))
#define DERIVED                                                                                                            \
	(WEIR_REASON_BIT(WEIR_REASON_PLAN_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) |                          \
	    WEIR_REASON_BIT(WEIR_REASON_PLAN_EXPIRED) | WEIR_REASON_BIT(WEIR_REASON_RESET) | POOL_REASONS)

/* All derived reasons, and the usage at which the next one by usage is due. */
static uint16_t
derive_reasons(const struct weir_partition *p, uint32_t slot, const struct weir_thresholds *t, uint64_t used,
    uint64_t *next_threshold_out)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	uint16_t reasons = weir_lifecycle_at(p, slot)->pool_local == 0 ? 0 : weir_pool_local_reasons(p, slot);
	uint64_t next_threshold = UINT64_MAX;
	if (t->plan != UINT64_MAX && used >= t->plan)
		reasons |= WEIR_REASON_BIT(WEIR_REASON_PLAN_EXHAUSTED);
	else
		next_threshold = t->plan;
	if (t->limit != WEIR_NO_LIMIT && (used >= t->limit || t->limit_held))
		reasons |= WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT);
	else if (t->limit < next_threshold)
		next_threshold = t->limit;
	if ((card->flags & WEIR_CARD_EXPIRED) != 0)
		reasons |= WEIR_REASON_BIT(WEIR_REASON_PLAN_EXPIRED);
	if (overrides != NULL && overrides->reset_s != 0)
		reasons |= WEIR_REASON_BIT(WEIR_REASON_RESET);
	*next_threshold_out = next_threshold;
	return reasons;
}

/*
 * ALR-1: alerts the levels that the card's usage has reached; returns the usage at which the next is due. Percent is of a
 * single plan's allowance with add-ons, else of the usage limit in force.
 */
static uint64_t
alert_levels(
    struct weir_partition *p, uint32_t slot, const struct weir_thresholds *t, uint64_t used, const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	uint64_t next = UINT64_MAX, base = t->plan != UINT64_MAX ? t->plan : t->limit;
	if (weir_card_status_of(card) <= WEIR_STATUS_INACTIVE)
		return next;
	if (base == WEIR_NO_LIMIT)
		base = 0;
	uint16_t ladder = weir_card_ladder(p, slot);
	if (weir_ladder_reached(p, ladder, base, used, &next) == lifecycle->ladder)
		return next;
	char iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	if (weir_ladder_alert(p, "card", iccid, ladder, base, used, card->cycle, &lifecycle->ladder, cause))
		weir_slab_dirty(&p->tables.lifecycles, slot);
	return next;
}

void
weir_partition_release_idle(struct weir_partition *p, uint32_t slot)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	if (overrides == NULL || overrides->enforcement == 0 || card->reasons != 0)
		return;
	struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, overrides->enforcement - 1);
	WEIR_CHECK(e->card == slot + 1 /* what is given back is the card's own */);
	if (e->desired != WEIR_DESIRED_ACTIVE || e->confirmed != WEIR_DESIRED_ACTIVE || weir_command_in_motion(e))
		return;
	weir_slab_release(&p->tables.enforcements, overrides->enforcement - 1);
	overrides->enforcement = 0;
	weir_slab_dirty(&p->tables.overrides, card->overrides - 1);
}

static uint8_t
lowest_reason(uint16_t reasons)
{
	return reasons == 0 ? WEIR_REASON_NONE : (uint8_t)__builtin_ctz(reasons);
}

/* What a decision was made of: the card's numbers, or, by a pool's reason, the pool's (docs/pools.md). */
struct grounds {
	uint8_t reason;
	uint64_t limit; /* 0 = none */
	uint64_t usage_before;
	uint64_t usage_after;
	int64_t arrived_us;
};

static struct grounds
grounds_of(const struct weir_partition *p, uint32_t slot, uint8_t reason, const struct weir_thresholds *t,
    const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_pool_local_slot *pool_local = weir_pool_local_of(p, slot);
	struct grounds g = {reason, 0, weir_sub_saturating(cause->usage_before, weir_card_exempt(p, card)),
	    weir_card_metered(p, card), cause->arrived_us};
	if (reason == WEIR_REASON_PLAN_EXHAUSTED && t->plan != UINT64_MAX)
		g.limit = t->plan;
	if (reason == WEIR_REASON_USAGE_LIMIT && t->limit != WEIR_NO_LIMIT)
		g.limit = t->limit;
	if (pool_local != NULL && reason != WEIR_REASON_NONE && (WEIR_REASON_BIT(reason) & POOL_REASONS) != 0) {
		g.limit = pool_local->cut_limit;
		g.usage_before = g.usage_after = pool_local->cut_used;
		if (pool_local->cut_us > g.arrived_us)
			g.arrived_us = pool_local->cut_us;
	}
	if (g.arrived_us == 0)
		g.arrived_us = p->clock.now_us;
	return g;
}

static void
write_decision(struct weir_enforcement_slot *e, const struct grounds *g, const struct weir_cause *cause, int64_t now_us)
{
	e->reason = g->reason;
	e->limit = g->limit;
	e->input = cause->input;
	e->offset = cause->offset;
	e->record_us = cause->record_us;
	e->arrived_us = g->arrived_us;
	e->decided_us = now_us;
	e->sent_us = e->confirmed_us = 0;
	e->usage_before = g->usage_before;
	e->usage_after = g->usage_after;
	e->overshoot = g->limit != 0 ? weir_sub_saturating(g->usage_after, g->limit) : 0;
}

/* SUS-4: what the carrier cannot do is alerted once: when the reason is raised, or its card moves to where it cannot. */
static void
alert_unsupported(struct weir_partition *p, uint32_t slot, uint16_t reasons, const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	char iccid[WEIR_ICCID_TEXT_MAX], at[WEIR_TIME_TEXT_MAX], carrier[WEIR_JSON_ID_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	(void)weir_time_format_ms(p->clock.now_us, at);
	weir_json_id(weir_partition_carrier_name(p, card->carrier), carrier);
	for (; reasons != 0; reasons &= (uint16_t)(reasons - 1)) {
		p->stats.unsupported++;
		weir_partition_alert(p, iccid,
		    "{\"type\":\"alert\",\"kind\":\"enforcement_unsupported\",\"card\":\"%s\",\"carrier\":\"%s\","
		    "\"reason\":\"%s\",\"pooled\":%s,\"used\":%" PRIu64
		    ",\"at\":\"%s\",\"input\":%d,\"partition\":%u,\"offset\":%" PRId64 "}",
		    iccid, carrier, weir_reason_name(lowest_reason(reasons)),
		    weir_lifecycle_at(p, slot)->pool_local != 0 ? "true" : "false", weir_card_metered(p, card), at,
		    cause->input == UINT32_MAX ? -1 : (int)cause->input, p->opts.number, cause->offset);
	}
}

void
weir_partition_alert_moved(
    struct weir_partition *p, uint32_t slot, uint16_t enforced_before, const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	uint16_t lost = card->reasons & enforced_before & (uint16_t)~weir_partition_enforced(p, slot);
	if (lost != 0 && weir_card_may_command(card))
		alert_unsupported(p, slot, lost, cause);
}

/* The reason that an audit names: one that was raised and is enforced before one that is not, raised before cleared. */
static uint8_t
alerted_reason(uint16_t before, uint16_t after, uint16_t enforced, bool suspends)
{
	uint16_t added = after & (uint16_t)~before;
	if ((added & enforced) != 0)
		return lowest_reason(added & enforced);
	if (suspends)
		return lowest_reason(enforced);
	return lowest_reason(added != 0 ? added : before & (uint16_t)~after);
}

/* Brings the desired state in line with what is enforced; an audit entry when that or the set has changed. */
static void
apply_reasons(struct weir_partition *p, uint32_t slot, uint16_t before, const struct weir_thresholds *t,
    const struct weir_cause *cause)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	uint16_t enforced = weir_partition_enforced(p, slot);
	uint8_t desired = enforced != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
	struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	if (e == NULL && card->reasons != 0) /* also where nothing is sent: a boundary looks at these slots (CYC-4) */
		e = weir_partition_enforce(p, slot);
	bool changed = weir_card_may_command(card) && e != NULL && e->desired != desired;
	if (!changed && before == card->reasons)
		return;
	bool suspends = changed && desired == WEIR_DESIRED_SUSPENDED;
	uint8_t reason = alerted_reason(before, card->reasons, enforced, suspends);
	struct grounds g = grounds_of(p, slot, reason, t, cause);
	if (changed) {
		e = weir_partition_enforce(p, slot);
		e->desired = desired;
		write_decision(e, &g, cause, p->clock.now_us);
		weir_u64_list_push(&p->effects.pending_commands, slot);
		p->stats.suspends += suspends;
		p->stats.resumes += !suspends;
		if (suspends)
			weir_guard_suspend(p);
	}
	struct weir_audit *audit =
	    weir_partition_add_audit(p, slot, changed ? WEIR_AUDIT_DECIDED : WEIR_AUDIT_REASON, cause);
	audit->action = desired;
	audit->reason = reason;
	audit->reasons_before = before;
	audit->limit = g.limit;
	audit->usage_before = g.usage_before;
	audit->usage_after = g.usage_after;
	audit->overshoot = g.limit != 0 ? weir_sub_saturating(g.usage_after, g.limit) : 0;
	p->stats.decisions++;
	uint16_t unsupported = card->reasons & (uint16_t) ~(before | enforced);
	if (unsupported != 0 && weir_card_may_command(card))
		alert_unsupported(p, slot, unsupported, cause);
	weir_partition_release_idle(p, slot);
}

void
weir_card_evaluate(struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	WEIR_CHECK(card->cycle >= p->registry.carriers[card->carrier - 1].current.number);
	struct weir_thresholds t = weir_card_thresholds(p, slot);
	uint64_t next_threshold, used = weir_card_metered(p, card);
	uint16_t derived = derive_reasons(p, slot, &t, used, &next_threshold);
	uint64_t level = alert_levels(p, slot, &t, used, cause);
	next_threshold = weir_add_saturating(
	    level < next_threshold ? level : next_threshold, weir_card_exempt(p, card)); /* the fold compares all usage */
	uint16_t before = card->reasons;
	uint16_t after = (uint16_t)((((before & ~DERIVED) | derived) | set) & ~clear);
	if (card->next_threshold != next_threshold || before != after) {
		card->next_threshold = next_threshold;
		card->reasons = after;
		weir_slab_dirty(&p->tables.cards, slot);
	}
	apply_reasons(p, slot, before, &t, cause);
}
