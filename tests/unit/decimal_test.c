/*
 * Decimals: fixed cases, and random ones held against a second way of doing the same sum; ICCID packing against a plain
 * loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregators/tables/record.h"
#include "config/base/decimal.h"
#include "config/base/iccid.h"
#include "config/base/random.h"

static bool
convert(const char *text, uint64_t unit, uint64_t *bytes_out)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, text, len);
	bool valid = weir_decimal_to_bytes(copy, len, unit, bytes_out);
	free(copy);
	return valid;
}

static void
expect_bytes(const char *text, uint64_t unit, uint64_t expected)
{
	uint64_t bytes = 0;
	if (!convert(text, unit, &bytes))
		fail_msg("rejected: %s", text);
	if (bytes != expected)
		fail_msg("%s x %llu: %llu, expected %llu", text, (unsigned long long)unit, (unsigned long long)bytes,
		    (unsigned long long)expected);
}

static void
test_accepted(void **state)
{
	(void)state;
	expect_bytes("0", 1, 0);
	expect_bytes("0.172848", 1000000, 172848);
	expect_bytes("0.047085", 1000000, 47085);
	expect_bytes("0.0000005", 1000000, 1);
	expect_bytes("0.00000049999999999999999999999999999999999999999999999", 1000000, 0);
	expect_bytes("0.0000005000000000000000000000000000000000000000000000", 1000000, 1);
	expect_bytes("1.5", 1, 2);
	expect_bytes("2.5", 1, 3);
	expect_bytes("2.4", 1, 2);
	expect_bytes("1e3", 1, 1000);
	expect_bytes("1.25E+2", 1, 125);
	expect_bytes("125e-2", 1000, 1250);
	expect_bytes("5e-1", 1, 1);
	expect_bytes("49e-2", 1, 0);
	expect_bytes("0e999999999999999999999", 1, 0);
	expect_bytes("1e-999999999999999999999", 1048576, 0);
	expect_bytes("0.0000000000000000000000000000000001e40", 1, 1000000);
	expect_bytes("18446744073709551615", 1, UINT64_MAX);
	expect_bytes("18446744073709551614.5", 1, UINT64_MAX);
	expect_bytes("18446744073709551615.4", 1, UINT64_MAX);
	expect_bytes("1", 1048576, 1048576);
	expect_bytes("0.00000095367431640625", 1048576, 1);
	expect_bytes("0.000000476837158203125", 1048576, 1);
	expect_bytes("0.000000476837158203124999999999", 1048576, 0);
}

static void
test_rejected(void **state)
{
	static const char *const BAD[] = {"", "-1", "-0", "+1", "01", "00", ".5", "5.", "1e", "1e+", "e5", "1.e5", "0x10",
	    "1 ", " 1", "1.2.3", "1e5.5", "NaN", "18446744073709551616", "18446744073709551615.5", "1e20", "1e999999999999",
	    "1,5", "99999999999999999999999999999999999999999999", "1a", "1e1a"};
	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
		uint64_t bytes;
		if (convert(BAD[i], 1, &bytes))
			fail_msg("accepted: %s", BAD[i]);
	}
}

/* The short way, the long way (same number written longer) and an exponent must agree. */
static void
test_three_spellings(void **state)
{
	static const uint64_t UNITS[] = {1, 1000, 1000000, 1024, 1048576};
	(void)state;
	struct weir_random random = {7};
	for (int i = 0; i < 200000; i++) {
		uint64_t unit = UNITS[weir_random_next(&random) % 5];
		uint64_t whole = weir_random_next(&random) % 100000;
		uint64_t fraction = weir_random_next(&random) % 1000000000;
		unsigned __int128 exact = (unsigned __int128)(whole * 1000000000 + fraction) * unit;
		uint64_t expected = (uint64_t)((exact + 500000000) / 1000000000);
		char text[96];
		(void)snprintf(text, sizeof(text), "%llu.%09llu", (unsigned long long)whole, (unsigned long long)fraction);
		expect_bytes(text, unit, expected);
		(void)snprintf(text, sizeof(text), "%llu.%09llu00000000000000000000", (unsigned long long)whole,
		    (unsigned long long)fraction);
		expect_bytes(text, unit, expected);
		(void)snprintf(text, sizeof(text), "%llue-9", (unsigned long long)(whole * 1000000000 + fraction));
		expect_bytes(text, unit, expected);
	}
}

