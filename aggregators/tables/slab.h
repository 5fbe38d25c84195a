/*
 * Slabs: fixed slots in pages of 8 KiB, the one way in which weir stores what is written often.
 *
 * A page in memory and a page in Redis are the same bytes, so a flush is a copy and a load is a copy. Slots are numbered
 * from 0 and found by shift and mask: chunks of 2 MiB (huge pages where the kernel has them) hold 256 pages each. A
 * bit per slot and a list of pages say what changed since the last flush. A page's last slot is never given out: what is
 * stored is then 8192 bytes less one slot, which with Redis' string header fits an 8 KiB allocation; all 8192 would take 10
 * KiB. Released slots are zeroed and given out again (cards are never released: a card's slot is its for life).
 *
 * One owner (the partition's lane). Memory grows by a chunk; nothing moves, so pointers to slots stay valid.
 */
#ifndef WEIR_AGGREGATORS_TABLES_SLAB_H
#define WEIR_AGGREGATORS_TABLES_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/check.h"

#define WEIR_SLAB_PAGE_BYTES 8192u
#define WEIR_SLAB_CHUNK_BYTES (2u << 20)
#define WEIR_SLAB_PAGES_PER_CHUNK (WEIR_SLAB_CHUNK_BYTES / WEIR_SLAB_PAGE_BYTES)
#define WEIR_SLAB_NONE UINT32_MAX

/* Dirty slots of one page: up to 256 bits. */
struct weir_slab_dirt {
	uint64_t bits[4];
};

struct weir_slab {
	uint8_t **chunks;
	struct weir_slab_dirt *dirt; /* one a page */
	uint32_t *dirty_pages;       /* pages with dirt, in order of first change */
	uint32_t *free_slots;        /* stack */
	uint32_t slot_bytes;
	uint32_t slot_shift;  /* log2 slot_bytes */
	uint32_t page_shift;  /* log2 slots per page */
	uint32_t chunk_shift; /* log2 slots per chunk */
	uint32_t used;        /* slot numbers given out, released ones and fillers included */
	uint32_t chunk_count;
	uint32_t page_cap;
	uint32_t dirty_count;
	uint32_t free_count;
	uint32_t free_cap;
};

/* slot_bytes: a power of two, 32..8192. */
void weir_slab_init(struct weir_slab *slab, uint32_t slot_bytes);
void weir_slab_free(struct weir_slab *slab);
/* A zeroed slot, released ones first; marks it dirty. */
uint32_t weir_slab_new(struct weir_slab *slab);
/* Makes slots up to and including `slot` exist: for a slab whose numbers another slab gives out. */
void weir_slab_reach(struct weir_slab *slab, uint32_t slot);
/* Zeroes the slot, marks it dirty, keeps it for weir_slab_new. */
void weir_slab_release(struct weir_slab *slab, uint32_t slot);
/* Loading: makes slots 0..count-1 exist, all zero, none dirty. */
void weir_slab_resize(struct weir_slab *slab, uint32_t count);
/* Loading: copies a stored page; false when it lies beyond the slots or is longer than a page. */
bool weir_slab_load_page(struct weir_slab *slab, uint32_t page, const uint8_t *data, size_t len);
/* Loading: takes a slot found empty into the free stack. */
void weir_slab_push_free(struct weir_slab *slab, uint32_t slot);
/* Forgets all dirt (after it was copied into a flush). */
void weir_slab_clean(struct weir_slab *slab);
uint64_t weir_slab_bytes(const struct weir_slab *slab);

static inline void *
weir_slab_at(const struct weir_slab *slab, uint32_t slot)
{
	uint32_t in_chunk = slot & ((1u << slab->chunk_shift) - 1);
	return slab->chunks[slot >> slab->chunk_shift] + ((size_t)in_chunk << slab->slot_shift);
}

static inline const uint8_t *
weir_slab_page(const struct weir_slab *slab, uint32_t page)
{
	return slab->chunks[page / WEIR_SLAB_PAGES_PER_CHUNK] +
	       (size_t)(page % WEIR_SLAB_PAGES_PER_CHUNK) * WEIR_SLAB_PAGE_BYTES;
}

/* Is this the slot of its page that is never given out? */
static inline bool
weir_slab_is_filler(const struct weir_slab *slab, uint32_t slot)
{
	uint32_t mask = (1u << slab->page_shift) - 1;
	return (slot & mask) == mask;
}

/* Bytes of a page that are stored: all but the filler. */
static inline uint32_t
weir_slab_stored_bytes(const struct weir_slab *slab)
{
	return WEIR_SLAB_PAGE_BYTES - slab->slot_bytes;
}

/* Slots in use: neither released nor filler. */
static inline uint32_t
weir_slab_count(const struct weir_slab *slab)
{
	return slab->used - (slab->used >> slab->page_shift) - slab->free_count;
}

static inline void
weir_slab_dirty(struct weir_slab *slab, uint32_t slot)
{
	uint32_t page = slot >> slab->page_shift;
	uint32_t in_page = slot & ((1u << slab->page_shift) - 1);
	struct weir_slab_dirt *dirt = &slab->dirt[page];
	if ((dirt->bits[0] | dirt->bits[1] | dirt->bits[2] | dirt->bits[3]) == 0)
		slab->dirty_pages[slab->dirty_count++] = page;
	dirt->bits[in_page >> 6] |= (uint64_t)1 << (in_page & 63);
}

#endif
