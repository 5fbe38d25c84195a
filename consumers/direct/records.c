/* Record batches; see records.h. */
#include "consumers/direct/records.h"

#include "consumers/direct/crc32c.h"
#include "consumers/wire/wire.h"

enum {
	LENGTH_AT = 8,
	LENGTH_FROM = 12, /* what the length counts begins here */
	EPOCH_AT = 12,
	MAGIC_AT = 16,
	CRC_AT = 17,
	CRC_FROM = 21, /* what the checksum covers begins here: the attributes */
	LAST_DELTA_AT = 23,
	BASE_TIME_AT = 27,
	MAX_TIME_AT = 35,
	PRODUCER_AT = 43,
	COUNT_AT = 57,
	RECORD_LEAST = 7, /* bytes of a record: length, attributes, two deltas, two lengths, header count */
};

const char *
records_fault_text(enum records_fault fault)
{
	static const char *const TEXT[] = {[RECORDS_OK] = "good",
	    [RECORDS_END] = "at its end",
	    [RECORDS_CUT] = "cut off",
	    [RECORDS_OLD] = "of an old message format",
	    [RECORDS_LENGTH] = "damaged: a length cannot be true",
	    [RECORDS_VARINT] = "damaged: a varint runs on",
	    [RECORDS_CRC] = "damaged: its checksum differs",
	    [RECORDS_CODEC] = "compressed in a way nobody knows",
	    [RECORDS_PACKED] = "damaged: its compressed bytes are none",
	    [RECORDS_BOMB] = "damaged: far too much comes out of its compressed bytes",
	    [RECORDS_ROOM] = "larger than the room given"};
	return TEXT[fault];
}

static void
read_head(const uint8_t *from, const uint8_t *end, struct record_batch *batch)
{
	uint16_t attributes = wire_load16(from + CRC_FROM);
	*batch = (struct record_batch){.base_offset = (int64_t)wire_load64(from),
	    .base_ms = (int64_t)wire_load64(from + BASE_TIME_AT),
	    .max_ms = (int64_t)wire_load64(from + MAX_TIME_AT),
	    .producer_id = (int64_t)wire_load64(from + PRODUCER_AT),
	    .leader_epoch = (int32_t)wire_load32(from + EPOCH_AT),
	    .count = wire_load32(from + COUNT_AT),
	    .codec = (enum records_codec)(attributes & 7),
	    .log_append = (attributes & 8) != 0,
	    .transactional = (attributes & 16) != 0,
	    .control = (attributes & 32) != 0,
	    .crc_from = from + CRC_FROM,
	    .crc = wire_load32(from + CRC_AT),
	    .records = {from + RECORDS_HEAD_BYTES, (size_t)(end - from) - RECORDS_HEAD_BYTES}};
}

enum records_fault
records_batch(const uint8_t **at, const uint8_t *end, struct record_batch *batch)
{
	const uint8_t *from = *at;
	size_t left = (size_t)(end - from);
	if (left == 0)
		return RECORDS_END;
	if (left <= MAGIC_AT)
		return RECORDS_CUT;
	if (from[MAGIC_AT] < 2)
		return RECORDS_OLD;
	uint32_t len = wire_load32(from + LENGTH_AT);
	if (from[MAGIC_AT] > 2 || len < RECORDS_HEAD_BYTES - LENGTH_FROM || len > INT32_MAX)
		return RECORDS_LENGTH;
	if (left < LENGTH_FROM + (size_t)len)
		return RECORDS_CUT;
	read_head(from, from + LENGTH_FROM + len, batch);
	uint32_t last = wire_load32(from + LAST_DELTA_AT);
	if (batch->base_offset < 0 || last > INT32_MAX || batch->base_offset > INT64_MAX - 1 - (int64_t)last)
		return RECORDS_LENGTH;
	batch->last_offset = batch->base_offset + last;
	/* No more records than offsets, and each takes some bytes where they can be counted. */
	if (batch->count > (uint64_t)last + 1 ||
	    (batch->codec == RECORDS_PLAIN && (uint64_t)batch->count * RECORD_LEAST > batch->records.len))
		return RECORDS_LENGTH;
	if (batch->codec > RECORDS_ZSTD)
		return RECORDS_CODEC;
	*at = from + LENGTH_FROM + len;
	return RECORDS_OK;
}

