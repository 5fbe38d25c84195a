/*
 * What drains cost, by role. Roles of weir: lanes (weir-lane-N), librdkafka's threads (rdk:...), store threads, the rest
 * (dispatcher, metrics, main, threads that ended). Medians over rounds; ratios are taken within each round first.
 */
#include "bench/drain_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/servers_options.h"
#include "config/base/check.h"

enum { SHORT_S = 2 };

struct drain_set *
drain_set_new(const struct workload *workload, const struct drain_base *base)
{
	struct drain_set *set = weir_calloc(1, sizeof(*set));
	set->workload = *workload;
	set->base = *base;
	set->kinds = weir_calloc(DRAIN_KINDS_MAX, sizeof(*set->kinds));
	return set;
}

void
drain_set_free(struct drain_set *set)
{
	free(set->kinds);
	free(set);
}

void
drain_set_add(struct drain_set *set, const char *what, bool bare, bool headline, const struct drain_result *result)
{
	uint32_t i = 0;
	while (i < set->count && strcmp(set->kinds[i].what, what) != 0)
		i++;
	WEIR_CHECK(i < DRAIN_KINDS_MAX);
	struct drain_kind *kind = &set->kinds[i];
	if (i == set->count) {
		set->count++;
		(void)snprintf(kind->what, sizeof(kind->what), "%s", what);
		kind->bare = bare;
		kind->headline = headline;
	}
	if (kind->count == set->rounds) /* a list may name the same number twice */
		kind->rounds[kind->count++] = *result;
}

void
drain_set_round(struct drain_set *set)
{
	set->rounds++;
}

/* ---- figures ---- */

static double
per_second(const struct drain_result *r)
{
	return (double)r->records / r->seconds;
}

static double
best_bare(const struct drain_set *set, uint32_t round)
{
	double best = 0;
	for (uint32_t i = 0; i < set->count; i++) {
		const struct drain_kind *kind = &set->kinds[i];
		if (kind->bare && round < kind->count && per_second(&kind->rounds[round]) > best)
			best = per_second(&kind->rounds[round]);
	}
	return best;
}

enum role { ROLE_LANES, ROLE_RDKAFKA, ROLE_STORE, ROLE_READER, ROLE_OTHER, ROLE_BROKER, ROLE_REDIS, ROLE_COUNT };
static const char *const ROLES[ROLE_COUNT] = {"lanes", "librdkafka", "store", "reader", "other", "broker", "redis"};

