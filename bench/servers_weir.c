/* `weir run` as an operator starts it, and its figures by HTTP; see servers.h. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/servers.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { STOP_MS = 120000, ARGS_MAX = 2 * BENCH_SITE_SETS_MAX + 64, EXTRA_MAX = 12, ANSWER_MAX = 1 << 18 };

static uint32_t
fill_args(const struct bench_site *site, char (*extra)[BENCH_NAME_MAX * 2], uint32_t extra_count, char **argv)
{
	uint32_t n = 0;
	const char *config = weir_settings_options_path(site->opts.common);
	argv[n++] = (char *)(uintptr_t)site->weir;
	argv[n++] = (char *)(uintptr_t) "run";
	if (config != NULL) {
		argv[n++] = (char *)(uintptr_t) "--config";
		argv[n++] = (char *)(uintptr_t)config;
	}
	for (uint32_t i = 0; i < site->set_count; i++) {
		argv[n++] = (char *)(uintptr_t) "--set";
		argv[n++] = site->sets[i];
	}
	for (uint32_t i = 0; i < extra_count; i++) {
		argv[n++] = (char *)(uintptr_t) "--set";
		argv[n++] = extra[i];
	}
	argv[n] = NULL;
	return n;
}

enum weir_class
bench_weir_start(
    struct bench_site *site, const struct bench_weir_opts *opts, struct bench_weir *weir, struct weir_error *err)
{
	char extra[EXTRA_MAX][BENCH_NAME_MAX * 2], log[BENCH_PATH_MAX];
	char *argv[ARGS_MAX];
	uint32_t n = 0;
	*weir = (struct bench_weir){.metrics_port = bench_free_port()};
	(void)snprintf(extra[n++], sizeof(extra[0]), "inputs=[{topic: %s, format: canonical}]", opts->records);
	(void)snprintf(extra[n++], sizeof(extra[0]), "redis.prefix=%s", opts->prefix);
	(void)snprintf(extra[n++], sizeof(extra[0]), "kafka.group=%s", opts->group);
	(void)snprintf(extra[n++], sizeof(extra[0]), "lane.count=%u", opts->lanes);
	(void)snprintf(extra[n++], sizeof(extra[0]), "metrics.listen=127.0.0.1:%u", weir->metrics_port);
	if (opts->instance != NULL)
		(void)snprintf(extra[n++], sizeof(extra[0]), "kafka.instance=%s", opts->instance);
	if (opts->source != NULL)
		(void)snprintf(extra[n++], sizeof(extra[0]), "kafka.source=%s", opts->source);
	(void)fill_args(site, extra, n, argv);
	(void)snprintf(log, sizeof(log), "%s/weir-%u.log", site->folder, weir->metrics_port);
	return bench_child_start(&weir->child, "weir run", log, argv, err);
}

enum weir_class
bench_weir_stop(struct bench_weir *weir, struct weir_error *err)
{
	char last[300];
	if (weir->child.pid == 0)
		return WEIR_OK;
	int code = bench_child_stop(&weir->child, SIGTERM, STOP_MS);
	if (code == 0)
		return WEIR_OK;
	bench_last_line(weir->child.log, last, sizeof(last));
	return weir_error_set(err, WEIR_FATAL, "weir run ended with %d: %s", code, last);
}

/* GET /metrics, whole; NULL when nobody answers. Caller frees. */
static char *
scrape(uint16_t port)
{
	static const char REQUEST[] = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n";
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval timeout = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	char *text = weir_calloc(1, ANSWER_MAX);
	size_t len = 0;
	bool good = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
		    send(fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(REQUEST) - 1;
	for (ssize_t n = 1; good && n > 0 && len<ANSWER_MAX - 1; len += n> 0 ? (size_t)n : 0)
		n = recv(fd, text + len, ANSWER_MAX - 1 - len, 0);
	(void)close(fd);
	if (len > 0)
		return text;
	free(text);
	return NULL;
}

bool
bench_weir_metric(const struct bench_weir *weir, const char *name, double *value_out)
{
	char *text = scrape(weir->metrics_port);
	size_t len = strlen(name);
	bool found = false;
	*value_out = 0;
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) != 0 || (line[len] != ' ' && line[len] != '{'))
			continue;
		const char *value = line[len] == ' ' ? line + len : strchr(line, '}');
		*value_out += value != NULL ? strtod(value + 1, NULL) : 0;
		found = true;
	}
	free(text);
	return found;
}

enum weir_class
bench_weir_ready(struct bench_weir *weir, uint32_t timeout_ms, struct weir_error *err)
{
	struct weir_steady until = weir_steady_in_ms(timeout_ms);
	double ready = 0;
	while (!weir_steady_reached(until)) {
		if (bench_child_alive(&weir->child, err) != WEIR_OK)
			return WEIR_FATAL;
		if (bench_weir_metric(weir, "weir_ready", &ready) && ready > 0)
			return WEIR_OK;
		bench_sleep_us(10000);
	}
	return weir_error_set(
	    err, WEIR_FATAL, "weir run was not ready within %u s; see %s", timeout_ms / 1000, weir->child.log);
}
