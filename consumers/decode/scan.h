/*
 * The few vector steps of the shape cache, each with a plain fallback: compare 32 bytes, find the byte that ends plain
 * string contents, count and convert digits. All read a fixed number of bytes, which the caller guarantees. Internal.
 */
#ifndef WEIR_CONSUMERS_SCAN_H
#define WEIR_CONSUMERS_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#define WEIR_SCAN_BLOCK 32

/* Whether the first bytes of at (those set in mask) equal those of the fixed text. Reads 32 bytes of both. */
static inline bool
weir_scan_equal(const uint8_t *at, const uint8_t *fixed, uint32_t mask)
{
#ifdef __AVX2__
	__m256i differ =
	    _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)at), _mm256_load_si256((const __m256i *)fixed));
	return (~(uint32_t)_mm256_movemask_epi8(differ) & mask) == 0;
#else
	return memcmp(at, fixed, mask == UINT32_MAX ? 32 : (size_t)__builtin_ctz(~mask)) == 0;
#endif
}

/* Whether the first len (0..16) bytes of both are equal and there are any. Reads 16 bytes of both. */
static inline bool
weir_scan_equal16(const uint8_t *at, const uint8_t *text, uint32_t len)
{
#ifdef __AVX2__
	__m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)at), _mm_loadu_si128((const __m128i *)text));
	return len != 0 && (uint32_t)__builtin_ctz(~(uint32_t)_mm_movemask_epi8(same)) >= len;
#else
	return len != 0 && memcmp(at, text, len) == 0;
#endif
}

#ifdef __AVX2__
/* Constants that must stay in memory: else the compiler builds each anew for every string (three instructions, not none).
 */
struct weir_scan_constants {
	_Alignas(32) uint8_t quote[32];
	uint8_t slash[32];
	uint8_t space[32];
};
extern const struct weir_scan_constants weir_scan_constants;
#endif

/* Bit per byte of at[0..32) that is no plain string content: quote, backslash, control character, not ASCII. */
static inline uint32_t
weir_scan_special(const uint8_t *at)
{
#ifdef __AVX2__
	__m256i bytes = _mm256_loadu_si256((const __m256i *)at);
	const struct weir_scan_constants *constants = &weir_scan_constants;
	/* Signed: bytes that are not ASCII are below a space, too. */
	__m256i special = _mm256_cmpgt_epi8(*(const __m256i *)constants->space, bytes);
	special = _mm256_or_si256(special, _mm256_cmpeq_epi8(bytes, *(const __m256i *)constants->quote));
	special = _mm256_or_si256(special, _mm256_cmpeq_epi8(bytes, *(const __m256i *)constants->slash));
	return (uint32_t)_mm256_movemask_epi8(special);
#else
	uint32_t mask = 0;
	for (uint32_t i = 0; i < 32; i++)
		mask |= (uint32_t)(at[i] < 0x20 || at[i] >= 0x80 || at[i] == '"' || at[i] == '\\') << i;
	return mask;
#endif
}

/* How many of at[0..16) are digits before the first that is none. Reads 16 bytes. */
static inline uint32_t
weir_scan_digits(const uint8_t *at)
{
#ifdef __AVX2__
	__m128i digits = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8('0'));
	__m128i inside = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
	return (uint32_t)__builtin_ctz(~(uint32_t)_mm_movemask_epi8(inside));
#else
	uint32_t count = 0;
	while (count < 16 && (uint8_t)(at[count] - '0') <= 9)
		count++;
	return count;
#endif
}

/* The number that the first count (1..16) digits at `at` spell. Reads 16 bytes. */
static inline uint64_t
weir_scan_number(const uint8_t *at, uint32_t count)
{
#ifdef __AVX2__
	const __m128i ramp = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	__m128i digits = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)at), _mm_set1_epi8('0'));
	/* Right-align: lane i takes digit i - (16 - count); below zero the index's high bit makes it 0. */
	digits = _mm_shuffle_epi8(digits, _mm_sub_epi8(ramp, _mm_set1_epi8((char)(16 - count))));
	__m128i pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(1 << 8 | 10));
	__m128i quads = _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 100));
	__m128i octets = _mm_madd_epi16(_mm_packus_epi32(quads, quads), _mm_set1_epi32(1 << 16 | 10000));
	uint64_t both = (uint64_t)_mm_cvtsi128_si64(octets);
	return (both & UINT32_MAX) * 100000000 + (both >> 32);
#else
	uint64_t number = 0;
	for (uint32_t i = 0; i < count; i++)
		number = number * 10 + (uint64_t)(at[i] - '0');
	return number;
#endif
}

#endif
