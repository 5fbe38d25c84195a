/* Record batches; see raw_batch.h. */
#include "bench/raw_batch.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/base/varint.h"
#include "consumers/direct/crc32c.h"
#include "consumers/direct/records.h"
#include "consumers/direct/wire.h"

#define RECORD_HEAD_MAX 40 /* all of a record but key and value, at most */

static uint8_t *
put_varint(uint8_t *at, int64_t number)
{
	return weir_varint_put(at, weir_zigzag(number));
}

static size_t
varint_len(int64_t number)
{
	return weir_varint_len(weir_zigzag(number));
}

void
raw_batch_init(struct raw_batch *batch, size_t cap_bytes)
{
	WEIR_CHECK(cap_bytes > RECORDS_HEAD_BYTES + RECORD_HEAD_MAX);
	*batch = (struct raw_batch){.bytes = weir_calloc(1, cap_bytes), .cap = cap_bytes};
	raw_batch_clear(batch);
}

void
raw_batch_free(struct raw_batch *batch)
{
	free(batch->bytes);
	*batch = (struct raw_batch){0};
}

void
raw_batch_clear(struct raw_batch *batch)
{
	batch->len = RECORDS_HEAD_BYTES;
	batch->records = 0;
}

bool
raw_batch_add(
    struct raw_batch *batch, const char *key, size_t key_len, const char *value, size_t value_len, int64_t timestamp_ms)
{
	if (batch->len + RECORD_HEAD_MAX + key_len + value_len > batch->cap)
		return false;
	if (batch->records == 0)
		batch->base_ms = batch->max_ms = timestamp_ms;
	batch->max_ms = timestamp_ms > batch->max_ms ? timestamp_ms : batch->max_ms;
	int64_t delta_ms = timestamp_ms - batch->base_ms, number = batch->records++;
	size_t body = 1 + varint_len(delta_ms) + varint_len(number) + varint_len((int64_t)key_len) + key_len +
		      varint_len((int64_t)value_len) + value_len + 1;
	uint8_t *at = put_varint(batch->bytes + batch->len, (int64_t)body);
	*at++ = 0; /* attributes */
	at = put_varint(at, delta_ms);
	at = put_varint(at, number);
	at = put_varint(at, (int64_t)key_len);
	memcpy(at, key, key_len);
	at = put_varint(at + key_len, (int64_t)value_len);
	memcpy(at, value, value_len);
	at += value_len;
	*at++ = 0; /* headers */
	batch->len = (size_t)(at - batch->bytes);
	return true;
}

void
raw_batch_seal(struct raw_batch *batch)
{
	uint8_t *at = wire_store64(batch->bytes, 0); /* base offset: the broker gives it */
	at = wire_store32(at, (uint32_t)(batch->len - RECORDS_LENGTH_FROM));
	at = wire_store32(at, UINT32_MAX); /* leader's epoch: not known */
	*at++ = 2;                         /* the message format */
	uint8_t *crc = at;
	at = wire_store16(at + 4, 0); /* attributes: uncompressed, CreateTime */
	at = wire_store32(at, batch->records - 1);
	at = wire_store64(at, (uint64_t)batch->base_ms);
	at = wire_store64(at, (uint64_t)batch->max_ms);
	at = wire_store64(at, UINT64_MAX); /* no producer id, epoch, sequence */
	at = wire_store16(at, UINT16_MAX);
	at = wire_store32(at, UINT32_MAX);
	at = wire_store32(at, batch->records);
	WEIR_CHECK(at == batch->bytes + RECORDS_HEAD_BYTES);
	(void)wire_store32(crc, weir_crc32c(batch->bytes + RECORDS_CRC_FROM, batch->len - RECORDS_CRC_FROM));
}
