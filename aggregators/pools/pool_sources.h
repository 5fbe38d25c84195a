/* What each source partition last reported of a pool, and the sums over them (POOL-1, POOL-3, CYC-3). */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_SOURCES_H
#define WEIR_AGGREGATORS_POOLS_POOL_SOURCES_H

#include "aggregators/state/pool_table.h"

/* Takes a report of its source (arrived_us: its Kafka time) that is not of an owner before the share's. */
void weir_pool_source_take(struct weir_partition *p, const struct weir_usage_report *report, int64_t arrived_us);

/* Sums over source totals: members, active, used, effective total; and what the cycle before had, to its closed cycle when
 * it changed. */
void weir_pool_sum(struct weir_partition *p, uint32_t slot);
/* Ends cycles up to the one before `cycle` (CYC-3): totals are kept, counting by the source totals of the new one. */
void weir_pool_roll_over(struct weir_partition *p, uint32_t slot, int32_t cycle);

/* Loading: lists of source totals checked, sums made anew. */
bool weir_pool_sources_load(struct weir_partition *p);

#endif
