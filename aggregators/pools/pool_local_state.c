/*
 * The pool's state in the partitions of its members (POOL-1, POOL-7): who may be a member, which reasons the members hold,
 * and the scan over them when that has changed.
 *
 * The state may be older than what the pool local knows itself: a member activated here raises an accumulative pool's total
 * at once (LIFE-2), but the state that says so is two hops away. Until it has come, exhaustion holds only if it would also
 * with those members' allowance added: else the new member would be cut off for as long as the state takes.
 *
 * Scans are one queue; the first pool local in it is scanned, so many members a tick. A scan is a place in the list of
 * members: who leaves takes it on to the next one, who joins is evaluated anyway.
 */
#include "aggregators/pools/pool_local_state.h"

#include <stdio.h>

#include "aggregators/pools/pool_local.h"
#include "config/base/timetext.h"

#define EXHAUSTED WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)
#define FROZEN WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN)

/* ---- POOL-1: who may be a member ---- */

static bool
fits_definition(const struct weir_pool_local_slot *a, uint8_t carrier, uint16_t plan)
{
	return a->carrier == 0 || (a->carrier == carrier && (a->plan == 0 || a->plan == plan));
}

enum weir_class
weir_pool_local_admits(
    const struct weir_partition *p, const char *pool, uint8_t carrier, uint16_t plan, struct weir_error *err)
{
	uint32_t slot;
	const struct weir_pool_local_slot *a = weir_partition_find_pool_local(p, pool, &slot);
	if (a == NULL || fits_definition(a, carrier, plan))
		return WEIR_OK;
	return weir_error_set(err, WEIR_POISON,
	    "pool '%s' is of carrier '%s' and plan '%s', the card of '%s' and '%s': a pool's members share both (POOL-1)",
	    pool, weir_partition_carrier_name(p, a->carrier), weir_partition_plan_name(p, a->plan),
	    weir_partition_carrier_name(p, carrier), weir_partition_plan_name(p, plan));
}

