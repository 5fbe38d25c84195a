/* What memory itself takes: the limit that stands beside every figure of a table, and what first touch of it costs. */
#ifndef WEIR_BENCH_MEMORY_H
#define WEIR_BENCH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Nanoseconds of one load that must wait for the one before it, over a buffer of about `bytes` (4 KiB to 1 GiB; more is
 * measured as 1 GiB) on huge pages, where tables lie too. Best of three passes.
 */
double bench_memory_latency_ns(uint64_t bytes, uint64_t seed);

/*
 * A virtual machine whose host takes back what lies free for seconds pays for the first touch of it: 3.7 s a GiB was seen,
 * against 0.1 s for memory that was in use just now. A drain that begins after a rest would measure that. So memory is held
 * and touched while a drain prepares, and let go of when it begins.
 */
struct bench_memory {
	void *at; /* NULL = nothing is held */
	size_t bytes;
};
/* About `bytes`, at most 2 GiB and an eighth of what is available. */
struct bench_memory bench_memory_hold(uint64_t bytes);
void bench_memory_let_go(struct bench_memory *memory);

#endif
