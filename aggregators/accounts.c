/*
 * Accounts: a pool as this partition's cards see it (POOL-1 to POOL-4; docs/pools.md).
 *
 * An account counts its members and what they use, and holds the pool's last word. It never goes away: when its last member
 * has left it still holds usage of the cycle (POOL-3). Members are a doubly linked list through the cards' life slots, so
 * that joining and leaving cost the same however many there are, and a walk needs nothing but its place.
 *
 * The word may be older than what this account knows itself: a member activated here raises an accumulative pool's total
 * at once (LIFE-2), but the word that says so is two hops away. Until it has come, exhaustion holds only if it would also
 * with those members' allowance added: else the new member would be cut off for as long as the word takes.
 */
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "aggregators/partition_priv.h"
#include "config/base/timetext.h"

#define EXHAUSTED WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)
#define FROZEN WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN)

uint64_t
weir_pool_hash(const char *id)
{
	return XXH3_64bits(id, strlen(id));
}

struct weir_account_slot *
weir_partition_find_account(const struct weir_partition *p, const char *id, uint32_t *slot_out)
{
	uint64_t hash = weir_pool_hash(id);
	const struct weir_shard *shard = &p->account_index.shard[hash & (WEIR_SHARDS - 1)];
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash), slot;
	while (weir_index_candidate(shard, hash, &pos, &slot)) {
		if (strcmp(weir_account_at(p, slot)->pool, id) == 0) {
			*slot_out = slot;
			return weir_account_at(p, slot);
		}
	}
	return NULL;
}

uint32_t
weir_account_get(struct weir_partition *p, const char *pool)
{
	uint32_t slot;
	if (weir_partition_find_account(p, pool, &slot) != NULL)
		return slot;
	slot = weir_slab_new(&p->accounts);
	struct weir_account_slot *a = weir_account_at(p, slot);
	(void)strncpy(a->pool, pool, sizeof(a->pool) - 1);
	a->slack = p->opts.slack_floor_bytes;
	a->flags = WEIR_ACCOUNT_ASKS;
	uint64_t hash = weir_pool_hash(pool);
	weir_shard_insert(weir_shards_of(&p->account_index, hash), weir_index_entry(hash, slot));
	weir_account_changed(p, slot, true);
	return slot;
}

void
weir_account_changed(struct weir_partition *p, uint32_t account, bool urgent)
{
	struct weir_account_slot *a = weir_account_at(p, account);
	if ((a->flags & WEIR_ACCOUNT_QUEUED) == 0)
		weir_u64_list_push(&p->telling, account);
	if (urgent && (a->flags & WEIR_ACCOUNT_URGENT) == 0)
		weir_u64_list_push(&p->urgent, account);
	a->flags |= (uint8_t)(WEIR_ACCOUNT_QUEUED | (urgent ? WEIR_ACCOUNT_URGENT : 0));
	weir_slab_dirty(&p->accounts, account);
}

/* ---- members ---- */

/* Brings `active` in line with what the card is counted as; the pool's total moves with it, so the word is looked at anew.
 */
static void
count_active(struct weir_partition *p, uint32_t account, uint32_t card_slot, bool active)
{
	struct weir_card_slot *card = weir_card_at(p, card_slot);
	struct weir_account_slot *a = weir_account_at(p, account);
	if (((card->flags & WEIR_CARD_MEMBER_ACTIVE) != 0) == active)
		return;
	card->flags ^= WEIR_CARD_MEMBER_ACTIVE;
	weir_slab_dirty(&p->cards, card_slot);
	a->active += active ? 1 : UINT32_MAX;
	if ((a->reasons & EXHAUSTED) != 0)
		a->flags |= WEIR_ACCOUNT_RELOOK;
	weir_account_changed(p, account, true);
}

static void
set_neighbour(struct weir_partition *p, uint32_t *link, uint32_t card_plus_1, uint32_t value)
{
	*link = value;
	weir_slab_dirty(&p->lives, card_plus_1 - 1);
}

