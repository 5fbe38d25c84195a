/*
 * Options of a command as a table: name, placeholder, help, and the typed variable that takes the value.
 *
 * `--name value`, `--name=value`, flags, `--` and positional words in any order; `--help` in every command. Values keep
 * pointing into argv. Rejected: getopt_long, which cannot say what an unknown option was near to and knows no types.
 */
#ifndef WEIR_BASE_OPTIONS_H
#define WEIR_BASE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"

#define WEIR_WORDS_MAX 256

struct weir_words { /* values of a repeatable option, or the positional words */
	const char *v[WEIR_WORDS_MAX];
	uint32_t n;
};

/* Exactly one of the targets is set. */
struct weir_option {
	const char *name;        /* without the dashes */
	const char *placeholder; /* "FILE"; NULL for a flag */
	const char *help;
	bool *flag;
	const char **text;
	uint64_t *number;      /* digits only, with min and max */
	uint64_t *duration_ms; /* 20s, 500ms, 2m, 1h; bare digits are seconds */
	struct weir_words *words;
	uint64_t min, max; /* of number; max 0 = no bound */
};

struct weir_usage { /* what --help prints */
	const char *command;
	const char *arguments;
	const char *text; /* paragraphs, each line ended */
};

enum weir_parsed { WEIR_PARSED_OK, WEIR_PARSED_HELP, WEIR_PARSED_WRONG };

/*
 * Parses argv[1..]. `options` is ended by a row without a name. words_min and words_max bound the positional words.
 * WRONG fills err; HELP means that --help was asked for, nothing is printed here.
 */
enum weir_parsed weir_options_parse(const struct weir_option *options, int argc, char **argv, uint32_t words_min,
    uint32_t words_max, struct weir_words *words_out, struct weir_error *err);

/* Prints usage, text and the options to stdout. */
void weir_options_help(const struct weir_usage *usage, const struct weir_option *options);

/*
 * Parses, and answers --help and mistakes by itself: true when the command should go on, else *code_out is the exit
 * code.
 */
bool weir_options_accept(const struct weir_usage *usage, const struct weir_option *options, int argc, char **argv,
    uint32_t words_min, uint32_t words_max, struct weir_words *words_out, int *code_out);

/* "20s" -> 20000. False when it is no duration. */
bool weir_duration_parse(const char *text, uint64_t *ms_out);

#endif
