/*
 * One connection; see connection.h. hiredis opens it and parses replies; waiting is done here, with poll on the socket and
 * on the interrupt's descriptor, because hiredis' own blocking reads cannot be interrupted. Big bodies go straight to the
 * socket; with TLS they go through hiredis' buffer in pieces of 256 KiB, since it moves what remains to the front after
 * each partial write.
 */
#include "pipeline/redis/connection.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "pipeline/redis/connection_priv.h"

#define CONNECTION_MAGIC 0x72636f6eu
#define PIECE_BYTES (256 * 1024)
#define PLACE_MAX 288 /* host:port, or a path */
#define TLS_NAP_MS 5  /* a TLS handshake may want to read while it cannot write: ask again this soon */

struct weir_connection {
	uint32_t magic;
	uint32_t timeout_ms;
	const struct weir_redis_url *url;
	const struct weir_interrupt *interrupt; /* NULL = none */
	redisContext *redis;                    /* NULL = closed */
	uint64_t owed;                          /* replies to commands that were sent */
	struct weir_error why;
	enum weir_refusal refusal;
	char place[PLACE_MAX]; /* where it leads, for messages */
};

const char *
weir_redis_library(void)
{
#define TEXT_OF(number) #number
#define VERSION_OF(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)
	return VERSION_OF(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

struct weir_connection *
weir_connection_new(const struct weir_redis_url *url, uint32_t timeout_ms, const struct weir_interrupt *interrupt)
{
	WEIR_CHECK(url != NULL && timeout_ms > 0);
	struct weir_connection *connection = weir_calloc(1, sizeof(*connection));
	connection->magic = CONNECTION_MAGIC;
	connection->url = url;
	connection->timeout_ms = timeout_ms;
	connection->interrupt = interrupt;
	if (url->unix_path != NULL)
		(void)snprintf(connection->place, sizeof(connection->place), "%s", url->unix_path);
	else
		(void)snprintf(connection->place, sizeof(connection->place), "%s:%u", url->host, url->port);
	return connection;
}

void
weir_connection_free(struct weir_connection *connection)
{
	if (connection == NULL)
		return;
	weir_connection_close(connection);
	connection->magic = 0;
	free(connection);
}

void
weir_connection_close(struct weir_connection *connection)
{
	WEIR_CHECK_MAGIC(connection, CONNECTION_MAGIC);
	connection->owed = 0;
	if (connection->redis == NULL)
		return;
	redisContext *redis;
	WEIR_TAKE(redis, connection->redis);
	redisFree(redis);
}

bool
weir_connection_is_open(const struct weir_connection *connection)
{
	WEIR_CHECK_MAGIC(connection, CONNECTION_MAGIC);
	return connection->redis != NULL;
}

int
weir_connection_fd(const struct weir_connection *connection)
{
	return weir_connection_is_open(connection) ? connection->redis->fd : -1;
}

uint64_t
weir_connection_owed(const struct weir_connection *connection)
{
	return connection->owed;
}

const char *
weir_connection_why(const struct weir_connection *connection)
{
	return connection->why.text;
}

enum weir_refusal
weir_connection_refusal(const struct weir_connection *connection)
{
	return connection->refusal;
}

const struct weir_redis_url *
weir_connection_url(const struct weir_connection *connection)
{
	return connection->url;
}

/* ---- waiting ---- */

static enum weir_exchange
lost(struct weir_connection *connection, const char *what)
{
	(void)weir_error_set(&connection->why, WEIR_RETRY, "Redis at %s: %.300s", connection->place, what);
	return WEIR_EXCHANGE_LOST;
}

static enum weir_exchange
unreachable(struct weir_connection *connection, const char *what)
{
	(void)weir_error_set(&connection->why, WEIR_RETRY, "cannot reach Redis at %s: %.300s", connection->place, what);
	return WEIR_EXCHANGE_LOST;
}

static struct weir_steady
new_deadline(const struct weir_connection *connection)
{
	return weir_steady_in_ms(connection->timeout_ms);
}

static void
drain_wake(int fd)
{
	uint64_t rings;
	ssize_t got = read(fd, &rings, sizeof(rings));
	(void)got; /* non-blocking: nothing to read is fine */
}

/* Waits until the socket is ready for one of `events`, at most until the deadline; LOST when that passes. */
static enum weir_exchange
wait_ready(struct weir_connection *connection, short events, struct weir_steady deadline, short *ready_out)
{
	const struct weir_interrupt *interrupt = connection->interrupt;
	WEIR_CHECK(connection->redis != NULL);
	for (;;) {
		if (interrupt != NULL && interrupt->wanted(interrupt->ctx))
			return WEIR_EXCHANGE_CANCELLED;
		int64_t left_us = weir_steady_left_us(deadline);
		if (left_us <= 0)
			return lost(connection, "no answer within redis.timeout_ms");
		struct pollfd fds[2] = {{.fd = connection->redis->fd, .events = events},
		    {.fd = interrupt != NULL ? interrupt->wake_fd : -1, .events = POLLIN}};
		int count = poll(fds, 2, (int)(left_us / 1000) + 1);
		if (count < 0 && errno != EINTR)
			return lost(connection, strerror(errno));
		if (count <= 0)
			continue;
		if (fds[1].revents != 0)
			drain_wake(interrupt->wake_fd);
		if (fds[0].revents != 0) {
			*ready_out = fds[0].revents;
			return WEIR_EXCHANGE_OK;
		}
	}
}

/* Takes in what has arrived. */
static enum weir_exchange
read_some(struct weir_connection *connection)
{
	return redisBufferRead(connection->redis) == REDIS_OK ? WEIR_EXCHANGE_OK
							      : lost(connection, connection->redis->errstr);
}

/* ---- sending and reading ---- */

/* Waits for room to send; takes in answers meanwhile. */
static enum weir_exchange
wait_writable(struct weir_connection *connection, struct weir_steady deadline)
{
	short ready = 0;
	enum weir_exchange end = wait_ready(connection, POLLIN | POLLOUT, deadline, &ready);
	if (end == WEIR_EXCHANGE_OK && (ready & POLLIN) != 0)
		end = read_some(connection);
	return end;
}

static enum weir_exchange
send_plain(struct weir_connection *connection, const uint8_t *bytes, size_t len)
{
	struct weir_steady deadline = new_deadline(connection);
	while (len > 0) {
		ssize_t sent = send(connection->redis->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			bytes += sent;
			len -= (size_t)sent;
			deadline = new_deadline(connection);
			continue;
		}
		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return lost(connection, strerror(errno));
		enum weir_exchange end = wait_writable(connection, deadline);
		if (end != WEIR_EXCHANGE_OK)
			return end;
	}
	return WEIR_EXCHANGE_OK;
}

static enum weir_exchange
send_piece_tls(struct weir_connection *connection, const uint8_t *bytes, size_t len)
{
	redisContext *redis = connection->redis;
	if (redisAppendFormattedCommand(redis, (const char *)bytes, len) != REDIS_OK)
		return lost(connection, redis->errstr);
	struct weir_steady deadline = new_deadline(connection);
	for (;;) {
		int done = 0;
		if (redisBufferWrite(redis, &done) != REDIS_OK)
			return lost(connection, redis->errstr);
		if (done)
			return WEIR_EXCHANGE_OK;
		enum weir_exchange end = wait_writable(connection, deadline);
		if (end != WEIR_EXCHANGE_OK)
			return end;
		(void)poll(NULL, 0, TLS_NAP_MS);
	}
}

enum weir_exchange
weir_connection_send(struct weir_connection *connection, const uint8_t *bytes, size_t len, uint32_t commands)
{
	WEIR_CHECK_MAGIC(connection, CONNECTION_MAGIC);
	WEIR_CHECK(connection->redis != NULL);
	connection->owed += commands;
	if (!connection->url->tls)
		return send_plain(connection, bytes, len);
	while (len > 0) {
		size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES;
		enum weir_exchange end = send_piece_tls(connection, bytes, piece);
		if (end != WEIR_EXCHANGE_OK)
			return end;
		bytes += piece;
		len -= piece;
	}
	return WEIR_EXCHANGE_OK;
}

enum weir_exchange
weir_connection_reply(struct weir_connection *connection, struct weir_reply **reply_out)
{
	WEIR_CHECK_MAGIC(connection, CONNECTION_MAGIC);
	WEIR_CHECK(connection->redis != NULL && connection->owed > 0);
	for (;;) {
		void *reply = NULL;
		if (redisGetReplyFromReader(connection->redis, &reply) != REDIS_OK)
			return lost(connection, connection->redis->errstr);
		if (reply != NULL) {
			connection->owed--;
			*reply_out = reply;
			return WEIR_EXCHANGE_OK;
		}
		short ready = 0;
		enum weir_exchange end = wait_ready(connection, POLLIN, new_deadline(connection), &ready);
		if (end == WEIR_EXCHANGE_OK)
			end = read_some(connection);
		if (end != WEIR_EXCHANGE_OK)
			return end;
	}
}

/* ---- opening ---- */

/* Waits for the connection to stand. */
static enum weir_exchange
finish_connect(struct weir_connection *connection)
{
	short ready = 0;
	enum weir_exchange end = wait_ready(connection, POLLOUT, new_deadline(connection), &ready);
	if (end != WEIR_EXCHANGE_OK)
		return end;
	int error = 0;
	socklen_t error_len = sizeof(error);
	if (getsockopt(connection->redis->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0)
		error = errno;
	return error == 0 ? WEIR_EXCHANGE_OK : unreachable(connection, strerror(error));
}

static enum weir_exchange
connect_socket(struct weir_connection *connection)
{
	const struct weir_redis_url *url = connection->url;
	connection->redis =
	    url->unix_path != NULL ? redisConnectUnixNonBlock(url->unix_path) : redisConnectNonBlock(url->host, url->port);
	if (connection->redis == NULL)
		return unreachable(connection, "out of memory");
	if (connection->redis->err != 0)
		return unreachable(connection, connection->redis->errstr);
	weir_reply_functions_set(connection->redis->reader);
	enum weir_exchange end = finish_connect(connection);
	if (end == WEIR_EXCHANGE_OK && url->unix_path == NULL)
		(void)redisEnableKeepAlive(connection->redis); /* best effort: timeout_ms guards each exchange anyway */
	return end;
}

static enum weir_exchange
start_tls(struct weir_connection *connection)
{
	enum weir_class class = weir_redis_tls_start(connection->redis, connection->url, &connection->why);
	connection->refusal = class == WEIR_FATAL ? WEIR_REFUSAL_FINAL : WEIR_REFUSAL_NONE;
	return class == WEIR_OK ? WEIR_EXCHANGE_OK : class == WEIR_FATAL ? WEIR_EXCHANGE_REFUSED : WEIR_EXCHANGE_LOST;
}

static enum weir_exchange
refused(struct weir_connection *connection, const struct weir_reply *error)
{
	connection->refusal = weir_refusal_of(error);
	(void)weir_error_set(&connection->why, connection->refusal == WEIR_REFUSAL_FINAL ? WEIR_FATAL : WEIR_RETRY,
	    "Redis at %s: %.300s", connection->place, error->str);
	return WEIR_EXCHANGE_REFUSED;
}

/* AUTH and SELECT. */
static enum weir_exchange
greet(struct weir_connection *connection)
{
	struct weir_buf out = {0};
	uint32_t commands = weir_redis_url_greet(connection->url, &out);
	enum weir_exchange end = weir_connection_send(connection, out.data, out.len, commands);
	weir_buf_free(&out);
	for (uint32_t i = 0; i < commands && end == WEIR_EXCHANGE_OK; i++) {
		struct weir_reply *reply = NULL;
		end = weir_connection_reply(connection, &reply);
		if (end == WEIR_EXCHANGE_OK && reply->type == WEIR_REPLY_ERROR)
			end = refused(connection, reply);
		weir_reply_free(reply);
	}
	return end;
}

enum weir_exchange
weir_connection_open(struct weir_connection *connection)
{
	WEIR_CHECK_MAGIC(connection, CONNECTION_MAGIC);
	if (connection->redis != NULL)
		return WEIR_EXCHANGE_OK;
	connection->refusal = WEIR_REFUSAL_NONE;
	enum weir_exchange end = connect_socket(connection);
	if (end == WEIR_EXCHANGE_OK && connection->url->tls)
		end = start_tls(connection);
	if (end == WEIR_EXCHANGE_OK)
		end = greet(connection);
	if (end != WEIR_EXCHANGE_OK)
		weir_connection_close(connection);
	else
		WEIR_CHECK(connection->owed == 0);
	return end;
}
