/*
 * `weir bench`: hands over to the benchmark's own program, weir-bench.
 *
 * The benchmarks lie above this folder and bring what the engine has no use for, so they are a program of their own
 * (docs/benchmark.md). It is looked for beside the running binary as the build leaves it, then where it is installed. The
 * table of its subcommands stands here, so that help and manual page need not start it; bench/main.c goes by the same one.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/check.h"
#include "pipeline/cli/cli.h"

static const struct weir_bench_words words[] = {
    {"micro", "[--only NAME]", "one part at a time: decoders, tables, pools, rules, encoding"},
    {"core", "[--workload NAME]", "decode, fold, pools and flushes on one thread: records/s/core"},
    {"fleet", "[--cards N]", "what hardware a fleet takes, with the arithmetic"},
    {"workload", "NAME|FILE", "show what a workload file says, and its first records"},
    {"drain", "[--start]", "a topic on Kafka into Redis, beside bare librdkafka consumers"},
    {"latency", "[--start]", "open loop: record due to command, and to Redis"},
    {"recover", "[--start]", "take-over, restart, Redis away, backlog: time to the first fresh record"},
    {"report", "FILE... --html FILE", "make one HTML page of results kept with --json"},
    {NULL, NULL, NULL},
};

const struct weir_bench_words *
weir_cli_bench_words(void)
{
	return words;
}

void
weir_cli_bench_help(FILE *out)
{
	(void)fputs(
	    "usage: weir bench WHAT [ARGUMENTS]\n\n"
	    "Measures weir on this machine, and says what hardware a fleet takes. Every run is seeded and prints its\n"
	    "configuration, the machine, versions, the seed and a hash of its results.\n\n",
	    out);
	for (const struct weir_bench_words *word = words; word->name != NULL; word++)
		(void)fprintf(out, "  %-9s %-22s %s\n", word->name, word->arguments, word->help);
	(void)fputs("\nEvery WHAT takes --help. The variable WEIR_BENCH_PROGRAM names another weir-bench to run.\n", out);
}

/* Replaces this process by the program at `path`; comes back when there is none. */
static void
try_program(const char *path, char **argv)
{
	(void)execv(path, argv);
	if (errno != ENOENT && errno != ENOTDIR)
		(void)fprintf(stderr, "weir bench: %s: %s\n", path, strerror(errno));
}

static void
try_beside(const char *folder, const char *relative, char **argv)
{
	char path[PATH_MAX + 64];
	(void)snprintf(path, sizeof(path), "%s/%s", folder, relative);
	try_program(path, argv);
}

int
weir_cli_bench(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		weir_cli_bench_help(argc < 2 ? stderr : stdout);
		return argc < 2 ? WEIR_EXIT_USAGE : WEIR_EXIT_OK;
	}
	char self[PATH_MAX] = "", name[] = "weir-bench";
	argv[0] = name;
	const char *named = getenv("WEIR_BENCH_PROGRAM");
	if (named != NULL && named[0] != '\0') {
		try_program(named, argv);
	} else if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
		*strrchr(self, '/') = '\0';
		try_beside(self, "bench/weir-bench", argv);
		try_beside(self, "../libexec/weir/weir-bench", argv);
	}
	struct weir_error err;
	(void)weir_error_set(
	    &err, WEIR_FATAL, "there is no weir-bench here; it is part of the package, and of a whole build");
	return weir_cli_fail("bench", WEIR_EXIT_FAILED, &err);
}
