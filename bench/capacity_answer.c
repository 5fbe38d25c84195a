/*
 * The arithmetic of `weir bench fleet`; see capacity.c. Each line gives a number, and the sum it came from in words.
 * Settings that matter (dedupe horizon, windows kept, flush interval) are taken at their defaults.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "bench/capacity_priv.h"

#define HORIZON_H 48.0           /* dedupe.horizon_h */
#define FRESH_H 2.0              /* dedupe.fresh_h, and the current hour */
#define CARD_HOURS 168.0         /* rollups.card_hours_days */
#define CARD_DAYS 62.0           /* this and the last cycle */
#define BASE_BYTES 12.0          /* of a window of a card, docs/rollups.md */
#define CLOSED_CYCLE_BYTES 192.0 /* six closed cycles */
#define DEDUPE_KEY_BYTES 7.0     /* a stored dedupe key */
#define REDIS_SLACK 1.15         /* growth of strings that are appended to */
#define QUEUE_BYTES 268435456.0  /* kafka.queue_kb, of each lane */
#define FLUSH_SLOT_BYTES 130.0   /* a card's slot, its command and its mark */
#define BASE_PROCESS 150e6
#define MIB 1048576.0
#define GIB 1073741824.0

struct answer {
	struct report *report;
	json_t *table;
};

static void __attribute__((format(printf, 5, 6)))
add_line(struct answer *a, const char *name, const char *unit, double value, const char *fmt, ...)
{
	char text[400], figure[64];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	report_cell_text(a->table, "%s", name);
	report_cell(a->table, value);
	report_cell_text(a->table, "%s", unit);
	report_cell_text(a->table, "%s", text);
	(void)snprintf(figure, sizeof(figure), "%s", name);
	for (char *at = figure; *at != '\0'; at++)
		*at = *at == ' ' || *at == ',' ? '_' : *at;
	report_figure(a->report, figure, unit, value);
}

static void
add_inputs(struct answer *a, const struct fleet *f, const struct fleet_number *assumed)
{
	json_t *table = report_table(a->report, "What the arithmetic starts from", "number|value|unit|from");
	const struct {
		const char *name, *unit, *from;
		double value;
	} measured[] = {{"core: decode, fold, round, encode", "ns a record", f->core_source, f->core_ns},
	    {"card in memory", "bytes", f->core_source, f->card_bytes},
	    {"mark in memory", "bytes a record", f->core_source, f->dedupe_key_bytes},
	    {"card in Redis", "bytes", f->core_source, f->redis_card_bytes},
	    {"record in Kafka", "bytes", "this workload's messages, key and frame", f->message_bytes}};
	for (size_t i = 0; i < sizeof(measured) / sizeof(measured[0]); i++) {
		report_cell_text(table, "%s", measured[i].name);
		report_cell(table, measured[i].value);
		report_cell_text(table, "%s", measured[i].unit);
		report_cell_text(table, "measured: %s", measured[i].from);
	}
	for (uint32_t i = 0; i < FLEET_MEASURED; i++) {
		report_cell_text(table, "%s", assumed[i].name);
		report_cell(table, f->shares[i]);
		report_cell_text(table, "%s a record", assumed[i].unit);
		report_cell_text(table, "%s",
		    f->is_measured[i] ? "measured: weir bench drain" : "ASSUMED: no drain in what was measured");
	}
}

/* A power of two, so that it can be doubled once more without moving every card. */
static double
partitions_of(const struct fleet *f)
{
	double partitions = 4;
	while (partitions * (double)f->cards_a_partition < (double)f->w.cards)
		partitions *= 2;
	return partitions;
}

static void
put_cores(struct answer *a, const struct fleet *f, double peak, double partitions)
{
	const double *share = f->shares;
	double lanes = ceil(peak * f->core_ns / 1e9 / f->busy);
	double rest = peak * (share[FLEET_LIBRDKAFKA] + share[FLEET_STORE]) / 1e9 / f->busy;
	double redis = peak * share[FLEET_REDIS] / 1e9 / f->busy,
	       broker = peak * f->replicas * share[FLEET_BROKER] / 1e9 / f->busy;
	add_line(a, "lanes", "", lanes,
	    "%.0f records/s x %.0f ns / %.0f %% busy, rounded up (lane.count, over all processes)", peak, f->core_ns,
	    f->busy * 100);
	add_line(a, "weir cores", "cores", lanes + rest,
	    "lanes + %.0f records/s x (%.0f + %.0f) ns of librdkafka and store / %.0f %%", peak, share[FLEET_LIBRDKAFKA],
	    share[FLEET_STORE], f->busy * 100);
	add_line(a, "Redis cores", "cores", redis,
	    "%.0f records/s x %.0f ns / %.0f %%; one Redis uses one core: %.0f master(s)", peak, share[FLEET_REDIS],
	    f->busy * 100, ceil(redis));
	add_line(a, "Kafka cores", "cores", broker, "%.0f records/s x %.0f replicas x %.0f ns / %.0f %%", peak, f->replicas,
	    share[FLEET_BROKER], f->busy * 100);
	double hottest = peak * ((1 - f->busiest) / partitions + f->busiest), load = hottest * f->core_ns / 1e9;
	add_line(a, "busiest partition", "1/s", hottest,
	    "the busiest card sends %.3g %% of all, the rest is spread over %.0f; that keeps its lane %.1f %% busy",
	    f->busiest * 100, partitions, load * 100);
	if (load > f->busy)
		report_note(a->report, "The busiest partition is too much for one lane: neither more partitions nor more "
				       "cores help, only a faster core "
				       "or fewer records of that card.");
	if (lanes > partitions)
		report_note(a->report, "More lanes than partitions: --partition-cards must be smaller.");
}

