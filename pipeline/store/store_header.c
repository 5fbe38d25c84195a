/*
 * The header of a partition and the transaction around it: the fence. WATCH h, HMGET h and MULTI go out in one write, and
 * nothing that changes anything goes out before their three answers are read. So a refused MULTI (an ACL without it) can
 * never let a body run bare and unfenced, which a blind pipeline of all of it would; it costs no round trip more, since
 * the header must be read first anyway. Giving up is DISCARD, which ends the watch too. Store thread only; every reply is
 * input from outside.
 */
#include <string.h>

#include "pipeline/store/store_priv.h"

/* Fields in the order asked for; then the offsets of topics, and their logs' names. */
enum header_field {
	FIELD_FORMAT = 0,
	FIELD_EPOCH,
	FIELD_PARTITIONS,
	FIELD_STREAM_TIME,
	FIELD_SLOTS, /* WEIR_SLABS of them */
	FIELD_OFFSETS = FIELD_SLOTS + WEIR_SLABS,
};
#define COUNT_FIELD(number, member, tag, type, field) field,
static const char *const FIELD_NAMES[FIELD_OFFSETS] = {
    "format", "epoch", "partitions", "stream_time_us", WEIR_SLAB_LIST(COUNT_FIELD)};
#undef COUNT_FIELD

static void
name_topics(struct weir_store *store, const char *prefix)
{
	struct weir_buf name = {0};
	for (uint32_t i = 0; i < store->opts.topic_count; i++) {
		name.len = 0;
		weir_buf_printf(&name, "%s%s", prefix, store->opts.topics[i]);
		weir_resp_bulk(&store->header_fields, name.data, name.len);
	}
	weir_buf_free(&name);
}

void
weir_header_init(struct weir_store *store)
{
	for (uint32_t i = 0; i < FIELD_OFFSETS; i++)
		weir_resp_text(&store->header_fields, FIELD_NAMES[i]);
	name_topics(store, "o:");
	name_topics(store, "log:");
	store->header_field_count = FIELD_OFFSETS + 2 * store->opts.topic_count;
}

bool
weir_parse_u64(const char *text, size_t len, uint64_t *number_out)
{
	if (len == 0 || len > 20)
		return false;
	uint64_t number = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			return false;
	}
	*number_out = number;
	return true;
}

bool
weir_parse_i64(const char *text, size_t len, int64_t *number_out)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t magnitude = 0;
	if (!weir_parse_u64(text + negative, len - negative, &magnitude) || magnitude > INT64_MAX)
		return false;
	*number_out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return true;
}

/* One field; a missing one leaves the default. */
static bool
parse_field(
    const struct weir_store *store, const struct weir_reply *field, uint32_t index, struct weir_store_header *header)
{
	const uint32_t logs = FIELD_OFFSETS + store->opts.topic_count;
	if (field->type == WEIR_REPLY_NIL)
		return true;
	if (field->type != WEIR_REPLY_STRING)
		return false;
	uint64_t number = 0;
	if (index >= logs)
		return log_name_parse(
		    (struct weir_slice){(const uint8_t *)field->str, field->len}, &header->logs[index - logs]);
	if (index == FIELD_STREAM_TIME || index >= FIELD_OFFSETS) {
		header->exists = true;
		return weir_parse_i64(field->str, field->len,
		    index == FIELD_STREAM_TIME ? &header->stream_time_us : &header->offsets[index - FIELD_OFFSETS]);
	}
	if (!weir_parse_u64(field->str, field->len, &number))
		return false;
	if (index == FIELD_FORMAT)
		return number == WEIR_STORE_FORMAT;
	if (index == FIELD_EPOCH) {
		header->epoch = number;
		return true;
	}
	if (index == FIELD_PARTITIONS) {
		header->partitions = (uint32_t)number;
		return number > 0 && number <= UINT32_MAX;
	}
	header->exists = true;
	header->slots[index - FIELD_SLOTS] = (uint32_t)number;
	return number <= UINT32_MAX;
}

