/*
 * `weir bench recover`: how long after an event fresh records count again, under an open-loop load that goes on throughout.
 *
 * Each scenario is an event at a time T (a process killed or stopped, a start, a restart of Redis) and the time from T
 * until in each partition the first record is visible in Redis that was due after T; the slowest partition is the figure.
 * At the end Redis is compared with what was sent, card by card. Scenarios: kill      two processes, one is killed: its
 * partitions' take-over; contains kafka.session_timeout_ms handover  the same with SIGTERM restart   the only process is
 * stopped and started at once: the whole state from Redis crash     the same after kill -9: contains
 * kafka.session_timeout_ms static    the same with kafka.instance set: the broker knows the member again redis     Redis is
 * killed and started again from its append-only file (everysec); with --start only backlog   nobody reads for a while, then
 * one process catches up; contains the backlog
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/latency.h"
#include "bench/servers_options.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "config/base/exit.h"

enum {
	SCENARIOS_MAX = 8,
	READY_MS = 300000,
	FRESH_MS = 300000,
	STEADY_US = 2500000,
	POLL_US = 2000,
	CHECK_EVERY_US = 20000
};
enum { LINGER_US = 5000, GROUP_MOVES_MS = 60000 };
#define INSTANCE "weir-bench"
#define WITHOUT_END (UINT64_C(1) << 40)

struct recover_opts {
	struct bench_common common;
	struct bench_place place;
	const char *scenarios, *cards;
	uint64_t lanes, rate, backlog_s, rounds;
};

struct recover {
	const struct recover_opts *opts;
	struct rig rig;
	struct bench_weir weirs[2];
	struct watch *watch;
	struct pace *pace;
	struct pace_sent sent;
	pthread_t load;
	bool loading;
	atomic_bool stop;
	enum weir_class load_class; /* of the load's thread; read after it ended */
	struct weir_error load_err;
	struct report *report;
	json_t *table;
	uint64_t cards;
};

/* ---- load ---- */

static void *
load_run(void *arg)
{
	struct recover *r = arg;
	const struct pace_part part = {.rate = r->opts->rate, .records = WITHOUT_END, .stop = &r->stop};
	r->load_class = pace_send(r->pace, &part, &r->sent, &r->load_err);
	if (r->load_class == WEIR_OK)
		r->load_class = pace_finish(r->pace, &r->load_err);
	return NULL;
}

static enum weir_class
load_start(struct recover *r, struct weir_error *err)
{
	struct bench_site *site = r->rig.site;
	const struct watch_opts watch = {.settings = site->settings,
	    .prefix = r->rig.prefix,
	    .topic = r->rig.topic,
	    .partitions = site->opts.partitions,
	    .poll_us = POLL_US};
	if (watch_start(&watch, &r->watch, err) != WEIR_OK)
		return WEIR_FATAL;
	const struct pace_opts pace = {.settings = site->settings,
	    .workload = &r->rig.workload,
	    .generator = r->rig.generator,
	    .topic = r->rig.topic,
	    .connections = 1,
	    .linger_us = LINGER_US,
	    .on_written = watch_written,
	    .ctx = r->watch,
	    .totals = r->rig.totals};
	if (pace_open(&pace, &r->pace, err) != WEIR_OK)
		return WEIR_FATAL;
	atomic_store(&r->stop, false);
	r->loading = pthread_create(&r->load, NULL, load_run, r) == 0;
	return r->loading ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "no thread");
}

/* Ends the load; its own failure is the caller's. */
static enum weir_class
load_stop(struct recover *r, struct weir_error *err)
{
	if (!r->loading)
		return WEIR_OK;
	atomic_store(&r->stop, true);
	(void)pthread_join(r->load, NULL);
	r->loading = false;
	if (r->load_class != WEIR_OK)
		*err = r->load_err;
	return r->load_class;
}

static void
load_free(struct recover *r)
{
	struct weir_error err;
	(void)load_stop(r, &err);
	pace_close(r->pace);
	watch_stop(r->watch);
	r->pace = NULL;
	r->watch = NULL;
}

