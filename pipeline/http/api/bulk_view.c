/* How far a request in bulk is, with a result for each card. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/decimal.h"
#include "pipeline/http/api/bulk_priv.h"

#define PAGE_MAX 200u

static bool
refuse_parameter(struct weir_api_request *request, const char *parameter, const char *text)
{
	weir_api_problem(request, 400, "bad-parameter", parameter, "%s: %s", parameter, text);
	return false;
}

struct view {
	const char *state, *why, *target, *action, *by;
	uint64_t at_us, total, sent, skipped, taken;
};

static uint64_t
number_of(const char *text)
{
	uint64_t number = 0;
	return weir_decimal_parse_u64((const uint8_t *)text, strlen(text), &number) ? number : 0;
}

/* Texts point into the reply. */
static void
view_fill(const struct weir_reply *reply, struct view *view)
{
	const char *at = "", *total = "", *sent = "", *skipped = "", *taken = "";
	*view = (struct view){"", "", "{}", "", "", 0, 0, 0, 0, 0};
	const struct {
		const char *name, **out;
	} fields[] = {{"state", &view->state}, {"why", &view->why}, {"target", &view->target}, {"action", &view->action},
	    {"by", &view->by}, {"at_us", &at}, {"total", &total}, {"sent", &sent}, {"skipped", &skipped},
	    {"taken", &taken}};
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++)
			if (reply->element[i]->str != NULL && reply->element[i + 1]->str != NULL &&
			    strcmp(reply->element[i]->str, fields[k].name) == 0)
				*fields[k].out = reply->element[i + 1]->str;
	view->at_us = number_of(at);
	view->total = number_of(total);
	view->sent = number_of(sent);
	view->skipped = number_of(skipped);
	view->taken = number_of(taken);
}

/* "0123abcd-200": of which bulk, and where in it. */
static bool
cursor_take(struct weir_api_request *request, const char *id, uint64_t total, uint64_t *at_out)
{
	const char *text = weir_api_param(request, "cursor");
	*at_out = 0;
	if (text == NULL || text[0] == '\0')
		return true;
	bool ours = strlen(text) > 9 && text[8] == '-';
	if (ours && strncmp(text, id, 8) != 0)
		return refuse_parameter(request, "cursor", "it belongs to another query");
	if (ours && weir_decimal_parse_u64((const uint8_t *)text + 9, strlen(text + 9), at_out) && *at_out <= total)
		return true;
	return refuse_parameter(request, "cursor", "this is no cursor");
}

static int64_t *
next_offsets(
    struct weir_api_worker *worker, const char *topic, uint32_t *count_out, enum weir_read *code, struct weir_error *err)
{
	const struct weir_partition_view *views;
	*code = weir_read_partitions(worker->reader, &views, count_out, err);
	if (*code != WEIR_READ_OK)
		return NULL;
	int64_t *next = weir_calloc(*count_out + 1u, sizeof(*next));
	for (uint32_t i = 0; i < *count_out; i++)
		next[i] = weir_api_next_offset(views, *count_out, topic, i);
	return next;
}

