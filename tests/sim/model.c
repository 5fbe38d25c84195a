/* What a card and a pool are in, from all inputs there ever were; see model.h. */
#include "tests/sim/model.h"

#include <stdlib.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)

/* ---- time ---- */

int
model_card_cycle(const struct model *model, int card)
{
	return model_cycle(&model->carriers[model->cards[card].carrier], model->now_us);
}

/* CYC-4: usage_limit outlives its cycle only without auto_restore. To be called while the old cycle is still the card's. */
static void
end_cycle(struct model *model, int at)
{
	struct model_card *card = &model->cards[at];
	card->held = (model_reasons(model, at) & MODEL_USAGE_LIMIT) != 0 && !card->auto_restore;
}

static void
expire_card(struct model *model, int at)
{
	struct model_card *card = &model->cards[at];
	if (card->expires_us != 0 && card->expires_us <= model->now_us)
		card->given |= MODEL_PLAN_EXPIRED;
	else
		card->given &= ~(unsigned)MODEL_PLAN_EXPIRED;
}

/* LIFE-2: expiry follows from activation and the plan's term. */
static void
date_by_term(struct model *model, int at)
{
	struct model_card *card = &model->cards[at];
	int months = card->plan >= 0 ? model->plans[card->plan].term_months : 0;
	card->expires_us = 0;
	if (months > 0 && card->activated_us != 0)
		card->expires_us = model_months_later(model->carriers[card->carrier].zone, card->activated_us, months);
	expire_card(model, at);
}

void
model_enter(struct model *model, int at, enum model_status status, int64_t since_us)
{
	struct model_card *card = &model->cards[at];
	enum model_status before = card->status;
	if (before == MODEL_CANCELLED || before == status)
		return;
	if (before <= MODEL_INACTIVE || status <= MODEL_INACTIVE) {
		card->activated_us = card->expires_us = 0;
		card->test_used = 0;
	}
	card->status = status;
	card->since_us = since_us - since_us % SECOND_US; /* whole seconds are kept */
	if (status == MODEL_DEACTIVATED || status == MODEL_CANCELLED)
		card->reset_until_us = 0;
	if (status == MODEL_IN_USE && before != MODEL_SUSPENDED && card->activated_us == 0) {
		card->activated_us = card->since_us;
		card->renewed = false;
		date_by_term(model, at);
	}
	expire_card(model, at);
}

/* LIFE-3: the test period is over, or the quota is used up. */
static void
end_test(struct model *model, int at, int64_t when_us)
{
	const struct model_carrier *carrier = &model->carriers[model->cards[at].carrier];
	model_enter(model, at, carrier->silent_months > 0 ? MODEL_INACTIVE : MODEL_IN_USE, when_us);
}

/* The next date of the card's life, 0 = none. */
static int64_t
due_of(const struct model *model, int at)
{
	const struct model_card *card = &model->cards[at];
	const struct model_carrier *carrier = &model->carriers[card->carrier];
	if (card->status == MODEL_TESTABLE && carrier->test_months > 0)
		return model_months_later(carrier->zone, card->since_us, carrier->test_months);
	if (card->status == MODEL_INACTIVE && carrier->silent_months > 0)
		/* a period that ends with a month is followed by the month that then begins */
		return model_next_month(
		    carrier->zone, model_months_later(carrier->zone, card->since_us, carrier->silent_months) - 1);
	if (card->status == MODEL_DEACTIVATED && carrier->cancel_months > 0)
		return model_months_later(carrier->zone, card->since_us, carrier->cancel_months);
	return 0;
}

static void
come_due(struct model *model, int at)
{
	int64_t due_us;
	while ((due_us = due_of(model, at)) != 0 && due_us <= model->now_us) {
		switch (model->cards[at].status) {
		case MODEL_TESTABLE:
			end_test(model, at, due_us);
			break;
		case MODEL_INACTIVE:
			model_enter(model, at, MODEL_IN_USE, due_us);
			break;
		default:
			model_enter(model, at, MODEL_CANCELLED, due_us);
			break;
		}
	}
}

