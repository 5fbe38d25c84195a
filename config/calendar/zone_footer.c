/*
 * The POSIX TZ rule in a TZif file's footer: it says when offsets change in the years after the table. Files of "slim"
 * form hold few changes and leave all years after 2007 or so to it. Times of a rule may be negative or above 24 h (RFC
 * 8536).
 */
#include <ctype.h>
#include <stdlib.h>

#include "config/calendar/zone_priv.h"

int64_t
weir_days_of_date(int64_t year, int32_t month, int32_t day)
{
	year -= month <= 2;
	int64_t era = weir_floor_div(year, 400);
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

void
weir_date_of_days(int64_t days, int64_t *year_out, int32_t *month_out, int32_t *day_out)
{
	days += 719468;
	int64_t era = weir_floor_div(days, 146097);
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*day_out = (int32_t)(doy - (153 * mp + 2) / 5 + 1);
	*month_out = (int32_t)(mp < 10 ? mp + 3 : mp - 9);
	*year_out = yoe + era * 400 + (*month_out <= 2);
}

static bool
year_is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970 of a rule's day in a year. */
static int64_t
rule_days(const struct weir_zone_day_rule *rule, int64_t year)
{
	int64_t jan1 = weir_days_of_date(year, 1, 1);
	if (rule->kind == WEIR_RULE_DAY)
		return jan1 + rule->day;
	if (rule->kind == WEIR_RULE_JULIAN)
		return jan1 + rule->day - 1 + (year_is_leap(year) && rule->day >= 60);
	int64_t first = weir_days_of_date(year, rule->month, 1);
	int64_t next = rule->month == 12 ? weir_days_of_date(year + 1, 1, 1) : weir_days_of_date(year, rule->month + 1, 1);
	int64_t weekday = (first + 4) - weir_floor_div(first + 4, 7) * 7; /* 1 January 1970 was a Thursday */
	int64_t days = first + (rule->day - weekday + 7) % 7 + (int64_t)(rule->week - 1) * 7;
	return days >= next ? days - 7 : days;
}

static int64_t
rule_instant(const struct weir_zone_day_rule *rule, int64_t year, int32_t offset_before_s)
{
	return rule_days(rule, year) * 86400 + rule->time_s - offset_before_s;
}

uint32_t
weir_zone_footer_changes(const struct weir_zone_footer *footer, int64_t at_s, struct weir_zone_change changes_out[6])
{
	if (!footer->has_dst)
		return 0;
	int64_t year;
	int32_t month, day;
	weir_date_of_days(weir_floor_div(at_s, 86400), &year, &month, &day);
	uint32_t count = 0;
	for (int64_t y = year - 1; y <= year + 1; y++) {
		changes_out[count++] = (struct weir_zone_change){
		    rule_instant(&footer->dst_start, y, footer->std_offset_s), footer->dst_offset_s};
		changes_out[count++] = (struct weir_zone_change){
		    rule_instant(&footer->dst_end, y, footer->dst_offset_s), footer->std_offset_s};
	}
	for (uint32_t i = 1; i < count;
	     i++) { /* stable: of two at one instant (summer time all year) the later rule wins */
		struct weir_zone_change change = changes_out[i];
		uint32_t j = i;
		for (; j > 0 && changes_out[j - 1].at_s > change.at_s; j--)
			changes_out[j] = changes_out[j - 1];
		changes_out[j] = change;
	}
	return count;
}

/* A number of at most 3 digits within a range. */
static bool
parse_number(const char **at, int32_t min, int32_t max, int32_t *number_out)
{
	int32_t number = 0, digits = 0;
	for (; isdigit((unsigned char)**at) && digits < 4; (*at)++, digits++)
		number = number * 10 + (**at - '0');
	*number_out = number;
	return digits > 0 && digits < 4 && number >= min && number <= max;
}

static bool
parse_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool
parse_time(const char **at, int32_t hours_max, int32_t *seconds_out)
{
	int32_t sign = 1, hours, minutes = 0, seconds = 0;
	if (parse_char(at, '-'))
		sign = -1;
	else
		(void)parse_char(at, '+');
	if (!parse_number(at, 0, hours_max, &hours))
		return false;
	if (parse_char(at, ':') && !parse_number(at, 0, 59, &minutes))
		return false;
	if (parse_char(at, ':') && !parse_number(at, 0, 59, &seconds))
		return false;
	*seconds_out = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

/* An abbreviation, bare letters or <…>; only skipped. */
static bool
parse_name(const char **at)
{
	const char *begin = *at;
	if (parse_char(at, '<')) {
		while (isalnum((unsigned char)**at) || **at == '+' || **at == '-')
			(*at)++;
		return *at - begin >= 2 && parse_char(at, '>');
	}
	while (isalpha((unsigned char)**at))
		(*at)++;
	return *at - begin >= 3;
}

static bool
parse_rule(const char **at, struct weir_zone_day_rule *rule)
{
	if (!parse_char(at, ','))
		return false;
	bool ok;
	if (parse_char(at, 'M')) {
		rule->kind = WEIR_RULE_MONTH;
		ok = parse_number(at, 1, 12, &rule->month) && parse_char(at, '.') && parse_number(at, 1, 5, &rule->week) &&
		     parse_char(at, '.') && parse_number(at, 0, 6, &rule->day);
	} else if (parse_char(at, 'J')) {
		rule->kind = WEIR_RULE_JULIAN;
		ok = parse_number(at, 1, 365, &rule->day);
	} else {
		rule->kind = WEIR_RULE_DAY;
		ok = parse_number(at, 0, 365, &rule->day);
	}
	rule->time_s = 2 * 3600;
	return ok && (!parse_char(at, '/') || parse_time(at, 167, &rule->time_s));
}

bool
weir_zone_footer_parse(const char *text, struct weir_zone_footer *footer_out)
{
	struct weir_zone_footer footer = {.present = true};
	const char *at = text;
	if (!parse_name(&at) || !parse_time(&at, 24, &footer.std_offset_s))
		return false;
	footer.std_offset_s = -footer.std_offset_s; /* POSIX counts west of UTC */
	if (*at != '\0') {
		footer.has_dst = true;
		footer.dst_offset_s = footer.std_offset_s + 3600;
		if (!parse_name(&at))
			return false;
		if (*at != ',') {
			if (!parse_time(&at, 24, &footer.dst_offset_s))
				return false;
			footer.dst_offset_s = -footer.dst_offset_s;
		}
		if (!parse_rule(&at, &footer.dst_start) || !parse_rule(&at, &footer.dst_end))
			return false;
	}
	*footer_out = footer;
	return *at == '\0';
}
