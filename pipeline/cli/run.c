/*
 * `weir run`: the engine under a supervisor. Says `event=ready` once it owns its partitions, a status line every ten
 * seconds, and ends with 0 after SIGTERM or SIGINT; an engine that stops by itself ends it with its own words. Beside it
 * stand the port of metrics and health, and systemd's watchdog, which is fed only while the lanes' rounds go on.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "config/base/clock.h"
#include "config/base/exit.h"
#include "config/base/log.h"
#include "config/base/signals.h"
#include "config/settings/settings_options.h"
#include "pipeline/cli/cli.h"
#include "pipeline/http/metrics/metrics_server.h"
#include "pipeline/http/metrics/notify.h"

#define POLL_MS 100
#define STATUS_US 10000000

static const struct weir_usage usage = {
    .command = "run",
    .arguments = "",
    .text =
	"Processes records until SIGTERM or SIGINT: takes its share of the partitions, counts, decides, commands.\n"
	"On the first of these signals it flushes and lets go of its partitions; the next process goes on exactly there.\n"
	"Metrics for Prometheus are at metrics.listen under /metrics, with /healthz and /readyz beside them.\n",
};

static void
status_log(const struct weir_run_counters *c, uint64_t *records_before, int64_t period_us)
{
	uint64_t per_s = period_us > 0 ? (c->records - *records_before) * 1000000 / (uint64_t)period_us : 0;
	*records_before = c->records;
	weir_log(WEIR_LOG_INFO, "status",
	    "records=%" PRIu64 " records_per_s=%" PRIu64 " counted=%" PRIu64 " duplicates=%" PRIu64 " lag=%" PRId64
	    " partitions=%" PRIu32 " cards=%" PRIu64 " suspends=%" PRIu64 " resumes=%" PRIu64 " confirmed=%" PRIu64
	    " failed=%" PRIu64 " command_us_p99=%" PRIu64 " rss_mb=%" PRIu64,
	    c->records, per_s, c->counted, c->duplicates, c->lag_messages, c->partitions, c->cards, c->suspends, c->resumes,
	    c->commands_confirmed, c->commands_failed, weir_latency_quantile(c->command_latency, 0.99),
	    c->memory_bytes >> 20);
}

/* What goes on beside the engine: signs of life and figures for those who watch. */
struct watch {
	struct weir_run *run;
	struct weir_health health;
	struct weir_metrics_server *server; /* NULL = none */
	struct weir_notify notify;
	bool ready;
	uint64_t records; /* as of the last status line */
	struct weir_steady status;
};

/*
 * A port that is taken is no reason not to count and cut off: the process runs on without, says so, and whoever scrapes
 * finds nothing there.
 */
static void
server_begin(struct watch *watch, const char *listen)
{
	struct weir_error err = {0};
	if (listen[0] == '\0')
		return;
	if (weir_metrics_server_start(
		listen, (struct weir_metrics_of){.run = watch->run}, &watch->health, &watch->server, &err) != WEIR_OK)
		weir_log(WEIR_LOG_ERROR, "metrics_off", "%s; going on without metrics", err.text);
	else
		weir_log(WEIR_LOG_INFO, "metrics_on", "port=%u %s", weir_metrics_server_port(watch->server), listen);
}

static void
watch_begin(struct watch *watch, struct weir_run *run, const struct weir_settings *settings)
{
	struct weir_steady now = weir_steady_now();
	*watch = (struct watch){.run = run, .status = now};
	weir_health_begin(&watch->health, settings->lane_count, now);
	weir_notify_open(&watch->notify);
	server_begin(watch, settings->metrics_listen);
	/* The engine has started; when Kafka hands out partitions is not up to it, so that systemd need not wait for it. */
	weir_notify_say(&watch->notify, "READY=1");
}

static void
watch_end(struct watch *watch)
{
	weir_notify_say(&watch->notify, "STOPPING=1\nSTATUS=flushing, letting go of partitions");
	weir_metrics_server_stop(watch->server); /* before the run that it reads */
	weir_notify_close(&watch->notify);
}

