/* Between capacity.c, which gathers what is asked and measured, and capacity_answer.c, which does the arithmetic. */
#ifndef WEIR_BENCH_FLEET_PRIV_H
#define WEIR_BENCH_FLEET_PRIV_H

#include "bench/report.h"
#include "bench/workload.h"

/* Key, header and record frame of a Kafka message in a batch, bytes. */
#define FLEET_MESSAGE_OVERHEAD 34.0

/* CPU a record that a core's benchmark does not see. */
enum { FLEET_LIBRDKAFKA, FLEET_STORE, FLEET_REDIS, FLEET_BROKER, FLEET_MEASURED };

struct fleet_number {
	const char *name, *figure, *unit;
	double value; /* assumed where none was measured */
};

struct fleet {
	struct workload w;
	uint64_t cards_a_partition;
	double peak, busy;            /* factors */
	double retention_h, replicas; /* of Kafka */
	double busiest;               /* share of all records that the busiest card sends */
	double core_ns;               /* a record: decode, fold, round, encode */
	double card_bytes, dedupe_key_bytes, redis_card_bytes, message_bytes;
	double shares[FLEET_MEASURED];
	bool is_measured[FLEET_MEASURED], from_file;
	char core_source[96];
	uint64_t hash;
};

void fleet_answer(struct report *report, const struct fleet *fleet, const struct fleet_number *assumed);

#endif
