/*
 * Pauses: how long the core's longest round is when much happens at once, beside records of other cards.
 *
 *   boundary   a cycle ends over a fleet of which one in a hundred is suspended (CYC-4);
 *   pool_…     a pool of many members is cut off and brought back (POOL-7).
 *
 * A round is what a lane does for one partition: a batch of records folded, one bounded tick, the messages that are due.
 * Rates of carriers' APIs are the dispatcher's and not in here.
 */
#include "bench/boundary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregators/partition.h"
#include "bench/report.h"
#include "bench/workload.h"
#include "config/base/clock.h"
#include "config/base/exit.h"

#define BATCH 2048
#define TICK_SLOTS 2048
#define NOW 1774847296000000ll   /* 2026-03-30 05:08 UTC: a cycle of carrier cm ends on 2026-03-31 16:00 UTC */
#define AFTER 1775059201000000ll /* 2026-04-01 00:00:01 in Shanghai */
#define ROUNDS_MAX 200000

struct traffic {
	struct weir_record *batch;
	uint64_t cards, count;
	struct weir_random random;
	uint32_t bytes;
};

struct pauses {
	struct report *report;
	json_t *table, *chart;
	struct weir_partition *p;
	struct traffic t;
};

static void
apply_json(struct weir_partition *p, const char *json)
{
	struct weir_reference ref;
	struct weir_error err;
	struct weir_slice slice = {(const uint8_t *)json, strlen(json)};
	struct weir_cause cause = {.arrived_us = NOW, .record_us = NOW};
	if (weir_reference_parse(slice, &ref, &err) != WEIR_OK)
		WEIR_CHECK(fprintf(stderr, "%s: %s\n", json, err.text) < 0);
	WEIR_CHECK(weir_partition_apply(p, &ref, slice, &cause, &err) == WEIR_OK);
}

static void
forget_effects(struct weir_partition *p)
{
	static const struct weir_effects_handler nobody = {0};
	weir_effects_drain(&p->effects, &nobody);
	p->unconfirmed.intents_done.n = 0;
}

static struct weir_partition *
make_partition(uint64_t cards, uint64_t members)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 65536,
	    .auto_register_carrier = "cm",
	    .partitions = 4,
	    .epoch = 1,
	    .unreported_floor_bytes = 65536,
	    .pool_tick_ms = 1000};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, NOW, NOW);
	WEIR_CHECK(weir_partition_load_finish(p));
	apply_json(
	    p, "{\"type\":\"plan\",\"id\":\"pool\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":1000000}");
	struct weir_reference ref = {.type = WEIR_REF_CARD};
	ref.card.has_carrier = true;
	struct weir_cause cause = {.arrived_us = NOW, .record_us = NOW};
	struct weir_error err;
	for (uint64_t i = 0; i < cards; i++) {
		ref.card.iccid = workload_iccid(i);
		bool member = i % (cards / members) == 0;
		bool limited = i % 100 == 1;
		(void)strcpy(ref.card.carrier, member ? "cm" : "ct"); /* ct enforces limits on cards outside pools */
		ref.card.has_pool = ref.card.has_plan = member;
		(void)strcpy(ref.card.pool, member ? "big" : "");
		(void)strcpy(ref.card.plan, member ? "pool" : "");
		ref.card.has_limit = limited;
		ref.card.limit_bytes = limited ? 100000000 : 0;
		WEIR_CHECK(weir_partition_apply(p, &ref, (struct weir_slice){0}, &cause, &err) == WEIR_OK);
		forget_effects(p);
	}
	return p;
}

/* Records of cards that nothing happens to: neither limited nor members. */
static void
fill_batch(struct traffic *t, int64_t at_us)
{
	memset(t->batch, 0, BATCH * sizeof(*t->batch));
	for (int i = 0; i < BATCH; i++) {
		uint64_t random = weir_random_next(&t->random);
		struct weir_record *r = &t->batch[i];
		r->iccid = workload_iccid(random % (t->cards / 100) * 100 + 2);
		r->down = t->bytes;
		r->end_us = at_us;
		r->arrived_us = at_us;
		r->id_hash = ++t->count * 0x9e3779b97f4a7c15u;
	}
}

