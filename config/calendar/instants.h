/*
 * Instants for people: "2026-11-21 09:16:04Z" in a table; a day, a time or "24h" ago on a command line.
 *
 * Instants are microseconds since 1970, UTC. Any thread.
 */
#ifndef WEIR_CALENDAR_INSTANTS_H
#define WEIR_CALENDAR_INSTANTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/calendar/calendar.h"

#define WEIR_INSTANT_TEXT_MAX 32

/* "2026-11-21 09:16:04Z", "-" for none, "never" for INT64_MAX. */
const char *weir_instant_text(int64_t us, char out[WEIR_INSTANT_TEXT_MAX]);
/* Local, with `with_time` to the minute: "2026-11-21 17:16" or "2026-11-21". */
const char *weir_local_text(const struct weir_zone *zone, int64_t us, bool with_time, char out[WEIR_INSTANT_TEXT_MAX]);
/*
 * An instant on a command line: ISO 8601, a local day (2026-11-21: its start, or with `end` the next one's), or so long ago
 * (90m, 24h, 7d). zone NULL = UTC. False with err otherwise.
 */
bool weir_instant_parse(
    const char *text, const struct weir_zone *zone, bool end, int64_t now_us, int64_t *us_out, struct weir_error *err);

#endif
