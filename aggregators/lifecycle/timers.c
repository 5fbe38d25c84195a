/*
 * Cards' next lifecycle events by the clock (docs/lifecycle.md "Timers").
 *
 * The truth is `due_s` in the lifecycle slots; in memory lies only what is near. A heap of (time, card) holds all events
 * before the horizon. Once an hour of the clock a scan over the lifecycle slots, a bounded number a tick, moves the horizon
 * to two hours ahead, so that it has an hour to get round before an event that it brings in is due; a change of due_s in
 * between pushes for itself. An entry whose card has meanwhile another due_s is stale and skipped when it comes up: taking
 * it out of the heap's middle would cost an index a card. Rejected: a timer wheel over all cards (12 bytes a card for
 * events mostly months away), a sorted index in Redis (a second source of truth).
 *
 * Deterministic: equal times run in the order of slots.
 */
#include "aggregators/lifecycle/timers.h"

#include <stdlib.h>

#include "aggregators/state/card_table.h"

#define SCAN_EVERY_S 3600u
#define HORIZON_S 7200u
#define SCAN_SLOTS_PER_EVENT 8u /* looking at a slot costs a small part of an event */

struct weir_timers {
	uint64_t *heap; /* due_s << 32 | card slot, least first */
	uint32_t n, cap;
	uint32_t horizon_s;      /* every event due before this is in the heap, or will be when the scan has passed it */
	uint32_t scanned_from_s; /* the horizon before: what was due below it is in the heap already */
	uint32_t scan_slot;
	uint32_t next_scan_s;
	bool scanning;
};

static struct weir_timers *
timers_of(struct weir_partition *p)
{
	if (p->timers == NULL)
		p->timers = weir_calloc(1, sizeof(*p->timers));
	return p->timers;
}

void
weir_timers_free(struct weir_partition *p)
{
	if (p->timers != NULL)
		free(p->timers->heap);
	free(p->timers);
	p->timers = NULL;
}

static void
heap_push(struct weir_timers *t, uint64_t entry)
{
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 256 : t->cap * 2;
		t->heap = weir_realloc(t->heap, t->cap * sizeof(*t->heap));
	}
	uint32_t at = t->n++;
	for (; at > 0 && t->heap[(at - 1) / 2] > entry; at = (at - 1) / 2)
		t->heap[at] = t->heap[(at - 1) / 2];
	t->heap[at] = entry;
}

static uint64_t
heap_pop(struct weir_timers *t)
{
	WEIR_CHECK(t->n > 0);
	uint64_t least = t->heap[0], last = t->heap[--t->n];
	uint32_t at = 0;
	for (uint32_t child = 1; child < t->n; child = at * 2 + 1) {
		if (child + 1 < t->n && t->heap[child + 1] < t->heap[child])
			child++;
		if (t->heap[child] >= last)
			break;
		t->heap[at] = t->heap[child];
		at = child;
	}
	t->heap[at] = last;
	return least;
}

void
weir_timers_touch(struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(slot < p->tables.lifecycles.used);
	struct weir_timers *t = timers_of(p);
	uint32_t due_s = weir_lifecycle_at(p, slot)->due_s;
	if (due_s != 0 && due_s < t->horizon_s)
		heap_push(t, (uint64_t)due_s << 32 | slot);
}

static void
scan(struct weir_partition *p, struct weir_timers *t, uint32_t now_s, uint64_t slots_max)
{
	if (!t->scanning && now_s >= t->next_scan_s) {
		t->scanning = true;
		t->scan_slot = 0;
		t->next_scan_s = now_s + SCAN_EVERY_S;
		t->scanned_from_s = t->horizon_s;
		t->horizon_s = now_s + HORIZON_S;
	}
	for (uint64_t i = 0; i < slots_max && t->scanning; i++) {
		if (t->scan_slot >= p->tables.lifecycles.used) {
			t->scanning = false;
			break;
		}
		uint32_t slot = t->scan_slot++, due_s = weir_lifecycle_at(p, slot)->due_s;
		if (due_s != 0 && due_s >= t->scanned_from_s && due_s < t->horizon_s)
			heap_push(t, (uint64_t)due_s << 32 | slot);
	}
}

static uint32_t
now_seconds(const struct weir_partition *p)
{
	return p->clock.now_us <= 0 ? 0 : (uint32_t)(p->clock.now_us / 1000000);
}

static bool
first_is_due(const struct weir_partition *p, const struct weir_timers *t)
{
	return t->n > 0 && t->heap[0] >> 32 <= now_seconds(p);
}

void
weir_timers_scan(struct weir_partition *p, uint32_t max)
{
	scan(p, timers_of(p), now_seconds(p), (uint64_t)max * SCAN_SLOTS_PER_EVENT);
}

bool
weir_timers_next_due(struct weir_partition *p, uint32_t *slot_out)
{
	struct weir_timers *t = timers_of(p);
	if (!first_is_due(p, t))
		return false;
	uint64_t entry = heap_pop(t);
	*slot_out = (uint32_t)entry;
	if (weir_lifecycle_at(p, *slot_out)->due_s != entry >> 32)
		*slot_out = UINT32_MAX;
	return true;
}

bool
weir_timers_are_due(struct weir_partition *p)
{
	struct weir_timers *t = timers_of(p);
	return t->scanning || first_is_due(p, t);
}
