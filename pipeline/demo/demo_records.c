/*
 * What the generator makes: one message after the other, and the operator's requests. Each record is added to the sums of
 * its card and cycle here and nowhere else.
 */
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/demo/traffic_priv.h"

#define HOUR_US INT64_C(3600000000)
#define SILENT_AFTER_US 1000000 /* a card over its limit goes on for so long: the carrier is cutting it off */
#define HELP_AFTER_US 3000000   /* then an operator may help */

static bool
one_in_n(struct weir_demo_traffic *t, uint32_t one_in)
{
	return weir_random_below(&t->rng, one_in) == 0;
}

/* Between half and one and a half of the mean. */
static uint64_t
volume_draw(struct weir_demo_traffic *t, uint64_t mean)
{
	return mean / 2 + weir_random_below(&t->rng, mean + 1);
}

/* Mostly now; one in 25 ended 1 to 20 hours ago. Session totals stay in the present: their order is their meaning. */
static int64_t
end_draw(struct weir_demo_traffic *t, const struct weir_demo_card *card, int64_t now_us, bool *late_out)
{
	int64_t unit = weir_demo_time_unit_us(card->style);
	*late_out = card->style != WEIR_DEMO_CANONICAL_TOTALS && one_in_n(t, 25);
	int64_t age_us = *late_out ? HOUR_US + (int64_t)weir_random_below(&t->rng, (uint64_t)(19 * HOUR_US)) : 0;
	if (!*late_out && card->style != WEIR_DEMO_CANONICAL_TOTALS)
		age_us = (int64_t)weir_random_below(&t->rng, 3000000);
	return (now_us - age_us) / unit * unit;
}

static struct weir_demo_record
record_make(struct weir_demo_traffic *t, struct weir_demo_card *card, int64_t now_us)
{
	bool late;
	struct weir_demo_record r = {.id = ++t->next_id, .seq = ++card->seq};
	uint64_t bytes = volume_draw(t, card->mean_bytes);
	r.up = bytes / 8;
	r.down = bytes - r.up;
	r.end_us = end_draw(t, card, now_us, &late);
	r.up_total = card->up_total += r.up;
	r.down_total = card->down_total += r.down;
	int32_t cycle = weir_demo_card_cycle(t->opts.fleet, card, r.end_us);
	WEIR_CHECK(weir_demo_card_count(t->opts.fleet, card, cycle, r.up, r.down));
	WEIR_DEMO_ADD(t, unique, 1);
	if (late)
		WEIR_DEMO_ADD(t, late, 1);
	if (late && cycle != weir_demo_card_cycle(t->opts.fleet, card, now_us))
		WEIR_DEMO_ADD(t, before_cycle, 1);
	return r;
}

/* Feeds send arrays of up to three elements, some of which are no data; canonical cards one object, sometimes lines. */
static void
message_write(struct weir_demo_traffic *t, struct weir_demo_card *card, int64_t now_us)
{
	struct weir_demo_message *m = &t->now;
	bool feed = card->style == WEIR_DEMO_KORE || card->style == WEIR_DEMO_EMNIFY;
	uint32_t count = feed ? 1 + (uint32_t)weir_random_below(&t->rng, 3) : one_in_n(t, 10) ? 3 : 1;
	m->value.len = 0;
	m->records = m->filtered = 0;
	m->in_order = card->style == WEIR_DEMO_CANONICAL_TOTALS;
	if (feed)
		weir_buf_append(&m->value, "[", 1);
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			weir_buf_append(&m->value, feed ? "," : "\n", 1);
		struct weir_demo_record record = record_make(t, card, now_us);
		weir_demo_record_write(card, &record, &m->value);
		m->records++;
	}
	if (feed && one_in_n(t, 10)) {
		struct weir_demo_record other = {.id = ++t->next_id, .end_us = now_us};
		weir_buf_append(&m->value, ",", 1);
		m->filtered += weir_demo_other_write(card, &other, &m->value);
	}
	if (feed)
		weir_buf_append(&m->value, "]", 1);
}

static bool
card_is_silent(struct weir_demo_traffic *t, struct weir_demo_card *card, int64_t now_us)
{
	if (!weir_demo_card_suspended(t->opts.fleet, card, weir_demo_card_cycle(t->opts.fleet, card, now_us))) {
		card->over_us = 0;
		return false;
	}
	if (card->over_us == 0)
		card->over_us = now_us;
	return now_us - card->over_us > SILENT_AFTER_US && !one_in_n(t, 20);
}

bool
weir_demo_message_make(struct weir_demo_traffic *t, int64_t now_us)
{
	struct weir_demo_card *card = &t->opts.fleet->cards[weir_random_below(&t->rng, t->opts.fleet->count)];
	if (card_is_silent(t, card, now_us))
		return false;
	t->now.topic = weir_demo_topic(card->style);
	memcpy(t->now.key, card->iccid, sizeof(t->now.key));
	message_write(t, card, now_us);
	return true;
}

