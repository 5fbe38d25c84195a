/*
 * A feed's mapping: how a producer's JSON becomes records, as data in settings (`feeds:`), not code.
 *
 * Compiled once at start, read-only afterwards; the decoder (consumers/decode) executes it. Paths are dotted member names
 * (`data.network.mcc`), relative to the record element. The shipped samples hold KORE/Twilio connection events and emnify's
 * Data Streamer.
 *
 *   feeds:
 *     emnify:
 *       filter:                      # all must hold, else the element is left out (counted as filtered, not rejected)
 *         - {path: traffic_type.id, equals: [5]}     # or prefix: [...]
 *       iccid: sim.iccid             # without it the message key names the card
 *       id: id
 *       up: {path: volume.tx, unit: MB}
 *       down: {path: volume.rx, unit: MB}
 *       end: end_timestamp           # or {path: ..., format: ...}
 *       start: start_timestamp
 *       imei: endpoint.imei
 *
 * Units: B (default), kB, MB (1000, 1000^2), KiB, MiB; decimals convert exactly, rounded half up to a byte. Time formats:
 * iso (default), unix_s, unix_ms, unix_us, iso_or_ms. Also: session, seq, up_total, down_total, apn, rat, plmn; event:
 * {path: ..., start: [...], update: [...], stop: [...]}; `volume: total` says that up and down are session totals.
 */
#ifndef WEIR_CONFIG_MAPPING_H
#define WEIR_CONFIG_MAPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/mistakes.h"
#include "config/base/slice.h"

struct weir_yaml;

enum weir_field { /* what a path may feed */
	WEIR_FIELD_ICCID = 0,
	WEIR_FIELD_ID,
	WEIR_FIELD_SESSION,
	WEIR_FIELD_SEQ,
	WEIR_FIELD_UP,
	WEIR_FIELD_DOWN,
	WEIR_FIELD_UP_TOTAL,
	WEIR_FIELD_DOWN_TOTAL,
	WEIR_FIELD_END,
	WEIR_FIELD_START,
	WEIR_FIELD_EVENT,
	WEIR_FIELD_IMEI,
	WEIR_FIELD_APN,
	WEIR_FIELD_RAT,
	WEIR_FIELD_PLMN,
	WEIR_FIELD_COUNT
};

enum weir_time_format { WEIR_TIME_ISO = 0, WEIR_TIME_UNIX_S, WEIR_TIME_UNIX_MS, WEIR_TIME_UNIX_US, WEIR_TIME_ISO_OR_MS };

struct weir_field_map {
	char *path;          /* NULL = the feed has no such field */
	uint64_t unit_bytes; /* volumes: bytes per unit (1, 1000, 1000000, 1024, 1048576) */
	enum weir_time_format time_format;
	bool decimal; /* volumes: fractions allowed (units above a byte) */
};

#define WEIR_FILTER_VALUES_MAX 8
struct weir_filter {
	char *path;
	char *values[WEIR_FILTER_VALUES_MAX]; /* scalar's text: string without quotes, or number as written */
	uint32_t value_count;
	bool prefix; /* value is a prefix to match, not the whole */
};

#define WEIR_FILTERS_MAX 8
struct weir_mapping {
	char *name;
	struct weir_field_map fields[WEIR_FIELD_COUNT];
	struct weir_filter filters[WEIR_FILTERS_MAX];
	uint32_t filter_count;
	char *event_values[3][WEIR_FILTER_VALUES_MAX]; /* texts that mean start, update, stop */
	uint32_t event_value_count[3];
};

/* The canonical format as a mapping (docs/formats.md); static, never freed. */
const struct weir_mapping *weir_mapping_canonical(void);

/*
 * Compiles the node of one feed. Every mistake goes to `mistakes` with its line; NULL if there was one. The caller owns the
 * result.
 */
struct weir_mapping *weir_mapping_compile(const char *name, const struct weir_yaml *node, struct weir_mistakes *mistakes);
/* The same from a text that holds the feed's members alone: for tests and tools. */
enum weir_class weir_mapping_parse(
    const char *name, struct weir_slice yaml, struct weir_mapping **mapping_out, struct weir_error *err);
/* Writes the feed's members as YAML, one a line, indented; reads back as the same mapping. */
void weir_mapping_print(const struct weir_mapping *mapping, unsigned indent, FILE *out);

void weir_mapping_free(struct weir_mapping *mapping);

#endif
