/*
 * `weir bench latency`: open loop at shares of the capacity that was measured just before, on a real Kafka and Redis with a
 * real `weir run`. Latency runs from the time at which a record was due
 *   to its command at the adapter: cards whose plan a record exhausts, and every member of pools that a record exhausts
 *     (times from the audit topic, latency_commands.h);
 *   to its visibility in Redis: all records (latency_watch.h).
 * The capacity is a live one: records are sent as fast as the broker takes them while weir drains them; a preloaded topic
 * would drain faster than the broker can take records in, and no open loop could reach that. A stage in which the generator
 * fell behind is marked invalid, and its figures are no figures.
 */
#include "bench/latency.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/latency_commands.h"
#include "bench/raw_sink.h"
#include "bench/servers_options.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "config/base/exit.h"

enum { SHARES_MAX = 8, READY_MS = 300000, QUIET_MS = 300000, COMMANDS_US = 500000, MEMBERS = 50, POLL_US = 2000 };
static const double QUANTILES[] = {0.5, 0.9, 0.99, 0.999, 0.9999, 1};
enum { QUANTILE_COUNT = 6 };

struct latency_opts {
	struct bench_common common;
	struct bench_place place;
	const char *shares;
	uint64_t cards, lanes, capacity, flood_s, warmup_s, seconds, linger_us, connections, card_every, pool_every;
};

struct latency {
	const struct latency_opts *opts;
	struct rig rig;
	struct bench_weir weir;
	struct report *report;
	json_t *table, *chart_command, *chart_visible, *cores;
	uint64_t next_card, next_pool; /* victims so far */
	double capacity;
};

/* ---- capacity ---- */

static enum weir_class
stored_sum(struct latency *l, int64_t *sum_out, struct weir_error *err)
{
	uint32_t partitions = l->rig.site->opts.partitions;
	int64_t *offsets = weir_calloc(partitions, sizeof(*offsets));
	enum weir_class class =
	    bench_redis_offsets(l->rig.site->redis, l->rig.prefix, l->rig.topic, partitions, offsets, err);
	*sum_out = 0;
	for (uint32_t p = 0; p < partitions; p++)
		*sum_out += offsets[p];
	free(offsets);
	return class;
}

static enum weir_class
put_now(struct latency *l, struct raw_sink *sink, struct weir_buf *out, struct weir_error *err)
{
	struct workload_record r;
	char key[WEIR_ICCID_TEXT_MAX];
	int64_t now_us = weir_wall_now().us;
	workload_next(l->rig.generator, &r);
	r.end_us = now_us / 1000 * 1000;
	bench_totals_add(&l->rig.totals[r.card], &r);
	out->len = 0;
	workload_message(&l->rig.workload, &r, 1, out);
	workload_iccid_text(r.card, key);
	return raw_sink_put(sink, key, WEIR_ICCID_TEXT_MAX - 1, (const char *)out->data, out->len, now_us / 1000, err);
}

/* Sends for flood_s; what was stored between a third of that and its end is the capacity. */
static enum weir_class
flood(struct latency *l, struct raw_sink *sink, struct weir_error *err)
{
	struct weir_steady begun = weir_steady_now(), third = {0};
	int64_t length = (int64_t)l->opts->flood_s * 1000000, first = 0, last;
	struct weir_buf out = {0};
	enum weir_class class = WEIR_OK;
	while (class == WEIR_OK && weir_steady_since_us(begun) < length) {
		for (uint32_t i = 0; i < 1000 && class == WEIR_OK; i++)
			class = put_now(l, sink, &out, err);
		if (third.us == 0 && weir_steady_since_us(begun) > length / 3 && class == WEIR_OK) {
			class = stored_sum(l, &first, err);
			third = weir_steady_now();
		}
	}
	if (class == WEIR_OK)
		class = stored_sum(l, &last, err);
	if (class == WEIR_OK)
		l->capacity = (double)(last - first) * 1e6 / (double)weir_steady_since_us(third);
	weir_buf_free(&out);
	return class == WEIR_OK ? raw_sink_finish(sink, err) : class;
}

static enum weir_class
measure_capacity(struct latency *l, struct weir_error *err)
{
	struct raw_sink *sink = NULL;
	l->capacity = (double)l->opts->capacity;
	if (l->opts->capacity != 0)
		return WEIR_OK;
	if (raw_sink_open(l->rig.site->settings, l->rig.topic, l->rig.site->opts.partitions, &sink, err) != WEIR_OK)
		return WEIR_FATAL;
	enum weir_class class = flood(l, sink, err);
	raw_sink_close(sink);
	if (class == WEIR_OK && l->capacity < 100)
		class = weir_error_set(err, WEIR_FATAL, "nothing was stored while records were sent: no capacity to go by");
	return class == WEIR_OK ? rig_wait_quiet(&l->rig, &l->weir, 1, QUIET_MS, err) : class;
}