/* On a card (target "iccid") or a pool. */
static void
send_request(struct weir_demo_traffic *t, const char *target, const char *key, const char *action, const char *members)
{
	char json[256];
	int len = snprintf(json, sizeof(json),
	    "{\"type\":\"request\",\"%s\":\"%s\",\"action\":\"%s\",\"id\":\"q-%" PRIu64 "\",\"by\":\"demo\"%s}", target,
	    key, action, ++t->next_id, members);
	/* One in four is sent twice: an operator's console may repeat, a repeated id must change nothing. */
	for (uint32_t times = one_in_n(t, 4) ? 2 : 1; times > 0; times--) {
		weir_demo_send(t, t->opts.topic_cards, key, json, (size_t)len);
		WEIR_DEMO_ADD(t, requests, 1);
	}
}

static void
request_send(struct weir_demo_traffic *t, const struct weir_demo_card *card, const char *action, const char *members)
{
	send_request(t, "iccid", card->iccid, action, members);
}

/* Lifts what holds a card that ran over: its limit first, then its plan. */
static void
card_help(struct weir_demo_traffic *t, struct weir_demo_card *card, int32_t cycle)
{
	const struct weir_demo_plan *plan = &weir_demo_plans[card->plan];
	struct weir_demo_cycle sums = weir_demo_card_sums(card, cycle);
	uint64_t used = sums.up + sums.down;
	uint64_t limit = card->limit != WEIR_DEMO_NO_LIMIT ? card->limit : plan->limit;
	char members[64];
	if (limit != WEIR_DEMO_NO_LIMIT && used >= limit) {
		card->limit = used + limit;
		(void)snprintf(members, sizeof(members), ",\"limit\":%" PRIu64, card->limit);
		request_send(t, card, "limit", members);
	}
	if (card->addon_cycle != cycle)
		card->addon_bytes = 0;
	if (plan->single && used >= plan->allowance + card->addon_bytes) {
		uint64_t bytes = used - plan->allowance - card->addon_bytes + plan->allowance / 2;
		card->addon_bytes += bytes;
		card->addon_cycle = cycle;
		(void)snprintf(members, sizeof(members), ",\"bytes\":%" PRIu64, bytes);
		request_send(t, card, "addon", members);
	}
}

/* Room for a pool that ran over: an add-on, or a threshold above what was used. */
static void
pool_help(struct weir_demo_traffic *t, struct weir_demo_pool *pool, int32_t cycle)
{
	struct weir_demo_cycle sums = weir_demo_pool_sums(pool, cycle);
	uint64_t used = sums.up + sums.down, total = weir_demo_pool_total(pool, cycle);
	char text[320];
	if (total != WEIR_DEMO_NO_TOTAL && used >= total) {
		uint64_t bytes = used - total + total / 2 + 1;
		pool->addon_bytes = (pool->addon_cycle == cycle ? pool->addon_bytes : 0) + bytes;
		pool->addon_cycle = cycle;
		(void)snprintf(text, sizeof(text), ",\"bytes\":%" PRIu64, bytes);
		send_request(t, "pool", pool->id, "addon", text);
	}
	if (pool->threshold != 0 && used >= pool->threshold) {
		pool->threshold = used + pool->threshold;
		weir_demo_send(t, t->opts.topic_cards, pool->id, text, weir_demo_pool_json(pool, text, sizeof(text)));
	}
}

/* One in some looks is at a pool: arrears and their end, and help for those that have been cut off for a while. */
static void
pool_act(struct weir_demo_traffic *t, int64_t now_us)
{
	struct weir_demo_pool *pool = &t->opts.fleet->pools[weir_random_below(&t->rng, t->opts.fleet->pool_count)];
	int32_t cycle = weir_demo_pool_cycle(t->opts.fleet, pool, now_us);
	char reasons[WEIR_DEMO_POOL_REASONS_MAX];
	weir_demo_pool_reasons(pool, cycle, reasons);
	if (reasons[0] == '\0')
		pool->over_us = 0;
	else if (pool->over_us == 0)
		pool->over_us = now_us;
	if (pool->over_us != 0 && now_us - pool->over_us > HELP_AFTER_US) {
		if (pool->frozen)
			send_request(t, "pool", pool->id, "paid", "");
		pool->frozen = false;
		pool_help(t, pool, cycle);
	} else if (!pool->frozen && one_in_n(t, 40)) {
		pool->frozen = true;
		send_request(t, "pool", pool->id, "freeze", "");
	}
}

void
weir_demo_operator_act(struct weir_demo_traffic *t, int64_t now_us)
{
	if (t->opts.fleet->pool_count > 0 && one_in_n(t, 10)) {
		pool_act(t, now_us);
		return;
	}
	struct weir_demo_card *card = &t->opts.fleet->cards[weir_random_below(&t->rng, t->opts.fleet->count)];
	int32_t cycle = weir_demo_card_cycle(t->opts.fleet, card, now_us);
	bool limitless = card->limit == WEIR_DEMO_NO_LIMIT && weir_demo_plans[card->plan].limit == WEIR_DEMO_NO_LIMIT;
	if (card->manual) {
		/* A resume would lift a usage limit too, whether the card has met it by then or not: only cards without. */
		card->manual = false;
		request_send(t, card, "resume", "");
	} else if (card->over_us != 0 && now_us - card->over_us > HELP_AFTER_US) {
		card_help(t, card, cycle);
	} else if (limitless && one_in_n(t, 20)) {
		card->manual = true;
		request_send(t, card, "suspend", "");
	}
}
