/* The generator's way to Kafka: messages that wait while the producer's queue is full; see traffic.h. */
#include <string.h>

#include "pipeline/demo/traffic_priv.h"

#define JSON_MAX 512
#define FLUSH_MS 10000

static bool
produce(rd_kafka_t *kafka, const char *topic, int32_t partition, const char *key, const void *value, size_t len)
{
	size_t key_len = key == NULL ? 0 : strlen(key);
	for (;;) {
		rd_kafka_resp_err_t code = rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(topic),
		    RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_len),
		    RD_KAFKA_V_VALUE((void *)(uintptr_t)value, len), RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return code == RD_KAFKA_RESP_ERR_NO_ERROR;
		(void)rd_kafka_poll(kafka, 10);
	}
}

bool
weir_demo_reference_send(rd_kafka_t *kafka, const struct weir_demo_fleet *fleet, const char *topic, uint32_t partitions)
{
	char json[JSON_MAX];
	bool sent = true;
	for (uint32_t p = 0; p < partitions; p++) {
		for (uint32_t i = 0; i < weir_demo_carrier_count; i++)
			sent &= produce(
			    kafka, topic, (int32_t)p, NULL, json, weir_demo_carrier_json(fleet, i, json, sizeof(json)));
		for (uint32_t i = 0; i < weir_demo_plan_count; i++)
			sent &= produce(kafka, topic, (int32_t)p, NULL, json, weir_demo_plan_json(i, json, sizeof(json)));
	}
	for (uint32_t i = 0; i < fleet->pool_count; i++)
		sent &= produce(kafka, topic, RD_KAFKA_PARTITION_UA, fleet->pools[i].id, json,
		    weir_demo_pool_json(&fleet->pools[i], json, sizeof(json)));
	for (uint32_t i = 0; i < fleet->count; i++)
		sent &= produce(kafka, topic, RD_KAFKA_PARTITION_UA, fleet->cards[i].iccid, json,
		    weir_demo_card_json(fleet, &fleet->cards[i], json, sizeof(json)));
	return sent && rd_kafka_flush(kafka, FLUSH_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void
weir_demo_send(struct weir_demo_traffic *t, const char *topic, const char *key, const void *value, size_t len)
{
	if (!produce(t->opts.kafka, topic, RD_KAFKA_PARTITION_UA, key, value, len))
		WEIR_DEMO_ADD(t, undelivered, 1);
}
