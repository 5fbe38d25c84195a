/* What the files of the lane share among themselves. */
#ifndef WEIR_PIPELINE_LANE_PRIV_H
#define WEIR_PIPELINE_LANE_PRIV_H

#include <pthread.h>

#include "aggregators/partition.h"
#include "consumers/decode/decode.h"
#include "pipeline/engine/lane.h"
#include "pipeline/store/store.h"

#define WEIR_FLUSH_TOPIC "#flush" /* the flush number lies among the positions, under a name no topic can have */
#define WEIR_FLUSH_FIELD "o:" WEIR_FLUSH_TOPIC

enum lane_state {
	LANE_TAKING, /* the store is loading it */
	LANE_RUNNING,
	LANE_FENCED,  /* another owner was seen; waiting for the group to agree, else taken again */
	LANE_STOPPED, /* cannot go on exactly; said so */
	LANE_GONE,    /* given back; kept until its last request has come back */
};

struct lane_partition {
	struct weir_lane *lane;
	struct weir_partition *core; /* owned by the store thread while taking */
	uint32_t number;
	enum lane_state state;
	uint64_t epoch;
	uint32_t requests;                    /* with the store */
	int64_t next_offset[WEIR_TOPICS_MAX]; /* next offset to fold */
	int64_t stored[WEIR_TOPICS_MAX];      /* as the header holds it */
	bool at_end[WEIR_TOPICS_MAX];         /* reached the end once since it was taken */
	bool cards_caught_up;                 /* the card stage has caught up: its partials are settled ones */
	bool pools_caught_up;                 /* the pool stage has: it tells words */
	bool leaving;          /* given back after this flush: what is told from here on is told again by the next owner */
	bool caught_up;        /* reached the end of all topics; unknown states were offered */
	bool guard_tripped;    /* as seen in the last round */
	bool restart_commands; /* offers on their way come from stored state */
	int64_t flush_due_us;  /* with all read; otherwise lane_flush_due_us */
	struct weir_store_request *flush; /* encoded, waiting for letters or with the store */
	bool flush_sent;
	int64_t flush_number;   /* of the last flush encoded: tells two flushes at one position apart */
	uint32_t fetching;      /* FETCH requests with the store */
	struct weir_buf audits; /* RESP of audit entries since the last encode */
	uint32_t audit_commands;
	struct weir_ack_window *ack_window;
	int64_t purge_hour; /* marks of hours up to here are deleted */
	int32_t purge_cycle;
	int32_t purge_window[WEIR_WINDOW_KINDS]; /* windows before are deleted, and pages of it */
	uint32_t purge_page[WEIR_WINDOW_KINDS];
	int64_t newest_us[WEIR_TOPICS_MAX]; /* newest Kafka timestamp read since it was taken, by topic; 0 = none */
	int64_t checked_us;                 /* when the watermark was last looked at */
	int64_t behind_us;                  /* how old what was being read was then; 0 = at the end of all inputs */
	int64_t retake_us;
	bool lost_writes;                   /* being taken again because Redis lost writes */
	struct weir_unconfirmed_list known; /* what was known of cards' states before that */
	struct {                            /* a look at all pools, some a publication (lane_figures.c) */
		uint32_t next;
		uint64_t sum, whole; /* of this look so far; of the last one that was finished */
	} unreported_allowance;
	int64_t flushed_us;
	bool drop_due; /* stopped, and still being fetched */
	bool changed;  /* something to flush */
};

#define LANE_BODIES 2 /* flushes of a lane are staggered: few are under way at once */

struct weir_lane {
	const struct weir_lane_shared *shared;
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
	bool assigning;                       /* within on_assign: partitions start together when it returns */
	struct weir_ack_window **ack_windows; /* by partition number, for the lane's life */
	uint32_t ack_window_cap;
	struct weir_partition_stats gone; /* sums of partitions given back */
	uint64_t messages;
	uint64_t commands_sent, commands_confirmed, commands_failed;
	uint64_t feed_rows[WEIR_RUN_FEED_COUNT];
	struct weir_buf json;                /* scratch */
	struct weir_buf bodies[LANE_BODIES]; /* memory of flushes that are over, for the next ones */
	struct weir_lane_counters counters;
};

int64_t lane_now_us(void);
/* Ends the lane with an error. */
void lane_fail(struct weir_lane *lane, const struct weir_error *err);

/* lane_take.c */
bool lane_on_assign(void *ctx, struct weir_start *starts, uint32_t count);
void lane_on_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost);
struct lane_partition *lane_find(struct weir_lane *lane, uint32_t number);
/* Waits on the bell at most timeout_us, then takes all answers of the store. */
void lane_wait(struct weir_lane *lane, int64_t timeout_us);
/* The same between two rounds, when the source may also have something. */
void lane_rest(struct weir_lane *lane, int64_t timeout_us);
void lane_take_again(struct lane_partition *lp);
void lane_stop_partition(struct lane_partition *lp, const char *why);

/* lane_flush.c */
/* Keeps the memory of a flush that is over, or frees it. */
void lane_keep_body(struct weir_lane *lane, struct weir_buf *body);
void lane_flush_round(struct lane_partition *lp, int64_t now_us);
/* When what has changed is to be flushed; it may still have to wait for look-ups and letters. */
int64_t lane_flush_due_us(const struct lane_partition *lp);
void lane_submit_fetches(struct lane_partition *lp);
/* Takes what came back from the store; true when there was something. */
bool lane_store_answers(struct weir_lane *lane);
/* Must the partition not fold now (waiting for look-ups, or too much unflushed)? */
bool lane_is_held(const struct lane_partition *lp, int64_t now_us);

/* lane_windows.c */
/* Tells the core how far its records were read in time; a few times a second. */
void lane_watermark(struct lane_partition *lp, int64_t now_us);
/* After a take-over. */
void lane_purge_begin(struct lane_partition *lp);
/* Deletes strings of windows that are no longer kept, a bounded number; returns the commands added to the flush. */
uint32_t lane_purge_windows(struct lane_partition *lp, struct weir_buf *body);

/* lane_effects.c */
bool lane_dispatch_results(struct weir_lane *lane);
/* Offers, audits, tells and rejects that the core left; batch holds the raw bytes of rejected records (NULL = none). */
void lane_effects(struct lane_partition *lp, uint32_t input, const struct weir_batch *batch);
/* What is due to others becomes tells, and all that was left is given out: the end of a partition's round. */
void lane_publish(struct lane_partition *lp);

/* lane_figures.c: what others may see of the lane */
void lane_count_latency(struct weir_lane *lane, int64_t latency_us);
void lane_count(struct weir_lane_histogram *histogram, int64_t value);
/* Overshoot and time to confirmation of what the core decided or was told. */
void lane_count_audit(struct weir_lane *lane, const struct weir_audit *audit);
void lane_publish_rows(struct weir_lane *lane);
/* A sign of life. */
static inline void
lane_heartbeat(struct weir_lane *lane)
{
	atomic_fetch_add_explicit(&lane->counters.rounds, 1, memory_order_relaxed);
}

#endif
