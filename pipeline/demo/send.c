/* The generator's way to Kafka: messages that wait while the producer's queue is full; see traffic.h. */
#include <string.h>

#include "pipeline/demo/traffic_priv.h"

#define JSON_MAX 512
#define FLUSH_MS 10000
#define FULL_MS 10 /* between looks at a full queue */

static bool
produce(struct weir_producer *kafka, const char *topic, int32_t partition, const char *key, const void *value, size_t len)
{
	const struct weir_producer_message message = {.topic = topic,
	    .partition = partition,
	    .key = key != NULL ? weir_slice_of(key) : (struct weir_slice){0},
	    .value = {value, len}};
	enum weir_sent sent;
	while ((sent = weir_producer_send(kafka, &message, NULL)) == WEIR_SENT_FULL)
		weir_producer_poll(kafka, FULL_MS);
	return sent == WEIR_SENT_OK;
}

bool
weir_demo_reference_send(
    struct weir_producer *kafka, const struct weir_demo_fleet *fleet, const char *topic, uint32_t partitions)
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
		sent &= produce(kafka, topic, WEIR_PARTITION_BY_KEY, fleet->pools[i].id, json,
		    weir_demo_pool_json(&fleet->pools[i], json, sizeof(json)));
	for (uint32_t i = 0; i < fleet->count; i++)
		sent &= produce(kafka, topic, WEIR_PARTITION_BY_KEY, fleet->cards[i].iccid, json,
		    weir_demo_card_json(fleet, &fleet->cards[i], json, sizeof(json)));
	return sent && weir_producer_flush(kafka, FLUSH_MS);
}

void
weir_demo_send(struct weir_demo_traffic *t, const char *topic, const char *key, const void *value, size_t len)
{
	if (!produce(t->opts.kafka, topic, WEIR_PARTITION_BY_KEY, key, value, len))
		WEIR_DEMO_ADD(t, undelivered, 1);
}
