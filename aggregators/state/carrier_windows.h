/* Cycles, hours and days of a carrier by its calendar; the common case of each is one comparison. */
#ifndef WEIR_AGGREGATORS_STATE_CARRIER_WINDOWS_H
#define WEIR_AGGREGATORS_STATE_CARRIER_WINDOWS_H

#include "aggregators/state/registry.h"
#include "aggregators/tables/dedupe_keys.h"

static inline bool
weir_window_holds(const struct weir_window *window, int64_t at_us)
{
	return at_us >= window->start_us && at_us < window->end_us;
}

/* The number of the cycle of an instant. */
int32_t weir_partition_cycle_slow(struct weir_carrier_entry *carrier, int64_t at_us);
static inline int32_t
weir_partition_cycle_of(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us >= carrier->current.start_us && at_us < carrier->current.end_us)
		return carrier->current.number;
	return weir_partition_cycle_slow(carrier, at_us);
}

/* The window of that cycle; valid until the next call. */
static inline const struct weir_window *
weir_partition_cycle_window(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us >= carrier->current.start_us && at_us < carrier->current.end_us)
		return &carrier->current;
	(void)weir_partition_cycle_slow(carrier, at_us);
	return &carrier->other;
}

/* Hour and day of an instant for a carrier, from its caches. Valid until the next call. */
const struct weir_window *weir_carrier_hour(struct weir_carrier_entry *carrier, int64_t at_us);
const struct weir_window *weir_carrier_day(struct weir_carrier_entry *carrier, int64_t at_us);

/* An instant within a window by its number. */
static inline int64_t
weir_hour_instant(int32_t number)
{
	return ((int64_t)number + 1) * WEIR_HOUR_US - 1;
}

/* The carrier's day of that number. */
struct weir_window weir_carrier_day_by_number(const struct weir_carrier_entry *carrier, int32_t number);

#endif
