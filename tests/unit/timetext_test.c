/*
 * Time text: fixed cases, every malformed byte, and 200,000 random instants held against timegm and gmtime_r.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "config/base/random.h"
#include "config/base/timetext.h"

/* Parses a copy of exactly the text's bytes, so that a sanitizer sees reads beyond. */
static bool
parse_time(const char *text, int64_t *us_out)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len ? len : 1);
	memcpy(copy, text, len);
	bool valid = weir_time_parse(copy, len, us_out);
	free(copy);
	return valid;
}

static void
expect_time(const char *text, int64_t expected_us)
{
	int64_t us = -1;
	if (!parse_time(text, &us))
		fail_msg("rejected: %s", text);
	if (us != expected_us)
		fail_msg("%s: %lld, expected %lld", text, (long long)us, (long long)expected_us);
}

static void
test_accepted(void **state)
{
	(void)state;
	expect_time("1970-01-01T00:00:00Z", 0);
	expect_time("2026-03-30T05:08:16.894Z", 1774847296894000);
	expect_time("2026-03-30 05:08:16.894Z", 1774847296894000);
	expect_time("2026-03-30T05:08:16.894229012Z", 1774847296894229);
	expect_time("2026-03-30T05:08:16.8942299Z", 1774847296894229);
	expect_time("2026-03-30T05:08:16.1Z", 1774847296100000);
	expect_time("2026-03-30T13:08:16+08:00", 1774847296000000);
	expect_time("2026-03-30T13:08:16.5+0800", 1774847296500000);
	expect_time("2026-03-29T23:38:16-05:30", 1774847296000000);
	expect_time("2024-02-29T23:59:59.999999Z", 1709251199999999);
	expect_time("2000-02-29T00:00:00Z", 951782400000000);
	expect_time("2261-12-31T23:59:59.999999Z", WEIR_TIME_LIMIT_US - 1);
	expect_time("2262-01-01T00:59:59+01:00", WEIR_TIME_LIMIT_US - 1000000);
	expect_time("1969-12-31T23:00:00-01:00", 0);
}

static void
test_rejected(void **state)
{
	static const char *const BAD[] = {"", "2026-03-30", "2026-03-30T05:08:16", "2026-03-30T05:08:60Z",
	    "2026-03-30T05:60:00Z", "2026-03-30T24:00:00Z", "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
	    "2026-04-31T00:00:00Z", "2026-00-10T00:00:00Z", "2026-13-10T00:00:00Z", "2026-01-00T00:00:00Z",
	    "2026-01-32T00:00:00Z", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "1970-01-01T00:00:00+00:01",
	    "2026-03-30T05:08:16.Z", "2026-03-30T05:08:16.1234567890Z", "2026-03-30T05:08:16.894", "2026-03-30t05:08:16Z",
	    "2026-03-30T05:08:16z", "2026-03-30T05:08:16+8:00", "2026-03-30T05:08:16+24:00", "2026-03-30T05:08:16+08:60",
	    "2026-03-30T05:08:16+08", "2026-03-30T05:08:16.894Z ", " 2026-03-30T05:08:16.894Z", "2026-03-30T05:08:16,894Z",
	    "2026-03-30X05:08:16.894Z", "2026-03-30+05:08:16.894Z", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59Z",
	    "+026-03-30T05:08:16.894Z", "2026-03-30T05:08:1/.894Z", "2026-03-30T05:08:16+0a:00"};
	(void)state;
	for (size_t i = 0; i < sizeof(BAD) / sizeof(*BAD); i++) {
		int64_t us;
		if (parse_time(BAD[i], &us))
			fail_msg("accepted: %s", BAD[i]);
	}
}

/* A usual text with one byte changed is either another time that prints back as itself, or rejected. */
static void
test_each_byte(void **state)
{
	(void)state;
	const char *base = "2026-03-30T05:08:16.894Z";
	for (size_t at = 0; at < 24; at++)
		for (int byte = 1; byte < 256; byte++) {
			char text[32], back[WEIR_TIME_TEXT_MAX];
			int64_t us;
			memcpy(text, base, 25);
			text[at] = (char)byte;
			if (!parse_time(text, &us))
				continue;
			assert_int_equal(weir_time_format_ms(us, back), 24);
			if (text[10] == ' ')
				text[10] = 'T';
			assert_string_equal(back, text);
		}
}

static void
test_against_libc(void **state)
{
	(void)state;
	struct weir_random random = {12345};
	for (int i = 0; i < 200000; i++) {
		int64_t us = (int64_t)weir_random_below(&random, (uint64_t)WEIR_TIME_LIMIT_US);
		time_t second = us / 1000000;
		struct tm tm;
		char expected[64], text[WEIR_TIME_TEXT_MAX];
		gmtime_r(&second, &tm);
		size_t len = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
		(void)snprintf(expected + len, sizeof(expected) - len, ".%06dZ", (int)(us % 1000000));
		assert_int_equal(weir_time_format_us(us, text), 27);
		assert_string_equal(text, expected);
		expect_time(text, us);
		assert_int_equal(weir_time_format_ms(us, text), 24);
		expect_time(text, us / 1000 * 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_rejected),
	    cmocka_unit_test(test_each_byte),
	    cmocka_unit_test(test_against_libc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
