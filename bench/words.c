/*
 * What help says of `weir bench` and its subcommands. A subcommand has a row here and its function in main.c.
 */
#include "bench/bench.h"

static const struct bench_words words[] = {
    {"micro", "[--only NAME]", "one part at a time: decoders, tables, pools, rules, encoding"},
    {"core", "[--workload NAME]", "decode, fold, pools and flushes on one thread: records/s/core"},
    {"fleet", "[--cards N]", "what hardware a fleet takes, with the arithmetic"},
    {"workload", "NAME|FILE", "show what a workload file says, and its first records"},
    {"drain", "[--start]", "a topic on Kafka into Redis, beside bare librdkafka consumers"},
    {"latency", "[--start]", "open loop: record due to command, and to Redis"},
    {"recover", "[--start]", "take-over, restart, Redis away, backlog: time to the first fresh record"},
    {"report", "FILE... --html FILE", "make one HTML page of results kept with --json"},
    {NULL, NULL, NULL},
};

const struct bench_words *
bench_words(void)
{
	return words;
}

void
bench_help(FILE *out)
{
	(void)fputs(
	    "usage: weir bench WHAT [ARGUMENTS]\n\n"
	    "Measures weir on this machine, and says what hardware a fleet takes. Every run is seeded and prints its\n"
	    "configuration, the machine, versions, the seed and a hash of its results.\n\n",
	    out);
	for (const struct bench_words *word = words; word->name != NULL; word++)
		(void)fprintf(out, "  %-9s %-22s %s\n", word->name, word->arguments, word->help);
	(void)fputs("\nEvery WHAT takes --help. The variable WEIR_BENCH_PROGRAM names another weir-bench to run.\n", out);
}
