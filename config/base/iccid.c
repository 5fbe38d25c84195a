/* Packing and unpacking of ICCIDs; see iccid.h. */
#include "config/base/iccid.h"

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
static const char TEXT[65] = "\0"
			     "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

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
