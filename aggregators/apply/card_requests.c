/*
 * Requests on a card: what operators, and for flags upstream, ask for (SUS-1, SUS-2, SUS-5, SUS-6, LIFE-2, LIFE-5, LIFE-7).
 *
 * A request acts on the current cycle, so the card is brought into it first. Each leaves one entry in the audit, with what
 * came of it in words; one that cannot be applied leaves the reason there, for whoever asked, and is a dead letter.
 * Absolute, so that a repeated one changes nothing; the two increments, add-on and renewal, are identified by their id.
 */
#include "aggregators/apply/card_requests.h"

#include <stdio.h>

#include "aggregators/apply/lifecycle_requests.h"
#include "aggregators/enforcement/device_lock.h"
#include "aggregators/enforcement/rollover.h"
#include "aggregators/state/carrier_windows.h"

/* The card's own limit, else its plan's. */
static uint64_t
limit_of(
    const struct weir_partition *p, const struct weir_card_slot *card, const struct weir_card_overrides_slot *overrides)
{
	const struct weir_plan_entry *plan = card->plan == 0 ? NULL : &p->registry.plans[card->plan - 1];
	if (overrides->limit != WEIR_NO_LIMIT)
		return overrides->limit;
	return plan != NULL && plan->known ? plan->ref.limit_bytes : WEIR_NO_LIMIT;
}

void
weir_partition_set_limit(struct weir_partition *p, uint32_t slot, uint64_t limit, bool has_auto_restore, bool auto_restore)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, weir_card_at(p, slot));
	if (overrides == NULL && limit == WEIR_NO_LIMIT && (!has_auto_restore || auto_restore))
		return;
	overrides = weir_partition_card_overrides(p, slot);
	if (overrides->limit != limit) {
		/* SUS: what holds over is cleared by a limit raised or removed, not by one moved down. */
		uint64_t before = limit_of(p, weir_card_at(p, slot), overrides);
		if (limit > before || before == WEIR_NO_LIMIT)
			overrides->flags &= (uint8_t)~WEIR_OVERRIDES_LIMIT_HELD;
		overrides->limit = limit;
		overrides->lifted_cycle = 0; /* SUS-1: lifted until the cycle ends or the limit is changed */
	}
	if (has_auto_restore) {
		overrides->flags &= (uint8_t)~WEIR_OVERRIDES_NO_AUTO_RESTORE;
		overrides->flags |= auto_restore ? 0 : WEIR_OVERRIDES_NO_AUTO_RESTORE;
	}
}

/*
 * The cycle that an add-on is for is the one in which it was asked for, or the one that it names. A replay after the
 * boundary finds it over, as the run before the crash left it.
 */
static enum weir_class
addon_cycle(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, const struct weir_cause *cause,
    int32_t *cycle_out, struct weir_error *err)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	int64_t asked_us = cause->arrived_us != 0 ? cause->arrived_us : p->clock.now_us;
	int32_t asked = weir_partition_cycle_of(&p->registry.carriers[card->carrier - 1], asked_us);
	char named[16];
	*cycle_out = request->cycle >= 0 ? request->cycle : asked;
	weir_cycle_format(*cycle_out, named);
	if (*cycle_out < asked)
		return weir_error_set(
		    err, WEIR_POISON, "cycle %s is closed: an add-on is for the current one (SUS-2)", named);
	if (*cycle_out > asked && *cycle_out > card->cycle)
		return weir_error_set(
		    err, WEIR_POISON, "cycle %s has not begun: an add-on takes effect at once (SUS-2)", named);
	return WEIR_OK;
}

static void
add_on(
    struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, int32_t cycle, const char **reply_out)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	if (cycle != card->cycle) {
		*reply_out = "its cycle has ended";
		return;
	}
	struct weir_card_overrides_slot *overrides = weir_partition_card_overrides(p, slot);
	if (overrides->addon_cycle != card->cycle) {
		overrides->addon_cycle = card->cycle;
		overrides->addon_bytes = 0;
		overrides->addon_id = overrides->addon_id_before[0] = overrides->addon_id_before[1] = 0;
	}
	uint64_t id = request->id_hash;
	if (id != 0 &&
	    (id == overrides->addon_id || id == overrides->addon_id_before[0] || id == overrides->addon_id_before[1])) {
		*reply_out = "repeated id: already applied";
		return;
	}
	if (__builtin_add_overflow(overrides->addon_bytes, request->bytes, &overrides->addon_bytes))
		overrides->addon_bytes = UINT64_MAX;
	if (id == 0)
		return;
	overrides->addon_id_before[1] = overrides->addon_id_before[0];
	overrides->addon_id_before[0] = overrides->addon_id;
	overrides->addon_id = id;
}

/*
 * SUS-1: clears manual and usage_limit, and keeps the limit lifted until the cycle ends or the limit is changed. Lifted
 * whether or not it was reached: a replay may see the request before the record that reached it, and must end in the same
 * state. All other reasons stay: what upstream or the carrier says is theirs to take back.
 */
