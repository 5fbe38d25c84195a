/*
 * A scalar JSON value as both ways of decoding deliver it, and the set of those that one element gave.
 *
 * Both ways fill the same struct weir_values and then call the same weir_fields_apply, so they can differ only in what
 * they read, never in what they make of it. Internal to consumers/decode.
 */
#ifndef WEIR_CONSUMERS_SCALAR_H
#define WEIR_CONSUMERS_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

enum weir_kind {
	WEIR_KIND_STRING = 1, /* data, len: contents, escapes resolved */
	WEIR_KIND_UINT,       /* digits only, at most 2^64-1: number, and data, len as written */
	WEIR_KIND_NUMBER,     /* any other number: data, len as written */
	WEIR_KIND_TRUE,
	WEIR_KIND_FALSE,
	WEIR_KIND_NULL,
	WEIR_KIND_CONTAINER, /* an object or array where a scalar was looked for */
};

struct weir_scalar {
	const uint8_t *data;
	uint64_t number;
	uint32_t len;
	enum weir_kind kind;
};

#define WEIR_LEAVES_MAX 32
#define WEIR_LEAF_SKIP 31 /* a slot that nobody asks for: values go there and are never read */

/* Valid while the message and the decoder's scratch are: one element's time. */
struct weir_values {
	uint32_t present; /* bit per leaf */
	struct weir_scalar leaf[WEIR_LEAVES_MAX];
};

#endif
