/*
 * A table from 64-bit keys to 32-bit values: open addressing, linear probing, no tombstones.
 *
 * A value is mostly an index into an array of the owner's, so that entries have their own type and stay where they are.
 * Keys are numbers, or hashes: two things may then share a key, and the owner compares each value under it
 * (weir_map_first, weir_map_next). A removal moves back whoever would no longer be reached. The table doubles when two
 * thirds are taken: growing is a pause of some 20 ms at a million keys. So this is for what is not asked for each record;
 * the record path has tables of its own (aggregators/tables/shard.h, windows.h).
 *
 * Zero-initialise; free with weir_map_free. One thread at a time.
 */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define WEIR_MAP_NONE UINT32_MAX /* no value; cannot be stored */

struct weir_map {
	uint64_t *keys;
	uint32_t *values; /* WEIR_MAP_NONE = empty place */
	uint32_t cap, count;
};

/* The value of the key, WEIR_MAP_NONE if it has none. Of several: the one that is first in probing order. */
uint32_t weir_map_get(const struct weir_map *map, uint64_t key);
/* Sets the key's value, or the first of several. */
void weir_map_put(struct weir_map *map, uint64_t key, uint32_t value);
/* Adds a value to those under the key. */
void weir_map_add(struct weir_map *map, uint64_t key, uint32_t value);
/* Removes the key's value, or the first of several. */
void weir_map_remove(struct weir_map *map, uint64_t key);
void weir_map_free(struct weir_map *map);

/* The values under a key one by one; *at is where the search stands. WEIR_MAP_NONE ends them. */
uint32_t weir_map_first(const struct weir_map *map, uint64_t key, uint32_t *at);
uint32_t weir_map_next(const struct weir_map *map, uint64_t key, uint32_t *at);

#endif
