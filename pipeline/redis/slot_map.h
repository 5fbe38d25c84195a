/*
 * The answer to CLUSTER SLOTS: ranges of slots, and the master that holds each. Pure, any thread; the answer is input from
 * outside, checked as a whole before any of it is used.
 */
#ifndef WEIR_PIPELINE_REDIS_SLOT_MAP_H
#define WEIR_PIPELINE_REDIS_SLOT_MAP_H

#include "pipeline/redis/reply.h"

#define WEIR_PLACE_MAX 280

struct weir_slot_range {
	uint16_t first, last;       /* both within; first <= last */
	char place[WEIR_PLACE_MAX]; /* of the master, "host:port"; an empty host or "?": that of the node that answered */
};

/* A map with at least one range, every one of them readable. */
bool weir_slot_map_is_good(const struct weir_reply *reply);
/* Range i of a map; false beyond the last, or when it cannot be read. */
bool weir_slot_map_range(const struct weir_reply *reply, size_t i, struct weir_slot_range *range_out);

#endif
