/* A card's thresholds: of its plan with add-ons, and of its usage limit (SUS-1, SUS-2, POOL-4). */
#include "aggregators/enforcement/thresholds.h"

/* A card in a pool uses the pool's total, not its plan's allowance; its own limit holds in the pool as well (POOL-4). */
struct weir_thresholds
weir_card_thresholds(const struct weir_partition *p, uint32_t slot)
{
	struct weir_thresholds t = {UINT64_MAX, WEIR_NO_LIMIT, false};
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	const struct weir_plan_entry *plan = card->plan == 0 ? NULL : &p->registry.plans[card->plan - 1];
	if (weir_card_status_of(card) <= WEIR_STATUS_INACTIVE) /* LIFE-3 */
		return t;
	if (plan != NULL && plan->known) {
		t.limit = plan->ref.limit_bytes;
		if (plan->ref.kind == WEIR_PLAN_SINGLE && weir_lifecycle_at(p, slot)->pool_local == 0)
			t.plan = plan->ref.allowance_bytes;
	}
	if (overrides == NULL)
		return t;
	if (t.plan != UINT64_MAX && overrides->addon_cycle == card->cycle)
		t.plan = weir_add_saturating(t.plan, overrides->addon_bytes);
	if (overrides->limit != WEIR_NO_LIMIT)
		t.limit = overrides->limit;
	if (overrides->lifted_cycle == card->cycle)
		t.limit = WEIR_NO_LIMIT;
	t.limit_held = (overrides->flags & WEIR_OVERRIDES_LIMIT_HELD) != 0 && t.limit != WEIR_NO_LIMIT;
	return t;
}
