/*
 * `weir bench core`: decode, fold, evaluation, pools and the encoding of flushes on one thread, without Kafka and Redis.
 *
 * Without --workload a matrix: fleets of several sizes, both formats, both identities, pools on and off. Each case is a
 * partition of its own (engine.h). A run is cut into segments of equal length, each ending with a flush; min, median and
 * max are over segments, without the first one, in which tables grow. --boundary is in boundary.c.
 */
#include <inttypes.h>
#include <stdio.h>

#include "bench/boundary.h"
#include "bench/core_case.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "config/base/exit.h"

struct run {
	struct report *report;
	json_t *table, *chart, *memory_chart;
	uint64_t seed;
};

/* Everything about a case: figures, its row of the table, its bars, its part of the hash. */
static void
put_case(struct run *run, const char *name, struct core_case *c)
{
	const struct {
		const char *name, *unit;
		double value;
	} ones[] = {{"records_per_s_core", "1/s", 1e9 / c->sum_ns}, {"memory_latency", "ns", c->latency_ns},
	    {"bytes_per_card", "bytes", c->card_bytes}, {"mark_bytes_per_record", "bytes", c->dedupe_key_bytes},
	    {"flush_bytes_per_record", "bytes", c->flush_bytes}, {"redis_bytes_per_card", "bytes", c->redis_card_bytes},
	    {"redis_mark_bytes_per_record", "bytes", c->redis_dedupe_key_bytes}};
	char figure[128];
	report_cell_text(run->table, "%s", name);
	for (uint32_t i = 0; i < CORE_PARTS; i++) {
		(void)snprintf(figure, sizeof(figure), "%s.%s", name, core_part_names[i]);
		report_samples(run->report, figure, "ns", c->samples[i], CORE_SEGMENTS);
		report_cell(run->table, c->ns[i]);
		report_bar(run->chart, core_part_names[i], name, c->ns[i]);
	}
	for (size_t i = 0; i < sizeof(ones) / sizeof(ones[0]); i++) {
		(void)snprintf(figure, sizeof(figure), "%s.%s", name, ones[i].name);
		report_figure(run->report, figure, ones[i].unit, ones[i].value);
	}
	report_cell(run->table, c->sum_ns);
	report_cell(run->table, 1e9 / c->sum_ns);
	report_cell(run->table, c->latency_ns);
	report_cell(run->table, c->card_bytes);
	report_cell(run->table, c->flush_bytes);
	report_bar(run->memory_chart, "weir", name, c->card_bytes);
	report_bar(run->memory_chart, "Redis", name, c->redis_card_bytes);
	report_hash_u64(run->report, c->hash);
}

static void
case_run(struct run *run, const char *name, const struct workload *w)
{
	struct core_case c;
	uint64_t need = core_case_bytes(w), have = bench_memory_available();
	if (need > have) {
		report_note(run->report, "%s is left out: it may need %" PRIu64 " MiB, and %" PRIu64 " MiB are available.",
		    name, need >> 20, have >> 20);
		return;
	}
	core_case_run(w, run->seed, &c);
	put_case(run, name, &c);
}

static void
run_begin(struct run *run)
{
	run->table = report_table(run->report, "Nanoseconds a record",
	    "case|decode|fold|round|encode|sum|records/s/core|memory latency|bytes a card|flush bytes a record");
	run->chart = report_chart(run->report, REPORT_STACKED, "Where a record's time goes", "", "ns a record");
	run->memory_chart =
	    report_chart(run->report, REPORT_BARS, "Memory of a card, without dedupe keys", "", "bytes a card");
	report_note(run->report, "Times are CPU time of the one thread. One partition holds all cards. Round is timers, "
				 "pools' sums and words. Memory latency is "
				 "that of one load that "
				 "waits for the one before it, over a buffer as large as the partition.");
}

