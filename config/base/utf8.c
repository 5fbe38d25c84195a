/* Texts from outside; see utf8.h. */
#include "config/base/utf8.h"

#include <string.h>

static bool
is_control(const uint8_t *at, size_t len)
{
	return *at < 0x20 || *at == 0x7f || (len == 2 && at[0] == 0xc2 && at[1] < 0xa0);
}

/* Whether the bytes up to the end could be the beginning of a character. */
static bool
is_beginning(const uint8_t *at, const uint8_t *end)
{
	size_t have = (size_t)(end - at), need = *at < 0xc2 || *at >= 0xf5 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < have; i++)
		if ((at[i] & 0xc0) != 0x80)
			return false;
	return have < need;
}

void
weir_utf8_clean(char *text, bool cut)
{
	uint8_t *at = (uint8_t *)text, *end = at + strlen(text);
	while (at < end) {
		size_t len = weir_utf8_len(at, end);
		if (len == 0 && cut && is_beginning(at, end)) {
			*at = '\0';
			return;
		}
		if (len == 0)
			*at++ = '?';
		else if (is_control(at, len))
			for (; len > 0; len--)
				*at++ = '?';
		else
			at += len;
	}
}
