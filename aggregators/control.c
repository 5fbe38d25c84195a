/*
 * Reference data and operator requests applied to a partition (SUS-1, SUS-2): a change is effective at once and
 * re-evaluates what it touches. Absolute values, so that a repeated message changes nothing; an add-on, the one increment,
 * is told by its id.
 */
#include <stdio.h>
#include <string.h>

#include "aggregators/partition_priv.h"

static void
remember_reference(struct weir_partition *p, const char *kind, const char *id, struct weir_slice json)
{
	weir_buf_printf(&p->new_references, "%s:%s", kind, id);
	weir_buf_append(&p->new_references, "", 1);
	uint32_t len = (uint32_t)json.len;
	weir_buf_append(&p->new_references, &len, sizeof(len));
	weir_buf_append(&p->new_references, json.data, json.len);
	p->new_reference_count++;
}

static uint32_t
carrier_for_card(struct weir_partition *p, const struct weir_ref_card *ref, struct weir_error *err)
{
	if (ref->has_carrier) {
		uint32_t number = weir_partition_carrier_number(p, ref->carrier);
		if (number == UINT32_MAX)
			(void)weir_error_set(
			    err, WEIR_POISON, "carrier '%s' is not defined: send it before its cards", ref->carrier);
		return number;
	}
	for (uint32_t i = 0; ref->has_plan && i < p->plan_count; i++)
		if (strcmp(p->plans[i].ref.id, ref->plan) == 0 && p->plans[i].known)
			return weir_partition_carrier_number(p, p->plans[i].ref.carrier);
	(void)weir_error_set(err, WEIR_POISON, "a new card needs 'carrier', or a known 'plan' that tells it");
	return UINT32_MAX;
}

/* A card and its plan must be of one carrier; a plan not yet known is taken on trust and checked by weir check. */
static bool
plan_fits(const struct weir_partition *p, const struct weir_ref_card *ref, uint32_t carrier, struct weir_error *err)
{
	for (uint32_t i = 0; ref->has_plan && i < p->plan_count; i++) {
		const struct weir_plan_entry *plan = &p->plans[i];
		if (!plan->known || strcmp(plan->ref.id, ref->plan) != 0 ||
		    strcmp(plan->ref.carrier, p->carriers[carrier].ref.id) == 0)
			continue;
		(void)weir_error_set(err, WEIR_POISON, "plan '%s' is of carrier '%s', the card of '%s'", ref->plan,
		    plan->ref.carrier, p->carriers[carrier].ref.id);
		return false;
	}
	return true;
}

static void
apply_limit(struct weir_partition *p, uint32_t slot, uint64_t limit, bool has_auto_restore, bool auto_restore)
{
	struct weir_terms_slot *terms = weir_terms_of(p, weir_card_at(p, slot));
	if (terms == NULL && limit == WEIR_NO_LIMIT && (!has_auto_restore || auto_restore))
		return;
	terms = weir_partition_terms(p, slot);
	if (terms->limit != limit) {
		terms->limit = limit;
		terms->lifted_cycle = 0; /* SUS-1: lifted until the cycle ends or the limit is changed */
		terms->flags &= (uint8_t)~WEIR_TERMS_LIMIT_HELD;
	}
	if (has_auto_restore) {
		terms->flags &= (uint8_t)~WEIR_TERMS_NO_AUTO_RESTORE;
		terms->flags |= auto_restore ? 0 : WEIR_TERMS_NO_AUTO_RESTORE;
	}
}

static void
set_status(struct weir_partition *p, uint32_t slot, enum weir_card_status status)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	card->flags = (uint8_t)((card->flags & ~WEIR_CARD_STATUS_MASK) | status);
	weir_slab_dirty(&p->cards, slot);
}

static enum weir_class
apply_card(
    struct weir_partition *p, const struct weir_ref_card *ref, const struct weir_cause *cause, struct weir_error *err)
{
	uint32_t slot;
	struct weir_card_slot *card = weir_partition_find(p, ref->iccid, &slot);
	uint32_t carrier;
	if (card == NULL || ref->has_carrier) {
		carrier = carrier_for_card(p, ref, err);
		if (carrier == UINT32_MAX)
			return WEIR_POISON;
	} else {
		carrier = card->carrier - 1u;
	}
	if (!plan_fits(p, ref, carrier, err))
		return WEIR_POISON;
	if (card == NULL) {
		slot = weir_partition_new_card(p, ref->iccid, carrier);
		card = weir_card_at(p, slot);
	}
	card->carrier = (uint8_t)(carrier + 1);
	card->flags &= (uint8_t)~WEIR_CARD_AUTO_REGISTERED;
	if (ref->has_plan) {
		uint32_t plan = ref->plan[0] == '\0' ? 0 : weir_partition_plan_number(p, ref->plan) + 1;
		if (plan > UINT16_MAX)
			return weir_error_set(err, WEIR_POISON, "more than %d plans in one partition", UINT16_MAX);
		card->plan = (uint16_t)plan;
	}
	if (ref->has_status)
		set_status(p, slot, ref->status);
	if (ref->has_limit || ref->has_auto_restore) {
		const struct weir_terms_slot *terms = weir_terms_of(p, card);
		uint64_t limit = ref->has_limit ? ref->limit_bytes : terms != NULL ? terms->limit : WEIR_NO_LIMIT;
		apply_limit(p, slot, limit, ref->has_auto_restore, ref->auto_restore);
	}
	if (ref->has_imei)
		weir_partition_terms(p, slot)->imei14 = ref->imei14;
	weir_slab_dirty(&p->cards, slot);
	weir_partition_evaluate(p, slot, cause);
	return WEIR_OK;
}

