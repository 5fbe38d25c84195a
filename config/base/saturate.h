/* Sums and differences of amounts that stop at the border: a sum at 2^64 - 1, a difference at 0. */
#ifndef WEIR_BASE_SATURATE_H
#define WEIR_BASE_SATURATE_H

#include <stdint.h>

static inline uint64_t
weir_add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t
weir_sub_saturating(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

#endif
