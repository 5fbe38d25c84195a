/* Pools on the cards' side (docs/pools.md): membership, usage, and what is published of them to their pools. */
#ifndef WEIR_AGGREGATORS_POOLS_POOL_LOCAL_H
#define WEIR_AGGREGATORS_POOLS_POOL_LOCAL_H

#include "aggregators/state/card_table.h"
#include "aggregators/state/pool_table.h"

static inline uint64_t
weir_pool_local_used(const struct weir_pool_local_slot *a)
{
	return weir_add_saturating(a->up, a->down);
}

/* Wants an answer whatever the pool thinks: it has no state, or one whose total does not count all its activated members.
 */
static inline bool
weir_pool_local_asks(const struct weir_pool_local_slot *a)
{
	bool exhausted = (a->reasons & WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)) != 0;
	return (a->flags & WEIR_POOL_LOCAL_ASKS) != 0 || (exhausted && a->active > a->state_active);
}

/* The pool's pool local, made when there is none. */
uint32_t weir_pool_local_get(struct weir_partition *p, const char *pool);

/*
 * Membership, activation or both have changed from what the card's pool local holds: pool "" = none; the same pool again
 * brings activation alone in line. What the card was counted as is remembered in its flags, so that order does not matter.
 * Evaluation is the caller's.
 */
void weir_pool_local_move(struct weir_partition *p, uint32_t card_slot, const char *pool);

/* The card's being an activated member has changed to `active`. */
void weir_pool_local_activity(struct weir_partition *p, uint32_t card_slot, bool active);

/* The pool local has something to tell: with the next tick, or, urgent, with the round. */
void weir_pool_local_changed(struct weir_partition *p, uint32_t pool_local, bool urgent);

/* Usage of a record that was counted (POOL-3). */
void weir_pool_local_count_slow(struct weir_partition *p, uint32_t pool_local, int32_t cycle, uint64_t up, uint64_t down,
    bool session, int64_t arrived_us);
static inline void
weir_pool_local_count(struct weir_partition *p, uint32_t pool_local, int32_t cycle, uint64_t up, uint64_t down,
    bool session, int64_t arrived_us)
{
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	if (__builtin_expect(cycle != a->cycle, 0)) {
		weir_pool_local_count_slow(p, pool_local, cycle, up, down, session, arrived_us);
		return;
	}
	a->up = weir_add_saturating(a->up, up);
	a->down = weir_add_saturating(a->down, down);
	a->records++;
	a->sessions += session;
	a->crossed_us = arrived_us;
	weir_slab_dirty(&p->tables.pool_locals, pool_local);
	bool urgent = weir_add_saturating(a->up, a->down) - a->published_used >= a->unreported_allowance ||
		      a->published_cycle != cycle;
	if (__builtin_expect(
		(a->flags & WEIR_POOL_LOCAL_QUEUED) == 0 || (urgent && (a->flags & WEIR_POOL_LOCAL_URGENT) == 0), 0))
		weir_pool_local_changed(p, pool_local, urgent);
}

/* All its members are to be checked, from the first. */
void weir_pool_local_begin_scan(struct weir_partition *p, uint32_t pool_local);

/* Usage reports that are due. all: of every pool local that has ever reported, changed or not (the stage has just caught
 * up).
 */
void weir_pool_locals_publish(struct weir_partition *p, bool all);

/* Loading: index, lists of members checked, scans begun again. False when slots contradict each other. */
bool weir_pool_locals_load(struct weir_partition *p);

#endif
