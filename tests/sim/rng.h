/* The simulator's only source of chance: splitmix64 over the seed, so that a seed is a whole run. */
#ifndef WEIR_SIM_RNG_H
#define WEIR_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct sim_rng {
	uint64_t state;
};

static inline uint64_t
sim_random(struct sim_rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* 0 .. below - 1; below >= 1. */
static inline uint64_t
sim_below(struct sim_rng *rng, uint64_t below)
{
	return sim_random(rng) % below;
}

/* from .. to, both included. */
static inline int64_t
sim_between(struct sim_rng *rng, int64_t from, int64_t to)
{
	return from + (int64_t)sim_below(rng, (uint64_t)(to - from) + 1);
}

/* True in `permille` of 1,000 cases. */
static inline bool
sim_chance(struct sim_rng *rng, uint32_t permille)
{
	return sim_below(rng, 1000) < permille;
}

#endif
