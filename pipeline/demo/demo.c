/*
 * The demo's course: open the sandbox, send the fleet, start the engine, let traffic flow, stop it, wait until every
 * record is counted and every command confirmed, stop the engine, compare. See demo.h.
 */
#include "pipeline/demo/demo.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/base/clock.h"
#include "config/base/exit.h"
#include "config/base/log.h"
#include "config/base/signals.h"
#include "pipeline/demo/demo_servers.h"
#include "pipeline/demo/demo_verify.h"
#include "pipeline/demo/sandbox.h"
#include "pipeline/demo/view.h"

#define REDRAW_MS 250
#define READY_US 30000000
#define QUIET_US 60000000
#define LOG_LINES 8
#define LOG_LINE_MAX 400

struct demo {
	const struct weir_demo_opts *opts;
	struct weir_demo_sandbox sandbox;
	struct weir_demo_fleet *fleet;
	struct weir_demo_traffic *traffic;
	struct weir_run *run;
	struct weir_demo_views views;
	struct weir_random rng;
	struct weir_demo_view view;
	struct weir_demo_totals sent;
	struct weir_run_counters counted;
	uint32_t mismatches;
	bool interrupted; /* a second signal while it settles: no comparison */
};

static int
demo_fail(enum weir_class class, const struct weir_error *err)
{
	(void)class;
	return weir_exit_fail("demo", WEIR_EXIT_FAILED, err);
}

/* The engine's last words, before its log goes away with the folder. */
static void
log_published(const struct demo *d)
{
	char lines[LOG_LINES][LOG_LINE_MAX];
	uint32_t count = 0;
	FILE *file = d->sandbox.settings != NULL ? fopen(d->sandbox.settings->log_file, "r") : NULL;
	while (file != NULL && fgets(lines[count % LOG_LINES], LOG_LINE_MAX, file) != NULL)
		count++;
	for (uint32_t i = count > LOG_LINES ? count - LOG_LINES : 0; i < count; i++)
		(void)fprintf(stderr, "  %s", lines[i % LOG_LINES]);
	if (file != NULL)
		(void)fclose(file);
}

static void
print_step(const struct demo *d, const char *text)
{
	(void)fprintf(d->opts->json ? stderr : stdout, "%s\n", text);
	(void)fflush(stdout);
}

static bool
engine_failed(const struct demo *d, int *code_out)
{
	struct weir_error err = {0};
	if (!weir_run_failed(d->run, &err))
		return false;
	*code_out = weir_exit_fail("demo", WEIR_EXIT_ENGINE, &err);
	return true;
}

static int
engine_start(struct demo *d)
{
	struct weir_error err = {0};
	int code;
	if (!weir_demo_reference_send(d->sandbox.kafka, d->fleet, d->sandbox.settings->topic_cards, WEIR_DEMO_PARTITIONS)) {
		(void)weir_error_set(&err, WEIR_FATAL, "the broker inside this process does not take the fleet");
		return demo_fail(WEIR_FATAL, &err);
	}
	if (weir_log_open(WEIR_LOG_WARN, d->sandbox.settings->log_file, &err) != WEIR_OK ||
	    weir_run_start(d->sandbox.settings, &d->run, &err) != WEIR_OK)
		return demo_fail(WEIR_FATAL, &err);
	struct weir_steady until = weir_steady_in_us(READY_US);
	struct weir_run_counters c = {0};
	while (!weir_run_is_ready(d->run) || c.partitions < WEIR_DEMO_PARTITIONS || c.cards < d->fleet->count) {
		if (engine_failed(d, &code))
			return code;
		if (weir_steady_reached(until)) {
			(void)weir_error_set(&err, WEIR_FATAL,
			    "not ready after 30 s: %" PRIu32 " of %d partitions, %" PRIu64 " of %" PRIu32 " cards",
			    c.partitions, WEIR_DEMO_PARTITIONS, c.cards, d->fleet->count);
			return demo_fail(WEIR_FATAL, &err);
		}
		if (weir_signal_wait(20) != 0) {
			(void)weir_error_set(&err, WEIR_FATAL, "ended by a signal before it began");
			return demo_fail(WEIR_FATAL, &err);
		}
		weir_run_counters_get(d->run, &c);
	}
	return WEIR_EXIT_OK;
}

