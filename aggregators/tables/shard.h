/*
 * Shards: small open-addressing tables of 64-bit entries, and groups of 256 of them that act as one big table.
 *
 * An entry's high 32 bits decide its place (fast range reduction, so that a capacity need not be a power of two), the
 * rest is the user's: dedupe keys keep the whole hash, indexes keep hash-high in the high half and slot + 1 in the low
 * half. Zero is an empty place. A group chooses the shard by the hash's low 8 bits. Each shard grows by itself, by half, at
 * three quarters full: growing moves a few thousand entries at most, so that no growth is a pause; one table with one big
 * rehash (20-30 ms a million) was rejected for that. Deletion shifts back, so there are no tombstones.
 *
 * One owner (the partition's lane); no locks.
 */
#ifndef WEIR_AGGREGATORS_TABLES_SHARD_H
#define WEIR_AGGREGATORS_TABLES_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/base/check.h"

struct weir_shard {
	uint64_t *entries;
	uint32_t cap;
	uint32_t used;
};

#define WEIR_SHARDS 256

struct weir_shards {
	struct weir_shard shard[WEIR_SHARDS];
};

void weir_shard_grow(struct weir_shard *shard);
/* Makes room for that many entries at once: what is known beforehand need not grow step by step. */
void weir_shard_reserve(struct weir_shard *shard, uint32_t entries);
/* Likewise for entries that a group's shards will divide among them. */
void weir_shards_reserve(struct weir_shards *shards, uint32_t entries);
void weir_shard_free(struct weir_shard *shard);
void weir_shards_free(struct weir_shards *shards);
uint64_t weir_shards_bytes(const struct weir_shards *shards);
/* Removes the entry at position pos, shifting back what follows. */
void weir_shard_remove_at(struct weir_shard *shard, uint32_t pos);

/* What one shard of a group gets of so many entries, with an eighth more for those that get more than others. */
static inline uint32_t
weir_shards_share(uint32_t entries)
{
	return entries / WEIR_SHARDS + entries / WEIR_SHARDS / 8;
}

static inline uint32_t
weir_shard_home(const struct weir_shard *shard, uint64_t entry)
{
	return (uint32_t)(((entry >> 32) * shard->cap) >> 32);
}

static inline uint32_t
weir_shard_next(const struct weir_shard *shard, uint32_t pos)
{
	return pos + 1 == shard->cap ? 0 : pos + 1;
}

static inline struct weir_shard *
weir_shards_of(struct weir_shards *shards, uint64_t hash)
{
	return &shards->shard[hash & (WEIR_SHARDS - 1)];
}

static inline void
weir_shard_prefetch(const struct weir_shard *shard, uint64_t hash)
{
	if (shard->cap != 0)
		__builtin_prefetch(&shard->entries[weir_shard_home(shard, hash)], 1, 3);
}

/* Places an entry known to be absent. */
static inline void
weir_shard_place(struct weir_shard *shard, uint64_t entry)
{
	uint32_t pos = weir_shard_home(shard, entry);
	while (shard->entries[pos] != 0)
		pos = weir_shard_next(shard, pos);
	shard->entries[pos] = entry;
	shard->used++;
}

static inline bool
weir_shard_is_full(const struct weir_shard *shard)
{
	return shard->used >= shard->cap / 4 * 3;
}

static inline void
weir_shard_insert(struct weir_shard *shard, uint64_t entry)
{
	if (__builtin_expect(weir_shard_is_full(shard), 0))
		weir_shard_grow(shard);
	weir_shard_place(shard, entry);
}

/* As a set of whole entries: true when `entry` (not 0) was new and is now in. The shard is not full. */
static inline bool
weir_shard_put(struct weir_shard *shard, uint64_t entry)
{
	uint32_t pos = weir_shard_home(shard, entry);
	while (shard->entries[pos] != 0) {
		if (shard->entries[pos] == entry)
			return false;
		pos = weir_shard_next(shard, pos);
	}
	shard->entries[pos] = entry;
	shard->used++;
	return true;
}

/* Likewise; grows a shard that is full. */
static inline bool
weir_shard_add(struct weir_shard *shard, uint64_t entry)
{
	if (__builtin_expect(weir_shard_is_full(shard), 0))
		weir_shard_grow(shard);
	return weir_shard_put(shard, entry);
}

static inline uint64_t
weir_index_entry(uint64_t hash, uint32_t slot)
{
	return (hash & 0xffffffff00000000u) | (slot + 1u);
}

/*
 * Scans the slots whose hash-high equals hash's: start with *pos_io = home and call until it returns false. For indexes;
 * the caller compares the slot's full key.
 */
static inline bool
weir_index_candidate(const struct weir_shard *shard, uint64_t hash, uint32_t *pos_io, uint32_t *slot_out)
{
	if (shard->cap == 0)
		return false;
	for (uint32_t pos = *pos_io;; pos = weir_shard_next(shard, pos)) {
		uint64_t entry = shard->entries[pos];
		if (entry == 0)
			return false;
		if (entry >> 32 == hash >> 32) {
			*slot_out = (uint32_t)entry - 1;
			*pos_io = weir_shard_next(shard, pos);
			return true;
		}
	}
}

#endif
