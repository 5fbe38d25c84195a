/* Pools, their source totals, and pool locals (a pool as this partition's cards see it): making and finding them. */
#ifndef WEIR_AGGREGATORS_STATE_POOL_TABLE_H
#define WEIR_AGGREGATORS_STATE_POOL_TABLE_H

#include "aggregators/state/card_table.h"

static inline struct weir_pool_local_slot *
weir_pool_local_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.pool_locals, slot);
}

/* The card's pool local, or NULL when it is in no pool. */
static inline struct weir_pool_local_slot *
weir_pool_local_of(const struct weir_partition *p, uint32_t card_slot)
{
	uint32_t pool_local = weir_lifecycle_at(p, card_slot)->pool_local;
	return pool_local == 0 ? NULL : weir_pool_local_at(p, pool_local - 1);
}

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

uint64_t weir_pool_hash(const char *id);

/* A pool that this partition owns, or its pool local here; NULL if there is none. */
struct weir_pool_slot *weir_partition_find_pool(const struct weir_partition *partition, const char *id, uint32_t *slot_out);
struct weir_pool_local_slot *weir_partition_find_pool_local(
    const struct weir_partition *partition, const char *id, uint32_t *slot_out);

/* The pool's slot, made (not defined) when there is none. */
uint32_t weir_pool_get(struct weir_partition *p, const char *id);
/* Loading: makes the pool's slot be found by its id. */
void weir_pool_index(struct weir_partition *p, uint32_t slot);
/* The pool's source total of a source, made (nothing reported yet) when there is none. */
uint32_t weir_pool_source_get(struct weir_partition *p, uint32_t pool_slot, uint32_t source);

/* To be evaluated, and published if need be, at the end of the round. */
void weir_pool_touch(struct weir_partition *p, uint32_t slot);
/* Its clock-driven state is to be checked by at_us at the latest. */
void weir_pool_due(struct weir_partition *p, int64_t at_us);

#endif
