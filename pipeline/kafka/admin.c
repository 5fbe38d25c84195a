/* The commands' producer; see kafka.h. */
#include "pipeline/kafka/admin.h"

#include <stdio.h>
#include <string.h>

/* librdkafka warns about consumer properties given to a producer; they are there for the lanes. */
static void
log_without_conf_warnings(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
	(void)kafka;
	if (level <= 4 && strcmp(facility, "CONFWARN") != 0)
		(void)fprintf(stderr, "weir: kafka: %s: %s\n", facility, text);
}

static bool
conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct weir_error *err)
{
	char text[256];
	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
		return true;
	(void)weir_error_set(err, WEIR_POISON, "kafka.properties: %s: %s", name, text);
	return false;
}

static bool
conf_fill(rd_kafka_conf_t *conf, const struct weir_settings *settings, struct weir_error *err)
{
	if (!conf_set(conf, "bootstrap.servers", settings->kafka_brokers, err) ||
	    !conf_set(conf, "client.id", "weir", err) || !conf_set(conf, "partitioner", WEIR_PARTITIONER, err))
		return false;
	for (uint32_t i = 0; i < settings->kafka_property_count; i++)
		if (!conf_set(conf, settings->kafka_properties[i].name, settings->kafka_properties[i].value, err))
			return false;
	return conf_set(conf, "enable.idempotence", "true", err);
}

rd_kafka_t *
weir_producer_open(const struct weir_settings *settings,
    void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *), void *opaque, struct weir_error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (!conf_fill(conf, settings, err)) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_log_cb(conf, log_without_conf_warnings);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_opaque(conf, opaque);
	char text[256];
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (kafka == NULL) {
		rd_kafka_conf_destroy(conf);
		(void)weir_error_set(err, WEIR_POISON, "kafka.properties: %s", text);
	}
	return kafka;
}

enum weir_class
weir_topic_partitions(rd_kafka_t *kafka, const char *topic, int timeout_ms, uint32_t *count_out, struct weir_error *err)
{
	/* All topics are asked for: asking for one by name may create it on the broker. */
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(kafka, 1, NULL, &metadata, timeout_ms);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return weir_error_set(err, WEIR_RETRY, "Kafka does not answer: %s", rd_kafka_err2str(code));
	*count_out = 0;
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, topic) == 0)
			*count_out = (uint32_t)metadata->topics[i].partition_cnt;
	rd_kafka_metadata_destroy(metadata);
	if (*count_out == 0)
		return weir_error_set(
		    err, WEIR_FATAL, "there is no topic %s; create it with as many partitions as the record topics", topic);
	return WEIR_OK;
}
