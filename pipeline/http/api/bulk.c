/* Taking a request in bulk: judged, stored, and left to the thread that carries it out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/log.h"
#include "config/base/timetext.h"
#include "pipeline/http/api/bulk_priv.h"

#define SAMPLE_ICCID "00000000000000000000" /* for judging the message before there is a card */

/* ---- a new one ---- */

static bool
refuse_parameter(struct weir_api_request *request, const char *parameter, const char *text)
{
	weir_api_problem(request, 400, "bad-parameter", parameter, "%s: %s", parameter, text);
	return false;
}

static bool
target_list(struct weir_api_request *request, const json_t *list, struct weir_bulk_entries *entries)
{
	size_t i;
	const json_t *element;
	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > WEIR_BULK_CARDS_MAX)
		return refuse_parameter(request, "target.iccids", "must be a list of 1 to 2,000,000 ICCIDs");
	json_array_foreach(list, i, element)
	{
		struct weir_iccid iccid;
		const char *text = json_string_value(element);
		if (text == NULL || !weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid)) {
			weir_api_problem(request, 400, "bad-parameter", "target.iccids",
			    "target.iccids: element %zu is no ICCID: must be 19 or 20 letters and digits", i);
			return false;
		}
		weir_bulk_add(entries, iccid);
	}
	return true;
}

static bool
target_range(struct weir_api_request *request, const json_t *target)
{
	struct weir_iccid ends[2];
	static const char *const names[] = {"iccid_from", "iccid_to"};
	for (int i = 0; i < 2; i++) {
		const char *text = json_string_value(json_object_get(target, names[i]));
		if (text == NULL || !weir_iccid_parse((const uint8_t *)text, strlen(text), &ends[i]))
			return refuse_parameter(request, i == 0 ? "target.iccid_from" : "target.iccid_to",
			    "must be 19 or 20 letters and digits");
	}
	if (ends[0].hi > ends[1].hi || (ends[0].hi == ends[1].hi && ends[0].lo > ends[1].lo))
		return refuse_parameter(request, "target.iccid_to", "before iccid_from");
	return true;
}

static bool
target_pool(struct weir_api_request *request, struct weir_api_worker *worker, const json_t *target)
{
	struct weir_error err = {0};
	const struct weir_pool_view *pool;
	const char *id = json_string_value(json_object_get(target, "pool"));
	if (id == NULL || id[0] == '\0' || strlen(id) >= WEIR_ID_MAX)
		return refuse_parameter(request, "target.pool", "must be the id of a pool");
	enum weir_read code = weir_read_pool(worker->reader, id, &pool, &err);
	if (code == WEIR_READ_OK)
		return true;
	if (code == WEIR_READ_MISSING)
		weir_api_problem(request, 404, "not-found", "target.pool", "target.pool: there is no such pool");
	else
		(void)weir_api_read_failed(request, worker, code, &err);
	return false;
}

/* Just one of the three kinds. */
static bool
target_check(struct weir_api_request *request, struct weir_api_worker *worker, const json_t *target,
    struct weir_bulk_entries *entries)
{
	size_t size = json_object_size(target);
	if (size == 1 && json_object_get(target, "pool") != NULL)
		return target_pool(request, worker, target);
	if (size == 1 && json_object_get(target, "iccids") != NULL)
		return target_list(request, json_object_get(target, "iccids"), entries);
	if (size == 2 && json_object_get(target, "iccid_from") != NULL && json_object_get(target, "iccid_to") != NULL)
		return target_range(request, target);
	return refuse_parameter(request, "target", "must be {pool}, {iccid_from, iccid_to} or {iccids}");
}

/* The message to each card, judged, without ICCID and id. The target is taken out of the body. */
static json_t *
message_of(struct weir_api_request *request, json_t *body, int64_t at_us)
{
	static const char *const known[] = {
	    "action", "by", "limit", "auto_restore", "bytes", "cycle", "months", "until", "reason", "set", NULL};
	struct weir_reference reference;
	char time[WEIR_TIME_TEXT_MAX];
	if (!weir_api_members_check(request, body, known) || !weir_api_by(request, body))
		return NULL;
	(void)weir_time_format_ms(at_us, time);
	(void)json_object_set_new(body, "type", json_string("request"));
	(void)json_object_set_new(body, "time", json_string(time));
	(void)json_object_set_new(body, "iccid", json_string(SAMPLE_ICCID));
	char *text = weir_api_message_text(request, body, &reference);
	if (text == NULL)
		return NULL;
	free(text);
	(void)json_object_del(body, "iccid");
	return body;
}

