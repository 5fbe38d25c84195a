/*
 * `weir bench fleet`: what hardware a fleet takes, from what was measured on this machine, with the arithmetic shown.
 *
 * Every line of the answer is a product of asked, measured and assumed numbers, and says which is which. Measured are a
 * core's nanoseconds a record and the sizes of a card and a mark: just now by a case of `weir bench core`, or from a file
 * of earlier results (--measured), which may also hold `weir bench drain`'s shares of librdkafka, store, Redis and broker.
 * Where a file has none of them, an assumption stands in and is named as one.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/capacity_priv.h"
#include "bench/core_case.h"
#include "config/base/exit.h"

/* As of the drain in docs/benchmark.md, two lanes. */
static const struct fleet_number assumed[FLEET_MEASURED] = {
    [FLEET_LIBRDKAFKA] = {"librdkafka", "cpu.librdkafka", "ns", 850},
    [FLEET_STORE] = {"store thread", "cpu.store", "ns", 80},
    [FLEET_REDIS] = {"Redis", "cpu.redis", "ns", 350},
    [FLEET_BROKER] = {"broker", "cpu.broker", "ns", 450},
};

/* The mean of all figures of engine runs whose names end so; 0 = none. */
static double
measured_mean(const json_t *results, const char *ending)
{
	json_t *result, *figure;
	size_t i, k;
	double sum = 0, count = 0;
	json_array_foreach(results, i, result)
	{
		json_array_foreach(json_object_get(result, "figures"), k, figure)
		{
			const char *name = json_string_value(json_object_get(figure, "name"));
			size_t len = name != NULL ? strlen(name) : 0, end = strlen(ending);
			if (len <= end || strcmp(name + len - end, ending) != 0 || name[len - end - 1] != '.' ||
			    strstr(name, "weir") == NULL)
				continue;
			sum += json_number_value(json_object_get(figure, "median"));
			count++;
		}
	}
	return count > 0 ? sum / count : 0;
}

/* A figure `<case>.<ending>` of a result of core; 0 = not there. */
static double
figure_of(const json_t *result, const char *name, size_t name_len, const char *ending)
{
	json_t *figure;
	size_t i;
	json_array_foreach(json_object_get(result, "figures"), i, figure)
	{
		const char *full = json_string_value(json_object_get(figure, "name"));
		if (full != NULL && strncmp(full, name, name_len) == 0 && full[name_len] == '.' &&
		    strcmp(full + name_len + 1, ending) == 0)
			return json_number_value(json_object_get(figure, "median"));
	}
	return 0;
}

static void
take_case(struct fleet *f, const json_t *result, const char *name, size_t len)
{
	f->core_ns = 0;
	for (uint32_t i = 0; i < CORE_PARTS; i++)
		f->core_ns += figure_of(result, name, len, core_part_names[i]);
	f->card_bytes = figure_of(result, name, len, "bytes_per_card");
	f->dedupe_key_bytes = figure_of(result, name, len, "mark_bytes_per_record");
	f->redis_card_bytes = figure_of(result, name, len, "redis_bytes_per_card");
	(void)snprintf(f->core_source, sizeof(f->core_source), "%.*s", (int)len, name);
}

/* The case of the file that is likest: same format and identity, pools alike, the largest fleet (files rise); else the
 * last. */
static bool
read_core(struct fleet *f, const json_t *results)
{
	char wanted[64];
	json_t *result, *figure;
	size_t i, k;
	int best = -1;
	(void)snprintf(wanted, sizeof(wanted), ".%s.%s%s", f->w.format == WORKLOAD_PACKED ? "packed" : "json",
	    f->w.identity == WORKLOAD_BY_SEQUENCE ? "sequence" : "id", f->w.pools > 0 ? ".pools" : "");
	json_array_foreach(results, i, result)
	{
		if (strcmp(json_string_value(json_object_get(result, "bench")), "core") != 0)
			continue;
		json_array_foreach(json_object_get(result, "figures"), k, figure)
		{
			const char *name = json_string_value(json_object_get(figure, "name"));
			size_t len = strlen(name), end = strlen(".records_per_s_core");
			if (len <= end || strcmp(name + len - end, ".records_per_s_core") != 0)
				continue;
			len -= end;
			int like =
			    len > strlen(wanted) && strncmp(name + len - strlen(wanted), wanted, strlen(wanted)) == 0;
			if (like >= best) {
				take_case(f, result, name, len);
				best = like;
			}
		}
	}
	f->from_file = best >= 0;
	return best == 1;
}