/* What is wrong with field `index`, in words: another format is nobody's fault, the rest should not be. */
static enum weir_step
refuse_field(struct weir_store *store, struct weir_store_request *request, const struct weir_reply *field, uint32_t index)
{
	const char *text = field->str != NULL ? field->str : "";
	uint64_t format = 0;
	if (index == FIELD_FORMAT && field->type == WEIR_REPLY_STRING && weir_parse_u64(field->str, field->len, &format))
		return weir_store_fail(request, WEIR_POISON,
		    "%s:{%u}:h is of format %.20s%s; this weir reads and writes format %d", store->prefix,
		    request->partition, text,
		    format == 3                  ? ": weir migrate brings it to this one"
		    : format < WEIR_STORE_FORMAT ? ", which is of a development version: start with an empty Redis"
						 : ", a newer weir's",
		    WEIR_STORE_FORMAT);
	const uint32_t logs = FIELD_OFFSETS + store->opts.topic_count;
	const char *name = index < FIELD_OFFSETS ? FIELD_NAMES[index] : index < logs ? "o:" : "log:";
	const char *topic = index < FIELD_OFFSETS ? "" : store->opts.topics[index - (index < logs ? FIELD_OFFSETS : logs)];
	return weir_store_fail(request, WEIR_POISON, "%s:{%u}:h field %s%s holds what this weir cannot read: %.64s",
	    store->prefix, request->partition, name, topic, text);
}

/* The answer to HMGET. */
static enum weir_step
parse_header(struct weir_store *store, struct weir_store_request *request, const struct weir_reply *reply,
    struct weir_store_header *header)
{
	*header = (struct weir_store_header){0};
	for (size_t i = 0; i < sizeof(header->offsets) / sizeof(header->offsets[0]); i++) {
		header->offsets[i] = -1;
		header->logs[i] = LOG_UNKNOWN;
	}
	if (reply->type != WEIR_REPLY_ARRAY || reply->elements != store->header_field_count)
		return weir_store_nonsense(store, "HMGET", reply);
	for (uint32_t i = 0; i < reply->elements; i++) {
		if (!parse_field(store, reply->element[i], i, header))
			return refuse_field(store, request, reply->element[i], i);
	}
	return WEIR_STEP_OK;
}

static void
write_watch(struct weir_store *store, uint32_t partition)
{
	struct weir_buf *out = &store->out;
	weir_store_command(store, 2);
	weir_resp_text(out, "WATCH");
	weir_resp_key(out, store->prefix, partition, "h");
	weir_store_command(store, 2 + store->header_field_count);
	weir_resp_text(out, "HMGET");
	weir_resp_key(out, store->prefix, partition, "h");
	weir_buf_append(out, store->header_fields.data, store->header_fields.len);
	weir_store_command(store, 1);
	weir_resp_text(out, "MULTI");
}

