/*
 * Closed cycles' totals (CYC-3, REC-6): what a card had when its cycle ended, restated by late records.
 *
 * A small table of (cycle, card slot) -> totals: values on their way to Redis, and values that late records brought in.
 * After a flush everything in it is clean and may be dropped when there is too much of it. A value not in it is an answer,
 * not a wait. One owner (the partition's lane).
 */
#ifndef WEIR_AGGREGATORS_TABLES_CLOSED_CYCLES_H
#define WEIR_AGGREGATORS_TABLES_CLOSED_CYCLES_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregators/tables/slots.h"

struct weir_closed_cycle_entry {
	struct weir_closed_cycle_slot value;
	uint32_t slot; /* card slot + 1; 0 = empty place */
	uint16_t cycle;
	bool loaded;
	bool dirty;
};

struct weir_closed_cycles {
	struct weir_closed_cycle_entry *entries;
	uint32_t cap; /* power of two */
	uint32_t used;
	uint32_t dirty;
};

void weir_closed_cycles_init(struct weir_closed_cycles *closed_cycles);
void weir_closed_cycles_free(struct weir_closed_cycles *closed_cycles);
/* The entry or NULL. Pointers are valid until the next weir_closed_cycles_get or trim. */
struct weir_closed_cycle_entry *weir_closed_cycles_find(
    const struct weir_closed_cycles *closed_cycles, uint16_t cycle, uint32_t slot);
/* The entry, made empty and not loaded when missing (*created_out). */
struct weir_closed_cycle_entry *weir_closed_cycles_get(
    struct weir_closed_cycles *closed_cycles, uint16_t cycle, uint32_t slot, bool *created_out);
void weir_closed_cycles_mark_dirty(struct weir_closed_cycles *closed_cycles, struct weir_closed_cycle_entry *entry);
/* After a flush took the dirty ones: dedupe keys all clean, and drops all when more than max. */
void weir_closed_cycles_trim(struct weir_closed_cycles *closed_cycles, uint32_t max);

#endif
