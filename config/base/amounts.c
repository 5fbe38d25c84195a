/* Amounts for people; see amounts.h. */
#include "config/base/amounts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/base/decimal.h"

static const char *const UNITS[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
#define UNIT_COUNT 7

const char *
weir_amount_text(uint64_t bytes, char out[WEIR_AMOUNT_TEXT_MAX])
{
	unsigned unit = 0;
	if (bytes == UINT64_MAX) {
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "none");
		return out;
	}
	while (unit + 1 < UNIT_COUNT && bytes >> (10 * (unit + 1)) != 0)
		unit++;
	if (unit == 0) {
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%" PRIu64 " B", bytes);
		return out;
	}
	/* Hundredths, cut: what is shown as used was used. */
	unsigned __int128 hundredths = ((unsigned __int128)bytes * 100) >> (10 * unit);
	uint64_t whole = (uint64_t)(hundredths / 100), part = (uint64_t)(hundredths % 100);
	if (whole < 10)
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%" PRIu64 ".%02" PRIu64 " %s", whole, part, UNITS[unit]);
	else if (whole < 100)
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %s", whole, part / 10, UNITS[unit]);
	else
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%" PRIu64 " %s", whole, UNITS[unit]);
	return out;
}

const char *
weir_amount_signed_text(int64_t bytes, char out[WEIR_AMOUNT_TEXT_MAX])
{
	char text[WEIR_AMOUNT_TEXT_MAX];
	uint64_t magnitude = bytes < 0 ? (uint64_t)0 - (uint64_t)bytes : (uint64_t)bytes;
	(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%s%.30s", bytes < 0 ? "-" : "", weir_amount_text(magnitude, text));
	return out;
}

const char *
weir_count_text(uint64_t number, char out[WEIR_AMOUNT_TEXT_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *at = out;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*at++ = ',';
		*at++ = digits[i];
	}
	*at = '\0';
	return out;
}

/* The unit's shift; -1 when it is none. */
static int
unit_shift(const char *text)
{
	for (int i = 0; i < UNIT_COUNT; i++)
		if (strcasecmp(text, UNITS[i]) == 0)
			return 10 * i;
	return text[0] == '\0' ? 0 : -1;
}

bool
weir_amount_parse(const char *text, uint64_t *bytes_out, struct weir_error *err)
{
	size_t len = strspn(text, "0123456789.");
	const char *unit = text + len + strspn(text + len, " ");
	int shift = unit_shift(unit);
	if (shift < 0 && (strcasecmp(unit, "kb") == 0 || strcasecmp(unit, "mb") == 0 || strcasecmp(unit, "gb") == 0)) {
		(void)weir_error_set(err, WEIR_POISON,
		    "'%.40s': carriers differ on what %s is; say bytes, or KiB, MiB, GiB (1024 to the 1st, 2nd, 3rd)", text,
		    unit);
		return false;
	}
	/* The decimal parser's units end below 2^60 bytes. */
	if (len == 0 || shift < 0 || shift > 50 ||
	    !weir_decimal_to_bytes((const uint8_t *)text, len, UINT64_C(1) << shift, bytes_out) || *bytes_out > INT64_MAX) {
		(void)weir_error_set(
		    err, WEIR_POISON, "'%.40s' is no amount: bytes, or a number with KiB, MiB, GiB or TiB", text);
		return false;
	}
	return true;
}
