/*
 * Memory latency by a chase of pointers: one cycle through all lines of a buffer in random order (Sattolo), so that neither
 * prefetcher nor out-of-order execution can run ahead.
 */
#include "bench/memory.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "bench/bench.h"
#include "bench/machine.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { LINE = 64, LOADS = 400000, PASSES = 3 };

struct line {
	struct line *next;
	uint8_t rest[LINE - sizeof(struct line *)];
};

static void
link_lines(struct line *lines, uint64_t count, struct weir_random random)
{
	for (uint64_t i = 0; i < count; i++)
		lines[i].next = &lines[i];
	for (uint64_t i = count - 1; i > 0; i--) {
		uint64_t other = weir_random_next(&random) % i;
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
	link_lines(lines, count, (struct weir_random){seed});
	double best = 1e9;
	const struct line *at = lines;
	for (int pass = 0; pass < PASSES; pass++) {
		int64_t start = weir_clock_thread_ns();
		for (int i = 0; i < LOADS; i++) {
			at = at->next;
			__asm__ volatile("" : "+r"(at)); /* the load is wanted */
		}
		double ns = (double)(weir_clock_thread_ns() - start) / LOADS;
		best = ns < best ? ns : best;
	}
	free(lines);
	return best;
}

struct bench_memory
bench_memory_hold(uint64_t bytes)
{
	const uint64_t most = UINT64_C(2) << 30, page = 4096;
	uint64_t spare = bench_memory_available() / 8;
	bytes = bytes > most ? most : bytes;
	bytes = bytes > spare ? spare : bytes;
	struct bench_memory memory = {NULL, (size_t)(bytes / page * page)};
	if (memory.bytes == 0)
		return memory;
	memory.at = mmap(NULL, memory.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory.at == MAP_FAILED)
		return (struct bench_memory){0};
	(void)madvise(memory.at, memory.bytes, MADV_HUGEPAGE);
	for (uint64_t at = 0; at < memory.bytes; at += page)
		((volatile uint8_t *)memory.at)[at] = 1;
	return memory;
}

void
bench_memory_let_go(struct bench_memory *memory)
{
	if (memory->at != NULL)
		(void)munmap(memory->at, memory->bytes);
	*memory = (struct bench_memory){0};
}