static void
print_result(struct weir_json *json, const struct weir_bulk_entry *entry, const char *state, const char *reply)
{
	char text[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(entry->iccid, text);
	weir_json_open(json, NULL, '{');
	weir_json_text(json, "iccid", text);
	weir_json_text(json, "state", state);
	weir_json_text_or_null(json, "reply", reply);
	weir_json_close(json, '}');
}

static bool
one_result(struct weir_api_request *request, struct weir_api_worker *worker, struct weir_json *json, const char *id,
    const struct weir_bulk_entry *entry, bool taken)
{
	const struct weir_settings *settings = request->api->settings;
	struct weir_history history = {0};
	struct weir_error err = {0};
	if (entry->state != WEIR_BULK_SENT) {
		print_result(json, entry, entry->state == WEIR_BULK_NO_CARD ? "unknown_card" : "waiting", "");
		return true;
	}
	enum weir_read code = taken ? weir_read_card_history(worker->reader, entry->iccid, &history, &err) : WEIR_READ_OK;
	if (code != WEIR_READ_OK && code != WEIR_READ_MISSING)
		return weir_api_read_failed(request, worker, code, &err);
	const struct weir_history_entry *found =
	    weir_api_entry_find(&history, id, settings->topic_cards, entry->partition, entry->offset);
	enum weir_api_outcome outcome = weir_api_outcome_of(&history, found, taken, true, settings->history_entries);
	print_result(json, entry, weir_api_outcome_name(outcome), found != NULL ? weir_api_entry_reply(found) : "");
	return true;
}

/* `cards` and `next`. False after a problem, which replaced all. */
static bool
print_results(struct weir_api_request *request, struct weir_api_worker *worker, struct weir_json *json, const char *id,
    const struct weir_reply *page, uint64_t at, uint64_t total)
{
	uint32_t partitions = 0;
	enum weir_read code;
	struct weir_error err = {0};
	size_t count = (size_t)page->len / sizeof(struct weir_bulk_entry);
	int64_t *next = next_offsets(worker, request->api->settings->topic_cards, &partitions, &code, &err);
	if (next == NULL)
		return weir_api_read_failed(request, worker, code, &err);
	bool right = true;
	weir_json_open(json, "cards", '[');
	for (size_t i = 0; i < count && right; i++) {
		struct weir_bulk_entry entry;
		memcpy(&entry, page->str + i * sizeof(entry), sizeof(entry));
		bool taken = entry.partition < partitions && next[entry.partition] > entry.offset;
		right = one_result(request, worker, json, id, &entry, taken);
	}
	free(next);
	if (!right)
		return false;
	char cursor[40] = "";
	if (count > 0 && at + count < total)
		(void)snprintf(cursor, sizeof(cursor), "%.8s-%llu", id, (unsigned long long)(at + count));
	weir_json_close(json, ']');
	weir_json_text_or_null(json, "next", cursor);
	return true;
}

/* As it was stored: an object's text. */
static void
print_target(struct weir_json *json, const char *target)
{
	size_t len = strlen(target);
	weir_json_open(json, "target", '{');
	if (len > 2 && target[0] == '{' && target[len - 1] == '}')
		weir_buf_append(json->out, target + 1, len - 2);
	weir_json_close(json, '}');
}

static void
print_head(struct weir_json *json, const char *id, const struct view *view)
{
	weir_json_open(json, NULL, '{');
	weir_json_text(json, "id", id);
	weir_json_text(json, "action", view->action);
	weir_json_text(json, "by", view->by);
	weir_json_time(json, "at", (int64_t)view->at_us);
	print_target(json, view->target);
	weir_json_text(json, "state", view->state);
	weir_json_text_or_null(json, "why", view->why);
	weir_json_u64(json, "total", view->total);
	weir_json_u64(json, "sent", view->sent);
	weir_json_u64(json, "skipped", view->skipped);
	weir_json_u64(json, "taken", view->taken);
}

static void
bulk_answer(struct weir_api_request *request, struct weir_api_worker *worker, const char *id, const struct view *view)
{
	uint32_t limit;
	uint64_t at;
	struct weir_error err = {0};
	char name[64], from[24], to[24];
	if (!weir_api_get_limit(request, PAGE_MAX, &limit) || !cursor_take(request, id, view->total, &at))
		return;
	(void)snprintf(name, sizeof(name), "l:%s", id);
	(void)snprintf(from, sizeof(from), "%llu", (unsigned long long)(at * sizeof(struct weir_bulk_entry)));
	(void)snprintf(to, sizeof(to), "%llu", (unsigned long long)((at + limit) * sizeof(struct weir_bulk_entry) - 1));
	struct weir_reply *page = weir_api_redis_texts(worker->redis, name, &err, "GETRANGE", from, to, NULL);
	if (page == NULL || page->type != WEIR_REPLY_STRING) {
		if (page != NULL)
			weir_reply_free(page);
		(void)weir_api_read_failed(request, worker, WEIR_READ_AWAY, &err);
		return;
	}
	struct weir_json json = weir_api_json(request, 200);
	print_head(&json, id, view);
	if (print_results(request, worker, &json, id, page, at, view->total))
		weir_json_close(&json, '}');
	weir_reply_free(page);
}

void
weir_api_bulk_one(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id = request->segments[0];
	struct weir_error err = {0};
	char name[64];
	struct view view;
	if (!weir_api_id_is_valid(id)) {
		(void)refuse_parameter(request, "id", "must be 32 hexadecimal digits");
		return;
	}
	(void)snprintf(name, sizeof(name), "b:%s", id);
	struct weir_reply *reply = weir_api_redis_texts(worker->redis, name, &err, "HGETALL", NULL);
	if (reply == NULL) {
		(void)weir_api_read_failed(request, worker, WEIR_READ_AWAY, &err);
		return;
	}
	view_fill(reply, &view);
	if (reply->type != WEIR_REPLY_ARRAY || view.state[0] == '\0')
		weir_api_problem(
		    request, 404, "not-found", NULL, "there is no such bulk request, or it is no longer remembered");
	else
		bulk_answer(request, worker, id, &view);
	weir_reply_free(reply);
}
