/* CMD-5: more suspends within a window than the configured share of the partition's cards hold back all further ones. */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_GUARD_H
#define WEIR_AGGREGATORS_ENFORCEMENT_GUARD_H

#include "aggregators/state/state.h"

#define WEIR_GUARD_SLICES 16
struct weir_guard {
	bool tripped;
	int64_t slice;                        /* newest slice of time that is counted */
	uint32_t suspends[WEIR_GUARD_SLICES]; /* by slice, modulo */
};

void weir_guard_init(struct weir_partition *p);
void weir_guard_free(struct weir_partition *p);
/* A suspend was decided. */
void weir_guard_suspend(struct weir_partition *p);
/* True when it was tripped: the caller enqueues all that was held back. */
bool weir_guard_release(struct weir_partition *p);
/* Loading: takes the guard's line of the reference data (`guard:`); false when it is none. */
bool weir_guard_load(struct weir_partition *p, struct weir_slice json);

#endif