static double
role_ns(const struct drain_result *r, enum role role)
{
	static const char *const threads[] = {"weir-lane", "rdk:", "weir-store", "bare-reader"};
	uint64_t ns = 0;
	if (role <= ROLE_READER) {
		ns = bench_cpu_named(&r->cpu, threads[role]);
	} else if (role == ROLE_OTHER) {
		ns = bench_cpu_total(&r->cpu);
		for (size_t i = 0; i <= ROLE_READER; i++)
			ns -= bench_cpu_named(&r->cpu, threads[i]);
	} else {
		ns = role == ROLE_BROKER ? r->broker_ns : r->redis_ns;
	}
	return r->records > 0 ? (double)ns / (double)r->records : 0;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double
median_value(double *samples, uint32_t count)
{
	qsort(samples, count, sizeof(*samples), by_size);
	return count % 2 == 1 ? samples[count / 2] : (samples[count / 2 - 1] + samples[count / 2]) / 2;
}

typedef double (*of_result)(const struct drain_result *result);

static double
median_of(const struct drain_kind *kind, of_result fn)
{
	double samples[DRAIN_ROUNDS_MAX];
	for (uint32_t i = 0; i < kind->count; i++)
		samples[i] = fn(&kind->rounds[i]);
	return median_value(samples, kind->count);
}

static double
median_role(const struct drain_kind *kind, enum role role)
{
	double samples[DRAIN_ROUNDS_MAX];
	for (uint32_t i = 0; i < kind->count; i++)
		samples[i] = role_ns(&kind->rounds[i], role);
	return median_value(samples, kind->count);
}

static double
redis_growth(const struct drain_result *r)
{
	return r->redis_bytes;
}

static double
rss(const struct drain_result *r)
{
	return (double)r->rss_bytes;
}

/* ---- telling ---- */

/* What tells this topic from the others of the run: "1M.json.b1.id.s0". */
static void
label_of(const struct drain_set *set, char out[96])
{
	const struct workload *w = &set->workload;
	char cards[24];
	bench_short(w->cards, cards);
	(void)snprintf(out, 96, "%s.%s.b%u.%s.s%.2g", cards, w->format == WORKLOAD_PACKED ? "packed" : "json",
	    (unsigned)w->batch, w->identity == WORKLOAD_BY_SEQUENCE ? "sequence" : "id", (double)w->skew_ppm / 1e6);
}

/* "weir, 2 lanes" to "weir.2_lanes". */
static void
name_of(const char *label, const char *what, const char *end, char out[200])
{
	int at = snprintf(out, 200, "%s.", label);
	for (; *what != '\0' && at < 150; what++) {
		if (what[0] == ',' && what[1] == ' ')
			out[at++] = '.', what++;
		else
			out[at++] = *what == ' ' ? '_' : *what;
	}
	(void)snprintf(out + at, 200 - (size_t)at, ".%s", end);
}

static void
print_rates(struct report *report, const struct drain_set *set, const char *label)
{
	char name[200];
	double samples[DRAIN_ROUNDS_MAX];
	for (uint32_t i = 0; i < set->count; i++) {
		const struct drain_kind *kind = &set->kinds[i];
		for (uint32_t k = 0; k < kind->count; k++)
			samples[k] = per_second(&kind->rounds[k]);
		name_of(label, kind->what, "rate", name);
		report_samples(report, name, "1/s", samples, kind->count);
		if (kind->bare)
			continue;
		for (uint32_t k = 0; k < kind->count; k++)
			samples[k] = per_second(&kind->rounds[k]) / best_bare(set, k);
		name_of(label, kind->what, "to_best_bare", name);
		report_samples(report, name, "ratio", samples, kind->count);
	}
}

static double
ratio_of(const struct drain_set *set, const struct drain_kind *kind)
{
	double samples[DRAIN_ROUNDS_MAX];
	for (uint32_t k = 0; k < kind->count; k++)
		samples[k] = per_second(&kind->rounds[k]) / best_bare(set, k);
	return median_value(samples, kind->count);
}

/* One row a kind of drain: what a record costs, by role. */
static void
print_costs(struct report *report, const struct drain_set *set, const char *label, const struct bench_filled *filled)
{
	char title[160], name[200];
	(void)snprintf(title, sizeof(title), "%s: CPU, ns a record by role", label);
	json_t *table = report_table(
	    report, title, "drain|records/s|MB/s|to best bare|lanes|librdkafka|store|reader|other|process|broker|redis");
	json_t *chart = report_chart(report, REPORT_STACKED, title, "drain", "ns a record");
	for (uint32_t i = 0; i < set->count; i++) {
		const struct drain_kind *kind = &set->kinds[i];
		double rate = median_of(kind, per_second), process = 0;
		report_cell_text(table, "%s", kind->what);
		report_cell(table, rate);
		report_cell(table, rate * (double)filled->bytes / (double)filled->records / 1e6);
		report_cell(table, kind->bare ? 0 : ratio_of(set, kind));
		for (enum role role = ROLE_LANES; role < ROLE_COUNT; role++) {
			double ns = median_role(kind, role);
			if (role == ROLE_BROKER)
				report_cell(table, process);
			process += ns;
			report_cell(table, ns);
			report_bar(chart, ROLES[role], kind->what, ns);
			(void)snprintf(title, sizeof(title), "cpu.%s", ROLES[role]);
			name_of(label, kind->what, title, name);
			if (ns > 0)
				report_figure(report, name, "ns", ns);
		}
	}
}

static void
print_memory(struct report *report, const struct drain_set *set, const char *label, const struct bench_filled *filled)
{
	char name[200];
	double cards = (double)set->workload.cards;
	const struct drain_base *base = &set->base;
	(void)snprintf(name, sizeof(name), "%s.redis.bytes_per_card", label);
	report_figure(report, name, "bytes", base->redis_bytes / cards);
	(void)snprintf(name, sizeof(name), "%s.rss.bytes_per_card", label);
	report_figure(report, name, "bytes", (base->rss_loaded - base->rss_empty) / cards);
	(void)snprintf(name, sizeof(name), "%s.load.rate", label);
	report_figure(report, name, "1/s", cards / base->load_seconds);
	(void)snprintf(name, sizeof(name), "%s.start.seconds", label);
	report_figure(report, name, "s", base->start_seconds);
	for (uint32_t i = 0; i < set->count; i++) {
		const struct drain_kind *kind = &set->kinds[i];
		if (kind->bare)
			continue;
		name_of(label, kind->what, "redis.bytes_per_record", name);
		report_figure(report, name, "bytes", median_of(kind, redis_growth) / (double)filled->counted);
		name_of(label, kind->what, "rss", name);
		report_figure(report, name, "bytes", median_of(kind, rss));
	}
}

/* The headline over all topics: a row a topic, a column a kind would grow too wide. */
static void
print_ratios(struct drain_report *drains, const struct drain_set *set, const char *label)
{
	if (drains->ratios == NULL)
		drains->ratios = report_table(drains->report, "weir to the best bare drain of the same round",
		    "topic|drain|weir records/s|best bare records/s|ratio");
	for (uint32_t i = 0; i < set->count; i++) {
		const struct drain_kind *kind = &set->kinds[i];
		double bare[DRAIN_ROUNDS_MAX];
		if (kind->bare)
			continue;
		for (uint32_t k = 0; k < kind->count; k++)
			bare[k] = best_bare(set, k);
		report_cell_text(drains->ratios, "%s", label);
		report_cell_text(drains->ratios, "%s", kind->what);
		report_cell(drains->ratios, median_of(kind, per_second));
		report_cell(drains->ratios, median_value(bare, kind->count));
		report_cell(drains->ratios, ratio_of(set, kind));
	}
}

static bool
is_short(const struct drain_set *set)
{
	for (uint32_t i = 0; i < set->count; i++)
		for (uint32_t k = 0; k < set->kinds[i].count; k++)
			if (set->kinds[i].rounds[k].seconds < SHORT_S)
				return true;
	return false;
}

void
drain_report_set(struct drain_report *drains, struct drain_set *set, const struct bench_filled *filled)
{
	char label[96];
	label_of(set, label);
	print_ratios(drains, set, label);
	print_rates(drains->report, set, label);
	print_costs(drains->report, set, label, filled);
	print_memory(drains->report, set, label, filled);
	report_hash_u64(drains->report, filled->hash);
	report_hash_u64(drains->report, filled->counted);
	drains->too_short |= is_short(set);
}

void
drain_report_end(struct drain_report *drains)
{
	if (drains->too_short)
		report_note(drains->report, "Drains took less than %d s: more --records give figures to rely on.", SHORT_S);
	report_note(
	    drains->report, "Every drain's counters in Redis were compared with what was sent, card by card: exact.");
	report_note(drains->report,
	    "A label is cards.format.bN records a message.identity.sZipf exponent. Process is the sum of its roles; broker "
	    "and Redis are beside it. Redis' bytes and weir's resident memory are as of the end of a drain.");
}
