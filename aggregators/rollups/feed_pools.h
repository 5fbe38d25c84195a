/* Feeds on the pools' side: hours of source totals summed to hours and days of their pools, and rows of them (ROL-2,
 * ROL-3). */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEED_POOLS_H
#define WEIR_AGGREGATORS_ROLLUPS_FEED_POOLS_H

#include "aggregators/rollups/feeds.h"

/* An hour that a source published, and how far it has published; POISON for one that cannot be. */
enum weir_class weir_feeds_window(
    struct weir_partition *p, const struct weir_usage_report_hour *window, struct weir_error *err);
enum weir_class weir_feeds_watermark_of_source(
    struct weir_partition *p, const struct weir_source_watermark *watermark, struct weir_error *err);

/* Hears of a source's owner; false when a later one was heard of. */
bool weir_feeds_is_of_owner(struct weir_partition *p, uint32_t source, uint64_t epoch);

/* Takes the messages whose pages are there now. */
void weir_feeds_unpark(struct weir_partition *p);

/* The pool is defined at last, and had traffic before: rows of what was published of late are due. */
void weir_feeds_pool_defined(struct weir_partition *p, uint32_t pool_slot);

/* Scans over pools; bounded; true when more is due. */
bool weir_feeds_tick(struct weir_partition *p, uint32_t max);

/* Rows of windows restated in this round go to the outbox. */
void weir_feeds_publish_rows(struct weir_partition *p);

#endif
