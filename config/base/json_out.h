/*
 * JSON as it is written: strings, and a small writer of objects and arrays.
 *
 * Text is UTF-8 and stays as it is, so that a carrier's Chinese words reach audit and console whole. Quotes, backslashes
 * and control characters are escaped; bytes that are no UTF-8 become U+FFFD. So whatever a text holds, the result is JSON
 * that every reader accepts. Reading is elsewhere (jansson, consumers/decode).
 */
#ifndef WEIR_BASE_JSON_OUT_H
#define WEIR_BASE_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/base/slice.h"

#define WEIR_JSON_ESCAPE_MAX 6

/*
 * The character at `at` as it stands between quotes: writes 1 to 6 bytes to out, returns how many, and sets *taken to the
 * bytes of text that it is of. at < end; reads nothing beyond.
 */
size_t weir_json_escape(const uint8_t *at, const uint8_t *end, char out[WEIR_JSON_ESCAPE_MAX], size_t *taken);

/* The text as it stands between quotes, terminated; what does not fit is cut off between two characters. size >= 1. */
void weir_json_escape_text(const char *text, char *out, size_t size);

/* Appends the text with its quotes. */
void weir_json_string(struct weir_buf *out, struct weir_slice text);

/* The writer puts commas by itself. Zero-initialise but for `out`, which is borrowed. name NULL inside an array. */
struct weir_json {
	struct weir_buf *out;
	bool comma; /* something stands before */
};
void weir_json_open(struct weir_json *json, const char *name, char bracket); /* '{' or '[' */
void weir_json_close(struct weir_json *json, char bracket);                  /* '}' or ']' */
void weir_json_text(struct weir_json *json, const char *name, const char *text);
void weir_json_text_or_null(struct weir_json *json, const char *name, const char *text); /* "" is null */
void weir_json_u64(struct weir_json *json, const char *name, uint64_t number);
void weir_json_i64(struct weir_json *json, const char *name, int64_t number);
void weir_json_bool(struct weir_json *json, const char *name, bool value);
void weir_json_null(struct weir_json *json, const char *name);
/* Microseconds since 1970 as ISO 8601 with milliseconds; 0, less, and what no time is are null. */
void weir_json_time(struct weir_json *json, const char *name, int64_t us);

#endif
