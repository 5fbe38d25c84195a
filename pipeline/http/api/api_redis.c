/*
 * The API's own keys in Redis: idempotency keys, requests, bulk requests. Nothing that counts lies here, and lanes never
 * look at it.
 *
 * One blocking connection for each thread that needs one. All keys carry the tag {api}, so that in a cluster they are on
 * one node, to which MOVED leads.
 */
#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/http/api/api_priv.h"
#include "pipeline/store/store.h"

#define ARGS_MAX 24
#define TRIES 3

struct weir_api_redis {
	const struct weir_settings *settings;
	struct redisContext *context; /* NULL = closed */
	char node[280];               /* where MOVED led, "" = redis.url */
};

struct weir_api_redis *
weir_api_redis_new(const struct weir_settings *settings)
{
	struct weir_api_redis *redis = weir_calloc(1, sizeof(*redis));
	redis->settings = settings;
	return redis;
}

static void
redis_close(struct weir_api_redis *redis)
{
	if (redis->context != NULL)
		redisFree(redis->context);
	redis->context = NULL;
}

void
weir_api_redis_free(struct weir_api_redis *redis)
{
	if (redis == NULL)
		return;
	redis_close(redis);
	free(redis);
}

static bool
redis_open(struct weir_api_redis *redis, struct weir_error *err)
{
	if (redis->context == NULL)
		redis->context = redis->node[0] == '\0' ? weir_redis_connect(redis->settings, err)
							: weir_redis_connect_node(redis->settings, redis->node, err);
	if (redis->context == NULL)
		redis->node[0] = '\0';
	return redis->context != NULL;
}

/* "MOVED 1234 host:port": the next attempt goes there. */
static bool
follow_moved(struct weir_api_redis *redis, const char *text)
{
	int at = 0;
	if (sscanf(text, "MOVED %*u %n", &at) != 0 || at == 0 || strlen(text + at) >= sizeof(redis->node))
		return false;
	redis_close(redis);
	memcpy(redis->node, text + at, strlen(text + at) + 1);
	return true;
}

/* One attempt. NULL with *again_out: another one may help. */
static struct redisReply *
query_once(struct weir_api_redis *redis, uint32_t argc, const char **argv, const size_t *lens, bool *again_out,
    struct weir_error *err)
{
	*again_out = true;
	if (!redis_open(redis, err)) {
		*again_out = false;
		return NULL;
	}
	struct redisReply *reply = redisCommandArgv(redis->context, (int)argc, argv, lens);
	if (reply == NULL) {
		(void)weir_error_set(err, WEIR_RETRY, "Redis: %s", redis->context->errstr);
		redis_close(redis);
		return NULL;
	}
	if (reply->type != REDIS_REPLY_ERROR)
		return reply;
	(void)weir_error_set(err, WEIR_RETRY, "Redis: %.300s", reply->str);
	*again_out = follow_moved(redis, reply->str);
	freeReplyObject(reply);
	return NULL;
}

struct redisReply *
weir_api_redis_query(
    struct weir_api_redis *redis, const char *key, struct weir_error *err, uint32_t argc, const struct weir_slice *argv)
{
	const char *words[ARGS_MAX];
	size_t lens[ARGS_MAX];
	char name[256];
	WEIR_CHECK(argc >= 1 && argc < ARGS_MAX);
	words[0] = (const char *)argv[0].data;
	lens[0] = argv[0].len;
	lens[1] = (size_t)snprintf(name, sizeof(name), "%s:{api}:%s", redis->settings->redis_prefix, key);
	words[1] = name;
	WEIR_CHECK(lens[1] < sizeof(name));
	for (uint32_t i = 1; i < argc; i++) {
		words[i + 1] = (const char *)argv[i].data;
		lens[i + 1] = argv[i].len;
	}
	struct redisReply *reply = NULL;
	bool again = true;
	for (int i = 0; i < TRIES && again && reply == NULL; i++)
		reply = query_once(redis, argc + 1, words, lens, &again, err);
	return reply;
}

struct redisReply *
weir_api_redis_texts(struct weir_api_redis *redis, const char *key, struct weir_error *err, ...)
{
	struct weir_slice argv[ARGS_MAX];
	uint32_t argc = 0;
	va_list args;
	va_start(args, err);
	for (const char *text; (text = va_arg(args, const char *)) != NULL && argc < ARGS_MAX - 1;)
		argv[argc++] = weir_slice_of(text);
	va_end(args);
	return weir_api_redis_query(redis, key, err, argc, argv);
}
