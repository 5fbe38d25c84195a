/*
 * Operators' requests: from a body to a message of weir.cards, and what became of it.
 *
 * The body holds a request's own members (docs/formats.md); on whom, its id, who asks and when are added here. The parser
 * of the messages themselves judges it, so that what is answered 202 is never refused for its shape later. Whether it can
 * be applied the card's partition decides; its answer is read back from the audit (GET …/requests/{id}).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/log.h"
#include "config/base/timetext.h"
#include "pipeline/http/api/requests_priv.h"

/* Ours to say, not the caller's. */
static const char *const OURS[] = {"type", "iccid", "pool", "id", "time", NULL};
static const char *const MEMBERS[] = {
    "action", "by", "limit", "auto_restore", "bytes", "cycle", "months", "until", "reason", "set", NULL};

static bool
in_words(const char *const *words, const char *word)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

json_t *
weir_api_body_object(struct weir_api_request *request)
{
	json_error_t wrong;
	json_t *body = json_loadb(
	    (const char *)request->body.data, request->body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &wrong);
	if (body == NULL)
		weir_api_problem(
		    request, 400, "bad-body", NULL, "the body is no JSON: line %d: %s", wrong.line, wrong.text);
	else if (!json_is_object(body))
		weir_api_problem(request, 400, "bad-body", NULL, "the body must be a JSON object");
	if (body != NULL && !json_is_object(body)) {
		json_decref(body);
		body = NULL;
	}
	return body;
}

bool
weir_api_members_check(struct weir_api_request *request, json_t *body, const char *const *known)
{
	const char *name;
	json_t *value;
	json_object_foreach(body, name, value)
	{
		if (in_words(known, name))
			continue;
		weir_api_problem(request, 400, "unknown-parameter", name, "%.64s: %s", name,
		    in_words(OURS, name) ? "is not the caller's to say" : "unknown");
		return false;
	}
	return true;
}

bool
weir_api_by(struct weir_api_request *request, json_t *body)
{
	const json_t *by = json_object_get(body, "by");
	char name[2 * WEIR_ID_MAX];
	if (by != NULL &&
	    (!json_is_string(by) || strlen(json_string_value(by)) == 0 || strlen(json_string_value(by)) > 32)) {
		weir_api_problem(request, 400, "bad-parameter", "by", "by: must be a text of 1 to 32 characters");
		return false;
	}
	/* The token's name is always there: a caller cannot speak for another one. */
	(void)snprintf(name, sizeof(name), "%s%s%s", request->caller.name, by != NULL ? ":" : "",
	    by != NULL ? json_string_value(by) : "");
	(void)json_object_set_new(body, "by", json_string(name));
	return true;
}

/* Text of the message; the caller frees it. NULL after a problem that names the member. */
char *
weir_api_message_text(struct weir_api_request *request, json_t *message, struct weir_reference *reference_out)
{
	struct weir_error err = {0};
	char *text = json_dumps(message, JSON_COMPACT);
	if (text == NULL) {
		weir_api_problem(request, 400, "bad-body", NULL, "the body holds text that is not UTF-8");
		return NULL;
	}
	if (weir_reference_parse(weir_slice_of(text), reference_out, &err) == WEIR_OK)
		return text;
	/* "request: bytes: missing (SUS-2)" -> bytes */
	const char *member = strstr(err.text, ": ");
	char name[64] = "";
	member = member != NULL ? member + 2 : err.text;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(strcspn(member, ":") < 63 ? strcspn(member, ":") : 63), member);
	weir_api_problem(request, 400, "bad-parameter", name, "%s", member);
	free(text);
	return NULL;
}

/* ---- what is remembered of a request: `q:<id>` ---- */

static void
remember(struct weir_api_request *request, struct weir_api_worker *worker, const struct weir_api_asked *asked,
    const struct weir_api_message *message)
{
	struct weir_error err = {0};
	char name[64], seconds[16];
	json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:b}", "subject", asked->subject, "action", asked->action,
	    "by", asked->by, "partition", (int)message->partition, "offset", (json_int_t)message->offset, "at_us",
	    (json_int_t)asked->at_us, "audited", asked->audited);
	char *text = json_dumps(json, JSON_COMPACT);
	(void)snprintf(name, sizeof(name), "q:%s", asked->id);
	(void)snprintf(seconds, sizeof(seconds), "%u", request->api->settings->api_kept_h * 3600u);
	struct weir_reply *reply = weir_api_redis_texts(worker->redis, name, &err, "SET", text, "EX", seconds, NULL);
	if (reply == NULL) /* it is sent all the same; only its result cannot be shown */
		WEIR_LOG_LIMITED(WEIR_LOG_WARN, "api_request_forgotten", "id=%s %s", asked->id, err.text);
	weir_reply_free(reply);
	free(text);
	json_decref(json);
}

/* ---- sending ---- */

