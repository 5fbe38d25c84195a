/*
 * A producer that speaks Kafka's Produce request itself, for open-loop load at next to no CPU.
 *
 * librdkafka's producer spends over a microsecond of CPU on a message; on a machine that hosts the measured system as well,
 * the generator then is what is measured. Here a record is encoded once, into the batch that is sent: one connection to
 * each broker that leads partitions, one request in Produce v7 with one batch for each of its partitions, acks=1, no
 * compression, no retries. Rejected: retries and reordering of any kind, since a load generator whose broker refuses has
 * nothing left to measure: the first error ends it.
 *
 * Requests are written without waiting: what the broker does not read stays queued here and counts as unanswered, so that a
 * slow broker does not slow the load down, until `requests_max` are unanswered; only then does sending wait. Plain text
 * connections only. Owned by one thread.
 */
#ifndef WEIR_BENCH_RAW_PRODUCE_H
#define WEIR_BENCH_RAW_PRODUCE_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "config/base/error.h"

struct raw_produce;

/* One partition's batch was written to the log: what it held, and where it lies. */
struct raw_written {
	int32_t partition;
	int64_t offset; /* of its first record */
	uint32_t records;
	int64_t first_ms, last_ms; /* timestamps of its first and of its newest record */
};

struct raw_produce_opts {
	const char *topic;     /* borrowed */
	uint32_t connections;  /* to each broker; its partitions are shared out over them */
	uint32_t requests_max; /* unanswered requests per connection before sending waits */
	size_t batch_bytes;    /* a batch is sent when this full; below the topic's max.message.bytes */
	void (*on_written)(void *ctx, const struct raw_written *written); /* NULL = nobody wants to know */
	void *ctx;
};

/* Finds the leaders through `rk` (any librdkafka client, not used afterwards) and connects. FATAL with err. */
enum weir_class raw_produce_open(
    rd_kafka_t *rk, const struct raw_produce_opts *opts, struct raw_produce **out, struct weir_error *err);
void raw_produce_close(struct raw_produce *rp);
/* Adds a record to its partition's batch; sends first when that is full. */
enum weir_class raw_produce_add(struct raw_produce *rp, const char *key, size_t key_len, const char *value,
    size_t value_len, int64_t timestamp_ms, struct weir_error *err);
/* The same to a partition that the caller names; without a key. */
enum weir_class raw_produce_add_to(struct raw_produce *rp, uint32_t partition, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err);
/* Sends what was added. */
enum weir_class raw_produce_send(struct raw_produce *rp, struct weir_error *err);
/* Reads the answers that are there and writes what is queued, for up to wait_us; asleep when there is nothing to do. */
enum weir_class raw_produce_wait(struct raw_produce *rp, int64_t wait_us, struct weir_error *err);
/* Sends the rest and waits for every answer; FATAL when they take longer than timeout_us. */
enum weir_class raw_produce_finish(struct raw_produce *rp, int64_t timeout_us, struct weir_error *err);
/* Records sent or queued that the broker has not answered. */
uint64_t raw_produce_unanswered(const struct raw_produce *rp);

#endif
