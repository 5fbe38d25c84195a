/*
 * A store that answers at once: takes bodies of flushes and answers a partition's fetch requests, so that late records
 * find their dedupe keys as they would in Redis. Keeps the bytes of what may be fetched (dedupe keys, closed cycles,
 * windows) and the lengths of everything. One thread.
 */
#ifndef WEIR_BENCH_STORE_H
#define WEIR_BENCH_STORE_H

#include "config/base/slice.h"

struct bench_store;
struct bench_store *bench_store_new(void);
void bench_store_free(struct bench_store *store);
/* Applies the commands of a body (pipeline/engine/body.h) in order. */
void bench_store_apply(struct bench_store *store, struct weir_slice body);
/* len bytes of the key's value from `from` on (0: all of it); what is not there is empty. */
struct weir_slice bench_store_get(const struct bench_store *store, const char *key, uint32_t from, uint32_t len);

struct bench_stored {
	uint64_t keys, bytes;      /* of values, without Redis' own overhead */
	uint64_t dedupe_key_bytes; /* of those: dedupe keys */
	uint64_t redis_bytes;      /* as Redis' allocator rounds values up, with 72 bytes a key for its entry and headers */
	uint64_t redis_dedupe_key_bytes; /* of those: dedupe keys */
};
struct bench_stored bench_store_figures(const struct bench_store *store);

#endif
