/*
 * What operators ask for, on its way to weir.cards: to the partition that holds the card or pool, which is where its key's
 * partitioner put it; idempotent, acknowledged by all replicas before it is told to anybody.
 *
 * One producer for the process. Those who send wait for their own messages; librdkafka gives a message up after ten
 * seconds, so waiting ends, and an answer never says that something is asked for when it is not. After a message was given
 * up, it may still have been written; that is harmless: requests are absolute, and add-on and renewal are told apart by
 * their id, which a repeat with the same Idempotency-Key keeps.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/log.h"
#include "pipeline/http/api/api_priv.h"
#include "pipeline/kafka/admin.h"

#define METADATA_MS 5000
#define POLL_MS 50

struct weir_api_producer {
	rd_kafka_t *kafka;
	const char *topic;
	pthread_t poller;
	atomic_bool stopping;
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* some messages are done */
	uint32_t partitions;    /* 0 = not asked yet; under lock, as the messages' answers */
	uint64_t taken, failed;
};

static void
delivery(rd_kafka_t *kafka, const rd_kafka_message_t *answer, void *opaque)
{
	struct weir_api_producer *producer = opaque;
	struct weir_api_message *message = answer->_private;
	(void)kafka;
	(void)pthread_mutex_lock(&producer->lock);
	message->taken = answer->err == RD_KAFKA_RESP_ERR_NO_ERROR;
	message->partition = answer->partition;
	message->offset = answer->offset;
	if (!message->taken)
		(void)snprintf(message->why, sizeof(message->why), "%s", rd_kafka_err2str(answer->err));
	*(message->taken ? &producer->taken : &producer->failed) += 1;
	message->done = true;
	(void)pthread_cond_broadcast(&producer->arrived);
	(void)pthread_mutex_unlock(&producer->lock);
}

static void *
poll_thread(void *arg)
{
	struct weir_api_producer *producer = arg;
	/* relaxed: only tells to end */
	while (!atomic_load_explicit(&producer->stopping, memory_order_relaxed))
		(void)rd_kafka_poll(producer->kafka, POLL_MS);
	return NULL;
}

/* Ours first, so that kafka.properties may say otherwise. */
static rd_kafka_t *
kafka_open(struct weir_api_producer *producer, const struct weir_settings *settings, struct weir_error *err)
{
	char names[2][24] = {"message.timeout.ms", "linger.ms"}, values[2][8] = {"10000", "1"};
	struct weir_settings own = *settings;
	own.kafka_properties = weir_calloc(settings->kafka_property_count + 2u, sizeof(*own.kafka_properties));
	for (uint32_t i = 0; i < 2; i++)
		own.kafka_properties[i] = (struct weir_property){names[i], values[i]};
	if (settings->kafka_property_count > 0)
		memcpy(own.kafka_properties + 2, settings->kafka_properties,
		    settings->kafka_property_count * sizeof(*own.kafka_properties));
	own.kafka_property_count += 2;
	rd_kafka_t *kafka = weir_producer_open(&own, delivery, producer, err);
	free(own.kafka_properties);
	return kafka;
}

struct weir_api_producer *
weir_api_producer_start(const struct weir_settings *settings, struct weir_error *err)
{
	struct weir_api_producer *producer = weir_calloc(1, sizeof(*producer));
	producer->topic = settings->topic_cards;
	(void)pthread_mutex_init(&producer->lock, NULL);
	(void)pthread_cond_init(&producer->arrived, NULL);
	producer->kafka = kafka_open(producer, settings, err);
	if (producer->kafka == NULL) {
		weir_api_producer_stop(producer);
		return NULL;
	}
	WEIR_CHECK(pthread_create(&producer->poller, NULL, poll_thread, producer) == 0);
	return producer;
}

void
weir_api_producer_stop(struct weir_api_producer *producer)
{
	if (producer == NULL)
		return;
	if (producer->kafka != NULL) {
		atomic_store_explicit(&producer->stopping, true, memory_order_relaxed); /* only tells to end */
		(void)pthread_join(producer->poller, NULL);
		rd_kafka_destroy(producer->kafka); /* nobody waits any more: whoever sends waits until all is done */
	}
	(void)pthread_cond_destroy(&producer->arrived);
	(void)pthread_mutex_destroy(&producer->lock);
	free(producer);
}

enum weir_class
weir_api_producer_partitions(struct weir_api_producer *producer, uint32_t *count_out, struct weir_error *err)
{
	(void)pthread_mutex_lock(&producer->lock);
	uint32_t count = producer->partitions;
	(void)pthread_mutex_unlock(&producer->lock);
	if (count == 0) {
		enum weir_class class = weir_topic_partitions(producer->kafka, producer->topic, METADATA_MS, &count, err);
		if (class != WEIR_OK)
			return class;
		(void)pthread_mutex_lock(&producer->lock);
		producer->partitions = count;
		(void)pthread_mutex_unlock(&producer->lock);
	}
	*count_out = count;
	return WEIR_OK;
}

static bool
send_one(struct weir_api_producer *producer, struct weir_api_message *message)
{
	const char *key = message->key;
	size_t key_len = key != NULL ? strlen(key) : 0;
	int32_t partition = message->partition >= 0 ? message->partition : RD_KAFKA_PARTITION_UA;
	for (;;) {
		rd_kafka_resp_err_t code = rd_kafka_producev(producer->kafka, RD_KAFKA_V_TOPIC(producer->topic),
		    RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_len),
		    RD_KAFKA_V_VALUE((void *)(uintptr_t)message->json.data, message->json.len), RD_KAFKA_V_OPAQUE(message),
		    RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return true;
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			(void)snprintf(message->why, sizeof(message->why), "%s", rd_kafka_err2str(code));
			return false;
		}
		(void)rd_kafka_poll(producer->kafka, POLL_MS);
	}
}

bool
weir_api_produce(
    struct weir_api_producer *producer, struct weir_api_message *messages, uint32_t count, struct weir_error *err)
{
	uint32_t partitions;
	/* Asked for first: a message to a topic that is not there may create it on the broker. */
	if (weir_api_producer_partitions(producer, &partitions, err) != WEIR_OK)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		messages[i].done = messages[i].taken = false; /* before: its delivery may be told at once */
		if (!send_one(producer, &messages[i]))
			messages[i].done = true;
	}
	bool taken = true;
	(void)pthread_mutex_lock(&producer->lock);
	for (uint32_t i = 0; i < count; i++) {
		while (!messages[i].done)
			(void)pthread_cond_wait(&producer->arrived, &producer->lock);
		if (taken && !messages[i].taken)
			(void)weir_error_set(err, WEIR_RETRY, "Kafka did not take it: %s", messages[i].why);
		taken &= messages[i].taken;
	}
	(void)pthread_mutex_unlock(&producer->lock);
	return taken;
}

void
weir_api_producer_counters(struct weir_api_producer *producer, uint64_t *taken_out, uint64_t *failed_out)
{
	*taken_out = *failed_out = 0;
	if (producer == NULL)
		return;
	(void)pthread_mutex_lock(&producer->lock);
	*taken_out = producer->taken;
	*failed_out = producer->failed;
	(void)pthread_mutex_unlock(&producer->lock);
}
