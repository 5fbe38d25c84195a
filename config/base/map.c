/* Open addressing; see map.h. */
#include "config/base/map.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/base/random.h"

#define CAP_FIRST 64u

static uint32_t
home_of(const struct weir_map *map, uint64_t key)
{
	return (uint32_t)(key * WEIR_RANDOM_STEP >> 32) & (map->cap - 1);
}

/* From `at` on: the next place of the key, or the empty one that ends its probing. */
static uint32_t
place_from(const struct weir_map *map, uint64_t key, uint32_t at)
{
	while (map->values[at] != WEIR_MAP_NONE && map->keys[at] != key)
		at = (at + 1) & (map->cap - 1);
	return at;
}

static uint32_t
empty_from(const struct weir_map *map, uint32_t at)
{
	while (map->values[at] != WEIR_MAP_NONE)
		at = (at + 1) & (map->cap - 1);
	return at;
}

static void
set_place(struct weir_map *map, uint32_t at, uint64_t key, uint32_t value)
{
	map->keys[at] = key;
	map->values[at] = value;
}

static void
grow(struct weir_map *map)
{
	WEIR_CHECK(map->cap <= UINT32_MAX / 4);
	struct weir_map grown = {.cap = map->cap != 0 ? map->cap * 2 : CAP_FIRST, .count = map->count};
	grown.keys = weir_calloc(grown.cap, sizeof(*grown.keys));
	grown.values = weir_calloc(grown.cap, sizeof(*grown.values));
	memset(grown.values, 0xff, grown.cap * sizeof(*grown.values));
	for (uint32_t i = 0; i < map->cap; i++)
		if (map->values[i] != WEIR_MAP_NONE)
			set_place(&grown, empty_from(&grown, home_of(&grown, map->keys[i])), map->keys[i], map->values[i]);
	weir_map_free(map);
	*map = grown;
}

static void
make_room(struct weir_map *map)
{
	if (((uint64_t)map->count + 1) * 3 > (uint64_t)map->cap * 2)
		grow(map);
}

uint32_t
weir_map_first(const struct weir_map *map, uint64_t key, uint32_t *at)
{
	if (map->cap == 0)
		return WEIR_MAP_NONE;
	*at = place_from(map, key, home_of(map, key));
	return map->values[*at];
}

uint32_t
weir_map_next(const struct weir_map *map, uint64_t key, uint32_t *at)
{
	*at = place_from(map, key, (*at + 1) & (map->cap - 1));
	return map->values[*at];
}

uint32_t
weir_map_get(const struct weir_map *map, uint64_t key)
{
	uint32_t at;
	return weir_map_first(map, key, &at);
}

void
weir_map_put(struct weir_map *map, uint64_t key, uint32_t value)
{
	WEIR_CHECK(value != WEIR_MAP_NONE);
	make_room(map);
	uint32_t at = place_from(map, key, home_of(map, key));
	WEIR_CHECK(map->count < map->cap); /* a full table would be searched for ever */
	map->count += map->values[at] == WEIR_MAP_NONE;
	set_place(map, at, key, value);
}

void
weir_map_add(struct weir_map *map, uint64_t key, uint32_t value)
{
	WEIR_CHECK(value != WEIR_MAP_NONE);
	make_room(map);
	map->count++;
	set_place(map, empty_from(map, home_of(map, key)), key, value);
}

void
weir_map_remove(struct weir_map *map, uint64_t key)
{
	uint32_t mask = map->cap - 1, hole;
	if (weir_map_first(map, key, &hole) == WEIR_MAP_NONE)
		return;
	WEIR_CHECK(map->count > 0);
	map->count--;
	/* Move back whoever would no longer be reached across the hole. */
	for (uint32_t at = (hole + 1) & mask; map->values[at] != WEIR_MAP_NONE; at = (at + 1) & mask) {
		uint32_t home = home_of(map, map->keys[at]);
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		set_place(map, hole, map->keys[at], map->values[at]);
		hole = at;
	}
	map->values[hole] = WEIR_MAP_NONE;
}

void
weir_map_free(struct weir_map *map)
{
	free(map->keys);
	free(map->values);
	*map = (struct weir_map){0};
}
