/* Comparison of Redis and carrier with the generator's sums; see demo_verify.h. */
#include "pipeline/demo/demo_verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings/settings.h"
#include "pipeline/redis/client.h"

#define REPORTED_MAX 10
#define BATCH 256 /* cards asked for in one go */

struct verify {
	struct weir_redis *redis;
	const struct weir_settings *settings;
	struct weir_carrier_sim *carrier;
	const struct weir_demo_fleet *fleet;
	int64_t now_us;
	uint32_t mismatches;
};

/* What weir_card answered. */
struct shown {
	const struct weir_reply *reply;
	int32_t cycle; /* -1 = none */
};

static const char *
shown_text(const struct shown *shown, const char *name)
{
	for (size_t i = 0; i + 1 < shown->reply->elements; i += 2)
		if (strcmp(shown->reply->element[i]->str, name) == 0)
			return shown->reply->element[i + 1]->str;
	return "";
}

static uint64_t
shown_number(const struct shown *shown, const char *name)
{
	return strtoull(shown_text(shown, name), NULL, 10);
}

static int32_t
cycle_parse(const char *text)
{
	int year, month;
	return sscanf(text, "%d-%d", &year, &month) == 2 ? (year - 1970) * 12 + month - 1 : -1;
}

/* Tells a difference; returns false for the caller to return. */
static bool __attribute__((format(printf, 3, 4)))
differs(const struct verify *v, const struct weir_demo_card *card, const char *fmt, ...)
{
	if (v->mismatches < REPORTED_MAX) {
		char text[256];
		va_list args;
		va_start(args, fmt);
		(void)vsnprintf(text, sizeof(text), fmt, args);
		va_end(args);
		(void)fprintf(stderr, "weir demo: card %s (%s, %s): %s\n", card->iccid,
		    weir_demo_carriers[card->carrier].id, weir_demo_plans[card->plan].id, text);
	}
	return false;
}

static bool
sums_equal(const struct verify *v, const struct weir_demo_card *card, const struct weir_demo_cycle *want, uint64_t up,
    uint64_t down, uint64_t records)
{
	if (want->up == up && want->down == down && want->records == records)
		return true;
	return differs(v, card,
	    "cycle %d-%02d: sent up %" PRIu64 " down %" PRIu64 " records %" PRIu32 ", counted %" PRIu64 " %" PRIu64
	    " %" PRIu64,
	    1970 + want->number / 12, want->number % 12 + 1, want->up, want->down, want->records, up, down, records);
}

static uint64_t
little_endian(const char *bytes, uint32_t count)
{
	uint64_t value = 0;
	for (uint32_t i = count; i > 0; i--)
		value = value << 8 | (uint8_t)bytes[i - 1];
	return value;
}

/* A closed cycle's slot: 32 bytes in y:<cycle>:<page>. Absent reads as zeros. */
static bool
closed_cycle_equal(const struct verify *v, const struct weir_demo_card *card, const struct shown *shown,
    const struct weir_demo_cycle *want)
{
	uint64_t slot = shown_number(shown, "slot");
	unsigned from = (unsigned)(slot % 256 * 32);
	char key[160], first[16], last[16], bytes[32] = {0};
	(void)snprintf(key, sizeof(key), "%s:{%s}:y:%d:%u", v->settings->redis_prefix, shown_text(shown, "partition"),
	    want->number, (unsigned)(slot / 256));
	(void)snprintf(first, sizeof(first), "%u", from);
	(void)snprintf(last, sizeof(last), "%u", from + 31);
	struct weir_reply *reply =
	    WEIR_REDIS_ASK(v->redis, weir_slot_of_key(weir_slice_of(key)), NULL, "GETRANGE", key, first, last);
	if (reply != NULL && reply->type == WEIR_REPLY_STRING && reply->len == sizeof(bytes))
		memcpy(bytes, reply->str, sizeof(bytes));
	weir_reply_free(reply);
	return sums_equal(
	    v, card, want, little_endian(bytes, 8), little_endian(bytes + 8, 8), little_endian(bytes + 16, 4));
}

