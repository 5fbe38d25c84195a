/* Windows of cards and pool locals as differences of counters (ROL-1, ROL-2; docs/rollups.md). */
#ifndef WEIR_AGGREGATORS_ROLLUPS_WINDOW_USAGE_H
#define WEIR_AGGREGATORS_ROLLUPS_WINDOW_USAGE_H

#include "aggregators/state/pool_table.h"

/*
 * Is the record in the hour of its card's newest record, and of its pool local's (+ 1, 0 = none), and can neither have been
 * published? Then no window changes but by the counters. Two comparisons and one a pool local, on the fold's usual path.
 */
static inline bool
weir_window_unchanged(const struct weir_partition *p, const struct weir_carrier_entry *carrier,
    const struct weir_card_slot *card, uint32_t pool_local, const struct weir_record *r)
{
	uint32_t end_s = (uint32_t)(r->end_us / 1000000);
	return end_s - carrier->hour_s < carrier->hour_len_s && card->last_s - carrier->hour_s < carrier->hour_len_s &&
	       r->end_us >= p->clock.published_edge_us &&
	       (pool_local == 0 || weir_pool_local_at(p, pool_local - 1)->hour == carrier->hour.number);
}

/* Is all in memory that the record may change, or requested? To be asked before anything is changed. */
bool weir_window_ready(struct weir_partition *p, uint32_t slot, uint32_t pool_local, const struct weir_record *r);

/* The record is about to be counted in its card, whose totals of the record's cycle are `before`. */
void weir_window_count_card(struct weir_partition *p, uint32_t slot, const struct weir_record *r,
    const struct weir_counts *before, const struct weir_counts *more);

/* Likewise in its card's pool local, by whose cycle it is counted there. */
void weir_window_count_pool_local(struct weir_partition *p, uint32_t pool_local, uint32_t card_slot,
    const struct weir_record *r, int32_t cycle, const struct weir_counts *more);

/* Usage of a window of a card or a pool local. */
enum weir_window_usage_answer {
	WEIR_WINDOW_USAGE_NONE, /* nothing was counted in it */
	WEIR_WINDOW_USAGE_KNOWN,
	WEIR_WINDOW_USAGE_WAIT, /* fetch requests say for what */
	WEIR_WINDOW_USAGE_GONE, /* a pool local holds two cycles, and it is of an older one */
};

enum weir_window_usage_answer weir_window_usage(
    struct weir_partition *p, enum weir_window_kind kind, uint32_t slot, int32_t number, struct weir_counts *usage_out);

/* Loading: which windows may be in Redis. */
void weir_window_baselines_load(struct weir_partition *p);

#endif
