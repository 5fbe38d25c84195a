/*
 * Varints: numbers in as few bytes as they need, seven bits a byte, the lowest first (LEB128); signed ones in zigzag order.
 *
 * Reading trusts no byte: one that runs past the end, or on beyond 64 bits, is refused. Longer spellings of a number than
 * needed are taken, as Kafka's and Protobuf's readers do. Pure; any thread.
 */
#ifndef WEIR_BASE_VARINT_H
#define WEIR_BASE_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/base/slice.h"

#define WEIR_VARINT_MAX 10u /* bytes of the longest that is written */

static inline uint32_t
weir_varint_len(uint64_t number)
{
	uint32_t bit = 63u ^ (uint32_t)__builtin_clzll(number | 1);
	return (bit * 9 + 73) >> 6; /* bit / 7 + 1, without a division */
}

/* Writes the number; returns the place behind it. */
static inline uint8_t *
weir_varint_put(uint8_t *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*out++ = (uint8_t)(number | 0x80);
	*out++ = (uint8_t)number;
	return out;
}

/* Reads a number; returns the place behind it, or NULL when there is none. */
static inline const uint8_t *
weir_varint_get(const uint8_t *at, const uint8_t *end, uint64_t *number_out)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
		uint8_t byte = *at++;
		if (shift == 63 && byte > 1)
			return NULL;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*number_out = number;
			return at;
		}
	}
	return NULL;
}

/* Takes a number of at most `max` off the front of bytes; false when there is none. */
static inline bool
weir_varint_take(struct weir_slice *bytes, uint64_t max, uint64_t *number_out)
{
	const uint8_t *end = bytes->data + bytes->len, *at = weir_varint_get(bytes->data, end, number_out);
	if (at == NULL || *number_out > max)
		return false;
	*bytes = (struct weir_slice){at, (size_t)(end - at)};
	return true;
}

/* 0, -1, 1, -2, 2, ... as 0, 1, 2, 3, 4, ... */
static inline uint64_t
weir_zigzag(int64_t number)
{
	return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63);
}

static inline int64_t
weir_unzigzag(uint64_t number)
{
	return (int64_t)(number >> 1) ^ -(int64_t)(number & 1);
}

#endif
