/*
 * Showing what a Redis Function answers (weir_card, weir_pool): field and value in turn, as a table or as one JSON object.
 * The fields are the function's: this gives them shape, not meaning. Main thread.
 */
#ifndef WEIR_PIPELINE_SHOW_H
#define WEIR_PIPELINE_SHOW_H

#include <stdbool.h>

#include "config/settings/settings.h"

struct weir_show {
	const char *command;      /* weir's, for mistakes */
	const char *function;     /* Redis' */
	const char *what;         /* "card": there is none of that name */
	const char *const *texts; /* fields that are text though they may look like numbers; ended by NULL */
	const char *const *lists; /* fields with commas between their words */
	const char *const *pairs; /* fields of name:number pairs */
};

/* Asks Redis for `name` and prints the answer; returns an enum weir_exit. */
int weir_show(const struct weir_show *show, const struct weir_settings *settings, const char *name, bool json);

#endif
