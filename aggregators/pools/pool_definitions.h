/* Pools in their own partition: definitions, and what the clock brings (POOL-1, POOL-5, CYC-4). */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_DEFINITIONS_H
#define WEIR_AGGREGATORS_POOLS_POOL_DEFINITIONS_H

#include "aggregators/state/state.h"

enum weir_class weir_pool_define(struct weir_partition *p, const struct weir_ref_pool *ref, struct weir_error *err);

/* A plan (by number) was defined anew: pools of it are evaluated anew. */
void weir_pools_plan_changed(struct weir_partition *p, uint32_t plan_number);
/* The pool stage has caught up: every pool goes by the clock from now, and publishes its state. */
void weir_pools_caught_up(struct weir_partition *p);
/* Boundaries, arrears and retention by the clock; bounded; true when more is due. */
bool weir_pools_tick(struct weir_partition *p, uint32_t max);

/* Loading: index and lists of source totals. False when slots contradict each other. */
bool weir_pools_load(struct weir_partition *p);

#endif
