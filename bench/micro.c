/* `weir bench micro`: its options and its table; see micro.h. */
#include "bench/micro.h"

#include <inttypes.h>
#include <string.h>

#include "bench/machine.h"
#include "config/base/exit.h"

static void
draw_chart(struct micro *micro)
{
	json_t *chart = report_chart(micro->report, REPORT_BARS, "Nanoseconds an item (median)", "", "ns"), *row;
	size_t i;
	json_array_foreach(json_object_get(micro->table, "rows"), i, row)
	    report_bar(chart, "ns", json_string_value(json_array_get(row, 0)), json_number_value(json_array_get(row, 1)));
}

int
bench_micro(int argc, char **argv)
{
	struct bench_common common = {.seed = 1};
	const char *only = NULL;
	const struct weir_option options[] = {BENCH_OPTIONS_COMMON(common),
	    {.name = "only",
		.placeholder = "NAME",
		.help = "rows whose name begins so, as decode or cards.10m",
		.text = &only},
	    {0}};
	struct weir_words words;
	int code;
	if (!bench_accept("micro",
		"One part of the core at a time: decoders by format and size of message, dedupe keys, the card table at "
		"1, 10\n"
		"and 100 million cards (as memory allows), pool usage reports, the evaluator, the encoding of flushes. "
		"Beside "
		"each\n"
		"figure of a table stands what one load from memory takes that must wait for the one before it. CPU "
		"time.\n",
		options, argc, argv, 0, 0, &words, &code))
		return code;
	struct micro micro = {
	    .report = report_new("micro", &common), .seed = common.seed, .only = only, .quick = common.quick};
	report_config_text(micro.report, "only", only != NULL ? only : "");
	report_config_number(micro.report, "rounds", MICRO_ROUNDS);
	micro.table = report_table(micro.report, "Items", "what|ns an item|best ns|items/s|MB/s|memory latency ns");
	micro_decode(&micro);
	micro_tables(&micro);
	micro_rules(&micro);
	draw_chart(&micro);
	if (json_array_size(json_object_get(micro.table, "rows")) == 0) {
		struct weir_error err;
		(void)weir_error_set(&err, WEIR_POISON, "--only %s: no row begins so", only);
		report_free(micro.report);
		return bench_fail("micro", WEIR_EXIT_USAGE, &err);
	}
	return report_finish(micro.report, &common);
}