static void
add_on(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request, const char **reply_out)
{
	struct weir_terms_slot *terms = weir_partition_terms(p, slot);
	const struct weir_card_slot *card = weir_card_at(p, slot);
	if (terms->addon_cycle != card->cycle) {
		terms->addon_cycle = card->cycle;
		terms->addon_bytes = 0;
		terms->addon_id = terms->addon_id_before[0] = terms->addon_id_before[1] = 0;
	}
	uint64_t id = request->id_hash;
	if (id != 0 && (id == terms->addon_id || id == terms->addon_id_before[0] || id == terms->addon_id_before[1])) {
		*reply_out = "repeated id: already applied";
		return;
	}
	if (__builtin_add_overflow(terms->addon_bytes, request->bytes, &terms->addon_bytes))
		terms->addon_bytes = UINT64_MAX;
	if (id == 0)
		return;
	terms->addon_id_before[1] = terms->addon_id_before[0];
	terms->addon_id_before[0] = terms->addon_id;
	terms->addon_id = id;
}

/*
 * SUS-1: clears manual and usage_limit, and keeps the limit lifted until the cycle ends or the limit is changed. Lifted
 * whether or not it was reached: a replay may see the request before the record that reached it, and must end in the same
 * state.
 */
static void
resume(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause)
{
	struct weir_terms_slot *terms = weir_partition_terms(p, slot);
	terms->lifted_cycle = weir_card_at(p, slot)->cycle;
	terms->flags &= (uint8_t)~WEIR_TERMS_LIMIT_HELD;
	weir_partition_change_reasons(p, slot, 0, WEIR_REASON_BIT(WEIR_REASON_MANUAL), cause);
}

static enum weir_class
apply_request(
    struct weir_partition *p, const struct weir_ref_request *request, struct weir_cause cause, struct weir_error *err)
{
	uint32_t slot;
	if (weir_partition_find(p, request->iccid, &slot) == NULL)
		return weir_error_set(err, WEIR_POISON, "no such card");
	/* A request acts on the current cycle, so the card has to be in it first. */
	weir_partition_evaluate(p, slot, &cause);
	const struct weir_card_slot *card = weir_card_at(p, slot);
	cause.usage_before = weir_card_used(card);
	uint16_t before = card->reasons;
	const char *reply = "done";
	switch (request->action) {
	case WEIR_ACTION_SUSPEND:
		weir_partition_change_reasons(p, slot, WEIR_REASON_BIT(WEIR_REASON_MANUAL), 0, &cause);
		break;
	case WEIR_ACTION_RESUME:
		resume(p, slot, &cause);
		reply = card->reasons != 0 ? "still suspended: other reasons remain" : "done";
		break;
	case WEIR_ACTION_LIMIT:
		apply_limit(p, slot, request->bytes, request->has_auto_restore, request->auto_restore);
		weir_partition_evaluate(p, slot, &cause);
		break;
	case WEIR_ACTION_ADDON:
		add_on(p, slot, request, &reply);
		weir_partition_evaluate(p, slot, &cause);
		break;
	}
	struct weir_audit *audit = weir_partition_add_audit(p, slot, WEIR_AUDIT_REQUEST, &cause);
	audit->reasons_before = before;
	audit->action = card->reasons != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
	audit->limit = request->bytes == WEIR_NO_LIMIT ? 0 : request->bytes;
	(void)snprintf(
	    audit->text, sizeof(audit->text), "%s %.40s: %s", weir_action_name(request->action), request->id, reply);
	return WEIR_OK;
}

enum weir_class
weir_partition_apply(struct weir_partition *p, const struct weir_reference *reference, struct weir_slice json,
    const struct weir_cause *cause, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	enum weir_class class = WEIR_OK;
	switch (reference->type) {
	case WEIR_REF_CARRIER:
		class = weir_partition_define_carrier(p, &reference->carrier, err);
		if (class == WEIR_OK)
			remember_reference(p, "carrier", reference->carrier.id, json);
		return class;
	case WEIR_REF_PLAN:
		weir_partition_define_plan(p, &reference->plan);
		remember_reference(p, "plan", reference->plan.id, json);
		return WEIR_OK;
	case WEIR_REF_CARD:
		return apply_card(p, &reference->card, cause, err);
	case WEIR_REF_REQUEST:
		return apply_request(p, &reference->request, *cause, err);
	}
	return class;
}
