/*
 * `weir bench drain`: a preloaded topic on a real broker into a real Redis by `weir run` processes, beside bare librdkafka
 * consumers of the same topic, in turn, several rounds. The ratio of weir to the best bare drain of the same round is the
 * figure to quote; absolute rates belong to the machine.
 *
 * A fleet is loaded once for each number of cards, through the cards topic as an operator would; each drain works on a copy
 * of its keys (COPY within Redis), so that every one begins with the same state and counts all records anew. What Redis
 * holds afterwards is compared card by card with what was sent, by a hash over (card, up, down, records): a drain that is
 * not exact fails. That hash is the result's.
 */
#include "bench/drain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/drain_report.h"
#include "bench/servers_options.h"
#include "config/base/check.h"
#include "config/base/exit.h"

static const char *const FORMATS[] = {"json", "packed", NULL};
static const char *const IDENTITIES[] = {"id", "sequence", NULL};
static const char *const AOFS[] = {"none", "everysec", "always", NULL};
static const char *const SOURCES[] = {"auto", "direct", "librdkafka", NULL};

/* Everything is crossed with everything; a list of one is the rule. */
struct drain_opts {
	struct bench_common common;
	struct bench_place place;
	const char *cards, *lanes, *record_count, *formats, *batches, *identities, *skews, *bare, *aof, *sources;
	uint64_t rounds, processes;
};

struct list {
	uint64_t v[DRAIN_LIST_MAX];
	uint32_t n;
};

struct drain_plan {
	struct workload workload;
	struct list cards, lanes, formats, batches, identities, skews_ppm, bare, aof, sources;
};

static const struct weir_error NO_ERROR = {0};

/* "0,1.1" to millionths. */
static enum weir_class
skews_take(const char *text, struct list *out, struct weir_error *err)
{
	for (out->n = 0; out->n < DRAIN_LIST_MAX;) {
		char *end;
		double s = strtod(text, &end);
		if (end == text || s < 0 || s > 3 || (*end != ',' && *end != '\0'))
			break;
		out->v[out->n++] = (uint64_t)(s * 1e6 + 0.5);
		if (*end == '\0')
			return WEIR_OK;
		text = end + 1;
	}
	return weir_error_set(err, WEIR_POISON, "--skew: must be exponents from 0 to 3 such as 0,1.1");
}

static enum weir_class
numbers(const char *option, const char *text, uint64_t otherwise, struct list *out, struct weir_error *err)
{
	*out = (struct list){.v = {otherwise}, .n = 1};
	return text == NULL ? WEIR_OK : bench_numbers(option, text, out->v, DRAIN_LIST_MAX, &out->n, err);
}

static enum weir_class
choices(const char *option, const char *text, const char *const *words, uint64_t otherwise, struct list *out,
    struct weir_error *err)
{
	*out = (struct list){.v = {otherwise}, .n = 1};
	return text == NULL ? WEIR_OK : bench_choices(option, text, words, out->v, DRAIN_LIST_MAX, &out->n, err);
}

