/* What the benchmarks read of a Redis that `weir run` writes, and how a run's keys are copied and deleted; see servers.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/servers.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "config/base/iccid.h"
#include "pipeline/redis/client.h"

enum {
	POLL_US = 4000,
	PAGES_A_TIME = 64,
	CARDS_A_PAGE = 128,
	CARD_BYTES = 64,
	WAIT_MS = 120000 /* for a copy of millions of keys beside an append-only file */
};

enum weir_class
bench_redis_connect(struct bench_site *site, struct weir_error *err)
{
	double cluster = 0;
	weir_redis_free(site->redis);
	site->redis = weir_redis_new(&(struct weir_redis_opts){.settings = site->settings, .timeout_ms = WAIT_MS});
	if (bench_redis_info(site, "cluster", "cluster_enabled", &cluster, err) != WEIR_OK)
		return WEIR_FATAL;
	if (cluster > 0)
		return weir_error_set(err, WEIR_FATAL, "this is a Redis Cluster: the benchmark needs a single Redis");
	return WEIR_OK;
}

/* Sends the batch; OK when every reply came and none is an error. */
static enum weir_class
send_batch(struct weir_redis *redis, struct weir_error *err)
{
	enum weir_class class = weir_redis_send(redis, err);
	return class == WEIR_OK ? weir_redis_errors(redis, err) : class;
}

/* A stored number; 0 when there is none. */
static int64_t
number_of(const struct weir_reply *reply)
{
	return reply->type == WEIR_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
}

/* ---- positions ---- */

enum weir_class
bench_redis_offsets(struct weir_redis *redis, const char *prefix, const char *topic, uint32_t partitions,
    int64_t *offsets_out, struct weir_error *err)
{
	char field[BENCH_NAME_MAX + 8];
	struct weir_buf *out;
	(void)snprintf(field, sizeof(field), "o:%s", topic);
	weir_redis_clear(redis);
	for (uint32_t p = 0; p < partitions; p++) {
		(void)weir_redis_add(redis, weir_slot_of_partition(prefix, p), 3, &out);
		weir_resp_text(out, "HGET");
		weir_resp_key(out, prefix, p, "h");
		weir_resp_text(out, field);
	}
	if (send_batch(redis, err) != WEIR_OK)
		return WEIR_RETRY;
	for (uint32_t p = 0; p < partitions; p++)
		offsets_out[p] = number_of(weir_redis_reply(redis, p));
	return WEIR_OK;
}

static bool
reached(const int64_t *at, const int64_t *ends, uint32_t partitions)
{
	for (uint32_t p = 0; p < partitions; p++)
		if (at[p] < ends[p])
			return false;
	return true;
}

enum weir_class
bench_redis_reach(struct bench_site *site, const char *prefix, const char *topic, const int64_t *ends,
    struct bench_weir *weirs, uint32_t weir_count, uint32_t timeout_ms, struct weir_error *err)
{
	uint32_t partitions = site->opts.partitions;
	int64_t *at = weir_calloc(partitions, sizeof(*at));
	struct weir_steady until = weir_steady_in_ms(timeout_ms);
	enum weir_class class = WEIR_OK;
	for (;;) {
		class = bench_redis_offsets(site->redis, prefix, topic, partitions, at, err);
		if (class != WEIR_OK || reached(at, ends, partitions))
			break;
		for (uint32_t i = 0; i < weir_count && class == WEIR_OK; i++)
			class = bench_child_alive(&weirs[i].child, err);
		if (class == WEIR_OK && weir_steady_reached(until))
			class = weir_error_set(
			    err, WEIR_FATAL, "%s was not read to its end within %u s", topic, timeout_ms / 1000);
		if (class != WEIR_OK)
			break;
		bench_sleep_us(POLL_US);
	}
	free(at);
	return class;
}

/* ---- keys ---- */

/* Adds what is to be done with one key to the client's batch. */
typedef void (*key_fn)(struct weir_redis *redis, struct weir_slice key, const void *ctx);

static enum weir_class
page_keys(struct bench_site *site, const struct weir_reply *keys, key_fn fn, const void *ctx, struct weir_error *err)
{
	weir_redis_clear(site->redis);
	for (size_t i = 0; i < keys->elements; i++)
		fn(site->redis, weir_reply_bytes(keys->element[i]), ctx);
	return send_batch(site->redis, err) == WEIR_OK ? WEIR_OK : WEIR_RETRY;
}

static enum weir_class
each_key(struct bench_site *site, const char *prefix, key_fn fn, const void *ctx, struct weir_error *err)
{
	char cursor[32] = "0", pattern[BENCH_NAME_MAX + 8];
	(void)snprintf(pattern, sizeof(pattern), "%s:*", prefix);
	do {
		struct weir_reply *page =
		    WEIR_REDIS_ASK(site->redis, WEIR_SLOT_ANY, err, "SCAN", cursor, "MATCH", pattern, "COUNT", "2000");
		if (page == NULL)
			return WEIR_RETRY;
		enum weir_class class = WEIR_FATAL;
		if (page->type == WEIR_REPLY_ARRAY && page->elements == 2 && page->element[1]->type == WEIR_REPLY_ARRAY) {
			(void)snprintf(cursor, sizeof(cursor), "%s", weir_reply_text(page->element[0]));
			class = page_keys(site, page->element[1], fn, ctx, err);
		}
		weir_reply_free(page);
		if (class != WEIR_OK)
			return class;
	} while (strcmp(cursor, "0") != 0);
	return WEIR_OK;
}

