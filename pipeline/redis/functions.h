/*
 * weir's Redis Function library (weir_card, weir_pool), for people at redis-cli; see docs/redis.md.
 */
#ifndef WEIR_PIPELINE_REDIS_FUNCTIONS_H
#define WEIR_PIPELINE_REDIS_FUNCTIONS_H

#include "pipeline/redis/client.h"

/*
 * Installs the library for a key prefix on Redis, in Redis Cluster on each master (functions are a node's own), where the
 * stored text differs. RETRY: a node is not ready. POISON: Redis has no functions (before 7.0) or does not allow them: go
 * on without. What can be installed is, also when one node says no; err tells the last that did. Without a key weir_card
 * needs
 * `<prefix>:partitions` = number of partitions.
 */
enum weir_class weir_redis_install_functions(struct weir_redis *redis, const char *prefix, struct weir_error *err);

#endif
