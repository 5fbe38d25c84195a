/*
 * Windows of time in a zone; see calendar.h.
 *
 * One primitive carries the rest: the first instant at which the local clock shows a given local second or a later one.
 * It walks the stretches of constant offset around it. Windows [start of D, start of D+1) then follow each other without
 * gap or overlap whatever a zone does, also where a change sets the clock back across midnight or skips a whole day (Apia,
 * 2011).
 */
#include "config/calendar/calendar.h"

#include <stdio.h>

#include "config/calendar/zone_priv.h"

#define US INT64_C(1000000)
#define DAY_S INT64_C(86400)
#define HOUR_US (INT64_C(3600) * US)
#define AT_MIN_US INT64_C(-62135596800000000)
#define AT_MAX_US INT64_C(253402300799999999)
#define MONTH_MIN (-23627) /* within the years 1 to 9999, as instants are */
#define MONTH_MAX 96359

static int64_t
clamp_us(int64_t at_us)
{
	return at_us < AT_MIN_US ? AT_MIN_US : at_us > AT_MAX_US ? AT_MAX_US : at_us;
}

/* The first instant at which local time is local_s or later. Offsets are below 26 h, so two days before is before it. */
static int64_t
first_instant_us(const struct weir_zone *zone, int64_t local_s)
{
	int64_t at_us = (local_s - 2 * DAY_S) * US;
	for (;;) {
		int64_t reached_us = (local_s - weir_zone_offset(zone, at_us)) * US;
		int64_t change_us = weir_zone_next_change(zone, at_us);
		if (reached_us < at_us)
			reached_us = at_us; /* the change at at_us skipped it */
		if (reached_us < change_us)
			return reached_us;
		at_us = change_us;
	}
}

static int64_t
local_day(const struct weir_zone *zone, int64_t at_us)
{
	return weir_floor_div(weir_floor_div(at_us, US) + weir_zone_offset(zone, at_us), DAY_S);
}

static int64_t
day_start_us(const struct weir_zone *zone, int64_t day)
{
	return first_instant_us(zone, day * DAY_S);
}

struct weir_window
weir_zone_day(const struct weir_zone *zone, int64_t at_us)
{
	at_us = clamp_us(at_us);
	int64_t day = local_day(zone, at_us);
	while (day_start_us(zone, day) > at_us)
		day--;
	while (day_start_us(zone, day + 1) <= at_us)
		day++;
	return (struct weir_window){day_start_us(zone, day), day_start_us(zone, day + 1), (int32_t)day};
}

/* The last change at or before at_us and after floor_us; floor_us if there is none. */
static int64_t
last_change_us(const struct weir_zone *zone, int64_t floor_us, int64_t at_us)
{
	int64_t last_us = floor_us;
	for (;;) {
		int64_t change_us = weir_zone_next_change(zone, last_us);
		if (change_us > at_us)
			return last_us;
		last_us = change_us;
	}
}

/* The stretch of at most an hour between full local hours and changes that shift them. */
static struct weir_window
hour_piece(const struct weir_zone *zone, int64_t at_us)
{
	int64_t offset_us = weir_zone_offset(zone, at_us) * US;
	int64_t start_us = weir_floor_div(at_us + offset_us, HOUR_US) * HOUR_US - offset_us;
	int64_t end_us = start_us + HOUR_US;
	int64_t cut_us = last_change_us(zone, start_us, at_us);
	int64_t before_us = weir_zone_offset(zone, cut_us - 1) * US;
	if (cut_us > start_us && (before_us - offset_us) % HOUR_US != 0)
		start_us = cut_us;
	int64_t next_us = weir_zone_next_change(zone, at_us);
	if (next_us < end_us && (weir_zone_offset(zone, next_us) * US - offset_us) % HOUR_US != 0)
		end_us = next_us;
	return (struct weir_window){start_us, end_us, (int32_t)weir_floor_div(start_us, HOUR_US)};
}