/* API, console and metrics; says where they are. */
static int
views_open(struct demo *d)
{
	struct weir_error err = {0};
	char config[128];
	weir_demo_sandbox_config(&d->sandbox, config);
	enum weir_class class = weir_demo_views_open(d->sandbox.settings, config, d->run, &d->views, &err);
	if (class != WEIR_OK)
		return demo_fail(class, &err);
	for (uint32_t i = 0; i < WEIR_DEMO_LINES; i++)
		print_step(d, d->views.lines[i]);
	return WEIR_EXIT_OK;
}

/* Until time is up or a signal comes. */
static int
traffic_watch(struct demo *d)
{
	const struct weir_demo_traffic_opts opts = {.kafka = d->sandbox.kafka,
	    .run = d->run,
	    .fleet = d->fleet,
	    .rng = d->rng,
	    .rate = d->opts->rate,
	    .topic_cards = d->sandbox.settings->topic_cards,
	    .partitions = WEIR_DEMO_PARTITIONS};
	d->traffic = weir_demo_traffic_start(&opts);
	struct weir_steady begin = weir_steady_now(), now = begin;
	int64_t for_us = (int64_t)d->opts->for_ms * 1000;
	int code = WEIR_EXIT_OK;
	weir_demo_view_begin(&d->view, d->opts->screen, &d->views, begin);
	while (for_us == 0 || now.us - begin.us < for_us) {
		int64_t left_ms = for_us == 0 ? REDRAW_MS : (for_us - (now.us - begin.us)) / 1000 + 1;
		if (weir_signal_wait((uint64_t)(left_ms < REDRAW_MS ? left_ms : REDRAW_MS)) != 0 || engine_failed(d, &code))
			break;
		now = weir_steady_now();
		weir_demo_views_observe(&d->views, d->run, now);
		if (!d->opts->json)
			weir_demo_view_draw(&d->view, d->run, d->traffic, now);
	}
	weir_demo_traffic_stop(d->traffic);
	weir_demo_traffic_totals(d->traffic, &d->sent);
	return code;
}

static uint64_t
records_done(const struct weir_run_counters *c)
{
	uint64_t done = c->counted + c->duplicates;
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		done += c->rejected[i];
	return done;
}

/* Waits until all records are counted and the carrier has every card where it belongs. What is missing then differs. */
static int
wait_quiet(struct demo *d)
{
	struct weir_steady until = weir_steady_in_us(QUIET_US);
	int code;
	print_step(d, "traffic ended; waiting until all is counted and confirmed");
	for (;;) {
		if (engine_failed(d, &code))
			return code;
		weir_run_counters_get(d->run, &d->counted);
		bool done = records_done(&d->counted) >= d->sent.records &&
			    weir_demo_carrier_differs(d->sandbox.carrier, d->fleet, weir_wall_now().us) == 0;
		if (done || weir_steady_reached(until))
			break;
		if (weir_signal_wait(50) != 0) {
			d->interrupted = true;
			break;
		}
	}
	/* A confirmation may still be on its way to its lane, and usage to its pool: a tick and two hops. */
	d->interrupted |= weir_signal_wait(1000) != 0;
	weir_run_counters_get(d->run, &d->counted);
	return WEIR_EXIT_OK;
}

/* The generator's and the engine's counts as wholes. */
static void
totals_compare(struct demo *d)
{
	uint64_t rejected = 0;
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		rejected += d->counted.rejected[i];
	const struct {
		const char *what;
		uint64_t sent, counted;
	} rows[] = {{"unique records", d->sent.unique, d->counted.counted},
	    {"duplicates", d->sent.repeated, d->counted.duplicates}, {"dead letters", d->sent.bad, rejected},
	    {"messages", d->sent.messages, d->counted.messages},
	    {"elements that are no data", d->sent.filtered, d->counted.filtered},
	    {"undelivered messages", 0, d->sent.undelivered}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].sent == rows[i].counted)
			continue;
		(void)fprintf(stderr, "weir demo: %s: sent %" PRIu64 ", counted %" PRIu64 "\n", rows[i].what, rows[i].sent,
		    rows[i].counted);
		d->mismatches++;
	}
}

