/*
 * Amounts and times for people: "1.46 GiB", "2026-11-21 09:16:04Z", "5MiB" on a command line.
 *
 * Units are powers of 1024 and say so. MB and GB are refused as input: carriers count 1,000,000 or 1,048,576 bytes by them.
 */
#ifndef WEIR_PIPELINE_CLI_AMOUNTS_H
#define WEIR_PIPELINE_CLI_AMOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/calendar/calendar.h"

#define WEIR_AMOUNT_TEXT_MAX 32

/* Three digits at least: "750 B", "1.46 GiB"; "none" for 2^64-1. Returns out. */
const char *weir_amount_text(uint64_t bytes, char out[WEIR_AMOUNT_TEXT_MAX]);
/* With a sign. */
const char *weir_amount_signed_text(int64_t bytes, char out[WEIR_AMOUNT_TEXT_MAX]);
/* "1,572,864,000". */
const char *weir_count_text(uint64_t number, char out[WEIR_AMOUNT_TEXT_MAX]);
/* "1572864000", "1500MiB", "1.5GiB". False with err otherwise. */
bool weir_amount_parse(const char *text, uint64_t *bytes_out, struct weir_error *err);

/* "2026-11-21 09:16:04Z", "-" for none, "never" for INT64_MAX. */
const char *weir_instant_text(int64_t us, char out[WEIR_AMOUNT_TEXT_MAX]);
/* Local, with `with_time` to the minute: "2026-11-21 17:16" or "2026-11-21". */
const char *weir_local_text(const struct weir_zone *zone, int64_t us, bool with_time, char out[WEIR_AMOUNT_TEXT_MAX]);
/*
 * An instant on a command line: ISO 8601, a local day (2026-11-21: its start, or with `end` the next one's), or so long ago
 * (90m, 24h, 7d). zone NULL = UTC. False with err otherwise.
 */
bool weir_instant_parse(
    const char *text, const struct weir_zone *zone, bool end, int64_t now_us, int64_t *us_out, struct weir_error *err);

#endif