/* ---- one stage ---- */

struct stage {
	double share;
	uint64_t rate;
	struct bench_victims victims;
	int64_t *card_due_us, *pool_due_us;
	struct watch *watch;
	struct pace *pace;
	struct pace_sent sent;
	struct samples card, member, pool, visible; /* pool: its last member's command */
	uint64_t commands, wanted;
	struct bench_cpu weir_cpu;
	double redis_s, broker_s;
};

static enum weir_class
stage_victims(struct latency *l, struct stage *s, struct weir_error *err)
{
	const struct latency_opts *o = l->opts;
	uint64_t records = s->rate * o->seconds, partitions = o->place.partitions;
	uint64_t pools = o->pool_every != 0 ? records / o->pool_every : 0;
	s->victims = (struct bench_victims){.first = l->rig.workload.cards + l->next_card,
	    .count = o->card_every != 0 ? records / o->card_every : 0,
	    .pools = pools,
	    .members = MEMBERS,
	    .pool_number = l->next_pool};
	s->victims.pool_first = s->victims.first + s->victims.count;
	l->next_card += s->victims.count + pools * MEMBERS;
	l->next_pool += pools;
	s->card_due_us = weir_calloc(s->victims.count + 1, sizeof(int64_t));
	s->pool_due_us = weir_calloc(pools + 1, sizeof(int64_t));
	if (bench_fill_victims(l->rig.site, &s->victims, err) != WEIR_OK)
		return WEIR_FATAL;
	int64_t *ends = weir_calloc(partitions, sizeof(*ends));
	const char *topic = l->rig.site->settings->topic_cards;
	enum weir_class class = bench_topic_ends(l->rig.site, topic, (uint32_t)partitions, ends, err);
	if (class == WEIR_OK)
		class = bench_redis_reach(l->rig.site, l->rig.prefix, topic, ends, &l->weir, 1, QUIET_MS, err);
	free(ends);
	return class;
}

static enum weir_class
stage_load(struct latency *l, struct stage *s, struct weir_error *err)
{
	const struct latency_opts *o = l->opts;
	struct pace_sent warm;
	struct bench_cpu before = {0}, after = {0};
	double redis, broker;
	struct pace_part part = {.rate = s->rate, .records = s->rate * o->warmup_s};
	if (pace_send(s->pace, &part, &warm, err) != WEIR_OK || bench_redis_cpu(l->rig.site, &redis, err) != WEIR_OK)
		return WEIR_FATAL;
	part = (struct pace_part){.rate = s->rate,
	    .records = s->rate * o->seconds,
	    .card_every = o->card_every,
	    .pool_every = o->pool_every,
	    .victims = &s->victims,
	    .card_due_us = s->card_due_us,
	    .pool_due_us = s->pool_due_us};
	bench_cpu_add(&before, l->weir.child.pid);
	broker = (double)drain_broker_ns(l->rig.site) / 1e9;
	if (pace_send(s->pace, &part, &s->sent, err) != WEIR_OK)
		return WEIR_FATAL;
	bench_cpu_add(&after, l->weir.child.pid);
	s->weir_cpu = bench_cpu_between(&before, &after);
	s->broker_s = (double)drain_broker_ns(l->rig.site) / 1e9 - broker;
	if (bench_redis_cpu(l->rig.site, &s->redis_s, err) != WEIR_OK || pace_finish(s->pace, err) != WEIR_OK)
		return WEIR_FATAL;
	s->redis_s -= redis;
	return rig_wait_quiet(&l->rig, &l->weir, 1, QUIET_MS, err);
}

/* Of each pool: every member's command, and the last of them. */
static void
pool_samples(struct stage *s, const struct commands *c)
{
	for (uint64_t k = 0; k < s->victims.pools; k++) {
		int64_t last = 0;
		for (uint64_t i = 0; i < s->victims.members && s->pool_due_us[k] != 0; i++) {
			int64_t sent_us = c->sent_us[s->victims.count + k * s->victims.members + i];
			s->wanted++;
			if (sent_us != 0)
				samples_add(&s->member, sent_us - s->pool_due_us[k], 1);
			last = sent_us > last ? sent_us : last;
		}
		if (last != 0)
			samples_add(&s->pool, last - s->pool_due_us[k], 1);
	}
}

