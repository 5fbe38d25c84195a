/*
 * Hash slots of Redis Cluster: which of the 16,384 a key belongs to, from the key alone. Pure, any thread.
 */
#ifndef WEIR_PIPELINE_REDIS_SLOT_H
#define WEIR_PIPELINE_REDIS_SLOT_H

#include <stdint.h>

#include "config/base/slice.h"

#define WEIR_SLOTS 16384u
#define WEIR_SLOT_ANY UINT16_MAX /* of a command without a key: the node of redis.url */

/* CRC16 of the key, or of what stands between its first { and the } behind it, unless that is nothing. */
uint16_t weir_slot_of_key(struct weir_slice key);
/* Of all keys `<prefix>:{<partition>}:…`. */
uint16_t weir_slot_of_partition(const char *prefix, uint32_t partition);

#endif
