/* The table of past cycles' totals; see past.h. */
#include "aggregators/tables/past.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

void
weir_past_init(struct weir_past *past)
{
	*past = (struct weir_past){.cap = 64};
	past->entries = weir_calloc(past->cap, sizeof(*past->entries));
}

void
weir_past_free(struct weir_past *past)
{
	free(past->entries);
	*past = (struct weir_past){0};
}

static uint32_t
place(const struct weir_past *past, uint16_t cycle, uint32_t slot)
{
	uint64_t key = ((uint64_t)slot << 16 | cycle) * 0x9e3779b97f4a7c15u;
	uint32_t at = (uint32_t)(key >> 32) & (past->cap - 1);
	while (past->entries[at].slot != 0 && (past->entries[at].slot != slot + 1 || past->entries[at].cycle != cycle))
		at = (at + 1) & (past->cap - 1);
	return at;
}

static void
grow(struct weir_past *past)
{
	struct weir_past_entry *old = past->entries;
	uint32_t old_cap = past->cap;
	past->cap *= 2;
	past->entries = weir_calloc(past->cap, sizeof(*past->entries));
	for (uint32_t i = 0; i < old_cap; i++)
		if (old[i].slot != 0)
			past->entries[place(past, old[i].cycle, old[i].slot - 1)] = old[i];
	free(old);
}

struct weir_past_entry *
weir_past_find(const struct weir_past *past, uint16_t cycle, uint32_t slot)
{
	struct weir_past_entry *entry = &past->entries[place(past, cycle, slot)];
	return entry->slot != 0 ? entry : NULL;
}

struct weir_past_entry *
weir_past_get(struct weir_past *past, uint16_t cycle, uint32_t slot, bool *created_out)
{
	if (past->used + 1 > past->cap / 2)
		grow(past);
	struct weir_past_entry *entry = &past->entries[place(past, cycle, slot)];
	*created_out = entry->slot == 0;
	if (*created_out) {
		*entry = (struct weir_past_entry){.slot = slot + 1, .cycle = cycle};
		past->used++;
	}
	return entry;
}

void
weir_past_mark_dirty(struct weir_past *past, struct weir_past_entry *entry)
{
	past->dirty += !entry->dirty;
	entry->dirty = true;
}

/* Those that a look-up will answer stay: one that was dropped and made anew would take an answer that is older than it. */
static void
drop_loaded(struct weir_past *past)
{
	struct weir_past_entry *old = past->entries;
	past->entries = weir_calloc(past->cap, sizeof(*past->entries));
	past->used = 0;
	for (uint32_t i = 0; i < past->cap; i++) {
		if (old[i].slot == 0 || old[i].loaded)
			continue;
		past->entries[place(past, old[i].cycle, old[i].slot - 1)] = old[i];
		past->used++;
	}
	free(old);
}

void
weir_past_trim(struct weir_past *past, uint32_t max)
{
	if (past->used > max) {
		drop_loaded(past);
	} else if (past->dirty > 0) {
		for (uint32_t i = 0; i < past->cap; i++)
			past->entries[i].dirty = false;
	}
	past->dirty = 0;
}
