/* The scan of all pools for rows of windows that have ended (ROL-3). */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEED_POOL_SCAN_H
#define WEIR_AGGREGATORS_ROLLUPS_FEED_POOL_SCAN_H

#include "aggregators/rollups/feeds.h"

/* Goes on with the scan, or begins one that is due; about max rows; true when more is due. */
bool weir_feeds_tick(struct weir_partition *p, uint32_t max);

#endif
