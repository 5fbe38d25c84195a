/*
 * A lane: one thread that owns partitions and takes records from Kafka to counters, commands and flushes.
 *
 * Each round: group events, answers of the store, results of the dispatcher, then for each partition its reference data and
 * words, its pools' partials, its records, what it has to tell others, then flushes that are due. Sleeps on one eventfd
 * when a round found nothing. See docs/ARCHITECTURE.md, docs/pools.md.
 */
#ifndef WEIR_PIPELINE_LANE_H
#define WEIR_PIPELINE_LANE_H

#include <stdatomic.h>

#include "consumers/source/source.h"
#include "pipeline/dispatch/dispatch.h"
#include "pipeline/engine/outbox.h"
#include "pipeline/engine/run.h"

struct weir_lane;

/* A partition's row of gauges; all lanes share an array of them by number. Its owner stores, anyone loads (relaxed). */
struct weir_lane_row {
	_Atomic uint32_t lane; /* number + 1 of the lane that owns it; 0 = none of this process */
	_Atomic uint32_t state;
	_Atomic uint64_t epoch, cards, pools, memory_bytes, unflushed_bytes, parked, redis_requests, unacknowledged, scans,
	    unreported_bytes, guard_tripped;
	_Atomic int64_t stream_us, flushed_us, watermark_us, complete_us;
	_Atomic int64_t lag_messages[WEIR_TOPICS_MAX];
};

struct weir_lane_histogram {
	_Atomic uint64_t bucket[WEIR_LATENCY_BUCKETS];
	_Atomic uint64_t sum;
};

/* What lanes share; owned by the run, outlives them. */
struct weir_lane_shared {
	const struct weir_settings *settings;
	const char *topics[WEIR_TOPICS_MAX];                 /* inputs, then cards, then partials */
	const char *checkpoint_offsets[WEIR_TOPICS_MAX + 1]; /* the same and the flush number: what a header holds */
	uint32_t topic_count;
	uint32_t cards, reports; /* their places in topics; what lies before are inputs */
	uint32_t partitions;     /* of each of the topics */
	struct weir_dispatch *dispatch;
	struct weir_outbox_producer *outbox_producer;
	const char *owner_name;
	struct weir_lane_row *rows;                                   /* by partition number */
	void (*event)(void *ctx, const struct weir_run_event *event); /* for the live view; rare */
	void *event_ctx;
};

/* Running totals; the lane stores, anyone loads (relaxed: each is a figure by itself). */
struct weir_lane_counters {
	_Atomic uint64_t messages, filtered, cards, pools;
#define WEIR_STATS_MEMBER(counter) _Atomic uint64_t counter;
	WEIR_STATS_LIST(WEIR_STATS_MEMBER) /* of its partitions */
#undef WEIR_STATS_MEMBER
	_Atomic uint64_t rejected[WEIR_REJECT_COUNT];
	_Atomic uint64_t commands_sent, commands_confirmed, commands_failed;
	_Atomic uint64_t feed_rows[WEIR_RUN_FEED_COUNT];
	_Atomic uint64_t command_latency[WEIR_LATENCY_BUCKETS];
	_Atomic uint64_t command_latency_us;
	struct weir_lane_histogram confirm_latency, flush_latency, card_overshoot, pool_overshoot;
	_Atomic int64_t lag;
	_Atomic uint32_t partitions, partitions_ready;
	_Atomic uint64_t rounds; /* of the lane, waits within one included: whether it lives */
};

enum weir_class weir_lane_start(
    const struct weir_lane_shared *shared, uint32_t number, struct weir_lane **lane_out, struct weir_error *err);
/* Asks the lane to flush, leave its group and end. */
void weir_lane_stop(struct weir_lane *lane);
void weir_lane_join(struct weir_lane *lane);
void weir_lane_free(struct weir_lane *lane);
/* Wakes the lane. Any thread. */
void weir_lane_ring(struct weir_lane *lane);
const struct weir_lane_counters *weir_lane_counters_of(const struct weir_lane *lane);
struct weir_store;
struct weir_store *weir_lane_store(const struct weir_lane *lane);
/* True when the lane ended by itself; err says why. */
bool weir_lane_failed(const struct weir_lane *lane, struct weir_error *err);

#endif
