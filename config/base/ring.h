/*
 * A bounded ring between exactly one pushing and one popping thread: how threads of weir meet.
 *
 * Items have one fixed size and are copied in and out, so nobody owns memory of the other side. Capacity is a power of
 * two; head and tail are running counts that are masked on use, hence all slots can be filled. Each side lives on its
 * own cache line with a private copy of the other side's count, read anew only when the ring looks full (or empty):
 * in steady state a push touches no line that the popper writes. A full ring refuses; the policy is the caller's.
 * Rejected: a lock with a condition (the record path takes none), a list of nodes (allocates per item).
 */
#ifndef WEIR_BASE_RING_H
#define WEIR_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

#define WEIR_RING_LINE 64

/* Pads instead of alignment, so that a struct with a ring inside can come from plain calloc. */
struct weir_ring {
	uint8_t *items;
	uint32_t item_size; /* bytes */
	uint32_t capacity;  /* items, a power of two */
	uint8_t pad_shared[WEIR_RING_LINE];
	_Atomic uint32_t head; /* items ever pushed; written by the pusher */
	uint32_t tail_seen;    /* the pusher's copy of tail */
	uint8_t pad_push[WEIR_RING_LINE];
	_Atomic uint32_t tail; /* items ever popped; written by the popper */
	uint32_t head_seen;    /* the popper's copy of head */
	uint8_t pad_pop[WEIR_RING_LINE];
};

/* Makes an empty ring of at least `capacity` items (rounded up to a power of two, at most 2^31). Before sharing it. */
static inline void
weir_ring_init(struct weir_ring *ring, uint32_t capacity, uint32_t item_size)
{
	WEIR_CHECK(capacity > 0 && capacity <= UINT32_C(1) << 31 && item_size > 0);
	uint32_t rounded = 1;
	while (rounded < capacity)
		rounded *= 2;
	memset(ring, 0, sizeof(*ring));
	ring->items = weir_calloc(rounded, item_size);
	ring->item_size = item_size;
	ring->capacity = rounded;
}

/* Frees the memory. After both threads are done with it. Items still inside are lost. */
static inline void
weir_ring_free(struct weir_ring *ring)
{
	free(ring->items);
	memset(ring, 0, sizeof(*ring));
}

static inline uint8_t *
weir_ring_at(const struct weir_ring *ring, uint32_t count)
{
	return ring->items + (size_t)(count & (ring->capacity - 1)) * ring->item_size;
}

/* Copies one item in; false when full. Pushing thread only. */
static inline bool
weir_ring_push(struct weir_ring *ring, const void *item)
{
	/* relaxed: only this thread writes head. */
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - ring->tail_seen == ring->capacity) {
		/* acquire: pairs with pop's release; the popper has copied the slot out before we write over it. */
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head - ring->tail_seen == ring->capacity)
			return false;
	}
	memcpy(weir_ring_at(ring, head), item, ring->item_size);
	/* release: the item's bytes are visible before the count that announces it. */
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return true;
}

/* Copies the oldest item out; false when empty. Popping thread only. */
static inline bool
weir_ring_pop(struct weir_ring *ring, void *item_out)
{
	/* relaxed: only this thread writes tail. */
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	if (tail == ring->head_seen) {
		/* acquire: pairs with push's release; the item's bytes are there once its count is seen. */
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
		if (tail == ring->head_seen)
			return false;
	}
	memcpy(item_out, weir_ring_at(ring, tail), ring->item_size);
	/* release: our copy is finished before the pusher may take the slot again. */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return true;
}

/* Items inside: exact for neither side while the other works, never more than there were room for. Any thread. */
static inline uint32_t
weir_ring_count(const struct weir_ring *ring)
{
	/* acquire on both, tail first: tail never overtakes the head that is read after it. */
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint32_t count = head - tail;
	return count <= ring->capacity ? count : ring->capacity;
}

#endif
