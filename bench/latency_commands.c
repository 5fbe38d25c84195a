/* The audit topic's sent suspends; see latency_commands.h. */
#include "bench/latency_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "consumers/source/source.h"

enum { READ_MS = 60000, BATCH = 1024 };

/* A number behind a member's name; 0 when it is not there. weir wrote the text, so it is known how. */
static int64_t
number_after(const char *json, const char *name)
{
	const char *at = strstr(json, name);
	return at != NULL ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void
take_entry(struct commands *c, const rd_kafka_message_t *message)
{
	char json[2048];
	(void)snprintf(json, sizeof(json), "%.*s", (int)message->len, (const char *)message->payload);
	const char *iccid = strstr(json, "\"iccid\":\"8986");
	if (iccid == NULL || strstr(json, "\"event\":\"sent\"") == NULL || strstr(json, "\"action\":\"suspend\"") == NULL)
		return;
	uint64_t card = strtoull(iccid + 13, NULL, 10);
	int64_t sent_us = number_after(json, "\"sent_us\":");
	if (card < c->first || card - c->first >= c->count || sent_us == 0 || c->sent_us[card - c->first] != 0)
		return;
	c->sent_us[card - c->first] = sent_us;
	c->sent++;
}

static rd_kafka_t *
reader_open(struct bench_site *site, struct weir_error *err)
{
	char text[256];
	rd_kafka_conf_t *conf = weir_kafka_conf(site->settings, err);
	if (conf == NULL)
		return NULL;
	WEIR_CHECK(rd_kafka_conf_set(conf, "group.id", "weir-bench-audit", text, sizeof(text)) == RD_KAFKA_CONF_OK);
	WEIR_CHECK(rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof(text)) == RD_KAFKA_CONF_OK);
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (kafka != NULL) {
		(void)rd_kafka_poll_set_consumer(kafka);
		return kafka;
	}
	rd_kafka_conf_destroy(conf);
	(void)weir_error_set(err, WEIR_FATAL, "kafka: %s", text);
	return NULL;
}

static enum weir_class
read_to(rd_kafka_t *kafka, int64_t end, struct commands *c, struct weir_error *err)
{
	rd_kafka_message_t *batch[BATCH];
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka);
	int64_t at = 0;
	struct weir_steady until = weir_steady_in_ms(READ_MS);
	while (at < end && !weir_steady_reached(until)) {
		ssize_t n = rd_kafka_consume_batch_queue(queue, 100, batch, BATCH);
		for (ssize_t i = 0; i < n; i++) {
			if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
				at = batch[i]->offset + 1;
				take_entry(c, batch[i]);
			}
			rd_kafka_message_destroy(batch[i]);
		}
	}
	rd_kafka_queue_destroy(queue);
	return at >= end ? WEIR_OK : weir_error_set(err, WEIR_FATAL, "the audit topic cannot be read to its end");
}

enum weir_class
commands_read(struct bench_site *site, struct commands *c, struct weir_error *err)
{
	const char *topic = site->settings->topic_audit;
	int64_t end;
	c->sent_us = weir_calloc(c->count + 1, sizeof(*c->sent_us));
	if (bench_topic_ends(site, topic, 1, &end, err) != WEIR_OK)
		return WEIR_FATAL;
	rd_kafka_t *kafka = reader_open(site, err);
	if (kafka == NULL)
		return WEIR_FATAL;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
	(void)rd_kafka_assign(kafka, list);
	rd_kafka_topic_partition_list_destroy(list);
	enum weir_class class = read_to(kafka, end, c, err);
	(void)rd_kafka_consumer_close(kafka);
	rd_kafka_destroy(kafka);
	return class;
}

void
commands_free(struct commands *c)
{
	free(c->sent_us);
	c->sent_us = NULL;
}