/* It was taken in before the pool's definition was known here: it leaves, what it has used stays (POOL-3). */
void
weir_pool_local_check_member(
    struct weir_partition *p, uint32_t pool_local, uint32_t card_slot, const struct weir_cause *cause)
{
	WEIR_CHECK(weir_lifecycle_at(p, card_slot)->pool_local == pool_local + 1 /* a member of it */);
	const struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	const struct weir_card_slot *card = weir_card_at(p, card_slot);
	if (fits_definition(a, card->carrier, card->plan))
		return;
	char iccid[WEIR_ICCID_TEXT_MAX], at[WEIR_TIME_TEXT_MAX], id[WEIR_JSON_ID_MAX], carrier[WEIR_JSON_ID_MAX],
	    plan[WEIR_JSON_ID_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	(void)weir_time_format_ms(p->clock.now_us, at);
	weir_json_id(a->pool, id);
	weir_json_id(weir_partition_carrier_name(p, card->carrier), carrier);
	weir_json_id(weir_partition_plan_name(p, card->plan), plan);
	weir_pool_local_move(p, card_slot, "");
	struct weir_audit *audit = weir_partition_add_audit(p, card_slot, WEIR_AUDIT_REASON, cause);
	(void)snprintf(
	    audit->text, sizeof(audit->text), "leaves pool %.60s: not of its carrier and plan (POOL-1)", a->pool);
	weir_partition_alert(p, iccid,
	    "{\"type\":\"alert\",\"kind\":\"pool_member_rejected\",\"card\":\"%s\",\"pool\":\"%s\",\"rule\":\"POOL-1\","
	    "\"carrier\":\"%s\",\"plan\":\"%s\",\"at\":\"%s\"}",
	    iccid, id, carrier, plan, at);
}

/* ---- the pool's state ---- */

/* Would the pool still be exhausted with the allowance of the members that its state does not count? */
static bool
still_exhausted(const struct weir_partition *p, const struct weir_pool_local_slot *a)
{
	if (a->kind != WEIR_PLAN_ACCUMULATIVE || a->active <= a->state_active)
		return true;
	if (a->plan == 0 || !p->registry.plans[a->plan - 1].known)
		return false;
	uint64_t more;
	if (__builtin_mul_overflow(
		(uint64_t)(a->active - a->state_active), p->registry.plans[a->plan - 1].ref.allowance_bytes, &more))
		more = UINT64_MAX;
	return a->cut_used >= weir_add_saturating(a->cut_limit, more);
}

static uint16_t
reasons_in(const struct weir_partition *p, const struct weir_pool_local_slot *a, uint16_t cycle)
{
	WEIR_CHECK(a->active <= a->members);
	uint16_t reasons = a->reasons_cycle == cycle ? a->reasons : a->reasons & FROZEN;
	if ((reasons & EXHAUSTED) != 0 && !still_exhausted(p, a))
		reasons &= (uint16_t)~EXHAUSTED;
	return reasons;
}

uint16_t
weir_pool_local_reasons(const struct weir_partition *p, uint32_t card_slot)
{
	const struct weir_pool_local_slot *a = weir_pool_local_of(p, card_slot);
	const struct weir_card_slot *card = weir_card_at(p, card_slot);
	return a == NULL || !weir_card_is_activated(card) ? 0 : reasons_in(p, a, card->cycle);
}

/* Carrier, plan and kind of the state; true when they are not what the pool local knew, so that members must be checked. */
static bool
take_definition(struct weir_partition *p, struct weir_pool_local_slot *a, const struct weir_ref_pool_state *pool_state)
{
	uint32_t carrier = pool_state->defined ? weir_partition_carrier_number(p, pool_state->carrier) + 1 : 0;
	uint32_t plan =
	    carrier == 0 || pool_state->plan[0] == '\0' ? 0 : weir_partition_plan_number(p, pool_state->plan) + 1;
	/* A carrier that is not known here yet: its definition is under way, so the next usage report asks again. */
	a->flags &= (uint8_t)~WEIR_POOL_LOCAL_ASKS;
	if (pool_state->defined && carrier == 0)
		a->flags |= WEIR_POOL_LOCAL_ASKS;
	bool changed = a->carrier != carrier || a->plan != plan;
	a->carrier = (uint8_t)carrier;
	a->plan = (uint16_t)plan;
	a->kind = (uint8_t)pool_state->kind;
	return changed && carrier != 0;
}

enum weir_class
weir_pool_local_apply_state(struct weir_partition *p, const struct weir_ref_pool_state *pool_state, struct weir_error *err)
{
	(void)err;
	uint32_t slot;
	struct weir_pool_local_slot *a = weir_partition_find_pool_local(p, pool_state->pool, &slot);
	if (a == NULL || pool_state->epoch < a->state_epoch ||
	    (pool_state->epoch == a->state_epoch && pool_state->version <= a->state_version))
		return WEIR_OK;
	uint16_t known_reasons = a->reasons, known_cycle = a->reasons_cycle, held = reasons_in(p, a, a->reasons_cycle);
	bool look = take_definition(p, a, pool_state) || (a->flags & WEIR_POOL_LOCAL_RESCAN) != 0;
	a->reasons = pool_state->reasons;
	a->reasons_cycle = pool_state->cycle;
	a->state_epoch = pool_state->epoch;
	a->state_version = pool_state->version;
	a->state_active = pool_state->active;
	a->unreported_allowance = pool_state->unreported_allowance;
	a->cut_limit = pool_state->limit;
	a->cut_used = pool_state->used;
	a->cut_us = pool_state->crossed_us;
	if (a->active <= a->state_active)
		a->flags &= (uint8_t)~WEIR_POOL_LOCAL_RESCAN;
	bool moved = known_cycle != pool_state->cycle && (known_reasons | pool_state->reasons) != 0;
	if (look || moved || known_reasons != pool_state->reasons || held != reasons_in(p, a, pool_state->cycle))
		weir_pool_local_begin_scan(p, slot);
	if (weir_pool_local_asks(a)) /* the usage report with those members may have crossed this state */
		a->flags &= (uint8_t)~WEIR_POOL_LOCAL_PUBLISHED;
	if (weir_pool_local_asks(a) ||
	    (a->published_cycle == a->cycle && weir_pool_local_used(a) - a->published_used >= a->unreported_allowance))
		weir_pool_local_changed(p, slot, true);
	weir_slab_dirty(&p->tables.pool_locals, slot);
	p->stats.pool_states_applied++;
	return WEIR_OK;
}
