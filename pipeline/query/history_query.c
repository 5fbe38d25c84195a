/*
 * What was decided and done about a card or pool: the audit entries that Redis keeps (lists j:<card's slot>, jp:<pool>),
 * and a card's commands out of them.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define ENTRIES_MAX 1000 /* as audit.history allows */

/* ---- entries ---- */

static const char *
text_of(struct weir_reader *reader, const json_t *json, const char *name)
{
	const json_t *text = json_object_get(json, name);
	return json_is_string(text) ? arena_text(&reader->arena, json_string_value(text), json_string_length(text)) : "";
}

static int64_t
number_of(const json_t *json, const char *name, int64_t missing)
{
	const json_t *number = json_object_get(json, name);
	return json_is_integer(number) ? json_integer_value(number) : missing;
}

static uint64_t
amount_of(const json_t *json, const char *name)
{
	int64_t number = number_of(json, name, 0);
	return number < 0 ? 0 : (uint64_t)number;
}

static uint8_t
reason_of(const char *name)
{
	for (uint8_t i = 0; name != NULL && i < WEIR_REASON_COUNT; i++)
		if (strcmp(weir_reason_name(i), name) == 0)
			return i;
	return WEIR_REASON_NONE;
}

static uint16_t
reasons_of(const json_t *list)
{
	uint16_t reasons = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		uint8_t reason = reason_of(json_string_value(json_array_get(list, i)));
		reasons |= reason == WEIR_REASON_NONE ? 0 : WEIR_REASON_BIT(reason);
	}
	return reasons;
}

/* Amounts above 2^63 are no JSON integers for the parser: such an entry is left out. */
static bool
entry_parse(struct weir_reader *reader, const struct weir_reply *reply, struct weir_history_entry *entry)
{
	json_t *json = reply->type == WEIR_REPLY_STRING ? json_loadb(reply->str, (size_t)reply->len, 0, NULL) : NULL;
	if (!json_is_object(json)) {
		json_decref(json);
		return false;
	}
	*entry = (struct weir_history_entry){.event = text_of(reader, json, "event"),
	    .action = text_of(reader, json, "action"),
	    .reasons = reasons_of(json_object_get(json, "reasons")),
	    .reason = reason_of(json_string_value(json_object_get(json, "reason"))),
	    .rule = text_of(reader, json, "rule"),
	    .limit = amount_of(json, "limit"),
	    .usage_before = amount_of(json, "usage_before"),
	    .usage_after = amount_of(json, "usage_after"),
	    .overshoot = amount_of(json, "overshoot"),
	    .topic = text_of(reader, json, "topic"),
	    .partition = number_of(json, "partition", -1),
	    .offset = number_of(json, "offset", -1),
	    .at_us = number_of(json, "at_us", 0),
	    .record_us = number_of(json, "record_us", 0),
	    .decided_us = number_of(json, "decided_us", 0),
	    .sent_us = number_of(json, "sent_us", 0),
	    .confirmed_us = number_of(json, "confirmed_us", 0),
	    .carrier = text_of(reader, json, "carrier"),
	    .ticket = text_of(reader, json, "ticket"),
	    .reply = text_of(reader, json, "reply")};
	json_decref(json);
	return true;
}

static enum weir_read
read_list(
    struct weir_reader *reader, uint32_t partition, const char *name, struct weir_history *history, struct weir_error *err)
{
	struct weir_buf *out;
	query_clear(reader);
	uint32_t number = query_begin(reader, partition, 4, &out);
	weir_resp_text(out, "LRANGE");
	weir_resp_key(out, reader->prefix, partition, "%s", name);
	weir_resp_i64(out, 0);
	weir_resp_i64(out, ENTRIES_MAX - 1);
	enum weir_read answer = query_send(reader, err);
	*history = (struct weir_history){0};
	if (answer != WEIR_READ_OK)
		return answer;
	const struct weir_reply *reply = query_reply(reader, number);
	size_t elements = reply->type == WEIR_REPLY_ARRAY ? reply->elements : 0;
	struct weir_history_entry *entries = arena_take(&reader->arena, elements + 1, sizeof(*entries));
	for (size_t i = 0; i < elements; i++) {
		if (entry_parse(reader, reply->element[i], &entries[history->count]))
			history->count++;
		else
			history->unreadable++;
	}
	history->entries = entries;
	return WEIR_READ_OK;
}

