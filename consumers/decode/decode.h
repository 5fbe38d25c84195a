/*
 * Decoders: one Kafka message's bytes -> records.
 *
 * Formats: canonical JSON (object, array, lines), feeds described by a mapping (config/mapping), packed batches.
 * JSON goes two ways that must agree on every input: a *shape cache*, which compares the bytes between scalar values with
 * those of the last record of the same shape and scans the values strictly, and simdjson for any other shape; what the
 * full parser accepts teaches the cache. All or nothing per JSON text (message, or line in JSON lines): either it is valid
 * JSON and each element becomes a record (counted or rejected), or it is one record with WEIR_REJECT_MALFORMED.
 *
 * A decoder belongs to one thread and keeps no pointer into a message after it returns. No allocation after warm-up.
 */
#ifndef WEIR_CONSUMERS_DECODE_H
#define WEIR_CONSUMERS_DECODE_H

#include <stdint.h>

#include "aggregators/tables/record.h"
#include "config/base/slice.h"

struct weir_decoder;
struct weir_mapping; /* config/mapping/mapping.h: a compiled description of a feed; NULL = canonical */

struct weir_decode_stats {
	uint64_t fast_records; /* through the shape cache */
	uint64_t full_records; /* through simdjson */
	uint64_t packed_records;
	uint64_t filtered; /* elements that the mapping's filter leaves out (not rejects) */
	uint64_t rejects;
};

/* mapping is borrowed and must outlive the decoder; NULL decodes canonical JSON. message_max: bytes, above it too_large. */
struct weir_decoder *weir_decoder_new(const struct weir_mapping *mapping, size_t message_max);
void weir_decoder_free(struct weir_decoder *decoder);

/*
 * Appends the records of one message to `out` (message, element, raw_off, raw_len, iccid ... set; offset and input are
 * the caller's). Returns how many were appended, rejected ones included. key: the message's key, used when a record names
 * no card and the key is an ICCID. An empty value (0 bytes or NULL) is one MALFORMED record.
 */
uint32_t weir_decode(struct weir_decoder *decoder, struct weir_slice key, struct weir_slice value, uint32_t message,
    struct weir_records *out);

/* The same by the full parser alone: the reference that tests and fuzzers hold weir_decode against. */
uint32_t weir_decode_full(struct weir_decoder *decoder, struct weir_slice key, struct weir_slice value, uint32_t message,
    struct weir_records *out);

const struct weir_decode_stats *weir_decoder_stats(const struct weir_decoder *decoder);

#endif
