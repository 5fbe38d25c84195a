/*
 * Messages of weir.cards applied to a partition: reference data here, requests in requests.c, pools and smart cards in
 * theirs. A change is effective at once and re-evaluates what it touches (SUS-2). Absolute values, so that a repeated
 * message changes nothing. A message that does not fit is refused whole: everything is checked before anything is changed.
 */
#include "aggregators/apply/apply.h"

#include <string.h>

#include "aggregators/alerts/ladders.h"
#include "aggregators/apply/card_requests.h"
#include "aggregators/apply/pool_requests.h"
#include "aggregators/apply/smart_cards.h"
#include "aggregators/enforcement/command_state.h"
#include "aggregators/enforcement/device_lock.h"
#include "aggregators/enforcement/evaluate.h"
#include "aggregators/enforcement/guard.h"
#include "aggregators/enforcement/rollover.h"
#include "aggregators/lifecycle/card_register.h"
#include "aggregators/lifecycle/lifecycle.h"
#include "aggregators/pools/pool_definitions.h"
#include "aggregators/pools/pool_local.h"
#include "aggregators/pools/pool_local_state.h"
#include "aggregators/rollups/feed_pools.h"
#include "aggregators/rollups/pool_texts.h"

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
	for (uint32_t i = 0; ref->has_plan && i < p->registry.plan_count; i++)
		if (strcmp(p->registry.plans[i].ref.id, ref->plan) == 0 && p->registry.plans[i].known)
			return weir_partition_carrier_number(p, p->registry.plans[i].ref.carrier);
	(void)weir_error_set(err, WEIR_POISON, "a new card needs 'carrier', or a known 'plan' that has one");
	return UINT32_MAX;
}

/* A card and its plan must be of one carrier; a plan not yet known is taken on trust and checked by weir check. */
static bool
plan_fits(const struct weir_partition *p, const struct weir_ref_card *ref, uint32_t carrier, struct weir_error *err)
{
	for (uint32_t i = 0; ref->has_plan && i < p->registry.plan_count; i++) {
		const struct weir_plan_entry *plan = &p->registry.plans[i];
		if (!plan->known || strcmp(plan->ref.id, ref->plan) != 0 ||
		    strcmp(plan->ref.carrier, p->registry.carriers[carrier].ref.id) == 0)
			continue;
		(void)weir_error_set(err, WEIR_POISON, "plan '%s' is of carrier '%s', the card of '%s'", ref->plan,
		    plan->ref.carrier, p->registry.carriers[carrier].ref.id);
		return false;
	}
	return true;
}

/* What the card is to become: numbers + 1, as slots hold them. */
struct target {
	uint8_t carrier;
	uint16_t plan;
};

/* POOL-1: in the pool that the message names, or in which the card is when it names another carrier or plan. */
static enum weir_class
pool_admits(const struct weir_partition *p, const struct weir_card_slot *card, uint32_t slot,
    const struct weir_ref_card *ref, struct target to, struct weir_error *err)
{
	const struct weir_pool_local_slot *pool_local = card == NULL ? NULL : weir_pool_local_of(p, slot);
	const char *pool = ref->has_pool ? ref->pool : pool_local != NULL ? pool_local->pool : "";
	bool same = card != NULL && !ref->has_pool && card->carrier == to.carrier && card->plan == to.plan;
	if (pool[0] == '\0' || same)
		return WEIR_OK;
	return weir_pool_local_admits(p, pool, to.carrier, to.plan, err);
}

/* All that can be wrong with the message for this card (NULL = a new one). */
static enum weir_class
check_card(struct weir_partition *p, const struct weir_card_slot *card, uint32_t slot, const struct weir_ref_card *ref,
    struct target *to_out, struct weir_error *err)
{
	uint32_t carrier = card == NULL || ref->has_carrier ? carrier_for_card(p, ref, err) : card->carrier - 1u;
	if (carrier == UINT32_MAX || !plan_fits(p, ref, carrier, err))
		return WEIR_POISON;
	uint32_t plan = card == NULL ? 0 : card->plan;
	if (ref->has_plan)
		plan = ref->plan[0] == '\0' ? 0 : weir_partition_plan_number(p, ref->plan) + 1;
	if (ref->has_plan && ref->plan[0] != '\0' && (plan == 0 || plan > UINT16_MAX))
		return weir_error_set(err, WEIR_POISON, "more than %d plans in one partition", UINT16_MAX);
	*to_out = (struct target){(uint8_t)(carrier + 1), (uint16_t)plan};
	enum weir_class class = weir_lifecycle_admits(card, ref, err);
	if (class == WEIR_OK)
		class = pool_admits(p, card, slot, ref, *to_out, err);
	return class;
}

/* The members that can no longer be wrong. The lifecycle goes before the pool, whose pool local counts what the card then
 * is. */