enum records_fault
records_checksum(const struct record_batch *batch)
{
	size_t len = (size_t)(batch->records.data + batch->records.len - batch->crc_from);
	return weir_crc32c(batch->crc_from, len) == batch->crc ? RECORDS_OK : RECORDS_CRC;
}

void
records_walk_begin(struct records_walk *walk, const struct record_batch *batch, struct weir_slice plain)
{
	*walk = (struct records_walk){.at = plain.data,
	    .end = plain.data + plain.len,
	    .left = batch->count,
	    .base_offset = batch->base_offset,
	    .base_ms = batch->base_ms,
	    .append_ms = batch->max_ms,
	    .log_append = batch->log_append};
}

/* A zigzag varint of more than one byte, at most 64 bits. NULL when it runs on or past the end. */
static const uint8_t *
long_varint(const uint8_t *at, const uint8_t *end, int64_t *out)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
		uint64_t byte = *at++;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80) {
			*out = (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
			return shift == 63 && byte > 1 ? NULL : at;
		}
	}
	return NULL;
}

static inline const uint8_t *
read_varint(const uint8_t *at, const uint8_t *end, int64_t *out)
{
	if (__builtin_expect(at < end && *at < 0x80, 1)) {
		*out = (int64_t)(*at >> 1) ^ -(int64_t)(*at & 1);
		return at + 1;
	}
	return long_varint(at, end, out);
}

/* A length with its bytes; -1 is null. */
static inline const uint8_t *
sized(const uint8_t *at, const uint8_t *end, struct weir_slice *out, enum records_fault *fault)
{
	int64_t len;
	at = read_varint(at, end, &len);
	if (at == NULL) {
		*fault = RECORDS_VARINT;
		return NULL;
	}
	if (len < -1 || len > end - at) {
		*fault = RECORDS_LENGTH;
		return NULL;
	}
	*out = (struct weir_slice){len < 0 ? NULL : at, len < 0 ? 0 : (size_t)len};
	return at + out->len;
}

/* One record at walk->at; headers are stepped over by the record's own length. */
static inline enum records_fault
read_record(struct records_walk *walk, struct weir_message *message)
{
	int64_t len, ms, offset;
	enum records_fault fault = RECORDS_VARINT;
	const uint8_t *at = read_varint(walk->at, walk->end, &len);
	if (at == NULL)
		return RECORDS_VARINT;
	if (len < 1 || len > walk->end - at)
		return RECORDS_LENGTH;
	const uint8_t *end = at + len;
	at = read_varint(at + 1, end, &ms);
	if (at == NULL || (at = read_varint(at, end, &offset)) == NULL)
		return RECORDS_VARINT;
	if ((at = sized(at, end, &message->key, &fault)) == NULL || (at = sized(at, end, &message->value, &fault)) == NULL)
		return fault;
	if (offset < 0 || offset > INT32_MAX)
		return RECORDS_LENGTH;
	walk->at = end;
	message->offset = walk->base_offset + offset;
	int64_t at_ms = walk->log_append ? walk->append_ms : (int64_t)((uint64_t)walk->base_ms + (uint64_t)ms);
	message->timestamp_us = at_ms <= 0 || at_ms > INT64_MAX / 1000 ? 0 : at_ms * 1000;
	return RECORDS_OK;
}

enum records_fault
records_walk_next(struct records_walk *walk, int64_t from, struct weir_message *messages, uint32_t max, uint32_t *count_out)
{
	uint32_t count = 0;
	enum records_fault fault = RECORDS_OK;
	while (count < max) {
		if (walk->left == 0) {
			fault = RECORDS_END;
			break;
		}
		fault = read_record(walk, &messages[count]);
		if (fault != RECORDS_OK)
			break;
		walk->left--;
		count += messages[count].offset >= from;
	}
	*count_out = count;
	return fault;
}

enum records_fault
records_marker(const struct record_batch *batch, bool *abort_out)
{
	struct records_walk walk;
	struct weir_message marker;
	uint32_t count;
	if (batch->codec != RECORDS_PLAIN || batch->count == 0)
		return RECORDS_LENGTH;
	records_walk_begin(&walk, batch, batch->records);
	enum records_fault fault = records_walk_next(&walk, 0, &marker, 1, &count);
	if (fault != RECORDS_OK)
		return fault;
	if (marker.key.len < 4)
		return RECORDS_LENGTH;
	*abort_out = wire_load16(marker.key.data + 2) == 0;
	return RECORDS_OK;
}
