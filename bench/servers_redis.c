/* What the benchmarks read of a Redis that `weir run` writes, and how a run's keys are copied and deleted; see servers.h.
 */
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/servers.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "config/base/iccid.h"
#include "pipeline/store/store.h"

enum {
	POLL_US = 4000,
	PAGES_A_TIME = 64,
	CARDS_A_PAGE = 128,
	CARD_BYTES = 64,
	WAIT_S = 120 /* for a copy of millions of keys beside an append-only file */
};

enum weir_class
bench_redis_connect(struct bench_site *site, struct weir_error *err)
{
	struct timeval patience = {.tv_sec = WAIT_S};
	double cluster = 0;
	if (site->redis != NULL)
		redisFree(site->redis);
	site->redis = weir_redis_connect(site->settings, err);
	if (site->redis == NULL)
		return WEIR_FATAL;
	(void)redisSetTimeout(site->redis, patience);
	if (bench_redis_info(site, "cluster", "cluster_enabled", &cluster, err) != WEIR_OK)
		return WEIR_FATAL;
	if (cluster > 0)
		return weir_error_set(err, WEIR_FATAL, "this is a Redis Cluster: the benchmark needs a single Redis");
	return WEIR_OK;
}

/* The next answer of a pipeline; NULL with err when it is an error or none came. */
static redisReply *
read_reply(struct redisContext *redis, struct weir_error *err)
{
	void *got = NULL;
	if (redisGetReply(redis, &got) != REDIS_OK) {
		(void)weir_error_set(err, WEIR_RETRY, "Redis: %s", redis->errstr);
		return NULL;
	}
	redisReply *reply = got;
	if (reply->type != REDIS_REPLY_ERROR)
		return reply;
	(void)weir_error_set(err, WEIR_RETRY, "Redis: %.300s", reply->str);
	freeReplyObject(reply);
	return NULL;
}

static redisReply *
redis_command(struct redisContext *redis, struct weir_error *err, const char *format, const char *a, const char *b)
{
	if (redisAppendCommand(redis, format, a, b) != REDIS_OK) {
		(void)weir_error_set(err, WEIR_RETRY, "Redis: %s", redis->errstr);
		return NULL;
	}
	return read_reply(redis, err);
}

/* ---- positions ---- */

enum weir_class
bench_redis_offsets(struct redisContext *redis, const char *prefix, const char *topic, uint32_t partitions,
    int64_t *offsets_out, struct weir_error *err)
{
	enum weir_class class = WEIR_OK;
	for (uint32_t p = 0; p < partitions; p++)
		(void)redisAppendCommand(redis, "HGET %s:{%u}:h o:%s", prefix, p, topic);
	for (uint32_t p = 0; p < partitions; p++) {
		redisReply *reply = read_reply(redis, err);
		offsets_out[p] = reply != NULL && reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10) : 0;
		if (reply == NULL)
			class = WEIR_RETRY;
		if (reply == NULL && redis->err != 0)
			return class;
		if (reply != NULL)
			freeReplyObject(reply);
	}
	return class;
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

/* What to do with one page of keys; the connection is the site's. */
typedef enum weir_class (*keys_fn)(
    struct bench_site *site, redisReply *const *keys, size_t count, const void *ctx, struct weir_error *err);

static enum weir_class
each_key(struct bench_site *site, const char *prefix, keys_fn fn, const void *ctx, struct weir_error *err)
{
	char cursor[32] = "0", pattern[BENCH_NAME_MAX + 8];
	(void)snprintf(pattern, sizeof(pattern), "%s:*", prefix);
	do {
		redisReply *page = redis_command(site->redis, err, "SCAN %s MATCH %s COUNT 2000", cursor, pattern);
		if (page == NULL)
			return WEIR_RETRY;
		enum weir_class class = WEIR_FATAL;
		if (page->type == REDIS_REPLY_ARRAY && page->elements == 2 && page->element[1]->type == REDIS_REPLY_ARRAY) {
			(void)snprintf(cursor, sizeof(cursor), "%s", page->element[0]->str);
			class = fn(site, page->element[1]->element, page->element[1]->elements, ctx, err);
		}
		freeReplyObject(page);
		if (class != WEIR_OK)
			return class;
	} while (strcmp(cursor, "0") != 0);
	return WEIR_OK;
}

static enum weir_class
take_answers(struct bench_site *site, size_t count, struct weir_error *err)
{
	enum weir_class class = WEIR_OK;
	for (size_t i = 0; i < count; i++) {
		redisReply *reply = read_reply(site->redis, err);
		if (reply == NULL)
			class = WEIR_RETRY;
		else
			freeReplyObject(reply);
	}
	return class;
}

