/* Topics filled by what the connections allow; see raw_sink.h. */
#include "bench/raw_sink.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#include "bench/raw_batch.h"
#include "bench/raw_produce.h"
#include "config/base/check.h"
#include "consumers/source/source.h"

enum {
	REQUESTS_MAX = 8,          /* unanswered: enough to keep a broker busy */
	BATCH_BYTES = 512 * 1024,  /* below Kafka's default limit of 1 MiB */
	FINISH_US = 600 * 1000000, /* of a broker that flushes */
	FLUSH_MS = 600 * 1000
};

struct raw_sink {
	struct raw_produce *bare; /* one of the two */
	rd_kafka_t *kafka;
	char *topic;
	uint32_t partitions;
};

static bool
is_plain(const struct weir_settings *settings)
{
	for (uint32_t i = 0; i < settings->kafka_property_count; i++)
		if (strcmp(settings->kafka_properties[i].name, "security.protocol") == 0)
			return strcasecmp(settings->kafka_properties[i].value, "plaintext") == 0;
	return true;
}

static rd_kafka_t *
new_client(const struct weir_settings *settings, struct weir_error *err)
{
	static const char *const set[][2] = {{"linger.ms", "20"}, {"batch.size", "524288"}, {"acks", "1"},
	    {"batch.num.messages", "10000"}, {"queue.buffering.max.kbytes", "262144"}};
	char text[256];
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		WEIR_CHECK(rd_kafka_conf_set(conf, set[i][0], set[i][1], text, sizeof(text)) == RD_KAFKA_CONF_OK);
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (kafka != NULL)
		return kafka;
	rd_kafka_conf_destroy(conf);
	(void)weir_error_set(err, WEIR_FATAL, "kafka: %s", text);
	return NULL;
}

enum weir_class
raw_open_bare(const struct weir_settings *settings, const struct raw_produce_opts *opts, struct raw_produce **out,
    struct weir_error *err)
{
	rd_kafka_t *kafka = new_client(settings, err);
	if (kafka == NULL)
		return WEIR_FATAL;
	enum weir_class class = raw_produce_open(kafka, opts, out, err);
	rd_kafka_destroy(kafka);
	return class;
}

enum weir_class
raw_sink_open(const struct weir_settings *settings, const char *topic, uint32_t partitions, struct raw_sink **sink_out,
    struct weir_error *err)
{
	struct raw_sink *sink = weir_calloc(1, sizeof(*sink));
	sink->topic = weir_strdup(topic);
	sink->partitions = partitions;
	const struct raw_produce_opts opts = {
	    .topic = sink->topic, .connections = 1, .requests_max = REQUESTS_MAX, .batch_bytes = BATCH_BYTES};
	bool good;
	if (is_plain(settings)) {
		good = raw_open_bare(settings, &opts, &sink->bare, err) == WEIR_OK;
	} else {
		sink->kafka = new_client(settings, err);
		good = sink->kafka != NULL;
	}
	if (good) {
		*sink_out = sink;
		return WEIR_OK;
	}
	raw_sink_close(sink);
	return WEIR_FATAL;
}

uint32_t
raw_sink_place(const struct raw_sink *sink, const char *key, size_t key_len)
{
	return (raw_murmur2(key, key_len) & INT32_MAX) % sink->partitions;
}

static enum weir_class
put_slow(struct raw_sink *sink, uint32_t partition, const char *key, size_t key_len, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err)
{
	for (;;) {
		rd_kafka_resp_err_t code =
		    rd_kafka_producev(sink->kafka, RD_KAFKA_V_TOPIC(sink->topic), RD_KAFKA_V_PARTITION((int32_t)partition),
			RD_KAFKA_V_KEY(key, key_len), RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_len),
			RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
		(void)rd_kafka_poll(sink->kafka, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return WEIR_OK;
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return weir_error_set(err, WEIR_FATAL, "%s: %s", sink->topic, rd_kafka_err2str(code));
	}
}

enum weir_class
raw_sink_put(struct raw_sink *sink, const char *key, size_t key_len, const char *value, size_t value_len,
    int64_t timestamp_ms, struct weir_error *err)
{
	if (sink->bare != NULL)
		return raw_produce_add(sink->bare, key, key_len, value, value_len, timestamp_ms, err);
	uint32_t partition = raw_sink_place(sink, key, key_len);
	return put_slow(sink, partition, key, key_len, value, value_len, timestamp_ms, err);
}

enum weir_class
raw_sink_put_to(struct raw_sink *sink, uint32_t partition, const char *value, size_t value_len, int64_t timestamp_ms,
    struct weir_error *err)
{
	if (sink->bare != NULL)
		return raw_produce_add_to(sink->bare, partition, value, value_len, timestamp_ms, err);
	return put_slow(sink, partition, NULL, 0, value, value_len, timestamp_ms, err);
}

enum weir_class
raw_sink_finish(struct raw_sink *sink, struct weir_error *err)
{
	if (sink->bare != NULL)
		return raw_produce_finish(sink->bare, FINISH_US, err);
	if (rd_kafka_flush(sink->kafka, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
		return WEIR_OK;
	return weir_error_set(err, WEIR_FATAL, "%s: the broker does not take what was sent", sink->topic);
}

void
raw_sink_close(struct raw_sink *sink)
{
	if (sink == NULL)
		return;
	if (sink->bare != NULL)
		raw_produce_close(sink->bare);
	if (sink->kafka != NULL)
		rd_kafka_destroy(sink->kafka);
	free(sink->topic);
	free(sink);
}
