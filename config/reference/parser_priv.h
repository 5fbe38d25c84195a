/*
 * Inside of reference data: reading the members of one JSON message, and one parser for each type of message.
 *
 * The first mistake fails the parser; what is read afterwards changes nothing and overwrites no text, so that the parsers
 * of messages read straight down without looking. A text names the member, and the rule that the member stands for (the
 * table of reference_words.c knows it).
 */
#ifndef WEIR_CONFIG_REFERENCE_PARSER_PRIV_H
#define WEIR_CONFIG_REFERENCE_PARSER_PRIV_H

#include "config/reference/reference_priv.h"

#define WEIR_BYTES_MAX INT64_MAX /* JSON's integers here are signed */

struct weir_ref_parser {
	const json_t *root;
	enum weir_reference_type type;
	struct weir_error *err;
	bool failed;
};

enum weir_got { WEIR_GOT_ABSENT, WEIR_GOT_NULL, WEIR_GOT_VALUE };

/* What a member must be. */
enum weir_need {
	WEIR_NEED = 0,
	WEIR_OPTIONAL = 1,
	WEIR_NULLABLE = 2,
	WEIR_MAY_BE_NULL = 3 /* both */
};

/* Fails with "type: member: words (rule)"; rule NULL = the member's own, "" = none. */
void weir_ref_fail(struct weir_ref_parser *parser, const char *member, const char *rule, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Each says what it got and leaves *out alone unless it was a right value; texts are set to "" first. */
enum weir_got weir_ref_member(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, const json_t **value_out);
enum weir_got weir_ref_integer(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, int64_t min, int64_t max, uint64_t *out);
/* The same into 32 bits. */
enum weir_got weir_ref_u32(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, uint32_t min, uint32_t max, uint32_t *out);
/* All of 64 bits: an integer, or above 2^63 - 1 its digits as a text. */
enum weir_got weir_ref_u64(struct weir_ref_parser *parser, const char *name, enum weir_need need, uint64_t *out);
enum weir_got weir_ref_bool(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, bool when_null, bool *out);
/* Borrowed from the message. */
enum weir_got weir_ref_text(struct weir_ref_parser *parser, const char *name, enum weir_need need, const char **out);
enum weir_got weir_ref_id(struct weir_ref_parser *parser, const char *name, enum weir_need need, char out[WEIR_ID_MAX]);
/* One word of a list. */
enum weir_got weir_ref_word(struct weir_ref_parser *parser, const char *name, enum weir_need need, const char *const *words,
    uint32_t count, uint32_t *out);
enum weir_got weir_ref_iccid(struct weir_ref_parser *parser, const char *name, enum weir_need need, struct weir_iccid *out);
/* ISO 8601 text within the years that 32-bit seconds hold, 1970 to 2105; with_ms: or whole milliseconds since 1970. */
enum weir_got weir_ref_time(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, bool with_ms, int64_t *us_out);
/* A list of at most count_max texts of 1 to len_max bytes, printable; what they mean is the reader's. */
enum weir_got weir_ref_texts(
    struct weir_ref_parser *parser, const char *name, enum weir_need need, uint32_t count_max, uint32_t len_max);

/* Printable UTF-8 of 1 to len_max bytes (jansson has checked that it is UTF-8). */
bool weir_ref_text_is_printable(const char *text, size_t len_max);
/* Words of enums, in their order. */
extern const char *const weir_status_words[WEIR_STATUS_CANCELLED + 1];
extern const char *const weir_kind_words[WEIR_PLAN_METERED + 1];
extern const char *const weir_action_words[WEIR_ACTION_ENABLE + 1];
/* The reason of a name, WEIR_REASON_NONE if there is none. */
unsigned weir_reason_find(const char *name);

void weir_ref_parse_carrier(struct weir_ref_parser *parser, struct weir_ref_carrier *carrier);
void weir_ref_parse_plan(struct weir_ref_parser *parser, struct weir_ref_plan *plan);
void weir_ref_parse_alerts(struct weir_ref_parser *parser, struct weir_ref_alerts *alerts);
void weir_ref_parse_card(struct weir_ref_parser *parser, struct weir_ref_card *card);
void weir_ref_parse_request(struct weir_ref_parser *parser, struct weir_ref_request *request);
void weir_ref_parse_guard(struct weir_ref_parser *parser);
void weir_ref_parse_pool(struct weir_ref_parser *parser, struct weir_ref_pool *pool);
void weir_ref_parse_pool_state(struct weir_ref_parser *parser, struct weir_ref_pool_state *state);
/* The same of a word spelt as it is printed; false when it is not, with anything in *state (zeroed by the caller). */
bool weir_ref_scan_pool_state(struct weir_slice json, struct weir_ref_pool_state *state);
void weir_ref_parse_child(struct weir_ref_parser *parser, struct weir_ref_child *child);

#endif