/* The status line and what `systemctl status` shows. */
static void
watch_notify(struct watch *watch, struct weir_steady now)
{
	struct weir_run_counters c;
	char text[128];
	bool ready = weir_run_is_ready(watch->run);
	if (ready && !watch->ready)
		weir_log(WEIR_LOG_INFO, "ready", "partitions and reference data are here");
	bool due = now.us - watch->status.us >= STATUS_US;
	bool shows = watch->notify.fd >= 0 && (ready != watch->ready || watch->notify.status[0] == '\0');
	watch->ready = ready;
	if (!due && !shows)
		return;
	weir_run_counters_get(watch->run, &c);
	(void)snprintf(text, sizeof(text), "%s; %" PRIu32 " partitions, %" PRIu64 " cards, %" PRId64 " messages to read",
	    ready ? "running" : "taking partitions", c.partitions, c.cards, c.lag_messages);
	weir_notify_status(&watch->notify, text);
	if (!due)
		return;
	status_log(&c, &watch->records, now.us - watch->status.us);
	watch->status = now;
}

/* Until a signal comes (0) or the engine fails (its exit code). */
static int
run_watch(struct watch *watch)
{
	struct weir_run_lane lanes[WEIR_METRICS_LANES_MAX];
	for (;;) {
		int number = weir_signal_wait(POLL_MS);
		if (number != 0 && number != SIGHUP) {
			weir_log(WEIR_LOG_INFO, "stopping", "signal=%d", number);
			return WEIR_EXIT_OK;
		}
		struct weir_error err = {0};
		if (weir_run_failed(watch->run, &err)) {
			weir_log(WEIR_LOG_ERROR, "failed", "%s", err.text);
			return weir_exit_fail("run", WEIR_EXIT_ENGINE, &err);
		}
		struct weir_steady now = weir_steady_now();
		(void)weir_run_lanes(watch->run, lanes, WEIR_METRICS_LANES_MAX);
		weir_health_observe(&watch->health, lanes, now);
		(void)weir_notify_watchdog(&watch->notify, weir_health_is_live(&watch->health, now, NULL), now);
		watch_notify(watch, now);
	}
}

/* Starts, watches, stops. */
static int
engine_run(const struct weir_settings *settings)
{
	struct weir_run *run = NULL;
	struct watch watch;
	struct weir_error err = {0};
	weir_log(WEIR_LOG_INFO, "starting", "version=%s brokers=%s group=%s", WEIR_VERSION, settings->kafka_brokers,
	    settings->kafka_group);
	if (weir_run_start(settings, &run, &err) != WEIR_OK)
		return weir_exit_fail("run", WEIR_EXIT_UNREACHABLE, &err);
	watch_begin(&watch, run, settings);
	int code = run_watch(&watch);
	watch_end(&watch);
	weir_run_stop(run);
	weir_log(WEIR_LOG_INFO, "stopped", "flushed, partitions let go");
	weir_run_free(run);
	return code;
}

static bool
log_begin(const struct weir_settings *settings, struct weir_error *err)
{
	enum weir_log_level level = WEIR_LOG_INFO;
	enum weir_log_format format = WEIR_LOG_LOGFMT;
	if (!weir_log_level_parse(settings->log_level, &level) || !weir_log_format_parse(settings->log_format, &format)) {
		(void)weir_error_set(err, WEIR_POISON, "log: '%s' is no level or '%s' is no format", settings->log_level,
		    settings->log_format);
		return false;
	}
	weir_log_format_set(format);
	return weir_log_open(level, settings->log_file, err) == WEIR_OK;
}

int
weir_cli_run(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	bool list = false, first_start = false;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "list-metrics", .help = "print every metric: type, labels, meaning", .flag = &list},
	    {.name = "first-start",
		.help = "start from nothing though the group has committed offsets: what was counted before is given up",
		.flag = &first_start},
	    {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	if (list) {
		weir_metrics_print_table(stdout);
		return WEIR_EXIT_OK;
	}
	struct weir_settings *settings = NULL;
	code = weir_settings_options_load(&common, "run", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	settings->first_start = first_start;
	struct weir_error err = {0};
	weir_signal_block();
	code = log_begin(settings, &err) ? engine_run(settings) : weir_exit_fail("run", WEIR_EXIT_SETTINGS, &err);
	weir_log_close();
	weir_settings_free(settings);
	return code;
}