static void
put_memory(struct answer *a, const struct fleet *f, double average, double lanes)
{
	double cards = (double)f->w.cards, seconds = (double)f->w.interval_ms / 1000;
	bool dedupe_keys = f->w.identity == WORKLOAD_BY_ID;
	double mark = dedupe_keys ? average * 3600 * FRESH_H * (f->dedupe_key_bytes > 0 ? f->dedupe_key_bytes : 17) : 0;
	double memory = cards * f->card_bytes + mark + lanes * QUEUE_BYTES * 2 + BASE_PROCESS;
	add_line(a, "weir memory", "GiB", memory / GIB,
	    "%.0f cards x %.0f bytes + dedupe keys of %.0f h: %.2f GiB + %.0f lanes x 512 MiB of queue and flush + 150 MB",
	    cards, f->card_bytes, FRESH_H, mark / GIB, lanes);
	double active = fmin(CARD_HOURS, CARD_HOURS * 3600 / seconds), days = fmin(CARD_DAYS, CARD_DAYS * 86400 / seconds);
	double windows = cards * (active + days) * BASE_BYTES * REDIS_SLACK, closed_cycles = cards * CLOSED_CYCLE_BYTES;
	double stored = dedupe_keys ? average * 3600 * HORIZON_H * DEDUPE_KEY_BYTES * REDIS_SLACK : 0;
	add_line(a, "Redis memory", "GiB", (cards * f->redis_card_bytes + closed_cycles + windows + stored) / GIB,
	    "cards %.2f + six closed cycles %.2f + %.0f hours and %.0f days a card x %.0f bytes: %.2f + dedupe keys of "
	    "%.0f h: "
	    "%.2f GiB",
	    cards * f->redis_card_bytes / GIB, closed_cycles / GIB, active, days, BASE_BYTES, windows / GIB, HORIZON_H,
	    stored / GIB);
	add_line(a, "Redis memory with fork", "GiB",
	    2 * (cards * f->redis_card_bytes + closed_cycles + windows + stored) / GIB,
	    "twice that, while an AOF is rewritten under full load");
}

static void
put_network(struct answer *a, const struct fleet *f, double average, double peak)
{
	add_line(a, "Kafka in", "MiB/s", peak * f->message_bytes / MIB, "%.0f records/s at the peak x %.0f bytes", peak,
	    f->message_bytes);
	add_line(a, "Kafka out", "MiB/s", peak * f->message_bytes * f->replicas / MIB,
	    "the same to weir, and to %.0f followers, over all brokers", f->replicas - 1);
	add_line(a, "Kafka disk", "GiB", average * f->message_bytes * f->replicas * f->retention_h * 3600 / GIB,
	    "%.0f records/s on average x %.0f bytes x %.0f replicas x %.0f h", average, f->message_bytes, f->replicas,
	    f->retention_h);
	add_line(a, "Redis in", "MiB/s", peak * FLUSH_SLOT_BYTES / MIB,
	    "%.0f records/s x %.0f bytes: at most, every record of a flush being of another card", peak, FLUSH_SLOT_BYTES);
}

void
fleet_answer(struct report *report, const struct fleet *f, const struct fleet_number *assumed)
{
	struct answer a = {.report = report};
	add_inputs(&a, f, assumed);
	a.table = report_table(report, "What it takes", "what|value|unit|how");
	double average = (double)f->w.cards * 1000 / (double)f->w.interval_ms, peak = average * f->peak;
	double partitions = partitions_of(f), lanes = ceil(peak * f->core_ns / 1e9 / f->busy);
	add_line(&a, "records, average", "1/s", average, "%" PRIu64 " cards / %.0f s", f->w.cards,
	    (double)f->w.interval_ms / 1000);
	add_line(&a, "records, peak", "1/s", peak, "average x %.1f", f->peak);
	add_line(&a, "partitions", "", partitions,
	    "%" PRIu64 " cards / %" PRIu64 ", rounded up to a power of two, at least 4", f->w.cards, f->cards_a_partition);
	put_cores(&a, f, peak, partitions);
	put_memory(&a, f, average, lanes);
	put_network(&a, f, average, peak);
	if (f->w.pools > 0) {
		double members = (double)f->w.cards * (double)f->w.pool_cards_ppm / 1e6;
		double pool_locals = fmin((double)f->w.pools * partitions, members);
		add_line(&a, "partials", "1/s", fmin(pool_locals, peak),
		    "%" PRIu64 " pools x %.0f partitions (at most one each member), each told once a second", f->w.pools,
		    partitions);
		report_note(report,
		    "Largest pool: %" PRIu64 " cards. A cut-off tells each of them; docs/pools.md has its bound.",
		    workload_pool_size(&f->w, 1));
	}
	report_note(report, "Lost for a failure: keep one process and one broker more than these numbers fill.");
}
