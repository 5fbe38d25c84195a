/*
 * Memory latency by a chase of pointers: one cycle through all lines of a buffer in random order (Sattolo), so that neither
 * prefetcher nor out-of-order execution can run ahead.
 */
#include "bench/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "bench/bench.h"
#include "config/base/check.h"

enum { LINE = 64, LOADS = 400000, PASSES = 3 };

struct line {
	struct line *next;
	uint8_t rest[LINE - sizeof(struct line *)];
};

static void
link_lines(struct line *lines, uint64_t count, uint64_t seed)
{
	for (uint64_t i = 0; i < count; i++)
		lines[i].next = &lines[i];
	for (uint64_t i = count - 1; i > 0; i--) {
		uint64_t other = bench_random(&seed) % i;
		struct line *kept = lines[i].next;
		lines[i].next = lines[other].next;
		lines[other].next = kept;
	}
}

double
bench_memory_latency_ns(uint64_t bytes, uint64_t seed)
{
	const uint64_t least = 4096, most = UINT64_C(1) << 30, huge = UINT64_C(2) << 20;
	bytes = bytes < least ? least : bytes > most ? most : bytes;
	uint64_t count = bytes / LINE, mapped = (bytes + huge - 1) / huge * huge;
	struct line *lines = aligned_alloc(huge, mapped);
	WEIR_CHECK(lines != NULL);
	(void)madvise(lines, mapped, MADV_HUGEPAGE);
	link_lines(lines, count, seed);
	double best = 1e9;
	const struct line *at = lines;
	for (int pass = 0; pass < PASSES; pass++) {
		int64_t start = bench_thread_ns();
		for (int i = 0; i < LOADS; i++) {
			at = at->next;
			__asm__ volatile("" : "+r"(at)); /* the load is wanted */
		}
		double ns = (double)(bench_thread_ns() - start) / LOADS;
		best = ns < best ? ns : best;
	}
	free(lines);
	return best;
}
