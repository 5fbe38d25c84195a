/* Which windows are kept, and how far those of all sources are whole (ROL-1). */
#ifndef WEIR_AGGREGATORS_ROLLUPS_RETENTION_H
#define WEIR_AGGREGATORS_ROLLUPS_RETENTION_H

#include "aggregators/rollups/feeds.h"

/* Windows up to here have been published by all sources; 0 = not all have published. */
int64_t weir_feeds_whole_us(const struct weir_partition *p);

/*
 * The first window of a kind that is kept (ROL-1): what lies before it may be deleted. Rises with stream time (windows of
 * source totals: with the sources' watermarks). WEIR_WINDOW_NONE: nothing is known to be deletable.
 */
int32_t weir_partition_windows_from(const struct weir_partition *partition, enum weir_window_kind kind);
/* Pages of a window of that kind: 0 .. count - 1. */
uint32_t weir_partition_window_pages(const struct weir_partition *partition, enum weir_window_kind kind);

#endif
