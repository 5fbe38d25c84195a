/*
 * Where a pool's and a pool local's slot is. Redis has no directory of them (a partition has some hundred pools, and weir
 * keeps its index in memory), so a reader makes its own: hashes of ids, read page by page, and only the new pages when a
 * header says that there are more slots. A slot is its pool's for good, but Redis may forget, so each use reads the slot
 * and looks at the id: one that differs makes the index begin anew. 12 bytes a pool and partition.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#include <xxhash.h>

#define ID_SLOT_BYTES 256u
#define PAGES_A_ROUND 64u
_Static_assert(
    sizeof(struct weir_pool_slot) == ID_SLOT_BYTES && sizeof(struct weir_pool_local_slot) == ID_SLOT_BYTES, "256 each");
_Static_assert(offsetof(struct weir_pool_slot, id) == 0 && offsetof(struct weir_pool_local_slot, pool) == 0, "id first");

static uint64_t
hash_of(const char *id, size_t len)
{
	uint64_t hash = XXH3_64bits(id, len);
	return hash == 0 ? 1 : hash;
}

void
id_index_free(struct id_index *id_index)
{
	free(id_index->hashes);
	free(id_index->slots);
	*id_index = (struct id_index){0};
}

static void
id_index_put(struct id_index *id_index, uint64_t hash, uint32_t slot)
{
	uint32_t at = (uint32_t)hash & (id_index->cap - 1);
	while (id_index->hashes[at] != 0)
		at = (at + 1) & (id_index->cap - 1);
	id_index->hashes[at] = hash;
	id_index->slots[at] = slot;
	id_index->used++;
}

static void
id_index_add(struct id_index *id_index, uint64_t hash, uint32_t slot)
{
	if (id_index->used * 2 >= id_index->cap) {
		struct id_index grown = {.cap = id_index->cap == 0 ? 64 : id_index->cap * 2, .scanned = id_index->scanned};
		grown.hashes = weir_calloc(grown.cap, sizeof(*grown.hashes));
		grown.slots = weir_calloc(grown.cap, sizeof(*grown.slots));
		for (uint32_t i = 0; i < id_index->cap; i++)
			if (id_index->hashes[i] != 0)
				id_index_put(&grown, id_index->hashes[i], id_index->slots[i]);
		id_index_free(id_index);
		*id_index = grown;
	}
	id_index_put(id_index, hash, slot);
}

/* The slot at the n-th place of that hash; false when there are no more. */
static bool
id_index_get(const struct id_index *id_index, uint64_t hash, uint32_t n, uint32_t *slot_out)
{
	if (id_index->cap == 0)
		return false;
	for (uint32_t at = (uint32_t)hash & (id_index->cap - 1); id_index->hashes[at] != 0;
	     at = (at + 1) & (id_index->cap - 1)) {
		if (id_index->hashes[at] == hash && n-- == 0) {
			*slot_out = id_index->slots[at];
			return true;
		}
	}
	return false;
}

static struct id_index *
id_index_of(struct weir_reader *reader, uint32_t partition, char tag)
{
	return tag == 'q' ? &reader->partition_metas[partition].pools : &reader->partition_metas[partition].pool_locals;
}

static uint32_t
slots_of(const struct weir_reader *reader, uint32_t partition, char tag)
{
	return reader->partition_metas[partition].slots[tag == 'q' ? WEIR_SLAB_POOLS : WEIR_SLAB_POOL_LOCALS];
}

static void
take_page(struct id_index *id_index, struct weir_slice page, uint32_t first, uint32_t from, uint32_t to)
{
	char id[ID_SLOT_BYTES];
	for (uint32_t slot = from > first ? from : first; slot < to && slot < first + slots_a_page(ID_SLOT_BYTES); slot++) {
		if (!slot_of_page(page, slot, ID_SLOT_BYTES, id))
			continue;
		size_t len = strnlen(id, WEIR_ID_MAX);
		if (len > 0 && len < WEIR_ID_MAX)
			id_index_add(id_index, hash_of(id, len), slot);
	}
}

