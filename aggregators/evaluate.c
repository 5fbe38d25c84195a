/*
 * The evaluator: from a card's usage and terms to its set of reasons, from the set to its desired state (SUS, SUS-1,
 * SUS-2).
 *
 * Reasons derived from usage (plan_exhausted, usage_limit) are computed anew each time; all others are kept as they were
 * set. The card is desired suspended exactly while the set is not empty. `gate` is the lowest threshold not yet reached, so
 * that the fold pays one comparison a record and comes here only when something can change.
 */
#include "aggregators/partition_priv.h"

#define DERIVED (WEIR_REASON_BIT(WEIR_REASON_PLAN_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT))

/* The thresholds that hold for a card now; UINT64_MAX = none. */
struct thresholds {
	uint64_t plan;
	uint64_t limit;
	bool limit_held;
};

static uint64_t
add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static struct thresholds
thresholds_of(const struct weir_partition *p, const struct weir_card_slot *card)
{
	struct thresholds t = {UINT64_MAX, WEIR_NO_LIMIT, false};
	const struct weir_terms_slot *terms = weir_terms_of(p, card);
	const struct weir_plan_entry *plan = card->plan == 0 ? NULL : &p->plans[card->plan - 1];
	if (plan != NULL && plan->known) {
		t.limit = plan->ref.limit_bytes;
		if (plan->ref.kind == WEIR_PLAN_SINGLE)
			t.plan = plan->ref.allowance_bytes;
	}
	if (terms == NULL)
		return t;
	if (t.plan != UINT64_MAX && terms->addon_cycle == card->cycle)
		t.plan = add_saturating(t.plan, terms->addon_bytes);
	if (terms->limit != WEIR_NO_LIMIT)
		t.limit = terms->limit;
	if (terms->lifted_cycle == card->cycle)
		t.limit = WEIR_NO_LIMIT;
	t.limit_held = (terms->flags & WEIR_TERMS_LIMIT_HELD) != 0 && t.limit != WEIR_NO_LIMIT;
	return t;
}

static uint16_t
derive(const struct thresholds *t, uint64_t used, uint64_t *gate_out)
{
	uint16_t reasons = 0;
	uint64_t gate = UINT64_MAX;
	if (t->plan != UINT64_MAX && used >= t->plan)
		reasons |= WEIR_REASON_BIT(WEIR_REASON_PLAN_EXHAUSTED);
	else
		gate = t->plan;
	if (t->limit != WEIR_NO_LIMIT && (used >= t->limit || t->limit_held))
		reasons |= WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT);
	else if (t->limit < gate)
		gate = t->limit;
	*gate_out = gate;
	return reasons;
}

static bool
may_command(const struct weir_card_slot *card)
{
	unsigned status = card->flags & WEIR_CARD_STATUS_MASK; /* LIFE-6 */
	return status != WEIR_STATUS_DEACTIVATED && status != WEIR_STATUS_CANCELLED;
}

static void
write_decision(struct weir_enforcement_slot *e, const struct weir_card_slot *card, uint8_t reason, uint64_t limit,
    const struct weir_cause *cause, int64_t now_us)
{
	e->reason = reason;
	e->limit = limit;
	e->input = cause->input;
	e->offset = cause->offset;
	e->record_us = cause->record_us;
	e->arrived_us = cause->arrived_us != 0 ? cause->arrived_us : now_us;
	e->decided_us = now_us;
	e->sent_us = e->confirmed_us = 0;
	e->usage_before = cause->usage_before;
	e->usage_after = weir_card_used(card);
	e->overshoot = limit != 0 && e->usage_after > limit ? e->usage_after - limit : 0;
}

void
weir_partition_release_idle(struct weir_partition *p, uint32_t slot)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_terms_slot *terms = weir_terms_of(p, card);
	if (terms == NULL || terms->enforcement == 0 || card->reasons != 0)
		return;
	struct weir_enforcement_slot *e = weir_slab_at(&p->enforcements, terms->enforcement - 1);
	bool in_motion = e->command == 2 || e->command == 3; /* sent, accepted */
	if (e->desired != WEIR_DESIRED_ACTIVE || e->confirmed != WEIR_DESIRED_ACTIVE || in_motion)
		return;
	weir_slab_release(&p->enforcements, terms->enforcement - 1);
	terms->enforcement = 0;
	weir_slab_dirty(&p->terms, card->terms - 1);
}

