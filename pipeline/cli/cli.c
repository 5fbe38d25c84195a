/*
 * The command table, its dispatch and its help. A new command is a row here and a file beside this one.
 */
#include "pipeline/cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config/base/exit.h"
#include "config/base/nearest.h"
#include "pipeline/demo/carrier_simulator.h"

#define COMMANDS_MAX 32

static const struct weir_command commands[] = {
    {"run", weir_cli_run, "[--config FILE]", "process records until SIGTERM"},
    {"serve", weir_cli_serve, "[--config FILE]", "serve the HTTP API and the console until SIGTERM"},
    {"demo", weir_cli_demo, "[--for 20s] [--json]", "run all of it here, with a broker, a carrier and traffic of its own"},
    {"load", weir_cli_load, "FILE... [--config FILE]", "send cards, plans and carriers from files to Kafka"},
    {"card", weir_cli_card, "ICCID | --status WORD ...", "show one card, or find cards"},
    {"pool", weir_cli_pool, "ID | --status WORD ...", "show one pool and its members, or find pools"},
    {"usage", weir_cli_usage, "ICCID|POOL [--by day]", "show usage by hour, day or cycle"},
    {"commands", weir_cli_commands_of, "ICCID", "show what was sent to a card's carrier, and why"},
    {"audit", weir_cli_audit, "ICCID|POOL", "show what was decided about a card or pool"},
    {"request", weir_cli_request, "ICCID|POOL ACTION [VALUE]", "suspend, resume, limit, add on, ... and see the reply"},
    {"export", weir_cli_export, "[--fields A,B] [--usage day]", "write cards and their usage as CSV"},
    {"top", weir_cli_top, "[--once --json]", "watch the fleet live"},
    {"verify", weir_cli_verify, "[--partition N]", "count anew from Kafka and compare with Redis"},
    {"check", weir_cli_check, "[FILE] [--reference FILE]...", "check settings and reference data without running"},
    {"bench", weir_cli_bench, "WHAT [options]", "measure this machine, plan hardware for a fleet"},
    {"carrier-sim", weir_cli_carrier_sim, "[options]", "pretend to be a carrier's API, for tests"},
    {"version", weir_cli_version, "", "print versions of weir and of the libraries in use"},
    {"help", weir_cli_help, "[COMMAND]", "this text, or a command's own help"},
    {NULL, NULL, NULL, NULL},
};

const struct weir_command *
weir_cli_commands(void)
{
	return commands;
}

static const struct weir_command *
command_find(const char *name)
{
	for (const struct weir_command *command = commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static int
command_unknown(const char *name)
{
	const char *names[COMMANDS_MAX];
	uint32_t count = 0;
	for (const struct weir_command *command = commands; command->name != NULL && count < COMMANDS_MAX; command++)
		names[count++] = command->name;
	const char *nearest = weir_nearest(name, names, count);
	if (nearest != NULL)
		(void)fprintf(stderr, "weir: no command '%s'; did you mean '%s'?\n", name, nearest);
	else
		(void)fprintf(stderr, "weir: no command '%s'; 'weir help' lists them\n", name);
	return WEIR_EXIT_USAGE;
}

static void
help_print(FILE *out)
{
	(void)fputs("weir: usage of every SIM card, exactly, and cut-offs in milliseconds\n\n"
		    "usage: weir COMMAND [ARGUMENTS]\n\n",
	    out);
	for (const struct weir_command *command = commands; command->name != NULL; command++)
		(void)fprintf(out, "  %-12s %-30s %s\n", command->name, command->arguments, command->help);
	(void)fputs("\n'weir COMMAND --help' tells more. Exit codes: 0 done; 1 failed, not found or not equal;\n"
		    "2 command line wrong; 3 settings or reference data wrong; 4 Kafka or Redis not reachable;\n"
		    "5 the engine stopped by itself.\n",
	    out);
}

int
weir_cli_help(int argc, char **argv)
{
	if (argc < 2 || argv[1][0] == '-') {
		help_print(stdout);
		return WEIR_EXIT_OK;
	}
	const struct weir_command *command = command_find(argv[1]);
	if (command == NULL)
		return command_unknown(argv[1]);
	if (command->run == weir_cli_help)
		return weir_cli_help(1, argv);
	char help[] = "--help";
	char *args[] = {argv[1], help, NULL};
	return command->run(2, args);
}

int
weir_cli_carrier_sim(int argc, char **argv)
{
	return weir_carrier_sim_main(argc, argv);
}

int
weir_cli_main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		help_print(stderr);
		return WEIR_EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0)
		name = "version";
	const struct weir_command *command = command_find(name);
	if (command == NULL)
		return command_unknown(name);
	return command->run(argc - 1, argv + 1);
}