void
model_clock(struct model *model, int64_t now_us)
{
	for (int i = 0; i < MODEL_CARDS; i++) {
		struct model_card *card = &model->cards[i];
		if (!card->known)
			continue;
		int cycle = model_cycle(&model->carriers[card->carrier], now_us);
		if (cycle != card->seen_cycle)
			end_cycle(model, i);
		card->seen_cycle = cycle;
	}
	model->now_us = now_us;
	for (int i = 0; i < MODEL_POOLS; i++) {
		struct model_pool *pool = &model->pools[i];
		int64_t due_us = pool->arrears_us + pool->retention_days * 24 * HOUR_US;
		if (pool->kind == MODEL_METERED && pool->arrears_us != 0 && pool->disabled_us == 0 && due_us <= now_us)
			pool->disabled_us = due_us;
	}
	for (int i = 0; i < MODEL_CARDS; i++) {
		struct model_card *card = &model->cards[i];
		if (!card->known)
			continue;
		come_due(model, i);
		expire_card(model, i);
		if (card->reset_until_us != 0 && card->reset_until_us <= now_us)
			card->reset_until_us = 0;
	}
}

int64_t
model_next_event(const struct model *model)
{
	int64_t next_us = INT64_MAX;
	for (int i = 0; i < MODEL_CARDS; i++) {
		const struct model_card *card = &model->cards[i];
		if (!card->known)
			continue;
		int64_t dates[3] = {due_of(model, i), card->expires_us, card->reset_until_us};
		for (int k = 0; k < 3; k++)
			if (dates[k] > model->now_us && dates[k] < next_us)
				next_us = dates[k];
	}
	for (int i = 0; i < MODEL_POOLS; i++) {
		const struct model_pool *pool = &model->pools[i];
		int64_t due_us = pool->arrears_us + pool->retention_days * 24 * HOUR_US;
		if (pool->arrears_us != 0 && due_us > model->now_us && due_us < next_us)
			next_us = due_us;
	}
	return next_us;
}

/* ---- records ---- */

static struct model_fact *
new_fact(struct model *model)
{
	if (model->fact_count == model->fact_cap) {
		model->fact_cap = model->fact_cap == 0 ? 256 : model->fact_cap * 2;
		model->facts = realloc(model->facts, (size_t)model->fact_cap * sizeof(*model->facts));
		if (model->facts == NULL)
			abort();
	}
	struct model_fact *fact = &model->facts[model->fact_count++];
	memset(fact, 0, sizeof(*fact));
	return fact;
}

/* REC-3: was this identity counted before? */
static bool
seen_before(const struct model *model, const struct model_record *r)
{
	for (int i = 0; i < model->fact_count - 1; i++) { /* the last is this one */
		const struct model_fact *fact = &model->facts[i];
		if (fact->record.card != r->card || fact->verdict != MODEL_COUNTED)
			continue;
		if (r->id != 0 && fact->record.id == r->id)
			return true;
		if (r->id == 0 && r->has_seq && fact->record.session == r->session && fact->record.seq == r->seq)
			return true;
	}
	return false;
}

/* REC-2: what a session's total adds to what came before it; false when it is an old record. */
static bool
delta_of_total(const struct model *model, struct model_fact *fact)
{
	const struct model_record *r = &fact->record;
	uint64_t up = 0, down = 0;
	int64_t newest_us = INT64_MIN;
	bool fresh = true;
	for (int i = 0; i < model->fact_count - 1; i++) {
		const struct model_fact *before = &model->facts[i];
		if (before->verdict != MODEL_COUNTED || before->record.card != r->card ||
		    before->record.session != r->session)
			continue;
		if (before->record.start && before->record.end_us > newest_us)
			up = down = 0;
		up = before->record.up > up ? before->record.up : up;
		down = before->record.down > down ? before->record.down : down;
		newest_us = before->record.end_us > newest_us ? before->record.end_us : newest_us;
		fresh = false;
	}
	if (r->start && r->end_us > newest_us)
		up = down = 0;
	fact->up = r->up > up ? r->up - up : 0;
	fact->down = r->down > down ? r->down - down : 0;
	return fresh || fact->up + fact->down > 0 || r->end_us > newest_us;
}

