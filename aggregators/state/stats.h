/* Counters of a partition: one list from which the struct, its sum and the owner's figures come. */
#ifndef WEIR_AGGREGATORS_STATE_STATS_H
#define WEIR_AGGREGATORS_STATE_STATS_H

#include "aggregators/tables/record.h"
#include <stdint.h>

/* X(counter) */
#define WEIR_STATS_LIST(X)                                                                                                 \
	X(records)                                                                                                         \
	X(counted)                                                                                                         \
	X(duplicates)                                                                                                      \
	X(stale)                                                                                                           \
	X(late)                                                                                                            \
	X(parked)                                                                                                          \
	X(bytes_up)                                                                                                        \
	X(bytes_down)                                                                                                      \
	X(cards_made)                                                                                                      \
	X(suspends) /* decided, as are resumes */                                                                          \
	X(resumes)                                                                                                         \
	X(decisions)                                                                                                       \
	X(gaps_lost)                                                                                                       \
	X(activations)                                                                                                     \
	X(expiries)                                                                                                        \
	X(alerts)                                                                                                          \
	X(unsupported) /* reasons raised that a carrier does not enforce (SUS-4) */                                        \
	X(reports_published)                                                                                               \
	X(pool_states_published)                                                                                           \
	X(pool_states_applied)                                                                                             \
	X(reports_applied)                                                                                                 \
	X(members_scanned) /* members looked at because of their pool's state */                                           \
	X(guarded)         /* suspends held back by a tripped guard */                                                     \
	X(unattributed) /* counted in their card, too old for its pool's pool local: never with a horizon up to 25 days */ \
	X(windows_published) /* of pool locals to pools */                                                                 \
	X(windows_taken)                                                                                                   \
	X(windows_old)    /* taken and left out: their windows are gone; never of what sources tell by the rules */        \
	X(rows_published) /* of the feeds */                                                                               \
	X(rows_again)     /* of them because a window changed that had ended (ROL-3) */

struct weir_partition_stats {
#define WEIR_STATS_MEMBER(counter) uint64_t counter;
	WEIR_STATS_LIST(WEIR_STATS_MEMBER)
#undef WEIR_STATS_MEMBER
	uint64_t rejected[WEIR_REJECT_COUNT];
};

static inline void
weir_partition_stats_add(struct weir_partition_stats *sum, const struct weir_partition_stats *one)
{
#define WEIR_STATS_ADD(counter) sum->counter += one->counter;
	WEIR_STATS_LIST(WEIR_STATS_ADD)
#undef WEIR_STATS_ADD
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		sum->rejected[i] += one->rejected[i];
}

#endif
