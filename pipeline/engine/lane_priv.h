/* What the files of the lane share among themselves. */
#ifndef WEIR_PIPELINE_LANE_PRIV_H
#define WEIR_PIPELINE_LANE_PRIV_H

#include <pthread.h>

#include "consumers/decode/decode.h"
#include "pipeline/engine/body.h"
#include "pipeline/engine/lane.h"
#include "pipeline/engine/owner.h"

#define WEIR_FLUSH_TOPIC "#flush" /* the flush number lies among the positions, under a name no topic can have */
#define WEIR_FLUSH_FIELD "o:" WEIR_FLUSH_TOPIC

/* An owner's world: the ctx of its owner_io. */
struct lane_partition {
	struct weir_lane *lane;
	struct owner *owner;
	struct weir_ack_window *ack_window;
	struct weir_store_request *flush; /* encoded, not sent yet; the store's afterwards */
	struct weir_body body;            /* while it is encoded */
	struct {                          /* a look at all pools, some a publication (lane_figures.c) */
		uint32_t next;
		uint64_t sum, whole; /* of this look so far; of the last one that was finished */
	} unreported_allowance;
};

#define LANE_BODIES 2 /* flushes of a lane are staggered: few are under way at once */

struct weir_lane {
	const struct weir_lane_shared *shared;
	struct owner_rules rules;
	uint32_t number;
	int bell_fd;
	int source_fd; /* of the source's own input; -1: it rings the bell */
	pthread_t thread;
	_Atomic bool stop;   /* relaxed: the bell orders nothing, the loop only ends */
	_Atomic bool failed; /* release after error is written, acquire before it is read */
	struct weir_error error;
	struct weir_source *source;
	struct weir_store *store;
	struct weir_decoder *decoders[WEIR_INPUTS_MAX];
	struct weir_records records;
	struct lane_partition **partitions; /* by place in the list */
	uint32_t partition_count, partition_cap;
	bool store_connected;                 /* as seen at the round's start */
	struct weir_ack_window **ack_windows; /* by partition number, for the lane's life */
	uint32_t ack_window_cap;
	struct weir_partition_stats gone; /* sums of cores that are no more */
	uint64_t messages;
	uint64_t commands_sent, commands_confirmed, commands_failed;
	uint64_t feed_rows[WEIR_RUN_FEED_COUNT];
	struct weir_buf bodies[LANE_BODIES]; /* memory of flushes that are over, for the next ones */
	struct weir_lane_counters counters;
};

/* lane_list.c */
struct owner_now lane_now(void);
/* The partition that is not gone; NULL if there is none. */
struct lane_partition *lane_find(struct weir_lane *lane, uint32_t number);

/* lane_wait.c */
/* Waits on the bell at most timeout_us, then takes all answers of the store. */
void lane_wait(struct weir_lane *lane, int64_t timeout_us);
/* The same between two rounds, when the source may also have something. */
void lane_rest(struct weir_lane *lane, int64_t timeout_us);

/* lane_group.c */
bool lane_on_assign(void *ctx, struct weir_start *starts, uint32_t count);
void lane_on_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost);
/* Those that are over and have no request with the store any more. Not while others walk the list. */
void lane_sweep_gone(struct weir_lane *lane);

/* lane_io.c: everything but the store's part */
extern const struct owner_io LANE_IO;
/* Takes the dispatcher's results; true when there was one. */
bool lane_dispatch_results(struct weir_lane *lane);

/* lane_store.c: requests and their answers */
bool lane_store_connected(void *ctx);
bool lane_store_take(void *ctx, uint64_t epoch_floor);
void lane_flush_begin(void *ctx, uint64_t bytes, struct weir_writer *writer_out);
void lane_purge_marks(void *ctx, int64_t hour);
void lane_purge_past(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages);
void lane_purge_window(void *ctx, unsigned kind, int32_t window, uint32_t first_page, uint32_t pages);
uint64_t lane_flush_end(void *ctx, const struct weir_buf *history, uint32_t history_commands);
bool lane_store_flush(void *ctx);
bool lane_store_fetch(void *ctx, const struct weir_fetch_request *requests, uint32_t count);
void lane_store_cancel(void *ctx);
uint32_t lane_keep_history(void *ctx, struct weir_buf *out, const char *list, struct weir_slice json);
/* Takes what came back from the store; true when there was something. */
bool lane_store_answers(struct weir_lane *lane);
void lane_partition_free(struct lane_partition *lp);

/* lane_figures.c: what others may see of the lane */
void lane_count(struct weir_lane_histogram *histogram, int64_t value);
/* Overshoot and time to confirmation of what the core decided or was told; and the live view. */
void lane_count_audit(struct lane_partition *lp, const struct weir_audit *audit);
void lane_count_command(
    void *ctx, const struct weir_command_result *result, const struct weir_enforcement_slot *enforcement);
void lane_count_flush(void *ctx, int64_t took_us);
void lane_core_ends(void *ctx, const struct weir_partition_stats *stats);
void lane_publish(struct weir_lane *lane);
/* A sign of life. */
static inline void
lane_heartbeat(struct weir_lane *lane)
{
	atomic_fetch_add_explicit(&lane->counters.rounds, 1, memory_order_relaxed);
}

#endif