static enum model_verdict
evaluate_fact(struct model *model, struct model_fact *fact)
{
	const struct model_record *r = &fact->record;
	int64_t *stream_us = &model->stream_us[r->partition];
	*stream_us = r->arrived_us > *stream_us ? r->arrived_us : *stream_us;
	if (r->end_us > *stream_us + model->skew_us)
		return MODEL_FUTURE;
	if (r->end_us < *stream_us - model->horizon_us)
		return MODEL_TOO_LATE;
	if (r->card < 0 || !model->cards[r->card].known)
		return MODEL_UNKNOWN;
	if (seen_before(model, r))
		return MODEL_DUPLICATE;
	fact->up = r->up;
	fact->down = r->down;
	if (r->totals && !delta_of_total(model, fact))
		return MODEL_DUPLICATE;
	return MODEL_COUNTED;
}

/* SUS-5: only the newest record tells in which device the card is. */
static void
check_device(struct model *model, const struct model_record *r)
{
	struct model_card *card = &model->cards[r->card];
	const struct model_carrier *carrier = &model->carriers[card->carrier];
	if (r->imei == 0 || r->imei == card->imei)
		return;
	if (card->imei == 0) {
		card->imei = r->imei;
		return;
	}
	int64_t newest_s = 0;
	for (int i = 0; i < model->fact_count - 1; i++) {
		const struct model_fact *fact = &model->facts[i];
		int64_t end_s = fact->record.end_us / SECOND_US;
		if (fact->record.card == r->card && fact->verdict == MODEL_COUNTED && end_s > newest_s)
			newest_s = end_s;
	}
	if (carrier->lock == MODEL_LOCK_NONE || r->end_us / SECOND_US < newest_s)
		return;
	card->seen_imei = r->imei;
	if (carrier->lock == MODEL_LOCK_SUSPEND)
		card->given |= MODEL_DEVICE_CHANGE;
}

enum model_verdict
model_record(struct model *model, const struct model_record *record)
{
	struct model_fact *fact = new_fact(model);
	fact->record = *record;
	fact->pool = -1;
	fact->verdict = evaluate_fact(model, fact);
	if (fact->verdict != MODEL_COUNTED)
		return fact->verdict;
	struct model_card *card = &model->cards[record->card];
	const struct model_carrier *carrier = &model->carriers[card->carrier];
	fact->cycle = model_cycle(carrier, record->end_us);
	fact->hour = (int)(record->end_us / 3600000000); /* the model's zones are whole hours away from UTC */
	fact->day = model_day(carrier->zone, record->end_us);
	check_device(model, record);
	if (card->status == MODEL_TESTABLE) {
		fact->exempt = true;
		card->test_used += fact->up + fact->down;
		if (card->test_used >= carrier->test_quota)
			end_test(model, record->card, record->end_us);
		return MODEL_COUNTED;
	}
	if (card->status == MODEL_INACTIVE)
		model_enter(model, record->card, MODEL_IN_USE, record->end_us);
	fact->pool = card->pool;
	fact->pool_known = card->pool >= 0 && model->pools[card->pool].known;
	return MODEL_COUNTED;
}

/* ---- requests ---- */

static uint64_t
plan_limit(const struct model *model, int at)
{
	int plan = model->cards[at].plan;
	return plan >= 0 && model->plan_known[plan] ? model->plans[plan].limit : MODEL_NONE;
}

void
model_limit(struct model *model, int at, uint64_t limit)
{
	struct model_card *card = &model->cards[at];
	if (card->limit == limit)
		return;
	uint64_t before = card->limit != MODEL_NONE ? card->limit : plan_limit(model, at);
	if (limit > before || limit == MODEL_NONE || before == MODEL_NONE)
		card->held = false; /* raised or removed */
	card->limit = limit;
	card->lifted_cycle = -1;
}

void
model_auto_restore(struct model *model, int card, bool auto_restore)
{
	model->cards[card].auto_restore = auto_restore;
}

/* SUS-1 */
void
model_resume(struct model *model, int card)
{
	model->cards[card].given &= ~(unsigned)MODEL_MANUAL;
	model->cards[card].held = false;
	model->cards[card].lifted_cycle = model_card_cycle(model, card);
}

static void
add_addon(struct model_addon *addons, int *count, struct model_addon addon)
{
	for (int i = 0; i < *count; i++)
		if (addon.id != 0 && addons[i].id == addon.id && addons[i].cycle == addon.cycle)
			return; /* the same request again */
	if (*count < MODEL_ADDONS)
		addons[(*count)++] = addon;
}

