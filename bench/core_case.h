/*
 * One case of `weir bench core`: a workload through one partition (engine.h). The run is cut into segments of equal length,
 * each ending with a flush; min, median and max are over segments, without the first one, in which tables grow.
 */
#ifndef WEIR_BENCH_CORE_CASE_H
#define WEIR_BENCH_CORE_CASE_H

#include "bench/workload.h"

enum { CORE_SEGMENTS = 6, CORE_PARTS = 4 }; /* decode, fold, round, encode */
extern const char *const core_part_names[CORE_PARTS];

struct core_case {
	double samples[CORE_PARTS][CORE_SEGMENTS];       /* nanoseconds a record */
	double ns[CORE_PARTS], sum_ns;                   /* medians, and what they come to */
	double latency_ns;                               /* of memory as large as the partition */
	double card_bytes, dedupe_key_bytes;             /* in memory, a card and a record that is in it */
	double flush_bytes;                              /* a record */
	double redis_card_bytes, redis_dedupe_key_bytes; /* a card; a record within the dedupe horizon */
	uint64_t hash;
};

/* A generous guess at the memory that a case takes. */
uint64_t core_case_bytes(const struct workload *workload);
void core_case_run(const struct workload *workload, uint64_t seed, struct core_case *out);

#endif
