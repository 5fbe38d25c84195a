/*
 * The billing calendar against another implementation's values (calendar_expected.h), the cycles of CYC-1 and CYC-2, and
 * hostile zone names and files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "calendar_expected.h"
#include "config/base/file.h"
#include "config/calendar/calendar.h"
#include "config/calendar/zone_priv.h"

#define US INT64_C(1000000)

static struct weir_zone *
zone_get(const char *name)
{
	struct weir_zone *zone = NULL;
	struct weir_error err = {0};
	if (weir_zone_open(name, &zone, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	return zone;
}

static void
window_expect_same(struct weir_window a, struct weir_window b)
{
	assert_int_equal(a.start_us, b.start_us);
	assert_int_equal(a.end_us, b.end_us);
	assert_int_equal(a.number, b.number);
}

static void
test_offsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(OFFSETS) / sizeof(OFFSETS[0]); i++) {
		struct weir_zone *zone = zone_get(OFFSETS[i].zone);
		int32_t offset_s = weir_zone_offset(zone, OFFSETS[i].at_s * US);
		if (offset_s != OFFSETS[i].offset_s)
			fail_msg("%s at %ld: %d, expected %ld", OFFSETS[i].zone, (long)OFFSETS[i].at_s, offset_s,
			    (long)OFFSETS[i].offset_s);
		weir_zone_free(zone);
	}
}

static void
day_expect(const struct weir_zone *zone, int64_t at_us, size_t i)
{
	struct weir_window day = weir_zone_day(zone, at_us);
	if (day.start_us != DAYS[i].start_s * US || day.end_us != DAYS[i].end_s * US || day.number != DAYS[i].number)
		fail_msg("%s day %ld: %ld..%ld number %d", DAYS[i].zone, (long)DAYS[i].number, (long)(day.start_us / US),
		    (long)(day.end_us / US), day.number);
}

static void
test_days(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(DAYS) / sizeof(DAYS[0]); i++) {
		struct weir_zone *zone = zone_get(DAYS[i].zone);
		day_expect(zone, DAYS[i].start_s * US, i);
		day_expect(zone, (DAYS[i].start_s + DAYS[i].end_s) / 2 * US, i);
		day_expect(zone, DAYS[i].end_s * US - 1, i);
		weir_zone_free(zone);
	}
}

static void
test_cycles(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CYCLES) / sizeof(CYCLES[0]); i++) {
		struct weir_zone *zone = zone_get(CYCLES[i].zone);
		for (int ahead = 0; ahead < 2; ahead++) {
			uint32_t start_day = (uint32_t)CYCLES[i].start_day;
			struct weir_window cycle = weir_zone_cycle(zone, start_day, ahead == 1, CYCLES[i].at_s * US);
			assert_int_equal(cycle.start_us, CYCLES[i].start_s * US);
			assert_int_equal(cycle.end_us, CYCLES[i].end_s * US);
			assert_int_equal(cycle.number, CYCLES[i].month + (ahead == 1 && start_day > 1));
			struct weir_window same = weir_zone_cycle_by_number(zone, start_day, ahead == 1, cycle.number);
			window_expect_same(same, cycle);
		}
		weir_zone_free(zone);
	}
}

/* rule CYC-1: China Unicom's November is 27 October 00:00 to 26 November 24:00, Shanghai time. */
static void
test_unicom_cycle_is_named_after_its_end(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("Asia/Shanghai");
	int64_t start_s = weir_days_of_date(2026, 10, 27) * 86400 - 8 * 3600;
	int64_t end_s = weir_days_of_date(2026, 11, 27) * 86400 - 8 * 3600;
	char text[16];
	struct weir_window cycle = weir_zone_cycle(zone, 27, true, end_s * US - 1);
	weir_cycle_format(cycle.number, text);
	assert_string_equal(text, "2026-11");
	assert_int_equal(cycle.start_us, start_s * US);
	assert_int_equal(cycle.end_us, end_s * US);
	cycle = weir_zone_cycle(zone, 27, true, end_s * US);
	weir_cycle_format(cycle.number, text);
	assert_string_equal(text, "2026-12");
	cycle = weir_zone_cycle(zone, 27, true, (weir_days_of_date(2026, 12, 31) * 86400) * US);
	weir_cycle_format(cycle.number, text);
	assert_string_equal(text, "2027-01");
	cycle = weir_zone_cycle(zone, 1, true, start_s * US); /* ends on 31 October: named so */
	weir_cycle_format(cycle.number, text);
	assert_string_equal(text, "2026-10");
	weir_zone_free(zone);
}

