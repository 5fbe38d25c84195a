/* Inside of reference data: the members of each message type, and what the file readers share. */
#ifndef WEIR_CONFIG_REFERENCE_PRIV_H
#define WEIR_CONFIG_REFERENCE_PRIV_H

#include <jansson.h>

#include "config/base/mistakes.h"
#include "config/base/slice.h"
#include "config/reference/reference.h"

enum weir_member_kind {
	WEIR_MEMBER_TEXT,
	WEIR_MEMBER_INT,
	WEIR_MEMBER_BOOL,
	WEIR_MEMBER_TEXTS,  /* lists and maps of texts */
	WEIR_MEMBER_LEVELS, /* a list of texts and integers */
};

struct weir_member {
	const char *name;
	enum weir_member_kind kind;
	const char *rule; /* of the domain, for texts about it; NULL = none */
};

/* The member that a message of this type may have, by name; NULL if none. */
const struct weir_member *weir_reference_member_find(enum weir_reference_type type, const char *name);
/* The nearest member's name, NULL if none is near. */
const char *weir_reference_member_nearest(enum weir_reference_type type, const char *name);
const char *weir_reference_type_name(enum weir_reference_type type);

/* The same as weir_reference_parse from a parsed object. */
enum weir_class weir_reference_from_json(const json_t *root, struct weir_reference *reference_out, struct weir_error *err);
/* A file's text as the JSON value of a member: quoted = string, else null, number or truth value as the member asks; of a
 * member of several texts: as one of them. NULL when it is not UTF-8. */
json_t *weir_reference_scalar(const struct weir_member *member, const char *text, bool quoted);

/* What a file has said so far, for checks across its rows. */
struct weir_reference_index;

/* One reading of a file: first to check it (emit == NULL), then to emit. */
struct weir_reference_reader {
	struct weir_mistakes mistakes;
	struct weir_reference_index *index; /* while checking */
	weir_reference_emit_fn emit;
	void *ctx;
	struct weir_buf message;
	uint64_t count;
	bool stopped; /* emit said no */
};

/*
 * One row: object has no `type`. Checks it and, in the second reading, emits it. card_count > 1 repeats a card with its
 * ICCID's trailing digits counted up. False when the reading should end.
 */
bool weir_reference_row(struct weir_reference_reader *reader, uint32_t line, enum weir_reference_type type, json_t *object,
    uint64_t card_count);

struct weir_reference_index *weir_reference_index_new(void);
void weir_reference_index_free(struct weir_reference_index *index);
/* Adds a checked row; a mistake when it contradicts the rows before it. */
void weir_reference_index_add(struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line,
    const struct weir_reference *reference);
/* After the last row: what only the whole file tells (POOL-8). */
void weir_reference_index_finish(struct weir_reference_index *index, struct weir_mistakes *mistakes);

/* Counts the trailing digits of an ICCID up by step; false when they overflow. */
bool weir_iccid_text_add(const char *text, uint64_t step, char out[WEIR_ICCID_TEXT_MAX]);

#endif
