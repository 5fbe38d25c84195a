/* What must hold of a partition whenever none of its functions is under way. */
#ifndef WEIR_AGGREGATORS_SNAPSHOT_CHECK_H
#define WEIR_AGGREGATORS_SNAPSHOT_CHECK_H

#include "aggregators/state/state.h"

/*
 * Asserts all that the loader checks of stored bytes, and what of memory alone must agree: indexes, free lists, queues and
 * their flags, sums, cursors. Walks over every slot and table: for tests, which call it after each step.
 */
void weir_partition_check(const struct weir_partition *partition);

#endif
