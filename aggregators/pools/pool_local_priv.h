/* What the files of pools on the cards' side share: pool_local.c, pool_local_state.c. */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_LOCAL_PRIV_H
#define WEIR_AGGREGATORS_POOLS_POOL_LOCAL_PRIV_H

#include "aggregators/partition_priv.h"

static inline uint64_t
weir_pool_local_used(const struct weir_pool_local_slot *a)
{
	return weir_add_saturating(a->up, a->down);
}

/* Wants an answer whatever the pool thinks: it has no word, or one whose total does not count all its activated members. */
static inline bool
weir_pool_local_asks(const struct weir_pool_local_slot *a)
{
	bool exhausted = (a->reasons & WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)) != 0;
	return (a->flags & WEIR_POOL_LOCAL_ASKS) != 0 || (exhausted && a->active > a->state_active);
}

/* pool_local_state.c: all members are to be looked at, from the first. */
void weir_pool_local_begin_scan(struct weir_partition *p, uint32_t pool_local);

#endif