static void
report(const struct demo *d)
{
	const struct weir_run_counters *c = &d->counted;
	uint64_t p50 = weir_latency_quantile(c->command_latency, 0.5),
		 p99 = weir_latency_quantile(c->command_latency, 0.99);
	if (d->opts->json) {
		(void)printf("{\"records\":%" PRIu64 ",\"counted\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"late\":%" PRIu64
			     ",\"before_cycle\":%" PRIu64 ",\"dead_letters\":%" PRIu64 ",\"cards\":%" PRIu32
			     ",\"requests\":%" PRIu64 ",\"suspends\":%" PRIu64 ",\"resumes\":%" PRIu64
			     ",\"commands_confirmed\":%" PRIu64 ",\"pools\":%" PRIu32 ",\"partials\":%" PRIu64
			     ",\"words\":%" PRIu64 ",\"walked\":%" PRIu64 ",\"alerts\":%" PRIu64 ",\"feed_rows\":%" PRIu64
			     ",\"restated\":%" PRIu64 ",\"mismatches\":%" PRIu32 ",\"latency_us_p50\":%" PRIu64
			     ",\"latency_us_p99\":%" PRIu64 ",\"seed\":%" PRIu64 "}\n",
		    c->records, c->counted, c->duplicates, d->sent.late, d->sent.before_cycle, d->sent.bad, d->fleet->count,
		    d->sent.requests, c->suspends, c->resumes, c->commands_confirmed, d->fleet->pool_count,
		    c->reports_published, c->pool_states_published, c->members_scanned, c->alerts, weir_run_feed_rows(c),
		    c->rows_again, d->mismatches, p50, p99, d->opts->seed);
		return;
	}
	(void)printf("\n%" PRIu64 " records: %" PRIu64 " counted, %" PRIu64 " duplicates, %" PRIu64
		     " late by hours (%" PRIu64 " into the cycle before), %" PRIu64 " dead letters\n",
	    c->records, c->counted, c->duplicates, d->sent.late, d->sent.before_cycle, d->sent.bad);
	(void)printf("%" PRIu32 " cards: %" PRIu64 " suspends, %" PRIu64 " resumes, %" PRIu64
		     " commands confirmed; record to carrier p50 %.1f ms, p99 %.1f ms\n",
	    d->fleet->count, c->suspends, c->resumes, c->commands_confirmed, (double)p50 / 1000.0, (double)p99 / 1000.0);
	(void)printf("%" PRIu32 " pools: %" PRIu64 " usage reports, %" PRIu64 " state updates, %" PRIu64
		     " members scanned because of them, %" PRIu64 " alerts\n",
	    d->fleet->pool_count, c->reports_published, c->pool_states_published, c->members_scanned, c->alerts);
	(void)printf("feeds: %" PRIu64 " rows of hours and days, %" PRIu64 " of them for late records\n",
	    weir_run_feed_rows(c), c->rows_again);
	(void)printf("%s: %" PRIu32 " differences between what was sent and what Redis and the carrier hold\n",
	    d->mismatches == 0 ? "exact" : "WRONG", d->mismatches);
}

static int
compare_results(struct demo *d)
{
	struct weir_error err = {0};
	if (d->interrupted) {
		(void)weir_error_set(&err, WEIR_FATAL, "ended by a second signal; nothing was compared");
		return demo_fail(WEIR_FATAL, &err);
	}
	enum weir_class class =
	    weir_demo_verify(d->sandbox.settings, d->sandbox.carrier, d->fleet, weir_wall_now().us, &d->mismatches, &err);
	if (class != WEIR_OK)
		return demo_fail(class, &err);
	totals_compare(d);
	report(d);
	return d->mismatches == 0 ? WEIR_EXIT_OK : WEIR_EXIT_FAILED;
}

static int
demo_course(struct demo *d)
{
	struct weir_error err = {0};
	enum weir_class class = weir_demo_sandbox_open(d->opts->seed, &d->sandbox, &err);
	if (class != WEIR_OK)
		return demo_fail(class, &err);
	d->fleet = weir_demo_fleet_new(d->opts->cards, d->opts->rate, &d->rng, weir_wall_now().us);
	int code = engine_start(d);
	if (code == WEIR_EXIT_OK)
		code = views_open(d);
	if (code == WEIR_EXIT_OK)
		code = traffic_watch(d);
	if (code == WEIR_EXIT_OK)
		code = wait_quiet(d);
	weir_demo_views_close(&d->views);
	if (d->run != NULL) {
		weir_run_stop(d->run);
		weir_run_free(d->run);
	}
	return code == WEIR_EXIT_OK ? compare_results(d) : code;
}

int
weir_demo_run(const struct weir_demo_opts *opts)
{
	struct demo d = {.opts = opts, .rng = {opts->seed}};
	weir_signal_block();
	print_step(&d, "starting broker, redis-server, carrier and weir");
	int code = demo_course(&d);
	weir_log_close();
	if (code != WEIR_EXIT_OK)
		log_published(&d);
	weir_demo_traffic_free(d.traffic);
	weir_demo_fleet_free(d.fleet);
	weir_demo_sandbox_close(&d.sandbox);
	return code;
}
