/*
 * The store: Redis, seen from a lane. One thread and one connection per lane and node; it moves bytes and holds the fence,
 * and knows nothing of cards. Requests go in and come back through two SPSC rings, in order; the lane's bell rings for each
 * that came back.
 *
 * Fence (ARCHITECTURE "Position, fencing, recovery"): every flush is WATCH h, HMGET h epoch o:…, comparison, MULTI body
 * EXEC. A lost connection is retried by the store itself (reconnect with growing, jittered delay) until the request is
 * decided; a flush whose acknowledgement was lost is decided by reading the header. Redis' refusals have classes:
 * LOADING, READONLY, OOM, MISCONF, CLUSTERDOWN, TRYAGAIN, BUSY, NOREPLICAS -> retry with delay (counted, logged once a
 * second at most); MOVED -> go on at the node it names; ASK -> wait, since a transaction cannot span two nodes, until the
 * slot has arrived and MOVED says so; NOAUTH, WRONGPASS, NOPERM, WRONGTYPE, unknown command -> fatal; bytes that are no
 * RESP
 * -> close, reconnect, retry.
 */
#ifndef WEIR_PIPELINE_STORE_H
#define WEIR_PIPELINE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregators/partition.h"
#include "aggregators/tables/layout.h"
#include "config/base/error.h"
#include "config/base/log_place.h"
#include "config/base/slice.h"
#include "config/settings/settings.h"

enum weir_store_kind {
	WEIR_STORE_TAKE = 1, /* raise the epoch and load the partition into the sink */
	WEIR_STORE_FLUSH,    /* one fenced transaction */
	WEIR_STORE_FETCH,    /* read some strings (slow path of late records) */
};

enum weir_store_result {
	WEIR_STORE_PENDING = 0,
	WEIR_STORE_DONE,
	WEIR_STORE_FENCED,      /* a higher epoch is stored: another owner */
	WEIR_STORE_LOST_WRITES, /* stored epoch or offsets are not ours: Redis lost writes; take the partition again */
	WEIR_STORE_FAILED,      /* fatal, see error */
	WEIR_STORE_CANCELLED,   /* weir_store_cancel, or the store is stopping */
};

/* Where a request is: its owner's, waiting or in hand, or answered and not yet taken back. The store's alone to change. */
enum weir_request_state {
	WEIR_REQUEST_IDLE = 0,
	WEIR_REQUEST_SUBMITTED,
	WEIR_REQUEST_ANSWERED,
};

/*
 * Checkpoint offsets of a header: the input topics, topics.cards, topics.partials, and the number of the flush (which moves
 * when no topic does).
 */
#define WEIR_CHECKPOINT_OFFSETS_MAX (WEIR_INPUTS_MAX + 3)

/* Header as stored. offsets[i] = -1 when nothing is stored for that topic. */
struct weir_store_header {
	bool exists;    /* false: the partition was never flushed */
	uint64_t epoch; /* after raising */
	int64_t stream_time_us;
	uint32_t slots[WEIR_SLABS]; /* slots given out */
	int64_t offsets[WEIR_CHECKPOINT_OFFSETS_MAX];
	struct log_name logs[WEIR_CHECKPOINT_OFFSETS_MAX]; /* that the offsets are places in */
	uint32_t partitions; /* of every topic when the installation was made; 0 when not stored yet */
};

/*
 * Receives a partition while it is loaded: header first, then names in order, reference data, pages, dedupe keys, intents.
 * Called on the store thread while the lane does not touch the object (ownership is with the request). Slices are valid
 * during the call. A retried load calls begin() again, which must drop what came before. false from any = poison: the load
 * fails with WEIR_STORE_FAILED.
 */
struct weir_load_sink {
	void *ctx;
	bool (*begin)(void *ctx, const struct weir_store_header *header);
	bool (*name)(void *ctx, uint32_t index, struct weir_slice name);
	bool (*reference)(void *ctx, struct weir_slice field, struct weir_slice json);
	bool (*page)(void *ctx, enum weir_slab_kind slab, uint32_t page,
	    struct weir_slice bytes); /* missing pages are not called; short ones are as stored */
	bool (*dedupe_keys)(void *ctx, int64_t hour, uint32_t bucket, struct weir_slice bytes);
	bool (*intent)(void *ctx, struct weir_iccid iccid, uint64_t token, uint8_t desired);
};

/* One string to read: whole (len 0) or a range. */
struct weir_store_fetch {
	char key[64]; /* name after the partition tag, e.g. "m:493012:17" */
	uint32_t from;
	uint32_t len;              /* 0 = whole string */
	struct weir_buf value_out; /* filled by the store; empty if the key is missing. Caller frees. */
	uint64_t tag;              /* caller's */
};

struct weir_store_request {
	enum weir_store_kind kind;
	enum weir_request_state state; /* IDLE when it is submitted */
	uint32_t partition;
	void *owner; /* caller's */
	/* TAKE */
	struct weir_load_sink sink;
	/* New epoch = max(stored, floor, clock in microseconds - 1) + 1, raised atomically: it never comes twice, even
	 * when Redis lost writes. */
	uint64_t epoch_floor;
	uint32_t fresh_hours; /* load dedupe keys of hours (stream hour - fresh_hours) .. stream hour + 1 */
	/* FLUSH */
	uint64_t epoch;                                      /* ours */
	int64_t offsets_before[WEIR_CHECKPOINT_OFFSETS_MAX]; /* that the header must hold, -1 = absent; order of
						       weir_store_opts.topics */
	int64_t offsets_after[WEIR_CHECKPOINT_OFFSETS_MAX];  /* that it holds once the body (which sets them) was applied */
	struct weir_buf body; /* RESP commands, without MULTI/EXEC; freed by the caller after it came back */
	uint32_t commands;    /* their number */
	/* FETCH */
	struct weir_store_fetch *fetches;
	uint32_t fetch_count;
	/* answer */
	enum weir_store_result result;
	struct weir_store_header header; /* TAKE: what was loaded; FENCED/FORGOT: what is stored now */
	int64_t took_us;                 /* time from start to answer */
	struct weir_error error;
};

struct weir_store;

struct weir_store_opts {
	const struct weir_settings *settings; /* redis.*; borrowed */
	const char *const *topics; /* topics whose offsets the header holds, in the order of positions; borrowed */
	uint32_t topic_count;
	void (*bell)(void *ctx); /* rung on the store thread after each answer */
	void *bell_ctx;
	const char *owner_name; /* text stored in header field owner */
	uint32_t partitions;    /* of every topic: a header made with another number is refused; 0: not checked */
};

struct weir_store_counters { /* relaxed snapshot; any thread */
	uint64_t flushes, flush_bytes, flush_us, fetches, takes, reconnects, refusals, fenced, lost_writes;
	bool connected;
};

struct weir_store *weir_store_start(const struct weir_store_opts *opts, struct weir_error *err);
/* false when the ring (256) is full. Lane's thread only. */
bool weir_store_submit(struct weir_store *store, struct weir_store_request *request);
/* Next answered request or NULL. Lane's thread only. */
struct weir_store_request *weir_store_next(struct weir_store *store);
/* Makes requests of a partition that are waiting for an unreachable Redis come back CANCELLED (used when a partition is
 * lost). Lane's thread. */
void weir_store_cancel(struct weir_store *store, uint32_t partition);
/* Stops the thread; undecided requests come back CANCELLED and can still be taken with weir_store_next. */
void weir_store_stop(struct weir_store *store);
void weir_store_free(struct weir_store *store);
void weir_store_counters_get(struct weir_store *store, struct weir_store_counters *counters_out);

#endif
