/* Record batches; see raw_batch.h. */
#include "bench/raw_batch.h"

#include <stdlib.h>
#include <string.h>
#if defined(__SSE4_2__)
#include <immintrin.h>
#endif

#include "config/base/check.h"

enum {
	HEAD_BYTES = 61,     /* base offset to record count */
	LENGTH_FROM = 12,    /* what the length field counts begins here */
	CRC_FROM = 21,       /* what the checksum covers begins here: the attributes */
	RECORD_HEAD_MAX = 40 /* all of a record but key and value, at most */
};

uint8_t *
raw_put16(uint8_t *at, uint16_t number)
{
	uint16_t big = __builtin_bswap16(number);
	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

uint8_t *
raw_put32(uint8_t *at, uint32_t number)
{
	uint32_t big = __builtin_bswap32(number);
	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

uint8_t *
raw_put64(uint8_t *at, uint64_t number)
{
	uint64_t big = __builtin_bswap64(number);
	memcpy(at, &big, sizeof(big));
	return at + sizeof(big);
}

static uint64_t
zigzag(int64_t number)
{
	return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

static uint8_t *
put_varint(uint8_t *at, int64_t number)
{
	uint64_t rest = zigzag(number);
	for (; rest >= 0x80; rest >>= 7)
		*at++ = (uint8_t)(rest | 0x80);
	*at++ = (uint8_t)rest;
	return at;
}

static size_t
varint_len(int64_t number)
{
	return (size_t)(63 - __builtin_clzll(zigzag(number) | 1)) / 7 + 1;
}

void
raw_batch_init(struct raw_batch *batch, size_t cap_bytes)
{
	WEIR_CHECK(cap_bytes > HEAD_BYTES + RECORD_HEAD_MAX);
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
	batch->len = HEAD_BYTES;
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
	uint8_t *at = raw_put64(batch->bytes, 0); /* base offset: the broker gives it */
	at = raw_put32(at, (uint32_t)(batch->len - LENGTH_FROM));
	at = raw_put32(at, UINT32_MAX); /* leader's epoch: not known */
	*at++ = 2;                      /* the message format */
	uint8_t *crc = at;
	at = raw_put16(at + 4, 0); /* attributes: uncompressed, CreateTime */
	at = raw_put32(at, batch->records - 1);
	at = raw_put64(at, (uint64_t)batch->base_ms);
	at = raw_put64(at, (uint64_t)batch->max_ms);
	at = raw_put64(at, UINT64_MAX); /* no producer id, epoch, sequence */
	at = raw_put16(at, UINT16_MAX);
	at = raw_put32(at, UINT32_MAX);
	at = raw_put32(at, batch->records);
	WEIR_CHECK(at == batch->bytes + HEAD_BYTES);
	(void)raw_put32(crc, raw_crc32c(batch->bytes + CRC_FROM, batch->len - CRC_FROM));
}

#if defined(__SSE4_2__)

uint32_t
raw_crc32c(const uint8_t *bytes, size_t len)
{
	uint64_t crc = UINT32_MAX, word;
	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	for (; len > 0; bytes++, len--)
		crc = _mm_crc32_u8((uint32_t)crc, *bytes);
	return ~(uint32_t)crc;
}

#else

static uint32_t
crc_of_byte(uint32_t byte)
{
	for (int bit = 0; bit < 8; bit++)
		byte = (byte >> 1) ^ (byte & 1 ? 0x82f63b78u : 0);
	return byte;
}

uint32_t
raw_crc32c(const uint8_t *bytes, size_t len)
{
	uint32_t table[256], crc = UINT32_MAX; /* the table is small beside a batch: no state is kept for it */
	for (uint32_t i = 0; i < 256; i++)
		table[i] = crc_of_byte(i);
	for (size_t i = 0; i < len; i++)
		crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xff];
	return ~crc;
}

#endif

uint32_t
raw_murmur2(const char *key, size_t len)
{
	const uint32_t m = 0x5bd1e995u;
	uint32_t hash = 0x9747b28cu ^ (uint32_t)len, word;
	for (; len >= 4; key += 4, len -= 4) {
		memcpy(&word, key, sizeof(word));
		word *= m;
		word ^= word >> 24;
		hash = hash * m ^ word * m;
	}
	if (len > 0) {
		word = 0;
		memcpy(&word, key, len);
		hash = (hash ^ word) * m;
	}
	hash = (hash ^ hash >> 13) * m;
	return hash ^ hash >> 15;
}
