/* Pure functions of the reader's face: a key's partition, a volume's bytes, names of spans; see query.h. */
#include <string.h>

#include "pipeline/query/query.h"

/* MurmurHash2 as Java's clients have it: 32 bits, seed 0x9747b28c. */
static uint32_t
murmur2(struct weir_slice key)
{
	const uint32_t m = 0x5bd1e995;
	uint32_t h = 0x9747b28c ^ (uint32_t)key.len;
	const uint8_t *at = key.data;
	size_t len = key.len;
	for (; len >= 4; at += 4, len -= 4) {
		uint32_t k = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		k *= m;
		k ^= k >> 24;
		k *= m;
		h *= m;
		h ^= k;
	}
	if (len >= 3)
		h ^= (uint32_t)at[2] << 16;
	if (len >= 2)
		h ^= (uint32_t)at[1] << 8;
	if (len >= 1) {
		h ^= at[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	return h ^ h >> 15;
}

uint32_t
weir_read_partition_of(struct weir_slice key, uint32_t partitions)
{
	WEIR_CHECK(partitions > 0);
	return (murmur2(key) & 0x7fffffff) % partitions;
}

uint64_t
weir_volume_bytes(const struct weir_volume *volume)
{
	uint64_t sum;
	return __builtin_add_overflow(volume->up, volume->down, &sum) ? UINT64_MAX : sum;
}

static const char *const SPANS[] = {"hour", "day", "cycle"};

bool
weir_span_parse(const char *text, enum weir_span *span_out)
{
	for (unsigned i = 0; i < 3; i++) {
		if (strcmp(text, SPANS[i]) == 0) {
			*span_out = (enum weir_span)i;
			return true;
		}
	}
	return false;
}

const char *
weir_span_name(enum weir_span span)
{
	return SPANS[span];
}
