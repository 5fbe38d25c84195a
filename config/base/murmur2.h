/*
 * The partition of a Kafka key, as Java's clients and librdkafka's murmur2 partitioners choose it: MurmurHash2, 32 bits.
 */
#ifndef WEIR_BASE_MURMUR2_H
#define WEIR_BASE_MURMUR2_H

#include <stdint.h>

#include "config/base/slice.h"

uint32_t weir_murmur2(struct weir_slice key);
/* partitions >= 1. */
uint32_t weir_murmur2_partition(struct weir_slice key, uint32_t partitions);

#endif
