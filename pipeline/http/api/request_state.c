/*
 * What became of a request: remembered under its id is where it lies in weir.cards; the partition's stored position says
 * whether it has been taken, the subject's audit what came of it: what was done, or why it was refused. One that was taken
 * and left no entry had no card or pool to leave it with any more; its dead letter says so.
 */
#include <stdio.h>
#include <string.h>

#include "pipeline/http/api/requests_priv.h"

const char *
weir_api_outcome_name(enum weir_api_outcome outcome)
{
	static const char *const names[] = {"pending", "applied", "not_applied", "unknown"};
	return names[outcome];
}

int64_t
weir_api_next_offset(const struct weir_partition_view *partitions, uint32_t count, const char *topic, uint32_t partition)
{
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t t = 0; partitions[i].partition == partition && t < partitions[i].topic_count; t++)
			if (strcmp(partitions[i].topics[t], topic) == 0)
				return partitions[i].offsets[t];
	return -1;
}

static bool
is_refusal(const struct weir_history_entry *entry)
{
	return strcmp(entry->event, "refused") == 0;
}

/* "suspend 0123…: done" */
static bool
entry_has_id(const struct weir_history_entry *entry, const char *id)
{
	const char *space = strchr(entry->reply, ' ');
	size_t len = strlen(id);
	return space != NULL && len > 0 && strncmp(space + 1, id, len) == 0 && space[1 + len] == ':';
}

const struct weir_history_entry *
weir_api_entry_find(
    const struct weir_history *history, const char *id, const char *topic, int64_t partition, int64_t offset)
{
	for (uint32_t i = 0; i < history->count; i++) {
		const struct weir_history_entry *entry = &history->entries[i];
		if (strcmp(entry->event, "request") != 0 && !is_refusal(entry))
			continue;
		if (entry_has_id(entry, id) ||
		    (strcmp(entry->topic, topic) == 0 && entry->partition == partition && entry->offset == offset))
			return entry;
	}
	return NULL;
}

const char *
weir_api_entry_reply(const struct weir_history_entry *entry)
{
	const char *colon = strstr(entry->reply, ": ");
	return colon != NULL ? colon + 2 : entry->reply;
}

enum weir_api_outcome
weir_api_outcome_of(const struct weir_history *history, const struct weir_history_entry *entry, bool taken, bool audited,
    uint32_t history_entries)
{
	if (entry != NULL)
		return is_refusal(entry) ? WEIR_API_NOT_APPLIED : WEIR_API_APPLIED;
	if (!taken)
		return WEIR_API_PENDING;
	if (!audited)
		return WEIR_API_APPLIED; /* an upsert of what the parser had judged, of a card that was there */
	return history->count + history->unreadable >= history_entries ? WEIR_API_UNKNOWN : WEIR_API_NOT_APPLIED;
}

/* The stored record of the request in the path, if it is of this subject. NULL after a problem. */
static json_t *
stored_find(struct weir_api_request *request, struct weir_api_worker *worker, const char *subject)
{
	const char *id = request->segments[1];
	struct weir_error err = {0};
	char name[64];
	json_t *json = NULL;
	if (!weir_api_id_is_valid(id)) {
		weir_api_problem(request, 400, "bad-parameter", "id", "id: must be 32 hexadecimal digits");
		return NULL;
	}
	(void)snprintf(name, sizeof(name), "q:%s", id);
	struct weir_reply *reply = weir_api_redis_texts(worker->redis, name, &err, "GET", NULL);
	if (reply == NULL) {
		(void)weir_api_read_failed(request, worker, WEIR_READ_AWAY, &err);
		return NULL;
	}
	if (reply->type == WEIR_REPLY_STRING)
		json = json_loadb(reply->str, (size_t)reply->len, 0, NULL);
	weir_reply_free(reply);
	const char *of = json_string_value(json_object_get(json, "subject"));
	if (of != NULL && strcmp(of, subject) == 0)
		return json;
	weir_api_problem(request, 404, "not-found", NULL, "there is no such request of it, or it is no longer remembered");
	json_decref(json);
	return NULL;
}

static void
state_answer(struct weir_api_request *request, const char *member, const char *subject, const json_t *stored,
    enum weir_api_outcome outcome, const struct weir_history_entry *entry)
{
	const char *by = json_string_value(json_object_get(stored, "by"));
	const char *action = json_string_value(json_object_get(stored, "action"));
	struct weir_json json = weir_api_json(request, 200);
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "id", request->segments[1]);
	weir_json_text(&json, member, subject);
	weir_json_text(&json, "action", action != NULL ? action : "");
	weir_json_text(&json, "by", by != NULL ? by : "");
	weir_json_time(&json, "at", json_integer_value(json_object_get(stored, "at_us")));
	weir_json_text(&json, "state", weir_api_outcome_name(outcome));
	weir_json_text_or_null(&json, "reply", entry != NULL ? weir_api_entry_reply(entry) : "");
	weir_json_time(&json, "applied", entry != NULL && !is_refusal(entry) ? entry->at_us : 0);
	if (entry != NULL)
		weir_json_reasons(&json, "reasons", entry->reasons);
	else
		weir_json_null(&json, "reasons");
	weir_json_close(&json, '}');
}

static void
answer_state(struct weir_api_request *request, struct weir_api_worker *worker, const char *member, const char *subject,
    json_t *stored, struct weir_iccid iccid)
{
	const struct weir_settings *settings = request->api->settings;
	const struct weir_partition_view *partitions;
	struct weir_history history = {0};
	struct weir_error err = {0};
	uint32_t count;
	int64_t partition = json_integer_value(json_object_get(stored, "partition"));
	int64_t offset = json_integer_value(json_object_get(stored, "offset"));
	/* Position first: an entry that is written in between is then found. The reader's views end with its next question.
	 */
	enum weir_read code = weir_read_partitions(worker->reader, &partitions, &count, &err);
	bool taken = code == WEIR_READ_OK &&
		     weir_api_next_offset(partitions, count, settings->topic_cards, (uint32_t)partition) > offset;
	if (code == WEIR_READ_OK)
		code = strcmp(member, "iccid") == 0 ? weir_read_card_history(worker->reader, iccid, &history, &err)
						    : weir_read_pool_history(worker->reader, subject, &history, &err);
	if (code != WEIR_READ_OK) {
		(void)weir_api_read_failed(request, worker, code, &err);
		return;
	}
	const struct weir_history_entry *entry =
	    weir_api_entry_find(&history, request->segments[1], settings->topic_cards, partition, offset);
	bool audited = json_is_true(json_object_get(stored, "audited"));
	state_answer(request, member, subject, stored,
	    weir_api_outcome_of(&history, entry, taken, audited, settings->history_entries), entry);
}

void
weir_api_card_request_state(struct weir_api_request *request, struct weir_api_worker *worker)
{
	struct weir_iccid iccid;
	char subject[WEIR_ICCID_TEXT_MAX];
	if (!weir_api_path_iccid(request, &iccid))
		return;
	(void)weir_iccid_format(iccid, subject);
	json_t *stored = stored_find(request, worker, subject);
	if (stored == NULL)
		return;
	answer_state(request, worker, "iccid", subject, stored, iccid);
	json_decref(stored);
}

void
weir_api_pool_request_state(struct weir_api_request *request, struct weir_api_worker *worker)
{
	const char *id;
	if (!weir_api_path_pool(request, &id))
		return;
	json_t *stored = stored_find(request, worker, id);
	if (stored == NULL)
		return;
	answer_state(request, worker, "pool", id, stored, (struct weir_iccid){0});
	json_decref(stored);
}
