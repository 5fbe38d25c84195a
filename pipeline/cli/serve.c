/*
 * `weir serve`: the HTTP API and the console. A process of its own, beside `weir run` or on another machine; any number of
 * them may run. Says `event=serving` with its address, and ends with 0 after SIGTERM or SIGINT. Its figures are at a port
 * of their own: who scrapes needs no token.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config/base/exit.h"
#include "config/base/log.h"
#include "config/base/signals.h"
#include "config/settings/settings_options.h"
#include "pipeline/cli/cli.h"
#include "pipeline/http/api/api.h"
#include "pipeline/http/metrics/metrics_server.h"

#define POLL_MS 1000

static const struct weir_usage usage = {
    .command = "serve",
    .arguments = "",
    .text =
	"Serves the HTTP API and the console at api.listen (127.0.0.1:8470) until SIGTERM or SIGINT. It reads Redis and\n"
	"sends what operators ask for to topics.cards; it never touches what `weir run` owns. Who may ask is said in\n"
	"api.tokens_file, a line each: name, role (read or operate), token or sha256:HEX of it. Metrics for Prometheus "
	"are\n"
	"at api.metrics_listen (127.0.0.1:9465) under /metrics.\n",
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

/* As with `weir run`: a port that is taken is said, and no reason not to serve. */
static struct weir_metrics_server *
metrics_begin(const struct weir_settings *settings, struct weir_api *api)
{
	struct weir_metrics_server *server = NULL;
	struct weir_error err = {0};
	const char *listen = settings->api_metrics_listen;
	if (listen[0] == '\0')
		return NULL;
	struct weir_metrics_of of = {.api = api, .api_counters = weir_api_counters_get};
	if (weir_metrics_server_start(listen, of, NULL, &server, &err) != WEIR_OK)
		weir_log(WEIR_LOG_ERROR, "metrics_off", "api.%s; going on without metrics", err.text);
	else
		weir_log(WEIR_LOG_INFO, "metrics_on", "port=%u %s", weir_metrics_server_port(server), listen);
	return server;
}

static int
api_run(const struct weir_settings *settings, const char *port_file)
{
	struct weir_api *api = NULL;
	struct weir_error err = {0};
	if (weir_api_start(settings, &api, &err) != WEIR_OK)
		return weir_exit_fail("serve", WEIR_EXIT_SETTINGS, &err);
	int code = WEIR_EXIT_OK;
	if (!port_file_write(port_file, weir_api_port(api), &err))
		code = weir_exit_fail("serve", WEIR_EXIT_FAILED, &err);
	weir_log(WEIR_LOG_INFO, "serving", "listen=%s port=%u tls=%s", settings->api_listen, weir_api_port(api),
	    settings->api_tls_cert_file[0] != '\0' ? "yes" : "no");
	struct weir_metrics_server *metrics = metrics_begin(settings, api);
	for (int number = 0; code == WEIR_EXIT_OK && (number == 0 || number == SIGHUP);)
		number = weir_signal_wait(POLL_MS);
	weir_log(WEIR_LOG_INFO, "stopping", "requests in hand end");
	weir_metrics_server_stop(metrics); /* before the API that it tells of */
	weir_api_stop(api);
	weir_api_free(api);
	weir_log(WEIR_LOG_INFO, "stopped", "all connections closed");
	return code;
}

int
weir_cli_serve(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	const char *port_file = NULL;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
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
	code = weir_settings_options_load(&common, "serve", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	struct weir_error err = {0};
	weir_signal_block();
	code = log_begin(settings, &err) ? api_run(settings, port_file) : weir_exit_fail("serve", WEIR_EXIT_SETTINGS, &err);
	weir_log_close();
	weir_settings_free(settings);
	return code;
}