/* Reads the slots that are new since the last time. */
static enum weir_read
id_index_scan(struct weir_reader *reader, uint32_t partition, char tag, struct weir_error *err)
{
	struct id_index *id_index = id_index_of(reader, partition, tag);
	const uint32_t a_page = slots_a_page(ID_SLOT_BYTES), slots = slots_of(reader, partition, tag);
	if (slots < id_index->scanned)
		id_index_free(id_index); /* Redis lost writes */
	while (id_index->scanned < slots) {
		uint32_t first = id_index->scanned / a_page, last = (slots - 1) / a_page;
		if (last - first >= PAGES_A_ROUND)
			last = first + PAGES_A_ROUND - 1;
		query_clear(reader);
		for (uint32_t page = first; page <= last; page++)
			(void)query_get(reader, partition, "%c:%u", tag, page);
		enum weir_read answer = query_send(reader, err);
		if (answer != WEIR_READ_OK)
			return answer;
		for (uint32_t page = first; page <= last; page++)
			take_page(id_index, query_bytes(reader, page - first), page * a_page, id_index->scanned, slots);
		id_index->scanned = (last + 1) * a_page < slots ? (last + 1) * a_page : slots;
	}
	return WEIR_READ_OK;
}

static bool
is_its_own(const struct id_lookup *want)
{
	char id[WEIR_ID_MAX];
	memcpy(id, want->out, sizeof(id));
	return strnlen(id, sizeof(id)) < sizeof(id) && strcmp(id, want->id) == 0;
}

/* One look at the n-th candidates of all wants that are not found; *more_out: there was one to look at. */
static enum weir_read
look(
    struct weir_reader *reader, struct id_lookup *wants, uint32_t count, uint32_t n, bool *more_out, struct weir_error *err)
{
	struct slot_want *slots = arena_take(&reader->arena, count, sizeof(*slots));
	uint32_t asked = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct id_lookup *want = &wants[i];
		const struct id_index *id_index = id_index_of(reader, want->partition, want->tag);
		if (!want->found && id_index_get(id_index, hash_of(want->id, strlen(want->id)), n, &want->slot))
			slots[asked++] =
			    (struct slot_want){want->partition, want->tag, want->slot, ID_SLOT_BYTES, want->out};
	}
	*more_out = asked > 0;
	enum weir_read answer = asked > 0 ? slots_fetch(reader, slots, asked, err) : WEIR_READ_OK;
	for (uint32_t i = 0, k = 0; i < count && k < asked && answer == WEIR_READ_OK; i++) {
		if (slots[k].out != wants[i].out)
			continue;
		wants[i].found = is_its_own(&wants[i]);
		k++;
	}
	return answer;
}

static enum weir_read
check_all(struct weir_reader *reader, struct id_lookup *wants, uint32_t count, struct weir_error *err)
{
	bool more = true;
	for (uint32_t n = 0; more; n++) {
		enum weir_read answer = look(reader, wants, count, n, &more, err);
		if (answer != WEIR_READ_OK)
			return answer;
	}
	return WEIR_READ_OK;
}

/*
 * The index may be behind: the headers, at most a second old, say by how much. A place that led to another id means that
 * Redis lost writes: that index is made anew, once.
 */
enum weir_read
id_index_find(struct weir_reader *reader, struct id_lookup *wants, uint32_t count, struct weir_error *err)
{
	enum weir_read answer = WEIR_READ_OK;
	for (int round = 0; round < 2 && answer == WEIR_READ_OK; round++) {
		bool again = false;
		for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++)
			if (!wants[i].found)
				answer = id_index_scan(reader, wants[i].partition, wants[i].tag, err);
		if (answer == WEIR_READ_OK)
			answer = check_all(reader, wants, count, err);
		for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
			struct id_index *id_index = id_index_of(reader, wants[i].partition, wants[i].tag);
			uint32_t slot;
			if (wants[i].found || !id_index_get(id_index, hash_of(wants[i].id, strlen(wants[i].id)), 0, &slot))
				continue;
			id_index_free(id_index);
			again = true;
		}
		if (!again)
			break;
	}
	return answer;
}
