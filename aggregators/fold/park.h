/* Records that wait for strings from the store, and the answers. */
#ifndef WEIR_AGGREGATORS_FOLD_PARK_H
#define WEIR_AGGREGATORS_FOLD_PARK_H

#include "aggregators/state/state.h"

/* Keeps the record of the card until what it needs was fetched. */
void weir_park(struct weir_partition *p, uint32_t slot, const struct weir_record *r);
/* Must the record of the card wait behind those that are parked? */
bool weir_park_must_wait(const struct weir_partition *p, uint32_t slot, const struct weir_record *r);
/* The list of parked records, which are parked no more; the caller owns it. */
struct weir_records weir_park_take(struct weir_partition *p);

/* An answer to a fetch request; false when the stored string is none. */
bool weir_partition_fetched(
    struct weir_partition *partition, const struct weir_fetch_request *fetch, struct weir_slice value);

#endif
