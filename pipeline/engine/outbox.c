/* The producers of dead letters, audit entries, partials, words and alerts; see outbox.h. */
#include "pipeline/engine/outbox.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aggregators/partition.h"
#include "config/base/log.h"

#define VALUE_MAX_AFTER_REFUSAL 524288u /* bytes of a dead letter that the broker found too large */

/* One librdkafka producer and the thread that serves it. */
struct producer {
	rd_kafka_t *rk; /* NULL = not started */
	pthread_t thread;
	_Atomic bool stop; /* relaxed: only ends the loop */
};

struct weir_outbox_producer {
	const struct weir_settings *settings;
	struct producer slow; /* dead letters, audit, rows of feeds: batches */
	struct producer fast; /* partials, words, alerts: at once */
};

/* A box and its generation in one pointer: boxes are aligned, the lowest bit is free. */
static void *
opaque_of(struct weir_ack_window *ack_window)
{
	return (void *)((uintptr_t)ack_window | ack_window->open_side);
}

static void
acknowledge(void *opaque)
{
	static const uint64_t ONE = 1;
	struct weir_ack_window *ack_window = (struct weir_ack_window *)((uintptr_t)opaque & ~(uintptr_t)1);
	uint32_t open_side = (uintptr_t)opaque & 1;
	int fd = ack_window->bell_fd;
	if (atomic_fetch_sub_explicit(&ack_window->outstanding[open_side], 1, memory_order_release) == 1)
		(void)!write(fd, &ONE, sizeof(ONE));
}

/* Too large for the broker: its beginning, with the full length in a header, is better than a stopped partition. */
static bool
send_cut(rd_kafka_t *rk, const rd_kafka_message_t *message)
{
	rd_kafka_headers_t *headers = NULL;
	if (message->len <= VALUE_MAX_AFTER_REFUSAL)
		return false;
	if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		headers = rd_kafka_headers_copy(headers);
	else
		headers = rd_kafka_headers_new(1);
	char length[24];
	(void)snprintf(length, sizeof(length), "%zu", message->len);
	(void)rd_kafka_header_add(headers, "cut_from_bytes", -1, length, -1);
	rd_kafka_resp_err_t code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(rd_kafka_topic_name(message->rkt)),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(message->key, message->key_len),
	    RD_KAFKA_V_VALUE(message->payload, VALUE_MAX_AFTER_REFUSAL), RD_KAFKA_V_HEADERS(headers),
	    RD_KAFKA_V_OPAQUE(message->_private), RD_KAFKA_V_END);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(headers);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Coordinates of what a dead letter is about, from its headers: "source_topic=… source_partition=… source_offset=… " or "".
 */
static void
source_of(const rd_kafka_message_t *message, char *out, size_t size)
{
	static const char *const names[] = {"topic", "partition", "offset", "element"};
	rd_kafka_headers_t *headers;
	out[0] = '\0';
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0, len = 0; i < 4 && len < size; i++) {
		const void *value;
		size_t value_len;
		if (rd_kafka_header_get_last(headers, names[i], &value, &value_len) == RD_KAFKA_RESP_ERR_NO_ERROR)
			len += (size_t)snprintf(
			    out + len, size - len, "source_%s=%.*s ", names[i], (int)value_len, (const char *)value);
	}
}

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void)opaque;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && send_cut(rk, message))
			return;
		struct weir_ack_window *ack_window =
		    (struct weir_ack_window *)((uintptr_t)message->_private & ~(uintptr_t)1);
		char source[400];
		source_of(message, source, sizeof(source));
		WEIR_LOG_LIMITED(WEIR_LOG_ERROR, "letter_refused", "topic=%s %s%s", rd_kafka_topic_name(message->rkt),
		    source, rd_kafka_err2str(message->err));
		if (message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE && message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
			atomic_store_explicit(&ack_window->failed, true, memory_order_relaxed);
	}
	acknowledge(message->_private);
}