static enum weir_class
plan_make(const struct drain_opts *o, struct drain_plan *plan, struct weir_error *err)
{
	struct workload *w = &plan->workload;
	const char *name = o->common.workload != NULL ? o->common.workload : "whole";
	if (workload_load(name, w, err) != WEIR_OK)
		return WEIR_POISON;
	uint32_t one;
	if (o->record_count != NULL && bench_numbers("records", o->record_count, &w->records, 1, &one, err) != WEIR_OK)
		return WEIR_POISON;
	if (o->common.quick)
		workload_scale(w, w->cards < 2000 ? w->cards : 2000, w->records < 40000 ? w->records : 40000);
	plan->skews_ppm = (struct list){.v = {w->skew_ppm}, .n = 1};
	if (o->skews != NULL && skews_take(o->skews, &plan->skews_ppm, err) != WEIR_OK)
		return WEIR_POISON;
	if (numbers("cards", o->cards, w->cards, &plan->cards, err) != WEIR_OK ||
	    numbers("lanes", o->common.quick && o->lanes == NULL ? "1" : o->lanes, 2, &plan->lanes, err) != WEIR_OK ||
	    numbers("batch", o->batches, w->batch, &plan->batches, err) != WEIR_OK ||
	    numbers("bare",
		o->bare != NULL   ? o->bare
		: o->common.quick ? "1,2"
				  : "1,2,4",
		1, &plan->bare, err) != WEIR_OK ||
	    choices("format", o->formats, FORMATS, w->format, &plan->formats, err) != WEIR_OK ||
	    choices("identity", o->identities, IDENTITIES, w->identity, &plan->identities, err) != WEIR_OK ||
	    choices("redis-aof", o->aof, AOFS, 0, &plan->aof, err) != WEIR_OK ||
	    choices("source", o->sources, SOURCES, 0, &plan->sources, err) != WEIR_OK)
		return WEIR_POISON;
	if (o->aof != NULL && !o->place.start)
		return weir_error_set(err, WEIR_POISON,
		    "--redis-aof needs --start: it is no business of a benchmark to set "
		    "up somebody's Redis");
	for (uint32_t i = 0; i < plan->bare.n; i++)
		if (plan->bare.v[i] > o->place.partitions)
			plan->bare.v[i] = o->place.partitions;
	return WEIR_OK;
}

/* ---- one topic ---- */

struct drain_run {
	const struct drain_opts *opts;
	const struct drain_plan *plan;
	struct bench_site *site;
	struct drain_report *report;
	uint32_t topics; /* made so far, for their names */
};

static void
progress(const struct drain_run *run, const char *what, const struct drain_result *r)
{
	if (!run->opts->common.json)
		(void)fprintf(stderr, "%-24s %8.0f records/s\n", what, (double)r->records / r->seconds);
}

/* One way to run weir: lanes, source and append-only setting by their place in the plan's lists. */
struct way {
	uint32_t lanes, source, aof;
};

static enum weir_class
one_weir(
    struct drain_run *run, const struct drain_topic *topic, struct way way, struct drain_set *set, struct weir_error *err)
{
	const struct drain_plan *plan = run->plan;
	uint32_t lanes = (uint32_t)plan->lanes.v[way.lanes];
	uint64_t source = plan->sources.v[way.source], aof = plan->aof.v[way.aof];
	struct drain_result result;
	char what[64];
	bool several = plan->aof.n > 1 || aof != 0;
	if (several && bench_redis_aof(run->site, AOFS[aof], err) != WEIR_OK)
		return WEIR_FATAL;
	(void)snprintf(what, sizeof(what), "weir, %u lane%s%s%s%s%s", lanes, lanes > 1 ? "s" : "", source != 0 ? ", " : "",
	    source != 0 ? SOURCES[source] : "", aof != 0 ? ", aof " : "", aof != 0 ? AOFS[aof] : "");
	const struct drain_setup setup = {(uint32_t)run->opts->processes, lanes, SOURCES[source]};
	enum weir_class class = drain_weir(run->site, topic, &setup, &result, err);
	if (class != WEIR_OK)
		return class;
	progress(run, what, &result);
	drain_set_add(set, what, false, aof == 0, &result);
	return several && aof != 0 ? bench_redis_aof(run->site, "none", err) : WEIR_OK;
}

static enum weir_class
one_round(struct drain_run *run, const struct drain_topic *topic, struct drain_set *set, struct weir_error *err)
{
	const struct drain_plan *plan = run->plan;
	struct drain_result result;
	char what[64];
	for (uint32_t i = 0; i < plan->bare.n; i++) {
		(void)snprintf(what, sizeof(what), "bare, %u", (unsigned)plan->bare.v[i]);
		if (drain_bare(run->site, topic, (uint32_t)plan->bare.v[i], &result, err) != WEIR_OK)
			return WEIR_FATAL;
		progress(run, what, &result);
		drain_set_add(set, what, true, false, &result);
	}
	struct way way;
	for (way.lanes = 0; way.lanes < plan->lanes.n; way.lanes++)
		for (way.source = 0; way.source < plan->sources.n; way.source++)
			for (way.aof = 0; way.aof < plan->aof.n; way.aof++)
				if (one_weir(run, topic, way, set, err) != WEIR_OK)
					return WEIR_FATAL;
	drain_set_round(set);
	return WEIR_OK;
}

