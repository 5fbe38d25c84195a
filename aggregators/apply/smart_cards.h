/* Smart cards (POOL-8). */
#ifndef WEIR_AGGREGATORS_APPLY_SMART_CARDS_H
#define WEIR_AGGREGATORS_APPLY_SMART_CARDS_H

#include "aggregators/state/state.h"

/* The card gets another parent (zero = none); POISON when that would make two levels. */
enum weir_class weir_smart_parent(
    struct weir_partition *p, uint32_t slot, struct weir_iccid parent, struct weir_error *err);
/* A sub-card's partition announces a child. */
enum weir_class weir_smart_child(struct weir_partition *p, const struct weir_ref_child *child, struct weir_error *err);

/* Loading: takes a `children` line of the reference data; false when it is none. */
bool weir_smart_load(struct weir_partition *p, struct weir_slice json);

#endif
