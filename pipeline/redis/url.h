/*
 * Where Redis is: `redis.url` taken apart. redis://[user[:password]@]host[:port][/db], rediss:// (TLS),
 * unix:///path[?db=n]. %XX is decoded in user and password. Pure, any thread; the object is owned by its caller.
 */
#ifndef WEIR_PIPELINE_REDIS_URL_H
#define WEIR_PIPELINE_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/settings/settings.h"
#include "pipeline/redis/resp.h"

struct weir_redis_url {
	bool tls;
	char *unix_path; /* NULL = TCP */
	char *host;
	uint16_t port;
	char *user; /* NULL = the default user */
	char *password;
	uint32_t db;
};

/* Takes settings' URL apart; user and password of their own settings win. FATAL with err (which never shows a password). */
enum weir_class weir_redis_url_parse(
    const struct weir_settings *settings, struct weir_redis_url **url_out, struct weir_error *err);
/* The same credentials and transport at another TCP node; `node` is "host:port", an empty host means this one's. NULL when
 * it is not of that form. */
struct weir_redis_url *weir_redis_url_at(const struct weir_redis_url *url, const char *node);
void weir_redis_url_free(struct weir_redis_url *url);
/* AUTH and SELECT as far as needed, as RESP; returns the number of commands. */
uint32_t weir_redis_url_greet(const struct weir_redis_url *url, struct weir_buf *out);

#endif
