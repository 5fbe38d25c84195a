/* What an installation is made with; see installation.h. Main thread, at start. */
#include "pipeline/engine/installation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/log.h"
#include "consumers/source/source.h"
#include "pipeline/redis/client.h"
#include "pipeline/redis/functions.h"

#define KAFKA_TIMEOUT_MS 30000u

static uint16_t
slot_of(const char *key)
{
	return weir_slot_of_key(weir_slice_of(key));
}

/* "a, b, c", for a message. */
static void
join(const char *const *topics, uint32_t topic_count, char *text, size_t size)
{
	size_t at = 0;
	text[0] = '\0';
	for (uint32_t t = 0; t < topic_count && at + 2 < size; t++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", t > 0 ? ", " : "", topics[t]);
}

/* ---- the number of partitions ---- */

/* *pinned_out = 0: none yet. RETRY: Redis is away. */
static enum weir_class
read_pinned(struct weir_redis *redis, const char *key, uint32_t *pinned_out, struct weir_error *err)
{
	struct weir_reply *reply = WEIR_REDIS_ASK(redis, slot_of(key), err, "GET", key);
	*pinned_out = 0;
	if (reply == NULL)
		return WEIR_RETRY;
	if (reply->type == WEIR_REPLY_STRING)
		*pinned_out = (uint32_t)strtoul(reply->str, NULL, 10);
	weir_reply_free(reply);
	return WEIR_OK;
}

static enum weir_class
compare_pinned(const char *key, uint32_t pinned, const char *const *topics, uint32_t topic_count, uint32_t partitions,
    struct weir_error *err)
{
	char names[256];
	if (pinned == 0 || pinned == partitions)
		return WEIR_OK;
	join(topics, topic_count, names, sizeof(names));
	return weir_error_set(err, WEIR_FATAL,
	    "the topics %s have %u partitions, and the state in Redis was made with %u (%s): cards would be kept in two "
	    "partitions; create the topics with %u partitions again",
	    names, partitions, pinned, key, pinned);
}

/* ---- state that is missing ---- */

/* Which partitions have a header; has_out holds `partitions` of them. */
static enum weir_class
read_headers(struct weir_redis *redis, const char *prefix, uint32_t partitions, bool *has_out, struct weir_error *err)
{
	weir_redis_clear(redis);
	for (uint32_t p = 0; p < partitions; p++) {
		char key[128];
		(void)snprintf(key, sizeof(key), "%s:{%u}:h", prefix, p);
		(void)weir_redis_add_words(redis, slot_of(key), 3, (const char *const[]){"HEXISTS", key, "stream_time_us"});
	}
	enum weir_class class = weir_redis_send(redis, err);
	for (uint32_t p = 0; p < partitions && class == WEIR_OK; p++) {
		const struct weir_reply *reply = weir_redis_reply(redis, p);
		has_out[p] = reply != NULL && reply->type == WEIR_REPLY_INTEGER && reply->integer != 0;
	}
	return class;
}

static bool
all_have(const bool *has, uint32_t partitions)
{
	for (uint32_t p = 0; p < partitions; p++)
		if (!has[p])
			return false;
	return true;
}

/* A partition without state of which the group has committed an offset. */
static enum weir_class
compare_committed(const struct weir_settings *settings, const char *const *topics, uint32_t topic_count,
    uint32_t partitions, const bool *has, struct weir_error *err)
{
	int64_t *committed = weir_calloc((size_t)topic_count * partitions, sizeof(*committed));
	enum weir_class class =
	    weir_source_committed(settings, topics, topic_count, partitions, KAFKA_TIMEOUT_MS, committed, err);
	for (uint32_t i = 0; i < topic_count * partitions && class == WEIR_OK; i++) {
		uint32_t topic = i / partitions, partition = i % partitions;
		if (has[partition] || committed[i] <= 0)
			continue;
		class = weir_error_set(err, WEIR_FATAL,
		    "Redis has no state of partition %u, but group %s has committed offset %lld of %s: what was counted is "
		    "lost. "
		    "Restore Redis; or start with --first-start, which counts what Kafka still holds from nothing",
		    partition, settings->kafka_group, (long long)committed[i], topics[topic]);
	}
	free(committed);
	if (class == WEIR_RETRY) /* not knowing is no reason to count from nothing */
		err->class = class = WEIR_FATAL;
	return class;
}

static enum weir_class
check_state(struct weir_redis *redis, const struct weir_settings *settings, const char *const *topics, uint32_t topic_count,
    uint32_t partitions, struct weir_error *err)
{
	bool *has = weir_calloc(partitions, sizeof(*has));
	enum weir_class class = read_headers(redis, settings->redis_prefix, partitions, has, err);
	if (class == WEIR_OK && !settings->first_start && !all_have(has, partitions))
		class = compare_committed(settings, topics, topic_count, partitions, has, err);
	free(has);
	return class;
}

/* ---- all of it ---- */

/* Written for readers, who find a card's partition by it, and for the next start. */
static enum weir_class
pin(struct weir_redis *redis, const char *key, uint32_t partitions, const char *prefix, struct weir_error *err)
{
	char count[16];
	(void)snprintf(count, sizeof(count), "%u", partitions);
	struct weir_reply *reply = WEIR_REDIS_ASK(redis, slot_of(key), err, "SET", key, count);
	if (reply == NULL)
		return WEIR_RETRY;
	weir_reply_free(reply);
	if (weir_redis_install_functions(redis, prefix, err) != WEIR_OK)
		weir_log(WEIR_LOG_WARN, "redis_functions", "%s", err->text);
	return WEIR_OK;
}

enum weir_class
weir_installation_check(const struct weir_settings *settings, const char *const *topics, uint32_t topic_count,
    uint32_t partitions, struct weir_error *err)
{
	struct weir_redis *redis = weir_redis_new(&(struct weir_redis_opts){.settings = settings});
	uint32_t pinned;
	char key[128];
	(void)snprintf(key, sizeof(key), "%s:partitions", settings->redis_prefix);
	enum weir_class class = read_pinned(redis, key, &pinned, err);
	if (class == WEIR_OK)
		class = compare_pinned(key, pinned, topics, topic_count, partitions, err);
	if (class == WEIR_OK)
		class = check_state(redis, settings, topics, topic_count, partitions, err);
	if (class == WEIR_OK)
		class = pin(redis, key, partitions, settings->redis_prefix, err);
	weir_redis_free(redis);
	if (class != WEIR_RETRY)
		return class;
	weir_log(WEIR_LOG_WARN, "redis_away", "%s", err->text);
	return WEIR_OK;
}
