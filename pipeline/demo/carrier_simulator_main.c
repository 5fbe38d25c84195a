/* The carrier simulator as a command of its own: options in, server up, wait for SIGTERM. See carrier_simulator.h. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/demo/carrier_simulator.h"

enum {
	OPT_PORT = 1,
	OPT_SEED,
	OPT_LATENCY,
	OPT_ERROR,
	OPT_TIMEOUT,
	OPT_ACCEPT,
	OPT_ACCEPT_MS,
	OPT_HANG_MS,
	OPT_RATE,
	OPT_USER,
	OPT_KEY_FILE,
	OPT_MISSING,
	OPT_PORT_FILE,
	OPT_HELP,
};

static const struct option OPTIONS[] = {
    {"port", required_argument, NULL, OPT_PORT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"latency-ms", required_argument, NULL, OPT_LATENCY},
    {"error-rate", required_argument, NULL, OPT_ERROR},
    {"timeout-rate", required_argument, NULL, OPT_TIMEOUT},
    {"accept-rate", required_argument, NULL, OPT_ACCEPT},
    {"accept-ms", required_argument, NULL, OPT_ACCEPT_MS},
    {"hang-ms", required_argument, NULL, OPT_HANG_MS},
    {"rate-limit", required_argument, NULL, OPT_RATE},
    {"user", required_argument, NULL, OPT_USER},
    {"key-file", required_argument, NULL, OPT_KEY_FILE},
    {"missing-prefix", required_argument, NULL, OPT_MISSING},
    {"port-file", required_argument, NULL, OPT_PORT_FILE},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char USAGE[] =
    "usage: weir carrier-sim [--port N] [--port-file FILE] [--seed N] [--latency-ms MIN[-MAX]]\n"
    "  [--error-rate 0..1] [--timeout-rate 0..1] [--hang-ms N] [--accept-rate 0..1] [--accept-ms N]\n"
    "  [--rate-limit CALLS_PER_S] [--user NAME --key-file FILE] [--missing-prefix DIGITS]\n"
    "Serves Cisco Control Center's device protocol on loopback until SIGTERM.\n";

struct sim_args {
	struct weir_carrier_sim_opts opts;
	const char *port_file;
	char key[256];
	bool help;
};

static bool
parse_number(const char *text, uint64_t max, uint64_t *number_out)
{
	char *end = NULL;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	*number_out = number;
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && number <= max;
}

static bool
parse_u32(const char *text, uint32_t *number_out)
{
	uint64_t number;
	bool valid = parse_number(text, 1000000000, &number);
	*number_out = (uint32_t)number;
	return valid;
}

static bool
parse_share(const char *text, double *share_out)
{
	char *end = NULL;
	*share_out = strtod(text, &end);
	return end != text && *end == '\0' && *share_out >= 0 && *share_out <= 1;
}

/* "5" or "5-20". */
static bool
parse_latency(const char *text, struct weir_carrier_sim_opts *opts)
{
	char first[16] = {0};
	const char *dash = strchr(text, '-');
	size_t len = dash != NULL ? (size_t)(dash - text) : strlen(text);
	if (len == 0 || len >= sizeof(first))
		return false;
	memcpy(first, text, len);
	return parse_u32(first, &opts->latency_ms_min) &&
	       parse_u32(dash != NULL ? dash + 1 : first, &opts->latency_ms_max) &&
	       opts->latency_ms_min <= opts->latency_ms_max;
}

/* First line of the file. */
static bool
read_key(const char *path, struct sim_args *args)
{
	FILE *file = fopen(path, "r");
	if (file == NULL)
		return false;
	bool valid = fgets(args->key, sizeof(args->key), file) != NULL;
	(void)fclose(file);
	args->key[strcspn(args->key, "\r\n")] = '\0';
	args->opts.api_key = args->key;
	return valid;
}

static bool
take_option(struct sim_args *args, int option, const char *value)
{
	struct weir_carrier_sim_opts *opts = &args->opts;
	uint64_t number = 0;
	switch (option) {
	case OPT_PORT:
		if (!parse_number(value, 65535, &number))
			return false;
		opts->port = (uint16_t)number;
		return true;
	case OPT_SEED:
		return parse_number(value, UINT64_MAX, &opts->seed);
	case OPT_LATENCY:
		return parse_latency(value, opts);
	case OPT_ERROR:
		return parse_share(value, &opts->error_rate);
	case OPT_TIMEOUT:
		return parse_share(value, &opts->timeout_rate);
	case OPT_ACCEPT:
		return parse_share(value, &opts->accept_rate);
	case OPT_ACCEPT_MS:
		return parse_u32(value, &opts->accept_ms);
	case OPT_HANG_MS:
		return parse_u32(value, &opts->hang_ms);
	case OPT_RATE:
		return parse_u32(value, &opts->rate_limit_per_s);
	case OPT_USER:
		opts->user = value;
		return true;
	case OPT_KEY_FILE:
		return read_key(value, args);
	case OPT_MISSING:
		opts->missing_prefix = value;
		return true;
	case OPT_PORT_FILE:
		args->port_file = value;
		return true;
	case OPT_HELP:
		args->help = true;
		return true;
	default:
		return false;
	}
}

/* Written aside and renamed, so that who waits for the file never reads half of it. */
static bool
write_port(const char *path, uint16_t port)
{
	char aside[4096];
	if (snprintf(aside, sizeof(aside), "%s.new", path) >= (int)sizeof(aside))
		return false;
	FILE *file = fopen(aside, "w");
	if (file == NULL)
		return false;
	bool valid = fprintf(file, "%u\n", port) > 0;
	valid = fclose(file) == 0 && valid;
	return valid && rename(aside, path) == 0;
}

static int
serve_calls(const struct sim_args *args)
{
	sigset_t ends;
	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before the server's threads, which inherit it */
	struct weir_error err = {0};
	struct weir_carrier_sim *sim = weir_carrier_sim_start(&args->opts, &err);
	if (sim == NULL) {
		(void)fprintf(stderr, "weir: %s\n", err.text);
		return 1;
	}
	uint16_t port = weir_carrier_sim_port(sim);
	int status = 0, signal_number = 0;
	if (args->port_file != NULL && !write_port(args->port_file, port)) {
		(void)fprintf(stderr, "weir: cannot write %s: %s\n", args->port_file, strerror(errno));
		status = 1;
	} else {
		(void)fprintf(stderr, "carrier simulator on http://127.0.0.1:%u\n", port);
		(void)sigwait(&ends, &signal_number);
	}
	weir_carrier_sim_stop(sim);
	return status;
}

int
weir_carrier_sim_main(int argc, char **argv)
{
	struct sim_args args = {.opts = {.seed = 1, .accept_ms = 1000}};
	optind = 1;
	for (int option; (option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
		if (!take_option(&args, option, optarg)) {
			(void)fputs(USAGE, stderr);
			return 2;
		}
	}
	if (args.help) {
		(void)fputs(USAGE, stdout);
		return 0;
	}
	if (optind < argc) {
		(void)fputs(USAGE, stderr);
		return 2;
	}
	return serve_calls(&args);
}
