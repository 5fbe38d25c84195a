/*
 * The pool's word in the partitions of its members (POOL-1, POOL-7): who may be a member, which reasons the members hold,
 * and the walk over them when that has changed.
 *
 * The word may be older than what the account knows itself: a member activated here raises an accumulative pool's total
 * at once (LIFE-2), but the word that says so is two hops away. Until it has come, exhaustion holds only if it would also
 * with those members' allowance added: else the new member would be cut off for as long as the word takes.
 *
 * Walks are one queue; the first account in it is walked, so many members a tick. A walk is a place in the list of members:
 * who leaves takes it on to the next one, who joins is evaluated anyway.
 */
#include <stdio.h>

#include "aggregators/pools/accounts_priv.h"
#include "config/base/timetext.h"

#define EXHAUSTED WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)
#define FROZEN WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN)

/* ---- POOL-1: who may be a member ---- */

static bool
fits(const struct weir_account_slot *a, uint8_t carrier, uint16_t plan)
{
	return a->carrier == 0 || (a->carrier == carrier && (a->plan == 0 || a->plan == plan));
}

static const char *
plan_name(const struct weir_partition *p, uint16_t plan)
{
	return plan == 0 || plan > p->registry.plan_count ? "" : p->registry.plans[plan - 1].ref.id;
}

enum weir_class
weir_account_admits(
    const struct weir_partition *p, const char *pool, uint8_t carrier, uint16_t plan, struct weir_error *err)
{
	uint32_t slot;
	const struct weir_account_slot *a = weir_partition_find_account(p, pool, &slot);
	if (a == NULL || fits(a, carrier, plan))
		return WEIR_OK;
	return weir_error_set(err, WEIR_POISON,
	    "pool '%s' is of carrier '%s' and plan '%s', the card of '%s' and '%s': a pool's members share both (POOL-1)",
	    pool, weir_partition_carrier_name(p, a->carrier), plan_name(p, a->plan),
	    weir_partition_carrier_name(p, carrier), plan_name(p, plan));
}