/* ---- waiting ---- */

struct fresh {
	double slowest_s, fastest_s; /* partitions */
};

/* Until every partition shows a record that was due after `after_us`. */
static enum weir_class
wait_fresh(struct recover *r, int64_t after_us, struct fresh *fresh, struct weir_error *err)
{
	uint32_t partitions = r->rig.site->opts.partitions;
	int64_t *first = weir_calloc(partitions, sizeof(*first));
	struct weir_steady until = weir_steady_in_ms(FRESH_MS);
	enum weir_class class = WEIR_OK;
	while (!watch_fresh(r->watch, after_us, first) && class == WEIR_OK) {
		for (uint32_t i = 0; i < 2 && class == WEIR_OK; i++)
			if (r->weirs[i].child.pid != 0)
				class = bench_child_alive(&r->weirs[i].child, err);
		if (class == WEIR_OK && weir_steady_reached(until))
			class = weir_error_set(
			    err, WEIR_FATAL, "no fresh record in every partition within %d s", FRESH_MS / 1000);
		bench_sleep_us(CHECK_EVERY_US);
	}
	*fresh = (struct fresh){.fastest_s = 1e9};
	for (uint32_t p = 0; p < partitions; p++) {
		double s = (double)(first[p] - after_us) / 1e6;
		fresh->slowest_s = s > fresh->slowest_s ? s : fresh->slowest_s;
		fresh->fastest_s = s < fresh->fastest_s ? s : fresh->fastest_s;
	}
	free(first);
	return class;
}

static enum weir_class
wait_steady(struct recover *r, struct weir_error *err)
{
	struct fresh fresh;
	if (wait_fresh(r, weir_wall_now().us, &fresh, err) != WEIR_OK)
		return WEIR_FATAL;
	bench_sleep_us(STEADY_US);
	return WEIR_OK;
}

static enum weir_class
start_one(struct recover *r, uint32_t i, struct weir_error *err)
{
	return rig_weir_start(&r->rig, NULL, &r->weirs[i], err);
}

/* ---- scenarios ---- */

/* Returns with both owning their share. */
static enum weir_class
start_second(struct recover *r, struct weir_error *err)
{
	double owned = 0;
	struct weir_steady until = weir_steady_in_ms(GROUP_MOVES_MS);
	if (start_one(r, 1, err) != WEIR_OK || bench_weir_ready(&r->weirs[1], READY_MS, err) != WEIR_OK)
		return WEIR_FATAL;
	while (owned == 0 && !weir_steady_reached(until)) {
		if (!bench_weir_metric(&r->weirs[1], "weir_partition_epoch", &owned))
			owned = 0;
		bench_sleep_us(CHECK_EVERY_US);
	}
	if (owned == 0)
		return weir_error_set(err, WEIR_FATAL, "the second process got no partition");
	return wait_steady(r, err);
}

static enum weir_class
lose_second(struct recover *r, int number, struct fresh *fresh, struct weir_error *err)
{
	if (start_second(r, err) != WEIR_OK)
		return WEIR_FATAL;
	struct bench_child leaving = r->weirs[1].child;
	r->weirs[1].child.pid = 0; /* its end is no failure */
	int64_t at_us = weir_wall_now().us;
	(void)kill(leaving.pid, number);
	enum weir_class class = wait_fresh(r, at_us, fresh, err);
	(void)bench_child_stop(&leaving, SIGTERM, 60000);
	return class;
}

static enum weir_class
scenario_kill(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	return lose_second(r, SIGKILL, fresh, err);
}

static enum weir_class
scenario_handover(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	return lose_second(r, SIGTERM, fresh, err);
}

/* From the start of the new process. */
static enum weir_class
start_again(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	int64_t at_us = weir_wall_now().us;
	if (start_one(r, 0, err) != WEIR_OK)
		return WEIR_FATAL;
	return wait_fresh(r, at_us, fresh, err);
}

