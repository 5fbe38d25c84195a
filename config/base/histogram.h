/*
 * Sizes of any magnitude counted in few buckets: four to an octave, so that a bucket is at most a quarter wider than its
 * lower bound. What is above 2^32 lies in the last one. Who counts keeps the array; this only says which place is whose.
 */
#ifndef WEIR_BASE_HISTOGRAM_H
#define WEIR_BASE_HISTOGRAM_H

#include <stdint.h>

#define WEIR_LATENCY_BUCKETS 128 /* bucket 4o+q: [2^o * (1 + q/4), next quarter) of the unit, mostly microseconds */

static inline unsigned
weir_histogram_bucket(uint64_t value)
{
	unsigned octave = 63 - (unsigned)__builtin_clzll(value | 1);
	unsigned quarter = octave >= 2 ? (unsigned)(value >> (octave - 2)) & 3 : 0;
	unsigned bucket = octave * 4 + quarter;
	return bucket < WEIR_LATENCY_BUCKETS ? bucket : WEIR_LATENCY_BUCKETS - 1;
}

#endif
