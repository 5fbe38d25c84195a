/* Sessions: dedupe by sequence number, and deltas out of totals (REC-1 to REC-4). */
#ifndef WEIR_AGGREGATORS_FOLD_SESSIONS_H
#define WEIR_AGGREGATORS_FOLD_SESSIONS_H

#include "aggregators/state/state.h"

enum weir_session_answer { WEIR_SESSION_COUNT, WEIR_SESSION_SEEN, WEIR_SESSION_STALE, WEIR_SESSION_TOO_LATE };
enum weir_session_answer weir_partition_session(struct weir_partition *p, uint32_t card_slot, uint16_t cycle,
    const struct weir_record *r, uint64_t *up_out, uint64_t *down_out, bool *first_in_cycle_out);
/* Forgets sessions whose retention is over, looking at so many slots. */
void weir_partition_session_sweep(struct weir_partition *p, uint32_t slots_max);
/* Loading: makes the session be found. */
void weir_partition_session_index(struct weir_partition *p, uint32_t slot);

#endif
