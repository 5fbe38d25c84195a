/*
 * Billing calendar: hours, days and cycles in a carrier's time zone (REC-5, CYC-1, CYC-2).
 *
 * Boundaries are instants: local 00:00 of the day (the first instant of that day where a daylight-saving change skips
 * midnight). They are found once per window and cached by the caller, never per record. Zones are read from the system's
 * TZif files, including the footer rule for years after the table, without touching the process's TZ (which is global, and
 * not thread-safe to change). Objects are immutable after opening; any thread may read them. Rejected: mktime with
 * setenv("TZ"), a global; ICU, 30 MB for this.
 */
#ifndef WEIR_CONFIG_CALENDAR_H
#define WEIR_CONFIG_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/slice.h"

struct weir_zone;

/* Opens an IANA zone by name ("Asia/Shanghai"). POISON with err for an unknown or hostile name ("../etc/passwd"). */
enum weir_class weir_zone_open(const char *name, struct weir_zone **zone_out, struct weir_error *err);
/* The same from a TZif file's bytes (versions 2 to 4; no leap-second tables). */
enum weir_class weir_zone_parse(struct weir_slice tzif, struct weir_zone **zone_out, struct weir_error *err);
void weir_zone_free(struct weir_zone *zone);

/* Seconds east of UTC at an instant. Instants outside the years 1 to 9999 are taken as the nearest inside. */
int32_t weir_zone_offset(const struct weir_zone *zone, int64_t at_us);
/* The first change of offset after an instant (microseconds), INT64_MAX if there is none. */
int64_t weir_zone_next_change(const struct weir_zone *zone, int64_t at_us);

struct weir_window {
	int64_t start_us; /* inclusive */
	int64_t end_us;   /* exclusive */
	int32_t number;   /* hour: hours since 1970 of its start in UTC; day: local days since 1970; cycle: month number */
};

/*
 * The local clock hour. A change by a part of an hour (Lord Howe: 30 minutes) cuts it; pieces whose starts fall in the same
 * UTC hour are one window, so that numbers never repeat.
 */
struct weir_window weir_zone_hour(const struct weir_zone *zone, int64_t at_us);
struct weir_window weir_zone_day(const struct weir_zone *zone, int64_t at_us);

/*
 * The billing cycle that holds at_us: starts at 00:00 on day start_day (1-28) of a month. Its number is (year - 1970) * 12
 * + month - 1 of the month that names it: the one it starts in, or, with named_after_end, the one it ends in (CYC-1: China
 * Unicom). With start_day 1 both are the same month: its last day is the last of that month.
 */
struct weir_window weir_zone_cycle(const struct weir_zone *zone, uint32_t start_day, bool named_after_end, int64_t at_us);
/* The window of a cycle number. */
struct weir_window weir_zone_cycle_by_number(
    const struct weir_zone *zone, uint32_t start_day, bool named_after_end, int32_t number);

/*
 * The same local day and time of day `months` later (a card's term, LIFE-2): the last day of the month where it has no such
 * day, the first instant after the gap where a change of offset skips that time, the first of two where it repeats it.
 * 0 months: at_us itself.
 */
int64_t weir_zone_add_months(const struct weir_zone *zone, int64_t at_us, uint32_t months);
/* The first start of a calendar month (local 00:00 of its first day) that is at or after at_us (LIFE-4). */
int64_t weir_zone_month_start_after(const struct weir_zone *zone, int64_t at_us);
/* The calendar month that holds at_us: months since January 1970. */
int32_t weir_zone_month(const struct weir_zone *zone, int64_t at_us);

/* "2026-11" of a cycle number; out of at least 16 bytes. */
void weir_cycle_format(int32_t number, char *out);

#endif
