/*
 * When records became visible in Redis: a thread that asks for the stored positions every few milliseconds, beside what the
 * load generator was told of where its batches lie in the log.
 *
 * A flush writes a partition's counters and its positions in one transaction, so a record can be read from the moment when
 * the position behind it can. Errors are on the safe side: a record counts as visible when the answer that shows it has
 * arrived, up to `poll_us` late. Where Redis loses writes (a restart from its file) the first sight counts.
 */
#ifndef WEIR_BENCH_LATENCY_WATCH_H
#define WEIR_BENCH_LATENCY_WATCH_H

#include "bench/latency_samples.h"
#include "bench/raw_produce.h"
#include "config/settings/settings.h"

struct watch;

struct watch_opts {
	const struct weir_settings *settings;
	const char *prefix, *topic; /* borrowed for its life */
	uint32_t partitions;
	uint32_t poll_us;
};

enum weir_class watch_start(const struct watch_opts *opts, struct watch **watch_out, struct weir_error *err);
void watch_stop(struct watch *watch);
/* For struct pace_opts: ctx is the watch. The load's thread. */
void watch_written(void *ctx, const struct raw_written *written);
/*
 * By partition: when the first record was visible that was due after `after_us` (both wall clock); 0 = none yet. True when
 * every partition has one. Any thread.
 */
bool watch_fresh(struct watch *watch, int64_t after_us, int64_t *first_us_out);
/* Latencies from due to visible of the records that were due in [from, to), a weighted sample a part of a batch. */
void watch_samples(struct watch *watch, int64_t from_us, int64_t to_us, struct samples *samples);

#endif