static uint64_t
added_bytes(const struct model_addon *addons, int count, int cycle)
{
	uint64_t bytes = 0;
	for (int i = 0; i < count; i++)
		bytes += addons[i].cycle == cycle ? addons[i].bytes : 0;
	return bytes;
}

void
model_addon(struct model *model, int at, int id, uint64_t bytes)
{
	struct model_card *card = &model->cards[at];
	add_addon(card->addons, &card->addon_count, (struct model_addon){model_card_cycle(model, at), id, bytes});
}

void
model_pool_addon(struct model *model, int at, int id, uint64_t bytes)
{
	struct model_pool *pool = &model->pools[at];
	add_addon(pool->addons, &pool->addon_count, (struct model_addon){model_pool_cycle(model, at), id, bytes});
}

/* POOL-5 */
void
model_freeze(struct model *model, int pool)
{
	if (model->pools[pool].arrears_us == 0)
		model->pools[pool].arrears_us = model->now_us;
}

void
model_paid(struct model *model, int pool)
{
	model->pools[pool].arrears_us = 0;
}

bool
model_enable(struct model *model, int at)
{
	struct model_pool *pool = &model->pools[at];
	enum model_zone zone = model->carriers[pool->carrier].zone;
	if (pool->disabled_us == 0)
		return true;
	if (model->now_us >= model_months_later(zone, pool->disabled_us, 1))
		return false;
	pool->disabled_us = pool->arrears_us = 0;
	return true;
}

void
model_give(struct model *model, int card, unsigned set, unsigned clear)
{
	model->cards[card].given = (model->cards[card].given | set) & ~clear;
}

/* A change of plan dates the card anew, and takes back nothing that was renewed. */
void
model_plan(struct model *model, int at, int plan)
{
	struct model_card *card = &model->cards[at];
	if (card->plan == plan)
		return;
	card->plan = plan;
	if (card->status <= MODEL_INACTIVE || card->activated_us == 0)
		return;
	int64_t before_us = card->expires_us;
	date_by_term(model, at);
	if (card->renewed && card->expires_us != 0 && card->expires_us < before_us)
		card->expires_us = before_us;
	expire_card(model, at);
}

/* LIFE-2 */
void
model_activate(struct model *model, int at)
{
	if (model->cards[at].status <= MODEL_INACTIVE)
		model_enter(model, at, MODEL_IN_USE, model->now_us);
}

void
model_deactivate(struct model *model, int at)
{
	model_enter(model, at, MODEL_DEACTIVATED, model->now_us);
}

/* LIFE-7 */
void
model_cancel(struct model *model, int at)
{
	const struct model_card *card = &model->cards[at];
	if (card->status == MODEL_DEACTIVATED || card->status == MODEL_SUSPENDED || (card->given & MODEL_MANUAL) != 0)
		model_enter(model, at, MODEL_CANCELLED, model->now_us);
}

/* LIFE-5 */
void
model_renew(struct model *model, int at, int months, int id)
{
	struct model_card *card = &model->cards[at];
	if (card->status <= MODEL_INACTIVE || card->status == MODEL_CANCELLED || (id != 0 && card->renew_id == id))
		return;
	int64_t now_us = model->now_us - model->now_us % SECOND_US;
	int64_t from_us = card->expires_us > now_us ? card->expires_us : now_us;
	card->renew_id = id;
	card->renewed = true;
	card->expires_us = model_months_later(model->carriers[card->carrier].zone, from_us, months);
	expire_card(model, at);
}

void
model_bind(struct model *model, int at, uint64_t imei)
{
	struct model_card *card = &model->cards[at];
	if (card->imei == imei)
		return;
	card->imei = imei;
	card->seen_imei = 0;
	card->given &= ~(unsigned)MODEL_DEVICE_CHANGE;
}

/* SUS-5; where no devices are locked the next record binds. */
void
model_rebind(struct model *model, int at)
{
	struct model_card *card = &model->cards[at];
	const struct model_carrier *carrier = &model->carriers[card->carrier];
	if (carrier->lock == MODEL_LOCK_NONE) {
		model_bind(model, at, 0);
		return;
	}
	int month = model_month(carrier->zone, model->now_us);
	if (card->seen_imei == 0)
		return;
	if (card->rebind_month != month)
		card->rebinds = 0;
	if (carrier->rebinds > 0 && card->rebinds >= carrier->rebinds)
		return;
	card->rebind_month = month;
	card->rebinds++;
	model_bind(model, at, card->seen_imei);
}

