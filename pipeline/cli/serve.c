/*
 * `weir serve`: the HTTP API and the console. A process of its own, beside `weir run` or on another machine; any number of
 * them may run. Says `event=serving` with its address, and ends with 0 after SIGTERM or SIGINT.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config/base/log.h"
#include "pipeline/api/api.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/common.h"

#define POLL_MS 1000

static const struct weir_usage usage = {
    .command = "serve",
    .arguments = "",
    .text =
	"Serves the HTTP API and the console at api.listen (127.0.0.1:8470) until SIGTERM or SIGINT. It reads Redis and\n"
	"sends what operators ask for to topics.cards; it never touches what `weir run` owns. Who may ask is said in\n"
	"api.tokens_file, a line each: name, role (read or operate), token or sha256:HEX of it.\n",
};

static bool
log_begin(const struct weir_settings *settings, struct weir_error *err)
{
	enum weir_log_level level = WEIR_LOG_INFO;
	enum weir_log_format format = WEIR_LOG_LOGFMT;
	(void)weir_log_level_parse(settings->log_level, &level);
	(void)weir_log_format_parse(settings->log_format, &format);
	weir_log_format_set(format);
	return weir_log_open(level, settings->log_file, err) == WEIR_OK;
}

static bool
port_file_write(const char *path, uint16_t port, struct weir_error *err)
{
	if (path == NULL)
		return true;
	FILE *file = fopen(path, "w");
	bool right = file != NULL && fprintf(file, "%u\n", port) > 0;
	right = (file == NULL || fclose(file) == 0) && right;
	if (!right)
		(void)weir_error_set(err, WEIR_FATAL, "cannot write %s", path);
	return right;
}

static int
api_run(const struct weir_settings *settings, const char *port_file)
{
	struct weir_api *api = NULL;
	struct weir_error err = {0};
	if (weir_api_start(settings, &api, &err) != WEIR_OK)
		return weir_cli_fail("serve", WEIR_EXIT_SETTINGS, &err);
	int code = WEIR_EXIT_OK;
	if (!port_file_write(port_file, weir_api_port(api), &err))
		code = weir_cli_fail("serve", WEIR_EXIT_FAILED, &err);
	weir_log(WEIR_LOG_INFO, "serving", "listen=%s port=%u tls=%s", settings->api_listen, weir_api_port(api),
	    settings->api_tls_cert_file[0] != '\0' ? "yes" : "no");
	for (int number = 0; code == WEIR_EXIT_OK && (number == 0 || number == SIGHUP);)
		number = weir_signal_wait(POLL_MS);
	weir_log(WEIR_LOG_INFO, "stopping", "requests in hand end");
	weir_api_stop(api);
	weir_api_free(api);
	weir_log(WEIR_LOG_INFO, "stopped", "all connections closed");
	return code;
}

int
weir_cli_serve(int argc, char **argv)
{
	struct weir_common common = {0};
	const char *port_file = NULL;
	const struct weir_option options[] = {WEIR_OPTIONS_COMMON(common),
	    {.name = "port-file",
		.placeholder = "FILE",
		.help = "write the port here, for api.listen with port 0",
		.text = &port_file},
	    {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	struct weir_settings *settings = NULL;
	code = weir_common_load(&common, "serve", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	struct weir_error err = {0};
	weir_signal_block();
	code = log_begin(settings, &err) ? api_run(settings, port_file) : weir_cli_fail("serve", WEIR_EXIT_SETTINGS, &err);
	weir_log_close();
	weir_settings_free(settings);
	return code;
}