/* What the target is, without the list itself. */
static char *
target_words(const json_t *target, uint32_t count)
{
	if (json_object_get(target, "iccids") == NULL)
		return json_dumps(target, JSON_COMPACT);
	json_t *words = json_pack("{s:i}", "listed", (int)count);
	char *text = json_dumps(words, JSON_COMPACT);
	json_decref(words);
	return text;
}

static bool
bulk_exists(struct weir_api_redis *redis, const char *id, struct weir_error *err)
{
	char name[64];
	(void)snprintf(name, sizeof(name), "b:%s", id);
	struct weir_reply *reply = weir_api_redis_texts(redis, name, err, "EXISTS", NULL);
	bool exists = reply != NULL && reply->integer == 1;
	(void)weir_bulk_done(reply);
	return exists;
}

static bool
bulk_create(struct weir_api_request *request, struct weir_api_worker *worker, const char *id, const json_t *message,
    const json_t *target, const struct weir_bulk_entries *entries, int64_t at_us)
{
	struct weir_error err = {0};
	char at[24], total[16], name[64];
	if (bulk_exists(worker->redis, id, &err))
		return true; /* a repeat, whose first answer got lost */
	char *text = json_dumps(message, JSON_COMPACT), *words = target_words(target, entries->n);
	const char *by = json_string_value(json_object_get(message, "by"));
	const char *action = json_string_value(json_object_get(message, "action"));
	(void)snprintf(at, sizeof(at), "%lld", (long long)at_us);
	(void)snprintf(total, sizeof(total), "%u", entries->n);
	(void)snprintf(name, sizeof(name), "l:%s", id);
	bool stored = weir_bulk_done(weir_api_redis_texts(worker->redis, name, &err, "DEL", NULL)) &&
		      weir_bulk_store(worker->redis, id, entries, 0, entries->n, &err) &&
		      weir_bulk_set(worker->redis, id, &err, "state", entries->n > 0 ? "sending" : "collecting", "why", "",
			  "message", text, "target", words, "by", by, "action", action, "at_us", at, "total", total, "sent",
			  "0", "skipped", "0", "taken", "0", NULL) &&
		      weir_bulk_keep(worker->redis, id, request->api->settings, &err) &&
		      weir_bulk_done(weir_api_redis_texts(worker->redis, "bulks", &err, "SADD", id, NULL));
	if (stored)
		weir_log(WEIR_LOG_INFO, "api_bulk", "id=%s action=%s by=%s target=%.100s", id, action, by, words);
	free(text);
	free(words);
	return stored || weir_api_read_failed(request, worker, WEIR_READ_AWAY, &err);
}

static void
bulk_answer(struct weir_api_request *request, const char *id, const json_t *message, int64_t at_us)
{
	(void)snprintf(request->location, sizeof(request->location), "/v1/bulk/%s", id);
	struct weir_json json = weir_api_json(request, 202);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "id", id);
	weir_json_text(&json, "action", json_string_value(json_object_get(message, "action")));
	weir_json_text(&json, "by", json_string_value(json_object_get(message, "by")));
	weir_json_time(&json, "at", at_us);
	weir_json_text(&json, "location", request->location);
	weir_json_close(&json, '}');
}

static void
bulk_take(struct weir_api_request *request, struct weir_api_worker *worker, json_t *body, json_t *target)
{
	struct weir_bulk_entries entries = {0};
	char id[WEIR_API_ID_TEXT];
	int64_t at_us = weir_wall_now().us;
	json_t *message = message_of(request, body, at_us);
	if (message != NULL && target_check(request, worker, target, &entries) &&
	    weir_api_key_begin(request, worker, id) == WEIR_API_KEY_GO_ON &&
	    bulk_create(request, worker, id, message, target, &entries, at_us)) {
		bulk_answer(request, id, message, at_us);
		weir_api_key_end(request, worker, id);
		weir_api_bulks_wake(request->api->bulks);
	}
	free(entries.v);
}

void
weir_api_bulk_new(struct weir_api_request *request, struct weir_api_worker *worker)
{
	json_t *body = weir_api_body_object(request);
	if (body == NULL)
		return;
	json_t *target = json_incref(json_object_get(body, "target"));
	if (json_is_object(target)) {
		(void)json_object_del(body, "target");
		bulk_take(request, worker, body, target);
	} else {
		(void)refuse_parameter(request, "target", "must be {pool}, {iccid_from, iccid_to} or {iccids}");
	}
	json_decref(target);
	json_decref(body);
}