static enum weir_class
scenario_restart(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	if (bench_weir_stop(&r->weirs[0], err) != WEIR_OK)
		return WEIR_FATAL;
	return start_again(r, fresh, err);
}

static enum weir_class
scenario_crash(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	(void)bench_child_stop(&r->weirs[0].child, SIGKILL, 5000);
	return start_again(r, fresh, err);
}

static enum weir_class
scenario_static(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	if (bench_weir_stop(&r->weirs[0], err) != WEIR_OK ||
	    rig_weir_start(&r->rig, INSTANCE, &r->weirs[0], err) != WEIR_OK || wait_steady(r, err) != WEIR_OK)
		return WEIR_FATAL;
	(void)bench_child_stop(&r->weirs[0].child, SIGKILL, 5000);
	int64_t at_us = weir_wall_now().us;
	if (rig_weir_start(&r->rig, INSTANCE, &r->weirs[0], err) != WEIR_OK || wait_fresh(r, at_us, fresh, err) != WEIR_OK)
		return WEIR_FATAL;
	struct fresh back; /* a dynamic member again, for what comes next */
	return bench_weir_stop(&r->weirs[0], err) == WEIR_OK ? start_again(r, &back, err) : WEIR_FATAL;
}

static enum weir_class
scenario_redis(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	struct bench_site *site = r->rig.site;
	if (bench_redis_aof(site, "everysec", err) != WEIR_OK)
		return WEIR_FATAL;
	site->opts.redis_aof = "everysec"; /* what it is started with again */
	bench_sleep_us(STEADY_US);
	int64_t at_us = weir_wall_now().us;
	if (bench_redis_again(site, err) != WEIR_OK)
		return WEIR_FATAL;
	enum weir_class class = wait_fresh(r, at_us, fresh, err);
	if (class == WEIR_OK)
		class = bench_redis_connect(site, err);
	return class == WEIR_OK ? bench_redis_aof(site, "none", err) : class;
}

static enum weir_class
scenario_backlog(struct recover *r, struct fresh *fresh, struct weir_error *err)
{
	if (bench_weir_stop(&r->weirs[0], err) != WEIR_OK)
		return WEIR_FATAL;
	bench_sleep_us((int64_t)r->opts->backlog_s * 1000000);
	return start_again(r, fresh, err);
}

static const struct scenario {
	const char *name, *what;
	enum weir_class (*run)(struct recover *r, struct fresh *fresh, struct weir_error *err);
} scenarios[] = {
    {"kill", "one of two processes killed", scenario_kill},
    {"handover", "one of two processes stopped", scenario_handover},
    {"restart", "the only process stopped and started", scenario_restart},
    {"crash", "the only process killed and started", scenario_crash},
    {"static", "the same as a static member", scenario_static},
    {"redis", "Redis killed, started from its file", scenario_redis},
    {"backlog", "nobody read for a while", scenario_backlog},
};
enum { SCENARIO_COUNT = sizeof(scenarios) / sizeof(scenarios[0]) };

/* ---- all of them ---- */

/* One scenario, all rounds: a steady load before and after each. */
static enum weir_class
one_scenario(struct recover *r, const struct scenario *scenario, struct weir_error *err)
{
	double samples[100], fastest = 1e9;
	char name[64], cards[24];
	struct fresh fresh;
	for (uint64_t i = 0; i < r->opts->rounds; i++) {
		if (wait_steady(r, err) != WEIR_OK || scenario->run(r, &fresh, err) != WEIR_OK)
			return WEIR_FATAL;
		samples[i] = fresh.slowest_s;
		fastest = fresh.fastest_s < fastest ? fresh.fastest_s : fastest;
		if (!r->opts->common.json)
			(void)fprintf(stderr, "%-9s %.3f s\n", scenario->name, fresh.slowest_s);
	}
	bench_short(r->cards, cards);
	(void)snprintf(name, sizeof(name), "%s.%s", cards, scenario->name);
	report_samples(r->report, name, "s", samples, (uint32_t)r->opts->rounds);
	report_cell_text(r->table, "%s", cards);
	report_cell_text(r->table, "%s", scenario->name);
	report_cell_text(r->table, "%s", scenario->what);
	report_cell(r->table, samples[r->opts->rounds / 2]); /* sorted by now */
	report_cell(r->table, fastest);
	return WEIR_OK;
}

