/*
 * The running engine as one object: lanes, stores, dispatcher and producer started together and stopped in order.
 * `weir run` and `weir demo` are two callers of this. Start, stop and free on one thread; counters from any.
 */
#ifndef WEIR_PIPELINE_RUN_H
#define WEIR_PIPELINE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregators/record.h"
#include "config/reference/reference.h"
#include "config/settings/settings.h"

struct weir_run;

#define WEIR_LATENCY_BUCKETS 128 /* bucket 4o+q: [2^o * (1 + q/4), next quarter) microseconds */

struct weir_run_counters {
	uint64_t messages, records, counted, duplicates, late, filtered;
	uint64_t rejected[WEIR_REJECT_COUNT];
	uint64_t bytes_up, bytes_down;
	uint64_t cards, suspends, resumes; /* cards known here; decisions made */
	uint64_t activations, expiries, alerts;
	uint64_t unsupported; /* reasons raised that a carrier does not enforce (SUS-4) */
	uint64_t guarded;     /* suspends held back by a tripped guard (CMD-5) */
	uint64_t pools;       /* owned here */
	uint64_t partials_told, partials_taken, words_told, words_taken;
	uint64_t walked; /* members looked at because of their pool's word */
	uint64_t commands_sent, commands_confirmed, commands_failed;
	uint64_t flushes, flush_us_total, flush_bytes;
	uint64_t fenced, forgot, intents_skipped, parked;
	int64_t lag_messages;                           /* input messages not yet folded, as last known */
	uint32_t partitions;                            /* owned now */
	uint64_t command_latency[WEIR_LATENCY_BUCKETS]; /* record's Kafka timestamp to the command at its adapter */
	uint64_t memory_bytes;                          /* resident set of the process */
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
/* Copies up to max newest events, newest first; returns their number. */
uint32_t weir_run_events(struct weir_run *run, struct weir_run_event *events, uint32_t max);
/* p in 0..1 of the latency histogram, in microseconds; 0 when empty. */
uint64_t weir_latency_quantile(const uint64_t *buckets, double p);

#endif
