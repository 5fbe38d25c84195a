/* Limits and rules of a partition that its owner takes from the settings. */
#ifndef WEIR_AGGREGATORS_STATE_OPTS_H
#define WEIR_AGGREGATORS_STATE_OPTS_H

#include <stdbool.h>
#include <stdint.h>

struct weir_partition_opts {
	uint32_t number;
	uint32_t dedupe_horizon_h;
	uint32_t dedupe_fresh_h;
	uint32_t session_retention_h;
	uint32_t future_skew_s;
	uint32_t parked_max;
	bool auto_register;
	const char *auto_register_carrier; /* borrowed */
	uint32_t partitions;               /* of the topics: pools' unreported allowance is shared by that many */
	uint64_t epoch;                    /* of this ownership: orders usage reports and state updates */
	uint64_t unreported_floor_bytes;
	uint32_t pool_tick_ms;
	uint32_t
	    guard_percent; /* CMD-5: share of the partition's cards suspended in guard_window_s that trips; 0 = no guard */
	uint32_t guard_cards_min; /* fewer never trip */
	uint32_t guard_window_s;
	uint32_t feed_grace_s; /* a window is published this long after the watermark has passed its end */
	uint32_t
	    feed_wait_s; /* then rows of pools wait this long for partitions that are behind; later ones are not complete */
	bool feed_pool_hourly, feed_pool_daily, feed_card_daily; /* which rows are published (ROL-3) */
	uint32_t card_hours_days, pool_hours_days;               /* how long hours are kept (ROL-1) */
	uint32_t day_cycles;                                     /* closed cycles whose days are kept, at least 1 (ROL-1) */
};

#endif
