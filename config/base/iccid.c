/*
 * Packing and unpacking of ICCIDs; see iccid.h.
 *
 * Packing is on the record path: sixteen characters are classified and folded to 24-bit groups by two multiply-adds, as
 * base64 decoders do; the last three or four characters come from a second load that ends with the text, so nothing is
 * read outside it. Without AVX2 a loop over a table does the same.
 */
#include "config/base/iccid.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#ifndef __AVX2__

/* Code of each byte, 0 = not an ICCID character. */
static const uint8_t CODE[256] = {
    ['0'] = 1,
    ['1'] = 2,
    ['2'] = 3,
    ['3'] = 4,
    ['4'] = 5,
    ['5'] = 6,
    ['6'] = 7,
    ['7'] = 8,
    ['8'] = 9,
    ['9'] = 10,
    ['A'] = 11,
    ['B'] = 12,
    ['C'] = 13,
    ['D'] = 14,
    ['E'] = 15,
    ['F'] = 16,
    ['G'] = 17,
    ['H'] = 18,
    ['I'] = 19,
    ['J'] = 20,
    ['K'] = 21,
    ['L'] = 22,
    ['M'] = 23,
    ['N'] = 24,
    ['O'] = 25,
    ['P'] = 26,
    ['Q'] = 27,
    ['R'] = 28,
    ['S'] = 29,
    ['T'] = 30,
    ['U'] = 31,
    ['V'] = 32,
    ['W'] = 33,
    ['X'] = 34,
    ['Y'] = 35,
    ['Z'] = 36,
    ['a'] = 11,
    ['b'] = 12,
    ['c'] = 13,
    ['d'] = 14,
    ['e'] = 15,
    ['f'] = 16,
    ['g'] = 17,
    ['h'] = 18,
    ['i'] = 19,
    ['j'] = 20,
    ['k'] = 21,
    ['l'] = 22,
    ['m'] = 23,
    ['n'] = 24,
    ['o'] = 25,
    ['p'] = 26,
    ['q'] = 27,
    ['r'] = 28,
    ['s'] = 29,
    ['t'] = 30,
    ['u'] = 31,
    ['v'] = 32,
    ['w'] = 33,
    ['x'] = 34,
    ['y'] = 35,
    ['z'] = 36,
};
#endif
static const char TEXT[65] = "\0"
			     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

#ifdef __AVX2__
/* Codes of 16 characters as four groups of 24 bits; clears *valid if one is no ICCID character. */
static inline __m128i
groups_of(const uint8_t *text, bool *valid)
{
	__m128i bytes = _mm_loadu_si128((const __m128i *)text);
	__m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
	__m128i letter = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
	__m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
	__m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
	*valid &= _mm_movemask_epi8(_mm_or_si128(is_digit, is_letter)) == 0xffff;
	__m128i codes =
	    _mm_blendv_epi8(_mm_add_epi8(letter, _mm_set1_epi8(11)), _mm_add_epi8(digit, _mm_set1_epi8(1)), is_digit);
	__m128i pairs = _mm_maddubs_epi16(codes, _mm_set1_epi16(1 << 8 | 64));
	return _mm_madd_epi16(pairs, _mm_set1_epi32(1 << 16 | 4096));
}

bool
weir_iccid_parse(const uint8_t *text, size_t len, struct weir_iccid *iccid_out)
{
	if (len != 19 && len != 20)
		return false;
	bool valid = true;
	__m128i groups = groups_of(text, &valid);
	uint64_t tail = (uint32_t)_mm_extract_epi32(groups_of(text + len - 16, &valid), 3);
	uint64_t ab = (uint64_t)_mm_cvtsi128_si64(groups);
	uint64_t cd = (uint64_t)_mm_extract_epi64(groups, 1);
	uint64_t first = (ab & 0xffffff) << 24 | ab >> 32;  /* characters 0..7 */
	uint64_t second = (cd & 0xffffff) << 24 | cd >> 32; /* 8..15 */
	if (len == 19)
		tail = tail << 6 & 0xffffff;
	iccid_out->hi = first << 16 | second >> 32;
	iccid_out->lo = second << 32 | tail << 8;
	return valid;
}
#else
bool
weir_iccid_parse(const uint8_t *text, size_t len, struct weir_iccid *iccid_out)
{
	if (len != 19 && len != 20)
		return false;
	unsigned __int128 packed = 0;
	bool valid = true;
	for (size_t i = 0; i < len; i++) {
		uint8_t code = CODE[text[i]];
		valid &= code != 0;
		packed = packed << 6 | code;
	}
	packed <<= len == 19 ? 14 : 8;
	*iccid_out = (struct weir_iccid){.hi = (uint64_t)(packed >> 64), .lo = (uint64_t)packed};
	return valid;
}
#endif

size_t
weir_iccid_format(struct weir_iccid iccid, char out[WEIR_ICCID_TEXT_MAX])
{
	unsigned __int128 packed = (unsigned __int128)iccid.hi << 64 | iccid.lo;
	size_t len = 0;
	for (; len < 20; len++) {
		unsigned code = (unsigned)(packed >> 122) & 63;
		if (code == 0)
			break;
		out[len] = TEXT[code];
		packed <<= 6;
	}
	out[len] = '\0';
	return len;
}

uint32_t
weir_iccid_tag(struct weir_iccid iccid)
{
	char text[WEIR_ICCID_TEXT_MAX];
	size_t len = weir_iccid_format(iccid, text);
	uint64_t tag = 0;
	for (size_t i = 0; i < len; i++)
		tag = (tag * 61 + (uint8_t)text[i]) % 4294967291u;
	return (uint32_t)tag;
}
