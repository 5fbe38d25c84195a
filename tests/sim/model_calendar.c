/*
 * The model's calendar: the Gregorian rules and three zones written out. Shanghai has been eight hours ahead since 1991;
 * Berlin changes at 01:00 UTC on the last Sundays of March and October.
 */
#include "tests/sim/model.h"

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_of(int year, int month)
{
	static const int DAYS[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return month == 2 && is_leap(year) ? 29 : DAYS[month - 1];
}

int64_t
model_civil(int year, int month, int day, int second)
{
	int64_t days = day - 1;
	for (int y = 1970; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (int m = 1; m < month; m++)
		days += days_of(year, m);
	return days * 86400 + second;
}

void
model_date(int64_t civil_s, int *year, int *month, int *day, int *second)
{
	int64_t days = civil_s / 86400;
	*second = (int)(civil_s % 86400);
	*year = 1970;
	while (days >= (is_leap(*year) ? 366 : 365))
		days -= is_leap((*year)++) ? 366 : 365;
	*month = 1;
	while (days >= days_of(*year, *month))
		days -= days_of(*year, (*month)++);
	*day = (int)days + 1;
}

/* 01:00 UTC of the month's last Sunday; 1 January 1970 was a Thursday. */
static int64_t
last_sunday(int year, int month)
{
	int64_t last = model_civil(year, month, days_of(year, month), 0) / 86400;
	return (last - (last + 4) % 7) * 86400 + 3600;
}

int64_t
model_offset_s(enum model_zone zone, int64_t at_us)
{
	if (zone == MODEL_SHANGHAI)
		return 8 * 3600;
	if (zone == MODEL_UTC)
		return 0;
	int year, month, day, second;
	int64_t at_s = at_us / 1000000;
	model_date(at_s, &year, &month, &day, &second);
	return at_s >= last_sunday(year, 3) && at_s < last_sunday(year, 10) ? 7200 : 3600;
}

int64_t
model_instant(enum model_zone zone, int64_t civil_s)
{
	/* Of two instants that show the same the earlier has the greater offset. */
	for (int64_t offset = 8 * 3600; offset >= 0; offset -= 3600) {
		int64_t at_us = (civil_s - offset) * 1000000;
		if (model_offset_s(zone, at_us) == offset)
			return at_us;
	}
	/* The wall clock skips it: as if it had not been put forward yet. */
	return (civil_s - 3600) * 1000000;
}

static void
local_date(enum model_zone zone, int64_t at_us, int *year, int *month, int *day, int *second)
{
	model_date(at_us / 1000000 + model_offset_s(zone, at_us), year, month, day, second);
}

int
model_day(enum model_zone zone, int64_t at_us)
{
	return (int)((at_us / 1000000 + model_offset_s(zone, at_us)) / 86400);
}

int
model_cycle(const struct model_carrier *carrier, int64_t at_us)
{
	int year, month, day, second;
	local_date(carrier->zone, at_us, &year, &month, &day, &second);
	int number = (year - 1970) * 12 + month - 1; /* of the month in which the instant lies */
	if (day < carrier->day)
		number--; /* the cycle began in the month before */
	if (carrier->named_after_end && carrier->day > 1)
		number++;
	return number;
}

int64_t
model_cycle_start(const struct model_carrier *carrier, int cycle)
{
	if (carrier->named_after_end && carrier->day > 1)
		cycle--;
	return model_instant(carrier->zone, model_civil(1970 + cycle / 12, cycle % 12 + 1, carrier->day, 0));
}

int64_t
model_months_later(enum model_zone zone, int64_t at_us, int months)
{
	int year, month, day, second;
	local_date(zone, at_us, &year, &month, &day, &second);
	int number = year * 12 + month - 1 + months;
	year = number / 12;
	month = number % 12 + 1;
	if (day > days_of(year, month))
		day = days_of(year, month);
	return model_instant(zone, model_civil(year, month, day, second)) + at_us % 1000000;
}

int64_t
model_next_month(enum model_zone zone, int64_t at_us)
{
	int number = model_month(zone, at_us) + 1;
	return model_instant(zone, model_civil(1970 + number / 12, number % 12 + 1, 1, 0));
}

int
model_month(enum model_zone zone, int64_t at_us)
{
	int year, month, day, second;
	local_date(zone, at_us, &year, &month, &day, &second);
	return (year - 1970) * 12 + month - 1;
}