static void
test_u64_text(void **state)
{
	(void)state;
	struct weir_random random = {99};
	for (int i = 0; i < 200000; i++) {
		uint64_t number = i < 1000 ? (uint64_t)i : weir_random_next(&random) >> (i % 64);
		if (i == 1000)
			number = UINT64_MAX;
		char expected[32], text[21];
		uint64_t back;
		int len = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)number);
		assert_int_equal(weir_decimal_format_u64(number, text), len);
		assert_memory_equal(text, expected, len);
		assert_true(weir_decimal_parse_u64((const uint8_t *)text, (size_t)len, &back));
		assert_true(back == number);
		struct weir_iccid iccid = {number, ~number};
		assert_true(weir_identity_hash_u64(iccid, number) ==
			    weir_identity_hash(iccid, (const uint8_t *)expected, (size_t)len));
	}
	uint64_t number;
	assert_false(weir_decimal_parse_u64((const uint8_t *)"18446744073709551616", 20, &number));
	assert_false(weir_decimal_parse_u64((const uint8_t *)"99999999999999999999", 20, &number));
	assert_false(weir_decimal_parse_u64((const uint8_t *)"01", 2, &number));
	assert_false(weir_decimal_parse_u64((const uint8_t *)"", 0, &number));
}

static bool
iccid_plain(const uint8_t *text, size_t len, struct weir_iccid *iccid_out)
{
	unsigned __int128 packed = 0;
	if (len != 19 && len != 20)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = text[i], code = 0;
		if (c >= '0' && c <= '9')
			code = (uint8_t)(c - '0' + 1);
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
			code = (uint8_t)((c | 0x20) - 'a' + 11);
		if (code == 0)
			return false;
		packed = packed << 6 | code;
	}
	packed <<= len == 19 ? 14 : 8;
	*iccid_out = (struct weir_iccid){(uint64_t)(packed >> 64), (uint64_t)packed};
	return true;
}

static void
test_iccid_packing(void **state)
{
	static const char ALPHABET[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	(void)state;
	struct weir_random random = {3};
	for (int i = 0; i < 20000; i++) {
		size_t len = 18 + weir_random_next(&random) % 4;
		uint8_t *text = malloc(len);
		for (size_t k = 0; k < len; k++)
			text[k] = (uint8_t)ALPHABET[weir_random_next(&random) % 36];
		if (i % 2)
			text[weir_random_next(&random) % len] = (uint8_t)weir_random_next(&random);
		struct weir_iccid expected = {0}, got = {0};
		bool valid = iccid_plain(text, len, &expected);
		assert_int_equal(weir_iccid_parse(text, len, &got), valid);
		if (valid)
			assert_true(weir_iccid_equal(got, expected));
		free(text);
	}
	uint8_t text[] = "89860000000000000001";
	for (size_t at = 0; at < 20; at++)
		for (int byte = 0; byte < 256; byte++) {
			uint8_t kept = text[at];
			struct weir_iccid expected, got;
			text[at] = (uint8_t)byte;
			for (size_t len = 19; len <= 20; len++) {
				bool valid = iccid_plain(text, len, &expected);
				assert_int_equal(weir_iccid_parse(text, len, &got), valid);
				assert_true(!valid || weir_iccid_equal(got, expected));
			}
			text[at] = kept;
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_rejected),
	    cmocka_unit_test(test_three_spellings),
	    cmocka_unit_test(test_u64_text),
	    cmocka_unit_test(test_iccid_packing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