static enum weir_class
all_scenarios(struct recover *r, const uint64_t *chosen, uint32_t count, struct weir_error *err)
{
	uint64_t records, hash;
	if (start_one(r, 0, err) != WEIR_OK || bench_weir_ready(&r->weirs[0], READY_MS, err) != WEIR_OK ||
	    load_start(r, err) != WEIR_OK)
		return WEIR_FATAL;
	for (uint32_t i = 0; i < count; i++)
		if (one_scenario(r, &scenarios[chosen[i]], err) != WEIR_OK)
			return WEIR_FATAL;
	if (load_stop(r, err) != WEIR_OK || rig_wait_quiet(&r->rig, r->weirs, 1, FRESH_MS, err) != WEIR_OK ||
	    bench_weir_stop(&r->weirs[0], err) != WEIR_OK || rig_check(&r->rig, &records, &hash, err) != WEIR_OK)
		return WEIR_FATAL;
	report_note(r->report,
	    "Redis was compared with what was sent, card by card, after all of it: exact (%" PRIu64 " records).", records);
	report_hash_u64(r->report, r->cards); /* the load goes on for as long as it takes: its records are no result */
	return WEIR_OK;
}

static enum weir_class
one_fleet(struct recover *r, struct bench_site *site, const struct workload *w, const uint64_t *chosen, uint32_t count,
    struct weir_error *err)
{
	r->cards = w->cards;
	enum weir_class class = rig_open(site, w, r->opts->common.seed, (uint32_t)r->opts->lanes, &r->rig, err);
	if (class == WEIR_OK)
		class = all_scenarios(r, chosen, count, err);
	load_free(r);
	for (uint32_t i = 0; i < 2; i++)
		(void)bench_child_stop(&r->weirs[i].child, SIGKILL, 1000);
	rig_close(&r->rig);
	return class;
}

/* The scenarios by their places in the table; all that can be run when none are named. */
static enum weir_class
choose(const struct recover_opts *o, uint64_t *chosen, uint32_t *count_out, struct weir_error *err)
{
	const char *names[SCENARIO_COUNT + 1] = {NULL};
	for (uint32_t i = 0; i < SCENARIO_COUNT; i++)
		names[i] = scenarios[i].name;
	*count_out = 0;
	for (uint32_t i = 0; o->scenarios == NULL && i < SCENARIO_COUNT; i++)
		if (o->place.start || scenarios[i].run != scenario_redis)
			chosen[(*count_out)++] = i;
	if (o->scenarios != NULL &&
	    bench_choices("scenarios", o->scenarios, names, chosen, SCENARIOS_MAX, count_out, err) != WEIR_OK)
		return WEIR_POISON;
	for (uint32_t i = 0; i < *count_out; i++)
		if (scenarios[chosen[i]].run == scenario_redis && !o->place.start)
			return weir_error_set(err, WEIR_POISON, "redis needs --start: somebody's Redis is not killed");
	return WEIR_OK;
}

static enum weir_class
all_fleets(struct recover *r, struct bench_site *site, const struct workload *workload, struct weir_error *err)
{
	uint64_t chosen[SCENARIOS_MAX], cards[DRAIN_LIST_MAX] = {workload->cards};
	uint32_t count, fleets = 1;
	if (choose(r->opts, chosen, &count, err) != WEIR_OK)
		return WEIR_POISON;
	if (r->opts->cards != NULL &&
	    bench_numbers("cards", r->opts->cards, cards, DRAIN_LIST_MAX, &fleets, err) != WEIR_OK)
		return WEIR_POISON;
	for (uint32_t i = 0; i < fleets; i++) {
		struct workload w = *workload;
		workload_scale(&w, cards[i], 0);
		if ((i > 0 && bench_site_renew(site, err) != WEIR_OK) ||
		    one_fleet(r, site, &w, chosen, count, err) != WEIR_OK)
			return WEIR_FATAL;
	}
	return WEIR_OK;
}