static enum weir_class
stage_commands(struct latency *l, struct stage *s, struct weir_error *err)
{
	struct commands c = {.first = s->victims.first, .count = s->victims.count + s->victims.pools * s->victims.members};
	bench_sleep_us(COMMANDS_US);
	enum weir_class class = commands_read(l->rig.site, &c, err);
	for (uint64_t i = 0; class == WEIR_OK && i < s->victims.count; i++) {
		s->wanted += s->card_due_us[i] != 0;
		if (c.sent_us[i] != 0 && s->card_due_us[i] != 0)
			samples_add(&s->card, c.sent_us[i] - s->card_due_us[i], 1);
	}
	if (class == WEIR_OK)
		pool_samples(s, &c);
	s->commands = c.sent;
	commands_free(&c);
	if (class == WEIR_OK && s->commands < s->wanted)
		return weir_error_set(err, WEIR_FATAL, "%" PRIu64 " of %" PRIu64 " suspends were never sent",
		    s->wanted - s->commands, s->wanted);
	return class;
}

static enum weir_class
stage_run(struct latency *l, struct stage *s, struct weir_error *err)
{
	const struct watch_opts watch = {.settings = l->rig.site->settings,
	    .prefix = l->rig.prefix,
	    .topic = l->rig.topic,
	    .partitions = (uint32_t)l->opts->place.partitions,
	    .poll_us = POLL_US};
	if (stage_victims(l, s, err) != WEIR_OK || watch_start(&watch, &s->watch, err) != WEIR_OK)
		return WEIR_FATAL;
	const struct pace_opts pace = {.settings = l->rig.site->settings,
	    .workload = &l->rig.workload,
	    .generator = l->rig.generator,
	    .topic = l->rig.topic,
	    .connections = (uint32_t)l->opts->connections,
	    .linger_us = l->opts->linger_us,
	    .on_written = watch_written,
	    .ctx = s->watch,
	    .totals = l->rig.totals};
	if (pace_open(&pace, &s->pace, err) != WEIR_OK || stage_load(l, s, err) != WEIR_OK)
		return WEIR_FATAL;
	watch_samples(s->watch, s->sent.begun_us, s->sent.ended_us, &s->visible);
	return stage_commands(l, s, err);
}

static void
stage_free(struct stage *s)
{
	pace_close(s->pace);
	watch_stop(s->watch);
	samples_free(&s->card);
	samples_free(&s->member);
	samples_free(&s->pool);
	samples_free(&s->visible);
	free(s->card_due_us);
	free(s->pool_due_us);
}

/* ---- telling ---- */

/* A quantile needs as many samples as lie beyond it; without them it would repeat the largest. */
static bool
is_backed(const struct samples *samples, double q)
{
	return q >= 1 ? samples->n > 0 : (1 - q) * (double)samples->weight >= 1;
}

static void
print_samples(struct latency *l, const struct stage *s, const char *what, struct samples *samples, json_t *chart)
{
	char name[96], series[32];
	static const char *const words[QUANTILE_COUNT] = {"p50", "p90", "p99", "p999", "p9999", "max"};
	(void)snprintf(series, sizeof(series), "%s %.0f %%", what, s->share * 100);
	report_cell_text(l->table, "%.0f %%", s->share * 100);
	report_cell_text(l->table, "%s", what);
	report_cell_text(l->table, "%s", s->sent.valid ? "yes" : "NO");
	report_cell(l->table, (double)s->rate);
	report_cell(l->table, (double)samples->weight);
	for (uint32_t i = 0; i < QUANTILE_COUNT; i++) {
		double ms = (double)samples_quantile(samples, QUANTILES[i]) / 1e3;
		if (!is_backed(samples, QUANTILES[i])) {
			report_cell_text(l->table, "-");
			continue;
		}
		report_cell(l->table, ms);
		(void)snprintf(name, sizeof(name), "%.0f.%s.%s", s->share * 100, what, words[i]);
		if (s->sent.valid)
			report_figure(l->report, name, "us", ms * 1e3);
	}
	for (double q = 0; q < 0.99995; q = q < 0.9 ? q + 0.05 : q + (1 - q) / 4)
		if (is_backed(samples, q) && s->sent.valid)
			report_point(chart, series, q, (double)samples_quantile(samples, q) / 1e3);
}

