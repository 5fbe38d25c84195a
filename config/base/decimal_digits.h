/*
 * A number's decimal digits, all at once. Inline, because each packed record's identity is hashed over them; whoever only
 * wants a text takes decimal.h.
 */
#ifndef WEIR_BASE_DECIMAL_DIGITS_H
#define WEIR_BASE_DECIMAL_DIGITS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __AVX2__
#include <immintrin.h>
#endif

/*
 * Fills out with the number's digits, leading zeros before them, and returns where the text starts (12..31); it ends with
 * out. Pure.
 */
#ifdef __AVX2__
static inline size_t
weir_decimal_digits_u64(uint64_t number, uint8_t out[32])
{
	/* Splits each lane of eight digits to fours, twos and ones: three rounds, all lanes at once. */
	uint64_t upper = number / 100000000, top = upper / 100000000;
	__m256i eights =
	    _mm256_setr_epi64x(0, (int64_t)top, (int64_t)(upper - top * 100000000), (int64_t)(number - upper * 100000000));
	__m256i fours = _mm256_srli_epi64(_mm256_mul_epu32(eights, _mm256_set1_epi64x(0xd1b71759)), 45);
	__m256i rest = _mm256_sub_epi64(eights, _mm256_mul_epu32(fours, _mm256_set1_epi64x(10000)));
	fours = _mm256_or_si256(fours, _mm256_slli_epi64(rest, 32));
	__m256i twos = _mm256_srli_epi16(_mm256_mulhi_epu16(fours, _mm256_set1_epi32(5243)), 3);
	rest = _mm256_sub_epi32(fours, _mm256_mullo_epi16(twos, _mm256_set1_epi32(100)));
	twos = _mm256_or_si256(twos, _mm256_slli_epi32(rest, 16));
	__m256i ones = _mm256_mulhi_epu16(twos, _mm256_set1_epi16(6554));
	rest = _mm256_sub_epi16(twos, _mm256_mullo_epi16(ones, _mm256_set1_epi16(10)));
	ones = _mm256_or_si256(ones, _mm256_slli_epi16(rest, 8));
	uint32_t filled = (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(ones, _mm256_setzero_si256()));
	_mm256_storeu_si256((__m256i *)(void *)out, _mm256_add_epi8(ones, _mm256_set1_epi8('0')));
	return (size_t)__builtin_ctz(filled | 1u << 31);
}
#else
static inline size_t
weir_decimal_digits_u64(uint64_t number, uint8_t out[32])
{
	size_t first = 31;
	for (size_t i = 32; i-- > 0; number /= 10) {
		out[i] = (uint8_t)('0' + number % 10);
		if (number % 10 != 0)
			first = i;
	}
	return first;
}
#endif

#endif