static enum weir_class
fill_topic(struct drain_run *run, const struct workload *w, struct drain_topic *topic, struct weir_error *err)
{
	uint32_t partitions = run->site->opts.partitions;
	(void)snprintf(topic->name, sizeof(topic->name), "%.64s.records.%u", run->site->name, run->topics++);
	const struct bench_topic made = {topic->name, partitions};
	if (bench_topics_create(run->site, &made, 1, err) != WEIR_OK ||
	    bench_fill_records(run->site, w, run->opts->common.seed, topic->name, &topic->filled, err) != WEIR_OK)
		return WEIR_FATAL;
	return bench_topic_ends(run->site, topic->name, partitions, topic->ends, err);
}

#define WARM_UPS 3

/* Drains that count for nothing: a broker just started compiles its code under the first loads. */
static enum weir_class
warm_up(struct drain_run *run, const struct drain_topic *topic, const struct drain_base *base, struct weir_error *err)
{
	const struct drain_plan *plan = run->plan;
	struct drain_set *unused = drain_set_new(&plan->workload, base);
	struct drain_result result;
	enum weir_class class = WEIR_OK;
	for (uint32_t i = 0; i < WARM_UPS && class == WEIR_OK; i++)
		class = drain_bare(run->site, topic, (uint32_t)plan->bare.v[plan->bare.n - 1], &result, err);
	if (class == WEIR_OK)
		class = one_weir(run, topic, (struct way){0}, unused, err);
	drain_set_free(unused);
	return class;
}

static enum weir_class
drain_topic_all(struct drain_run *run, const struct workload *w, const struct drain_base *base, struct weir_error *err)
{
	struct drain_topic topic = {.ends = weir_calloc(run->site->opts.partitions, sizeof(int64_t))};
	struct drain_set *set = drain_set_new(w, base);
	enum weir_class class = fill_topic(run, w, &topic, err);
	if (class == WEIR_OK && run->topics == 1 && run->site->opts.start && !run->opts->common.quick)
		class = warm_up(run, &topic, base, err);
	for (uint64_t round = 0; round < run->opts->rounds && class == WEIR_OK; round++)
		class = one_round(run, &topic, set, err);
	const char *name = topic.name;
	bench_topics_delete(run->site, &name, 1);
	if (class == WEIR_OK)
		drain_report_set(run->report, set, &topic.filled);
	drain_set_free(set);
	free(topic.ends);
	return class;
}

/* ---- all of them ---- */

/* Number `i` of the crossed lists but cards and lanes; false behind the last. */
static bool
variant(const struct drain_plan *plan, uint32_t i, struct workload *w)
{
	const struct list *lists[] = {&plan->batches, &plan->formats, &plan->identities, &plan->skews_ppm};
	uint64_t *members[] = {&w->batch, &w->format, &w->identity, &w->skew_ppm};
	for (size_t k = 0; k < 4; k++) {
		*members[k] = lists[k]->v[i % lists[k]->n];
		i /= lists[k]->n;
	}
	return i == 0;
}

static enum weir_class
drain_fleet(struct drain_run *run, uint64_t cards, struct weir_error *err)
{
	struct workload w = run->plan->workload;
	struct drain_base base;
	workload_scale(&w, cards, 0);
	/* Twice what a card uses on average, where that is more: a small fleet would be cut off whole, and then only count.
	 */
	uint64_t busy = w.volume_max / 2 * (w.records / w.cards + 1);
	w.allowance = w.allowance != 0 && w.allowance < busy ? busy : w.allowance;
	enum weir_class class = drain_load(run->site, &w, (uint32_t)run->plan->lanes.v[run->plan->lanes.n - 1], &base, err);
	for (uint32_t i = 0; class == WEIR_OK && variant(run->plan, i, &w); i++)
		class = drain_topic_all(run, &w, &base, err);
	return class;
}