/* rule CYC-2: 29 February belongs to its month, in leap years only. */
static void
test_leap_day(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("UTC");
	int64_t leap_s = weir_days_of_date(2028, 2, 29) * 86400;
	struct weir_window cycle = weir_zone_cycle(zone, 1, false, leap_s * US);
	assert_int_equal((cycle.end_us - cycle.start_us) / US / 86400, 29);
	assert_int_equal(cycle.end_us, (leap_s + 86400) * US);
	cycle = weir_zone_cycle(zone, 28, false, leap_s * US);
	assert_int_equal(cycle.start_us, (leap_s - 86400) * US);
	cycle = weir_zone_cycle(zone, 1, false, weir_days_of_date(2100, 2, 28) * 86400 * US);
	assert_int_equal((cycle.end_us - cycle.start_us) / US / 86400, 28);
	weir_zone_free(zone);
}

/* The instant of a UTC date and time of day. */
static int64_t
utc_us(int64_t year, int32_t month, int32_t day, int32_t hour, int32_t minute)
{
	return (weir_days_of_date(year, month, day) * 86400 + hour * 3600 + minute * 60) * US;
}

/* rule LIFE-2: a term ends on the same local day and time, on the last day of a month that has no such day. */
static void
test_terms(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("UTC");
	assert_int_equal(weir_zone_add_months(zone, utc_us(2027, 1, 31, 10, 5) + 7, 1), utc_us(2027, 2, 28, 10, 5) + 7);
	assert_int_equal(weir_zone_add_months(zone, utc_us(2028, 1, 31, 0, 0), 1), utc_us(2028, 2, 29, 0, 0));
	assert_int_equal(weir_zone_add_months(zone, utc_us(2028, 2, 29, 23, 59), 12), utc_us(2029, 2, 28, 23, 59));
	assert_int_equal(weir_zone_add_months(zone, utc_us(2028, 2, 29, 0, 0), 48), utc_us(2032, 2, 29, 0, 0));
	assert_int_equal(weir_zone_add_months(zone, utc_us(2096, 2, 29, 0, 0), 48), utc_us(2100, 2, 28, 0, 0));
	assert_int_equal(weir_zone_add_months(zone, utc_us(2026, 8, 31, 0, 0), 3), utc_us(2026, 11, 30, 0, 0));
	assert_int_equal(weir_zone_add_months(zone, utc_us(2026, 12, 15, 6, 0), 1), utc_us(2027, 1, 15, 6, 0));
	assert_int_equal(
	    weir_zone_add_months(zone, utc_us(2026, 5, 5, 5, 5) + 999999, 0), utc_us(2026, 5, 5, 5, 5) + 999999);
	assert_int_equal(weir_zone_add_months(zone, utc_us(1969, 12, 31, 23, 59) + 1, 2), utc_us(1970, 2, 28, 23, 59) + 1);
	weir_zone_free(zone);
	zone = zone_get("Asia/Shanghai"); /* 31 January 00:30 there is the 30th in UTC */
	assert_int_equal(weir_zone_add_months(zone, utc_us(2026, 1, 30, 16, 30), 1), utc_us(2026, 2, 27, 16, 30));
	weir_zone_free(zone);
}

/* rule LIFE-2, rule CYC-2: the local time of day holds across changes of daylight saving, where it exists. */
static void
test_terms_across_changes(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("Europe/Berlin");
	assert_int_equal(
	    weir_zone_add_months(zone, utc_us(2026, 3, 15, 11, 0), 1), utc_us(2026, 4, 15, 10, 0)); /* noon, noon */
	assert_int_equal(weir_zone_add_months(zone, utc_us(2026, 9, 30, 10, 0), 1), utc_us(2026, 10, 30, 11, 0));
	/* 29 March 02:30 is skipped: the change at 01:00 UTC, not an hour off on either side */
	assert_int_equal(weir_zone_add_months(zone, utc_us(2026, 1, 29, 1, 30), 2), utc_us(2026, 3, 29, 1, 0));
	/* 25 October 02:30 comes twice: the first */
	assert_int_equal(weir_zone_add_months(zone, utc_us(2026, 9, 25, 0, 30), 1), utc_us(2026, 10, 25, 0, 30));
	weir_zone_free(zone);
	zone = zone_get("Pacific/Apia"); /* 30 December 2011 was left out there */
	assert_int_equal(weir_zone_add_months(zone, utc_us(2011, 11, 30, 22, 0), 1), utc_us(2011, 12, 30, 10, 0));
	weir_zone_free(zone);
}

