/* Where the feeds are, as a line of the partition's reference data. */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEED_STATE_H
#define WEIR_AGGREGATORS_ROLLUPS_FEED_STATE_H

#include "aggregators/rollups/feeds.h"

/* Writes it down when it has changed. */
void weir_feeds_remember(struct weir_partition *p);
/* Loading: takes the line; false when it is none. */
bool weir_feeds_load(struct weir_partition *p, struct weir_slice json);
/* After the pages: false when it names slots that do not exist. */
bool weir_feeds_load_finish(struct weir_partition *p);

#endif
