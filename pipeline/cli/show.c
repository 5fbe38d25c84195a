/* Printing of what weir_card and weir_pool answer; see show.h. */
#include "pipeline/cli/show.h"

#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/cli/cli.h"
#include "pipeline/store/store.h"

static bool
is_among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static void
print_table(const redisReply *reply)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		(void)printf("%-20s %s\n", reply->element[i]->str, reply->element[i + 1]->str);
}

/* Digits become a number where JSON's integers hold it, "none" becomes null. */
static json_t *
value_to_json(const char *value, bool is_text)
{
	size_t digits = strspn(value + (value[0] == '-'), "0123456789"), len = strlen(value);
	if (strcmp(value, "none") == 0)
		return json_null();
	if (!is_text && digits > 0 && digits < 19 && digits + (value[0] == '-') == len)
		return json_integer(strtoll(value, NULL, 10));
	return json_string(value);
}

/* "a,b" as an array; with pairs, "2026-10:5,2026-09:7" as an object. */
static json_t *
list_to_json(const char *value, bool pairs)
{
	json_t *list = pairs ? json_object() : json_array();
	char *copy = weir_strdup(value), *rest = copy, *word;
	while (strcmp(value, "none") != 0 && (word = strsep(&rest, ",")) != NULL) {
		char *colon = pairs ? strrchr(word, ':') : NULL;
		if (!pairs) {
			(void)json_array_append_new(list, json_string(word));
		} else if (colon != NULL) {
			*colon = '\0';
			(void)json_object_set_new(list, word, value_to_json(colon + 1, false));
		}
	}
	free(copy);
	return list;
}

static void
print_json(const struct weir_show *show, const redisReply *reply)
{
	json_t *object = json_object();
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const char *name = reply->element[i]->str, *value = reply->element[i + 1]->str;
		bool pairs = is_among(name, show->pairs);
		json_t *json = pairs || is_among(name, show->lists) ? list_to_json(value, pairs)
								    : value_to_json(value, is_among(name, show->texts));
		(void)json_object_set_new(object, name, json);
	}
	(void)json_dumpf(object, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(object);
}

static bool
is_fields(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return false;
	return true;
}

static int
print_reply(const struct weir_show *show, const redisReply *reply, const char *name, bool json)
{
	struct weir_error err = {0};
	if (reply->type == REDIS_REPLY_ERROR) {
		bool missing = strstr(reply->str, "unction not found") != NULL;
		(void)weir_error_set(
		    &err, WEIR_FATAL, "Redis: %s%s", reply->str, missing ? " (weir run installs it when it starts)" : "");
		return weir_cli_fail(show->command, WEIR_EXIT_FAILED, &err);
	}
	if (!is_fields(reply)) {
		(void)weir_error_set(&err, WEIR_FATAL, "Redis answered something that is no %s", show->what);
		return weir_cli_fail(show->command, WEIR_EXIT_FAILED, &err);
	}
	if (reply->elements == 0) {
		(void)weir_error_set(&err, WEIR_POISON, "no %s %s", show->what, name);
		return weir_cli_fail(show->command, WEIR_EXIT_FAILED, &err);
	}
	if (json)
		print_json(show, reply);
	else
		print_table(reply);
	return WEIR_EXIT_OK;
}

int
weir_show(const struct weir_show *show, const struct weir_settings *settings, const char *name, bool json)
{
	struct weir_error err = {0};
	redisContext *redis = weir_redis_connect(settings, &err);
	if (redis == NULL)
		return weir_cli_fail(show->command, WEIR_EXIT_UNREACHABLE, &err);
	int code;
	redisReply *reply = redisCommand(redis, "FCALL_RO %s 0 %s %s", show->function, name, settings->redis_prefix);
	if (reply == NULL) {
		(void)weir_error_set(&err, WEIR_RETRY, "Redis: %s", redis->errstr);
		code = weir_cli_fail(show->command, WEIR_EXIT_UNREACHABLE, &err);
	} else {
		code = print_reply(show, reply, name, json);
		freeReplyObject(reply);
	}
	redisFree(redis);
	return code;
}
