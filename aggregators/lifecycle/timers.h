/* Cards' next events by due_s of their lifecycle slots (docs/lifecycle.md "Timers"). */
#ifndef WEIR_AGGREGATORS_LIFECYCLE_TIMERS_H
#define WEIR_AGGREGATORS_LIFECYCLE_TIMERS_H

#include "aggregators/state/state.h"

/* Cards' next events by due_s of their lifecycle slots. */
void weir_timers_free(struct weir_partition *p);
/* The card's due_s has changed (or was loaded). */
void weir_timers_touch(struct weir_partition *p, uint32_t slot);

/* Goes on with the scan that brings in what is near: room for at most max events. */
void weir_timers_scan(struct weir_partition *p, uint32_t max);
/* Takes the first event that is due: false when there is none; *slot_out = UINT32_MAX for one that was changed since. */
bool weir_timers_next_due(struct weir_partition *p, uint32_t *slot_out);
/* Is an event due, or the scan under way? */
bool weir_timers_are_due(struct weir_partition *p);

#endif