static bool
counters_equal(const struct verify *v, const struct weir_demo_card *card, const struct shown *shown)
{
	struct weir_demo_cycle now = weir_demo_card_sums(card, shown->cycle);
	if (!sums_equal(v, card, &now, shown_number(shown, "up_bytes"), shown_number(shown, "down_bytes"),
		shown_number(shown, "records")))
		return false;
	for (uint32_t i = 0; i < card->cycle_count; i++)
		if (card->cycles[i].number != shown->cycle && !closed_cycle_equal(v, card, shown, &card->cycles[i]))
			return false;
	return true;
}

static bool
enforcement_equal(const struct verify *v, const struct weir_demo_card *card, const struct shown *shown)
{
	char reasons[WEIR_DEMO_REASONS_MAX];
	weir_demo_card_reasons(v->fleet, card, shown->cycle, reasons);
	if (strcmp(reasons, shown_text(shown, "reasons")) != 0)
		return differs(v, card, "reasons should be %s, are %s", reasons, shown_text(shown, "reasons"));
	bool suspended = weir_demo_card_suspended(v->fleet, card, shown->cycle);
	bool confirmed = strcmp(shown_text(shown, "confirmed"), "suspended") == 0;
	if (suspended != confirmed)
		return differs(v, card, "should be confirmed %s, is %s", suspended ? "suspended" : "active",
		    shown_text(shown, "confirmed"));
	return true;
}

static bool
carrier_equal(struct weir_carrier_sim *carrier, const struct weir_demo_fleet *fleet, const struct weir_demo_card *card,
    int64_t now_us, struct weir_carrier_sim_card *at_carrier_out)
{
	struct weir_iccid iccid;
	WEIR_CHECK(weir_iccid_parse((const uint8_t *)card->iccid, WEIR_DEMO_ICCID_LEN, &iccid));
	weir_carrier_sim_card_get(carrier, iccid, at_carrier_out);
	bool suspended = weir_demo_card_suspended(fleet, card, weir_demo_card_cycle(fleet, card, now_us));
	return (at_carrier_out->state == WEIR_DESIRED_SUSPENDED) == suspended &&
	       !(card->deactivated && at_carrier_out->puts > 0);
}

uint32_t
weir_demo_carrier_differs(struct weir_carrier_sim *carrier, const struct weir_demo_fleet *fleet, int64_t now_us)
{
	uint32_t count = 0;
	struct weir_carrier_sim_card at_carrier;
	for (uint32_t i = 0; i < fleet->count; i++)
		count += !carrier_equal(carrier, fleet, &fleet->cards[i], now_us, &at_carrier);
	return count;
}

static bool
card_equal(const struct verify *v, const struct weir_demo_card *card, const struct weir_reply *reply)
{
	struct weir_carrier_sim_card at_carrier;
	if (reply->type == WEIR_REPLY_ERROR)
		return differs(v, card, "Redis: %s", reply->str);
	if (reply->type != WEIR_REPLY_ARRAY || reply->elements == 0)
		return differs(v, card, "is not in Redis");
	struct shown shown = {reply, -1};
	shown.cycle = cycle_parse(shown_text(&shown, "cycle"));
	if (!counters_equal(v, card, &shown) || !enforcement_equal(v, card, &shown))
		return false;
	if (!carrier_equal(v->carrier, v->fleet, card, v->now_us, &at_carrier))
		return differs(v, card, "the carrier holds it %s after %" PRIu32 " calls",
		    at_carrier.state == WEIR_DESIRED_SUSPENDED ? "suspended" : "active", at_carrier.puts);
	return true;
}

/* Replies of a batch are the caller's before closed cycles are asked for by the same client. */
static enum weir_class
batch_compare(struct verify *v, uint32_t from, uint32_t count, struct weir_error *err)
{
	struct weir_reply *replies[BATCH] = {NULL};
	weir_redis_clear(v->redis);
	for (uint32_t i = 0; i < count; i++) {
		const char *const words[] = {
		    "FCALL_RO", "weir_card", "0", v->fleet->cards[from + i].iccid, v->settings->redis_prefix};
		(void)weir_redis_add_words(v->redis, WEIR_SLOT_ANY, 5, words);
	}
	enum weir_class class = weir_redis_send(v->redis, err);
	for (uint32_t i = 0; i < count && class == WEIR_OK; i++)
		replies[i] = weir_redis_take_reply(v->redis, i);
	for (uint32_t i = 0; i < count && class == WEIR_OK; i++)
		v->mismatches += !card_equal(v, &v->fleet->cards[from + i], replies[i]);
	for (uint32_t i = 0; i < count; i++)
		weir_reply_free(replies[i]);
	return class;
}

