/* A partition's life, its background work, and the end of its rounds. */
#ifndef WEIR_AGGREGATORS_STEP_H
#define WEIR_AGGREGATORS_STEP_H

#include "aggregators/state/state.h"

struct weir_partition *weir_partition_new(const struct weir_partition_opts *opts);
void weir_partition_free(struct weir_partition *partition);

/* Bounded background work (timers, cycle boundary, scans over pools' members, plan scan, session expiry); true when more is
 * due. */
bool weir_partition_tick(struct weir_partition *partition, uint32_t slots_max);
/* Of that: looks at most at max members of pool locals whose state has changed. */
bool weir_pool_locals_scan(struct weir_partition *p, uint32_t max);

/* End of a round: usage reports and state updates that are due become `outbox`. Call after folding and ticking, before
 * taking effects.
 */
void weir_partition_publish(struct weir_partition *partition);

/* A stage has reached the end of its inputs since the take-over (docs/pools.md "Epochs"): what the replay touched is
 * published.
 */
void weir_partition_caught_up(struct weir_partition *partition, bool cards, bool pools);

/* Records or pools' windows that wait for fetch requests: no encode until there are none. */
uint32_t weir_partition_parked(const struct weir_partition *partition);

/* Bytes in memory. */
uint64_t weir_partition_bytes(const struct weir_partition *partition);
/* Bytes of state that only a flush lets go of. */
uint64_t weir_partition_unflushed(const struct weir_partition *partition);

#endif
