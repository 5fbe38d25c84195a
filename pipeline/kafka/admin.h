/*
 * A producer for commands: settings' brokers and `kafka.properties`, idempotent, and a partitioner that the record
 * producers share. Caller owns the handle.
 */
#ifndef WEIR_PIPELINE_CLI_KAFKA_H
#define WEIR_PIPELINE_CLI_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "config/base/error.h"
#include "config/settings/settings.h"

/* Java's default for messages with a key; `kafka.properties: {partitioner: ...}` overrides it. */
#define WEIR_PARTITIONER "murmur2_random"

/* `on_delivery` sees each message's fate, on the polling thread, with `opaque`. NULL with err on a bad property. */
rd_kafka_t *weir_producer_open(const struct weir_settings *settings,
    void (*on_delivery)(rd_kafka_t *, const rd_kafka_message_t *, void *), void *opaque, struct weir_error *err);

/* Partitions of a topic, without creating it. RETRY: brokers not reachable. FATAL: no such topic. */
enum weir_class weir_topic_partitions(
    rd_kafka_t *kafka, const char *topic, int timeout_ms, uint32_t *count_out, struct weir_error *err);

#endif
