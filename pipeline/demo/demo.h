/*
 * The demo: all of weir on one machine with nothing set up before, and a proof at the end.
 *
 * Broker (librdkafka's mock cluster), redis-server, carrier and fleet are its own and go away with it. A generator thread
 * sends traffic and keeps its own sums; when the traffic ends, each card's counters in Redis are compared with them.
 * Main thread; blocks SIGINT and SIGTERM and takes them itself, so that Ctrl-C cleans up.
 */
#ifndef WEIR_PIPELINE_DEMO_H
#define WEIR_PIPELINE_DEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/exit.h"

struct weir_demo_opts {
	uint64_t for_ms; /* 0 = until a signal comes */
	uint32_t rate;   /* records a second */
	uint32_t cards;
	uint64_t seed;
	bool json;   /* last line is a JSON object */
	bool screen; /* stdout is a terminal: redraw it */
};

/* Returns an enum weir_exit: FAILED when anything differs. */
int weir_demo_run(const struct weir_demo_opts *opts);

#endif