struct copy {
	const char *to;
	size_t from_len;
};

static void
copy_key(struct weir_redis *redis, struct weir_slice key, const void *ctx)
{
	const struct copy *copy = ctx;
	struct weir_buf *out;
	size_t to_len = strlen(copy->to), rest_len = key.len - copy->from_len;
	(void)weir_redis_add(redis, WEIR_SLOT_ANY, 4, &out);
	weir_resp_text(out, "COPY");
	weir_resp_bulk(out, key.data, key.len);
	uint8_t *to = weir_resp_reserve(out, to_len + rest_len);
	memcpy(to, copy->to, to_len);
	memcpy(to + to_len, key.data + copy->from_len, rest_len);
	weir_resp_text(out, "REPLACE");
}

enum weir_class
bench_redis_copy(struct bench_site *site, const char *from, const char *to, struct weir_error *err)
{
	const struct copy copy = {.to = to, .from_len = strlen(from)};
	return each_key(site, from, copy_key, &copy, err);
}

static void
delete_key(struct weir_redis *redis, struct weir_slice key, const void *ctx)
{
	struct weir_buf *out;
	(void)ctx;
	(void)weir_redis_add(redis, WEIR_SLOT_ANY, 2, &out);
	weir_resp_text(out, "DEL");
	weir_resp_bulk(out, key.data, key.len);
}

enum weir_class
bench_redis_delete(struct bench_site *site, const char *prefix, struct weir_error *err)
{
	return each_key(site, prefix, delete_key, NULL, err);
}

/* ---- figures ---- */

enum weir_class
bench_redis_info(struct bench_site *site, const char *section, const char *name, double *value_out, struct weir_error *err)
{
	char wanted[64];
	struct weir_reply *reply = WEIR_REDIS_ASK(site->redis, WEIR_SLOT_ANY, err, "INFO", section);
	if (reply == NULL)
		return WEIR_RETRY;
	(void)snprintf(wanted, sizeof(wanted), "\n%s:", name);
	const char *at = strstr(weir_reply_text(reply), wanted);
	*value_out = at != NULL ? strtod(at + strlen(wanted), NULL) : 0;
	weir_reply_free(reply);
	return at != NULL ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "Redis' INFO has no %s", name);
}

enum weir_class
bench_redis_cpu(struct bench_site *site, double *seconds_out, struct weir_error *err)
{
	double user, system;
	if (bench_redis_info(site, "cpu", "used_cpu_user", &user, err) != WEIR_OK ||
	    bench_redis_info(site, "cpu", "used_cpu_sys", &system, err) != WEIR_OK)
		return WEIR_RETRY;
	*seconds_out = user + system;
	return WEIR_OK;
}

enum weir_class
bench_redis_aof(struct bench_site *site, const char *aof, struct weir_error *err)
{
	bool on = strcmp(aof, "none") != 0;
	double busy = 1;
	struct weir_reply *reply = WEIR_REDIS_ASK(site->redis, WEIR_SLOT_ANY, err, "CONFIG", "SET", "appendonly",
	    on ? "yes" : "no", "appendfsync", on ? aof : "no");
	if (reply == NULL)
		return WEIR_FATAL;
	weir_reply_free(reply);
	while (on && busy > 0) {
		bench_sleep_us(POLL_US);
		if (bench_redis_info(site, "persistence", "aof_rewrite_in_progress", &busy, err) != WEIR_OK)
			return WEIR_FATAL;
		double scheduled = 0;
		if (bench_redis_info(site, "persistence", "aof_rewrite_scheduled", &scheduled, err) == WEIR_OK)
			busy += scheduled;
	}
	return WEIR_OK;
}

/* ---- usage ---- */

uint64_t
bench_usage_hash(uint64_t card, uint64_t up, uint64_t down, uint64_t records)
{
	uint64_t hash = weir_random_mix(card + WEIR_RANDOM_STEP) ^ up;
	hash = weir_random_mix(hash + WEIR_RANDOM_STEP) ^ down;
	hash = weir_random_mix(hash + WEIR_RANDOM_STEP) ^ records;
	return weir_random_mix(hash + WEIR_RANDOM_STEP);
}

struct usage {
	uint64_t below; /* cards from there on are not the workload's */
	uint64_t hash, records, cards;
};