static void
change_card(struct weir_partition *p, uint32_t slot, const struct weir_ref_card *ref, struct target to,
    const struct weir_cause *cause)
{
	WEIR_CHECK(to.carrier > 0 && to.carrier <= p->registry.carrier_count && to.plan <= p->registry.plan_count);
	struct weir_card_slot *card = weir_card_at(p, slot);
	bool other_plan = card->plan != to.plan;
	uint16_t ladder = weir_card_ladder(p, slot);
	card->carrier = to.carrier;
	card->plan = to.plan;
	card->flags &= (uint8_t)~WEIR_CARD_AUTO_REGISTERED;
	weir_slab_dirty(&p->tables.cards, slot);
	if (other_plan) {
		weir_lifecycle_plan_changed(p, slot);
		weir_ladder_moved(p, slot, ladder);
	}
	weir_lifecycle_apply(p, slot, ref, cause);
	if (ref->has_pool)
		weir_pool_local_move(p, slot, ref->pool);
	if (ref->has_limit || ref->has_auto_restore) {
		const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
		uint64_t limit = ref->has_limit ? ref->limit_bytes : overrides != NULL ? overrides->limit : WEIR_NO_LIMIT;
		weir_partition_set_limit(p, slot, limit, ref->has_auto_restore, ref->auto_restore);
	}
	if (ref->has_imei)
		weir_device_bind(p, slot, ref->imei14, cause);
}

static enum weir_class
apply_card(struct weir_partition *p, const struct weir_ref_card *ref, struct weir_slice json,
    const struct weir_cause *cause, struct weir_error *err)
{
	uint32_t slot = UINT32_MAX;
	struct target to = {0, 0};
	struct weir_card_slot *card = weir_partition_find(p, ref->iccid, &slot);
	if (check_card(p, card, slot, ref, &to, err) != WEIR_OK)
		return WEIR_POISON;
	if (card == NULL)
		slot = weir_card_register(p, ref->iccid, to.carrier - 1u);
	/* First of the changes, because it can still refuse; a new card has no children for which it would. */
	if (ref->has_parent && weir_smart_parent(p, slot, ref->parent, err) != WEIR_OK)
		return WEIR_POISON;
	uint16_t enforced = weir_partition_enforced(p, slot);
	change_card(p, slot, ref, to, cause);
	weir_partition_evaluate(p, slot, cause);
	weir_partition_alert_moved(p, slot, enforced, cause);
	if (ref->has_tags || ref->has_remark) {
		char iccid[WEIR_ICCID_TEXT_MAX];
		(void)weir_iccid_format(ref->iccid, iccid);
		if (ref->has_tags)
			weir_partition_remember(p, "tags", iccid, json);
		if (ref->has_remark)
			weir_partition_remember(p, "remark", iccid, json);
	}
	return WEIR_OK;
}

static enum weir_class
define_pool(struct weir_partition *p, const struct weir_ref_pool *ref, struct weir_slice json, struct weir_error *err)
{
	uint32_t slot;
	const struct weir_pool_slot *pool = weir_partition_find_pool(p, ref->id, &slot);
	bool had_traffic = pool != NULL && (pool->flags & WEIR_POOL_DEFINED) == 0 && pool->first_source != 0;
	enum weir_class class = weir_pool_define(p, ref, err);
	if (class != WEIR_OK)
		return class;
	if (had_traffic)
		weir_feeds_pool_defined(p, slot);
	weir_partition_remember(p, "pool", ref->id, json);
	weir_feeds_pool_text(p, ref->id, json);
	return WEIR_OK;
}

static enum weir_class
define(struct weir_partition *p, const struct weir_reference *reference, struct weir_slice json, struct weir_error *err)
{
	enum weir_class class = WEIR_OK;
	switch (reference->type) {
	case WEIR_REF_CARRIER:
		class = weir_partition_define_carrier(p, &reference->carrier, err);
		if (class == WEIR_OK)
			weir_partition_remember(p, "carrier", reference->carrier.id, json);
		break;
	case WEIR_REF_PLAN:
		weir_partition_define_plan(p, &reference->plan);
		weir_pools_plan_changed(p, weir_partition_plan_number(p, reference->plan.id));
		weir_partition_remember(p, "plan", reference->plan.id, json);
		break;
	case WEIR_REF_POOL:
		class = define_pool(p, &reference->pool, json, err);
		break;
	default:
		weir_ladder_redefine(p, &reference->alerts);
		weir_partition_scan_all(p);
		weir_partition_remember(p, "alerts", reference->alerts.id, json);
		break;
	}
	return class;
}

enum weir_class
weir_partition_apply(struct weir_partition *p, const struct weir_reference *reference, struct weir_slice json,
    const struct weir_cause *cause, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	switch (reference->type) {
	case WEIR_REF_CARRIER:
	case WEIR_REF_PLAN:
	case WEIR_REF_POOL:
	case WEIR_REF_ALERTS:
		return define(p, reference, json, err);
	case WEIR_REF_CARD:
		return apply_card(p, &reference->card, json, cause, err);
	case WEIR_REF_REQUEST:
		if (reference->request.pool[0] != '\0')
			return weir_pool_request(p, &reference->request, cause, err);
		return weir_partition_request(p, &reference->request, *cause, err);
	case WEIR_REF_POOL_STATE:
		return weir_pool_local_apply_state(p, &reference->pool_state, err);
	case WEIR_REF_CHILD:
		return weir_smart_child(p, &reference->child, err);
	case WEIR_REF_GUARD:
		if (weir_guard_release(p))
			weir_partition_enqueue_all(p, p->pools_work.cards_caught_up && p->pools_work.pools_caught_up);
		return WEIR_OK;
	}
	return WEIR_OK;
}
