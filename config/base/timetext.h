/*
 * Time as text: ISO 8601 <-> microseconds since 1970, UTC. Exact, no locale, no time zone data, no floating point.
 *
 * Accepted: YYYY-MM-DD, 'T' or one space, HH:MM:SS, optionally '.' and 1-9 digits (cut to microseconds), then 'Z', +HH:MM,
 * -HH:MM, +HHMM or -HHMM. Instants from 1970-01-01T00:00:00Z to the end of 2261. Impossible dates and second 60 are
 * rejected: no producer of ours can mean one, and a leap second has no place in counted microseconds. strptime was
 * rejected: it takes impossible dates, follows the locale and is some 40 times slower.
 */
#ifndef WEIR_BASE_TIMETEXT_H
#define WEIR_BASE_TIMETEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEIR_TIME_LIMIT_US INT64_C(9214646400000000) /* 2262-01-01T00:00:00Z: accepted instants are below */
#define WEIR_TIME_TEXT_MAX 25                        /* 24 characters and a terminator */

/* Text of exactly len bytes -> microseconds UTC; false when it is not such a time. Reads no byte beyond. Any thread. */
bool weir_time_parse(const uint8_t *text, size_t len, int64_t *us_out);

/*
 * Writes 2026-03-30T05:08:16.894Z (milliseconds, cut), terminated; returns the length. Instants outside the accepted range
 * are moved to its border. Any thread.
 */
size_t weir_time_format_ms(int64_t us, char out[WEIR_TIME_TEXT_MAX]);

#endif
