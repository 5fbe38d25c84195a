/* The carrier simulator as a command of its own: options in, server up, wait for a signal. See carrier_simulator.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/exit.h"
#include "config/base/file.h"
#include "config/base/options.h"
#include "config/base/signals.h"
#include "pipeline/demo/carrier_simulator.h"

#define NUMBER_MAX 1000000000u
#define KEY_FILE_MAX 65536u

static const struct weir_usage USAGE = {.command = "carrier-sim",
    .arguments = "",
    .text =
	"Serves Cisco Control Center's device protocol on loopback until SIGTERM, as slow, moody and broken as asked for.\n"
	"Rates are shares of calls, 0 to 1.\n"};

/* Options as they were given, beside those that go into opts as they are. */
struct sim_args {
	struct weir_carrier_sim_opts opts;
	uint64_t port, accept_ms, hang_ms, rate_limit_per_s;
	const char *latency_ms, *error_rate, *timeout_rate, *accept_rate, *key_file, *port_file;
	struct weir_buf key;
};

static bool
parse_share(const char *name, const char *text, double *share_out, struct weir_error *err)
{
	char *end = NULL;
	if (text == NULL)
		return true;
	*share_out = strtod(text, &end);
	if (end != text && *end == '\0' && *share_out >= 0 && *share_out <= 1)
		return true;
	(void)weir_error_set(err, WEIR_POISON, "--%s %s: must be a number from 0 to 1", name, text);
	return false;
}

/* "5" or "5-20". */
static bool
parse_latency(const char *text, struct weir_carrier_sim_opts *opts, struct weir_error *err)
{
	unsigned min, max;
	int used = 0;
	if (text == NULL)
		return true;
	bool is_digit = text[0] >= '0' && text[0] <= '9';
	if (!is_digit || sscanf(text, "%9u-%9u%n", &min, &max, &used) != 2) {
		used = 0;
		(void)sscanf(text, "%9u%n", &min, &used);
		max = min;
	}
	if (!is_digit || used == 0 || text[used] != '\0' || min > max) {
		(void)weir_error_set(
		    err, WEIR_POISON, "--latency-ms %s: must be milliseconds, or a range of them such as 5-20", text);
		return false;
	}
	opts->latency_ms_min = min;
	opts->latency_ms_max = max;
	return true;
}

/* The file's first line. */
static bool
read_key(struct sim_args *args, struct weir_error *err)
{
	if (args->key_file == NULL)
		return true;
	if (weir_file_read(args->key_file, KEY_FILE_MAX, &args->key, err) != WEIR_OK)
		return false;
	args->key.data[strcspn((const char *)args->key.data, "\r\n")] = '\0';
	args->opts.api_key = (const char *)args->key.data;
	return true;
}

static bool
args_finish(struct sim_args *args, struct weir_error *err)
{
	struct weir_carrier_sim_opts *opts = &args->opts;
	opts->port = (uint16_t)args->port;
	opts->accept_ms = (uint32_t)args->accept_ms;
	opts->hang_ms = (uint32_t)args->hang_ms;
	opts->rate_limit_per_s = (uint32_t)args->rate_limit_per_s;
	return parse_latency(args->latency_ms, opts, err) &&
	       parse_share("error-rate", args->error_rate, &opts->error_rate, err) &&
	       parse_share("timeout-rate", args->timeout_rate, &opts->timeout_rate, err) &&
	       parse_share("accept-rate", args->accept_rate, &opts->accept_rate, err) && read_key(args, err);
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
	struct weir_error err = {0};
	weir_signal_block(); /* before the server's threads, which inherit it */
	struct weir_carrier_sim *sim = weir_carrier_sim_start(&args->opts, &err);
	if (sim == NULL)
		return weir_exit_fail(USAGE.command, WEIR_EXIT_FAILED, &err);
	uint16_t port = weir_carrier_sim_port(sim);
	int code = WEIR_EXIT_OK;
	if (args->port_file != NULL && !write_port(args->port_file, port)) {
		(void)weir_error_set(&err, WEIR_FATAL, "cannot write %s: %s", args->port_file, strerror(errno));
		code = weir_exit_fail(USAGE.command, WEIR_EXIT_FAILED, &err);
	} else {
		(void)fprintf(stderr, "carrier simulator on http://127.0.0.1:%u\n", port);
		while (weir_signal_wait(3600000) == 0) {
		}
	}
	weir_carrier_sim_stop(sim);
	return code;
}

int
weir_carrier_sim_main(int argc, char **argv)
{
	struct sim_args args = {.opts = {.seed = 1}, .accept_ms = 1000};
	const struct weir_option options[] = {{.name = "port",
						  .placeholder = "N",
						  .help = "to listen on; 0 = any free one",
						  .number = &args.port,
						  .max = UINT16_MAX},
	    {.name = "port-file", .placeholder = "FILE", .help = "the port is written there", .text = &args.port_file},
	    {.name = "seed", .placeholder = "N", .help = "of all moods, default 1", .number = &args.opts.seed},
	    {.name = "latency-ms",
		.placeholder = "RANGE",
		.help = "of each answer, such as 5-20",
		.text = &args.latency_ms},
	    {.name = "error-rate", .placeholder = "SHARE", .help = "answered 500", .text = &args.error_rate},
	    {.name = "timeout-rate", .placeholder = "SHARE", .help = "hang and then close", .text = &args.timeout_rate},
	    {.name = "hang-ms",
		.placeholder = "N",
		.help = "how long those hang",
		.number = &args.hang_ms,
		.max = NUMBER_MAX},
	    {.name = "accept-rate",
		.placeholder = "SHARE",
		.help = "answered 202 and done later",
		.text = &args.accept_rate},
	    {.name = "accept-ms",
		.placeholder = "N",
		.help = "how much later, default 1000",
		.number = &args.accept_ms,
		.max = NUMBER_MAX},
	    {.name = "rate-limit",
		.placeholder = "N",
		.help = "calls a second; more are answered 429",
		.number = &args.rate_limit_per_s,
		.max = NUMBER_MAX},
	    {.name = "user", .placeholder = "NAME", .help = "who may call; else anyone", .text = &args.opts.user},
	    {.name = "key-file",
		.placeholder = "FILE",
		.help = "with the user's key as first line",
		.text = &args.key_file},
	    {.name = "missing-prefix",
		.placeholder = "ID",
		.help = "cards that begin so do not exist",
		.text = &args.opts.missing_prefix},
	    {0}};
	struct weir_words none;
	struct weir_error err;
	int code;
	if (!weir_options_accept(&USAGE, options, argc, argv, 0, 0, &none, &code))
		return code;
	code = args_finish(&args, &err) ? serve_calls(&args) : weir_exit_fail(USAGE.command, WEIR_EXIT_USAGE, &err);
	weir_buf_free(&args.key);
	return code;
}
