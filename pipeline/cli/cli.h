/*
 * The command line: one binary, subcommands as rows of a table, documented exit codes.
 *
 * Words that are no command, option or setting are answered with the nearest one that is. What a command was asked for goes
 * to stdout; what went wrong goes to stderr, as one line that begins with "weir <command>:". Main thread only.
 */
#ifndef WEIR_PIPELINE_CLI_H
#define WEIR_PIPELINE_CLI_H

#include <stdint.h>
#include <stdio.h>

#include "config/base/error.h"

/* Exit codes; `weir help` prints them. Scripts may rely on them. */
enum weir_exit {
	WEIR_EXIT_OK = 0,
	WEIR_EXIT_FAILED = 1,      /* the thing asked for failed, is not there, or does not match */
	WEIR_EXIT_USAGE = 2,       /* the command line itself is wrong */
	WEIR_EXIT_SETTINGS = 3,    /* settings or reference data are wrong */
	WEIR_EXIT_UNREACHABLE = 4, /* Kafka or Redis cannot be reached, or refuse */
	WEIR_EXIT_ENGINE = 5,      /* the engine started and then stopped by itself; it says why */
};

struct weir_command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's own name; returns an enum weir_exit */
	const char *arguments;
	const char *help;
};

/* Runs the command named by argv[1]; returns the exit code. */
int weir_cli_main(int argc, char **argv);

/* The table, ended by a row without a name. Static. */
const struct weir_command *weir_cli_commands(void);

/* Says "weir <command>: <err>" on stderr and returns `code`. */
int weir_cli_fail(const char *command, enum weir_exit code, const struct weir_error *err);

/* The subcommands of `weir bench`, ended by a row without a name; static. bench/main.c has their functions. */
struct weir_bench_words {
	const char *name, *arguments, *help;
};
const struct weir_bench_words *weir_cli_bench_words(void);
void weir_cli_bench_help(FILE *out);

/* The commands, a file each. */
int weir_cli_run(int argc, char **argv);
int weir_cli_serve(int argc, char **argv);
int weir_cli_demo(int argc, char **argv);
int weir_cli_load(int argc, char **argv);
int weir_cli_card(int argc, char **argv);
int weir_cli_pool(int argc, char **argv);
int weir_cli_usage(int argc, char **argv);
int weir_cli_commands_of(int argc, char **argv); /* weir commands */
int weir_cli_audit(int argc, char **argv);
int weir_cli_export(int argc, char **argv);
int weir_cli_request(int argc, char **argv);
int weir_cli_verify(int argc, char **argv);
int weir_cli_top(int argc, char **argv);
int weir_cli_check(int argc, char **argv);
int weir_cli_bench(int argc, char **argv);
int weir_cli_carrier_sim(int argc, char **argv);
int weir_cli_version(int argc, char **argv);
int weir_cli_help(int argc, char **argv);

#endif