static enum weir_class
drain_all(struct drain_run *run, struct weir_error *err)
{
	for (uint32_t i = 0; i < run->plan->cards.n; i++) {
		if (i > 0 && bench_site_renew(run->site, err) != WEIR_OK)
			return WEIR_FATAL;
		if (drain_fleet(run, run->plan->cards.v[i], err) != WEIR_OK)
			return WEIR_FATAL;
	}
	return WEIR_OK;
}

static int
run_plan(const struct drain_opts *o, const struct drain_plan *plan)
{
	struct bench_site site;
	struct weir_error err = NO_ERROR;
	struct report *report = report_new("drain", &o->common);
	struct drain_report drains = {.report = report};
	struct drain_run run = {.opts = o, .plan = plan, .site = &site, .report = &drains};
	enum weir_class class = bench_place_open(&o->place, "none", &site, &err);
	if (class == WEIR_OK) {
		bench_place_report(&o->place, &site, report);
		report_config_text(report, "workload", plan->workload.name);
		report_config_number(report, "rounds", o->rounds);
		report_config_number(report, "processes", o->processes);
		class = drain_all(&run, &err);
	}
	bench_site_close(&site);
	if (class == WEIR_OK) {
		drain_report_end(&drains);
		return report_finish(report, &o->common);
	}
	report_free(report);
	return bench_fail("drain", class == WEIR_RETRY ? WEIR_EXIT_UNREACHABLE : WEIR_EXIT_FAILED, &err);
}

static const char TEXT[] =
    "Drains a preloaded topic into Redis by `weir run` processes, beside bare librdkafka consumers of the same topic, in\n"
    "turn. Kafka and Redis are those of the settings, or started with --start; topics, group and keys are the run's own "
    "and\n"
    "are deleted at the end. Lists (1,2,4) are crossed with each other. Every drain is checked card by card.\n";

int
bench_drain(int argc, char **argv)
{
	struct drain_opts o = {.common.seed = 1, .place.partitions = 4, .rounds = 0, .processes = 1};
	const struct weir_option options[] = {BENCH_OPTIONS_PLACE(o.place), BENCH_OPTION_WORKLOAD(o.common),
	    {.name = "cards", .placeholder = "LIST", .help = "cards of the fleet, such as 10k,1M", .text = &o.cards},
	    {.name = "records", .placeholder = "N", .help = "in the topic, such as 6M", .text = &o.record_count},
	    {.name = "format", .placeholder = "LIST", .help = "json, packed", .text = &o.formats},
	    {.name = "batch", .placeholder = "LIST", .help = "records a message", .text = &o.batches},
	    {.name = "identity", .placeholder = "LIST", .help = "id, sequence", .text = &o.identities},
	    {.name = "skew",
		.placeholder = "LIST",
		.help = "Zipf exponents over the cards, 0: all alike",
		.text = &o.skews},
	    {.name = "lanes", .placeholder = "LIST", .help = "of each process, default 2", .text = &o.lanes},
	    {.name = "processes",
		.placeholder = "N",
		.help = "of weir, default 1",
		.number = &o.processes,
		.min = 1,
		.max = 16},
	    {.name = "bare", .placeholder = "LIST", .help = "instances of the bare reader, default 1,2,4", .text = &o.bare},
	    {.name = "rounds", .placeholder = "N", .help = "default 3", .number = &o.rounds, .min = 1, .max = 100},
	    {.name = "redis-aof", .placeholder = "LIST", .help = "none, everysec, always; with --start", .text = &o.aof},
	    {.name = "source",
		.placeholder = "LIST",
		.help = "kafka.source of weir: auto, direct, librdkafka",
		.text = &o.sources},
	    BENCH_OPTIONS_COMMON(o.common), {0}};
	struct weir_words words;
	struct weir_error err = NO_ERROR;
	struct drain_plan plan;
	int code;
	if (!bench_accept("drain", TEXT, options, argc, argv, 0, 0, &words, &code))
		return code;
	if (o.rounds == 0)
		o.rounds = o.common.quick ? 1 : 3;
	if (plan_make(&o, &plan, &err) != WEIR_OK)
		return bench_fail("drain", WEIR_EXIT_USAGE, &err);
	return run_plan(&o, &plan);
}