/* A case of as many cards as a partition is to have, just now. */
static void
measure_core(struct fleet *f, const struct bench_common *common)
{
	struct workload w = f->w;
	struct core_case c;
	uint64_t cards = w.cards < f->cards_a_partition ? w.cards : f->cards_a_partition;
	workload_scale(&w, common->quick ? 5000 : cards, common->quick ? 70000 : 3500000);
	core_case_run(&w, common->seed, &c);
	f->core_ns = c.sum_ns;
	f->card_bytes = c.card_bytes;
	f->dedupe_key_bytes = c.dedupe_key_bytes;
	f->redis_card_bytes = c.redis_card_bytes;
	f->hash = c.hash;
	(void)snprintf(f->core_source, sizeof(f->core_source), "just now, %" PRIu64 " cards", w.cards);
}

/* A thousand messages: what a record is on the wire. */
static void
measure_messages(struct fleet *f, uint64_t seed)
{
	struct workload_generator *generator = workload_generator_new(&f->w, seed);
	struct workload_record records[1000];
	struct weir_buf bytes = {0};
	for (uint32_t i = 0; i < f->w.batch; i++)
		workload_next(generator, &records[i]);
	workload_message(&f->w, records, (uint32_t)f->w.batch, &bytes);
	f->message_bytes = (double)bytes.len / (double)f->w.batch + FLEET_MESSAGE_OVERHEAD / (double)f->w.batch;
	weir_buf_free(&bytes);
	workload_generator_free(generator);
}

static enum weir_class
read_measured(struct fleet *f, const char *path, struct weir_error *err)
{
	json_t *results = json_array();
	enum weir_class class = report_read(path, results, err);
	if (class == WEIR_OK)
		(void)read_core(f, results);
	for (uint32_t i = 0; i < FLEET_MEASURED && class == WEIR_OK; i++) {
		double value = measured_mean(results, assumed[i].figure);
		f->is_measured[i] = value > 0;
		f->shares[i] = value > 0 ? value : assumed[i].value;
	}
	json_decref(results);
	return class;
}

/* The share of all records that the busiest card sends: 1 / H(n, s). */
static double
busiest_share(const struct workload *w)
{
	double s = (double)w->skew_ppm / 1e6, n = (double)w->cards, sum = 0;
	uint64_t exact = w->cards < 10000 ? w->cards : 10000;
	for (uint64_t k = 1; k <= exact; k++)
		sum += pow((double)k, -s);
	if (n > (double)exact) /* the rest by its integral */
		sum += fabs(s - 1) < 1e-9 ? log(n / (double)exact) : (pow(n, 1 - s) - pow((double)exact, 1 - s)) / (1 - s);
	return 1 / sum;
}

struct asked {
	struct bench_common common;
	uint64_t cards, pools, interval_ms, peak_percent, busy_percent, partition_cards, retention_h, replicas;
	const char *skew, *measured;
};

/* --skew as the workload file has it. */
static bool
skew_take(const char *text, uint64_t *ppm_out, struct weir_error *err)
{
	char line[160];
	struct workload w;
	(void)snprintf(line, sizeof(line),
	    "version: 1\ntitle: x\ncards: 1\nrecords: 1\ninterval: 1s\nstart: 2026-01-01T00:00:00Z\nskew: %.16s\n", text);
	if (workload_parse(weir_slice_of(line), "--skew", &w, err) != WEIR_OK) {
		(void)weir_error_set(err, WEIR_POISON, "--skew %s: must be a number such as 1.1, up to 3", text);
		return false;
	}
	*ppm_out = w.skew_ppm;
	return true;
}

static enum weir_exit
fleet_of(const struct asked *asked, struct fleet *f, struct weir_error *err)
{
	if (workload_load(asked->common.workload != NULL ? asked->common.workload : "steady", &f->w, err) != WEIR_OK)
		return WEIR_EXIT_SETTINGS;
	workload_scale(&f->w, asked->cards, 0);
	f->w.interval_ms = asked->interval_ms != 0 ? asked->interval_ms : f->w.interval_ms;
	if (asked->skew != NULL && !skew_take(asked->skew, &f->w.skew_ppm, err))
		return WEIR_EXIT_USAGE;
	if (asked->pools != 0) {
		f->w.pools = asked->pools;
		f->w.pool_cards_ppm = f->w.pool_cards_ppm != 0 ? f->w.pool_cards_ppm : 1000000;
		f->w.allowance = f->w.allowance != 0 ? f->w.allowance : UINT64_C(1) << 40;
	}
	if (f->w.pools > f->w.cards) {
		(void)weir_error_set(err, WEIR_POISON, "--pools %" PRIu64 ": more than cards", f->w.pools);
		return WEIR_EXIT_USAGE;
	}
	f->cards_a_partition = asked->partition_cards;
	f->peak = (double)asked->peak_percent / 100;
	f->busy = (double)asked->busy_percent / 100;
	f->retention_h = (double)asked->retention_h;
	f->replicas = (double)asked->replicas;
	f->busiest = busiest_share(&f->w);
	for (uint32_t i = 0; i < FLEET_MEASURED; i++)
		f->shares[i] = assumed[i].value;
	if (asked->measured != NULL && read_measured(f, asked->measured, err) != WEIR_OK)
		return WEIR_EXIT_FAILED;
	return WEIR_EXIT_OK;
}

