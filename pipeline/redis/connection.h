/*
 * One connection to one Redis node: opened with AUTH and SELECT (and TLS), commands out as bytes, replies in, in order.
 *
 * Non-blocking underneath, so that each wait can be interrupted; a wait ends after `timeout_ms` without a byte in either
 * direction. Sending and reading go on together: a Redis that answers a long pipeline must not fill both socket buffers.
 * The connection counts the replies that it owes, so that a caller who reads one too few or too many is found at once.
 *
 * One thread at a time. Whoever gets anything but OK closes the connection: what it still holds (a watch, an open
 * transaction, answers on their way) ends with it, which is simpler to be sure of than to undo.
 */
#ifndef WEIR_PIPELINE_REDIS_CONNECTION_H
#define WEIR_PIPELINE_REDIS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "pipeline/redis/refusal.h"
#include "pipeline/redis/reply.h"
#include "pipeline/redis/url.h"

enum weir_exchange {
	WEIR_EXCHANGE_OK = 0,
	WEIR_EXCHANGE_LOST,      /* not there, gone, silent, or babbling; weir_connection_why says which */
	WEIR_EXCHANGE_REFUSED,   /* opening only: Redis or TLS does not let us in; weir_connection_refusal says how */
	WEIR_EXCHANGE_CANCELLED, /* the interrupt wanted it */
};

/* What may end a wait early. Borrowed by the connection; called on its thread. */
struct weir_interrupt {
	int wake_fd;               /* eventfd, rung when `wanted` may have changed; emptied by the wait */
	bool (*wanted)(void *ctx); /* give up what is being waited for */
	void *ctx;
};

struct weir_connection;

/* Closed at first. `url` and `interrupt` (NULL = none) are borrowed for its life. */
struct weir_connection *weir_connection_new(
    const struct weir_redis_url *url, uint32_t timeout_ms, const struct weir_interrupt *interrupt);
/* NULL is fine. */
void weir_connection_free(struct weir_connection *connection);

/* Connects and says who we are; at once OK when it is open. On anything else it is closed again. */
enum weir_exchange weir_connection_open(struct weir_connection *connection);
void weir_connection_close(struct weir_connection *connection);
bool weir_connection_is_open(const struct weir_connection *connection);
/* The socket, for poll; -1 when closed. An idle connection that is readable was closed by Redis. */
int weir_connection_fd(const struct weir_connection *connection);

/* Sends `commands` commands (0: a part of one that was counted before). */
enum weir_exchange weir_connection_send(
    struct weir_connection *connection, const uint8_t *bytes, size_t len, uint32_t commands);
/* Next reply; the caller frees it. One must be owed. */
enum weir_exchange weir_connection_reply(struct weir_connection *connection, struct weir_reply **reply_out);
/* Replies that Redis still owes; 0 = at rest. */
uint64_t weir_connection_owed(const struct weir_connection *connection);

/* Why the last exchange was LOST or REFUSED, in words; valid until the next one. */
const char *weir_connection_why(const struct weir_connection *connection);
/* REFUSED: what the refusal means. FINAL: no retry helps. */
enum weir_refusal weir_connection_refusal(const struct weir_connection *connection);
const struct weir_redis_url *weir_connection_url(const struct weir_connection *connection);

/* Version of hiredis that this was built with. */
const char *weir_redis_library(void);

#endif