static uint8_t
lowest_reason(uint16_t reasons)
{
	return reasons == 0 ? WEIR_REASON_NONE : (uint8_t)__builtin_ctz(reasons);
}

/* Brings the desired state in line with the set of reasons; an audit entry either way. */
static void
settle(struct weir_partition *p, uint32_t slot, uint16_t before, uint64_t limit, const struct weir_cause *cause)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	uint16_t added = card->reasons & (uint16_t)~before;
	uint8_t reason = lowest_reason(added != 0 ? added : before & (uint16_t)~card->reasons);
	uint8_t desired = card->reasons != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
	struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	bool changed = may_command(card) && (e == NULL ? desired != WEIR_DESIRED_ACTIVE : e->desired != desired);
	if (changed) {
		e = weir_partition_enforce(p, slot);
		e->desired = desired;
		write_decision(e, card, reason, limit, cause, p->now_us);
		weir_u64_list_push(&p->offers, slot);
		p->stats.suspends += desired == WEIR_DESIRED_SUSPENDED;
		p->stats.resumes += desired == WEIR_DESIRED_ACTIVE;
	}
	struct weir_audit *audit =
	    weir_partition_add_audit(p, slot, changed ? WEIR_AUDIT_DECIDED : WEIR_AUDIT_REASON, cause);
	audit->action = desired;
	audit->reason = reason;
	audit->reasons_before = before;
	audit->limit = limit;
	audit->overshoot = limit != 0 && audit->usage_after > limit ? audit->usage_after - limit : 0;
	p->stats.decisions++;
	weir_partition_release_idle(p, slot);
}

static uint64_t
limit_of_reason(const struct thresholds *t, uint16_t changed)
{
	if ((changed & WEIR_REASON_BIT(WEIR_REASON_PLAN_EXHAUSTED)) != 0)
		return t->plan == UINT64_MAX ? 0 : t->plan;
	if ((changed & WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT)) != 0)
		return t->limit == WEIR_NO_LIMIT ? 0 : t->limit;
	return 0;
}

void
weir_partition_change_reasons(
    struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	int32_t current = p->carriers[card->carrier - 1].current.number;
	if (card->cycle < current) {
		weir_partition_roll(p, slot, current, cause); /* comes back here with nothing to set */
		card = weir_card_at(p, slot);
	}
	struct thresholds t = thresholds_of(p, card);
	uint64_t gate;
	uint16_t derived = derive(&t, weir_card_used(card), &gate);
	uint16_t before = card->reasons;
	uint16_t after = (uint16_t)((((before & ~DERIVED) | derived) | set) & ~clear);
	if (card->gate != gate || before != after) {
		card->gate = gate;
		card->reasons = after;
		weir_slab_dirty(&p->cards, slot);
	}
	if (before != after)
		settle(p, slot, before, limit_of_reason(&t, before ^ after), cause);
}

void
weir_partition_evaluate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause)
{
	weir_partition_change_reasons(p, slot, 0, 0, cause);
}

struct weir_audit *
weir_partition_add_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause)
{
	if (p->audit_count == p->audit_cap) {
		p->audit_cap = p->audit_cap == 0 ? 64 : p->audit_cap * 2;
		p->audits = weir_realloc(p->audits, p->audit_cap * sizeof(*p->audits));
	}
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_audit *audit = &p->audits[p->audit_count++];
	*audit = (struct weir_audit){.iccid = card->iccid,
	    .slot = slot,
	    .event = (uint8_t)event,
	    .reason = WEIR_REASON_NONE,
	    .carrier = card->carrier,
	    .reasons_before = card->reasons,
	    .reasons = card->reasons,
	    .input = cause->input,
	    .offset = cause->offset,
	    .record_us = cause->record_us,
	    .decided_us = p->now_us,
	    .at_us = p->now_us,
	    .usage_before = cause->usage_before,
	    .usage_after = weir_card_used(card)};
	return audit;
}

const char *
weir_reason_name(unsigned reason)
{
	static const char *const NAMES[WEIR_REASON_COUNT] = {"plan_exhausted", "usage_limit", "pool_exhausted",
	    "pool_threshold", "pool_frozen", "plan_expired", "manual", "device_change", "id_verification", "violation",
	    "abnormal"};
	return reason < WEIR_REASON_COUNT ? NAMES[reason] : "none";
}
