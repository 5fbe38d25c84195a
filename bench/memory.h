/* What memory itself takes: the limit that stands beside every figure of a table. */
#ifndef WEIR_BENCH_MEMORY_H
#define WEIR_BENCH_MEMORY_H

#include <stdint.h>

/*
 * Nanoseconds of one load that must wait for the one before it, over a buffer of about `bytes` (4 KiB to 1 GiB; more is
 * measured as 1 GiB) on huge pages, where tables lie too. Best of three passes.
 */
double bench_memory_latency_ns(uint64_t bytes, uint64_t seed);

#endif
