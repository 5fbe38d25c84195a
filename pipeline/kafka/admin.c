/* Partition counts; see admin.h. */
#include "pipeline/kafka/admin.h"

#include <librdkafka/rdkafka.h>
#include <string.h>

enum weir_class
weir_topic_partitions(
    struct rd_kafka_s *kafka, const char *topic, int timeout_ms, uint32_t *count_out, struct weir_error *err)
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