static void
print_stage(struct latency *l, struct stage *s)
{
	double took = (double)(s->sent.ended_us - s->sent.begun_us) / 1e6;
	if (s->victims.count > 0)
		print_samples(l, s, "card", &s->card, l->chart_command);
	if (s->victims.pools > 0) {
		print_samples(l, s, "pool_member", &s->member, l->chart_command);
		print_samples(l, s, "pool_last", &s->pool, l->chart_command);
	}
	print_samples(l, s, "visible", &s->visible, l->chart_visible);
	report_cell_text(l->cores, "%.0f %%", s->share * 100);
	report_cell(l->cores, (double)s->sent.late_us_max / 1e3);
	report_cell(l->cores, (double)s->sent.unanswered_max);
	report_cell(l->cores, (double)bench_cpu_total(&s->weir_cpu) / 1e9 / took);
	report_cell(l->cores, s->broker_s / took);
	report_cell(l->cores, s->redis_s / took);
	report_cell(l->cores, s->sent.cpu_s / took);
	if (!s->sent.valid)
		report_note(l->report,
		    "INVALID at %.0f %%: the generator was up to %.0f ms late or did not reach its rate.", s->share * 100,
		    (double)s->sent.late_us_max / 1e3);
}

static enum weir_class
one_stage(struct latency *l, double share, struct weir_error *err)
{
	struct stage s = {.share = share, .rate = (uint64_t)(share * l->capacity)};
	if (s.rate == 0)
		s.rate = 1;
	enum weir_class class = stage_run(l, &s, err);
	if (class == WEIR_OK)
		print_stage(l, &s);
	if (class == WEIR_OK && !l->opts->common.json)
		(void)fprintf(stderr, "%3.0f %%: %" PRIu64 " records/s, card p99 %.1f ms%s\n", share * 100, s.rate,
		    (double)samples_quantile(&s.card, 0.99) / 1e3, s.sent.valid ? "" : ", INVALID");
	stage_free(&s);
	return class;
}

/* ---- all of it ---- */

static enum weir_class
all_stages(struct latency *l, struct weir_error *err)
{
	uint64_t percents[SHARES_MAX], records, hash;
	uint32_t count;
	if (bench_numbers("shares", l->opts->shares, percents, SHARES_MAX, &count, err) != WEIR_OK)
		return WEIR_POISON;
	if (rig_weir_start(&l->rig, NULL, &l->weir, err) != WEIR_OK ||
	    bench_weir_ready(&l->weir, READY_MS, err) != WEIR_OK || measure_capacity(l, err) != WEIR_OK)
		return WEIR_FATAL;
	report_figure(l->report, "capacity", "1/s", l->capacity);
	for (uint32_t i = 0; i < count; i++)
		if (one_stage(l, (double)percents[i] / 100, err) != WEIR_OK)
			return WEIR_FATAL;
	if (bench_weir_stop(&l->weir, err) != WEIR_OK || rig_check(&l->rig, &records, &hash, err) != WEIR_OK)
		return WEIR_FATAL;
	report_note(l->report,
	    "Every record's usage was compared with what was sent, card by card: exact (%" PRIu64 " records).", records);
	if (l->opts->capacity != 0) { /* else there are as many records as were taken in while the capacity was measured */
		report_hash_u64(l->report, records);
		report_hash_u64(l->report, hash);
	} else {
		report_note(l->report, "The hash needs --capacity: a measured one decides how many records there are.");
	}
	return WEIR_OK;
}

static void
tables(struct latency *l)
{
	l->table = report_table(
	    l->report, "latency from due, ms", "share|to|valid|records/s|samples|p50|p90|p99|p99.9|p99.99|max");
	l->cores = report_table(l->report, "the generator, and cores used",
	    "share|late at most, ms|unanswered at most|weir|broker|redis|generator");
	l->chart_command = report_chart(l->report, REPORT_PERCENTILES, "due to command at the adapter", "quantile", "ms");
	l->chart_visible = report_chart(l->report, REPORT_PERCENTILES, "due to visible in Redis", "quantile", "ms");
}

static enum weir_class
run_at(struct latency *l, struct bench_site *site, const struct workload *w, struct weir_error *err)
{
	const struct latency_opts *o = l->opts;
	bench_place_report(&o->place, site, l->report);
	report_config_text(l->report, "workload", w->name);
	report_config_number(l->report, "cards", w->cards);
	report_config_number(l->report, "lanes", o->lanes);
	report_config_number(l->report, "seconds", o->seconds);
	report_config_number(l->report, "card_every", o->card_every);
	report_config_number(l->report, "pool_every", o->pool_every);
	report_config_number(l->report, "pool_members", MEMBERS);
	tables(l);
	enum weir_class class = rig_open(site, w, o->common.seed, (uint32_t)o->lanes, &l->rig, err);
	if (class == WEIR_OK)
		class = all_stages(l, err);
	(void)bench_child_stop(&l->weir.child, SIGKILL, 1000);
	rig_close(&l->rig);
	return class;
}

