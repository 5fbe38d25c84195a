/*
 * One partition as a lane runs it (pipeline/engine/lane.c), on one thread, without Kafka and Redis: messages are decoded in
 * the lane's batches, folded, ticked, pools' usage reports and state updates come back at once, flushes are encoded as
 * Redis commands and are in the store when that is done. What each part took is kept apart. Commands are taken and
 * forgotten.
 */
#ifndef WEIR_BENCH_ENGINE_H
#define WEIR_BENCH_ENGINE_H

#include "aggregators/partition.h"
#include "bench/memory_store.h"
#include "bench/workload.h"
#include "consumers/decode/decode.h"
#include "pipeline/engine/body.h"

enum { ENGINE_BATCH = 2048, ENGINE_TICK_SLOTS = 2048, ENGINE_SPARSE_SLOTS = 12 }; /* as the settings' defaults */

struct engine_times { /* nanoseconds, growing */
	int64_t decode, fold, round, encode;
};

struct engine {
	struct weir_partition *core;
	struct weir_decoder *decoder;
	struct weir_records records;
	struct weir_buf body, outbox;
	struct bench_store *store;
	struct engine_times times;
	uint64_t flushes, flush_bytes, flush_commands, pending_commands, reports, pool_states;
	uint64_t body_hash; /* over all flushes */
};

/* A batch of messages that came at one time. */
struct engine_batch {
	const struct weir_slice *messages;
	const int64_t *arrived_us; /* a message */
	uint32_t count;
};

/* With the workload's plans, pools and cards, all of it in the store. */
struct engine *engine_new(const struct workload *workload);
void engine_free(struct engine *engine);

/* A lane's round: decode, fold, tick, tell. */
void engine_round(struct engine *engine, const struct engine_batch *batch);
/* The same for records that are decoded already; at_us: the clock. */
void engine_fold(struct engine *engine, const struct weir_record *records, uint32_t count, int64_t at_us);
/* Bounded background work and what is to be published; true when more is due. */
bool engine_tick(struct engine *engine);
/* Encodes what changed and brings it into the store. */
void engine_flush(struct engine *engine);
/* Hash over cards, pools, counters and all flushes so far: equal for equal results. */
uint64_t engine_hash(const struct engine *engine);

#endif
