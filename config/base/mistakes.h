/*
 * A list of mistakes found in a file of settings or reference data.
 *
 * Whoever reads such a file goes on after a mistake, so that a person sees all of them at once. The first one also fills
 * a struct weir_error, for callers that only stop. Belongs to the thread that reads.
 */
#ifndef WEIR_BASE_MISTAKES_H
#define WEIR_BASE_MISTAKES_H

#include <stdint.h>
#include <stdio.h>

#include "config/base/error.h"

struct weir_mistakes {
	const char *source;     /* file name, or the name of a variable */
	FILE *out;              /* one line per mistake; NULL = none */
	struct weir_error *err; /* the first mistake; NULL = not wanted */
	uint32_t count;
};

/* Adds "source:line: text"; line 0 leaves the number out. */
void weir_mistake_add(struct weir_mistakes *mistakes, uint32_t line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
