/*
 * weir-bench: the program behind `weir bench` (pipeline/cli/bench.c starts it).
 *
 * A new subcommand is a row here, a row in words.c, and files of its own.
 */
#include <stdio.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/drain.h"
#include "bench/latency.h"
#include "config/base/check.h"
#include "config/base/exit.h"
#include "config/base/jemalloc_conf.h"
#include "config/base/nearest.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"micro", bench_micro},
    {"core", bench_core},
    {"fleet", bench_fleet},
    {"workload", bench_workload},
    {"drain", bench_drain},
    {"latency", bench_latency},
    {"recover", bench_recover},
    {"bare", bench_bare}, /* for drain: not told of */
    {"report", bench_report},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int
unknown(const char *name)
{
	const char *names[COMMANDS];
	for (uint32_t i = 0; i < COMMANDS; i++)
		names[i] = commands[i].name;
	const char *near = weir_nearest(name, names, COMMANDS);
	if (near != NULL)
		(void)fprintf(stderr, "weir bench: no '%s'; did you mean '%s'?\n", name, near);
	else
		(void)fprintf(stderr, "weir bench: no '%s'; 'weir bench --help' lists what there is\n", name);
	return WEIR_EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	for (const struct bench_words *word = bench_words(); word->name != NULL; word++) {
		uint32_t i = 0;
		while (i < COMMANDS && strcmp(commands[i].name, word->name) != 0)
			i++;
		WEIR_CHECK(i < COMMANDS); /* two tables, one list */
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0) {
		bench_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? WEIR_EXIT_USAGE : WEIR_EXIT_OK;
	}
	for (uint32_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, argv[1]) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return unknown(argv[1]);
}
