/*
 * What Redis answers: one reply, or a tree of them. This room parses RESP with hiredis; the other rooms know only this
 * type. A reply is owned by whoever holds it and freed as a whole; any thread, one at a time.
 *
 * Replies are input from outside. A caller checks `type` before it reads a member, and never asserts on one.
 */
#ifndef WEIR_PIPELINE_REDIS_REPLY_H
#define WEIR_PIPELINE_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/base/slice.h"

enum weir_reply_type {
	WEIR_REPLY_STRING = 1,
	WEIR_REPLY_ARRAY,
	WEIR_REPLY_INTEGER,
	WEIR_REPLY_NIL,
	WEIR_REPLY_STATUS, /* +OK */
	WEIR_REPLY_ERROR,  /* -ERR … */
	WEIR_REPLY_OTHER,  /* of a protocol that weir never asks for */
};

struct weir_reply {
	enum weir_reply_type type;
	int64_t integer;             /* INTEGER */
	const char *str;             /* STRING, STATUS, ERROR: terminated, `len` bytes; NULL for the others */
	size_t len;                  /* bytes of str */
	struct weir_reply **element; /* ARRAY: `elements` of them, none NULL but those the owner has taken */
	size_t elements;
};

/* NULL is fine. */
void weir_reply_free(struct weir_reply *reply);
/* STRING's bytes, valid as long as the reply; empty for any other type. */
struct weir_slice weir_reply_bytes(const struct weir_reply *reply);
/* Text of a STRING, STATUS or ERROR, "" for any other type. Never NULL. */
const char *weir_reply_text(const struct weir_reply *reply);

#endif