/* rule LIFE-4: the first day of the next month, in the carrier's zone. */
static void
test_month_starts(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("Asia/Shanghai");
	int64_t start_us = utc_us(2026, 10, 31, 16, 0);
	assert_int_equal(weir_zone_month_start_after(zone, start_us), start_us);
	assert_int_equal(weir_zone_month_start_after(zone, start_us - 1), start_us);
	assert_int_equal(weir_zone_month_start_after(zone, utc_us(2026, 9, 30, 16, 0) + 1), start_us);
	assert_int_equal(weir_zone_month_start_after(zone, start_us + 1), utc_us(2026, 11, 30, 16, 0));
	assert_int_equal(weir_zone_month(zone, start_us), (2026 - 1970) * 12 + 10);
	assert_int_equal(weir_zone_month(zone, start_us - 1), (2026 - 1970) * 12 + 9);
	weir_zone_free(zone);
	zone = zone_get("Asia/Amman"); /* 1 April 2022 began with a change; its first instant counts */
	start_us = weir_zone_month_start_after(zone, utc_us(2022, 3, 15, 0, 0));
	assert_int_equal(start_us, utc_us(2022, 3, 31, 21, 0));
	assert_int_equal(weir_zone_month(zone, start_us), (2022 - 1970) * 12 + 3);
	weir_zone_free(zone);
	zone = zone_get("UTC");
	assert_int_equal(weir_zone_month_start_after(zone, utc_us(2028, 2, 29, 12, 0)), utc_us(2028, 3, 1, 0, 0));
	assert_int_equal(weir_zone_month(zone, 0), 0);
	assert_true(
	    weir_zone_add_months(zone, INT64_MAX, UINT32_MAX) > 0); /* far instants end, within the years there are */
	assert_true(weir_zone_month_start_after(zone, INT64_MAX) > 0);
	weir_zone_free(zone);
}

/* Cycles follow each other without gap or overlap across months with changes. */
static void
test_cycles_tile(void **state)
{
	(void)state;
	static const char *const zones[] = {"America/Sao_Paulo", "Pacific/Apia", "America/Havana", "Australia/Lord_Howe"};
	for (size_t i = 0; i < 4; i++) {
		struct weir_zone *zone = zone_get(zones[i]);
		struct weir_window cycle = weir_zone_cycle_by_number(zone, 15, false, 480);
		for (int32_t number = 481; number < 1200; number++) {
			struct weir_window next = weir_zone_cycle_by_number(zone, 15, false, number);
			assert_int_equal(next.start_us, cycle.end_us);
			assert_int_equal(weir_zone_cycle(zone, 15, false, next.start_us).number, number);
			assert_int_equal(weir_zone_cycle(zone, 15, false, next.start_us - 1).number, number - 1);
			cycle = next;
		}
		weir_zone_free(zone);
	}
}

/* Hours tile, hold the instant, grow in number, and agree with days (rule ROL-2), also where an hour is cut. */
static void
test_hours_tile(void **state)
{
	(void)state;
	static const char *const zones[] = {"Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Europe/London"};
	for (size_t i = 0; i < 4; i++) {
		struct weir_zone *zone = zone_get(zones[i]);
		int64_t at_us = weir_days_of_date(2017, 1, 1) * 86400 * US;
		struct weir_window hour = weir_zone_hour(zone, at_us);
		while (hour.end_us < weir_days_of_date(2018, 12, 1) * 86400 * US) {
			struct weir_window next = weir_zone_hour(zone, hour.end_us);
			assert_int_equal(next.start_us, hour.end_us);
			assert_true(next.number > hour.number);
			struct weir_window last = weir_zone_hour(zone, next.end_us - 1);
			window_expect_same(last, next);
			assert_int_equal(
			    weir_zone_day(zone, next.start_us).number, weir_zone_day(zone, next.end_us - 1).number);
			hour = next;
		}
		weir_zone_free(zone);
	}
}

static void
test_lord_howe_half_hours(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("Australia/Lord_Howe");
	/* 2026-04-04 15:00 UTC: 02:00 summer time becomes 01:30. The second half of local hour 1 joins hour 1's second
	 * pass. */
	int64_t change_s = weir_days_of_date(2026, 4, 4) * 86400 + 15 * 3600;
	struct weir_window hour = weir_zone_hour(zone, change_s * US);
	assert_int_equal(hour.start_us, change_s * US);
	assert_int_equal(hour.end_us, (change_s + 5400) * US);
	weir_zone_free(zone);
}