static uint64_t
changes(const struct weir_partition *p)
{
	return p->stats.suspends + p->stats.resumes;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void
put_rounds(struct pauses *run, const char *what, double *took_ms, uint32_t rounds, uint64_t decisions)
{
	static const double quantiles[] = {0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999};
	char name[64];
	double sum = 0;
	for (uint32_t i = 0; i < rounds; i++)
		sum += took_ms[i];
	qsort(took_ms, rounds, sizeof(*took_ms), by_size);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		report_point(run->chart, what, quantiles[i], took_ms[(uint32_t)ceil(quantiles[i] * (rounds - 1))]);
	(void)snprintf(name, sizeof(name), "%s.longest_round", what);
	report_figure(run->report, name, "ms", took_ms[rounds - 1]);
	(void)snprintf(name, sizeof(name), "%s.median_round", what);
	report_figure(run->report, name, "ms", took_ms[rounds / 2]);
	report_cell_text(run->table, "%s", what);
	report_cell(run->table, rounds);
	report_cell(run->table, sum);
	report_cell(run->table, took_ms[rounds - 1]);
	report_cell(run->table, took_ms[rounds / 2]);
	report_cell(run->table, (double)decisions);
	report_hash_u64(run->report, rounds);
	report_hash_u64(run->report, decisions);
}

/* Rounds until the partition has nothing more to do. */
static void
run_rounds(struct pauses *run, const char *what, int64_t at_us, uint64_t changed_before)
{
	struct weir_partition *p = run->p;
	double *took_ms = weir_calloc(ROUNDS_MAX, sizeof(*took_ms));
	uint32_t rounds = 0;
	for (bool more = true; more && rounds < ROUNDS_MAX; at_us += 1000) {
		fill_batch(&run->t, at_us);
		int64_t start = weir_clock_thread_ns();
		weir_partition_set_time(p, at_us, 0);
		weir_partition_fold(p, run->t.batch, BATCH);
		more = weir_partition_tick(p, TICK_SLOTS);
		weir_partition_publish(p);
		took_ms[rounds++] = (double)(weir_clock_thread_ns() - start) / 1e6;
		forget_effects(p);
	}
	put_rounds(run, what, took_ms, rounds, changes(p) - changed_before);
	free(took_ms);
}

static void
exhaust_limits(struct weir_partition *p, struct traffic *t)
{
	memset(t->batch, 0, BATCH * sizeof(*t->batch));
	uint32_t n = 0;
	for (uint64_t i = 1; i < t->cards; i += 100) {
		struct weir_record *r = &t->batch[n++];
		r->iccid = workload_iccid(i);
		r->down = 100000001;
		r->end_us = r->arrived_us = NOW;
		r->id_hash = ++t->count * 0x9e3779b97f4a7c15u;
		if (n == BATCH || i + 100 >= t->cards) {
			weir_partition_fold(p, t->batch, n);
			forget_effects(p);
			memset(t->batch, 0, BATCH * sizeof(*t->batch));
			n = 0;
		}
	}
}

static void
word(struct weir_partition *p, uint64_t members, uint64_t version, const char *reasons)
{
	char json[512];
	(void)snprintf(json, sizeof(json),
	    "{\"type\":\"pool_state\",\"pool\":\"big\",\"epoch\":1,\"version\":%" PRIu64
	    ",\"carrier\":\"cm\",\"plan\":\"pool\",\"kind\":\"accumulative\",\"cycle\":674,\"reasons\":[%s],\"slack\":"
	    "1000000,"
	    "\"limit\":100,\"used\":100,\"active\":%" PRIu64 "}",
	    version, reasons, members);
	apply_json(p, json);
}

static void
run_all(struct pauses *run, uint64_t members)
{
	struct weir_partition *p = run->p;
	word(p, members, 1, "");
	run_rounds(run, "idle", NOW, changes(p));
	uint64_t before = changes(p);
	word(p, members, 2, "\"pool_exhausted\"");
	run_rounds(run, "pool_cut", NOW + 1000000, before);
	before = changes(p);
	word(p, members, 3, "");
	run_rounds(run, "pool_back", NOW + 2000000, before);
	exhaust_limits(p, &run->t);
	before = changes(p);
	run_rounds(run, "boundary", AFTER, before);
}

int
bench_boundary(const struct bench_common *common, uint64_t cards, uint64_t members)
{
	cards = cards != 0 ? cards : common->quick ? 20000 : 10000000;
	members = members != 0 ? members : cards / 100;
	struct weir_error err;
	if (members * 2 > cards || cards < 200) {
		(void)weir_error_set(&err, WEIR_POISON,
		    "--members %" PRIu64 ": at most half of %" PRIu64 " cards, of which 200 are needed", members, cards);
		return bench_fail("core", WEIR_EXIT_USAGE, &err);
	}
	struct pauses run = {.report = report_new("core.boundary", common),
	    .t = {.batch = weir_calloc(BATCH, sizeof(*run.t.batch)),
		.cards = cards,
		.random = {common->seed},
		.bytes = 1000}};
	report_config_number(run.report, "cards", cards);
	report_config_number(run.report, "members", members);
	report_config_number(run.report, "suspended", cards / 100);
	report_config_number(run.report, "batch", BATCH);
	report_config_number(run.report, "tick_slots", TICK_SLOTS);
	run.table =
	    report_table(run.report, "Rounds until all is done", "what|rounds|sum ms|longest ms|median ms|decisions");
	run.chart = report_chart(run.report, REPORT_PERCENTILES, "Length of a round", "quantile of rounds", "ms");
	run.p = make_partition(cards, members);
	run_all(&run, members);
	weir_partition_free(run.p);
	free(run.t.batch);
	return report_finish(run.report, common);
}
