/* What the benchmarks of the whole take on the command line alike: where Kafka and Redis are, and lists of numbers or
 * words. */
#ifndef WEIR_BENCH_SERVERS_OPTIONS_H
#define WEIR_BENCH_SERVERS_OPTIONS_H

#include "bench/bench.h"
#include "bench/report.h"
#include "bench/servers.h"
#include "bench/workload.h"

struct bench_place {
	struct weir_settings_options common;
	bool start;
	const char *kafka_home, *weir;
	uint64_t partitions;
};

#define BENCH_OPTIONS_PLACE(place)                                                                                         \
	WEIR_SETTINGS_OPTIONS((place).common),                                                                             \
	    {.name = "start",                                                                                              \
		.help = "start a Redis and a Kafka for this run, instead of those that the settings name",                 \
		.flag = &(place).start},                                                                                   \
	    {.name = "kafka-home",                                                                                         \
		.placeholder = "DIR",                                                                                      \
		.help = "of the Kafka to start; else KAFKA_HOME",                                                          \
		.text = &(place).kafka_home},                                                                              \
	    {.name = "weir",                                                                                               \
		.placeholder = "PROGRAM",                                                                                  \
		.help = "to measure; else WEIR_BIN, else the one beside this",                                             \
		.text = &(place).weir},                                                                                    \
	{                                                                                                                  \
		.name = "partitions", .placeholder = "N", .help = "of the run's topics, default 4",                        \
		.number = &(place).partitions, .min = 1, .max = 1024                                                       \
	}

/* "1,2,4", "10k,1M": numbers; POISON with err names the option. 1 to max of them. */
enum weir_class bench_numbers(
    const char *option, const char *text, uint64_t *out, uint32_t max, uint32_t *count_out, struct weir_error *err);
/* "json,packed": places in `words` (ended by NULL). */
enum weir_class bench_choices(const char *option, const char *text, const char *const *words, uint64_t *out, uint32_t max,
    uint32_t *count_out, struct weir_error *err);

/* Opens the run's place as the options say. */
enum weir_class bench_place_open(
    const struct bench_place *place, const char *redis_aof, struct bench_site *site, struct weir_error *err);
/* Puts the place's configuration and the servers' versions into the report. */
void bench_place_report(const struct bench_place *place, struct bench_site *site, struct report *report);
/* A number for labels: 10k, 1M. */
void bench_short(uint64_t number, char out[24]);

#endif
