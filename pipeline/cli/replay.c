/* A partition's messages without a group; see replay.h. */
#include "pipeline/cli/replay.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/base/log.h"
#include "consumers/source/source.h"

#define BATCH 1000
#define WAIT_MS 20 /* a batch is waited for until it is full or this is over */
#define QUIET_MS 30000
#define METADATA_MS 10000
#define RESETS_MAX 10000 /* of one stream. It ends before: what is deleted comes nearer to the end each time */

struct stream {
	struct weir_replay_topic *topic;
	rd_kafka_topic_t *handle;
	bool started, done;
	uint32_t resets;
	rd_kafka_message_t *batch[BATCH];
	uint32_t count, at;
};
struct weir_replay {
	rd_kafka_t *kafka;
	uint32_t partition;
	struct stream *streams;
	uint32_t count;
	rd_kafka_message_t *given; /* the one whose bytes the caller looks at */
};

static void
on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
	(void)kafka;
	if (level <= 3)
		weir_log(WEIR_LOG_WARN, "kafka", "%s: %s", facility, text);
}

rd_kafka_t *
weir_replay_consumer(const struct weir_settings *settings, struct weir_error *err)
{
	char text[512];
	struct rd_kafka_conf_s *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return NULL;
	(void)rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof(text));
	(void)rd_kafka_conf_set(conf, "queued.max.messages.kbytes", "65536", text, sizeof(text));
	(void)rd_kafka_conf_set(conf, "fetch.wait.max.ms", "20", text, sizeof(text));
	(void)rd_kafka_conf_set(conf, "auto.offset.reset", "error", text, sizeof(text));
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (kafka == NULL) {
		rd_kafka_conf_destroy(conf);
		(void)weir_error_set(err, WEIR_FATAL, "kafka.properties: %s", text);
	}
	return kafka;
}

/* ---- opening ---- */

