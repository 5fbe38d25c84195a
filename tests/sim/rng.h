/* The simulator's only source of chance: one generator over the seed, so that a seed is a whole run. */
#ifndef WEIR_SIM_RNG_H
#define WEIR_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/random.h"

/* 0 .. below - 1; below >= 1. */
static inline uint64_t
sim_below(struct weir_random *rng, uint64_t below)
{
	return weir_random_next(rng) % below;
}

/* from .. to, both included. */
static inline int64_t
sim_between(struct weir_random *rng, int64_t from, int64_t to)
{
	return from + (int64_t)sim_below(rng, (uint64_t)(to - from) + 1);
}

/* True in `permille` of 1,000 cases. */
static inline bool
sim_chance(struct weir_random *rng, uint32_t permille)
{
	return sim_below(rng, 1000) < permille;
}

#endif
