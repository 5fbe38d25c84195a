/* Entries, table, lists and heap of the dispatcher; see command_entries_priv.h. One thread at a time. */
#include "pipeline/dispatch/command_entries_priv.h"

#include <stdlib.h>

#define CHUNK 1024u /* entries */

/* ---- map ---- */

static uint32_t
map_home(const struct weir_map *map, uint64_t key)
{
	key *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(key >> 32) & (map->capacity - 1);
}

/* The slot of the key, or the empty one where it would go. */
static uint32_t
map_slot(const struct weir_map *map, uint64_t key)
{
	uint32_t at = map_home(map, key);
	while (map->values[at] != WEIR_NONE && map->keys[at] != key)
		at = (at + 1) & (map->capacity - 1);
	return at;
}

static void
map_grow(struct weir_map *map)
{
	struct weir_map grown = {.capacity = map->capacity ? map->capacity * 2 : 64, .count = map->count};
	grown.keys = weir_calloc(grown.capacity, sizeof(*grown.keys));
	grown.values = weir_calloc(grown.capacity, sizeof(*grown.values));
	memset(grown.values, 0xff, grown.capacity * sizeof(*grown.values));
	for (uint32_t i = 0; i < map->capacity; i++) {
		if (map->values[i] == WEIR_NONE)
			continue;
		uint32_t at = map_slot(&grown, map->keys[i]);
		grown.keys[at] = map->keys[i];
		grown.values[at] = map->values[i];
	}
	weir_map_free(map);
	*map = grown;
}

uint32_t
weir_map_get(const struct weir_map *map, uint64_t key)
{
	return map->capacity == 0 ? WEIR_NONE : map->values[map_slot(map, key)];
}

void
weir_map_put(struct weir_map *map, uint64_t key, uint32_t value)
{
	if ((uint64_t)(map->count + 1) * 3 > (uint64_t)map->capacity * 2)
		map_grow(map);
	uint32_t at = map_slot(map, key);
	WEIR_CHECK(value != WEIR_NONE && map->count < map->capacity); /* a full table would be searched for ever */
	if (map->values[at] == WEIR_NONE)
		map->count++;
	map->keys[at] = key;
	map->values[at] = value;
}

void
weir_map_remove(struct weir_map *map, uint64_t key)
{
	if (map->capacity == 0)
		return;
	uint32_t mask = map->capacity - 1, hole = map_slot(map, key);
	if (map->values[hole] == WEIR_NONE)
		return;
	WEIR_CHECK(map->count > 0);
	map->count--;
	/* Move back whoever would no longer be reached across the hole. */
	for (uint32_t at = (hole + 1) & mask; map->values[at] != WEIR_NONE; at = (at + 1) & mask) {
		uint32_t home = map_home(map, map->keys[at]);
		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		map->keys[hole] = map->keys[at];
		map->values[hole] = map->values[at];
		hole = at;
	}
	map->values[hole] = WEIR_NONE;
}

void
weir_map_free(struct weir_map *map)
{
	free(map->keys);
	free(map->values);
	*map = (struct weir_map){0};
}

/* ---- lists ---- */

static struct weir_card_link *
link_queue(struct weir_card_entry *card)
{
	return &card->queue;
}

static struct weir_card_link *
link_peers(struct weir_card_entry *card)
{
	return &card->peers;
}

typedef struct weir_card_link *(*link_fn)(struct weir_card_entry *card);

static void
list_push(struct weir_cards *cards, struct weir_card_list *list, struct weir_card_entry *card, bool at_front, link_fn of)
{
	struct weir_card_link *link = of(card);
	WEIR_CHECK(
	    (list->count == 0) == (list->first == WEIR_NONE) && (list->first == WEIR_NONE) == (list->last == WEIR_NONE));
	WEIR_CHECK(link->prev == WEIR_NONE && link->next == WEIR_NONE); /* it is in no list of this kind */
	link->prev = at_front ? WEIR_NONE : list->last;
	link->next = at_front ? list->first : WEIR_NONE;
	if (link->prev != WEIR_NONE)
		of(weir_cards_at(cards, link->prev))->next = card->self;
	else
		list->first = card->self;
	if (link->next != WEIR_NONE)
		of(weir_cards_at(cards, link->next))->prev = card->self;
	else
		list->last = card->self;
	list->count++;
}

