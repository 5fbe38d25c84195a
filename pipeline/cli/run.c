/*
 * `weir run`: the engine under a supervisor. Says `event=ready` once it owns its partitions, a status line every ten
 * seconds, and ends with 0 after SIGTERM or SIGINT; an engine that stops by itself ends it with its own words.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "config/base/log.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/common.h"
#include "pipeline/stage/run.h"

#define POLL_MS 100
#define STATUS_US 10000000

static const struct weir_usage usage = {
    .command = "run",
    .arguments = "",
    .text =
	"Processes records until SIGTERM or SIGINT: takes its share of the partitions, counts, decides, commands.\n"
	"On the first of these signals it flushes and lets go of its partitions; the next process goes on exactly there.\n",
};

static void
status_log(struct weir_run *run, uint64_t *records_before, int64_t period_us)
{
	struct weir_run_counters c;
	weir_run_counters_get(run, &c);
	uint64_t per_s = period_us > 0 ? (c.records - *records_before) * 1000000 / (uint64_t)period_us : 0;
	*records_before = c.records;
	weir_log(WEIR_LOG_INFO, "status",
	    "records=%" PRIu64 " records_per_s=%" PRIu64 " counted=%" PRIu64 " duplicates=%" PRIu64 " lag=%" PRId64
	    " partitions=%" PRIu32 " cards=%" PRIu64 " suspends=%" PRIu64 " resumes=%" PRIu64 " confirmed=%" PRIu64
	    " failed=%" PRIu64 " command_us_p99=%" PRIu64 " rss_mb=%" PRIu64,
	    c.records, per_s, c.counted, c.duplicates, c.lag_messages, c.partitions, c.cards, c.suspends, c.resumes,
	    c.commands_confirmed, c.commands_failed, weir_latency_quantile(c.command_latency, 0.99), c.memory_bytes >> 20);
}

/* Until a signal comes (0) or the engine fails (its exit code). */
static int
run_watch(struct weir_run *run)
{
	bool ready = false;
	uint64_t records = 0;
	int64_t status_us = weir_clock_steady_us();
	for (;;) {
		int number = weir_signal_wait(POLL_MS);
		if (number != 0 && number != SIGHUP) {
			weir_log(WEIR_LOG_INFO, "stopping", "signal %d", number);
			return WEIR_EXIT_OK;
		}
		struct weir_error err = {0};
		if (weir_run_failed(run, &err)) {
			weir_log(WEIR_LOG_ERROR, "failed", "%s", err.text);
			return weir_cli_fail("run", WEIR_EXIT_ENGINE, &err);
		}
		if (!ready && weir_run_is_ready(run)) {
			ready = true;
			weir_log(WEIR_LOG_INFO, "ready", "partitions and reference data are here");
		}
		int64_t now_us = weir_clock_steady_us();
		if (now_us - status_us >= STATUS_US) {
			status_log(run, &records, now_us - status_us);
			status_us = now_us;
		}
	}
}

/* Starts, watches, stops. */
static int
engine_run(const struct weir_settings *settings)
{
	struct weir_run *run = NULL;
	struct weir_error err = {0};
	weir_log(WEIR_LOG_INFO, "starting", "weir %s, brokers %s, group %s", WEIR_VERSION, settings->kafka_brokers,
	    settings->kafka_group);
	if (weir_run_start(settings, &run, &err) != WEIR_OK)
		return weir_cli_fail("run", WEIR_EXIT_UNREACHABLE, &err);
	int code = run_watch(run);
	weir_run_stop(run);
	weir_log(WEIR_LOG_INFO, "stopped", "flushed, partitions let go");
	weir_run_free(run);
	return code;
}

static bool
log_begin(const struct weir_settings *settings, struct weir_error *err)
{
	enum weir_log_level level = WEIR_LOG_INFO;
	if (!weir_log_level_parse(settings->log_level, &level)) {
		(void)weir_error_set(err, WEIR_POISON, "log.level: '%s' is no level", settings->log_level);
		return false;
	}
	return weir_log_open(level, settings->log_file, err) == WEIR_OK;
}

int
weir_cli_run(int argc, char **argv)
{
	struct weir_common common = {0};
	const struct weir_option options[] = {WEIR_OPTIONS_COMMON(common), {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 0, &words, &code))
		return code;
	struct weir_settings *settings = NULL;
	code = weir_common_load(&common, "run", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	struct weir_error err = {0};
	weir_signal_block();
	code = log_begin(settings, &err) ? engine_run(settings) : weir_cli_fail("run", WEIR_EXIT_SETTINGS, &err);
	weir_log_close();
	weir_settings_free(settings);
	return code;
}
