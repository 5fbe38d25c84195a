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

#include "config/base/exit.h"

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