static void
test_extreme_instants_do_not_hang(void **state)
{
	(void)state;
	struct weir_zone *zone = zone_get("Europe/London");
	(void)weir_zone_day(zone, INT64_MAX);
	(void)weir_zone_day(zone, INT64_MIN);
	(void)weir_zone_hour(zone, INT64_MAX);
	(void)weir_zone_cycle(zone, 28, true, INT64_MIN);
	(void)weir_zone_cycle(zone, 28, true, INT64_MAX);
	(void)weir_zone_cycle_by_number(zone, 28, true, INT32_MAX);
	(void)weir_zone_cycle_by_number(zone, 28, true, INT32_MIN);
	char text[16];
	weir_cycle_format(INT32_MIN, text);
	weir_cycle_format(INT32_MAX, text);
	weir_zone_free(zone);
}

static void
test_hostile_names(void **state)
{
	(void)state;
	static const char *const names[] = {"", "../etc/passwd", "/etc/passwd", "Asia/../../passwd", "Asia", "Asia/",
	    "Asia//Tokyo", "Mars/Olympus", "tzdata.zi", "Asia/Shanghai\n", "right/UTC", ".", "Asia/.hidden", "%s%n",
	    "Aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct weir_zone *zone = NULL;
		struct weir_error err = {0};
		assert_int_equal(weir_zone_open(names[i], &zone, &err), WEIR_POISON);
		assert_null(zone);
		assert_true(err.text[0] != '\0');
	}
}

/* Each prefix and each single damaged byte of a zone file is refused or read, never followed out of its bounds. */
static void
test_damaged_files(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	assert_int_equal(weir_file_read("/usr/share/zoneinfo/America/Sao_Paulo", 1 << 20, &buf, NULL), WEIR_OK);
	struct weir_zone *zone = NULL;
	for (size_t len = 0; len < buf.len; len++) {
		uint8_t *copy = malloc(len + 1);
		memcpy(copy, buf.data, len);
		assert_int_equal(weir_zone_parse((struct weir_slice){copy, len}, &zone, NULL), WEIR_POISON);
		free(copy);
	}
	for (size_t i = 0; i < buf.len; i++) {
		uint8_t kept = buf.data[i];
		buf.data[i] = (uint8_t)(kept ^ 0xff);
		if (weir_zone_parse((struct weir_slice){buf.data, buf.len}, &zone, NULL) == WEIR_OK) {
			(void)weir_zone_cycle(zone, 27, true, INT64_C(1800000000) * US);
			weir_zone_free(zone);
		}
		buf.data[i] = kept;
	}
	weir_buf_free(&buf);
}

static void
test_footers(void **state)
{
	(void)state;
	struct weir_zone_footer footer;
	assert_true(weir_zone_footer_parse("<+0545>-5:45", &footer));
	assert_int_equal(footer.std_offset_s, 20700);
	assert_true(weir_zone_footer_parse("EST5EDT,M3.2.0,M11.1.0", &footer));
	assert_int_equal(footer.dst_offset_s, -4 * 3600);
	assert_true(weir_zone_footer_parse("XXX3EDT4,0/0,J365/23", &footer));
	assert_true(weir_zone_footer_parse("IST-2IDT,M3.4.4/26,M10.5.0", &footer));
	assert_int_equal(footer.dst_start.time_s, 26 * 3600);
	static const char *const bad[] = {"", "A", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0", "EST99",
	    "EST5EDT,M3.2.0,M11.1.0,", "<+05", "EST5EDT,J366,J1", "EST5:60", "EST5EDT,M3.2.0/168,M11.1.0"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(weir_zone_footer_parse(bad[i], &footer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_offsets),
	    cmocka_unit_test(test_days),
	    cmocka_unit_test(test_cycles),
	    cmocka_unit_test(test_unicom_cycle_is_named_after_its_end),
	    cmocka_unit_test(test_leap_day),
	    cmocka_unit_test(test_terms),
	    cmocka_unit_test(test_terms_across_changes),
	    cmocka_unit_test(test_month_starts),
	    cmocka_unit_test(test_cycles_tile),
	    cmocka_unit_test(test_hours_tile),
	    cmocka_unit_test(test_lord_howe_half_hours),
	    cmocka_unit_test(test_extreme_instants_do_not_hang),
	    cmocka_unit_test(test_hostile_names),
	    cmocka_unit_test(test_damaged_files),
	    cmocka_unit_test(test_footers),
	};
	return cmocka_run_group_tests_name("calendar", tests, NULL, NULL);
}