static void
leave(struct weir_partition *p, uint32_t card_slot)
{
	struct weir_life_slot *life = weir_life_at(p, card_slot);
	uint32_t account = life->account - 1;
	struct weir_account_slot *a = weir_account_at(p, account);
	count_active(p, account, card_slot, false);
	if (a->walk == card_slot + 1)
		a->walk = life->next;
	if (life->prev == 0)
		a->first = life->next;
	else
		set_neighbour(p, &weir_life_at(p, life->prev - 1)->next, life->prev, life->next);
	if (life->next != 0)
		set_neighbour(p, &weir_life_at(p, life->next - 1)->prev, life->next, life->prev);
	life->account = life->next = life->prev = 0;
	a->members--;
	weir_slab_dirty(&p->lives, card_slot);
	weir_account_changed(p, account, true);
}

/* At the head of the list: a walk in progress does not come by, and need not, since the joining card is evaluated anyway.
 */
static void
join(struct weir_partition *p, uint32_t account, uint32_t card_slot)
{
	struct weir_life_slot *life = weir_life_at(p, card_slot);
	struct weir_account_slot *a = weir_account_at(p, account);
	life->account = account + 1;
	life->prev = 0;
	life->next = a->first;
	if (a->first != 0)
		set_neighbour(p, &weir_life_at(p, a->first - 1)->prev, a->first, card_slot + 1);
	a->first = card_slot + 1;
	a->members++;
	weir_slab_dirty(&p->lives, card_slot);
	weir_account_changed(p, account, true);
	count_active(p, account, card_slot, weir_card_is_activated(weir_card_at(p, card_slot)));
}

void
weir_account_move(struct weir_partition *p, uint32_t card_slot, const char *pool)
{
	const struct weir_account_slot *now = weir_account_of(p, card_slot);
	if (now != NULL && strcmp(now->pool, pool) == 0) {
		weir_account_activity(p, card_slot, weir_card_is_activated(weir_card_at(p, card_slot)));
		return;
	}
	if (now != NULL)
		leave(p, card_slot);
	if (pool[0] != '\0')
		join(p, weir_account_get(p, pool), card_slot);
}

void
weir_account_activity(struct weir_partition *p, uint32_t card_slot, bool active)
{
	uint32_t account = weir_life_at(p, card_slot)->account;
	if (account != 0)
		count_active(p, account - 1, card_slot, active);
}

/* ---- POOL-1: who may be a member ---- */

static bool
fits(const struct weir_account_slot *a, uint8_t carrier, uint16_t plan)
{
	return a->carrier == 0 || (a->carrier == carrier && (a->plan == 0 || a->plan == plan));
}