static enum weir_step
read_status(struct weir_store *store, struct weir_store_request *request, const char *command)
{
	struct weir_reply *reply = NULL;
	enum weir_step step = weir_store_reply(store, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	if (reply->type == WEIR_REPLY_ERROR)
		step = weir_store_refuse(store, request, reply);
	else if (reply->type != WEIR_REPLY_STATUS)
		step = weir_store_nonsense(store, command, reply);
	weir_reply_free(reply);
	return step;
}

enum weir_step
weir_header_watch(struct weir_store *store, struct weir_store_request *request, struct weir_store_header *header_out)
{
	write_watch(store, request->partition);
	enum weir_step step = weir_store_send_out(store);
	if (step == WEIR_STEP_OK)
		step = read_status(store, request, "WATCH");
	struct weir_reply *reply = NULL;
	if (step == WEIR_STEP_OK)
		step = weir_store_reply(store, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	if (reply->type == WEIR_REPLY_ERROR)
		step = weir_store_refuse(store, request, reply);
	else
		step = parse_header(store, request, reply, header_out);
	weir_reply_free(reply);
	return step == WEIR_STEP_OK ? read_status(store, request, "MULTI") : step;
}

void
weir_header_leave(struct weir_store *store)
{
	struct weir_reply *reply = NULL;
	weir_store_command(store, 1);
	weir_resp_text(&store->out, "DISCARD");
	enum weir_step step = weir_store_send_out(store);
	if (step == WEIR_STEP_OK)
		step = weir_store_reply(store, &reply);
	bool left = step == WEIR_STEP_OK && reply->type == WEIR_REPLY_STATUS;
	weir_reply_free(reply);
	if (!left)
		weir_store_close(store);
}

/* The answers QUEUED; the first refusal among them, whose cause EXEC's own answer does not tell, is kept. */
static enum weir_step
read_queued(struct weir_store *store, struct weir_store_request *request, uint32_t commands, enum weir_step *refused_out)
{
	*refused_out = WEIR_STEP_OK;
	for (uint32_t i = 0; i < commands; i++) {
		struct weir_reply *reply = NULL;
		enum weir_step step = weir_store_reply(store, &reply);
		if (step != WEIR_STEP_OK)
			return step;
		if (reply->type == WEIR_REPLY_ERROR) {
			if (*refused_out == WEIR_STEP_OK)
				*refused_out = weir_store_refuse(store, request, reply);
		} else if (reply->type != WEIR_REPLY_STATUS) {
			step = weir_store_nonsense(store, "a queued command", reply);
		}
		weir_reply_free(reply);
		if (step != WEIR_STEP_OK)
			return step;
	}
	return WEIR_STEP_OK;
}

/* EXEC ran: nothing in it may have failed. */
static enum weir_step
check_results(struct weir_store_request *request, const struct weir_reply *reply, uint32_t commands)
{
	for (size_t i = 0; i < reply->elements; i++) {
		if (reply->element[i]->type != WEIR_REPLY_ERROR)
			continue;
		return weir_store_fail(request, WEIR_FATAL,
		    "command %zu of %u failed INSIDE the transaction of partition %u, and Redis does not roll back: what "
		    "is "
		    "stored of this partition is now partly old and partly new: %.300s",
		    i + 1, commands, request->partition, reply->element[i]->str);
	}
	if (reply->elements != commands)
		return weir_store_fail(
		    request, WEIR_FATAL, "a transaction of %u commands gave %zu answers", commands, reply->elements);
	return WEIR_STEP_OK;
}

enum weir_step
weir_header_exec(
    struct weir_store *store, struct weir_store_request *request, const struct weir_buf *body, uint32_t commands)
{
	static const char EXEC[] = "*1\r\n$4\r\nEXEC\r\n";
	enum weir_step refused = WEIR_STEP_OK;
	struct weir_reply *reply = NULL;
	enum weir_step step = weir_store_send(store, body->data, body->len, commands);
	if (step == WEIR_STEP_OK)
		step = weir_store_send(store, (const uint8_t *)EXEC, sizeof(EXEC) - 1, 1);
	if (step == WEIR_STEP_OK)
		step = read_queued(store, request, commands, &refused);
	if (step == WEIR_STEP_OK)
		step = weir_store_reply(store, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	if (reply->type == WEIR_REPLY_ERROR)
		step = refused != WEIR_STEP_OK ? refused : weir_store_refuse(store, request, reply);
	else if (reply->type == WEIR_REPLY_NIL)
		step = WEIR_STEP_AGAIN;
	else if (reply->type == WEIR_REPLY_ARRAY && refused != WEIR_STEP_OK)
		step = weir_store_fail(request, WEIR_FATAL,
		    "the transaction of partition %u ran WITHOUT a command that was refused: %.300s", request->partition,
		    store->why.text);
	else if (reply->type == WEIR_REPLY_ARRAY)
		step = check_results(request, reply, commands);
	else
		step = weir_store_nonsense(store, "EXEC", reply);
	weir_reply_free(reply);
	return step;
}
