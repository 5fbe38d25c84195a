/*
 * Inside of the store. One array of 256 slots is both rings: the lane writes slot `submitted`, the store thread works on
 * slot `answered`, the lane takes slot `taken`; answers come back in order, so that two counters with release and acquire
 * are all the synchronisation there is. A cancel is a flag in a slot, so that it reaches just the requests that were
 * waiting when it was called, and not those of a later ownership of the same partition.
 *
 * An attempt at a request ends in a step (below); the thread's loop turns steps into reconnects, delays and answers. Each
 * function that talks to Redis does one attempt and never sleeps by itself.
 */
#ifndef WEIR_PIPELINE_STORE_PRIV_H
#define WEIR_PIPELINE_STORE_PRIV_H

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>

#include "config/base/clock.h"
#include "pipeline/redis/resp.h"
#include "pipeline/redis/url.h"
#include "pipeline/store/store.h"

#define WEIR_STORE_RING 256
#define WEIR_STORE_NODES 16 /* connections of one store; 0 is the one of redis.url */
#define WEIR_STORE_MAGIC 0x73746f72u

/* How an attempt ended. */
enum weir_step {
	WEIR_STEP_OK = 0,   /* this part went well, go on */
	WEIR_STEP_ANSWERED, /* request->result is decided */
	WEIR_STEP_AGAIN,    /* the header changed under WATCH: read it again at once */
	WEIR_STEP_LOST,     /* connection gone, silent or babbling: reconnect */
	WEIR_STEP_LATER,    /* refused for a while: reconnect after a delay */
	WEIR_STEP_MOVED,    /* another node: weir_store.moved_to names it */
	WEIR_STEP_CANCELLED,
};

struct weir_store;

#if HIREDIS_MAJOR >= 1
typedef size_t weir_array_length;
#else
typedef int weir_array_length;
#endif
typedef void *weir_create_array(const redisReadTask *task, weir_array_length elements);

/* One connection. Non-blocking underneath, so that each wait can be interrupted; store thread only. */
struct weir_link {
	struct weir_store *store;
	struct weir_redis_url *url;
	struct redisContext *redis;                /* NULL = closed */
	bool was_lost;                             /* the next opening counts as a reconnect */
	redisReplyObjectFunctions reply_functions; /* hiredis' own, but for a bound on arrays */
	weir_create_array *create_array;           /* hiredis' own */
};

struct weir_store_slot {
	struct weir_store_request *request;
	atomic_bool cancelled;
};

struct weir_store {
	uint32_t magic;
	struct weir_store_opts opts;
	const char *prefix;
	uint32_t timeout_ms;
	pthread_t thread;
	bool joined;
	int wake_fd; /* eventfd: rung by submit, cancel and stop */

	struct weir_store_slot slots[WEIR_STORE_RING];
	_Atomic uint64_t submitted; /* written by the lane, release: the slot's request is readable */
	_Atomic uint64_t answered;  /* written by the store thread, release: the request's answer is readable */
	uint64_t taken;             /* lane only */
	atomic_bool stopping;

	/* store thread only */
	struct weir_link links[WEIR_STORE_NODES];
	uint32_t link_count;
	struct weir_link *link; /* of the request in hand */
	uint8_t *node_of;       /* partition -> index into links, learnt from MOVED */
	uint32_t node_of_count;
	struct weir_buf header_fields; /* arguments of HMGET as RESP */
	uint32_t header_field_count;
	struct weir_buf out;   /* commands of the exchange in hand */
	struct weir_error why; /* why the last attempt did not decide its request */
	bool why_reconnect;    /* the refusal says that this node is the wrong one */
	char moved_to[280];    /* host:port */
	uint32_t delay_ms;
	uint64_t jitter;
	struct weir_steady said;

	/* relaxed: single writer, readers want a snapshot only */
	_Atomic uint64_t flushes, flush_bytes, flush_us, fetches, takes, reconnects, refusals, fenced, lost_writes;
	atomic_bool connected;
};

/* The request in hand shall be given up: the store stops or its partition was cancelled. */
bool weir_store_interrupted(struct weir_store *store);
void weir_store_drain_wake(struct weir_store *store);
void *weir_store_thread(void *store);
static inline void
weir_store_count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* store_link.c: opening includes AUTH and SELECT. Every call returns OK, LOST, LATER, CANCELLED or, for a fatal answer,
 * ANSWERED with the request in hand FAILED. */
enum weir_step weir_link_open(struct weir_link *link, struct weir_store_request *request);
void weir_link_close(struct weir_link *link);
enum weir_step weir_link_send(struct weir_link *link, const uint8_t *data, size_t len);
/* Next reply; freed by the caller. */
enum weir_step weir_link_reply(struct weir_link *link, redisReply **reply_out);
/* Sends store->out (and empties it), reads one reply. */
enum weir_step weir_link_query(struct weir_link *link, redisReply **reply_out);
/* As weir_link_query; an error reply becomes the step of its class, any type but `type` (and nil, if allowed) LOST. */
enum weir_step weir_link_query_for(
    struct weir_link *link, struct weir_store_request *request, int type, redisReply **reply_out);

/* store_refusal.c: the step for an error reply; fatal ones fail the request, the others leave store->why. */
enum weir_step weir_store_refuse(struct weir_store *store, struct weir_store_request *request, const redisReply *error);
/* Fails the request with a fatal or poison error. */
enum weir_step weir_store_fail(struct weir_store_request *request, enum weir_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A reply of a type that this command never has: not Redis, or out of step. */
enum weir_step weir_store_nonsense(struct weir_store *store, const char *command, const redisReply *reply);

/* store_header.c */
void weir_header_init(struct weir_store *store);
/* WATCH h, HMGET h, MULTI in one write. OK: the header was read and the transaction is open. */
enum weir_step weir_header_watch(
    struct weir_store *store, struct weir_store_request *request, struct weir_store_header *header_out);
/* Leaves the open transaction and its watch; a connection that does not agree is closed. */
void weir_header_leave(struct weir_store *store);
/* Sends `commands` commands and EXEC and reads what they answer. OK: applied. AGAIN: the watch broke. */
enum weir_step weir_header_exec(
    struct weir_store *store, struct weir_store_request *request, const struct weir_buf *body, uint32_t commands);
bool weir_parse_u64(const char *text, size_t len, uint64_t *number_out);
bool weir_parse_i64(const char *text, size_t len, int64_t *number_out);

/* One attempt each. */
enum weir_step weir_store_take(struct weir_store *store, struct weir_store_request *request);
enum weir_step weir_store_load(struct weir_store *store, struct weir_store_request *request);
enum weir_step weir_store_flush(struct weir_store *store, struct weir_store_request *request);
enum weir_step weir_store_fetch_all(struct weir_store *store, struct weir_store_request *request);

#endif
