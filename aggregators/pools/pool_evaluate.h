/* From a pool's sums to its reasons, status and alerts (POOL-1, POOL-5, ALR-1). */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_EVALUATE_H
#define WEIR_AGGREGATORS_POOLS_POOL_EVALUATE_H

#include "aggregators/state/pool_table.h"

/* Reasons, status and alerts from the sums. */
void weir_pool_evaluate(struct weir_partition *p, uint32_t slot);

/* What used is compared with: total, or the threshold that suspends; UINT64_MAX = nothing. */
uint64_t weir_pool_limit(const struct weir_pool_slot *pool);

/* A pool's line of the audit: event decided or request. */
struct weir_audit *weir_pool_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause);

#endif