/* It was taken in before the pool's definition was known here: it leaves, what it has used stays (POOL-3). */
static void
expel(struct weir_partition *p, uint32_t account, uint32_t card_slot, const struct weir_cause *cause)
{
	const struct weir_account_slot *a = weir_account_at(p, account);
	const struct weir_card_slot *card = weir_card_at(p, card_slot);
	char iccid[WEIR_ICCID_TEXT_MAX], at[WEIR_TIME_TEXT_MAX], id[WEIR_JSON_ID_MAX], carrier[WEIR_JSON_ID_MAX],
	    plan[WEIR_JSON_ID_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	(void)weir_time_format_ms(p->clock.now_us, at);
	weir_json_id(a->pool, id);
	weir_json_id(weir_partition_carrier_name(p, card->carrier), carrier);
	weir_json_id(plan_name(p, card->plan), plan);
	weir_account_move(p, card_slot, "");
	struct weir_audit *audit = weir_partition_add_audit(p, card_slot, WEIR_AUDIT_REASON, cause);
	(void)snprintf(
	    audit->text, sizeof(audit->text), "leaves pool %.60s: not of its carrier and plan (POOL-1)", a->pool);
	weir_partition_alert(p, iccid,
	    "{\"type\":\"alert\",\"kind\":\"pool_member_rejected\",\"card\":\"%s\",\"pool\":\"%s\",\"rule\":\"POOL-1\","
	    "\"carrier\":\"%s\",\"plan\":\"%s\",\"at\":\"%s\"}",
	    iccid, id, carrier, plan, at);
}

/* ---- the pool's word ---- */

/* Would the pool still be exhausted with the allowance of the members that its word does not count? */
static bool
still_exhausted(const struct weir_partition *p, const struct weir_account_slot *a)
{
	if (a->kind != WEIR_PLAN_ACCUMULATIVE || a->active <= a->word_active)
		return true;
	if (a->plan == 0 || !p->registry.plans[a->plan - 1].known)
		return false;
	uint64_t more;
	if (__builtin_mul_overflow(
		(uint64_t)(a->active - a->word_active), p->registry.plans[a->plan - 1].ref.allowance_bytes, &more))
		more = UINT64_MAX;
	return a->cut_used >= weir_add_saturating(a->cut_limit, more);
}

static uint16_t
reasons_in(const struct weir_partition *p, const struct weir_account_slot *a, uint16_t cycle)
{
	uint16_t reasons = a->reasons_cycle == cycle ? a->reasons : a->reasons & FROZEN;
	if ((reasons & EXHAUSTED) != 0 && !still_exhausted(p, a))
		reasons &= (uint16_t)~EXHAUSTED;
	return reasons;
}

uint16_t
weir_account_reasons(const struct weir_partition *p, uint32_t card_slot)
{
	const struct weir_account_slot *a = weir_account_of(p, card_slot);
	const struct weir_card_slot *card = weir_card_at(p, card_slot);
	return a == NULL || !weir_card_is_activated(card) ? 0 : reasons_in(p, a, card->cycle);
}

void
weir_account_begin_walk(struct weir_partition *p, uint32_t account)
{
	struct weir_account_slot *a = weir_account_at(p, account);
	a->walk = a->first;
	if (a->first == 0 || (a->flags & WEIR_ACCOUNT_WALK) != 0)
		return;
	a->flags |= WEIR_ACCOUNT_WALK;
	weir_u64_list_push(&p->pools_work.walks, account);
}

/* Carrier, plan and kind of the word; true when they are not what the account knew, so that members must be looked at. */
static bool
take_definition(struct weir_partition *p, struct weir_account_slot *a, const struct weir_ref_pool_state *word)
{
	uint32_t carrier = word->defined ? weir_partition_carrier_number(p, word->carrier) + 1 : 0;
	uint32_t plan = carrier == 0 || word->plan[0] == '\0' ? 0 : weir_partition_plan_number(p, word->plan) + 1;
	/* A carrier that is not known here yet: its definition is under way, so the next partial asks again. */
	a->flags &= (uint8_t)~WEIR_ACCOUNT_ASKS;
	if (word->defined && carrier == 0)
		a->flags |= WEIR_ACCOUNT_ASKS;
	bool changed = a->carrier != carrier || a->plan != plan;
	a->carrier = (uint8_t)carrier;
	a->plan = (uint16_t)plan;
	a->kind = (uint8_t)word->kind;
	return changed && carrier != 0;
}

enum weir_class
weir_account_word(struct weir_partition *p, const struct weir_ref_pool_state *word, struct weir_error *err)
{
	(void)err;
	uint32_t slot;
	struct weir_account_slot *a = weir_partition_find_account(p, word->pool, &slot);
	if (a == NULL || word->epoch < a->word_epoch || (word->epoch == a->word_epoch && word->version <= a->word_version))
		return WEIR_OK;
	uint16_t said = a->reasons, said_cycle = a->reasons_cycle, held = reasons_in(p, a, a->reasons_cycle);
	bool look = take_definition(p, a, word) || (a->flags & WEIR_ACCOUNT_RELOOK) != 0;
	a->reasons = word->reasons;
	a->reasons_cycle = word->cycle;
	a->word_epoch = word->epoch;
	a->word_version = word->version;
	a->word_active = word->active;
	a->slack = word->slack;
	a->cut_limit = word->limit;
	a->cut_used = word->used;
	a->cut_us = word->crossed_us;
	if (a->active <= a->word_active)
		a->flags &= (uint8_t)~WEIR_ACCOUNT_RELOOK;
	bool moved = said_cycle != word->cycle && (said | word->reasons) != 0;
	if (look || moved || said != word->reasons || held != reasons_in(p, a, word->cycle))
		weir_account_begin_walk(p, slot);
	if (weir_account_asks(a)) /* the partial that told of those members may have crossed this word */
		a->flags &= (uint8_t)~WEIR_ACCOUNT_TOLD;
	if (weir_account_asks(a) || (a->told_cycle == a->cycle && weir_account_used(a) - a->told_used >= a->slack))
		weir_account_changed(p, slot, true);
	weir_slab_dirty(&p->tables.accounts, slot);
	p->stats.words_taken++;
	return WEIR_OK;
}

/* ---- walks ---- */

static void
walk_step(struct weir_partition *p, uint32_t account)
{
	struct weir_account_slot *a = weir_account_at(p, account);
	uint32_t card_slot = a->walk - 1;
	const struct weir_card_slot *card = weir_card_at(p, card_slot);
	struct weir_cause cause = {UINT32_MAX, -1, p->clock.now_us, a->cut_us, weir_card_used(card)};
	a->walk = weir_life_at(p, card_slot)->next;
	if (!fits(a, card->carrier, card->plan))
		expel(p, account, card_slot, &cause);
	weir_partition_evaluate(p, card_slot, &cause);
	p->stats.walked++;
}

bool
weir_accounts_walk(struct weir_partition *p, uint32_t max)
{
	while (p->pools_work.walks_head < p->pools_work.walks.n) {
		uint32_t account = (uint32_t)p->pools_work.walks.v[p->pools_work.walks_head];
		struct weir_account_slot *a = weir_account_at(p, account);
		for (; max > 0 && a->walk != 0; max--)
			walk_step(p, account);
		if (a->walk != 0)
			return true;
		a->flags &= (uint8_t)~WEIR_ACCOUNT_WALK;
		weir_slab_dirty(&p->tables.accounts, account);
		p->pools_work.walks_head++;
	}
	p->pools_work.walks.n = p->pools_work.walks_head = 0;
	return false;
}
