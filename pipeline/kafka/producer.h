/*
 * One idempotent producer: settings' brokers and `kafka.properties`, and a partitioner that the producers of records share
 * (murmur2_random, Java's default for messages with a key, unless kafka.properties names another).
 *
 * A message is copied when it is sent, and its delivery is told once: acknowledged, refused, or given up when the producer
 * closes. Deliveries are told on the producer's own thread (`has_thread`), or inside weir_producer_poll and
 * weir_producer_flush on the caller's. Sending never waits: a full queue is the caller's to wait for, which bounds memory.
 * Sending is for any thread; opening and closing are one thread's.
 */
#ifndef WEIR_PIPELINE_KAFKA_PRODUCER_H
#define WEIR_PIPELINE_KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/slice.h"
#include "config/settings/settings.h"

#define WEIR_PARTITIONER "murmur2_random"
#define WEIR_PARTITION_BY_KEY (-1)

struct weir_producer;
struct rd_kafka_s;
struct rd_kafka_headers_s;

/* What became of a message. Texts are valid during the call. */
struct weir_delivery {
	void *tag; /* the message's */
	const char *topic;
	int32_t partition;                  /* where it lies, */
	int64_t offset;                     /* and its number there; of an acknowledged one */
	const char *error;                  /* NULL = acknowledged by all replicas */
	bool given_up;                      /* the producer closes: not Kafka's refusal */
	struct rd_kafka_headers_s *headers; /* for weir_delivery_header */
};
typedef void weir_delivery_fn(void *ctx, const struct weir_delivery *delivery);
/* Value of one of the message's headers; empty when it has none of that name. */
struct weir_slice weir_delivery_header(const struct weir_delivery *delivery, const char *name);

struct weir_producer_property {
	const char *name, *value;
	bool is_default; /* kafka.properties may say otherwise; else this is the last word */
};

struct weir_producer_opts {
	const struct weir_settings *settings;            /* read while it opens; NULL: the properties say it all */
	const struct weir_producer_property *properties; /* borrowed while it opens */
	uint32_t property_count;
	weir_delivery_fn *on_delivery; /* NULL: nobody asks */
	void *ctx;                     /* on_delivery's */
	bool has_thread;               /* a thread of its own serves it */
	bool is_command;               /* warnings go to stderr, for the person who waits; else to the log */
	uint32_t cut_bytes; /* a value that the broker finds too large is sent again cut to so many bytes, with the header
			       `cut_from_bytes`; 0: it is refused */
};

/* FATAL with err: a property is wrong. */
enum weir_class weir_producer_open(
    const struct weir_producer_opts *opts, struct weir_producer **producer_out, struct weir_error *err);
/* Waits for acknowledgements at most grace_ms, gives up what is left, frees. NULL is fine. */
void weir_producer_close(struct weir_producer *producer, uint32_t grace_ms);

struct weir_producer_header {
	const char *name, *value;
};
struct weir_producer_message {
	const char *topic;
	int32_t partition;            /* or WEIR_PARTITION_BY_KEY */
	struct weir_slice key, value; /* key.data NULL = none */
	const struct weir_producer_header *headers;
	uint32_t header_count;
	void *tag;
};
enum weir_sent {
	WEIR_SENT_OK = 0,  /* its delivery will be told */
	WEIR_SENT_FULL,    /* the queue is full: wait, and send again */
	WEIR_SENT_REFUSED, /* never will be: err says why */
};
enum weir_sent weir_producer_send(
    struct weir_producer *producer, const struct weir_producer_message *message, struct weir_error *err);

/* Tells deliveries, waiting at most wait_ms for the first. For producers without a thread. */
void weir_producer_poll(struct weir_producer *producer, uint32_t wait_ms);
/* Waits until all is acknowledged or refused; false when grace_ms was not enough. */
bool weir_producer_flush(struct weir_producer *producer, uint32_t grace_ms);
/* Messages sent and not yet told of. */
uint32_t weir_producer_queued(struct weir_producer *producer);

/* librdkafka's handle, for questions about the cluster (admin.h). The producer's. */
struct rd_kafka_s *weir_producer_handle(struct weir_producer *producer);

#endif