static void
list_remove(struct weir_cards *cards, struct weir_card_list *list, struct weir_card_entry *card, link_fn of)
{
	struct weir_card_link *link = of(card);
	uint32_t *to_it = link->prev != WEIR_NONE ? &of(weir_cards_at(cards, link->prev))->next : &list->first;
	uint32_t *back_to_it = link->next != WEIR_NONE ? &of(weir_cards_at(cards, link->next))->prev : &list->last;
	WEIR_CHECK(list->count > 0 && *to_it == card->self && *back_to_it == card->self); /* it is in this very list */
	*to_it = link->next;
	*back_to_it = link->prev;
	list->count--;
	link->prev = link->next = WEIR_NONE;
}

void
weir_list_init(struct weir_card_list *list)
{
	*list = (struct weir_card_list){WEIR_NONE, WEIR_NONE, 0};
}

void
weir_list_push(struct weir_cards *cards, struct weir_card_list *list, struct weir_card_entry *card, bool at_front)
{
	list_push(cards, list, card, at_front, link_queue);
}

void
weir_list_remove(struct weir_cards *cards, struct weir_card_list *list, struct weir_card_entry *card)
{
	list_remove(cards, list, card, link_queue);
}

/* ---- heap ---- */

static void
heap_set(struct weir_cards *cards, uint32_t at, struct weir_heap_item item)
{
	WEIR_CHECK(at < cards->heap_count);
	cards->heap[at] = item;
	weir_cards_at(cards, item.card)->heap_at = at;
}