static void
run_matrix(struct run *run, const struct workload *steady, const struct workload *pools, bool quick)
{
	static const struct {
		const char *name;
		uint64_t format, batch, identity;
		bool pools;
	} variants[] = {
	    {"json.id", WORKLOAD_JSON, 1, WORKLOAD_BY_ID, false},
	    {"packed.id", WORKLOAD_PACKED, 50, WORKLOAD_BY_ID, false},
	    {"packed.sequence", WORKLOAD_PACKED, 50, WORKLOAD_BY_SEQUENCE, false},
	    {"packed.id.pools", WORKLOAD_PACKED, 50, WORKLOAD_BY_ID, true},
	};
	static const uint64_t sizes[] = {100000, 1000000, 10000000}, quick_sizes[] = {2000, 10000};
	uint32_t count = quick ? 2 : 3;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t cards = quick ? quick_sizes[i] : sizes[i];
		for (size_t k = 0; k < sizeof(variants) / sizeof(variants[0]); k++) {
			struct workload w = variants[k].pools ? *pools : *steady;
			char name[64];
			w.format = variants[k].format;
			w.batch = variants[k].batch;
			w.identity = variants[k].identity;
			workload_scale(&w, cards, quick ? 70000 : 3500000);
			(void)snprintf(name, sizeof(name), "%" PRIu64 "%s.%s", cards / (cards >= 1000000 ? 1000000 : 1000),
			    cards >= 1000000 ? "m" : "k", variants[k].name);
			case_run(run, name, &w);
		}
	}
}

struct asked {
	struct bench_common common;
	uint64_t cards, records, members;
	bool boundary;
};

static int
run_core(const struct asked *asked)
{
	struct workload w, pools;
	struct weir_error err;
	const char *name = asked->common.workload != NULL ? asked->common.workload : "steady";
	if (workload_load(name, &w, &err) != WEIR_OK || workload_load("hot_pool", &pools, &err) != WEIR_OK)
		return bench_fail("core", WEIR_EXIT_SETTINGS, &err);
	bool quick = asked->common.quick, one = asked->common.workload != NULL || asked->cards != 0 || asked->records != 0;
	struct run run = {.report = report_new("core", &asked->common), .seed = asked->common.seed};
	report_config_text(run.report, "workload", one ? w.name : "matrix");
	run_begin(&run);
	if (one) {
		workload_scale(&w,
		    asked->cards != 0 ? asked->cards
		    : quick           ? 5000
				      : 0,
		    asked->records != 0 ? asked->records
		    : quick             ? 70000
					: 0);
		report_config_number(run.report, "cards", w.cards);
		report_config_number(run.report, "records", w.records);
		case_run(&run, w.name, &w);
	} else {
		run_matrix(&run, &w, &pools, quick);
	}
	return report_finish(run.report, &asked->common);
}

int
bench_core(int argc, char **argv)
{
	struct asked asked = {.common = {.seed = 1}};
	const struct weir_option options[] = {BENCH_OPTIONS_COMMON(asked.common), BENCH_OPTION_WORKLOAD(asked.common),
	    {.name = "cards",
		.placeholder = "N",
		.help = "cards, instead of the workload's",
		.number = &asked.cards,
		.min = 100,
		.max = 200000000},
	    {.name = "records",
		.placeholder = "N",
		.help = "records, instead of the workload's",
		.number = &asked.records,
		.min = 100,
		.max = 1000000000},
	    {.name = "boundary",
		.help = "longest rounds when a cycle ends and when a pool is cut off",
		.flag = &asked.boundary},
	    {.name = "members",
		.placeholder = "N",
		.help = "of that pool, default a hundredth of the cards",
		.number = &asked.members,
		.min = 10,
		.max = 10000000},
	    {0}};
	struct weir_words words;
	int code;
	if (!bench_accept("core",
		"The real code of both stages on one thread, without Kafka and Redis: decode, fold, evaluate, pools, "
		"encode\n"
		"flushes. Without --workload, --cards or --records: fleets of 100 k, 1 M and 10 M cards (as memory allows) "
		"in\n"
		"both formats, by both identities, with and without pools. Needs some minutes and 5 GiB.\n",
		options, argc, argv, 0, 0, &words, &code))
		return code;
	return asked.boundary ? bench_boundary(&asked.common, asked.cards, asked.members) : run_core(&asked);
}
