/*
 * A partition's messages out of Kafka, without a group: from the log's beginning to given offsets, several topics in the
 * order of their timestamps. For commands that look at the log and must leave no trace in it. One thread.
 */
#ifndef WEIR_PIPELINE_CLI_REPLAY_H
#define WEIR_PIPELINE_CLI_REPLAY_H

#include <librdkafka/rdkafka.h>

#include "config/base/error.h"
#include "config/base/slice.h"
#include "config/settings/settings.h"

/* A consumer that belongs to no group; NULL with err. */
rd_kafka_t *weir_replay_consumer(const struct weir_settings *settings, struct weir_error *err);

struct weir_replay;

struct weir_replay_topic {
	const char *topic;
	int64_t end; /* first offset not to be read */
	/* filled by opening */
	int64_t low;      /* oldest offset that Kafka has; rises when it deletes what was to be read */
	int64_t first_us; /* filled by reading: timestamp of the first message, 0 = none was read */
};

struct weir_replay_message {
	uint32_t topic; /* index */
	int64_t offset;
	int64_t timestamp_us;         /* 0 = none */
	struct weir_slice key, value; /* valid until the next call */
};

/* `topics` is borrowed and filled. RETRY: Kafka does not answer; FATAL: there is no such topic. */
enum weir_class weir_replay_open(rd_kafka_t *kafka, uint32_t partition, struct weir_replay_topic *topics, uint32_t count,
    struct weir_replay **reader_out, struct weir_error *err);
/* The message with the lowest timestamp; *more_out false at the end. RETRY: nothing came for half a minute. */
enum weir_class weir_replay_next(
    struct weir_replay *reader, struct weir_replay_message *message_out, bool *more_out, struct weir_error *err);
void weir_replay_close(struct weir_replay *reader);

#endif
