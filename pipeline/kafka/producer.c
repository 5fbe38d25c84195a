/* One producer over librdkafka; see producer.h. */
#include "pipeline/kafka/producer.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/base/log.h"
#include "consumers/source/source.h"

#define PRODUCER_MAGIC 0x6b70726fu
#define POLL_MS 100

struct weir_producer {
	uint32_t magic;
	weir_delivery_fn *on_delivery;
	void *ctx;
	uint32_t cut_bytes;
	bool is_command;
	rd_kafka_t *kafka;
	pthread_t thread;
	bool has_thread;
	atomic_bool stopping; /* relaxed: only ends the loop */
};

/* ---- deliveries ---- */

struct weir_slice
weir_delivery_header(const struct weir_delivery *delivery, const char *name)
{
	const void *value = NULL;
	size_t len = 0;
	if (delivery->headers == NULL ||
	    rd_kafka_header_get_last(delivery->headers, name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return (struct weir_slice){(const uint8_t *)"", 0};
	return (struct weir_slice){value, len};
}

/* A value's beginning with its full length in a header: better than a partition that stops. */
static bool
send_cut(const struct weir_producer *producer, const char *topic, int32_t partition, struct weir_slice key,
    struct weir_slice value, const rd_kafka_headers_t *headers, void *tag)
{
	char length[24];
	if (producer->cut_bytes == 0 || value.len <= producer->cut_bytes)
		return false;
	rd_kafka_headers_t *more = headers != NULL ? rd_kafka_headers_copy(headers) : rd_kafka_headers_new(1);
	(void)snprintf(length, sizeof(length), "%zu", value.len);
	(void)rd_kafka_header_add(more, "cut_from_bytes", -1, length, -1);
	rd_kafka_resp_err_t code = rd_kafka_producev(producer->kafka, RD_KAFKA_V_TOPIC(topic),
	    RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.len),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, producer->cut_bytes), RD_KAFKA_V_HEADERS(more),
	    RD_KAFKA_V_OPAQUE(tag), RD_KAFKA_V_END);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(more);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void
on_message(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
	const struct weir_producer *producer = opaque;
	rd_kafka_headers_t *headers = NULL;
	(void)kafka;
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		headers = NULL;
	if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE &&
	    send_cut(producer, rd_kafka_topic_name(message->rkt), message->partition,
		(struct weir_slice){message->key, message->key_len}, (struct weir_slice){message->payload, message->len},
		headers, message->_private))
		return;
	const struct weir_delivery delivery = {.tag = message->_private,
	    .topic = rd_kafka_topic_name(message->rkt),
	    .partition = message->partition,
	    .offset = message->offset,
	    .error = message->err != RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_err2str(message->err) : NULL,
	    .given_up = message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT,
	    .headers = headers};
	if (producer->on_delivery != NULL)
		producer->on_delivery(producer->ctx, &delivery);
}

/* ---- opening ---- */

static void
on_log(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
	const struct weir_producer *producer = rd_kafka_opaque(kafka);
	if (!producer->is_command)
		weir_log(level <= 4 ? WEIR_LOG_WARN : WEIR_LOG_DEBUG, "kafka", "%s: %s", facility, text);
	/* Consumer properties given to a producer are there for the lanes. */
	else if (level <= 4 && strcmp(facility, "CONFWARN") != 0)
		(void)fprintf(stderr, "weir: kafka: %s: %s\n", facility, text);
}

static bool
is_given(const struct weir_settings *settings, const char *name)
{
	for (uint32_t i = 0; settings != NULL && i < settings->kafka_property_count; i++)
		if (strcmp(settings->kafka_properties[i].name, name) == 0)
			return true;
	return false;
}

static bool
set_property(rd_kafka_conf_t *conf, const struct weir_settings *settings, const struct weir_producer_property *property,
    struct weir_error *err)
{
	char text[256];
	if (property->is_default && is_given(settings, property->name))
		return true;
	if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return true;
	(void)weir_error_set(err, WEIR_FATAL, "kafka.properties.%s: %s", property->name, text);
	return false;
}

static rd_kafka_conf_t *
conf_make(const struct weir_producer_opts *opts, struct weir_error *err)
{
	static const struct weir_producer_property ours[] = {
	    {"partitioner", WEIR_PARTITIONER, true}, {"enable.idempotence", "true", false}};
	rd_kafka_conf_t *conf = opts->settings != NULL ? weir_kafka_conf(opts->settings, err) : rd_kafka_conf_new();
	bool good = conf != NULL;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]) && good; i++)
		good = set_property(conf, opts->settings, &ours[i], err);
	for (uint32_t i = 0; i < opts->property_count && good; i++)
		good = set_property(conf, opts->settings, &opts->properties[i], err);
	if (good)
		return conf;
	if (conf != NULL)
		rd_kafka_conf_destroy(conf);
	return NULL;
}

