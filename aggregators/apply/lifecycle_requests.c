/*
 * Requests on a card's lifecycle: activation without traffic, deactivation, cancellation, renewal, network reset (LIFE-2,
 * LIFE-5, LIFE-7, SUS-6). All act at the request's Kafka time, so that a replay ends as the first run did.
 */
#include "aggregators/apply/lifecycle_requests.h"

#include "aggregators/enforcement/rollover.h"
#include "aggregators/lifecycle/lifecycle.h"

#define RESET_S 900u /* SUS-6 */

static enum weir_class
request_activate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, const char **reply_out)
{
	unsigned status = weir_card_status_of(weir_card_at(p, slot));
	if (status == WEIR_STATUS_IN_USE || status == WEIR_STATUS_SUSPENDED)
		*reply_out = "already activated";
	else
		weir_lifecycle_enter(p, slot, WEIR_STATUS_IN_USE, weir_lifecycle_cause_us(p, cause));
	return WEIR_OK;
}

static enum weir_class
request_deactivate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, const char **reply_out)
{
	if (weir_card_status_of(weir_card_at(p, slot)) == WEIR_STATUS_DEACTIVATED)
		*reply_out = "already deactivated";
	else
		weir_lifecycle_enter(p, slot, WEIR_STATUS_DEACTIVATED, weir_lifecycle_cause_us(p, cause));
	return WEIR_OK;
}

/* LIFE-7: of a card that is deactivated or suspended by hand, whether by weir's request or in the inventory. */
static enum weir_class
request_cancel(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, struct weir_error *err)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	unsigned status = weir_card_status_of(card);
	bool by_hand = status == WEIR_STATUS_SUSPENDED || (card->reasons & WEIR_REASON_BIT(WEIR_REASON_MANUAL)) != 0;
	if (status != WEIR_STATUS_DEACTIVATED && !by_hand)
		return weir_error_set(err, WEIR_POISON,
		    "the card is %s: only one that is deactivated or suspended by hand can be cancelled (LIFE-7)",
		    weir_status_name((enum weir_card_status)status));
	weir_lifecycle_enter(p, slot, WEIR_STATUS_CANCELLED, weir_lifecycle_cause_us(p, cause));
	return WEIR_OK;
}

/* LIFE-5. A term is an increment, so that the id of the newest renewal is kept; `until` needs none. */
static enum weir_class
request_renew(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request,
    const struct weir_cause *cause, const char **reply_out, struct weir_error *err)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	if (!weir_lifecycle_has_dates(card))
		return weir_error_set(err, WEIR_POISON, "the card is %s: its term has not begun (LIFE-5)",
		    weir_status_name((enum weir_card_status)weir_card_status_of(card)));
	if (request->until_us != 0) {
		lifecycle->expires_s = weir_lifecycle_seconds(request->until_us);
		weir_lifecycle_set_renewed(p, slot, true);
		weir_slab_dirty(&p->tables.lifecycles, slot);
		return WEIR_OK;
	}
	uint32_t months = request->months;
	if (months == 0 && card->plan != 0)
		months = p->registry.plans[card->plan - 1].ref.term_months;
	if (months == 0)
		return weir_error_set(
		    err, WEIR_POISON, "the card's plan has no term: 'months' or 'until' must say it (LIFE-5)");
	struct weir_card_overrides_slot *overrides = weir_partition_card_overrides(p, slot);
	if (request->id_hash != 0 && request->id_hash == overrides->renew_id) {
		*reply_out = "repeated id: already applied";
		return WEIR_OK;
	}
	overrides->renew_id = request->id_hash;
	weir_slab_dirty(&p->tables.lifecycles, slot);
	uint32_t from_s = weir_lifecycle_seconds(weir_lifecycle_cause_us(p, cause));
	if (lifecycle->expires_s > from_s && lifecycle->expires_s != WEIR_LIFECYCLE_NEVER)
		from_s = lifecycle->expires_s;
	lifecycle->expires_s = weir_lifecycle_add_months(p, slot, from_s, months);
	weir_lifecycle_set_renewed(p, slot, true);
	return WEIR_OK;
}

static enum weir_class
request_reset(
    struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, const char **reply_out, struct weir_error *err)
{
	if (weir_card_status_of(weir_card_at(p, slot)) == WEIR_STATUS_DEACTIVATED)
		return weir_error_set(err, WEIR_POISON, "the card is deactivated: it takes no command (LIFE-6)");
	uint32_t end_s = weir_lifecycle_seconds(weir_lifecycle_cause_us(p, cause) + RESET_S * WEIR_LIFECYCLE_S_US);
	if (end_s <= weir_lifecycle_now(p))
		*reply_out = "asked more than 15 minutes ago: nothing done";
	else
		weir_lifecycle_set_reset(p, slot, end_s);
	return WEIR_OK;
}

enum weir_class
weir_lifecycle_request(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request,
    const struct weir_cause *cause, const char **reply_out, struct weir_error *err)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	bool was_active = weir_card_is_activated(card);
	if (weir_card_status_of(card) == WEIR_STATUS_CANCELLED) {
		*reply_out = "already cancelled";
		return request->action == WEIR_ACTION_CANCEL
			   ? WEIR_OK
			   : weir_error_set(err, WEIR_POISON, "the card is cancelled, which is final (LIFE-7)");
	}
	enum weir_class class;
	if (request->action == WEIR_ACTION_ACTIVATE)
		class = request_activate(p, slot, cause, reply_out);
	else if (request->action == WEIR_ACTION_DEACTIVATE)
		class = request_deactivate(p, slot, cause, reply_out);
	else if (request->action == WEIR_ACTION_CANCEL)
		class = request_cancel(p, slot, cause, err);
	else if (request->action == WEIR_ACTION_RENEW)
		class = request_renew(p, slot, request, cause, reply_out, err);
	else
		class = request_reset(p, slot, cause, reply_out, err);
	if (class != WEIR_OK)
		return class;
	weir_lifecycle_changed(p, slot, was_active);
	weir_partition_evaluate(p, slot, cause);
	return WEIR_OK;
}
