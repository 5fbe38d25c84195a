/*
 * What all subcommands of `weir bench` share: their common options, seeded randomness, clocks, folders.
 *
 * A subcommand is a function of a row in main.c and a row of words.c. It parses its options with bench_accept, makes a
 * struct report (report.h), fills it, and ends with report_finish, whose return value is its exit code. Main thread only,
 * unless told otherwise. docs/benchmark.md is the design.
 */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "config/base/exit.h"
#include "config/base/options.h"
#include "config/base/random.h"

struct bench_common {
	uint64_t seed;
	bool json, quick;
	const char *html;     /* file to write, NULL = none */
	const char *workload; /* a name or a file (workload.h); NULL = the subcommand's default */
};

/* Rows for an option table; `common` is a struct bench_common variable, its seed set to the default before. */
#define BENCH_OPTIONS_COMMON(common)                                                                                       \
	{.name = "seed", .placeholder = "N", .help = "of all randomness, default 1", .number = &(common).seed},            \
	    {.name = "quick",                                                                                              \
		.help = "a small run that shows that it works; its figures mean little",                                   \
		.flag = &(common).quick},                                                                                  \
	    {.name = "json", .help = "no text; the last line is a JSON object", .flag = &(common).json},                   \
	{                                                                                                                  \
		.name = "html", .placeholder = "FILE", .help = "write a page with charts", .text = &(common).html          \
	}
/* For those that run a workload. */
#define BENCH_OPTION_WORKLOAD(common)                                                                                      \
	{                                                                                                                  \
		.name = "workload", .placeholder = "NAME|FILE", .help = "what the fleet sends, default steady",            \
		.text = &(common).workload                                                                                 \
	}

/* What help says of the subcommands; the table is ended by a row without a name. Static. */
struct bench_words {
	const char *name, *arguments, *help;
};
const struct bench_words *bench_words(void);
void bench_help(FILE *out);

/* The subcommands; argv[0] is their name; they return an enum weir_exit. */
int bench_micro(int argc, char **argv);
int bench_core(int argc, char **argv);
int bench_fleet(int argc, char **argv);
int bench_workload(int argc, char **argv);
int bench_report(int argc, char **argv);

/* Parses argv; false: *code_out is the exit code. `what` is the subcommand's name; the usage line has the words' arguments.
 */
bool bench_accept(const char *what, const char *text, const struct weir_option *options, int argc, char **argv,
    uint32_t words_min, uint32_t words_max, struct weir_words *words_out, int *code_out);

/* Says "weir bench <what>: <err>" on stderr and returns `code`. */
int bench_fail(const char *what, enum weir_exit code, const struct weir_error *err);

/* User and system time of this process. Any thread. */
double bench_cpu_seconds(void);
/* Resident memory of this process in bytes, now. */
uint64_t bench_resident_bytes(void);

/* A hash of results, to be chained: begin with 0. */
uint64_t bench_hash(uint64_t hash, const void *data, size_t len);
static inline uint64_t
bench_hash_u64(uint64_t hash, uint64_t value)
{
	return bench_hash(hash, &value, sizeof(value));
}

#endif