/* Starts at the oldest message that there is; done when that is beyond what is wanted. */
static enum weir_class
start_stream(struct weir_replay *reader, struct stream *stream, struct weir_error *err)
{
	int64_t low = 0, high = 0;
	const char *name = stream->topic->topic;
	rd_kafka_resp_err_t code =
	    rd_kafka_query_watermark_offsets(reader->kafka, name, (int32_t)reader->partition, &low, &high, METADATA_MS);
	if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
	    code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		return weir_error_set(err, WEIR_FATAL, "Kafka has no partition %u of %s", reader->partition, name);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return weir_error_set(err, WEIR_RETRY, "Kafka does not answer for %s: %s", name, rd_kafka_err2str(code));
	stream->topic->low = low;
	stream->topic->first_us = 0;
	stream->done = low >= stream->topic->end || low == high;
	if (stream->done)
		return WEIR_OK;
	if (stream->handle == NULL)
		stream->handle = rd_kafka_topic_new(reader->kafka, name, NULL);
	if (stream->handle == NULL || rd_kafka_consume_start(stream->handle, (int32_t)reader->partition, low) != 0)
		return weir_error_set(err, WEIR_RETRY, "%s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
	stream->started = true;
	return WEIR_OK;
}

static void
stop_stream(struct weir_replay *reader, struct stream *stream)
{
	for (; stream->at < stream->count; stream->at++)
		rd_kafka_message_destroy(stream->batch[stream->at]);
	if (stream->started)
		(void)rd_kafka_consume_stop(stream->handle, (int32_t)reader->partition);
	stream->started = false;
}

enum weir_class
weir_replay_open(rd_kafka_t *kafka, uint32_t partition, struct weir_replay_topic *topics, uint32_t count,
    struct weir_replay **reader_out, struct weir_error *err)
{
	struct weir_replay *reader = weir_calloc(1, sizeof(*reader));
	enum weir_class class = WEIR_OK;
	reader->kafka = kafka;
	reader->partition = partition;
	reader->streams = weir_calloc(count, sizeof(*reader->streams));
	for (uint32_t i = 0; i < count && class == WEIR_OK; i++) {
		reader->streams[reader->count].topic = &topics[i];
		class = start_stream(reader, &reader->streams[reader->count++], err);
	}
	if (class != WEIR_OK) {
		weir_replay_close(reader);
		reader = NULL;
	}
	*reader_out = reader;
	return class;
}

static void
close_stream(struct weir_replay *reader, struct stream *stream)
{
	stop_stream(reader, stream);
	if (stream->handle != NULL)
		rd_kafka_topic_destroy(stream->handle);
	stream->handle = NULL;
}

void
weir_replay_close(struct weir_replay *reader)
{
	if (reader == NULL)
		return;
	if (reader->given != NULL)
		rd_kafka_message_destroy(reader->given);
	for (uint32_t i = 0; i < reader->count; i++)
		close_stream(reader, &reader->streams[i]);
	free(reader->streams);
	free(reader);
}

/* ---- reading ---- */

static int64_t
timestamp_us(const rd_kafka_message_t *message)
{
	rd_kafka_timestamp_type_t type;
	int64_t ms = rd_kafka_message_timestamp(message, &type);
	return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || ms < 0 ? 0 : ms * 1000;
}

/*
 * What is not a message of ours at the stream's head: its end, or that Kafka has deleted what was to come next; then the
 * stream goes on with the oldest message that there is now.
 */
static enum weir_class
take_event(struct weir_replay *reader, struct stream *stream, struct weir_error *err)
{
	rd_kafka_message_t *event = stream->batch[stream->at++];
	enum weir_class class = WEIR_OK;
	if (event->err == RD_KAFKA_RESP_ERR_NO_ERROR || event->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		stream->done = true;
	} else if (event->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && ++stream->resets <= RESETS_MAX) {
		stop_stream(reader, stream);
		class = start_stream(reader, stream, err);
	} else {
		class = weir_error_set(err, WEIR_RETRY, "%s: %s", stream->topic->topic, rd_kafka_message_errstr(event));
	}
	rd_kafka_message_destroy(event);
	return class;
}

/* Brings a message to the stream's head, or its end. */
static enum weir_class
fill(struct weir_replay *reader, struct stream *stream, struct weir_error *err)
{
	for (int quiet_ms = 0; !stream->done;) {
		if (stream->at < stream->count) {
			const rd_kafka_message_t *head = stream->batch[stream->at];
			if (head->err == RD_KAFKA_RESP_ERR_NO_ERROR && head->offset < stream->topic->end)
				return WEIR_OK;
			enum weir_class class = take_event(reader, stream, err);
			if (class != WEIR_OK)
				return class;
			continue;
		}
		ssize_t got =
		    rd_kafka_consume_batch(stream->handle, (int32_t)reader->partition, WAIT_MS, stream->batch, BATCH);
		stream->at = 0;
		stream->count = got > 0 ? (uint32_t)got : 0;
		quiet_ms = got > 0 ? 0 : quiet_ms + WAIT_MS;
		(void)rd_kafka_poll(reader->kafka, 0);
		if (quiet_ms >= QUIET_MS)
			return weir_error_set(err, WEIR_RETRY, "Kafka sends nothing of %s partition %u",
			    stream->topic->topic, reader->partition);
	}
	return WEIR_OK;
}

enum weir_class
weir_replay_next(
    struct weir_replay *reader, struct weir_replay_message *message_out, bool *more_out, struct weir_error *err)
{
	struct stream *first = NULL;
	if (reader->given != NULL)
		rd_kafka_message_destroy(reader->given);
	reader->given = NULL;
	for (uint32_t i = 0; i < reader->count; i++) {
		struct stream *stream = &reader->streams[i];
		enum weir_class class = fill(reader, stream, err);
		if (class != WEIR_OK)
			return class;
		if (!stream->done &&
		    (first == NULL || timestamp_us(stream->batch[stream->at]) < timestamp_us(first->batch[first->at])))
			first = stream;
	}
	*more_out = first != NULL;
	if (first == NULL)
		return WEIR_OK;
	rd_kafka_message_t *m = reader->given = first->batch[first->at++];
	first->done = m->offset + 1 >= first->topic->end; /* without waiting for Kafka to say so */
	*message_out = (struct weir_replay_message){.topic = (uint32_t)(first - reader->streams),
	    .offset = m->offset,
	    .timestamp_us = timestamp_us(m),
	    .key = {m->key, m->key_len},
	    .value = {m->payload, m->len}};
	if (first->topic->first_us == 0)
		first->topic->first_us = message_out->timestamp_us;
	return WEIR_OK;
}