static bool
pool_field_equal(
    struct verify *v, const struct weir_demo_pool *pool, const struct shown *shown, const char *name, const char *want)
{
	if (strcmp(shown_text(shown, name), want) == 0)
		return true;
	if (v->mismatches < REPORTED_MAX)
		(void)fprintf(
		    stderr, "weir demo: pool %s: %s should be %s, is %s\n", pool->id, name, want, shown_text(shown, name));
	return false;
}

/* Sums over members (POOL-3) of this cycle and the one before, members, total and reasons. */
static bool
pool_equal(struct verify *v, const struct weir_demo_pool *pool, const struct weir_reply *reply)
{
	struct shown shown = {reply, weir_demo_pool_cycle(v->fleet, pool, v->now_us)};
	struct weir_demo_cycle now = weir_demo_pool_sums(pool, shown.cycle),
			       closed_cycles = weir_demo_pool_sums(pool, shown.cycle - 1);
	uint64_t total = weir_demo_pool_total(pool, shown.cycle);
	char text[64], reasons[WEIR_DEMO_POOL_REASONS_MAX];
	bool equal = reply->type == WEIR_REPLY_ARRAY;
	(void)snprintf(text, sizeof(text), "%" PRIu64, now.up + now.down);
	equal = equal && pool_field_equal(v, pool, &shown, "used_bytes", text);
	(void)snprintf(text, sizeof(text), "%" PRIu32, pool->members);
	equal = equal && pool_field_equal(v, pool, &shown, "cards", text);
	(void)snprintf(text, sizeof(text), "%" PRIu32, pool->active);
	equal = equal && pool_field_equal(v, pool, &shown, "effective_cards", text);
	(void)snprintf(text, sizeof(text), "%" PRIu64, total);
	equal = equal && pool_field_equal(v, pool, &shown, "total_bytes", total == WEIR_DEMO_NO_TOTAL ? "none" : text);
	weir_demo_pool_reasons(pool, shown.cycle, reasons);
	equal = equal && pool_field_equal(v, pool, &shown, "reasons", reasons[0] == '\0' ? "none" : reasons + 1);
	(void)snprintf(text, sizeof(text), "%d-%02d:%" PRIu64, 1970 + closed_cycles.number / 12,
	    closed_cycles.number % 12 + 1, closed_cycles.up + closed_cycles.down);
	return equal && pool_field_equal(v, pool, &shown, "previous", closed_cycles.records == 0 ? "none" : text);
}

static enum weir_class
pools_compare(struct verify *v, struct weir_error *err)
{
	for (uint32_t i = 0; i < v->fleet->pool_count; i++) {
		struct weir_reply *reply = WEIR_REDIS_ASK(v->redis, WEIR_SLOT_ANY, err, "FCALL_RO", "weir_pool", "0",
		    v->fleet->pools[i].id, v->settings->redis_prefix);
		if (reply == NULL)
			return WEIR_RETRY;
		v->mismatches += !pool_equal(v, &v->fleet->pools[i], reply);
		weir_reply_free(reply);
	}
	return WEIR_OK;
}

enum weir_class
weir_demo_verify(const struct weir_settings *settings, struct weir_carrier_sim *carrier,
    const struct weir_demo_fleet *fleet, int64_t now_us, uint32_t *mismatches_out, struct weir_error *err)
{
	struct weir_error why = {0};
	struct verify v = {.settings = settings,
	    .carrier = carrier,
	    .fleet = fleet,
	    .now_us = now_us,
	    .redis = weir_redis_new(&(struct weir_redis_opts){.settings = settings})};
	enum weir_class class = WEIR_OK;
	for (uint32_t from = 0; from < fleet->count && class == WEIR_OK; from += BATCH) {
		uint32_t left = fleet->count - from;
		class = batch_compare(&v, from, left < BATCH ? left : BATCH, &why);
	}
	if (class == WEIR_OK)
		class = pools_compare(&v, &why);
	if (class != WEIR_OK)
		class = weir_error_set(err, WEIR_RETRY, "Redis cannot be read: %s", why.text);
	weir_redis_free(v.redis);
	*mismatches_out = v.mismatches;
	return class;
}
