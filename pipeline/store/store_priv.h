/*
 * Inside of the store: its thread's memory, and one attempt at a request in its parts.
 *
 * An attempt at a request ends in a step (below); the thread's loop (store_thread.c) turns steps into reconnects, delays
 * and answers. Each function that talks to Redis does one attempt and never sleeps by itself.
 */
#ifndef WEIR_PIPELINE_STORE_PRIV_H
#define WEIR_PIPELINE_STORE_PRIV_H

#include <pthread.h>

#include "config/base/clock.h"
#include "config/base/random.h"
#include "pipeline/redis/cluster.h"
#include "pipeline/redis/resp.h"
#include "pipeline/store/store.h"
#include "pipeline/store/store_queue.h"

#define WEIR_STORE_MAGIC 0x73746f72u

/* How an attempt ended. */
enum weir_step {
	WEIR_STEP_OK = 0,   /* this part went well, go on */
	WEIR_STEP_ANSWERED, /* request->result is decided */
	WEIR_STEP_AGAIN,    /* the header changed under WATCH: read it again at once */
	WEIR_STEP_LOST,     /* connection gone, silent or babbling: reconnect */
	WEIR_STEP_LATER,    /* refused for a while: reconnect after a delay */
	WEIR_STEP_MOVED,    /* the slot is another node's by now, which the cluster has learnt */
	WEIR_STEP_CANCELLED,
};

struct weir_store {
	uint32_t magic;
	struct weir_store_opts opts;
	const char *prefix;
	pthread_t thread;
	bool joined;
	struct weir_store_queue queue;

	/* store thread only */
	struct weir_cluster *cluster;
	struct weir_interrupt interrupt;
	uint16_t slot;                      /* hash slot of the request in hand, */
	uint32_t node;                      /* the node asked for it, */
	struct weir_connection *connection; /* and the connection there */
	bool lost[WEIR_NODES_MAX];          /* the next opening counts as a reconnect */
	struct weir_buf header_fields;      /* arguments of HMGET as RESP */
	uint32_t header_field_count;
	struct weir_buf out;   /* commands of the exchange in hand, */
	uint32_t out_commands; /* and their number */
	struct weir_error why; /* why the last attempt did not decide its request */
	bool why_elsewhere;    /* the refusal says that this node is the wrong one */
	uint32_t attempts;     /* delayed ones of the request in hand */
	bool failing;          /* an attempt of it was lost: the next one is delayed */
	struct weir_random jitter;
	struct weir_steady said; /* when a cause was last logged */

	/* relaxed: single writer, readers want a snapshot only */
	_Atomic uint64_t flushes, flush_bytes, flush_us, fetches, takes, reconnects, refusals, fenced, lost_writes;
	atomic_bool connected;
};

/* The store's thread; `store` is a struct weir_store. */
void *weir_store_thread(void *store);

static inline void
weir_store_count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* ---- store_exchange.c: the request's connection. Every call returns OK, LOST, LATER, CANCELLED or, for a fatal answer,
 * ANSWERED with the request in hand FAILED. ---- */

/* Opening includes AUTH and SELECT. */
enum weir_step weir_store_open(struct weir_store *store, struct weir_store_request *request);
void weir_store_close(struct weir_store *store);
/* Begins a command of `argc` arguments in store->out. */
void weir_store_command(struct weir_store *store, uint32_t argc);
/* Sends store->out and empties it. */
enum weir_step weir_store_send_out(struct weir_store *store);
enum weir_step weir_store_send(struct weir_store *store, const uint8_t *data, size_t len, uint32_t commands);
/* Next reply; freed by the caller. */
enum weir_step weir_store_reply(struct weir_store *store, struct weir_reply **reply_out);
/* Sends store->out, one command, and reads its reply; an error reply becomes the step of its class, any type but `type`
 * LOST. */
enum weir_step weir_store_ask_for(
    struct weir_store *store, struct weir_store_request *request, enum weir_reply_type type, struct weir_reply **reply_out);

/* ---- store_refusal.c ---- */

/* The step for an error reply; fatal ones fail the request, the others leave store->why. */
enum weir_step weir_store_refuse(
    struct weir_store *store, struct weir_store_request *request, const struct weir_reply *error);
/* Fails the request with a fatal or poison error. */
enum weir_step weir_store_fail(struct weir_store_request *request, enum weir_class class, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A reply of a type that this command never has: not Redis, or out of step. */
enum weir_step weir_store_nonsense(struct weir_store *store, const char *command, const struct weir_reply *reply);

/* ---- store_header.c ---- */

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

/* ---- one attempt each ---- */

enum weir_step weir_store_take(struct weir_store *store, struct weir_store_request *request);
enum weir_step weir_store_load(struct weir_store *store, struct weir_store_request *request);
enum weir_step weir_store_flush(struct weir_store *store, struct weir_store_request *request);
enum weir_step weir_store_fetch_all(struct weir_store *store, struct weir_store_request *request);

#endif
