/*
 * `weir card`: what Redis knows of one card, through the function that every other reader may call too (FCALL_RO
 * weir_card). No older than one flush. The fields are the function's: this file gives them shape, not meaning.
 */
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/iccid.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/common.h"
#include "pipeline/store/store.h"

static const struct weir_usage usage = {
    .command = "card",
    .arguments = "ICCID",
    .text = "Shows a card's usage of the cycle, its past cycles, limits, reasons to be cut off, and its last command.\n"
	    "Amounts are bytes. Exit code 1 when there is no such card.\n",
};

static void
card_print_table(const redisReply *reply)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		(void)printf("%-14s %s\n", reply->element[i]->str, reply->element[i + 1]->str);
}

/* A value as JSON: digits become a number where JSON's integers hold it, "none" becomes null. */
static json_t *
value_to_json(const char *name, const char *value)
{
	static const char *const texts[] = {"iccid", "carrier", "plan", "ticket"};
	if (strcmp(value, "none") == 0)
		return json_null();
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(name, texts[i]) == 0)
			return json_string(value);
	size_t len = strlen(value);
	if (len > 0 && len < 19 && strspn(value, "0123456789") == len)
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
			(void)json_object_set_new(list, word, value_to_json("used_bytes", colon + 1));
		}
	}
	free(copy);
	return list;
}

static void
card_print_json(const redisReply *reply)
{
	json_t *card = json_object();
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const char *name = reply->element[i]->str, *value = reply->element[i + 1]->str;
		json_t *json = strcmp(name, "reasons") == 0    ? list_to_json(value, false)
			       : strcmp(name, "previous") == 0 ? list_to_json(value, true)
							       : value_to_json(name, value);
		(void)json_object_set_new(card, name, json);
	}
	(void)json_dumpf(card, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(card);
}

static bool
reply_is_card(const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return false;
	return true;
}

static int
reply_show(const redisReply *reply, const char *iccid, bool json)
{
	struct weir_error err = {0};
	if (reply->type == REDIS_REPLY_ERROR) {
		bool missing = strstr(reply->str, "unction not found") != NULL;
		(void)weir_error_set(
		    &err, WEIR_FATAL, "Redis: %s%s", reply->str, missing ? " (weir run installs it when it starts)" : "");
		return weir_cli_fail("card", WEIR_EXIT_FAILED, &err);
	}
	if (!reply_is_card(reply)) {
		(void)weir_error_set(&err, WEIR_FATAL, "Redis answered something that is no card");
		return weir_cli_fail("card", WEIR_EXIT_FAILED, &err);
	}
	if (reply->elements == 0) {
		(void)weir_error_set(&err, WEIR_POISON, "no card %s", iccid);
		return weir_cli_fail("card", WEIR_EXIT_FAILED, &err);
	}
	if (json)
		card_print_json(reply);
	else
		card_print_table(reply);
	return WEIR_EXIT_OK;
}

static int
card_show(const struct weir_settings *settings, const char *iccid, bool json)
{
	struct weir_error err = {0};
	redisContext *redis = weir_redis_connect(settings, &err);
	if (redis == NULL)
		return weir_cli_fail("card", WEIR_EXIT_UNREACHABLE, &err);
	int code;
	redisReply *reply = redisCommand(redis, "FCALL_RO weir_card 0 %s %s", iccid, settings->redis_prefix);
	if (reply == NULL) {
		(void)weir_error_set(&err, WEIR_RETRY, "Redis: %s", redis->errstr);
		code = weir_cli_fail("card", WEIR_EXIT_UNREACHABLE, &err);
	} else {
		code = reply_show(reply, iccid, json);
		freeReplyObject(reply);
	}
	redisFree(redis);
	return code;
}

int
weir_cli_card(int argc, char **argv)
{
	struct weir_common common = {0};
	bool json = false;
	const struct weir_option options[] = {WEIR_OPTIONS_COMMON(common),
	    {.name = "json", .help = "one JSON object instead of a table", .flag = &json}, {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 1, 1, &words, &code))
		return code;
	struct weir_iccid iccid;
	struct weir_error err = {0};
	if (!weir_iccid_parse((const uint8_t *)words.v[0], strlen(words.v[0]), &iccid)) {
		(void)weir_error_set(&err, WEIR_POISON, "'%s' is no ICCID: 19 or 20 letters and digits", words.v[0]);
		return weir_cli_fail("card", WEIR_EXIT_USAGE, &err);
	}
	struct weir_settings *settings = NULL;
	code = weir_common_load(&common, "card", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	char text[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(iccid, text);
	code = card_show(settings, text, json);
	weir_settings_free(settings);
	return code;
}
