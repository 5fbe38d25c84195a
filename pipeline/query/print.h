/*
 * Answers of the reader as JSON: one set of member names for the HTTP API, `weir … --json` and the console (docs/cli.md).
 *
 * Amounts are integers of bytes in members that end in `_bytes`, times are ISO 8601 texts in UTC, what there is not is
 * null. Appends to a buffer; no allocation but the buffer's. Any thread.
 */
#ifndef WEIR_PIPELINE_READ_PRINT_H
#define WEIR_PIPELINE_READ_PRINT_H

#include "config/base/json_out.h"
#include "pipeline/query/query.h"

/* Values of weir's own kinds. */
void weir_json_limit(struct weir_json *json, const char *name, uint64_t bytes); /* WEIR_NO_LIMIT is null */
void weir_json_reasons(struct weir_json *json, const char *name, uint16_t reasons);
void weir_json_reason(struct weir_json *json, const char *name, uint8_t reason); /* WEIR_REASON_NONE is null */
void weir_json_cycle(struct weir_json *json, const char *name, int32_t cycle);   /* "2026-11" */
void weir_json_day(struct weir_json *json, const char *name, int32_t day);       /* local days since 1970: "2026-11-21" */

/* Whole objects. name NULL: at the top, or in an array. */
void weir_print_card(struct weir_json *json, const char *name, const struct weir_card_view *card);
void weir_print_pool(struct weir_json *json, const char *name, const struct weir_pool_view *pool);
void weir_print_usage_row(struct weir_json *json, enum weir_span span, const struct weir_usage_row *row);
void weir_print_fleet(struct weir_json *json, const char *name, const struct weir_fleet_view *fleet);

/* The commands of the card that is written `iccid`, and the history of the card or pool that `member` says: whole answers.
 */
void weir_print_commands(struct weir_json *json, const char *iccid, const struct weir_commands *commands);
void weir_print_history(struct weir_json *json, const char *member, const char *id, const struct weir_history *history);

/* A card as a member of lists: what a table shows, not the whole. */
void weir_print_card_row(struct weir_json *json, const struct weir_card_view *card);

#endif
