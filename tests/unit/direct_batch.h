/* Record batches for the tests of the direct source, written as a producer writes them. */
#ifndef TESTS_DIRECT_BATCH_H
#define TESTS_DIRECT_BATCH_H

#include "consumers/direct/crc32c.h"
#include "consumers/direct/records.h"
#include "consumers/wire/wire.h"

struct batch_of {
	int64_t base_offset, base_ms, max_ms, producer_id;
	int32_t last_delta, epoch;
	uint16_t attributes; /* codec 0-2, log append 3, transactional 4, control 5 */
	uint32_t count;
};

static inline void
put_varint(struct weir_buf *out, int64_t value)
{
	uint64_t rest = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
	for (; rest >= 0x80; rest >>= 7)
		wire_put8(out, (uint8_t)(rest | 0x80));
	wire_put8(out, (uint8_t)rest);
}

static inline void
put_sized(struct weir_buf *out, const char *text)
{
	put_varint(out, text == NULL ? -1 : (int64_t)strlen(text));
	if (text != NULL)
		weir_buf_append(out, text, strlen(text));
}

/* One record; headers: how many, each "h": "v". */
static inline void
put_record(struct weir_buf *out, int64_t offset, int64_t ms, const char *key, const char *value, int headers)
{
	struct weir_buf body = {0};
	wire_put8(&body, 0);
	put_varint(&body, ms);
	put_varint(&body, offset);
	put_sized(&body, key);
	put_sized(&body, value);
	put_varint(&body, headers);
	for (int i = 0; i < headers; i++) {
		put_sized(&body, "h");
		put_sized(&body, "v");
	}
	put_varint(out, (int64_t)body.len);
	weir_buf_append(out, body.data, body.len);
	weir_buf_free(&body);
}

/* A whole batch around records that are packed already. */
static inline void
put_batch(struct weir_buf *out, const struct batch_of *of, struct weir_slice records)
{
	size_t from = out->len;
	wire_put64(out, (uint64_t)of->base_offset);
	wire_put32(out, (uint32_t)(RECORDS_HEAD_BYTES - 12 + records.len));
	wire_put32(out, (uint32_t)of->epoch);
	wire_put8(out, 2);
	wire_put32(out, 0);
	wire_put16(out, of->attributes);
	wire_put32(out, (uint32_t)of->last_delta);
	wire_put64(out, (uint64_t)of->base_ms);
	wire_put64(out, (uint64_t)of->max_ms);
	wire_put64(out, (uint64_t)of->producer_id);
	wire_put16(out, 0);
	wire_put32(out, 0);
	wire_put32(out, of->count);
	weir_buf_append(out, records.data, records.len);
	uint32_t crc = __builtin_bswap32(weir_crc32c_table(out->data + from + 21, out->len - from - 21));
	memcpy(out->data + from + 17, &crc, sizeof(crc));
}

#endif
