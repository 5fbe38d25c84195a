/* What the files of the pools' own side share: pools.c, pool_sources.c, pool_evaluate.c, pool_state_out.c, pool_requests.c.
 */
#ifndef WEIR_AGGREGATORS_POOLS_POOLS_H
#define WEIR_AGGREGATORS_POOLS_POOLS_H

#include "aggregators/partition_priv.h"

/* Slack of a pool without a limit, or with one that is met: its sources tell by the tick alone. */
#define WEIR_UNREPORTED_UNBOUNDED (UINT64_MAX / 2)

static inline struct weir_pool_slot *
weir_pool_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.pools, slot);
}

static inline struct weir_pool_source_slot *
weir_pool_source_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.pool_sources, slot);
}

static inline bool
weir_pool_is_free(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_is_filler(&p->tables.pools, slot) || weir_pool_at(p, slot)->id[0] == '\0';
}

/* pools.c */
/* The pool's slot, made (not defined) when there is none. */
uint32_t weir_pool_get(struct weir_partition *p, const char *id);
/* To be judged, and told if need be, at the end of the round. */
void weir_pool_touch(struct weir_partition *p, uint32_t slot);
/* Its clock-driven state is to be looked at by at_us at the latest. */
void weir_pool_due(struct weir_partition *p, int64_t at_us);

/* pool_sources.c */
/* The pool's share of a source, made (told nothing yet) when there is none. */
uint32_t weir_pool_source_get(struct weir_partition *p, uint32_t pool_slot, uint32_t source);
bool weir_is_text_of_id(const char id[WEIR_ID_MAX]);
/* Sums over shares: members, active, used, effective total; and what the cycle before had, to the past when it changed. */
void weir_pool_sum(struct weir_partition *p, uint32_t slot);
/* Ends cycles up to the one before `cycle` (CYC-3): totals to the past, counting by the shares of the new one. */
void weir_pool_roll_over(struct weir_partition *p, uint32_t slot, int32_t cycle);
/* Loading: lists of shares checked, sums made anew. */
bool weir_pool_sources_load(struct weir_partition *p);

/* pool_evaluate.c */
/* Reasons, status and alerts from the sums. */
void weir_pool_evaluate(struct weir_partition *p, uint32_t slot);
/* What used is compared with: total, or the threshold that suspends; UINT64_MAX = nothing. */
uint64_t weir_pool_limit(const struct weir_pool_slot *pool);
/* A pool's line of the audit: event decided or request. */
struct weir_audit *weir_pool_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause);

#endif
