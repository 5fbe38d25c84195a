/* MurmurHash2; see murmur2.h. */
#include "config/base/murmur2.h"

#include "config/base/check.h"

#define SEED 0x9747b28cu
#define M 0x5bd1e995u

uint32_t
weir_murmur2(struct weir_slice key)
{
	const uint8_t *at = key.data;
	size_t len = key.len;
	uint32_t hash = SEED ^ (uint32_t)len;
	for (; len >= 4; at += 4, len -= 4) {
		uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		word *= M;
		word ^= word >> 24;
		hash = hash * M ^ word * M;
	}
	if (len > 0) {
		uint32_t tail = at[0];
		tail |= len > 1 ? (uint32_t)at[1] << 8 : 0;
		tail |= len > 2 ? (uint32_t)at[2] << 16 : 0;
		hash = (hash ^ tail) * M;
	}
	hash = (hash ^ hash >> 13) * M;
	return hash ^ hash >> 15;
}

uint32_t
weir_murmur2_partition(struct weir_slice key, uint32_t partitions)
{
	WEIR_CHECK(partitions > 0);
	return (weir_murmur2(key) & INT32_MAX) % partitions;
}
