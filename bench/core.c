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
#include "bench/engine.h"
#include "bench/machine.h"
#include "bench/memory.h"
#include "bench/messages.h"
#include "bench/report.h"

enum { SEGMENTS = 6, FLUSH_RECORDS_MAX = 1000000 };
#define BYTES_A_CARD 400u /* a generous guess at what a case needs, to see whether there is memory for it */
#define BYTES_A_RECORD 40u

struct run {
	struct report *report;
	json_t *table, *chart, *memory_chart;
	uint64_t seed;
};

struct segment {
	double decode, fold, round, encode; /* nanoseconds a record */
};

static struct segment
segment_run(struct engine *e, struct messages *messages, uint64_t records)
{
	struct engine_times before = e->times;
	for (uint64_t left = records, flushed = 0; left > 0;) {
		uint64_t made = messages_next(messages, left);
		struct engine_batch batch;
		for (uint32_t i = 0; messages_batch(messages, i, &batch); i++)
			engine_round(e, &batch);
		left -= made;
		flushed += made;
		if (flushed >= FLUSH_RECORDS_MAX || left == 0) {
			engine_flush(e);
			flushed = 0;
		}
	}
	double n = (double)records;
	return (struct segment){(double)(e->times.decode - before.decode) / n, (double)(e->times.fold - before.fold) / n,
	    (double)(e->times.round - before.round) / n, (double)(e->times.encode - before.encode) / n};
}

static void
put_part(struct run *run, const char *name, const char *part, const struct segment *segments, size_t offset)
{
	double samples[SEGMENTS];
	char figure[128];
	for (uint32_t i = 0; i < SEGMENTS; i++)
		samples[i] = *(const double *)(const void *)((const char *)&segments[i] + offset);
	(void)snprintf(figure, sizeof(figure), "%s.%s", name, part);
	report_samples(run->report, figure, "ns", samples, SEGMENTS);
}

static void
put_one(struct run *run, const char *name, const char *part, const char *unit, double value)
{
	char figure[128];
	(void)snprintf(figure, sizeof(figure), "%s.%s", name, part);
	report_figure(run->report, figure, unit, value);
}

static double
middle(const struct segment *segments, size_t offset)
{
	double sorted[SEGMENTS];
	for (uint32_t i = 0; i < SEGMENTS; i++) {
		double value = *(const double *)(const void *)((const char *)&segments[i] + offset);
		uint32_t at = i;
		for (; at > 0 && sorted[at - 1] > value; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = value;
	}
	return (sorted[SEGMENTS / 2] + sorted[(SEGMENTS - 1) / 2]) / 2;
}

/* Everything about a case: figures, its row of the table, its bars, its part of the hash. */
static void
put_case(
    struct run *run, const char *name, const struct engine *e, const struct workload *w, const struct segment *segments)
{
	struct bench_stored stored = bench_store_figures(e->store);
	const struct weir_partition *p = e->core;
	double records = (double)p->stats.records, cards = (double)w->cards;
	uint64_t marks = weir_marks_bytes(&p->marks), bytes = weir_partition_bytes(p);
	double latency = bench_memory_latency_ns(bytes, run->seed);
	double parts[] = {middle(segments, offsetof(struct segment, decode)),
	    middle(segments, offsetof(struct segment, fold)), middle(segments, offsetof(struct segment, round)),
	    middle(segments, offsetof(struct segment, encode))};
	double total = parts[0] + parts[1] + parts[2] + parts[3];
	put_part(run, name, "decode", segments, offsetof(struct segment, decode));
	put_part(run, name, "fold", segments, offsetof(struct segment, fold));
	put_part(run, name, "round", segments, offsetof(struct segment, round));
	put_part(run, name, "encode", segments, offsetof(struct segment, encode));
	put_one(run, name, "records_per_s_core", "1/s", 1e9 / total);
	put_one(run, name, "memory_latency", "ns", latency);
	put_one(run, name, "bytes_per_card", "bytes", (double)(bytes - marks) / cards);
	put_one(run, name, "mark_bytes_per_record", "bytes", (double)marks / records);
	put_one(run, name, "flush_bytes_per_record", "bytes", (double)e->flush_bytes / records);
	put_one(run, name, "redis_bytes_per_card", "bytes", (double)(stored.redis_bytes - stored.redis_mark_bytes) / cards);
	put_one(run, name, "redis_mark_bytes_per_record", "bytes", (double)stored.mark_bytes / records);
	report_cell_text(run->table, "%s", name);
	for (uint32_t i = 0; i < 4; i++)
		report_cell(run->table, parts[i]);
	report_cell(run->table, total);
	report_cell(run->table, 1e9 / total);
	report_cell(run->table, latency);
	report_cell(run->table, (double)(bytes - marks) / cards);
	report_cell(run->table, (double)e->flush_bytes / records);
	report_bar(run->chart, "decode", name, parts[0]);
	report_bar(run->chart, "fold", name, parts[1]);
	report_bar(run->chart, "round", name, parts[2]);
	report_bar(run->chart, "encode", name, parts[3]);
	report_bar(run->memory_chart, "weir", name, (double)(bytes - marks) / cards);
	report_bar(run->memory_chart, "Redis", name, (double)(stored.redis_bytes - stored.redis_mark_bytes) / cards);
	report_hash_u64(run->report, engine_hash(e));
	report_hash_u64(run->report, bytes);
	report_hash_u64(run->report, stored.redis_bytes);
}

static void
case_run(struct run *run, const char *name, const struct workload *w)
{
	uint64_t need = w->cards * BYTES_A_CARD + w->records * BYTES_A_RECORD, have = bench_memory_available();
	if (need > have) {
		report_note(run->report, "%s is left out: it may need %" PRIu64 " MiB, and %" PRIu64 " MiB are available.",
		    name, need >> 20, have >> 20);
		return;
	}
	struct segment segments[SEGMENTS];
	struct engine *e = engine_new(w);
	struct messages *messages = messages_new(w, run->seed);
	uint64_t records = w->records / (SEGMENTS + 1) > 0 ? w->records / (SEGMENTS + 1) : 1;
	(void)segment_run(e, messages, records);
	for (uint32_t i = 0; i < SEGMENTS; i++)
		segments[i] = segment_run(e, messages, records);
	put_case(run, name, e, w, segments);
	messages_free(messages);
	engine_free(e);
}

static void
run_begin(struct run *run)
{
	run->table = report_table(run->report, "Nanoseconds a record",
	    "case|decode|fold|round|encode|sum|records/s/core|memory latency|bytes a card|flush bytes a record");
	run->chart = report_chart(run->report, REPORT_STACKED, "Where a record's time goes", "", "ns a record");
	run->memory_chart =
	    report_chart(run->report, REPORT_BARS, "Memory of a card, without dedupe marks", "", "bytes a card");
	report_note(run->report, "Times are CPU time of the one thread. One partition holds all cards. Round is timers, pools' sums and words. Memory latency is "
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
