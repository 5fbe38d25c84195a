/*
 * Commands as the audit topic tells of them (docs/formats.md): when each card's suspend was handed to its adapter. Read
 * after the load, so that the reading costs the measured system nothing. Main thread.
 */
#ifndef WEIR_BENCH_LATENCY_COMMANDS_H
#define WEIR_BENCH_LATENCY_COMMANDS_H

#include "bench/servers.h"

struct commands {
	uint64_t first, count; /* cards that are of interest */
	int64_t *sent_us;      /* by card - first: the first time, wall clock; 0 = never */
	uint64_t sent;         /* of them */
};

/* Reads the audit topic from its beginning to its present end. `commands` has first and count; sent_us is allocated. */
enum weir_class commands_read(struct bench_site *site, struct commands *commands, struct weir_error *err);
void commands_free(struct commands *commands);

#endif
