/*
 * Installing the Redis Function library: functions/weir.lua, built in as text, with the key prefix put where @PREFIX@
 * stands. Replaced when the stored text differs, unless the stored one says a higher version: two weirs of different
 * age at one Redis must not take turns. weir works without it; only people at redis-cli miss it, so that a Redis before 7
 * or an ACL without FUNCTION is POISON (skip this, go on), not fatal.
 */
#include "pipeline/redis/functions.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/redis/batch.h"
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
static const struct weir_reply *
stored_code(const struct weir_reply *reply)
{
	if (reply->type != WEIR_REPLY_ARRAY)
		return NULL;
	for (size_t i = 0; i < reply->elements; i++) {
		const struct weir_reply *element = reply->element[i];
		if (element->type == WEIR_REPLY_STRING && strcmp(element->str, "library_code") == 0 &&
		    i + 1 < reply->elements && reply->element[i + 1]->type == WEIR_REPLY_STRING)
			return reply->element[i + 1];
		const struct weir_reply *inner = stored_code(element);
		if (inner != NULL)
			return inner;
	}
	return NULL;
}

static enum weir_class
refused(const struct weir_reply *error, struct weir_error *err)
{
	if (strstr(error->str, "unknown command") != NULL)
		return weir_error_set(err, WEIR_POISON,
		    "this Redis has no functions (they came with 7.0): weir_card is not installed, all else works");
	if (weir_refusal_of(error) != WEIR_REFUSAL_FINAL)
		return weir_error_set(err, WEIR_RETRY, "weir_card is not installed: %.300s", error->str);
	return weir_error_set(err, WEIR_POISON, "weir_card is not installed, all else works: %.300s", error->str);
}

/* One command of one node: OK with its reply, or what its refusal means. */
static enum weir_class
ask(struct weir_connection *connection, const struct weir_buf *command, struct weir_reply **reply_out,
    struct weir_error *err)
{
	enum weir_exchange end = weir_connection_open(connection);
	if (end == WEIR_EXCHANGE_OK)
		end = weir_connection_send(connection, command->data, command->len, 1);
	if (end == WEIR_EXCHANGE_OK)
		end = weir_connection_reply(connection, reply_out);
	if (end != WEIR_EXCHANGE_OK) {
		weir_connection_close(connection);
		return weir_error_set(err, WEIR_RETRY, "weir_card is not installed: %s", weir_connection_why(connection));
	}
	return (*reply_out)->type == WEIR_REPLY_ERROR ? refused(*reply_out, err) : WEIR_OK;
}

static enum weir_class
load(struct weir_connection *connection, const struct weir_buf *code, struct weir_error *err)
{
	struct weir_buf command = {0};
	struct weir_reply *reply = NULL;
	weir_resp_command(&command, 4);
	weir_resp_text(&command, "FUNCTION");
	weir_resp_text(&command, "LOAD");
	weir_resp_text(&command, "REPLACE");
	weir_resp_bulk(&command, code->data, code->len);
	enum weir_class class = ask(connection, &command, &reply, err);
	weir_reply_free(reply);
	weir_buf_free(&command);
	return class;
}

/* Is what the node holds the same, or a newer weir's? */
static bool
is_kept(const struct weir_reply *list, const struct weir_buf *code)
{
	const struct weir_reply *stored = stored_code(list);
	return stored != NULL && ((stored->len == code->len && memcmp(stored->str, code->data, code->len) == 0) ||
				     version_of(stored->str) > version_of(WEIR_LUA));
}

static enum weir_class
install_on(struct weir_connection *connection, const struct weir_buf *code, struct weir_error *err)
{
	struct weir_buf command = {0};
	struct weir_reply *list = NULL;
	weir_resp_command(&command, 5);
	weir_resp_text(&command, "FUNCTION");
	weir_resp_text(&command, "LIST");
	weir_resp_text(&command, "LIBRARYNAME");
	weir_resp_text(&command, "weir");
	weir_resp_text(&command, "WITHCODE");
	enum weir_class class = ask(connection, &command, &list, err);
	if (class == WEIR_OK && !is_kept(list, code))
		class = load(connection, code, err);
	weir_reply_free(list);
	weir_buf_free(&command);
	return class;
}

enum weir_class
weir_redis_install_functions(struct weir_redis *redis, const char *prefix, struct weir_error *err)
{
	if (!prefix_is_plain(prefix))
		return weir_error_set(err, WEIR_POISON, "weir_card is not installed: redis.prefix has a quote in it");
	if (redis->cluster == NULL)
		return weir_error_set(err, redis->url_error.class, "%s", redis->url_error.text);
	struct weir_buf code = {0};
	enum weir_class class = WEIR_OK;
	write_code(&code, prefix);
	(void)weir_cluster_discover(redis->cluster); /* a plain Redis refuses it, and one that is away says so below */
	for (uint32_t node = 0; node < weir_cluster_node_end(redis->cluster); node++) {
		struct weir_connection *connection = weir_cluster_connection(redis->cluster, node);
		if (connection == NULL || !weir_cluster_is_master(redis->cluster, node))
			continue;
		enum weir_class now = install_on(connection, &code, err);
		class = now != WEIR_OK ? now : class;
	}
	weir_buf_free(&code);
	return class;
}
