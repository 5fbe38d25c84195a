/* JSON scalars, see json_text.h. Plain loops: the shape cache keeps the usual record away from here. */
#include "consumers/decode/json_text.h"

#include <string.h>

#include "config/base/decimal.h"
#include "consumers/decode/scan.h"

#ifdef __AVX2__
#define EIGHT(c) c, c, c, c, c, c, c, c
#define ALL(c)                                                                                                             \
	{                                                                                                                  \
		EIGHT(c), EIGHT(c), EIGHT(c), EIGHT(c)                                                                     \
	}
/* Not in shape.c, whose compiler would see through them; see scan.h. */
const struct weir_scan_constants weir_scan_constants = {ALL('"'), ALL('\\'), ALL(' ')};
#endif

static inline uint32_t
digits_len(const uint8_t *text, uint32_t len)
{
	uint32_t at = 0;
	while (at < len && (uint8_t)(text[at] - '0') <= 9)
		at++;
	return at;
}

/* Length of the number at text, 0 = none. *plain_out: digits only. */
static uint32_t
number_len(const uint8_t *text, uint32_t len, bool *plain_out)
{
	uint32_t at = text[0] == '-';
	uint32_t whole = digits_len(text + at, len - at);
	if (whole == 0 || (whole > 1 && text[at] == '0'))
		return 0;
	*plain_out = at == 0;
	at += whole;
	if (at < len && text[at] == '.') {
		uint32_t decimals = digits_len(text + at + 1, len - at - 1);
		if (decimals == 0)
			return 0;
		*plain_out = false;
		at += 1 + decimals;
	}
	if (at < len && (text[at] | 0x20) == 'e') {
		at++;
		if (at < len && (text[at] == '+' || text[at] == '-'))
			at++;
		uint32_t exponent = digits_len(text + at, len - at);
		if (exponent == 0)
			return 0;
		*plain_out = false;
		at += exponent;
	}
	return at;
}

static uint32_t
literal_len(const uint8_t *text, uint32_t len, enum weir_kind *kind_out)
{
	if (len >= 4 && memcmp(text, "null", 4) == 0) {
		*kind_out = WEIR_KIND_NULL;
		return 4;
	}
	if (len >= 4 && memcmp(text, "true", 4) == 0) {
		*kind_out = WEIR_KIND_TRUE;
		return 4;
	}
	if (len >= 5 && memcmp(text, "false", 5) == 0) {
		*kind_out = WEIR_KIND_FALSE;
		return 5;
	}
	return 0;
}

uint32_t
weir_json_scalar(const uint8_t *text, uint32_t len, struct weir_scalar *value)
{
	bool plain = false;
	uint32_t end = 0;
	if (len == 0)
		return 0;
	value->data = text;
	if (text[0] == '-' || (uint8_t)(text[0] - '0') <= 9) {
		end = number_len(text, len, &plain);
		value->kind = WEIR_KIND_NUMBER;
		if (plain && weir_decimal_parse_u64(text, end, &value->number))
			value->kind = WEIR_KIND_UINT;
	} else {
		end = literal_len(text, len, &value->kind);
	}
	if (end < len && !weir_json_is_space(text[end]) && memchr(",]}:", text[end], 4) == NULL)
		return 0;
	value->len = end;
	return end;
}

static bool
hex_parse(const uint8_t *text, uint32_t len, uint32_t *number_out)
{
	uint32_t number = 0;
	if (len < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		uint8_t c = text[i], lower = text[i] | 0x20;
		if ((uint8_t)(c - '0') <= 9)
			number = number << 4 | (uint32_t)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			number = number << 4 | (uint32_t)(lower - 'a' + 10);
		else
			return false;
	}
	*number_out = number;
	return true;
}

static uint32_t
utf8_write(uint32_t code, uint8_t *out)
{
	if (code < 0x80) {
		out[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (uint8_t)(0xc0 | code >> 6);
		out[1] = (uint8_t)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (uint8_t)(0xe0 | code >> 12);
		out[1] = (uint8_t)(0x80 | (code >> 6 & 63));
		out[2] = (uint8_t)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | code >> 18);
	out[1] = (uint8_t)(0x80 | (code >> 12 & 63));
	out[2] = (uint8_t)(0x80 | (code >> 6 & 63));
	out[3] = (uint8_t)(0x80 | (code & 63));
	return 4;
}

/* The code point of the \u escape whose digits start at text; *used_out: bytes behind the u. */
static bool
code_parse(const uint8_t *text, uint32_t len, uint32_t *code_out, uint32_t *used_out)
{
	uint32_t high, low;
	if (!hex_parse(text, len, &high) || (high >= 0xdc00 && high < 0xe000))
		return false;
	*code_out = high;
	*used_out = 4;
	if (high < 0xd800 || high >= 0xe000)
		return true;
	if (len < 10 || text[4] != '\\' || text[5] != 'u' || !hex_parse(text + 6, len - 6, &low))
		return false;
	*code_out = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	*used_out = 10;
	return low >= 0xdc00 && low < 0xe000;
}

static bool
escape_parse(const uint8_t *text, uint32_t len, uint32_t *code_out, uint32_t *used_out)
{
	static const char FROM[] = "\"\\/bfnrt";
	static const char TO[] = "\"\\/\b\f\n\r\t";
	if (len == 0)
		return false;
	if (text[0] == 'u') {
		bool valid = code_parse(text + 1, len - 1, code_out, used_out);
		*used_out += 1;
		return valid;
	}
	const char *found = text[0] == 0 ? NULL : strchr(FROM, text[0]);
	if (found == NULL)
		return false;
	*code_out = (uint8_t)TO[found - FROM];
	*used_out = 1;
	return true;
}

bool
weir_json_unescape(const uint8_t *text, uint32_t len, uint8_t *out, uint32_t *len_out)
{
	uint32_t written = 0;
	for (uint32_t at = 0; at < len;) {
		const uint8_t *slash = memchr(text + at, '\\', len - at);
		uint32_t plain = slash ? (uint32_t)(slash - text) - at : len - at;
		if (out != NULL)
			memcpy(out + written, text + at, plain);
		written += plain;
		at += plain;
		if (slash == NULL)
			break;
		uint32_t code = 0, used = 0;
		uint8_t bytes[4];
		if (!escape_parse(text + at + 1, len - at - 1, &code, &used))
			return false;
		uint32_t count = utf8_write(code, bytes);
		if (out != NULL)
			memcpy(out + written, bytes, count);
		written += count;
		at += 1 + used;
	}
	*len_out = written;
	return true;
}
