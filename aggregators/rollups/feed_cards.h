/* Feeds on the cards' side: pool locals' hours and cards' days (ROL-3). */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEED_CARDS_H
#define WEIR_AGGREGATORS_ROLLUPS_FEED_CARDS_H

#include "aggregators/rollups/feeds.h"

/* Makes messages of what is due. */
void weir_feeds_seal(struct weir_partition *p);

/*
 * The pool local is about to count in `cycle`, and will hold no totals of those before the one before it: what is
 * unpublished of them is kept. False when baselines must be fetched for that.
 */
bool weir_feeds_keep_cycles(struct weir_partition *p, uint32_t pool_local, int32_t cycle);

#endif
