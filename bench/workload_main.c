/* `weir bench workload`: what a file says, as weir reads it, and what its first records look like. */
#include <inttypes.h>
#include <stdio.h>

#include "bench/bench.h"
#include "bench/report.h"
#include "bench/workload.h"
#include "config/base/exit.h"

enum { SHOWN = 3, HASHED = 10000 };

static void
put_key(void *ctx, const char *key, const char *value, const char *help)
{
	json_t *table = ctx;
	report_cell_text(table, "%s", key);
	report_cell_text(table, "%s", value);
	report_cell_text(table, "%s", help);
}

/* All of them into the hash: a generator that gives other records is another workload. */
static void
put_records(struct report *report, const struct workload *w, uint64_t seed)
{
	struct workload_generator *generator = workload_generator_new(w, seed);
	struct workload_record r;
	char json[WORKLOAD_JSON_MAX];
	json_t *table = report_table(report, "First records (as JSON)", "n|record");
	for (uint64_t i = 0; i < HASHED && i < w->records; i++) {
		workload_next(generator, &r);
		size_t len = workload_json(w, &r, json);
		report_hash(report, json, len);
		report_hash_u64(report, (uint64_t)r.arrived_us);
		if (i >= SHOWN)
			continue;
		report_cell_text(table, "%" PRIu64, r.n);
		report_cell_text(table, "%.*s", (int)len, json);
	}
	workload_generator_free(generator);
}

int
bench_workload(int argc, char **argv)
{
	struct bench_common common = {.seed = 1};
	const struct weir_option options[] = {BENCH_OPTIONS_COMMON(common), {0}};
	struct weir_words words;
	struct workload w;
	struct weir_error err;
	int code;
	if (!bench_accept("workload",
		"Reads a workload, a name or a file, and shows each of its keys with its value and meaning, and its first\n"
		"records. The hash is over the first 10,000 records. docs/benchmark.md describes the files.\n",
		options, argc, argv, 1, 1, &words, &code))
		return code;
	if (workload_load(words.v[0], &w, &err) != WEIR_OK)
		return bench_fail("workload", WEIR_EXIT_SETTINGS, &err);
	struct report *report = report_new("workload", &common);
	report_config_text(report, "workload", w.name);
	workload_each(&w, put_key, report_table(report, w.title, "key|value|meaning"));
	put_records(report, &w, common.seed);
	return report_finish(report, &common);
}