static void
resume_card(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause)
{
	struct weir_card_overrides_slot *overrides = weir_partition_card_overrides(p, slot);
	overrides->lifted_cycle = weir_card_at(p, slot)->cycle;
	overrides->flags &= (uint8_t)~WEIR_OVERRIDES_LIMIT_HELD;
	weir_partition_change_reasons(p, slot, 0, WEIR_REASON_BIT(WEIR_REASON_MANUAL), cause);
}

/* SUS-1: the reply says which reasons remain. */
static void
print_remaining(char *out, size_t size, uint16_t reasons, uint16_t enforced)
{
	size_t n = (size_t)snprintf(out, size, "%s",
	    enforced != 0 ? "still suspended: other reasons remain:" : "other reasons remain, none enforced:");
	for (unsigned i = 0; i < WEIR_REASON_COUNT && n < size; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			n += (size_t)snprintf(out + n, size - n, " %s", weir_reason_name(i));
}

/* event: applied or refused. The reply is what the operator reads, cut off where there is no more room. */
static void
audit_request(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, enum weir_audit_event event,
    const char *reply, uint16_t before, const struct weir_cause *cause)
{
	WEIR_CHECK(event == WEIR_AUDIT_REQUEST || event == WEIR_AUDIT_REFUSED);
	struct weir_audit *audit = weir_partition_add_audit(p, slot, event, cause);
	audit->reasons_before = before;
	audit->action = weir_partition_enforced(p, slot) != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
	audit->limit = request->bytes == WEIR_NO_LIMIT ? 0 : request->bytes;
	(void)snprintf(
	    audit->text, sizeof(audit->text), "%.11s %.32s: %.143s", weir_action_name(request->action), request->id, reply);
}

static enum weir_class
carry_out(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, const struct weir_cause *cause,
    const char **reply_out, struct weir_error *err)
{
	uint16_t manual = WEIR_REASON_BIT(WEIR_REASON_MANUAL), flag;
	int32_t cycle;
	switch (request->action) {
	case WEIR_ACTION_SUSPEND:
		weir_partition_change_reasons(p, slot, manual, 0, cause);
		return WEIR_OK;
	case WEIR_ACTION_RESUME:
		resume_card(p, slot, cause);
		return WEIR_OK;
	case WEIR_ACTION_LIMIT:
		weir_partition_set_limit(p, slot, request->bytes, request->has_auto_restore, request->auto_restore);
		weir_partition_evaluate(p, slot, cause);
		return WEIR_OK;
	case WEIR_ACTION_ADDON:
		if (addon_cycle(p, slot, request, cause, &cycle, err) != WEIR_OK)
			return WEIR_POISON;
		add_on(p, slot, request, cycle, reply_out);
		weir_partition_evaluate(p, slot, cause);
		return WEIR_OK;
	case WEIR_ACTION_FLAG:
		flag = WEIR_REASON_BIT(request->reason);
		weir_partition_change_reasons(p, slot, request->set ? flag : 0, request->set ? 0 : flag, cause);
		return WEIR_OK;
	case WEIR_ACTION_REBIND:
		return weir_device_rebind(p, slot, cause, reply_out, err);
	case WEIR_ACTION_ACTIVATE:
	case WEIR_ACTION_DEACTIVATE:
	case WEIR_ACTION_CANCEL:
	case WEIR_ACTION_RENEW:
	case WEIR_ACTION_RESET:
		return weir_lifecycle_request(p, slot, request, cause, reply_out, err);
	default:
		return weir_error_set(err, WEIR_POISON, "%s is for pools", weir_action_name(request->action));
	}
}

enum weir_class
weir_partition_request(
    struct weir_partition *p, const struct weir_ref_request *request, struct weir_cause cause, struct weir_error *err)
{
	uint32_t slot;
	const struct weir_card_slot *card = weir_partition_find(p, request->iccid, &slot);
	if (card == NULL)
		return weir_error_set(err, WEIR_POISON, "no such card");
	weir_partition_evaluate(p, slot, &cause);
	cause.usage_before = weir_card_used(card);
	uint16_t before = card->reasons;
	char remaining[144];
	const char *reply = "done";
	enum weir_class class = carry_out(p, slot, request, &cause, &reply, err);
	if (class != WEIR_OK) {
		audit_request(p, slot, request, WEIR_AUDIT_REFUSED, err->text, before, &cause);
		return class;
	}
	if (request->action == WEIR_ACTION_RESUME && card->reasons != 0) {
		print_remaining(remaining, sizeof(remaining), card->reasons, weir_partition_enforced(p, slot));
		reply = remaining;
	}
	audit_request(p, slot, request, WEIR_AUDIT_REQUEST, reply, before, &cause);
	return WEIR_OK;
}