static int
run_all(const struct latency_opts *o, const struct workload *w)
{
	struct bench_site site;
	struct weir_error err = {0};
	struct latency l = {.opts = o, .report = report_new("latency", &o->common)};
	enum weir_class class = bench_place_open(&o->place, "none", &site, &err);
	if (class == WEIR_OK)
		class = run_at(&l, &site, w, &err);
	bench_site_close(&site);
	if (class == WEIR_OK)
		return report_finish(l.report, &o->common);
	report_free(l.report);
	return bench_fail("latency", class == WEIR_POISON ? WEIR_EXIT_USAGE : WEIR_EXIT_FAILED, &err);
}

static const char TEXT[] =
    "Sends records open loop at shares of the live capacity, and tells how long after they were due their commands were "
    "at\n"
    "the adapter and their usage was visible in Redis. Kafka and Redis are those of the settings, or started with "
    "--start.\n"
    "Connections to Kafka must be plain text. A stage in which the generator fell behind is marked invalid.\n";

int
bench_latency(int argc, char **argv)
{
	struct latency_opts o = {.common.seed = 1,
	    .place.partitions = 4,
	    .lanes = 2,
	    .flood_s = 12,
	    .warmup_s = 3,
	    .seconds = 20,
	    .linger_us = 2000,
	    .connections = 2,
	    .card_every = 1000,
	    .pool_every = 50000,
	    .shares = "25,50,70,90"};
	struct workload w;
	const struct weir_option options[] = {BENCH_OPTIONS_PLACE(o.place), BENCH_OPTION_WORKLOAD(o.common),
	    {.name = "cards",
		.placeholder = "N",
		.help = "of the fleet, default its workload's",
		.number = &o.cards,
		.min = 1},
	    {.name = "lanes", .placeholder = "N", .help = "default 2", .number = &o.lanes, .min = 1, .max = 64},
	    {.name = "shares",
		.placeholder = "LIST",
		.help = "percent of the capacity, default 25,50,70,90",
		.text = &o.shares},
	    {.name = "capacity", .placeholder = "N", .help = "records/s; 0 = measured, the default", .number = &o.capacity},
	    {.name = "flood",
		.placeholder = "S",
		.help = "seconds of that measurement, default 12",
		.number = &o.flood_s,
		.min = 3},
	    {.name = "warmup",
		.placeholder = "S",
		.help = "seconds of each stage before, default 3",
		.number = &o.warmup_s},
	    {.name = "seconds", .placeholder = "S", .help = "of each stage, default 20", .number = &o.seconds, .min = 1},
	    {.name = "card-every",
		.placeholder = "N",
		.help = "a record in N exhausts a card, default 1000",
		.number = &o.card_every},
	    {.name = "pool-every",
		.placeholder = "N",
		.help = "a record in N exhausts a pool, default 50000",
		.number = &o.pool_every},
	    {.name = "linger-us",
		.placeholder = "US",
		.help = "records sent together, default 2000",
		.number = &o.linger_us,
		.min = 100,
		.max = 1000000},
	    {.name = "connections",
		.placeholder = "N",
		.help = "to each broker, default 2",
		.number = &o.connections,
		.min = 1,
		.max = 64},
	    BENCH_OPTIONS_COMMON(o.common), {0}};
	struct weir_words words;
	struct weir_error err = {0};
	int code;
	if (!bench_accept("latency", TEXT, options, argc, argv, 0, 0, &words, &code))
		return code;
	if (workload_load(o.common.workload != NULL ? o.common.workload : "whole", &w, &err) != WEIR_OK)
		return bench_fail("latency", WEIR_EXIT_USAGE, &err);
	workload_scale(&w, o.common.quick && o.cards == 0 ? 2000 : o.cards, 0);
	if (o.common.quick) {
		o.flood_s = 3;
		o.warmup_s = 1;
		o.seconds = 2;
		o.card_every = 100;
		o.pool_every = 5000;
		o.capacity = o.capacity == 0 ? 20000 : o.capacity;
	}
	return run_all(&o, &w);
}
