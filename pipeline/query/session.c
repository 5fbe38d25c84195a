/*
 * How a question begins: the answer before is forgotten, and the number of partitions is known. Redis holds that number; it
 * is asked for again after a second, because nothing that counts is kept longer.
 */
#include <stdlib.h>

#include "pipeline/query/query_priv.h"

#define KEPT_US 1000000

static bool
count_parse(struct weir_slice text, uint32_t *count_out)
{
	uint64_t count = 0;
	if (text.len == 0 || text.len > 6)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		count = count * 10 + (uint64_t)(text.data[i] - '0');
	}
	*count_out = (uint32_t)count;
	return count >= 1 && count <= READ_PARTITIONS_MAX;
}

static void
set_partitions(struct weir_reader *reader, uint32_t count)
{
	if (count == reader->partitions)
		return;
	partition_metas_free(reader);
	reader->partitions = count;
	reader->partition_metas = weir_calloc(count, sizeof(*reader->partition_metas));
	reader->slot_of = weir_calloc(count, sizeof(*reader->slot_of));
	for (uint32_t p = 0; p < count; p++)
		reader->slot_of[p] = weir_slot_of_partition(reader->prefix, p);
}

static enum weir_read
query_partitions(struct weir_reader *reader, struct weir_error *err)
{
	struct weir_buf *out;
	char key[300];
	query_clear(reader);
	(void)snprintf(key, sizeof(key), "%s:partitions", reader->prefix);
	uint32_t number = query_begin(reader, QUERY_ANY_NODE, 2, &out);
	weir_resp_text(out, "GET");
	weir_resp_text(out, key);
	enum weir_read answer = query_send(reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_slice text = query_bytes(reader, number);
	uint32_t count;
	if (text.len == 0)
		return read_fail(
		    err, WEIR_READ_AWAY, "%s is not set in Redis: weir has not run yet, or with another prefix", key);
	if (!count_parse(text, &count))
		return read_fail(err, WEIR_READ_BROKEN, "%s in Redis is no number of partitions", key);
	set_partitions(reader, count);
	reader->partitions_at = weir_steady_now();
	return WEIR_READ_OK;
}

enum weir_read
read_begin(struct weir_reader *reader, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(reader, READ_MAGIC);
	arena_reset(&reader->arena);
	definitions_drop(reader);
	if (reader->partitions != 0 && !weir_steady_is_past(reader->partitions_at, KEPT_US))
		return WEIR_READ_OK;
	return query_partitions(reader, err);
}

enum weir_read
weir_reader_check(struct weir_reader *reader, uint32_t *partitions_out, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(reader, READ_MAGIC);
	enum weir_read answer = query_partitions(reader, err);
	if (answer == WEIR_READ_OK)
		*partitions_out = reader->partitions;
	return answer;
}