struct weir_window
weir_zone_hour(const struct weir_zone *zone, int64_t at_us)
{
	struct weir_window hour = hour_piece(zone, clamp_us(at_us));
	struct weir_window before = hour_piece(zone, hour.start_us - 1);
	struct weir_window after = hour_piece(zone, hour.end_us);
	if (before.number == hour.number)
		hour.start_us = before.start_us;
	if (after.number == hour.number)
		hour.end_us = after.end_us;
	return hour;
}

/* Days since 1970 of the first day of a month (months since January 1970). */
static int64_t
days_of_month(int64_t month)
{
	int64_t year = weir_floor_div(month, 12);
	return weir_days_of_date(1970 + year, (int32_t)(month - year * 12) + 1, 1);
}

/* Start of the cycle that starts in month (months since January 1970). */
static int64_t
cycle_start_us(const struct weir_zone *zone, uint32_t start_day, int64_t month)
{
	return day_start_us(zone, days_of_month(month) + start_day - 1);
}

static int32_t
months_ahead(uint32_t start_day, bool named_after_end)
{
	return named_after_end && start_day > 1 ? 1 : 0;
}

struct weir_window
weir_zone_cycle(const struct weir_zone *zone, uint32_t start_day, bool named_after_end, int64_t at_us)
{
	WEIR_CHECK(start_day >= 1 && start_day <= 28);
	at_us = clamp_us(at_us);
	int64_t year;
	int32_t month_of_year, day;
	weir_date_of_days(local_day(zone, at_us), &year, &month_of_year, &day);
	int64_t month = (year - 1970) * 12 + month_of_year - 1 - (day < (int32_t)start_day);
	while (cycle_start_us(zone, start_day, month) > at_us)
		month--;
	while (cycle_start_us(zone, start_day, month + 1) <= at_us)
		month++;
	return weir_zone_cycle_by_number(
	    zone, start_day, named_after_end, (int32_t)month + months_ahead(start_day, named_after_end));
}

struct weir_window
weir_zone_cycle_by_number(const struct weir_zone *zone, uint32_t start_day, bool named_after_end, int32_t number)
{
	WEIR_CHECK(start_day >= 1 && start_day <= 28);
	int64_t month = (int64_t)number - months_ahead(start_day, named_after_end);
	month = month < MONTH_MIN ? MONTH_MIN : month > MONTH_MAX ? MONTH_MAX : month;
	return (struct weir_window){
	    cycle_start_us(zone, start_day, month), cycle_start_us(zone, start_day, month + 1), number};
}

int64_t
weir_zone_add_months(const struct weir_zone *zone, int64_t at_us, uint32_t months)
{
	if (months == 0)
		return at_us;
	at_us = clamp_us(at_us);
	int64_t at_s = weir_floor_div(at_us, US), local_s = at_s + weir_zone_offset(zone, at_us);
	int64_t day = weir_floor_div(local_s, DAY_S), year;
	int32_t month_of_year, day_of_month;
	weir_date_of_days(day, &year, &month_of_year, &day_of_month);
	int64_t month = (year - 1970) * 12 + month_of_year - 1 + months;
	month = month > MONTH_MAX ? MONTH_MAX : month;
	int64_t first = days_of_month(month), after = days_of_month(month + 1);
	int64_t target = first + day_of_month <= after ? first + day_of_month - 1 : after - 1;
	return first_instant_us(zone, target * DAY_S + local_s - day * DAY_S) + at_us - at_s * US;
}

int64_t
weir_zone_month_start_after(const struct weir_zone *zone, int64_t at_us)
{
	struct weir_window month = weir_zone_cycle(zone, 1, false, at_us);
	return month.start_us == at_us ? at_us : month.end_us;
}

int32_t
weir_zone_month(const struct weir_zone *zone, int64_t at_us)
{
	return weir_zone_cycle(zone, 1, false, at_us).number;
}

void
weir_cycle_format(int32_t number, char *out)
{
	int64_t year = weir_floor_div(number, 12);
	int month = (int)(number - year * 12 + 1) % 100;
	(void)snprintf(out, 16, "%04d-%02d", (int)(1970 + year) % 1000000, month);
}