static int
run_fleet(const struct asked *asked)
{
	struct fleet f = {0};
	struct weir_error err;
	enum weir_exit code = fleet_of(asked, &f, &err);
	if (code != WEIR_EXIT_OK)
		return bench_fail("fleet", code, &err);
	if (!f.from_file)
		measure_core(&f, &asked->common);
	measure_messages(&f, asked->common.seed);
	struct report *report = report_new("fleet", &asked->common);
	report_config_text(report, "workload", f.w.name);
	report_config_number(report, "cards", f.w.cards);
	report_config_number(report, "interval_ms", f.w.interval_ms);
	report_config_number(report, "pools", f.w.pools);
	report_config_number(report, "skew_millionths", f.w.skew_ppm);
	report_config_text(report, "measured", asked->measured != NULL ? asked->measured : "just now");
	fleet_answer(report, &f, assumed);
	report_hash_u64(report, f.hash);
	report_hash_u64(report, (uint64_t)(f.message_bytes * 1000));
	return report_finish(report, &asked->common);
}

int
bench_fleet(int argc, char **argv)
{
	struct asked asked = {.common = {.seed = 1},
	    .peak_percent = 300,
	    .busy_percent = 60,
	    .partition_cards = 250000,
	    .retention_h = 72,
	    .replicas = 3};
	const struct weir_option options[] = {BENCH_OPTIONS_COMMON(asked.common), BENCH_OPTION_WORKLOAD(asked.common),
	    {.name = "cards",
		.placeholder = "N",
		.help = "cards, instead of the workload's",
		.number = &asked.cards,
		.min = 1000,
		.max = 1000000000},
	    {.name = "interval",
		.placeholder = "TIME",
		.help = "between two records of a card, on average, as 5m",
		.duration_ms = &asked.interval_ms},
	    {.name = "pools", .placeholder = "N", .help = "data pools", .number = &asked.pools, .min = 1, .max = 1000000},
	    {.name = "skew",
		.placeholder = "S",
		.help = "exponent of a Zipf distribution over the cards",
		.text = &asked.skew},
	    {.name = "peak",
		.placeholder = "PERCENT",
		.help = "busiest second against the average, default 300",
		.number = &asked.peak_percent,
		.min = 100,
		.max = 10000},
	    {.name = "busy",
		.placeholder = "PERCENT",
		.help = "how busy a core may be at the peak, default 60",
		.number = &asked.busy_percent,
		.min = 1,
		.max = 100},
	    {.name = "partition-cards",
		.placeholder = "N",
		.help = "most cards of a partition, default 250000",
		.number = &asked.partition_cards,
		.min = 1000,
		.max = 10000000},
	    {.name = "retention",
		.placeholder = "HOURS",
		.help = "how long Kafka keeps records, default 72",
		.number = &asked.retention_h,
		.min = 1,
		.max = 100000},
	    {.name = "replicas",
		.placeholder = "N",
		.help = "of each Kafka partition, default 3",
		.number = &asked.replicas,
		.min = 1,
		.max = 9},
	    {.name = "measured",
		.placeholder = "FILE",
		.help = "earlier results (--json), instead of measuring now",
		.text = &asked.measured},
	    {0}};
	struct weir_words words;
	int code;
	if (!bench_accept("fleet",
		"What hardware a fleet takes: cores, memory, Redis memory, partitions, Kafka's bandwidth and disk. "
		"Measures a\n"
		"core's work on this machine for half a minute, or takes it from earlier results of core and drain. Every "
		"line\n"
		"shows its arithmetic, and what in it is asked, measured or assumed.\n",
		options, argc, argv, 0, 0, &words, &code))
		return code;
	return run_fleet(&asked);
}