static void *
run_producer(void *arg)
{
	struct producer *producer = arg;
	while (!atomic_load_explicit(&producer->stop, memory_order_relaxed))
		(void)rd_kafka_poll(producer->rk, 100);
	return NULL;
}

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	weir_log(level <= 4 ? WEIR_LOG_WARN : WEIR_LOG_DEBUG, "kafka", "%s: %s", facility, text);
}

/* The settings' kafka.properties name it: the user's word is the last. */
static bool
is_given(const struct weir_settings *settings, const char *name)
{
	for (uint32_t i = 0; i < settings->kafka_property_count; i++)
		if (strcmp(settings->kafka_properties[i].name, name) == 0)
			return true;
	return false;
}

static enum weir_class
producer_start(
    const struct weir_settings *settings, const char *linger_ms, struct producer *producer, struct weir_error *err)
{
	char text[512];
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return WEIR_FATAL;
	const char *const fixed[][2] = {{"enable.idempotence", "true"}, {"linger.ms", linger_ms},
	    {"message.timeout.ms", "0"}, {"message.max.bytes", "33554432"}, {"compression.codec", "lz4"}};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		(void)rd_kafka_conf_set(conf, fixed[i][0], fixed[i][1], text, sizeof(text));
	/* A word must find the partition in which records of its key are: as their producers, see `weir load`. */
	if (!is_given(settings, "partitioner"))
		(void)rd_kafka_conf_set(conf, "partitioner", "murmur2_random", text, sizeof(text));
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_log_cb(conf, on_log);
	producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (producer->rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return weir_error_set(err, WEIR_FATAL, "kafka producer: %s", text);
	}
	WEIR_CHECK(pthread_create(&producer->thread, NULL, run_producer, producer) == 0);
	return WEIR_OK;
}

static void
producer_stop(struct producer *producer, uint32_t grace_ms)
{
	if (producer->rk == NULL)
		return;
	(void)rd_kafka_flush(producer->rk, (int)grace_ms);
	atomic_store_explicit(&producer->stop, true, memory_order_relaxed);
	(void)pthread_join(producer->thread, NULL);
	(void)rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	(void)rd_kafka_poll(producer->rk, 100);
	rd_kafka_destroy(producer->rk);
}

enum weir_class
weir_outbox_producer_start(
    const struct weir_settings *settings, struct weir_outbox_producer **outbox_out, struct weir_error *err)
{
	struct weir_outbox_producer *outbox_producer = weir_calloc(1, sizeof(*outbox_producer));
	outbox_producer->settings = settings;
	enum weir_class class = producer_start(settings, "5", &outbox_producer->slow, err);
	if (class == WEIR_OK)
		class = producer_start(settings, "1", &outbox_producer->fast, err);
	if (class != WEIR_OK) {
		weir_outbox_producer_stop(outbox_producer, 0);
		return class;
	}
	*outbox_out = outbox_producer;
	return WEIR_OK;
}

void
weir_outbox_producer_stop(struct weir_outbox_producer *outbox_producer, uint32_t grace_ms)
{
	if (outbox_producer == NULL)
		return;
	producer_stop(&outbox_producer->slow, grace_ms);
	producer_stop(&outbox_producer->fast, grace_ms);
	free(outbox_producer);
}

struct post {
	const char *topic;
	int32_t partition; /* RD_KAFKA_PARTITION_UA = by the key */
	struct weir_slice key, value;
	rd_kafka_headers_t *headers; /* NULL = none; taken */
};

