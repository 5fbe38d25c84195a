/*
 * ICCIDs packed in 128 bits: 19-20 characters, digits and letters (DOMAIN "Terms"), six bits a character, first
 * character in the highest bits so that packed order is text order; the low 8 bits are zero. Codes: 1..10 = '0'..'9',
 * 11..36 = 'A'..'Z' (lower case is folded to upper: carriers print either), 0 = no character.
 */
#ifndef WEIR_BASE_ICCID_H
#define WEIR_BASE_ICCID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_ICCID_TEXT_MAX 21 /* 20 characters and a terminator */

struct weir_iccid {
	uint64_t hi; /* characters 0..9 in bits 63..4, high bits of character 10 in 3..0 */
	uint64_t lo; /* low 2 bits of character 10 in 63..62, 11..19 in 61..8, zeros in 7..0 */
};

/* Packs text; false unless it is 19 or 20 characters of [0-9A-Za-z]. Any thread. */
bool weir_iccid_parse(const uint8_t *text, size_t len, struct weir_iccid *iccid_out);

/* Writes the text, terminated; returns its length (0 for the zero value). */
size_t weir_iccid_format(struct weir_iccid iccid, char out[WEIR_ICCID_TEXT_MAX]);

static inline bool
weir_iccid_equal(struct weir_iccid a, struct weir_iccid b)
{
	return ((a.hi ^ b.hi) | (a.lo ^ b.lo)) == 0;
}

static inline bool
weir_iccid_is_zero(struct weir_iccid a)
{
	return (a.hi | a.lo) == 0;
}

/* Below 0, 0 or above 0, as qsort wants it. */
static inline int
weir_iccid_order(struct weir_iccid a, struct weir_iccid b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* 64 well-mixed bits of a packed ICCID (a multiply-xor mix; every partition's index uses it). */
static inline uint64_t
weir_iccid_hash(struct weir_iccid a)
{
	unsigned __int128 m = (unsigned __int128)(a.hi ^ 0x9e3779b97f4a7c15u) * (a.lo ^ 0xd6e8feb86659fd93u);
	uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);
	h ^= a.hi + (a.lo << 1);
	h *= 0xff51afd7ed558ccdu;
	return h ^ (h >> 32);
}

/*
 * The directory tag in Redis: h = (h * 61 + character) mod 4294967291 over the text, from 0. Defined so that Lua's
 * doubles compute it exactly. Bucket of the directory: tag mod 1024. See docs/formats.md.
 */
uint32_t weir_iccid_tag(struct weir_iccid iccid);

#endif
