/* Consistency of slots; see sound.h. */
#include "aggregators/state/sound.h"

#include "aggregators/state/card_table.h"
#include "aggregators/state/pool_table.h"

static bool
is_known_carrier(const struct weir_partition *p, uint32_t number_plus_1)
{
	return number_plus_1 > 0 && number_plus_1 <= p->registry.carrier_count &&
	       p->registry.carriers[number_plus_1 - 1].known;
}

bool
weir_card_is_sound(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	return !weir_iccid_is_zero(card->iccid) && is_known_carrier(p, card->carrier) &&
	       card->plan <= p->registry.plan_count && weir_card_status_of(card) <= WEIR_STATUS_CANCELLED &&
	       card->overrides <= p->tables.overrides.used &&
	       (card->overrides == 0 || weir_card_overrides_of(p, card)->card == slot + 1);
}

static const struct weir_enforcement_slot *
enforcement_of(const struct weir_partition *p, const struct weir_card_overrides_slot *overrides)
{
	return weir_slab_at(&p->tables.enforcements, overrides->enforcement - 1);
}

bool
weir_card_overrides_are_sound(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_overrides_slot *overrides = weir_slab_at(&p->tables.overrides, slot);
	return overrides->card <= p->tables.cards.used && weir_card_at(p, overrides->card - 1)->overrides == slot + 1 &&
	       overrides->enforcement <= p->tables.enforcements.used && overrides->alerts <= p->registry.ladder_count &&
	       (overrides->enforcement == 0 || enforcement_of(p, overrides)->card == overrides->card);
}

bool
weir_enforcement_is_sound(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, slot);
	if (e->card > p->tables.cards.used)
		return false;
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, weir_card_at(p, e->card - 1));
	return overrides != NULL && overrides->enforcement == slot + 1 && e->desired <= WEIR_DESIRED_SUSPENDED &&
	       e->confirmed <= WEIR_DESIRED_SUSPENDED && e->command <= WEIR_COMMAND_FAILED &&
	       e->target <= WEIR_DESIRED_SUSPENDED && e->pending <= (WEIR_DESIRED_ACTIVE | WEIR_DESIRED_SUSPENDED) &&
	       e->ticket[sizeof(e->ticket) - 1] == '\0';
}

bool
weir_session_is_sound(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_session_slot *s = weir_slab_at(&p->tables.sessions, slot);
	if (s->card == WEIR_SESSION_GAPS)
		return true; /* its session's to check */
	if (s->card == 0 || s->card > p->tables.cards.used || s->gaps > p->tables.sessions.used)
		return false;
	if (s->gaps == 0)
		return true;
	const struct weir_session_gaps *gaps = weir_slab_at(&p->tables.sessions, s->gaps - 1);
	return gaps->card == WEIR_SESSION_GAPS && gaps->key == s->key &&
	       gaps->count <= sizeof(gaps->range) / sizeof(gaps->range[0]);
}

bool
weir_membership_is_sound(const struct weir_partition *p, uint32_t card_slot)
{
	const struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, card_slot);
	uint32_t pool_local = lifecycle->pool_local, self = card_slot + 1;
	bool counted = (weir_card_at(p, card_slot)->flags & WEIR_CARD_MEMBER_ACTIVE) != 0;
	if (pool_local == 0)
		return !counted && lifecycle->next == 0 && lifecycle->prev == 0;
	if (pool_local > p->tables.pool_locals.used || lifecycle->next > p->tables.cards.used ||
	    lifecycle->prev > p->tables.cards.used)
		return false;
	const struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local - 1);
	if (a->pool[0] == '\0' || (lifecycle->prev == 0) != (a->first == self))
		return false;
	if (lifecycle->next != 0 && (weir_lifecycle_at(p, lifecycle->next - 1)->prev != self ||
					weir_lifecycle_at(p, lifecycle->next - 1)->pool_local != pool_local))
		return false;
	return lifecycle->prev == 0 || weir_lifecycle_at(p, lifecycle->prev - 1)->next == self;
}

bool
weir_pool_local_is_sound(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_pool_local_slot *a = weir_pool_local_at(p, slot);
	return a->pool[sizeof(a->pool) - 1] == '\0' && a->first <= p->tables.cards.used &&
	       a->carrier <= p->registry.carrier_count && a->plan <= p->registry.plan_count && a->hour >= 0 &&
	       (a->zone == 0 || is_known_carrier(p, a->zone)) && (a->first == 0) == (a->members == 0);
}

bool
weir_pool_is_sound(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_pool_slot *pool = weir_pool_at(p, slot);
	bool defined = (pool->flags & WEIR_POOL_DEFINED) != 0;
	return pool->id[sizeof(pool->id) - 1] == '\0' &&
	       (pool->carrier == 0 ? !defined : is_known_carrier(p, pool->carrier)) &&
	       pool->plan <= p->registry.plan_count && pool->kind <= WEIR_PLAN_METERED &&
	       pool->status <= WEIR_POOL_DISABLED;
}

bool
weir_pool_source_list_is_sound(const struct weir_partition *p, uint32_t pool_slot, uint32_t *visited_io)
{
	for (uint32_t at = weir_pool_at(p, pool_slot)->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next) {
		if (at > p->tables.pool_sources.used || weir_slab_is_filler(&p->tables.pool_sources, at - 1) ||
		    ++*visited_io > p->tables.pool_sources.used)
			return false;
		const struct weir_pool_source_slot *pool_source = weir_pool_source_at(p, at - 1);
		if (pool_source->pool != pool_slot + 1 || pool_source->active > pool_source->members)
			return false;
	}
	return true;
}
