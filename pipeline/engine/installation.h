/*
 * What an installation is made with, compared at each start: the number of partitions, which a card's place follows from,
 * and a state in Redis that a consumer group has got somewhere with (rule REC-9; docs/logs.md).
 */
#ifndef WEIR_PIPELINE_INSTALLATION_H
#define WEIR_PIPELINE_INSTALLATION_H

#include "config/base/error.h"
#include "config/settings/settings.h"

/*
 * topics: the keyed ones, which all have `partitions` partitions. Pins that number in Redis (`<prefix>:partitions`) at the
 * first start. FATAL, by name: another number is pinned; or a partition has no state in Redis though the consumer group has
 * committed offsets of it, unless settings->first_start says that nothing is to be kept. A Redis that is away is no reason
 * not to start: each partition's header is compared again when it is taken. Waits for Redis and Kafka, bounded.
 */
enum weir_class weir_installation_check(const struct weir_settings *settings, const char *const *topics,
    uint32_t topic_count, uint32_t partitions, struct weir_error *err);

#endif
