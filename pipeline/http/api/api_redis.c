/*
 * The API's own keys in Redis: idempotency keys, requests, bulk requests. Nothing that counts lies here, and lanes never
 * look at it.
 *
 * One client for each thread that needs one. All keys carry the tag {api}, so that in a cluster they are on one node.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/http/api/api_priv.h"
#include "pipeline/redis/client.h"

#define ARGS_MAX 24

struct weir_api_redis {
	const char *prefix;
	struct weir_redis *client;
};

struct weir_api_redis *
weir_api_redis_new(const struct weir_settings *settings)
{
	struct weir_api_redis *redis = weir_calloc(1, sizeof(*redis));
	redis->prefix = settings->redis_prefix;
	redis->client = weir_redis_new(&(struct weir_redis_opts){.settings = settings});
	return redis;
}

void
weir_api_redis_free(struct weir_api_redis *redis)
{
	if (redis == NULL)
		return;
	weir_redis_free(redis->client);
	free(redis);
}

/* An error reply is "not now" to the API, whatever it says: the caller gets it and may ask again. */
static bool
is_answered(struct weir_api_redis *redis, struct weir_error *err)
{
	if (weir_redis_send(redis->client, err) != WEIR_OK)
		return false;
	if (weir_redis_errors(redis->client, err) == WEIR_OK)
		return true;
	err->class = WEIR_RETRY;
	return false;
}

struct weir_reply *
weir_api_redis_query(
    struct weir_api_redis *redis, const char *key, struct weir_error *err, uint32_t argc, const struct weir_slice *argv)
{
	char name[256];
	struct weir_buf *out;
	WEIR_CHECK(argc >= 1 && argc < ARGS_MAX);
	int len = snprintf(name, sizeof(name), "%s:{api}:%s", redis->prefix, key);
	WEIR_CHECK(len > 0 && (size_t)len < sizeof(name));
	weir_redis_clear(redis->client);
	(void)weir_redis_add(redis->client, weir_slot_of_key(weir_slice_of(name)), argc + 1, &out);
	weir_resp_bulk(out, argv[0].data, argv[0].len);
	weir_resp_text(out, name);
	for (uint32_t i = 1; i < argc; i++)
		weir_resp_bulk(out, argv[i].data, argv[i].len);
	return is_answered(redis, err) ? weir_redis_take_reply(redis->client, 0) : NULL;
}

struct weir_reply *
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
