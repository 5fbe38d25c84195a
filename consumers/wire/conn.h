/*
 * One connection to a broker: non-blocking, driven by the thread that owns it through an epoll descriptor of the owner's.
 *
 * It connects (names are resolved beside, never waited for), does TLS and SASL, asks which versions the broker speaks, and
 * is then ready for requests, whose responses come back in order. A response's bytes go straight to where its owner wants
 * them. When anything fails it closes, tells its owner and may be opened again after a back-off that grows and is jittered.
 * Times are microseconds of a clock that only goes forward.
 */
#ifndef WEIR_CONSUMERS_CONN_H
#define WEIR_CONSUMERS_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/random.h"
#include "consumers/wire/protocol.h"
#include "consumers/wire/security.h"

#define CONN_REQUESTS_MAX 16u

enum conn_state {
	CONN_CLOSED,
	CONN_NAMING,     /* the host's addresses are being resolved */
	CONN_CONNECTING, /* TCP */
	CONN_TLS,        /* handshake */
	CONN_VERSIONS,
	CONN_SASL,
	CONN_READY,
};

struct conn;
struct conn_request {
	enum protocol_api api;
	int16_t version;
	int32_t correlation;
	uint32_t tag, generation; /* the owner's */
};

struct conn_opts {
	int epoll_fd;
	const struct security *security;
	uint32_t timeout_ms, frame_max;
	void *ctx;
	/* Memory for a response of len bytes, the owner's; NULL: none, the connection closes. */
	uint8_t *(*room)(void *ctx, struct conn *conn, const struct conn_request *request, uint32_t len);
	/* A response behind its header. False: it is malformed; the connection closes. */
	bool (*response)(void *ctx, struct conn *conn, const struct conn_request *request, struct wire_reader r);
	/* Its requests will not be answered. */
	void (*closed)(void *ctx, struct conn *conn);
};

struct conn_naming;
struct ssl_st;
struct addrinfo;

struct conn {
	const struct conn_opts *opts; /* borrowed */
	char host[256];
	char port[8];
	enum conn_state state;
	int fd;
	struct ssl_st *ssl;
	struct conn_naming *naming;
	struct addrinfo *addresses, *address; /* what is left to try */
	bool wants_out;                       /* as epoll was told */
	bool ssl_wants_out;
	struct weir_buf out; /* requests not sent yet, from out_at on */
	size_t out_at;
	uint8_t head[4]; /* a frame's length, as far as it has come */
	uint8_t *frame;
	uint32_t head_got, frame_len, frame_got;
	int wake_bytes;        /* as the socket was told; 0 = not yet */
	struct weir_buf small; /* responses that the owner does not take in place */
	struct conn_request requests[CONN_REQUESTS_MAX];
	uint32_t request_first, request_count;
	int32_t correlation;
	struct protocol_versions versions;
	struct scram scram;
	uint32_t sasl_step;
	int64_t begun_us;    /* of the state before READY */
	int64_t progress_us; /* when bytes last came or the oldest request went */
	int64_t retry_us;    /* closed: not to be opened before */
	int64_t renew_us;    /* the broker's word on how long a SASL session lasts; INT64_MAX: for ever */
	uint32_t failures;   /* in a row */
	struct weir_random random;
};

void conn_init(struct conn *conn, const struct conn_opts *opts, const char *host, int32_t port, uint64_t seed);
void conn_free(struct conn *conn);
/* Opens a closed connection if its back-off is over. */
void conn_open(struct conn *conn, int64_t now_us);
/* What epoll saw of it. */
void conn_io(struct conn *conn, uint32_t events, int64_t now_us);
/* Timeouts; returns when it wants to be called again at the latest. */
int64_t conn_tick(struct conn *conn, int64_t now_us);
/* Closes because of `why`, which is logged once until it works again; NULL: nothing went wrong. */
void conn_close(struct conn *conn, const char *why, int64_t now_us);
/* Ready, and room for another request. */
bool conn_is_ready(const struct conn *conn, int64_t now_us);
/* Enters a request whose frame the caller then appends to conn->out, with the correlation returned; conn_push sends. */
int32_t conn_request(
    struct conn *conn, enum protocol_api api, int16_t version, uint32_t tag, uint32_t generation, int64_t now_us);
void conn_push(struct conn *conn, int64_t now_us);
/* The interval, a fifth of it less or more at random. */
int64_t conn_spread_us(struct weir_random *random, int64_t interval_us);

#endif
