/*
 * `weir bench micro`: one part of the core at a time. Each part is a file with a function that measures and calls
 * micro_put (micro_put.c); micro.c has the table of them. Times are CPU time of the thread.
 */
#ifndef WEIR_BENCH_MICRO_H
#define WEIR_BENCH_MICRO_H

#include "bench/report.h"

enum { MICRO_ROUNDS = 11 };

struct micro {
	struct report *report;
	json_t *table;
	uint64_t seed;
	const char *only; /* beginning of the names that are wanted; NULL = all */
	bool quick;
};

bool micro_wanted(const struct micro *micro, const char *name);
/*
 * One row: nanoseconds an item of several rounds (sorted in place). bytes: of the item, 0 = says nothing; latency_ns: of
 * memory as large as what the item lies in, 0 = not a matter of memory. hash: of the deterministic result.
 */
void micro_put(
    struct micro *micro, const char *name, double *ns, uint32_t count, double bytes, double latency_ns, uint64_t hash);
/* Says that a row is left out for want of memory, and true, when there is none for it. */
bool micro_too_large(struct micro *micro, const char *name, uint64_t bytes);

void micro_decode(struct micro *micro);
void micro_tables(struct micro *micro);
void micro_rules(struct micro *micro);

#endif