static void
heap_sift(struct weir_cards *cards, uint32_t at, struct weir_heap_item item)
{
	while (at > 0 && cards->heap[(at - 1) / 2].due_us > item.due_us) {
		heap_set(cards, at, cards->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = at * 2 + 1;
		if (child >= cards->heap_count)
			break;
		if (child + 1 < cards->heap_count && cards->heap[child + 1].due_us < cards->heap[child].due_us)
			child++;
		if (cards->heap[child].due_us >= item.due_us)
			break;
		heap_set(cards, at, cards->heap[child]);
		at = child;
	}
	heap_set(cards, at, item);
}

void
weir_heap_push(struct weir_cards *cards, struct weir_card_entry *card, int64_t due_us)
{
	WEIR_CHECK(card->place == WEIR_PLACE_HEAP || card->place == WEIR_PLACE_RETRY);
	WEIR_CHECK(cards->heap_count < cards->count); /* each card at most once */
	if (cards->heap_count == cards->heap_cap) {
		cards->heap_cap = cards->heap_cap ? cards->heap_cap * 2 : 64;
		cards->heap = weir_realloc(cards->heap, cards->heap_cap * sizeof(*cards->heap));
	}
	card->due_us = due_us;
	cards->heap_count++;
	heap_sift(cards, cards->heap_count - 1, (struct weir_heap_item){due_us, card->self});
}

void
weir_heap_remove(struct weir_cards *cards, struct weir_card_entry *card)
{
	uint32_t at = card->heap_at;
	WEIR_CHECK(at < cards->heap_count && cards->heap[at].card == card->self);
	struct weir_heap_item last = cards->heap[--cards->heap_count];
	if (at < cards->heap_count)
		heap_sift(cards, at, last);
}

struct weir_card_entry *
weir_heap_first(const struct weir_cards *cards)
{
	if (cards->heap_count == 0)
		return NULL;
	struct weir_card_entry *card = weir_cards_at(cards, cards->heap[0].card);
	WEIR_CHECK(card->heap_at == 0 && card->due_us == cards->heap[0].due_us);
	return card;
}

/* ---- entries ---- */

static uint64_t
card_key(uint32_t partition, uint32_t slot)
{
	return (uint64_t)partition << 32 | slot;
}

struct weir_card_entry *
weir_cards_at(const struct weir_cards *cards, uint32_t self)
{
	WEIR_CHECK(self / CHUNK < cards->chunk_count);
	struct weir_card_entry *card = &cards->chunks[self / CHUNK][self % CHUNK];
	WEIR_CHECK(card->self == self);
	return card;
}

struct weir_card_entry *
weir_cards_find(const struct weir_cards *cards, uint32_t partition, uint32_t slot)
{
	uint32_t self = weir_map_get(&cards->by_card, card_key(partition, slot));
	if (self == WEIR_NONE)
		return NULL;
	struct weir_card_entry *card = weir_cards_at(cards, self);
	WEIR_CHECK(card->partition == partition && card->slot == slot && card->place != WEIR_PLACE_FREE);
	return card;
}

static void
cards_grow(struct weir_cards *cards)
{
	cards->chunks = weir_realloc(cards->chunks, (cards->chunk_count + 1) * sizeof(struct weir_card_entry *));
	struct weir_card_entry *chunk = weir_calloc(CHUNK, sizeof(*chunk));
	uint32_t base = cards->chunk_count * CHUNK;
	for (uint32_t i = 0; i < CHUNK; i++) {
		chunk[i].self = base + i;
		chunk[i].queue.next = i + 1 < CHUNK ? base + i + 1 : cards->free_first;
	}
	cards->chunks[cards->chunk_count++] = chunk;
	cards->free_first = base;
}

/* The partition's list, made if need be. Partitions are few and keep their (empty) list. */
static struct weir_card_list *
cards_partition(struct weir_cards *cards, uint32_t partition)
{
	uint32_t at = weir_map_get(&cards->by_partition, partition);
	if (at == WEIR_NONE) {
		at = cards->partition_count++;
		cards->partitions = weir_realloc(cards->partitions, cards->partition_count * sizeof(*cards->partitions));
		weir_list_init(&cards->partitions[at]);
		weir_map_put(&cards->by_partition, partition, at);
	}
	return &cards->partitions[at];
}

struct weir_card_entry *
weir_cards_add(struct weir_cards *cards, uint32_t partition, uint32_t slot)
{
	if (cards->free_first == WEIR_NONE)
		cards_grow(cards);
	struct weir_card_entry *card = weir_cards_at(cards, cards->free_first);
	WEIR_CHECK(card->place == WEIR_PLACE_FREE && card->ticket == NULL);
	WEIR_CHECK(weir_map_get(&cards->by_card, card_key(partition, slot)) == WEIR_NONE);
	cards->free_first = card->queue.next;
	*card = (struct weir_card_entry){.self = card->self,
	    .partition = partition,
	    .slot = slot,
	    .queue = {WEIR_NONE, WEIR_NONE},
	    .peers = {WEIR_NONE, WEIR_NONE},
	    .place = WEIR_PLACE_MOVING};
	weir_map_put(&cards->by_card, card_key(partition, slot), card->self);
	list_push(cards, cards_partition(cards, partition), card, false, link_peers);
	cards->count++;
	return card;
}

void
weir_cards_drop(struct weir_cards *cards, struct weir_card_entry *card)
{
	WEIR_CHECK(card->place == WEIR_PLACE_MOVING && cards->count > 0);
	WEIR_CHECK(weir_map_get(&cards->by_card, card_key(card->partition, card->slot)) == card->self);
	weir_map_remove(&cards->by_card, card_key(card->partition, card->slot));
	list_remove(cards, cards_partition(cards, card->partition), card, link_peers);
	free(card->ticket);
	card->ticket = NULL;
	card->place = WEIR_PLACE_FREE;
	card->queue.next = cards->free_first;
	cards->free_first = card->self;
	cards->count--;
}

uint32_t
weir_cards_first_of(const struct weir_cards *cards, uint32_t partition)
{
	uint32_t at = weir_map_get(&cards->by_partition, partition);
	return at == WEIR_NONE ? WEIR_NONE : cards->partitions[at].first;
}

void
weir_cards_init(struct weir_cards *cards)
{
	*cards = (struct weir_cards){.free_first = WEIR_NONE};
}

void
weir_cards_free(struct weir_cards *cards)
{
	for (uint32_t i = 0; i < cards->chunk_count; i++) {
		for (uint32_t j = 0; j < CHUNK; j++)
			free(cards->chunks[i][j].ticket);
		free(cards->chunks[i]);
	}
	free(cards->chunks);
	free(cards->partitions);
	free(cards->heap);
	weir_map_free(&cards->by_card);
	weir_map_free(&cards->by_partition);
	*cards = (struct weir_cards){0};
}
