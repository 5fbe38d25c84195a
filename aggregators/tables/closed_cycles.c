/* The table of closed cycles' totals; see closed_cycles.h. */
#include "aggregators/tables/closed_cycles.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

void
weir_closed_cycles_init(struct weir_closed_cycles *closed_cycles)
{
	*closed_cycles = (struct weir_closed_cycles){.cap = 64};
	closed_cycles->entries = weir_calloc(closed_cycles->cap, sizeof(*closed_cycles->entries));
}

void
weir_closed_cycles_free(struct weir_closed_cycles *closed_cycles)
{
	free(closed_cycles->entries);
	*closed_cycles = (struct weir_closed_cycles){0};
}

static uint32_t
entry_index(const struct weir_closed_cycles *closed_cycles, uint16_t cycle, uint32_t slot)
{
	uint64_t key = ((uint64_t)slot << 16 | cycle) * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(key >> 32) & (closed_cycles->cap - 1);
	while (closed_cycles->entries[at].slot != 0 &&
	       (closed_cycles->entries[at].slot != slot + 1 || closed_cycles->entries[at].cycle != cycle))
		at = (at + 1) & (closed_cycles->cap - 1);
	return at;
}

static void
grow(struct weir_closed_cycles *closed_cycles)
{
	struct weir_closed_cycle_entry *old = closed_cycles->entries;
	uint32_t old_cap = closed_cycles->cap;
	closed_cycles->cap *= 2;
	closed_cycles->entries = weir_calloc(closed_cycles->cap, sizeof(*closed_cycles->entries));
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i].slot != 0)
			closed_cycles->entries[entry_index(closed_cycles, old[i].cycle, old[i].slot - 1)] = old[i];
	free(old);
}

struct weir_closed_cycle_entry *
weir_closed_cycles_find(const struct weir_closed_cycles *closed_cycles, uint16_t cycle, uint32_t slot)
{
	struct weir_closed_cycle_entry *entry = &closed_cycles->entries[entry_index(closed_cycles, cycle, slot)];
	return entry->slot != 0 ? entry : NULL;
}

struct weir_closed_cycle_entry *
weir_closed_cycles_get(struct weir_closed_cycles *closed_cycles, uint16_t cycle, uint32_t slot, bool *created_out)
{
	WEIR_CHECK(closed_cycles->used < closed_cycles->cap);
	if (closed_cycles->used + 1 > closed_cycles->cap / 2)
		grow(closed_cycles);
	struct weir_closed_cycle_entry *entry = &closed_cycles->entries[entry_index(closed_cycles, cycle, slot)];
	*created_out = entry->slot == 0;
	if (*created_out) {
		*entry = (struct weir_closed_cycle_entry){.slot = slot + 1, .cycle = cycle};
		closed_cycles->used++;
	}
	return entry;
}

void
weir_closed_cycles_mark_dirty(struct weir_closed_cycles *closed_cycles, struct weir_closed_cycle_entry *entry)
{
	WEIR_CHECK(entry->slot != 0 && entry->loaded);
	closed_cycles->dirty += !entry->dirty;
	entry->dirty = true;
}

/* Those that a look-up will answer stay: one that was dropped and made anew would take an answer that is older than it. */
static void
drop_loaded(struct weir_closed_cycles *closed_cycles)
{
	struct weir_closed_cycle_entry *old = closed_cycles->entries;
	closed_cycles->entries = weir_calloc(closed_cycles->cap, sizeof(*closed_cycles->entries));
	closed_cycles->used = 0;
	for (uint32_t i = 0; i < closed_cycles->cap; i++) {
		if (old[i].slot == 0 || old[i].loaded)
			continue;
		closed_cycles->entries[entry_index(closed_cycles, old[i].cycle, old[i].slot - 1)] = old[i];
		closed_cycles->used++;
	}
	free(old);
}

void
weir_closed_cycles_trim(struct weir_closed_cycles *closed_cycles, uint32_t max)
{
	if (closed_cycles->used > max) {
		drop_loaded(closed_cycles);
	} else if (closed_cycles->dirty > 0) {
		for (uint32_t i = 0; i < closed_cycles->cap; i++)
			closed_cycles->entries[i].dirty = false;
	}
	closed_cycles->dirty = 0;
}
