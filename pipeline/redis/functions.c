/*
 * Installing the Redis Function library: functions/weir.lua, built in as text, with the key prefix put where @PREFIX@
 * stands. Replaced when the stored text differs, unless the stored one says a higher version: two weirs of different
 * age at one Redis must not take turns. weir works without it; only people at redis-cli miss it, so that a Redis before 7
 * or an ACL without FUNCTION is POISON (skip this, go on), not fatal. Any thread that owns the connection.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/store/store.h"
#include "weir_lua.h"

#define PLACE "@PREFIX@"
#define VERSION_WORDS "-- weir functions version "

/* A prefix goes into a Lua string: what would end or escape it is left out of the allowed set. */
static bool
prefix_is_plain(const char *prefix)
{
	for (; *prefix != '\0'; prefix++)
		if (*prefix == '\'' || *prefix == '\\' || (unsigned char)*prefix < ' ')
			return false;
	return true;
}

static void
write_code(struct weir_buf *code, const char *prefix)
{
	const char *at = strstr(WEIR_LUA, PLACE);
	WEIR_CHECK(at != NULL);
	weir_buf_append(code, WEIR_LUA, (size_t)(at - WEIR_LUA));
	weir_buf_append(code, prefix, strlen(prefix));
	weir_buf_append(code, at + strlen(PLACE), strlen(at + strlen(PLACE)));
}

static long
version_of(const char *code)
{
	const char *at = strstr(code, VERSION_WORDS);
	return at != NULL ? strtol(at + strlen(VERSION_WORDS), NULL, 10) : 0;
}

/* The text stored under "library_code" anywhere in FUNCTION LIST's nested answer, NULL when there is none. */
static const redisReply *
stored_code(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY)
		return NULL;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *element = reply->element[i];
		if (element->type == REDIS_REPLY_STRING && strcmp(element->str, "library_code") == 0 &&
		    i + 1 < reply->elements && reply->element[i + 1]->type == REDIS_REPLY_STRING)
			return reply->element[i + 1];
		const redisReply *inner = stored_code(element);
		if (inner != NULL)
			return inner;
	}
	return NULL;
}

static enum weir_class
refused(const redisReply *reply, struct weir_error *err)
{
	if (strstr(reply->str, "unknown command") != NULL)
		return weir_error_set(err, WEIR_POISON,
		    "this Redis has no functions (they came with 7.0): weir_card is not installed, all else works");
	if (strncmp(reply->str, "LOADING", 7) == 0 || strncmp(reply->str, "READONLY", 8) == 0 ||
	    strncmp(reply->str, "OOM", 3) == 0 || strncmp(reply->str, "MISCONF", 7) == 0 ||
	    strncmp(reply->str, "BUSY", 4) == 0 || strncmp(reply->str, "CLUSTERDOWN", 11) == 0)
		return weir_error_set(err, WEIR_RETRY, "weir_card is not installed: %.300s", reply->str);
	return weir_error_set(err, WEIR_POISON, "weir_card is not installed, all else works: %.300s", reply->str);
}

static enum weir_class
load(struct redisContext *redis, const struct weir_buf *code, struct weir_error *err)
{
	redisReply *reply = redisCommand(redis, "FUNCTION LOAD REPLACE %b", code->data, code->len);
	if (reply == NULL)
		return weir_error_set(err, WEIR_RETRY, "weir_card is not installed: %s", redis->errstr);
	enum weir_class class = reply->type == REDIS_REPLY_ERROR ? refused(reply, err) : WEIR_OK;
	freeReplyObject(reply);
	return class;
}

enum weir_class
weir_redis_install_functions_at(struct redisContext *redis, const char *prefix, struct weir_error *err)
{
	if (!prefix_is_plain(prefix))
		return weir_error_set(err, WEIR_POISON, "weir_card is not installed: redis.prefix has a quote in it");
	redisReply *reply = redisCommand(redis, "FUNCTION LIST LIBRARYNAME weir WITHCODE");
	if (reply == NULL)
		return weir_error_set(err, WEIR_RETRY, "weir_card is not installed: %s", redis->errstr);
	if (reply->type == REDIS_REPLY_ERROR) {
		enum weir_class class = refused(reply, err);
		freeReplyObject(reply);
		return class;
	}
	struct weir_buf code = {0};
	write_code(&code, prefix);
	const redisReply *stored = stored_code(reply);
	bool keep = stored != NULL && ((stored->len == code.len && memcmp(stored->str, code.data, code.len) == 0) ||
					  version_of(stored->str) > version_of(WEIR_LUA));
	enum weir_class class = keep ? WEIR_OK : load(redis, &code, err);
	freeReplyObject(reply);
	weir_buf_free(&code);
	return class;
}

enum weir_class
weir_redis_install_functions(struct redisContext *redis, struct weir_error *err)
{
	return weir_redis_install_functions_at(redis, "weir", err);
}