/* SUS-6 */
void
model_reset(struct model *model, int at)
{
	struct model_card *card = &model->cards[at];
	if (card->status != MODEL_DEACTIVATED && card->status != MODEL_CANCELLED)
		card->reset_until_us = model->now_us - model->now_us % SECOND_US + 15 * 60 * SECOND_US;
}

/* ---- answers ---- */

static void
sum_fact(struct model_usage *usage, const struct model_fact *fact)
{
	usage->up += fact->up;
	usage->down += fact->down;
	usage->records++;
}

struct model_usage
model_usage(const struct model *model, int card, int cycle)
{
	struct model_usage usage = {0};
	for (int i = 0; i < model->fact_count; i++) {
		const struct model_fact *fact = &model->facts[i];
		if (fact->verdict == MODEL_COUNTED && fact->record.card == card && fact->cycle == cycle)
			sum_fact(&usage, fact);
	}
	return usage;
}

struct model_usage
model_window_usage(const struct model *model, int card, int pool, int hour, int day)
{
	struct model_usage usage = {0};
	for (int i = 0; i < model->fact_count; i++) {
		const struct model_fact *fact = &model->facts[i];
		if (fact->verdict == MODEL_COUNTED && (card < 0 || fact->record.card == card) &&
		    (pool < 0 || fact->pool == pool) && (hour < 0 || fact->hour == hour) && (day < 0 || fact->day == day))
			sum_fact(&usage, fact);
	}
	return usage;
}

struct model_usage
model_pool_usage(const struct model *model, int pool, int cycle)
{
	struct model_usage usage = {0};
	for (int i = 0; i < model->fact_count; i++) {
		const struct model_fact *fact = &model->facts[i];
		if (fact->verdict == MODEL_COUNTED && fact->pool == pool && fact->cycle == cycle)
			sum_fact(&usage, fact);
	}
	return usage;
}

/* What thresholds are compared with: less test traffic (LIFE-3). */
static uint64_t
metered(const struct model *model, int card, int cycle)
{
	uint64_t bytes = 0;
	for (int i = 0; i < model->fact_count; i++) {
		const struct model_fact *fact = &model->facts[i];
		if (fact->verdict == MODEL_COUNTED && fact->record.card == card && fact->cycle == cycle && !fact->exempt)
			bytes += fact->up + fact->down;
	}
	return bytes;
}

int
model_pool_cycle(const struct model *model, int pool)
{
	return model_cycle(&model->carriers[model->pools[pool].carrier], model->now_us);
}

/* POOL-2 */
bool
model_is_activated(const struct model *model, int at)
{
	const struct model_card *card = &model->cards[at];
	return (card->status == MODEL_IN_USE || card->status == MODEL_SUSPENDED) && (card->given & MODEL_PLAN_EXPIRED) == 0;
}

int
model_members(const struct model *model, int pool)
{
	int count = 0;
	for (int i = 0; i < MODEL_CARDS; i++)
		count += model->cards[i].known && model->cards[i].pool == pool;
	return count;
}

int
model_activated_members(const struct model *model, int pool)
{
	int count = 0;
	for (int i = 0; i < MODEL_CARDS; i++)
		count += model->cards[i].known && model->cards[i].pool == pool && model_is_activated(model, i);
	return count;
}

uint64_t
model_pool_total(const struct model *model, int at)
{
	const struct model_pool *pool = &model->pools[at];
	uint64_t addons = added_bytes(pool->addons, pool->addon_count, model_pool_cycle(model, at));
	if (pool->kind == MODEL_METERED || (pool->plan >= 0 && !model->plan_known[pool->plan]))
		return MODEL_NONE;
	if (pool->kind == MODEL_FIXED)
		return pool->total + addons;
	return (uint64_t)model_activated_members(model, at) * model->plans[pool->plan].allowance + addons;
}

