/*
 * Pools, their source totals, and pool locals: finding and making them. A pool is a list of its source totals, one a
 * source; a pool local never goes away.
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

struct weir_pool_local_slot *
weir_partition_find_pool_local(const struct weir_partition *p, const char *id, uint32_t *slot_out)
{
	uint64_t hash = weir_pool_hash(id);
	const struct weir_shard *shard = &p->tables.pool_local_index.shard[hash & (WEIR_SHARDS - 1)];
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash), slot;
	while (weir_index_candidate(shard, hash, &pos, &slot)) {
		if (strcmp(weir_pool_local_at(p, slot)->pool, id) == 0) {
			*slot_out = slot;
			return weir_pool_local_at(p, slot);
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
	WEIR_CHECK(id[0] != '\0');
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
	WEIR_CHECK(slot < p->tables.pools.used);
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	weir_slab_dirty(&p->tables.pools, slot);
	if ((pool->flags & WEIR_POOL_EVALUATE_DUE) != 0)
		return;
	pool->flags |= WEIR_POOL_EVALUATE_DUE;
	weir_u64_list_push(&p->pools_work.pool_states, slot);
}

void
weir_pool_due(struct weir_partition *p, int64_t at_us)
{
	if (at_us < p->pools_work.scan.due_us)
		p->pools_work.scan.due_us = at_us;
}

uint32_t
weir_pool_source_get(struct weir_partition *p, uint32_t pool_slot, uint32_t source)
{
	WEIR_CHECK(pool_slot < p->tables.pools.used);
	WEIR_CHECK(source < p->opts.partitions);
	struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	for (uint32_t at = pool->first_source; at != 0; at = weir_pool_source_at(p, at - 1)->next)
		if (weir_pool_source_at(p, at - 1)->source == source)
			return at - 1;
	uint32_t slot = weir_slab_new(&p->tables.pool_sources);
	struct weir_pool_source_slot *pool_source = weir_pool_source_at(p, slot);
	pool_source->pool = pool_slot + 1;
	pool_source->source = source;
	pool_source->next = pool->first_source;
	pool_source->flags = WEIR_POOL_SOURCE_NEW;
	pool->first_source = slot + 1;
	return slot;
}
