/*
 * A reader's questions to Redis, in the words of its keys: what is asked for is collected and sent as one batch of the
 * reader's client, which knows the nodes (redis/client.h). Readers only read, so a batch may be sent again.
 */
#include <stdarg.h>
#include <stdio.h>

#include "pipeline/query/query_priv.h"

void
query_clear(struct weir_reader *reader)
{
	weir_redis_clear(reader->redis);
}

uint32_t
query_count(const struct weir_reader *reader)
{
	return weir_redis_count(reader->redis);
}

static uint16_t
slot_of(const struct weir_reader *reader, uint32_t partition)
{
	char key[300];
	if (partition == QUERY_ANY_NODE) {
		(void)snprintf(key, sizeof(key), "%s:partitions", reader->prefix);
		return weir_slot_of_key(weir_slice_of(key));
	}
	WEIR_CHECK(partition < reader->partitions);
	return reader->slot_of[partition];
}

uint32_t
query_begin(struct weir_reader *reader, uint32_t partition, uint32_t argc, struct weir_buf **out)
{
	return weir_redis_add(reader->redis, slot_of(reader, partition), argc, out);
}

static void
append_key(struct weir_reader *reader, struct weir_buf *out, uint32_t partition, const char *fmt, va_list args)
{
	char name[WEIR_ID_MAX + 64];
	(void)vsnprintf(name, sizeof(name), fmt, args);
	weir_resp_key(out, reader->prefix, partition, "%s", name);
}

uint32_t
query_get(struct weir_reader *reader, uint32_t partition, const char *fmt, ...)
{
	struct weir_buf *out;
	uint32_t number = query_begin(reader, partition, 2, &out);
	va_list args;
	va_start(args, fmt);
	weir_resp_text(out, "GET");
	append_key(reader, out, partition, fmt, args);
	va_end(args);
	return number;
}

uint32_t
query_range(struct weir_reader *reader, uint32_t partition, uint32_t from, uint32_t len, const char *fmt, ...)
{
	struct weir_buf *out;
	uint32_t number = query_begin(reader, partition, 4, &out);
	va_list args;
	va_start(args, fmt);
	weir_resp_text(out, "GETRANGE");
	append_key(reader, out, partition, fmt, args);
	va_end(args);
	weir_resp_i64(out, from);
	weir_resp_i64(out, (int64_t)from + len - 1);
	return number;
}

uint32_t
query_field(struct weir_reader *reader, uint32_t partition, const char *hash, const char *fmt, ...)
{
	struct weir_buf *out;
	char field[WEIR_ID_MAX + 64];
	uint32_t number = query_begin(reader, partition, 3, &out);
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(field, sizeof(field), fmt, args);
	va_end(args);
	weir_resp_text(out, "HGET");
	weir_resp_key(out, reader->prefix, partition, "%s", hash);
	weir_resp_text(out, field);
	return number;
}

const struct weir_reply *
query_reply(const struct weir_reader *reader, uint32_t number)
{
	const struct weir_reply *reply = weir_redis_reply(reader->redis, number);
	WEIR_CHECK(reply != NULL);
	return reply;
}

struct weir_slice
query_bytes(const struct weir_reader *reader, uint32_t number)
{
	return weir_reply_bytes(query_reply(reader, number));
}

/* How a send ended; an error among the replies ends the question too. */
static enum weir_read
outcome(struct weir_reader *reader, enum weir_class class, const struct weir_error *why, struct weir_error *err)
{
	struct weir_error error = *why;
	if (class == WEIR_OK)
		class = weir_redis_errors(reader->redis, &error);
	if (class == WEIR_OK)
		return WEIR_READ_OK;
	return read_fail(err, class == WEIR_RETRY ? WEIR_READ_AWAY : WEIR_READ_BROKEN, "%s", error.text);
}

enum weir_read
query_send(struct weir_reader *reader, struct weir_error *err)
{
	struct weir_error why = {0};
	return outcome(reader, weir_redis_send(reader->redis, &why), &why, err);
}

enum weir_read
query_send_together(struct weir_reader *reader, struct weir_error *err)
{
	struct weir_error why = {0};
	return outcome(reader, weir_redis_send_together(reader->redis, &why), &why, err);
}