/* Posts; waits while the producer's queue is full (bounded memory; the lane slows down to what Kafka takes). */
static void
post_message(struct producer *producer, struct weir_ack_window *ack_window, struct post p)
{
	atomic_fetch_add_explicit(&ack_window->outstanding[ack_window->open_side], 1, memory_order_relaxed);
	for (;;) {
		rd_kafka_resp_err_t code = rd_kafka_producev(producer->rk, RD_KAFKA_V_TOPIC(p.topic),
		    RD_KAFKA_V_PARTITION(p.partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_KEY(p.key.data, p.key.len), RD_KAFKA_V_VALUE((void *)(uintptr_t)p.value.data, p.value.len),
		    RD_KAFKA_V_HEADERS(p.headers), RD_KAFKA_V_OPAQUE(opaque_of(ack_window)), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return;
		if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && p.value.len > VALUE_MAX_AFTER_REFUSAL) {
			p.value.len = VALUE_MAX_AFTER_REFUSAL;
			continue;
		}
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			WEIR_LOG_LIMITED(WEIR_LOG_ERROR, "letter_refused", "topic=%s %s", p.topic, rd_kafka_err2str(code));
			atomic_store_explicit(&ack_window->failed, true, memory_order_relaxed);
			if (p.headers != NULL)
				rd_kafka_headers_destroy(p.headers);
			acknowledge(opaque_of(ack_window));
			return;
		}
		if (ack_window->rounds != NULL)
			atomic_fetch_add_explicit(ack_window->rounds, 1, memory_order_relaxed);
		(void)usleep(1000);
	}
}

void
weir_outbox_produce_dead_letter(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window,
    const struct weir_dead_letter *dead_letter)
{
	char number[24];
	WEIR_LOG_LIMITED(WEIR_LOG_WARN, "dead_letter", "topic=%s partition=%u offset=%lld element=%u reason=%s %s",
	    dead_letter->topic, dead_letter->partition, (long long)dead_letter->offset, dead_letter->element,
	    weir_reject_name(dead_letter->reject), dead_letter->text != NULL ? dead_letter->text : "");
	rd_kafka_headers_t *headers = rd_kafka_headers_new(6);
	(void)rd_kafka_header_add(headers, "reason", -1, weir_reject_name(dead_letter->reject), -1);
	if (dead_letter->text != NULL)
		(void)rd_kafka_header_add(headers, "text", -1, dead_letter->text, -1);
	(void)rd_kafka_header_add(headers, "topic", -1, dead_letter->topic, -1);
	(void)snprintf(number, sizeof(number), "%u", dead_letter->partition);
	(void)rd_kafka_header_add(headers, "partition", -1, number, -1);
	(void)snprintf(number, sizeof(number), "%lld", (long long)dead_letter->offset);
	(void)rd_kafka_header_add(headers, "offset", -1, number, -1);
	(void)snprintf(number, sizeof(number), "%u", dead_letter->element);
	(void)rd_kafka_header_add(headers, "element", -1, number, -1);
	struct post dead = {
	    outbox_producer->settings->topic_dead, RD_KAFKA_PARTITION_UA, dead_letter->key, dead_letter->value, headers};
	post_message(&outbox_producer->slow, ack_window, dead);
}

void
weir_outbox_produce_audit(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window, const char *key,
    struct weir_slice json)
{
	struct post audit = {outbox_producer->settings->topic_audit, RD_KAFKA_PARTITION_UA, weir_slice_of(key), json, NULL};
	post_message(&outbox_producer->slow, ack_window, audit);
}

void
weir_outbox_produce(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window, const char *topic,
    uint32_t partition, struct weir_slice key, struct weir_slice value)
{
	int32_t to = partition == WEIR_OUTBOX_BY_KEY ? RD_KAFKA_PARTITION_UA : (int32_t)partition;
	struct post produce = {topic, to, key, value, NULL};
	post_message(&outbox_producer->fast, ack_window, produce);
}

void
weir_outbox_produce_row(struct weir_outbox_producer *outbox_producer, struct weir_ack_window *ack_window, const char *topic,
    struct weir_slice key, struct weir_slice value)
{
	struct post row = {topic, RD_KAFKA_PARTITION_UA, key, value, NULL};
	post_message(&outbox_producer->slow, ack_window, row);
}
