/*
 * A Redis client for those who wait for their answers: readers, the API's own keys, intents, commands. Plain Redis or Redis
 * Cluster; the lanes' stores have their own way (pipeline/store), on the same cluster and connections.
 *
 * Commands are collected, each with its hash slot, and sent as pipelines, one a node, all nodes at once. MOVED and ASK are
 * followed; a connection that died while idle is opened again, and what had no answer is sent once more. So a command may
 * run twice: batches hold what may be repeated (reads; absolute writes).
 *
 * One thread at a time. Every wait is bounded by the time limit given; a node that failed is left alone for `rest_ms`.
 */
#ifndef WEIR_PIPELINE_REDIS_CLIENT_H
#define WEIR_PIPELINE_REDIS_CLIENT_H

#include "config/base/error.h"
#include "config/settings/settings.h"
#include "pipeline/redis/reply.h"
#include "pipeline/redis/resp.h"
#include "pipeline/redis/slot.h"

struct weir_redis;

struct weir_redis_opts {
	const struct weir_settings *settings; /* redis.*; borrowed */
	uint32_t timeout_ms;                  /* of each wait; 0 = redis.timeout_ms */
	uint32_t rest_ms;                     /* a node that failed is not tried again for so long; 0 = at once */
};

/* Connects when it is first used. Never NULL; a redis.url that is wrong is told by each send, as FATAL. */
struct weir_redis *weir_redis_new(const struct weir_redis_opts *opts);
/* NULL is fine. */
void weir_redis_free(struct weir_redis *redis);
/* Closes all connections; the next send opens what it needs. */
void weir_redis_close(struct weir_redis *redis);

/* ---- a batch ---- */

/* Forgets the commands and replies before. */
void weir_redis_clear(struct weir_redis *redis);
/*
 * Begins command number weir_redis_count() of `argc` arguments (its name included), for the node of `slot`. The caller
 * appends the arguments to *out (resp.h) before the next call. Returns the number.
 */
uint32_t weir_redis_add(struct weir_redis *redis, uint16_t slot, uint32_t argc, struct weir_buf **out);
/* The same with all arguments, as texts. */
uint32_t weir_redis_add_words(struct weir_redis *redis, uint16_t slot, uint32_t argc, const char *const *words);
uint32_t weir_redis_count(const struct weir_redis *redis);

/*
 * Sends all and reads every reply. OK: each command has one, errors among them (weir_redis_reply). RETRY: some have none,
 * because a node cannot be reached or slots move again and again; the others have theirs. FATAL: no retry helps.
 */
enum weir_class weir_redis_send(struct weir_redis *redis, struct weir_error *err);
/*
 * The same, neighbours of one slot in one transaction (MULTI … EXEC): they see one state of it. A refused command refuses
 * its transaction, which is told here.
 */
enum weir_class weir_redis_send_together(struct weir_redis *redis, struct weir_error *err);

/* NULL when it has none. Valid until the next clear. */
const struct weir_reply *weir_redis_reply(const struct weir_redis *redis, uint32_t number);
/* The same, the caller's from now on (and to be freed by it); the command has none any more. */
struct weir_reply *weir_redis_take_reply(struct weir_redis *redis, uint32_t number);
/* OK, or the class of the first error reply: RETRY when Redis says "not now", else FATAL. */
enum weir_class weir_redis_errors(const struct weir_redis *redis, struct weir_error *err);

/* ---- one command ---- */

/*
 * Sends one command and returns its reply, which the caller frees; NULL with err when there is none or it is an error.
 * Clears the batch.
 */
struct weir_reply *weir_redis_ask(
    struct weir_redis *redis, uint16_t slot, struct weir_error *err, uint32_t argc, const char *const *words);
/* `weir_redis_ask` with the words as arguments: WEIR_REDIS_ASK(redis, WEIR_SLOT_ANY, err, "INFO", "cpu"). */
#define WEIR_REDIS_ASK(redis, slot, err, ...)                                                                              \
	weir_redis_ask(redis, slot, err, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *),                \
	    (const char *const[]){__VA_ARGS__})

#endif
