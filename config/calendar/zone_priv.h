/* Inside of a zone: the table of a TZif file and the footer's rule for the years after it. */
#ifndef WEIR_CONFIG_CALENDAR_ZONE_PRIV_H
#define WEIR_CONFIG_CALENDAR_ZONE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/slice.h"

/* A day of the year and a time of it: POSIX TZ "M3.2.0/2", "J60", "59". */
struct weir_zone_day_rule {
	enum { WEIR_RULE_JULIAN, WEIR_RULE_DAY, WEIR_RULE_MONTH } kind;
	int32_t day;   /* J: 1..365 without 29 Feb; n: 0..365; M: weekday 0 = Sunday */
	int32_t week;  /* M: 1..5, 5 = last */
	int32_t month; /* M: 1..12 */
	int32_t time_s;
};

struct weir_zone_footer {
	bool present;
	bool has_dst;
	int32_t std_offset_s; /* east of UTC */
	int32_t dst_offset_s;
	struct weir_zone_day_rule dst_start;
	struct weir_zone_day_rule dst_end;
};

struct weir_zone_change {
	int64_t at_s;
	int32_t offset_s;
};

struct weir_zone {
	int32_t first_offset_s; /* before the first change */
	uint32_t change_count;
	struct weir_zone_change *changes;
	struct weir_zone_footer footer;
};

/* Parses a POSIX TZ text ("CET-1CEST,M3.5.0,M10.5.0/3"); false when it is malformed. */
bool weir_zone_footer_parse(const char *text, struct weir_zone_footer *footer_out);
/* The footer's changes of the years around at_s, in order; returns their number (at most 6). */
uint32_t weir_zone_footer_changes(
    const struct weir_zone_footer *footer, int64_t at_s, struct weir_zone_change changes_out[6]);

/* Days since 1970 of a proleptic Gregorian date, and back. month 1..12. */
int64_t weir_days_of_date(int64_t year, int32_t month, int32_t day);
void weir_date_of_days(int64_t days, int64_t *year_out, int32_t *month_out, int32_t *day_out);

/* Division rounding down; divisor > 0. */
static inline int64_t
weir_floor_div(int64_t a, int64_t b)
{
	int64_t q = a / b;
	return a % b < 0 ? q - 1 : q;
}

#endif
