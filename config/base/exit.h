/*
 * How a command of weir ends: its exit code, and the one line on stderr that says why.
 *
 * Every program of weir (weir, weir-bench, the carrier simulator) ends this way. Scripts may rely on the codes; `weir help`
 * prints them. Main thread only.
 */
#ifndef WEIR_BASE_EXIT_H
#define WEIR_BASE_EXIT_H

#include "config/base/error.h"

enum weir_exit {
	WEIR_EXIT_OK = 0,
	WEIR_EXIT_FAILED = 1,      /* the thing asked for failed, is not there, or does not match */
	WEIR_EXIT_USAGE = 2,       /* the command line itself is wrong */
	WEIR_EXIT_SETTINGS = 3,    /* settings or reference data are wrong */
	WEIR_EXIT_UNREACHABLE = 4, /* Kafka or Redis cannot be reached, or refuse */
	WEIR_EXIT_ENGINE = 5,      /* the engine started and then stopped by itself; it says why */
};

/* Flushes stdout, prints "weir <command>: <err>" to stderr and returns `code`. */
int weir_exit_fail(const char *command, enum weir_exit code, const struct weir_error *err);

#endif
