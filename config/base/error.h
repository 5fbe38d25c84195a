/*
 * Errors: a code's class and a text for people.
 *
 * Every fallible function returns an enum weir_class and, where a caller can use words, fills a struct weir_error.
 * The class says what to do, not what happened: RETRY (the same call may succeed later), FATAL (nobody should go on
 * with this object), POISON (this input is bad, its neighbours are not). Rejected: errno-like integers, which
 * every caller would have to classify anew.
 */
#ifndef WEIR_BASE_ERROR_H
#define WEIR_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

enum weir_class {
	WEIR_OK = 0, /* done */
	WEIR_RETRY,  /* not now; the same call may succeed later */
	WEIR_FATAL,  /* not with this object or configuration; stop it and say so */
	WEIR_POISON, /* this input is bad; skip it, keep it, go on */
};

struct weir_error {
	enum weir_class class;
	char text[512]; /* one line, no secret, always terminated */
};

/* Fills err (may be NULL) with a class and a formatted text; returns the class. Any thread. */
enum weir_class weir_error_set(struct weir_error *err, enum weir_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
