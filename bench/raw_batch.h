/*
 * Kafka's record batch (message format 2), written straight into a buffer: uncompressed, no producer id, no headers.
 *
 * For a load generator that must cost next to nothing: nothing is allocated, copied twice or locked. A batch belongs to
 * whoever fills it.
 */
#ifndef WEIR_BENCH_RAW_BATCH_H
#define WEIR_BENCH_RAW_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raw_batch {
	uint8_t *bytes; /* the batch as it goes out, header first */
	size_t len, cap;
	uint32_t records;
	int64_t base_ms, max_ms; /* timestamps of the first and of the newest record */
};

void raw_batch_init(struct raw_batch *batch, size_t cap_bytes);
void raw_batch_free(struct raw_batch *batch);
void raw_batch_clear(struct raw_batch *batch);
/* False when the record does not fit any more. timestamp_ms is the record's own Kafka timestamp (CreateTime). */
bool raw_batch_add(
    struct raw_batch *batch, const char *key, size_t key_len, const char *value, size_t value_len, int64_t timestamp_ms);
/* Writes the header and the checksum; the bytes can be sent afterwards. */
void raw_batch_seal(struct raw_batch *batch);

#endif
