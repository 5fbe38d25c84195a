/*
 * Time of a partition: the enforcement clock, stream time, and the limits of records that follow from them (REC-3, REC-7).
 * Set by the owner before each batch and tick; stream time also moves with each record.
 */
#ifndef WEIR_AGGREGATORS_STATE_CLOCK_H
#define WEIR_AGGREGATORS_STATE_CLOCK_H

#include "aggregators/state/opts.h"
#include "aggregators/tables/dedupe_keys.h"

struct weir_partition;

/* The enforcement clock and what follows from it (REC-3, REC-7). */
struct weir_clock {
	int64_t now_us;            /* enforcement clock */
	int64_t stream_time_us;    /* highest Kafka timestamp, never above the clock */
	int64_t stream_hour_us;    /* start of its UTC hour; derived */
	int64_t too_late_us;       /* records before this are too late (REC-3); derived */
	int64_t future_us;         /* records after this are in the future (REC-7); derived */
	int64_t published_edge_us; /* a record before this may restate a window that was published; set by the feeds */
};

/* What is too late, in the future, or in an hour kept whole, by a stream time. A division only where an hour ends. */
static inline void
weir_clock_limits(struct weir_clock *clock, const struct weir_partition_opts *opts, struct weir_dedupe_keys *dedupe_keys,
    int64_t stream_us)
{
	clock->too_late_us = stream_us - (int64_t)opts->dedupe_horizon_h * WEIR_HOUR_US;
	clock->future_us = stream_us + (int64_t)opts->future_skew_s * 1000000;
	if (__builtin_expect((uint64_t)(stream_us - clock->stream_hour_us) >= (uint64_t)WEIR_HOUR_US, 0)) {
		int64_t hour = stream_us / WEIR_HOUR_US;
		clock->stream_hour_us = hour * WEIR_HOUR_US;
		dedupe_keys->fresh_from = hour - opts->dedupe_fresh_h;
	}
}

/* Time, before each batch and tick. now_us: the clock. stream_us: highest Kafka timestamp seen, 0 = none new. */
void weir_partition_set_time(struct weir_partition *partition, int64_t now_us, int64_t stream_us);

#endif