unsigned
model_pool_reasons(const struct model *model, int at)
{
	const struct model_pool *pool = &model->pools[at];
	if (!pool->known)
		return 0;
	struct model_usage usage = model_pool_usage(model, at, model_pool_cycle(model, at));
	uint64_t used = usage.up + usage.down, total = model_pool_total(model, at);
	unsigned reasons = pool->arrears_us != 0 || pool->disabled_us != 0 ? MODEL_POOL_FROZEN : 0;
	if (total != MODEL_NONE && used >= total)
		reasons |= MODEL_POOL_EXHAUSTED;
	if (pool->kind == MODEL_METERED && pool->suspends && pool->threshold != MODEL_NONE && used >= pool->threshold)
		reasons |= MODEL_POOL_THRESHOLD;
	return reasons;
}

static bool
over_limit(const struct model *model, int at, int cycle)
{
	const struct model_card *card = &model->cards[at];
	uint64_t limit = card->limit != MODEL_NONE ? card->limit : plan_limit(model, at);
	if (limit == MODEL_NONE || card->lifted_cycle == cycle)
		return false;
	return card->held || metered(model, at, cycle) >= limit;
}

uint64_t
model_card_metered(const struct model *model, int card)
{
	return metered(model, card, model_card_cycle(model, card));
}

uint64_t
model_card_base(const struct model *model, int at)
{
	const struct model_card *card = &model->cards[at];
	int cycle = model_card_cycle(model, at);
	if (card->status == MODEL_TESTABLE || card->status == MODEL_INACTIVE)
		return 0;
	if (card->plan >= 0 && model->plan_known[card->plan] && model->plans[card->plan].kind == MODEL_SINGLE)
		return model->plans[card->plan].allowance + added_bytes(card->addons, card->addon_count, cycle);
	uint64_t limit = card->limit != MODEL_NONE ? card->limit : plan_limit(model, at);
	return limit == MODEL_NONE || card->lifted_cycle == cycle ? 0 : limit;
}

uint64_t
model_pool_base(const struct model *model, int at)
{
	const struct model_pool *pool = &model->pools[at];
	uint64_t base = pool->kind == MODEL_METERED ? pool->threshold : model_pool_total(model, at);
	return !pool->known || base == MODEL_NONE ? 0 : base;
}

unsigned
model_reasons(const struct model *model, int at)
{
	const struct model_card *card = &model->cards[at];
	unsigned reasons = card->given;
	int cycle = model_card_cycle(model, at);
	if (card->reset_until_us != 0)
		reasons |= MODEL_RESET;
	if (card->status == MODEL_TESTABLE || card->status == MODEL_INACTIVE)
		return reasons; /* LIFE-3: none by usage */
	const struct model_plan *plan = card->plan >= 0 && model->plan_known[card->plan] ? &model->plans[card->plan] : NULL;
	if (plan != NULL && plan->kind == MODEL_SINGLE &&
	    metered(model, at, cycle) >= plan->allowance + added_bytes(card->addons, card->addon_count, cycle))
		reasons |= MODEL_PLAN_EXHAUSTED;
	if (over_limit(model, at, cycle))
		reasons |= MODEL_USAGE_LIMIT;
	if (card->pool >= 0 && model_is_activated(model, at))
		reasons |= model_pool_reasons(model, card->pool);
	return reasons;
}

unsigned
model_enforced(const struct model *model, int at)
{
	const struct model_card *card = &model->cards[at];
	const struct model_carrier *carrier = &model->carriers[card->carrier];
	return model_reasons(model, at) & ~(card->pool >= 0 ? carrier->unsupported_pooled : carrier->unsupported_single);
}

bool
model_commands(const struct model *model, int at)
{
	enum model_status status = model->cards[at].status;
	return status != MODEL_DEACTIVATED && status != MODEL_CANCELLED;
}

void
model_init(struct model *model, int64_t horizon_us, int64_t skew_us)
{
	memset(model, 0, sizeof(*model));
	model->horizon_us = horizon_us;
	model->skew_us = skew_us;
	for (int i = 0; i < MODEL_POOLS; i++)
		model->pools[i] = (struct model_pool){.plan = -1, .threshold = MODEL_NONE, .retention_days = 30};
	for (int i = 0; i < MODEL_CARDS; i++)
		model->cards[i] = (struct model_card){.plan = -1,
		    .pool = -1,
		    .status = MODEL_IN_USE,
		    .limit = MODEL_NONE,
		    .auto_restore = true,
		    .lifted_cycle = -1};
}

void
model_free(struct model *model)
{
	free(model->facts);
	model->facts = NULL;
}
