/*
 * Decimals, see decimal.h.
 *
 * Short numbers (up to 19 digits, any that a feed means) are one 128-bit multiply and divide. The others are
 * multiplied digit by digit from the right, as on paper, with nothing kept but the carry: rounding half up needs only the
 * first digit behind the point, which is the last one that the fraction yields. So any length is exact in no memory.
 */
#include "config/base/decimal.h"

#include <string.h>

#include "config/base/decimal_digits.h"

#define EXPONENT_MAX 1000000000 /* beyond it every number is 0 or too large anyway */

/* A number taken apart: its digits (in text, maybe with a point among them) and where the point belongs. */
struct parts {
	const uint8_t *text;
	size_t whole_len;   /* digits before the point */
	size_t decimals;    /* digits behind it */
	size_t decimals_at; /* where those start in text */
	int64_t exponent;
};

static const uint64_t POWERS[20] = {1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
    10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u, 1000000000000000u, 10000000000000000u,
    100000000000000000u, 1000000000000000000u, 10000000000000000000u};

static inline bool
is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') <= 9;
}

static bool
exponent_parse(const uint8_t *text, size_t len, int64_t *exponent_out)
{
	size_t at = 0;
	bool minus = false;
	if (at < len && (text[at] == '+' || text[at] == '-'))
		minus = text[at++] == '-';
	if (at == len)
		return false;
	int64_t exponent = 0;
	for (; at < len; at++) {
		if (!is_digit(text[at]))
			return false;
		if (exponent < EXPONENT_MAX)
			exponent = exponent * 10 + (text[at] - '0');
	}
	*exponent_out = minus ? -exponent : exponent;
	return true;
}

static bool
parts_parse(const uint8_t *text, size_t len, struct parts *parts_out)
{
	struct parts parts = {.text = text};
	size_t at = 0;
	while (at < len && is_digit(text[at]))
		at++;
	parts.whole_len = at;
	if (at == 0 || (at > 1 && text[0] == '0'))
		return false;
	if (at < len && text[at] == '.') {
		parts.decimals_at = ++at;
		while (at < len && is_digit(text[at]))
			at++;
		parts.decimals = at - parts.decimals_at;
		if (parts.decimals == 0)
			return false;
	}
	if (at < len && (text[at] | 0x20) == 'e') {
		if (!exponent_parse(text + at + 1, len - at - 1, &parts.exponent))
			return false;
		at = len;
	}
	*parts_out = parts;
	return at == len;
}

/* Digit i of all digits, the point left out. */
static inline uint64_t
digit_at(const struct parts *parts, size_t i)
{
	size_t at = i < parts->whole_len ? i : parts->decimals_at + (i - parts->whole_len);
	return (uint64_t)(parts->text[at] - '0');
}

/* digits (those from `point` on are the fraction; point may lie outside them) x unit, on paper. */
static bool
multiply_long(const struct parts *parts, int64_t point, uint64_t unit, uint64_t *bytes_out)
{
	size_t count = parts->whole_len + parts->decimals;
	unsigned __int128 carry = 0;
	uint64_t tenths = 0;
	size_t i = count;
	for (; i > 0 && (int64_t)i > point; i--) {
		carry += digit_at(parts, i - 1) * (unsigned __int128)unit;
		tenths = (uint64_t)(carry % 10);
		carry /= 10;
	}
	for (int64_t zeros = point; zeros < 0; zeros++) { /* 0.000123: zeros between point and digits */
		if (carry == 0) {
			tenths = 0;
			break;
		}
		tenths = (uint64_t)(carry % 10);
		carry /= 10;
	}
	unsigned __int128 whole = 0;
	for (size_t k = 0; k < i; k++) {
		whole = whole * 10 + digit_at(parts, k);
		if (whole > UINT64_MAX)
			return false;
	}
	for (int64_t zeros = (int64_t)count; whole != 0 && zeros < point; zeros++) {
		whole *= 10;
		if (whole > UINT64_MAX)
			return false;
	}
	unsigned __int128 bytes = whole * unit + carry + (tenths >= 5);
	*bytes_out = (uint64_t)bytes;
	return bytes <= UINT64_MAX;
}

bool
weir_decimal_to_bytes(const uint8_t *text, size_t len, uint64_t unit_bytes, uint64_t *bytes_out)
{
	struct parts parts;
	if (unit_bytes == 0 || unit_bytes > (uint64_t)1 << 60 || !parts_parse(text, len, &parts))
		return false;
	size_t count = parts.whole_len + parts.decimals;
	if (count > 19 || parts.exponent != 0)
		return multiply_long(&parts, (int64_t)parts.whole_len + parts.exponent, unit_bytes, bytes_out);
	uint64_t digits = 0;
	for (size_t i = 0; i < count; i++)
		digits = digits * 10 + digit_at(&parts, i);
	unsigned __int128 bytes = (unsigned __int128)digits * unit_bytes;
	uint64_t divisor = POWERS[parts.decimals];
	bytes += divisor / 2;
	bytes = bytes >> 64 ? bytes / divisor : (uint64_t)bytes / divisor;
	*bytes_out = (uint64_t)bytes;
	return bytes <= UINT64_MAX;
}

bool
weir_decimal_parse_u64(const uint8_t *text, size_t len, uint64_t *number_out)
{
	if (len == 0 || len > 20 || (len > 1 && text[0] == '0'))
		return false;
	uint64_t number = 0;
	size_t plain = len < 19 ? len : 19;
	for (size_t i = 0; i < plain; i++) {
		if (!is_digit(text[i]))
			return false;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	if (len == 20 && (!is_digit(text[19]) || __builtin_mul_overflow(number, 10u, &number) ||
			     __builtin_add_overflow(number, (uint64_t)(text[19] - '0'), &number)))
		return false;
	*number_out = number;
	return true;
}

size_t
weir_decimal_format_u64(uint64_t number, char out[20])
{
	uint8_t digits[32];
	size_t first = weir_decimal_digits_u64(number, digits);
	memcpy(out, digits + first, 32 - first);
	return 32 - first;
}