enum weir_read
weir_read_card_history(
    struct weir_reader *reader, struct weir_iccid iccid, struct weir_history *history_out, struct weir_error *err)
{
	struct card_raw raw = {.iccid = iccid};
	char name[32];
	enum weir_read answer = card_find(reader, &raw, err);
	if (answer != WEIR_READ_OK)
		return answer;
	(void)snprintf(name, sizeof(name), "j:%u", raw.slot);
	return read_list(reader, raw.partition, name, history_out, err);
}

enum weir_read
weir_read_pool_history(
    struct weir_reader *reader, const char *pool, struct weir_history *history_out, struct weir_error *err)
{
	struct pool_raw raw;
	char name[WEIR_ID_MAX + 8];
	enum weir_read answer = pool_find(reader, pool, &raw, err);
	if (answer != WEIR_READ_OK)
		return answer;
	(void)snprintf(name, sizeof(name), "jp:%s", raw.id);
	return read_list(reader, raw.partition, name, history_out, err);
}

/* ---- commands ---- */

static bool
is_text(const char *text, const char *word)
{
	return strcmp(text, word) == 0;
}

/* Entries come newest first, so what a command has already is newer. */
static void
add_entry(struct weir_command_entry *command, const struct weir_history_entry *e)
{
	if (is_text(e->event, "accepted"))
		command->accepted_us = command->accepted_us != 0 ? command->accepted_us : e->at_us;
	else if (is_text(e->event, "failed"))
		command->failed_us = command->failed_us != 0 ? command->failed_us : e->at_us;
	else if (is_text(e->event, "sent"))
		command->sent_us = command->sent_us != 0 ? command->sent_us : e->at_us;
	else if (is_text(e->event, "confirmed"))
		command->confirmed_us = command->confirmed_us != 0 ? command->confirmed_us : e->at_us;
	if (command->overshoot == 0)
		command->overshoot = e->overshoot;
	if (command->ticket[0] == '\0')
		command->ticket = e->ticket;
	if (command->reply[0] == '\0')
		command->reply = e->reply;
	if (!is_text(e->event, "decided"))
		return;
	/* The decision knows what it was made of. */
	command->topic = e->topic;
	command->partition = e->partition;
	command->offset = e->offset;
	command->limit = e->limit;
	command->usage_before = e->usage_before;
	command->usage_after = e->usage_after;
	command->record_us = e->record_us;
	command->reason = e->reason;
}

static struct weir_command_entry *
command_of(struct weir_command_entry *commands, uint32_t *count, const struct weir_history_entry *e)
{
	for (uint32_t i = 0; i < *count; i++)
		if (commands[i].decided_us == e->decided_us && is_text(commands[i].action, e->action))
			return &commands[i];
	struct weir_command_entry *command = &commands[(*count)++];
	*command = (struct weir_command_entry){.action = e->action,
	    .state = e->event,
	    .reason = e->reason,
	    .carrier = e->carrier,
	    .ticket = "",
	    .reply = "",
	    .topic = e->topic,
	    .partition = e->partition,
	    .offset = e->offset,
	    .limit = e->limit,
	    .usage_before = e->usage_before,
	    .usage_after = e->usage_after,
	    .record_us = e->record_us,
	    .decided_us = e->decided_us};
	return command;
}

enum weir_read
weir_read_card_commands(
    struct weir_reader *reader, struct weir_iccid iccid, struct weir_commands *commands_out, struct weir_error *err)
{
	struct weir_history history;
	enum weir_read answer = weir_read_card_history(reader, iccid, &history, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_command_entry *commands = arena_take(&reader->arena, history.count + 1, sizeof(*commands));
	uint32_t count = 0;
	for (uint32_t i = 0; i < history.count; i++) {
		const struct weir_history_entry *e = &history.entries[i];
		if (!is_text(e->event, "request") && !is_text(e->event, "refused") && !is_text(e->event, "reason"))
			add_entry(command_of(commands, &count, e), e);
	}
	*commands_out = (struct weir_commands){commands, count};
	return WEIR_READ_OK;
}
