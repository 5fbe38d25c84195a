/* Topics and groups of a run, by librdkafka's administration; see servers.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/servers.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { ASK_MS = 20000, TOPICS_MAX = 16 };

static rd_kafka_AdminOptions_t *
admin_options(rd_kafka_t *kafka, rd_kafka_admin_op_t operation)
{
	char text[256];
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(kafka, operation);
	(void)rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, text, sizeof(text));
	if (operation != RD_KAFKA_ADMIN_OP_DELETEGROUPS)
		(void)rd_kafka_AdminOptions_set_operation_timeout(options, ASK_MS, text, sizeof(text));
	return options;
}

/* The first topic that was refused. */
static enum weir_class
check_event(rd_kafka_event_t *event, struct weir_error *err)
{
	if (event == NULL)
		return weir_error_set(err, WEIR_FATAL, "Kafka does not answer");
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return weir_error_set(err, WEIR_FATAL, "Kafka: %s", rd_kafka_event_error_string(event));
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	size_t count = 0;
	const rd_kafka_topic_result_t **topics =
	    result != NULL ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
	for (size_t i = 0; i < count; i++)
		if (rd_kafka_topic_result_error(topics[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return weir_error_set(err, WEIR_FATAL, "cannot create topic %s: %s",
			    rd_kafka_topic_result_name(topics[i]), rd_kafka_topic_result_error_string(topics[i]));
	return WEIR_OK;
}

static bool
is_published(const struct rd_kafka_metadata *metadata, const struct bench_topic *topic)
{
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const struct rd_kafka_metadata_topic *t = &metadata->topics[i];
		if (strcmp(t->topic, topic->name) != 0)
			continue;
		for (int p = 0; p < t->partition_cnt; p++)
			if (t->partitions[p].leader < 0)
				return false;
		return t->err == RD_KAFKA_RESP_ERR_NO_ERROR && (uint32_t)t->partition_cnt == topic->partitions;
	}
	return false;
}

/* The controller's answer comes before the brokers know. */
static enum weir_class
wait_reported(struct bench_site *site, const struct bench_topic *topics, uint32_t count, struct weir_error *err)
{
	struct weir_steady until = weir_steady_in_ms(ASK_MS);
	while (!weir_steady_reached(until)) {
		const struct rd_kafka_metadata *metadata = NULL;
		uint32_t created = 0;
		if (rd_kafka_metadata(site->kafka, 1, NULL, &metadata, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
			for (uint32_t i = 0; i < count; i++)
				created += is_published(metadata, &topics[i]);
			rd_kafka_metadata_destroy(metadata);
		}
		if (created == count)
			return WEIR_OK;
		bench_sleep_us(50000);
	}
	return weir_error_set(err, WEIR_FATAL, "topics were created and the brokers do not tell of them");
}

/* A broker tells of a topic a moment before it leads its partitions. */
static enum weir_class
wait_led(struct bench_site *site, const struct bench_topic *topic, struct weir_error *err)
{
	int64_t low, high;
	struct weir_steady until = weir_steady_in_ms(ASK_MS);
	for (uint32_t p = 0; p < topic->partitions; p++)
		while (rd_kafka_query_watermark_offsets(site->kafka, topic->name, (int32_t)p, &low, &high, 5000) !=
		       RD_KAFKA_RESP_ERR_NO_ERROR) {
			if (weir_steady_reached(until))
				return weir_error_set(err, WEIR_FATAL, "%s [%u] gets no leader", topic->name, p);
			bench_sleep_us(50000);
		}
	return WEIR_OK;
}

static rd_kafka_NewTopic_t *
new_topic(const struct bench_topic *topic)
{
	char text[256];
	rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic->name, (int)topic->partitions, -1, text, sizeof(text));
	WEIR_CHECK(made != NULL);
	/* Records are stamped in virtual time, which may lie hours back; nothing may go while it is measured. */
	(void)rd_kafka_NewTopic_set_config(made, "retention.ms", "-1");
	(void)rd_kafka_NewTopic_set_config(made, "retention.bytes", "-1");
	(void)rd_kafka_NewTopic_set_config(made, "cleanup.policy", "delete");
	(void)rd_kafka_NewTopic_set_config(made, "message.timestamp.type", "CreateTime");
	return made;
}

enum weir_class
bench_topics_create(struct bench_site *site, const struct bench_topic *topics, uint32_t count, struct weir_error *err)
{
	rd_kafka_NewTopic_t *made[TOPICS_MAX];
	WEIR_CHECK(count <= TOPICS_MAX);
	for (uint32_t i = 0; i < count; i++)
		made[i] = new_topic(&topics[i]);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(site->kafka);
	rd_kafka_AdminOptions_t *options = admin_options(site->kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_CreateTopics(site->kafka, made, count, options, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ASK_MS + 5000);
	enum weir_class class = check_event(event, err);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	rd_kafka_NewTopic_destroy_array(made, count);
	if (class == WEIR_OK)
		class = wait_reported(site, topics, count, err);
	for (uint32_t i = 0; i < count && class == WEIR_OK; i++)
		class = wait_led(site, &topics[i], err);
	return class;
}

void
bench_topics_delete(struct bench_site *site, const char *const *topics, uint32_t count)
{
	rd_kafka_DeleteTopic_t *gone[TOPICS_MAX];
	WEIR_CHECK(count <= TOPICS_MAX);
	for (uint32_t i = 0; i < count; i++)
		gone[i] = rd_kafka_DeleteTopic_new(topics[i]);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(site->kafka);
	rd_kafka_AdminOptions_t *options = admin_options(site->kafka, RD_KAFKA_ADMIN_OP_DELETETOPICS);
	rd_kafka_DeleteTopics(site->kafka, gone, count, options, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ASK_MS + 5000);
	if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)fprintf(stderr, "weir bench: topics such as %s are left\n", topics[0]);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteTopic_destroy_array(gone, count);
}

void
bench_group_delete(struct bench_site *site, const char *group)
{
	rd_kafka_DeleteGroup_t *gone = rd_kafka_DeleteGroup_new(group);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(site->kafka);
	rd_kafka_AdminOptions_t *options = admin_options(site->kafka, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
	rd_kafka_DeleteGroups(site->kafka, &gone, 1, options, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ASK_MS);
	if (event != NULL) /* a group that never committed does not exist: nothing is left */
		rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteGroup_destroy(gone);
}

enum weir_class
bench_topic_ends(struct bench_site *site, const char *topic, uint32_t partitions, int64_t *ends_out, struct weir_error *err)
{
	for (uint32_t p = 0; p < partitions; p++) {
		int64_t low;
		rd_kafka_resp_err_t code =
		    rd_kafka_query_watermark_offsets(site->kafka, topic, (int32_t)p, &low, &ends_out[p], ASK_MS);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			return weir_error_set(err, WEIR_RETRY, "%s [%u]: %s", topic, p, rd_kafka_err2str(code));
	}
	return WEIR_OK;
}
