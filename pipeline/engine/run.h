/*
 * The running engine as one object: lanes, stores, dispatcher and producer started together and stopped in order.
 * `weir run` and `weir demo` are two callers of this. Start, stop and free on one thread; counters from any.
 */
#ifndef WEIR_PIPELINE_RUN_H
#define WEIR_PIPELINE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregators/state/stats.h"
#include "config/base/histogram.h"
#include "config/reference/reference.h"
#include "config/settings/settings.h"

struct weir_run;

/* Buckets of config/base/histogram.h, and the sum of what was put in. */
struct weir_run_histogram {
	uint64_t bucket[WEIR_LATENCY_BUCKETS];
	uint64_t sum;
};

enum weir_run_feed { WEIR_RUN_POOL_HOURLY, WEIR_RUN_POOL_DAILY, WEIR_RUN_CARD_DAILY, WEIR_RUN_FEED_COUNT };

struct weir_run_counters {
	uint64_t messages, filtered;
	uint64_t cards, pools; /* owned here */
#define WEIR_STATS_MEMBER(counter) uint64_t counter;
	WEIR_STATS_LIST(WEIR_STATS_MEMBER) /* of its partitions */
#undef WEIR_STATS_MEMBER
	uint64_t rejected[WEIR_REJECT_COUNT];
	uint64_t commands_sent, commands_confirmed, commands_failed;
	uint64_t flushes, flush_us_total, flush_bytes;
	uint64_t fenced, lost_writes, intents_skipped;
	int64_t lag_messages;                           /* input messages not yet folded, as last known */
	uint32_t partitions;                            /* owned now */
	uint64_t command_latency[WEIR_LATENCY_BUCKETS]; /* record's Kafka timestamp to the command at its adapter */
	uint64_t command_latency_us;                    /* their sum */
	uint64_t memory_bytes;                          /* resident set of the process */
	uint64_t feed_rows[WEIR_RUN_FEED_COUNT];        /* given to Kafka */
	/* microseconds; bytes, of cards when the cut was confirmed, of pools when it was decided */
	struct weir_run_histogram confirm_latency, flush_latency, card_overshoot, pool_overshoot;
};

/* One lane and its connection to Redis. */
struct weir_run_lane {
	uint64_t rounds; /* since the start; stands still while the lane does */
	bool redis_away; /* a request waits and there is no connection; an idle lane need not have one */
	uint64_t redis_fetches, redis_takes, redis_reconnects, redis_refusals;
};

enum weir_run_state {         /* of a partition; names by weir_run_state_name */
	WEIR_RUN_AWAY = 0,    /* not owned by this process */
	WEIR_RUN_TAKING,      /* its state is being loaded from Redis */
	WEIR_RUN_CATCHING_UP, /* taken; has not reached the end of its topics yet */
	WEIR_RUN_RUNNING,
	WEIR_RUN_FENCED,  /* another owner was seen */
	WEIR_RUN_STOPPED, /* cannot go on exactly; somebody has to look */
	WEIR_RUN_STATE_COUNT
};
const char *weir_run_state_name(enum weir_run_state state);

/* A partition that this process owns, as of a tenth of a second ago. Gauges. */
struct weir_run_partition {
	uint32_t number;
	enum weir_run_state state;
	uint64_t epoch, cards, pools;
	uint64_t memory_bytes, unflushed_bytes;
	uint64_t parked;           /* late records that wait for their look-up */
	uint64_t redis_requests;   /* with its lane's store now */
	uint64_t unacknowledged;   /* messages that Kafka has not acknowledged yet */
	uint64_t scans;            /* accounts whose members are still to be looked at because of their pool's word */
	uint64_t unreported_bytes; /* POOL-7: sum over its pools of the usage that may go untold to each */
	uint64_t guard_tripped;    /* CMD-5: 1 = suspends wait for an operator */
	int64_t stream_us;         /* stream time */
	int64_t flushed_us;        /* when its last flush was answered; 0 = none yet */
	int64_t watermark_us;      /* windows that end up to here have ended; 0 = not known yet */
	int64_t complete_us;       /* rows of pools' windows that end up to here are complete; 0 = not known yet */
	int64_t lag_messages[WEIR_INPUTS_MAX + 2]; /* by topic: inputs, cards, partials */
};

/* A decision or command for the live view: the newest few. Of a card, or of a pool. */
struct weir_run_event {
	int64_t at_us;
	char subject[WEIR_ID_MAX]; /* ICCID, or the pool's id */
	bool is_pool;
	char carrier[24];
	char what[24];   /* decided, sent, confirmed, failed ... */
	char action[12]; /* suspend, resume */
	char reason[24];
	uint64_t overshoot_bytes;
	uint64_t limit_bytes;
};

/* Starts everything. WEIR_FATAL with err when something needed cannot be had (topics missing: names them). */
enum weir_class weir_run_start(const struct weir_settings *settings, struct weir_run **run_out, struct weir_error *err);
/* True once every lane has its partitions and read its reference data. */
bool weir_run_is_ready(struct weir_run *run);
/* True when a lane stopped by itself (fatal); err says why. */
bool weir_run_failed(struct weir_run *run, struct weir_error *err);
/* Flushes, lets go of the partitions, stops the threads. */
void weir_run_stop(struct weir_run *run);
void weir_run_free(struct weir_run *run);
void weir_run_counters_get(struct weir_run *run, struct weir_run_counters *counters_out);
/* Copies up to max rows; returns how many there are. Any thread, until the run is stopped. */
uint32_t weir_run_lanes(struct weir_run *run, struct weir_run_lane *rows, uint32_t max);
/* Partitions owned now, by number. */
uint32_t weir_run_partitions(struct weir_run *run, struct weir_run_partition *rows, uint32_t max);
struct weir_carrier_counters;
uint32_t weir_run_carriers(struct weir_run *run, struct weir_carrier_counters *rows, uint32_t max);
/* Names of the topics that lag_messages tells of, in its order; returns their number. */
uint32_t weir_run_topics(const struct weir_run *run, const char *const **topics_out);
/* Number of partitions of each topic: there is never a row more. */
uint32_t weir_run_partition_count(const struct weir_run *run);
/* Copies up to max newest events, newest first; returns their number. */
uint32_t weir_run_events(struct weir_run *run, struct weir_run_event *events, uint32_t max);
/* Rows of all feeds. */
uint64_t weir_run_feed_rows(const struct weir_run_counters *counters);
/* p in 0..1 of the latency histogram, in microseconds; 0 when empty. */
uint64_t weir_latency_quantile(const uint64_t *buckets, double p);

#endif
