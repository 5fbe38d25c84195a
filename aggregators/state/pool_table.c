/*
 * Pools, their shares, and accounts: finding and making them. A pool is a list of its shares, one a source; an account
 * never goes away.
 */
#include "aggregators/state/pool_table.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
weir_pool_hash(const char *id)
{
	return XXH3_64bits(id, strlen(id));
}

struct weir_account_slot *
weir_partition_find_account(const struct weir_partition *p, const char *id, uint32_t *slot_out)
{
	uint64_t hash = weir_pool_hash(id);
	const struct weir_shard *shard = &p->tables.account_index.shard[hash & (WEIR_SHARDS - 1)];
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash), slot;
	while (weir_index_candidate(shard, hash, &pos, &slot)) {
		if (strcmp(weir_account_at(p, slot)->pool, id) == 0) {
			*slot_out = slot;
			return weir_account_at(p, slot);
		}
	}
	return NULL;
}

struct weir_pool_slot *
weir_partition_find_pool(const struct weir_partition *p, const char *id, uint32_t *slot_out)
{
	uint64_t hash = weir_pool_hash(id);
	const struct weir_shard *shard = &p->tables.pool_index.shard[hash & (WEIR_SHARDS - 1)];
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash), slot;
	while (weir_index_candidate(shard, hash, &pos, &slot)) {
		if (strcmp(weir_pool_at(p, slot)->id, id) == 0) {
			*slot_out = slot;
			return weir_pool_at(p, slot);
		}
	}
	return NULL;
}

void
weir_pool_index(struct weir_partition *p, uint32_t slot)
{
	uint64_t hash = weir_pool_hash(weir_pool_at(p, slot)->id);
	weir_shard_insert(weir_shards_of(&p->tables.pool_index, hash), weir_index_entry(hash, slot));
}

uint32_t
weir_pool_get(struct weir_partition *p, const char *id)
{
	uint32_t slot;
	if (weir_partition_find_pool(p, id, &slot) != NULL)
		return slot;
	slot = weir_slab_new(&p->tables.pools);
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	(void)strncpy(pool->id, id, sizeof(pool->id) - 1);
	pool->threshold_bytes = WEIR_NO_LIMIT;
	pool->effective_total = UINT64_MAX;
	weir_pool_index(p, slot);
	return slot;
}

void
weir_pool_touch(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	weir_slab_dirty(&p->tables.pools, slot);
	if ((pool->flags & WEIR_POOL_TELL) != 0)
		return;
	pool->flags |= WEIR_POOL_TELL;
	weir_u64_list_push(&p->pools_work.words, slot);
}

void
weir_pool_due(struct weir_partition *p, int64_t at_us)
{
	if (at_us < p->pools_work.scan.due_us)
		p->pools_work.scan.due_us = at_us;
}

uint32_t
weir_share_get(struct weir_partition *p, uint32_t pool_slot, uint32_t source)
{
	struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	for (uint32_t at = pool->first_share; at != 0; at = weir_share_at(p, at - 1)->next)
		if (weir_share_at(p, at - 1)->source == source)
			return at - 1;
	uint32_t slot = weir_slab_new(&p->tables.shares);
	struct weir_share_slot *share = weir_share_at(p, slot);
	share->pool = pool_slot + 1;
	share->source = source;
	share->next = pool->first_share;
	share->flags = WEIR_SHARE_NEW;
	pool->first_share = slot + 1;
	return slot;
}