struct copy {
	const char *to;
	size_t from_len;
};

static enum weir_class
copy_keys(struct bench_site *site, redisReply *const *keys, size_t count, const void *ctx, struct weir_error *err)
{
	const struct copy *copy = ctx;
	for (size_t i = 0; i < count; i++) {
		const redisReply *key = keys[i];
		(void)redisAppendCommand(site->redis, "COPY %b %s%b REPLACE", key->str, key->len, copy->to,
		    key->str + copy->from_len, key->len - copy->from_len);
	}
	return take_answers(site, count, err);
}

enum weir_class
bench_redis_copy(struct bench_site *site, const char *from, const char *to, struct weir_error *err)
{
	const struct copy copy = {.to = to, .from_len = strlen(from)};
	return each_key(site, from, copy_keys, &copy, err);
}

static enum weir_class
delete_keys(struct bench_site *site, redisReply *const *keys, size_t count, const void *ctx, struct weir_error *err)
{
	(void)ctx;
	for (size_t i = 0; i < count; i++)
		(void)redisAppendCommand(site->redis, "DEL %b", keys[i]->str, keys[i]->len);
	return take_answers(site, count, err);
}

enum weir_class
bench_redis_delete(struct bench_site *site, const char *prefix, struct weir_error *err)
{
	return each_key(site, prefix, delete_keys, NULL, err);
}

/* ---- figures ---- */

enum weir_class
bench_redis_info(struct bench_site *site, const char *section, const char *name, double *value_out, struct weir_error *err)
{
	char wanted[64];
	redisReply *reply = redis_command(site->redis, err, "INFO %s", section, NULL);
	if (reply == NULL)
		return WEIR_RETRY;
	(void)snprintf(wanted, sizeof(wanted), "\n%s:", name);
	const char *at = reply->str != NULL ? strstr(reply->str, wanted) : NULL;
	*value_out = at != NULL ? strtod(at + strlen(wanted), NULL) : 0;
	freeReplyObject(reply);
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
	redisReply *reply =
	    redis_command(site->redis, err, "CONFIG SET appendonly %s appendfsync %s", on ? "yes" : "no", on ? aof : "no");
	if (reply == NULL)
		return WEIR_FATAL;
	freeReplyObject(reply);
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
	for (uint64_t from = 0; from < pages; from += PAGES_A_TIME) {
		uint64_t to = from + PAGES_A_TIME < pages ? from + PAGES_A_TIME : pages;
		for (uint64_t page = from; page < to; page++)
			(void)redisAppendCommand(
			    site->redis, "GET %s:{%u}:c:%llu", prefix, partition, (unsigned long long)page);
		for (uint64_t page = from; page < to; page++) {
			redisReply *reply = read_reply(site->redis, err);
			if (reply == NULL)
				return WEIR_RETRY;
			if (reply->type == REDIS_REPLY_STRING)
				page_usage((const uint8_t *)reply->str, reply->len, usage);
			freeReplyObject(reply);
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
		redisReply *reply = redis_command(site->redis, err, "HGET %s %s", key, "cards");
		if (reply == NULL)
			return WEIR_RETRY;
		uint64_t slots = reply->type == REDIS_REPLY_STRING ? strtoull(reply->str, NULL, 10) : 0;
		freeReplyObject(reply);
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
library_code(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY)
		return NULL;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *e = reply->element[i];
		if (e->type == REDIS_REPLY_STRING && strcmp(e->str, "library_code") == 0 && i + 1 < reply->elements)
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
	redisReply *reply = redis_command(site->redis, err, "FUNCTION LIST LIBRARYNAME %s WITHCODE", "weir", NULL);
	if (reply == NULL) /* before Redis 7, or not allowed: then weir installs nothing either */
		return site->redis->err == 0 ? WEIR_OK : WEIR_FATAL;
	const char *code = library_code(reply);
	site->functions = code != NULL ? weir_strdup(code) : NULL;
	freeReplyObject(reply);
	return WEIR_OK;
}

void
bench_redis_functions_back(struct bench_site *site)
{
	struct weir_error err;
	redisReply *reply = site->functions != NULL
				? redis_command(site->redis, &err, "FUNCTION LOAD REPLACE %s", site->functions, NULL)
				: redis_command(site->redis, &err, "FUNCTION DELETE %s", "weir", NULL);
	if (reply != NULL)
		freeReplyObject(reply);
}