static int
run_all(const struct recover_opts *o, const struct workload *w)
{
	struct bench_site site;
	struct weir_error err = {0};
	struct recover r = {.opts = o, .report = report_new("recover", &o->common)};
	enum weir_class class = bench_place_open(&o->place, "none", &site, &err);
	if (class == WEIR_OK) {
		bench_place_report(&o->place, &site, r.report);
		report_config_text(r.report, "workload", w->name);
		report_config_number(r.report, "rate", o->rate);
		report_config_number(r.report, "lanes", o->lanes);
		report_config_number(r.report, "backlog_s", o->backlog_s);
		report_config_number(r.report, "session_timeout_ms", site.settings->kafka_session_ms);
		report_config_number(r.report, "flush_interval_ms", site.settings->flush_interval_ms);
		r.table = report_table(r.report, "event to the first fresh record in every partition, s",
		    "cards|scenario|event|slowest partition|fastest partition");
		class = all_fleets(&r, &site, w, &err);
	}
	bench_site_close(&site);
	if (class == WEIR_OK)
		return report_finish(r.report, &o->common);
	report_free(r.report);
	return bench_fail("recover", class == WEIR_POISON ? WEIR_EXIT_USAGE : WEIR_EXIT_FAILED, &err);
}

static const char TEXT[] =
    "Kills, stops and starts weir and Redis under a load that goes on, and tells how long it takes until fresh records "
    "count\n"
    "again in every partition. Scenarios: kill, handover, restart, crash, static, redis (with --start), backlog; all by "
    "default.\n"
    "Kafka and Redis are those of the settings, or started with --start. Connections to Kafka must be plain text.\n";

int
bench_recover(int argc, char **argv)
{
	struct recover_opts o = {
	    .common.seed = 1, .place.partitions = 4, .lanes = 2, .rate = 20000, .backlog_s = 20, .rounds = 0};
	struct workload w;
	const struct weir_option options[] = {BENCH_OPTIONS_PLACE(o.place), BENCH_OPTION_WORKLOAD(o.common),
	    {.name = "scenarios", .placeholder = "LIST", .help = "such as kill,restart", .text = &o.scenarios},
	    {.name = "cards", .placeholder = "LIST", .help = "of the fleet, such as 1M,10M", .text = &o.cards},
	    {.name = "rate",
		.placeholder = "N",
		.help = "records/s of the load, default 20000",
		.number = &o.rate,
		.min = 100},
	    {.name = "backlog",
		.placeholder = "S",
		.help = "seconds that nobody reads, default 20",
		.number = &o.backlog_s,
		.min = 1},
	    {.name = "lanes", .placeholder = "N", .help = "default 2", .number = &o.lanes, .min = 1, .max = 64},
	    {.name = "rounds", .placeholder = "N", .help = "default 3", .number = &o.rounds, .min = 1, .max = 100},
	    BENCH_OPTIONS_COMMON(o.common), {0}};
	struct weir_words words;
	struct weir_error err = {0};
	int code;
	if (!bench_accept("recover", TEXT, options, argc, argv, 0, 0, &words, &code))
		return code;
	if (workload_load(o.common.workload != NULL ? o.common.workload : "whole", &w, &err) != WEIR_OK)
		return bench_fail("recover", WEIR_EXIT_USAGE, &err);
	if (o.rounds == 0)
		o.rounds = o.common.quick ? 1 : 3;
	if (o.common.quick) {
		workload_scale(&w, 2000, 0);
		o.rate = 2000;
		o.backlog_s = 2;
	}
	return run_all(&o, &w);
}
