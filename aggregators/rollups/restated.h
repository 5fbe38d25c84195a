/* Windows that changed after they were published, and the edge up to which a record can do that. */
#ifndef WEIR_AGGREGATORS_ROLLUPS_RESTATED_H
#define WEIR_AGGREGATORS_ROLLUPS_RESTATED_H

#include "aggregators/rollups/feeds.h"

void weir_feed_pairs_add(struct weir_feed_pairs *pairs, uint32_t slot, int32_t window);
void weir_feed_pairs_clear(struct weir_feed_pairs *pairs);
void weir_feed_pairs_free(struct weir_feed_pairs *pairs);

/* A restated window of a card or a pool local; nothing when it was not published yet. */
void weir_feeds_card_changed(struct weir_partition *p, uint32_t slot, const struct weir_window *day);
void weir_feeds_pool_local_changed(struct weir_partition *p, uint32_t pool_local, const struct weir_window *hour);

/*
 * The first that is known of time, by a record or a watermark: no record is older than the horizon, so publishing begins
 * there. Not by the watermark alone: it may already be the clock when a backlog of days was read at once.
 */
void weir_feeds_begin(struct weir_partition *p, int64_t at_us);

/* Puts in order up to where a record restates what was published (published_edge_us), after any change of it. */
void weir_feeds_edge(struct weir_partition *p);
int64_t weir_feeds_quarter(int64_t at_us);

#endif
