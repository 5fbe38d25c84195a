/*
 * The one generator of random numbers: splitmix64. A seed is a whole stream, the same on every machine.
 *
 * For jitter, simulators, benchmarks and tests; never for secrets. Two streams are independent when their seeds are not
 * derived from each other by adding. Rejected: rand() (global state, 31 bits), linear congruential generators (weak low
 * bits).
 */
#ifndef WEIR_BASE_RANDOM_H
#define WEIR_BASE_RANDOM_H

#include <stdint.h>

#define WEIR_RANDOM_STEP UINT64_C(0x9e3779b97f4a7c15)

/* Owned by one thread; any number is a valid state. */
struct weir_random {
	uint64_t state;
};

/* A number so that every bit of it depends on every bit of z: also a hash of a number. */
static inline uint64_t
weir_random_mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint64_t
weir_random_next(struct weir_random *random)
{
	return weir_random_mix(random->state += WEIR_RANDOM_STEP);
}

/* 0 .. bound - 1; bound >= 1. */
static inline uint64_t
weir_random_below(struct weir_random *random, uint64_t bound)
{
	return (uint64_t)(((unsigned __int128)weir_random_next(random) * bound) >> 64);
}

/* 0 <= x < 1, in steps of 2^-53. */
static inline double
weir_random_unit(uint64_t draw)
{
	return (double)(draw >> 11) / 9007199254740992.0;
}

#endif
