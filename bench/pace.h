/*
 * The open-loop load of the latency benchmark: see pace.c.
 */
#ifndef WEIR_BENCH_PACE_H
#define WEIR_BENCH_PACE_H

#include <stdint.h>

#include "config/settings/settings.h"

struct pace_opts {
	uint64_t cards, rate; /* records per second */
	uint64_t warmup_s, seconds;
	uint64_t seed;
	uint32_t connections; /* to each broker */
	uint64_t linger_us;   /* records due within this are sent together */
};

/* Sends the warm-up, then the measured part; prints one JSON object about the latter. Returns the exit code. */
int pace_run(const struct weir_settings *settings, const struct pace_opts *opts);

#endif
