/*
 * A plain blocking connection, for the command line and the dispatcher's intents: connect, TLS, AUTH, SELECT, each bounded
 * by redis.timeout_ms. The store's own threads do not use it (store_link.c), since its waits cannot be interrupted. Any
 * thread; the caller owns the context and ignores SIGPIPE, which hiredis 0.14 may raise.
 */
#include <hiredis/hiredis.h>
#include <string.h>

#include "pipeline/redis/url.h"
#include "pipeline/store/store.h"

static const char *
place_of_url(const struct weir_redis_url *url)
{
	return url->unix_path != NULL ? url->unix_path : url->host;
}

/* AUTH and SELECT. */
static enum weir_class
greet(struct redisContext *redis, const struct weir_redis_url *url, struct weir_error *err)
{
	struct weir_buf out = {0};
	uint32_t commands = weir_redis_url_greet(url, &out);
	enum weir_class class = WEIR_OK;
	if (commands > 0 && redisAppendFormattedCommand(redis, (const char *)out.data, out.len) != REDIS_OK)
		class = weir_error_set(err, WEIR_RETRY, "Redis at %s: %s", place_of_url(url), redis->errstr);
	for (uint32_t i = 0; i < commands && class == WEIR_OK; i++) {
		void *answer = NULL;
		if (redisGetReply(redis, &answer) != REDIS_OK) {
			class = weir_error_set(err, WEIR_RETRY, "Redis at %s: %s", place_of_url(url), redis->errstr);
			break;
		}
		redisReply *reply = answer;
		if (reply->type == REDIS_REPLY_ERROR) {
			bool loading = strncmp(reply->str, "LOADING", 7) == 0;
			class = weir_error_set(
			    err, loading ? WEIR_RETRY : WEIR_FATAL, "Redis at %s: %.300s", place_of_url(url), reply->str);
		}
		freeReplyObject(reply);
	}
	weir_buf_free(&out);
	return class;
}

static struct redisContext *
connect_url(const struct weir_redis_url *url, struct timeval timeout, struct weir_error *err)
{
	struct redisContext *redis = url->unix_path != NULL ? redisConnectUnixWithTimeout(url->unix_path, timeout)
							    : redisConnectWithTimeout(url->host, url->port, timeout);
	if (redis == NULL || redis->err != 0) {
		(void)weir_error_set(err, WEIR_RETRY, "cannot reach Redis at %s: %s", place_of_url(url),
		    redis != NULL ? redis->errstr : "out of memory");
	} else if (redisSetTimeout(redis, timeout) != REDIS_OK) {
		(void)weir_error_set(err, WEIR_RETRY, "Redis at %s: %s", place_of_url(url), redis->errstr);
	} else if ((!url->tls || weir_redis_tls_start(redis, url, err) == WEIR_OK) && greet(redis, url, err) == WEIR_OK) {
		return redis;
	}
	if (redis != NULL)
		redisFree(redis);
	return NULL;
}

static struct redisContext *
connect_bounded(const struct weir_settings *settings, const struct weir_redis_url *url, struct weir_error *err)
{
	uint32_t timeout_ms = settings->redis_timeout_ms != 0 ? settings->redis_timeout_ms : 2000;
	struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	return connect_url(url, timeout, err);
}

struct redisContext *
weir_redis_connect(const struct weir_settings *settings, struct weir_error *err)
{
	struct weir_redis_url *url = NULL;
	if (weir_redis_url_parse(settings, &url, err) != WEIR_OK)
		return NULL;
	struct redisContext *redis = connect_bounded(settings, url, err);
	weir_redis_url_free(url);
	return redis;
}

struct redisContext *
weir_redis_connect_node(const struct weir_settings *settings, const char *node, struct weir_error *err)
{
	struct weir_redis_url *url = NULL;
	struct redisContext *redis = NULL;
	if (weir_redis_url_parse(settings, &url, err) != WEIR_OK)
		return NULL;
	struct weir_redis_url *there = weir_redis_url_at(url, node);
	if (there == NULL)
		(void)weir_error_set(err, WEIR_RETRY, "Redis names a node '%.64s', which is no host:port", node);
	else
		redis = connect_bounded(settings, there, err);
	weir_redis_url_free(there);
	weir_redis_url_free(url);
	return redis;
}
