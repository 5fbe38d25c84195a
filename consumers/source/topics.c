/*
 * What is asked of Kafka at start, through librdkafka, which does every security protocol.
 *
 * Checks that all topics are there and that the inputs are co-partitioned with topics.cards and topics.partials:
 * what a user gets wrong first is answered with the topics' names and the command that creates them, not with a hang.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>

#include "consumers/source/source.h"

static const rd_kafka_metadata_topic_t *
find_topic(const rd_kafka_metadata_t *metadata, const char *topic)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, topic) == 0 && metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			return &metadata->topics[i];
	return NULL;
}

/* All that are missing, and how to create the first of them. True when there is one. */
static bool
name_missing(const rd_kafka_metadata_t *metadata, const char *const *topics, uint32_t topic_count,
    const char *const *others, uint32_t other_count, struct weir_error *err)
{
	char missing[256] = "", like[96] = "";
	const char *first = NULL;
	int partitions = 0;
	bool alike = false; /* the first one needs as many partitions as another topic has */
	for (uint32_t i = 0; i < topic_count + other_count; i++) {
		const char *topic = i < topic_count ? topics[i] : others[i - topic_count];
		const rd_kafka_metadata_topic_t *found = find_topic(metadata, topic);
		size_t len = strlen(missing);
		if (found != NULL) {
			if (i < topic_count && partitions == 0) {
				partitions = found->partition_cnt;
				(void)snprintf(like, sizeof(like), ", as many as %.64s has", topic);
			}
			continue;
		}
		(void)snprintf(missing + len, sizeof(missing) - len, "%s%s", len > 0 ? ", " : "", topic);
		if (first == NULL) {
			first = topic;
			alike = i < topic_count;
		}
	}
	if (first == NULL)
		return false;
	(void)weir_error_set(err, WEIR_FATAL,
	    "Kafka has no topic %s: create it (weir creates none), e.g. kafka-topics.sh --create --topic %.80s "
	    "--partitions "
	    "%d%s",
	    missing, first,
	    !alike           ? 1
	    : partitions > 0 ? partitions
			     : 12,
	    alike ? like : "");
	return true;
}

static enum weir_class
compare(const rd_kafka_metadata_t *metadata, const char *const *topics, uint32_t topic_count, const char *const *others,
    uint32_t other_count, uint32_t *partitions_out, struct weir_error *err)
{
	if (name_missing(metadata, topics, topic_count, others, other_count, err))
		return WEIR_FATAL;
	int partitions = find_topic(metadata, topics[0])->partition_cnt;
	for (uint32_t i = 1; i < topic_count; i++) {
		int other = find_topic(metadata, topics[i])->partition_cnt;
		if (other != partitions)
			return weir_error_set(err, WEIR_FATAL,
			    "topic %s has %d partitions, %s has %d: they must be equal, a card's records, its reference "
			    "data "
			    "and its pool's sums share a partition; kafka-topics.sh --alter adds partitions to the smaller "
			    "one while it is empty",
			    topics[0], partitions, topics[i], other);
	}
	*partitions_out = (uint32_t)partitions;
	return WEIR_OK;
}

enum weir_class
weir_source_check_topics(const struct weir_settings *settings, const char *const *topics, uint32_t topic_count,
    const char *const *others, uint32_t other_count, uint32_t timeout_ms, uint32_t *partitions_out, struct weir_error *err)
{
	char text[256];
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return WEIR_FATAL;
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return weir_error_set(err, WEIR_FATAL, "kafka: %s", text);
	}
	const rd_kafka_metadata_t *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, &metadata, (int)timeout_ms);
	enum weir_class class;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		class = compare(metadata, topics, topic_count, others, other_count, partitions_out, err);
	else
		class = weir_error_set(err, WEIR_RETRY, "Kafka at %s: %s", settings->kafka_brokers, rd_kafka_err2str(code));
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_destroy(rk);
	return class;
}

/* ---- what the group has committed ---- */

static enum weir_class
ask_committed(rd_kafka_t *rk, const char *const *topics, uint32_t topic_count, uint32_t partitions, uint32_t timeout_ms,
    int64_t *offsets_out, struct weir_error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)(topic_count * partitions));
	for (uint32_t t = 0; t < topic_count; t++)
		for (uint32_t p = 0; p < partitions; p++)
			(void)rd_kafka_topic_partition_list_add(list, topics[t], (int32_t)p);
	rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, (int)timeout_ms);
	for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
		code = list->elems[i].err;
		offsets_out[i] = list->elems[i].offset >= 0 ? list->elems[i].offset : -1;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
		   ? WEIR_OK
		   : weir_error_set(err, WEIR_RETRY, "committed offsets: %s", rd_kafka_err2str(code));
}

enum weir_class
weir_source_committed(const struct weir_settings *settings, const char *const *topics, uint32_t topic_count,
    uint32_t partitions, uint32_t timeout_ms, int64_t *offsets_out, struct weir_error *err)
{
	char text[256];
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return WEIR_FATAL;
	if (rd_kafka_conf_get(conf, "group.id", text, &(size_t){sizeof(text)}) != RD_KAFKA_CONF_OK || text[0] == '\0')
		(void)rd_kafka_conf_set(conf, "group.id", settings->kafka_group, text, sizeof(text));
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return weir_error_set(err, WEIR_FATAL, "kafka: %s", text);
	}
	enum weir_class class = ask_committed(rk, topics, topic_count, partitions, timeout_ms, offsets_out, err);
	rd_kafka_destroy(rk);
	return class;
}
