/*
 * Questions to Kafka's cluster, through a handle that somebody else owns (weir_producer_handle). Any thread.
 */
#ifndef WEIR_PIPELINE_KAFKA_ADMIN_H
#define WEIR_PIPELINE_KAFKA_ADMIN_H

#include <stdint.h>

#include "config/base/error.h"

struct rd_kafka_s;

/* Partitions of a topic, without creating it. RETRY: brokers not reachable. FATAL: no such topic. */
enum weir_class weir_topic_partitions(
    struct rd_kafka_s *kafka, const char *topic, int timeout_ms, uint32_t *count_out, struct weir_error *err);

#endif
