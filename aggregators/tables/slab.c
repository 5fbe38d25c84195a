/* Growth, loading and release of slots; see slab.h. */
#include "aggregators/tables/slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Chunks come from mmap rather than the allocator: aligned to 2 MiB for huge pages, zero without being touched. A slab's
 * first chunk stays on small pages, so that a partition with a handful of cards costs kilobytes, not megabytes.
 */
static uint8_t *
chunk_map(bool huge)
{
	size_t want = (size_t)WEIR_SLAB_CHUNK_BYTES * 2;
	uint8_t *raw = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	WEIR_CHECK(raw != MAP_FAILED);
	uintptr_t start = (uintptr_t)raw;
	uintptr_t aligned = (start + WEIR_SLAB_CHUNK_BYTES - 1) & ~(uintptr_t)(WEIR_SLAB_CHUNK_BYTES - 1);
	if (aligned > start)
		(void)munmap(raw, aligned - start);
	uintptr_t tail = aligned + WEIR_SLAB_CHUNK_BYTES;
	if (start + want > tail)
		(void)munmap((void *)tail, start + want - tail);
	if (huge)
		(void)madvise((void *)aligned, WEIR_SLAB_CHUNK_BYTES, MADV_HUGEPAGE);
	return (uint8_t *)aligned;
}

static void
add_chunk(struct weir_slab *slab)
{
	slab->chunks = weir_realloc(slab->chunks, (slab->chunk_count + 1) * sizeof(*slab->chunks));
	slab->chunks[slab->chunk_count] = chunk_map(slab->chunk_count > 0);
	slab->chunk_count++;
	uint32_t pages = slab->chunk_count * WEIR_SLAB_PAGES_PER_CHUNK;
	if (pages <= slab->page_cap)
		return;
	uint32_t cap = slab->page_cap == 0 ? WEIR_SLAB_PAGES_PER_CHUNK : slab->page_cap * 2;
	slab->dirt = weir_realloc(slab->dirt, cap * sizeof(*slab->dirt));
	memset(slab->dirt + slab->page_cap, 0, (cap - slab->page_cap) * sizeof(*slab->dirt));
	slab->dirty_pages = weir_realloc(slab->dirty_pages, cap * sizeof(*slab->dirty_pages));
	slab->page_cap = cap;
}

void
weir_slab_init(struct weir_slab *slab, uint32_t slot_bytes)
{
	WEIR_CHECK(slot_bytes >= 32 && slot_bytes <= WEIR_SLAB_PAGE_BYTES && (slot_bytes & (slot_bytes - 1)) == 0);
	*slab = (struct weir_slab){.slot_bytes = slot_bytes};
	slab->slot_shift = (uint32_t)__builtin_ctz(slot_bytes);
	slab->page_shift = (uint32_t)__builtin_ctz(WEIR_SLAB_PAGE_BYTES / slot_bytes);
	slab->chunk_shift = (uint32_t)__builtin_ctz(WEIR_SLAB_CHUNK_BYTES / slot_bytes);
}

void
weir_slab_free(struct weir_slab *slab)
{
	for (uint32_t i = 0; i < slab->chunk_count; i++)
		(void)munmap(slab->chunks[i], WEIR_SLAB_CHUNK_BYTES);
	free(slab->chunks);
	free(slab->dirt);
	free(slab->dirty_pages);
	free(slab->free_slots);
	*slab = (struct weir_slab){0};
}

uint32_t
weir_slab_new(struct weir_slab *slab)
{
	uint32_t slot;
	if (slab->free_count > 0) {
		slot = slab->free_slots[--slab->free_count];
	} else {
		if (weir_slab_is_filler(slab, slab->used))
			slab->used++;
		slot = slab->used++;
		if (slot >> slab->chunk_shift >= slab->chunk_count)
			add_chunk(slab);
	}
	weir_slab_dirty(slab, slot);
	return slot;
}

void
weir_slab_reach(struct weir_slab *slab, uint32_t slot)
{
	WEIR_CHECK(slot < UINT32_MAX);
	if (slot < slab->used)
		return;
	slab->used = slot + 1;
	while ((uint64_t)slab->chunk_count << slab->chunk_shift < slab->used)
		add_chunk(slab);
}

void
weir_slab_push_free(struct weir_slab *slab, uint32_t slot)
{
	WEIR_CHECK(slot < slab->used && !weir_slab_is_filler(slab, slot));
	if (slab->free_count == slab->free_cap) {
		slab->free_cap = slab->free_cap == 0 ? 64 : slab->free_cap * 2;
		slab->free_slots = weir_realloc(slab->free_slots, slab->free_cap * sizeof(uint32_t));
	}
	slab->free_slots[slab->free_count++] = slot;
}

void
weir_slab_release(struct weir_slab *slab, uint32_t slot)
{
	WEIR_CHECK(!weir_slab_is_filler(slab, slot));
	WEIR_CHECK(slot < slab->used);
	memset(weir_slab_at(slab, slot), 0, slab->slot_bytes);
	weir_slab_dirty(slab, slot);
	weir_slab_push_free(slab, slot);
}

void
weir_slab_resize(struct weir_slab *slab, uint32_t count)
{
	WEIR_CHECK(slab->used == 0);
	while ((uint64_t)slab->chunk_count << slab->chunk_shift < count)
		add_chunk(slab);
	slab->used = count;
}

bool
weir_slab_load_page(struct weir_slab *slab, uint32_t page, const uint8_t *data, size_t len)
{
	if (len > WEIR_SLAB_PAGE_BYTES || (uint64_t)page << slab->page_shift >= slab->used)
		return false;
	memcpy(weir_slab_at(slab, page << slab->page_shift), data, len);
	return true;
}

void
weir_slab_clean(struct weir_slab *slab)
{
	WEIR_CHECK(slab->dirty_count <= slab->page_cap);
	for (uint32_t i = 0; i < slab->dirty_count; i++)
		slab->dirt[slab->dirty_pages[i]] = (struct weir_slab_dirt){0};
	slab->dirty_count = 0;
}

uint64_t
weir_slab_bytes(const struct weir_slab *slab)
{
	return (uint64_t)slab->chunk_count * WEIR_SLAB_CHUNK_BYTES +
	       slab->page_cap * (sizeof(*slab->dirt) + sizeof(uint32_t));
}
