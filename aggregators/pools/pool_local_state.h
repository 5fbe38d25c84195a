/* A pool's state as its members' partitions hold it (POOL-1, POOL-7). */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_LOCAL_STATE_H
#define WEIR_AGGREGATORS_POOLS_POOL_LOCAL_STATE_H

#include "aggregators/state/state.h"

/* POOL-1: may a card of this carrier and plan (numbers + 1) be a member? POISON with err when the pool's state says no. */
enum weir_class weir_pool_local_admits(
    const struct weir_partition *p, const char *pool, uint8_t carrier, uint16_t plan, struct weir_error *err);

/* Reasons that the card's pool gives it now; what was met and by whose record is in its pool local: cut_limit, cut_used,
 * cut_us. */
uint16_t weir_pool_local_reasons(const struct weir_partition *p, uint32_t card_slot);

/* Takes the pool's state; an older one than is known is ignored. */
enum weir_class weir_pool_local_apply_state(
    struct weir_partition *p, const struct weir_ref_pool_state *pool_state, struct weir_error *err);

/* POOL-1: a member that was taken in before the pool was known, and is not of its carrier and plan, leaves. */
void weir_pool_local_check_member(
    struct weir_partition *p, uint32_t pool_local, uint32_t card_slot, const struct weir_cause *cause);

#endif
