/* Pools, their shares, and accounts (a pool as this partition's cards see it): making and finding them. */
#ifndef WEIR_AGGREGATORS_STATE_POOL_TABLE_H
#define WEIR_AGGREGATORS_STATE_POOL_TABLE_H

#include "aggregators/state/card_table.h"

static inline struct weir_account_slot *
weir_account_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.accounts, slot);
}

/* The card's account, or NULL when it is in no pool. */
static inline struct weir_account_slot *
weir_account_of(const struct weir_partition *p, uint32_t card_slot)
{
	uint32_t account = weir_life_at(p, card_slot)->account;
	return account == 0 ? NULL : weir_account_at(p, account - 1);
}

static inline struct weir_pool_slot *
weir_pool_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.pools, slot);
}

static inline struct weir_share_slot *
weir_share_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.shares, slot);
}

static inline bool
weir_pool_is_free(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_is_filler(&p->tables.pools, slot) || weir_pool_at(p, slot)->id[0] == '\0';
}

uint64_t weir_pool_hash(const char *id);

/* A pool that this partition owns, or its account here; NULL if there is none. */
struct weir_pool_slot *weir_partition_find_pool(const struct weir_partition *partition, const char *id, uint32_t *slot_out);
struct weir_account_slot *weir_partition_find_account(
    const struct weir_partition *partition, const char *id, uint32_t *slot_out);

/* The pool's slot, made (not defined) when there is none. */
uint32_t weir_pool_get(struct weir_partition *p, const char *id);
/* Loading: makes the pool's slot be found by its id. */
void weir_pool_index(struct weir_partition *p, uint32_t slot);
/* The pool's share of a source, made (told nothing yet) when there is none. */
uint32_t weir_share_get(struct weir_partition *p, uint32_t pool_slot, uint32_t source);

/* To be judged, and told if need be, at the end of the round. */
void weir_pool_touch(struct weir_partition *p, uint32_t slot);
/* Its clock-driven state is to be looked at by at_us at the latest. */
void weir_pool_due(struct weir_partition *p, int64_t at_us);

#endif