static const char *
plan_name(const struct weir_partition *p, uint16_t plan)
{
	return plan == 0 || plan > p->plan_count ? "" : p->plans[plan - 1].ref.id;
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
	(void)weir_time_format_ms(p->now_us, at);
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

/* ---- usage ---- */

static uint64_t
used_of(const struct weir_account_slot *a)
{
	return weir_add_saturating(a->up, a->down);
}

static uint64_t
before_of(const struct weir_account_slot *a)
{
	return weir_add_saturating(a->before_up, a->before_down);
}

/* Counting goes over to a newer cycle; what is older than the one before it has long been told. */
static void
roll(struct weir_account_slot *a, int32_t cycle)
{
	bool next = a->cycle != 0 && cycle == a->cycle + 1;
	a->before_up = next ? a->up : 0;
	a->before_down = next ? a->down : 0;
	a->before_records = next ? a->records : 0;
	a->up = a->down = 0;
	a->records = 0;
	a->cycle = (uint16_t)cycle;
}

/* The record's cycle is not the account's: a new one begins, or it is late. */
void
weir_account_count_slow(
    struct weir_partition *p, uint32_t account, int32_t cycle, uint64_t up, uint64_t down, int64_t arrived_us)
{
	struct weir_account_slot *a = weir_account_at(p, account);
	a->crossed_us = arrived_us;
	if (cycle > a->cycle) {
		roll(a, cycle);
		a->up = up;
		a->down = down;
		a->records = 1;
		weir_account_changed(p, account, true);
		return;
	}
	if (cycle < a->cycle - 1) {
		p->stats.unattributed++; /* older than any dedupe horizon of the settings lets through */
		return;
	}
	a->before_up = weir_add_saturating(a->before_up, up);
	a->before_down = weir_add_saturating(a->before_down, down);
	a->before_records++;
	/* For the pool it may be the current cycle still: some clock is always the first past a boundary. */
	uint64_t told = a->told_cycle == a->cycle ? a->told_before : 0;
	weir_account_changed(p, account, before_of(a) - told >= a->slack);
}

/* ---- partials ---- */

static bool
has_untold(const struct weir_account_slot *a)
{
	return (a->flags & WEIR_ACCOUNT_TOLD) == 0 || a->told_cycle != a->cycle || a->told_used != used_of(a) ||
	       a->told_before != before_of(a) || a->told_members != a->members || a->told_active != a->active;
}

/* Wants an answer whatever the pool thinks: it has no word, or one whose total does not count all its activated members. */
static bool
asks(const struct weir_account_slot *a)
{
	return (a->flags & WEIR_ACCOUNT_ASKS) != 0 || ((a->reasons & EXHAUSTED) != 0 && a->active > a->word_active);
}

static void
tell(struct weir_partition *p, uint32_t account)
{
	struct weir_account_slot *a = weir_account_at(p, account);
	struct weir_partial partial = {.magic = "WPA1",
	    .source = p->opts.number,
	    .epoch = p->opts.epoch,
	    .members = a->members,
	    .active = a->active,
	    .cycle = a->cycle,
	    .flags = (uint8_t)((p->cards_settled ? WEIR_PARTIAL_SETTLED : 0) | (asks(a) ? WEIR_PARTIAL_ASKS : 0)),
	    .up = a->up,
	    .down = a->down,
	    .before_up = a->before_up,
	    .before_down = a->before_down,
	    .records = a->records,
	    .before_records = a->before_records,
	    .crossed_us = a->crossed_us};
	memcpy(partial.pool, a->pool, sizeof(partial.pool));
	weir_partition_tell_bytes(p, WEIR_TELL_PARTIALS, WEIR_TELL_BY_KEY, a->pool, &partial, sizeof(partial));
	a->told_used = used_of(a);
	a->told_before = before_of(a);
	a->told_members = a->members;
	a->told_active = a->active;
	a->told_cycle = a->cycle;
	a->crossed_us = 0;
	a->flags |= WEIR_ACCOUNT_TOLD;
	weir_slab_dirty(&p->accounts, account);
	p->stats.partials_told++;
}

static void
tell_queued(struct weir_partition *p, struct weir_u64_list *list, uint8_t queued)
{
	for (uint32_t i = 0; i < list->n; i++) {
		struct weir_account_slot *a = weir_account_at(p, (uint32_t)list->v[i]);
		a->flags &= (uint8_t)~queued;
		if (has_untold(a))
			tell(p, (uint32_t)list->v[i]);
	}
	list->n = 0;
}

void
weir_accounts_tell(struct weir_partition *p, bool all)
{
	for (uint32_t slot = 0; all && slot < p->accounts.used; slot++)
		if (!weir_slab_is_filler(&p->accounts, slot) && weir_account_at(p, slot)->pool[0] != '\0')
			tell(p, slot);
	tell_queued(p, &p->urgent, WEIR_ACCOUNT_URGENT);
	if (p->now_us < p->told_us || p->now_us - p->told_us >= (int64_t)p->opts.pool_tick_ms * 1000) {
		p->told_us = p->now_us;
		tell_queued(p, &p->telling, WEIR_ACCOUNT_QUEUED);
	}
}

/* ---- the pool's word ---- */

/* Would the pool still be exhausted with the allowance of the members that its word does not count? */
static bool
still_exhausted(const struct weir_partition *p, const struct weir_account_slot *a)
{
	if (a->kind != WEIR_PLAN_ACCUMULATIVE || a->active <= a->word_active)
		return true;
	if (a->plan == 0 || !p->plans[a->plan - 1].known)
		return false;
	uint64_t more;
	if (__builtin_mul_overflow(
		(uint64_t)(a->active - a->word_active), p->plans[a->plan - 1].ref.allowance_bytes, &more))
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

static void
begin_walk(struct weir_partition *p, uint32_t account)
{
	struct weir_account_slot *a = weir_account_at(p, account);
	a->walk = a->first;
	if (a->first == 0 || (a->flags & WEIR_ACCOUNT_WALK) != 0)
		return;
	a->flags |= WEIR_ACCOUNT_WALK;
	weir_u64_list_push(&p->walks, account);
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
		begin_walk(p, slot);
	if (asks(a)) /* the partial that told of those members may have crossed this word */
		a->flags &= (uint8_t)~WEIR_ACCOUNT_TOLD;
	if (asks(a) || (a->told_cycle == a->cycle && used_of(a) - a->told_used >= a->slack))
		weir_account_changed(p, slot, true);
	weir_slab_dirty(&p->accounts, slot);
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
	struct weir_cause cause = {UINT32_MAX, -1, p->now_us, a->cut_us, weir_card_used(card)};
	a->walk = weir_life_at(p, card_slot)->next;
	if (!fits(a, card->carrier, card->plan))
		expel(p, account, card_slot, &cause);
	weir_partition_evaluate(p, card_slot, &cause);
	p->stats.walked++;
}

bool
weir_accounts_walk(struct weir_partition *p, uint32_t max)
{
	while (p->walks_head < p->walks.n) {
		uint32_t account = (uint32_t)p->walks.v[p->walks_head];
		struct weir_account_slot *a = weir_account_at(p, account);
		for (; max > 0 && a->walk != 0; max--)
			walk_step(p, account);
		if (a->walk != 0)
			return true;
		a->flags &= (uint8_t)~WEIR_ACCOUNT_WALK;
		weir_slab_dirty(&p->accounts, account);
		p->walks_head++;
	}
	p->walks.n = p->walks_head = 0;
	return false;
}

/* ---- loading ---- */

struct tally {
	uint32_t members, active;
};

/* One member against its neighbours and its account. Lists whose every link answers, and that have one head, hold no loop.
 */
static bool
check_member(const struct weir_partition *p, uint32_t card_slot, struct tally *tallies)
{
	const struct weir_life_slot *life = weir_life_at(p, card_slot);
	uint32_t account = life->account, self = card_slot + 1;
	bool counted = (weir_card_at(p, card_slot)->flags & WEIR_CARD_MEMBER_ACTIVE) != 0;
	if (account == 0)
		return !counted && life->next == 0 && life->prev == 0;
	if (account > p->accounts.used || life->next > p->cards.used || life->prev > p->cards.used)
		return false;
	const struct weir_account_slot *a = weir_account_at(p, account - 1);
	if (a->pool[0] == '\0' || (life->prev == 0) != (a->first == self))
		return false;
	if (life->next != 0 &&
	    (weir_life_at(p, life->next - 1)->prev != self || weir_life_at(p, life->next - 1)->account != account))
		return false;
	if (life->prev != 0 && weir_life_at(p, life->prev - 1)->next != self)
		return false;
	tallies[account - 1].members++;
	tallies[account - 1].active += counted;
	return true;
}

static bool
index_account(struct weir_partition *p, uint32_t slot)
{
	struct weir_account_slot *a = weir_account_at(p, slot);
	uint32_t other;
	if (a->pool[sizeof(a->pool) - 1] != '\0' || a->first > p->cards.used || a->carrier > p->carrier_count ||
	    a->plan > p->plan_count || (a->first == 0) != (a->members == 0) ||
	    weir_partition_find_account(p, a->pool, &other) != NULL)
		return false;
	uint64_t hash = weir_pool_hash(a->pool);
	weir_shard_insert(weir_shards_of(&p->account_index, hash), weir_index_entry(hash, slot));
	/* Lists that only memory holds; all is told when the stage has settled. */
	a->flags &= (uint8_t) ~(WEIR_ACCOUNT_QUEUED | WEIR_ACCOUNT_URGENT);
	if ((a->flags & WEIR_ACCOUNT_WALK) != 0) {
		a->flags &= (uint8_t)~WEIR_ACCOUNT_WALK;
		begin_walk(p, slot);
	}
	return true;
}

bool
weir_accounts_load(struct weir_partition *p)
{
	if (p->lives.used < p->cards.used)
		return false;
	struct tally *tallies = weir_calloc((size_t)p->accounts.used + 1, sizeof(*tallies));
	bool good = true;
	for (uint32_t slot = 0; good && slot < p->cards.used; slot++)
		good = weir_slab_is_filler(&p->cards, slot) || check_member(p, slot, tallies);
	for (uint32_t slot = 0; good && slot < p->accounts.used; slot++) {
		if (weir_slab_is_filler(&p->accounts, slot))
			continue;
		const struct weir_account_slot *a = weir_account_at(p, slot);
		if (a->pool[0] == '\0')
			weir_slab_push_free(&p->accounts, slot);
		else
			good = a->members == tallies[slot].members && a->active == tallies[slot].active &&
			       index_account(p, slot);
	}
	free(tallies);
	return good;
}
