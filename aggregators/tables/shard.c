/* Growth, removal and release of shards; see shard.h. */
#include "aggregators/tables/shard.h"

#include <stdlib.h>

/* Moves the entries into cap places, rounded up to whole cache lines. */
static void
rebuild(struct weir_shard *shard, uint32_t cap)
{
	WEIR_CHECK(cap >= shard->used);
	struct weir_shard bigger = {.cap = (cap + 7) & ~7u};
	bigger.entries = weir_calloc(bigger.cap, sizeof(uint64_t));
	for (uint32_t i = 0; i < shard->cap; i++)
		if (shard->entries[i] != 0)
			weir_shard_place(&bigger, shard->entries[i]);
	free(shard->entries);
	*shard = bigger;
}

void
weir_shard_grow(struct weir_shard *shard)
{
	rebuild(shard, shard->cap == 0 ? 16 : shard->cap + shard->cap / 2);
}

void
weir_shard_reserve(struct weir_shard *shard, uint32_t entries)
{
	WEIR_CHECK(entries <= UINT32_MAX / 4);
	uint32_t cap = (entries + 2) / 3 * 4; /* what weir_shard_add finds enough */
	if (cap > shard->cap)
		rebuild(shard, cap);
}

void
weir_shards_reserve(struct weir_shards *shards, uint32_t entries)
{
	uint32_t each = weir_shards_share(entries);
	for (uint32_t i = 0; i < WEIR_SHARDS; i++)
		weir_shard_reserve(&shards->shard[i], each);
}

void
weir_shard_free(struct weir_shard *shard)
{
	free(shard->entries);
	*shard = (struct weir_shard){0};
}

void
weir_shards_free(struct weir_shards *shards)
{
	for (uint32_t i = 0; i < WEIR_SHARDS; i++)
		weir_shard_free(&shards->shard[i]);
}

uint64_t
weir_shards_bytes(const struct weir_shards *shards)
{
	uint64_t bytes = sizeof(*shards);
	for (uint32_t i = 0; i < WEIR_SHARDS; i++)
		bytes += (uint64_t)shards->shard[i].cap * sizeof(uint64_t);
	return bytes;
}

void
weir_shard_remove_at(struct weir_shard *shard, uint32_t pos)
{
	WEIR_CHECK(pos < shard->cap && shard->entries[pos] != 0);
	uint32_t hole = pos;
	for (uint32_t at = weir_shard_next(shard, hole); shard->entries[at] != 0; at = weir_shard_next(shard, at)) {
		uint32_t home = weir_shard_home(shard, shard->entries[at]);
		/* May the entry at `at` move to the hole? Only if its home is not cyclically within (hole, at]. */
		bool stays = hole < at ? (home > hole && home <= at) : (home > hole || home <= at);
		if (stays)
			continue;
		shard->entries[hole] = shard->entries[at];
		hole = at;
	}
	shard->entries[hole] = 0;
	shard->used--;
}
