/* Where connection.c and tls.c meet hiredis; inside pipeline/redis only. */
#ifndef WEIR_PIPELINE_REDIS_CONNECTION_PRIV_H
#define WEIR_PIPELINE_REDIS_CONNECTION_PRIV_H

#include "config/base/error.h"
#include "pipeline/redis/url.h"

struct redisContext;
struct redisReader;

/* Lets a reader make struct weir_reply; before it has parsed anything. */
void weir_reply_functions_set(struct redisReader *reader);
/* Starts TLS on a connected context (blocking or not). FATAL when this build's hiredis has no TLS. */
enum weir_class weir_redis_tls_start(struct redisContext *redis, const struct weir_redis_url *url, struct weir_error *err);

#endif
