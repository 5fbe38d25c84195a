/*
 * UTF-8, as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the character at `at`, 1 to 4; 0 when no whole character stands there. at < end; reads nothing beyond. */
static inline size_t
weir_utf8_len(const uint8_t *at, const uint8_t *end)
{
	uint8_t c = *at;
	size_t len = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
	if (len == 0 || (size_t)(end - at) < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (c == 0xe0 && at[1] < 0xa0) || (c == 0xf0 && at[1] < 0x90);
	bool beyond = (c == 0xed && at[1] > 0x9f) || (c == 0xf4 && at[1] > 0x8f);
	return overlong || beyond ? 0 : len;
}

/*
 * Makes a text from outside fit for a line that people read, in place: each byte of a control character (C0, DEL, C1) and
 * each byte that is no UTF-8 becomes '?'. With `cut`, bytes at the end that begin a character go: the text was cut there.
 */
void weir_utf8_clean(char *text, bool cut);

#endif
