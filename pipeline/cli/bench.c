/*
 * `weir bench`: hands over to the benchmark's own program, weir-bench.
 *
 * The benchmarks lie above this folder and bring what the engine has no use for, so they are a program of their own
 * (docs/benchmark.md). It is looked for beside the running binary as the build leaves it, then where it is installed. Its
 * help, too, is its own.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/check.h"
#include "config/base/exit.h"
#include "pipeline/cli/cli.h"

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
	(void)argc;
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
	return weir_exit_fail("bench", WEIR_EXIT_FAILED, &err);
}
