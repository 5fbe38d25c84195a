/* Pools' texts for people, from their definitions: members of their rows. */
#ifndef WEIR_AGGREGATORS_ROLLUPS_POOL_TEXTS_H
#define WEIR_AGGREGATORS_ROLLUPS_POOL_TEXTS_H

#include "aggregators/rollups/feeds.h"

/* The pool's texts for people, from its definition. Before the pools are loaded they are kept by id, until place_texts. */
void weir_feeds_pool_text(struct weir_partition *p, const char *pool, struct weir_slice json);
void weir_feeds_place_texts(struct weir_partition *p);

#endif
