/*
 * What operators ask for, on its way to weir.cards: to the partition that holds the card or pool, which is where its key's
 * partitioner put it; idempotent, acknowledged by all replicas before anybody hears of it.
 *
 * One producer for the process. Those who send wait for their own messages; librdkafka gives a message up after ten
 * seconds, so waiting ends, and an answer never says that something is asked for when it is not. After a message was given
 * up, it may still have been written; that is harmless: requests are absolute, and add-on and renewal are told apart by
 * their id, which a repeat with the same Idempotency-Key keeps.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/http/api/api_priv.h"
#include "pipeline/kafka/admin.h"
#include "pipeline/kafka/producer.h"

#define METADATA_MS 5000
#define FULL_MS 5 /* between looks at a full queue */

struct weir_api_producer {
	struct weir_producer *kafka;
	const char *topic;
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* some messages are done */
	uint32_t partitions;    /* 0 = not asked yet; under lock, as the messages' answers */
	uint64_t taken, failed;
};

static void
on_delivery(void *ctx, const struct weir_delivery *delivery)
{
	struct weir_api_producer *producer = ctx;
	struct weir_api_message *message = delivery->tag;
	(void)pthread_mutex_lock(&producer->lock);
	WEIR_CHECK(!message->done);
	message->taken = delivery->error == NULL;
	message->partition = delivery->partition;
	message->offset = delivery->offset;
	if (!message->taken)
		(void)snprintf(message->why, sizeof(message->why), "%s", delivery->error);
	*(message->taken ? &producer->taken : &producer->failed) += 1;
	message->done = true;
	(void)pthread_cond_broadcast(&producer->arrived);
	(void)pthread_mutex_unlock(&producer->lock);
}

struct weir_api_producer *
weir_api_producer_start(const struct weir_settings *settings, struct weir_error *err)
{
	struct weir_api_producer *producer = weir_calloc(1, sizeof(*producer));
	producer->topic = settings->topic_cards;
	(void)pthread_mutex_init(&producer->lock, NULL);
	(void)pthread_cond_init(&producer->arrived, NULL);
	static const struct weir_producer_property properties[] = {
	    {"message.timeout.ms", "10000", true}, {"linger.ms", "1", true}};
	const struct weir_producer_opts opts = {.settings = settings,
	    .properties = properties,
	    .property_count = sizeof(properties) / sizeof(properties[0]),
	    .on_delivery = on_delivery,
	    .ctx = producer,
	    .has_thread = true,
	    .is_command = true};
	if (weir_producer_open(&opts, &producer->kafka, err) != WEIR_OK) {
		weir_api_producer_stop(producer);
		return NULL;
	}
	return producer;
}

void
weir_api_producer_stop(struct weir_api_producer *producer)
{
	if (producer == NULL)
		return;
	weir_producer_close(producer->kafka, 0); /* nobody waits any more: whoever sends waits until all is done */
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
		enum weir_class class =
		    weir_topic_partitions(weir_producer_handle(producer->kafka), producer->topic, METADATA_MS, &count, err);
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
	struct weir_error why = {0};
	const struct weir_producer_message out = {.topic = producer->topic,
	    .partition = message->partition >= 0 ? message->partition : WEIR_PARTITION_BY_KEY,
	    .key = message->key != NULL ? weir_slice_of(message->key) : (struct weir_slice){0},
	    .value = message->json,
	    .tag = message};
	enum weir_sent sent;
	while ((sent = weir_producer_send(producer->kafka, &out, &why)) == WEIR_SENT_FULL)
		(void)poll(NULL, 0, FULL_MS); /* its own thread makes room */
	if (sent == WEIR_SENT_REFUSED)
		(void)snprintf(message->why, sizeof(message->why), "%.90s", why.text);
	return sent == WEIR_SENT_OK;
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
		messages[i].done = messages[i].taken = false; /* before: its delivery may be reported at once */
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