/* One page of card slots (docs/formats.md). The number of a card is what its ICCID's digits behind the first four say. */
static void
page_usage(const uint8_t *page, size_t len, struct usage *usage)
{
	for (size_t at = 0; at + CARD_BYTES <= len; at += CARD_BYTES) {
		struct weir_iccid iccid;
		uint64_t up, down;
		uint32_t records;
		char text[WEIR_ICCID_TEXT_MAX];
		memcpy(&iccid.hi, page + at, 8);
		memcpy(&iccid.lo, page + at + 8, 8);
		if (weir_iccid_is_zero(iccid))
			continue;
		memcpy(&up, page + at + 16, 8);
		memcpy(&down, page + at + 24, 8);
		memcpy(&records, page + at + 40, 4);
		(void)weir_iccid_format(iccid, text);
		uint64_t card = strtoull(text + 4, NULL, 10);
		if (card >= usage->below)
			continue;
		usage->records += records;
		usage->cards++;
		if (records > 0) /* whether a silent card is known yet is no result */
			usage->hash += bench_usage_hash(card, up, down, records);
	}
}

static enum weir_class
pages_usage(struct bench_site *site, const char *prefix, uint32_t partition, uint64_t pages, struct usage *usage,
    struct weir_error *err)
{
	struct weir_buf *out;
	for (uint64_t from = 0; from < pages; from += PAGES_A_TIME) {
		uint64_t to = from + PAGES_A_TIME < pages ? from + PAGES_A_TIME : pages;
		weir_redis_clear(site->redis);
		for (uint64_t page = from; page < to; page++) {
			(void)weir_redis_add(site->redis, weir_slot_of_partition(prefix, partition), 2, &out);
			weir_resp_text(out, "GET");
			weir_resp_key(out, prefix, partition, "c:%llu", (unsigned long long)page);
		}
		if (send_batch(site->redis, err) != WEIR_OK)
			return WEIR_RETRY;
		for (uint32_t i = 0; i < weir_redis_count(site->redis); i++) {
			struct weir_slice bytes = weir_reply_bytes(weir_redis_reply(site->redis, i));
			page_usage(bytes.data, bytes.len, usage);
		}
	}
	return WEIR_OK;
}

enum weir_class
bench_redis_usage(struct bench_site *site, const char *prefix, uint64_t below, uint64_t *hash_out, uint64_t *records_out,
    uint64_t *cards_out, struct weir_error *err)
{
	struct usage usage = {.below = below};
	for (uint32_t p = 0; p < site->opts.partitions; p++) {
		char key[BENCH_NAME_MAX + 16];
		(void)snprintf(key, sizeof(key), "%s:{%u}:h", prefix, p);
		struct weir_reply *reply =
		    WEIR_REDIS_ASK(site->redis, weir_slot_of_key(weir_slice_of(key)), err, "HGET", key, "cards");
		if (reply == NULL)
			return WEIR_RETRY;
		uint64_t slots = (uint64_t)number_of(reply);
		weir_reply_free(reply);
		if (pages_usage(site, prefix, p, (slots + CARDS_A_PAGE - 1) / CARDS_A_PAGE, &usage, err) != WEIR_OK)
			return WEIR_RETRY;
	}
	*hash_out = usage.hash;
	*records_out = usage.records;
	*cards_out = usage.cards;
	return WEIR_OK;
}

/* ---- functions ---- */

/* The text stored under "library_code" anywhere in FUNCTION LIST's nested answer. */
static const char *
library_code(const struct weir_reply *reply)
{
	if (reply->type != WEIR_REPLY_ARRAY)
		return NULL;
	for (size_t i = 0; i < reply->elements; i++) {
		const struct weir_reply *e = reply->element[i];
		if (e->type == WEIR_REPLY_STRING && strcmp(e->str, "library_code") == 0 && i + 1 < reply->elements)
			return reply->element[i + 1]->str;
		const char *inner = library_code(e);
		if (inner != NULL)
			return inner;
	}
	return NULL;
}

enum weir_class
bench_redis_functions_keep(struct bench_site *site, struct weir_error *err)
{
	const char *const words[] = {"FUNCTION", "LIST", "LIBRARYNAME", "weir", "WITHCODE"};
	weir_redis_clear(site->redis);
	(void)weir_redis_add_words(site->redis, WEIR_SLOT_ANY, 5, words);
	if (weir_redis_send(site->redis, err) != WEIR_OK)
		return WEIR_FATAL;
	/* An error is of a Redis before 7, or of one that does not allow them: then weir installs nothing either. */
	const char *code = library_code(weir_redis_reply(site->redis, 0));
	site->functions = code != NULL ? weir_strdup(code) : NULL;
	return WEIR_OK;
}

void
bench_redis_functions_back(struct bench_site *site)
{
	struct weir_reply *reply =
	    site->functions != NULL
		? WEIR_REDIS_ASK(site->redis, WEIR_SLOT_ANY, NULL, "FUNCTION", "LOAD", "REPLACE", site->functions)
		: WEIR_REDIS_ASK(site->redis, WEIR_SLOT_ANY, NULL, "FUNCTION", "DELETE", "weir");
	weir_reply_free(reply);
}