static void *
serve(void *arg)
{
	const struct weir_producer *producer = arg;
	while (!atomic_load_explicit(&producer->stopping, memory_order_relaxed))
		(void)rd_kafka_poll(producer->kafka, POLL_MS);
	return NULL;
}

enum weir_class
weir_producer_open(const struct weir_producer_opts *opts, struct weir_producer **producer_out, struct weir_error *err)
{
	char text[256];
	rd_kafka_conf_t *conf = conf_make(opts, err);
	if (conf == NULL)
		return WEIR_FATAL;
	struct weir_producer *producer = weir_calloc(1, sizeof(*producer));
	producer->magic = PRODUCER_MAGIC;
	producer->on_delivery = opts->on_delivery;
	producer->ctx = opts->ctx;
	producer->cut_bytes = opts->cut_bytes;
	producer->is_command = opts->is_command;
	rd_kafka_conf_set_opaque(conf, producer);
	rd_kafka_conf_set_dr_msg_cb(conf, on_message);
	rd_kafka_conf_set_log_cb(conf, on_log);
	producer->kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (producer->kafka == NULL) {
		rd_kafka_conf_destroy(conf);
		free(producer);
		return weir_error_set(err, WEIR_FATAL, "kafka.properties: %s", text);
	}
	producer->has_thread = opts->has_thread;
	if (producer->has_thread)
		WEIR_CHECK(pthread_create(&producer->thread, NULL, serve, producer) == 0);
	*producer_out = producer;
	return WEIR_OK;
}

void
weir_producer_close(struct weir_producer *producer, uint32_t grace_ms)
{
	if (producer == NULL)
		return;
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	(void)rd_kafka_flush(producer->kafka, (int)grace_ms);
	if (producer->has_thread) {
		atomic_store_explicit(&producer->stopping, true, memory_order_relaxed);
		(void)pthread_join(producer->thread, NULL);
	}
	(void)rd_kafka_purge(producer->kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	(void)rd_kafka_poll(producer->kafka, POLL_MS);
	rd_kafka_destroy(producer->kafka);
	producer->magic = 0;
	free(producer);
}

/* ---- sending ---- */

static rd_kafka_headers_t *
headers_of(const struct weir_producer_message *message)
{
	if (message->header_count == 0)
		return NULL;
	rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);
	for (uint32_t i = 0; i < message->header_count; i++)
		(void)rd_kafka_header_add(headers, message->headers[i].name, -1, message->headers[i].value, -1);
	return headers;
}

enum weir_sent
weir_producer_send(struct weir_producer *producer, const struct weir_producer_message *message, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	WEIR_CHECK(message->topic != NULL && message->partition >= WEIR_PARTITION_BY_KEY);
	rd_kafka_headers_t *headers = headers_of(message);
	rd_kafka_resp_err_t code =
	    rd_kafka_producev(producer->kafka, RD_KAFKA_V_TOPIC(message->topic), RD_KAFKA_V_PARTITION(message->partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(message->key.data, message->key.len),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value.data, message->value.len), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(message->tag), RD_KAFKA_V_END);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return WEIR_SENT_OK; /* the headers are librdkafka's now */
	bool cut = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && send_cut(producer, message->topic, message->partition,
								       message->key, message->value, headers, message->tag);
	if (headers != NULL)
		rd_kafka_headers_destroy(headers);
	if (cut)
		return WEIR_SENT_OK;
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return WEIR_SENT_FULL;
	(void)weir_error_set(err, WEIR_FATAL, "%s", rd_kafka_err2str(code));
	return WEIR_SENT_REFUSED;
}

void
weir_producer_poll(struct weir_producer *producer, uint32_t wait_ms)
{
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	WEIR_CHECK(!producer->has_thread);
	(void)rd_kafka_poll(producer->kafka, (int)wait_ms);
}

bool
weir_producer_flush(struct weir_producer *producer, uint32_t grace_ms)
{
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	return rd_kafka_flush(producer->kafka, (int)grace_ms) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

uint32_t
weir_producer_queued(struct weir_producer *producer)
{
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	return (uint32_t)rd_kafka_outq_len(producer->kafka);
}

struct rd_kafka_s *
weir_producer_handle(struct weir_producer *producer)
{
	WEIR_CHECK_MAGIC(producer, PRODUCER_MAGIC);
	return producer->kafka;
}
