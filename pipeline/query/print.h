/*
 * Answers of the reader as JSON: one set of member names for the HTTP API, `weir … --json` and the console (docs/cli.md).
 *
 * Amounts are integers of bytes in members that end in `_bytes`, times are ISO 8601 texts in UTC, what there is not is
 * null. Appends to a buffer; no allocation but the buffer's. Any thread.
 */
#ifndef WEIR_PIPELINE_READ_PRINT_H
#define WEIR_PIPELINE_READ_PRINT_H

#include "config/base/slice.h"
#include "pipeline/query/query.h"

/*
 * A small JSON writer: commas by itself. name NULL inside an array. Texts are UTF-8; bytes that are none become U+FFFD.
 */
struct weir_json {
	struct weir_buf *out;
	bool comma;
};
void weir_json_open(struct weir_json *json, const char *name, char bracket); /* '{' or '[' */
void weir_json_close(struct weir_json *json, char bracket);                  /* '}' or ']' */
void weir_json_text(struct weir_json *json, const char *name, const char *text);
void weir_json_text_or_null(struct weir_json *json, const char *name, const char *text); /* "" is null */
void weir_json_u64(struct weir_json *json, const char *name, uint64_t number);
void weir_json_i64(struct weir_json *json, const char *name, int64_t number);
void weir_json_limit(struct weir_json *json, const char *name, uint64_t bytes); /* WEIR_NO_LIMIT is null */
void weir_json_bool(struct weir_json *json, const char *name, bool value);
void weir_json_null(struct weir_json *json, const char *name);
void weir_json_time(struct weir_json *json, const char *name, int64_t us); /* 0 and INT64_MAX are null */
void weir_json_reasons(struct weir_json *json, const char *name, uint16_t reasons);
void weir_json_reason(struct weir_json *json, const char *name, uint8_t reason); /* WEIR_REASON_NONE is null */
void weir_json_cycle(struct weir_json *json, const char *name, int32_t cycle);   /* "2026-11" */
void weir_json_day(struct weir_json *json, const char *name, int32_t day);       /* local days since 1970: "2026-11-21" */

/* Whole objects. name NULL: at the top, or in an array. */
void weir_print_card(struct weir_json *json, const char *name, const struct weir_card_view *card);
void weir_print_pool(struct weir_json *json, const char *name, const struct weir_pool_view *pool);
void weir_print_usage_row(struct weir_json *json, enum weir_span span, const struct weir_usage_row *row);
void weir_print_history_entry(struct weir_json *json, const struct weir_history_entry *entry);
void weir_print_command(struct weir_json *json, const struct weir_command_entry *command);
void weir_print_fleet(struct weir_json *json, const char *name, const struct weir_fleet_view *fleet);

/* A card as a member of lists: what a table shows, not the whole. */
void weir_print_card_row(struct weir_json *json, const struct weir_card_view *card);

#endif
