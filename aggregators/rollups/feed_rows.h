/* Rows of the feeds as JSON, with their keys. */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEED_ROWS_H
#define WEIR_AGGREGATORS_ROLLUPS_FEED_ROWS_H

#include "aggregators/rollups/feeds.h"

struct weir_feed_row {
	bool daily;
	struct weir_window window;
	struct weir_counts usage;
	bool complete;
	uint64_t revision;
};
#define WEIR_FEED_KEY_MAX (WEIR_ID_MAX + 40)
void weir_feed_pool_row(const struct weir_partition *p, uint32_t pool, const struct weir_feed_row *row,
    char key_out[WEIR_FEED_KEY_MAX], struct weir_buf *json);
void weir_feed_card_row(const struct weir_partition *p, uint32_t slot, const struct weir_feed_row *row,
    char key_out[WEIR_FEED_KEY_MAX], struct weir_buf *json);

#endif
