/* The fold: decoded records into counters (REC-2 to REC-7). */
#ifndef WEIR_AGGREGATORS_FOLD_FOLD_H
#define WEIR_AGGREGATORS_FOLD_FOLD_H

#include "aggregators/state/state.h"

/*
 * Folds decoded records in order. Rejected and parked ones are left in `rejects` and `parked`. Nothing is allocated once
 * tables have their size. Cost: docs/performance.md.
 */
void weir_partition_fold(struct weir_partition *partition, const struct weir_record *records, uint32_t count);

/* All that was asked for is in: folds what was parked. */
void weir_partition_unpark(struct weir_partition *partition);

#endif