static void
accepted_answer(struct weir_api_request *request, const struct weir_api_asked *asked)
{
	char text[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(asked->at_us, text);
	struct weir_json json = weir_api_json(request, 202);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "id", asked->id);
	weir_json_text(&json, asked->kind, asked->subject);
	weir_json_text(&json, "action", asked->action);
	weir_json_text(&json, "by", asked->by);
	weir_json_text(&json, "at", text);
	weir_json_text_or_null(&json, "location", request->location);
	weir_json_close(&json, '}');
}

static void
location_set(struct weir_api_request *request, const struct weir_api_asked *asked)
{
	if (strcmp(asked->kind, "iccid") != 0 && strcmp(asked->kind, "pool") != 0)
		return;
	/* A pool's segment as the caller wrote it would be decoded by now: encode what is not plain. */
	char subject[3 * WEIR_ID_MAX + 1];
	size_t n = 0;
	for (const char *at = asked->subject; *at != '\0'; at++) {
		bool plain = (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
			     strchr("-._~", *at) != NULL;
		n += (size_t)snprintf(subject + n, sizeof(subject) - n, plain ? "%c" : "%%%02X", (unsigned char)*at);
	}
	(void)snprintf(request->location, sizeof(request->location), "/v1/%s/%s/requests/%s",
	    strcmp(asked->kind, "iccid") == 0 ? "cards" : "pools", subject, asked->id);
}

static bool
produce(struct weir_api_request *request, struct weir_api_message *messages, uint32_t count)
{
	struct weir_error err = {0};
	if (weir_api_produce(request->api->producer, messages, count, &err))
		return true;
	WEIR_LOG_LIMITED(WEIR_LOG_WARN, "api_kafka_away", "%s", err.text);
	weir_api_problem(request, 503, "queue-away", NULL,
	    "the request could not be handed over within ten seconds; ask again with the same Idempotency-Key");
	return false;
}

/*
 * Gives the message its id and sends it: `copies` of it, one to each partition, when it has no key. Takes `message` over.
 */
void
weir_api_command_request(struct weir_api_request *request, struct weir_api_worker *worker, json_t *message,
    struct weir_api_asked *asked, uint32_t copies)
{
	WEIR_CHECK(copies >= 1);
	if (weir_api_key_begin(request, worker, asked->id) == WEIR_API_KEY_ANSWERED) {
		json_decref(message);
		return;
	}
	if (asked->has_id)
		(void)json_object_set_new(message, "id", json_string(asked->id));
	char *text = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	struct weir_api_message *messages = weir_calloc(copies, sizeof(*messages));
	for (uint32_t i = 0; i < copies; i++)
		messages[i] = (struct weir_api_message){.key = asked->keyed ? asked->subject : NULL,
		    .partition = asked->keyed ? asked->partition : (int32_t)i,
		    .json = weir_slice_of(text)};
	bool sent = produce(request, messages, copies);
	struct weir_api_message first = messages[0];
	free(messages);
	free(text);
	if (!sent)
		return;
	weir_log(WEIR_LOG_INFO, "api_asked", "id=%s %s=%s action=%s by=%s", asked->id, asked->kind, asked->subject,
	    asked->action, asked->by);
	location_set(request, asked);
	remember(request, worker, asked, &first);
	accepted_answer(request, asked);
	weir_api_key_end(request, worker, asked->id);
}

/* ---- cards and pools ---- */

static void
asked_fill(struct weir_api_asked *asked, const char *kind, const char *subject, json_t *message, int64_t at_us)
{
	const char *action = json_string_value(json_object_get(message, "action"));
	const char *by = json_string_value(json_object_get(message, "by"));
	*asked = (struct weir_api_asked){
	    .kind = kind, .subject = subject, .keyed = true, .has_id = true, .audited = true, .at_us = at_us};
	(void)snprintf(asked->action, sizeof(asked->action), "%s", action != NULL ? action : "");
	(void)snprintf(asked->by, sizeof(asked->by), "%s", by != NULL ? by : "");
}

/* The body as a request on `subject`, judged. NULL after a problem. */
static json_t *
request_message(struct weir_api_request *request, const char *kind, const char *subject, int64_t at_us)
{
	struct weir_reference reference;
	char time[WEIR_TIME_TEXT_MAX];
	json_t *body = weir_api_body_object(request);
	if (body == NULL || !weir_api_members_check(request, body, MEMBERS) || !weir_api_by(request, body)) {
		json_decref(body);
		return NULL;
	}
	(void)weir_time_format_ms(at_us, time);
	(void)json_object_set_new(body, "type", json_string("request"));
	(void)json_object_set_new(body, kind, json_string(subject));
	(void)json_object_set_new(body, "time", json_string(time));
	char *text = weir_api_message_text(request, body, &reference);
	if (text == NULL) {
		json_decref(body);
		return NULL;
	}
	free(text);
	return body;
}

static bool
card_find(struct weir_api_request *request, struct weir_api_worker *worker, struct weir_iccid iccid, int32_t *partition_out)
{
	struct weir_error err = {0};
	const struct weir_card_view *card;
	bool found = false;
	enum weir_read code = weir_read_cards(worker->reader, &iccid, 1, &card, &found, &err);
	if (code == WEIR_READ_OK && found) {
		*partition_out = (int32_t)card->partition;
		return true;
	}
	if (code == WEIR_READ_OK)
		(void)weir_error_set(&err, WEIR_POISON, "there is no such card");
	return weir_api_read_failed(request, worker, code == WEIR_READ_OK ? WEIR_READ_MISSING : code, &err);
}

void
weir_api_card_request(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_iccid iccid;
	struct weir_api_asked asked;
	char subject[WEIR_ICCID_TEXT_MAX];
	int64_t at_us = weir_wall_now().us;
	if (!weir_api_path_iccid(request, &iccid))
		return;
	(void)weir_iccid_format(iccid, subject);
	json_t *message = request_message(request, "iccid", subject, at_us);
	int32_t partition;
	if (message == NULL || !card_find(request, worker, iccid, &partition)) {
		json_decref(message);
		return;
	}
	asked_fill(&asked, "iccid", subject, message, at_us);
	asked.partition = partition;
	weir_api_command_request(request, worker, message, &asked, 1);
}

void
weir_api_pool_request(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id;
	struct weir_api_asked asked;
	struct weir_error err = {0};
	const struct weir_pool_view *pool;
	int64_t at_us = weir_wall_now().us;
	if (!weir_api_path_pool(request, &id))
		return;
	json_t *message = request_message(request, "pool", id, at_us);
	if (message == NULL)
		return;
	enum weir_read code = weir_read_pool(worker->reader, id, &pool, &err);
	if (code != WEIR_READ_OK) {
		json_decref(message);
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	asked_fill(&asked, "pool", id, message, at_us);
	asked.partition = pool->defined ? (int32_t)pool->partition : -1; /* else nobody owns it yet */
	weir_api_command_request(request, worker, message, &asked, 1);
}

/* ---- tags and remark: upserts of the card, which have no entry in the audit ---- */

static void
card_note(struct weir_api_request *request, struct weir_api_worker *worker, const char *member)
{
	const char *const known[] = {member, NULL};
	struct weir_iccid iccid;
	struct weir_reference reference;
	char subject[WEIR_ICCID_TEXT_MAX], *text = NULL;
	if (!weir_api_path_iccid(request, &iccid))
		return;
	(void)weir_iccid_format(iccid, subject);
	json_t *body = weir_api_body_object(request);
	if (body == NULL || !weir_api_members_check(request, body, known)) {
		json_decref(body);
		return;
	}
	if (json_object_get(body, member) == NULL)
		weir_api_problem(request, 400, "bad-parameter", member, "%s: missing", member);
	else if (json_object_set_new(body, "type", json_string("card")) == 0 &&
		 json_object_set_new(body, "iccid", json_string(subject)) == 0)
		text = weir_api_message_text(request, body, &reference);
	int32_t partition;
	if (text == NULL || !card_find(request, worker, iccid, &partition)) {
		free(text);
		json_decref(body);
		return;
	}
	free(text);
	struct weir_api_asked asked = {
	    .kind = "iccid", .subject = subject, .keyed = true, .partition = partition, .at_us = weir_wall_now().us};
	(void)snprintf(asked.action, sizeof(asked.action), "%s", member);
	(void)snprintf(asked.by, sizeof(asked.by), "%s", request->caller.name);
	weir_api_command_request(request, worker, body, &asked, 1);
}

void
weir_api_card_tags(struct weir_api_request *request, struct weir_api_worker *worker)
{
	card_note(request, worker, "tags");
}

void
weir_api_card_remark(struct weir_api_request *request, struct weir_api_worker *worker)
{
	card_note(request, worker, "remark");
}

/* ---- the guard (CMD-5): to every partition ---- */

void
weir_api_guard_request(struct weir_api_request *request, struct weir_api_worker *worker)
{
	static const char *const known[] = {"action", "by", NULL};
	struct weir_reference reference;
	struct weir_error err = {0};
	uint32_t partitions = 0;
	json_t *body = weir_api_body_object(request);
	if (body == NULL || !weir_api_members_check(request, body, known) || !weir_api_by(request, body)) {
		json_decref(body);
		return;
	}
	(void)json_object_set_new(body, "type", json_string("guard"));
	char *text = weir_api_message_text(request, body, &reference);
	if (text != NULL && weir_api_producer_partitions(request->api->producer, &partitions, &err) != WEIR_OK) {
		weir_api_problem(request, 503, "queue-away", NULL, "%s", err.text);
		free(text);
		text = NULL;
	}
	if (text == NULL) {
		json_decref(body);
		return;
	}
	free(text);
	struct weir_api_asked asked;
	asked_fill(&asked, "guard", "guard", body, weir_wall_now().us);
	asked.keyed = false;
	weir_api_command_request(request, worker, body, &asked, partitions);
}
