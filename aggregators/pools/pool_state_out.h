/* A pool's state, published to its members' partitions (POOL-7). */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_STATE_OUT_H
#define WEIR_AGGREGATORS_POOLS_POOL_STATE_OUT_H

#include "aggregators/state/state.h"

/* Unreported allowance of a pool without a limit, or with one that is met: its sources report by the tick alone. */
#define WEIR_UNREPORTED_UNBOUNDED (UINT64_MAX / 2)

/* Evaluates the pools that were touched in this round, and publishes those that have changed. */
void weir_pools_publish(struct weir_partition *p);

#endif
