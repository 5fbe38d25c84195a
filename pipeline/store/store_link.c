/*
 * One connection of the store. hiredis opens it and parses replies; waiting is done here, with poll on the socket and on
 * the store's wake descriptor, because hiredis' own blocking reads cannot be interrupted when a partition is lost or weir
 * stops. Sending and reading go on together: a Redis that answers a long pipeline must not fill both socket buffers. Big
 * bodies go straight to the socket; with TLS they go through hiredis' buffer in pieces of 256 KiB, since it moves what
 * remains to the front after each partial write. Every wait ends after redis.timeout_ms without a byte in either
 * direction. Store thread only.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "config/base/log.h"
#include "pipeline/store/store_priv.h"

#define PIECE_BYTES (256 * 1024)
#define ELEMENTS_MAX (1 << 24) /* of one answer; hiredis would allocate whatever a babbling server announces */
#define TLS_NAP_MS 5           /* a TLS handshake may want to read while it cannot write: ask again this soon */

static enum weir_step
link_lost(struct weir_link *link, const char *what, const char *detail)
{
	(void)weir_error_set(&link->store->why, WEIR_RETRY, "%s: %.300s", what, detail);
	return WEIR_STEP_LOST;
}

/* Waits until the socket is ready for one of `events`, at most until the deadline; LOST when that passes. */
static enum weir_step
wait_ready(struct weir_link *link, short events, struct weir_steady deadline, short *ready_out)
{
	for (;;) {
		if (weir_store_interrupted(link->store))
			return WEIR_STEP_CANCELLED;
		int64_t left_us = weir_steady_left_us(deadline);
		if (left_us <= 0)
			return link_lost(link, "Redis", "no answer within redis.timeout_ms");
		struct pollfd fds[2] = {
		    {.fd = link->redis->fd, .events = events}, {.fd = link->store->wake_fd, .events = POLLIN}};
		int count = poll(fds, 2, (int)(left_us / 1000) + 1);
		if (count < 0 && errno != EINTR)
			return link_lost(link, "poll", strerror(errno));
		if (count <= 0)
			continue;
		if (fds[1].revents != 0)
			weir_store_drain_wake(link->store);
		if (fds[0].revents != 0) {
			*ready_out = fds[0].revents;
			return WEIR_STEP_OK;
		}
	}
}

static struct weir_steady
new_deadline(const struct weir_link *link)
{
	return weir_steady_in_ms(link->store->timeout_ms);
}

/* Takes in what has arrived. */
static enum weir_step
read_some(struct weir_link *link)
{
	if (redisBufferRead(link->redis) != REDIS_OK)
		return link_lost(link, "Redis connection", link->redis->errstr);
	return WEIR_STEP_OK;
}

/* Waits for room to send; takes in answers meanwhile. */
static enum weir_step
wait_writable(struct weir_link *link, struct weir_steady deadline)
{
	short ready = 0;
	enum weir_step step = wait_ready(link, POLLIN | POLLOUT, deadline, &ready);
	if (step == WEIR_STEP_OK && (ready & POLLIN) != 0)
		step = read_some(link);
	return step;
}

static enum weir_step
send_plain(struct weir_link *link, const uint8_t *data, size_t len)
{
	struct weir_steady deadline = new_deadline(link);
	while (len > 0) {
		ssize_t sent = send(link->redis->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent > 0) {
			data += sent;
			len -= (size_t)sent;
			deadline = new_deadline(link);
			continue;
		}
		if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return link_lost(link, "send to Redis", strerror(errno));
		enum weir_step step = wait_writable(link, deadline);
		if (step != WEIR_STEP_OK)
			return step;
	}
	return WEIR_STEP_OK;
}

static enum weir_step
send_piece_tls(struct weir_link *link, const uint8_t *data, size_t len)
{
	if (redisAppendFormattedCommand(link->redis, (const char *)data, len) != REDIS_OK)
		return link_lost(link, "send to Redis", link->redis->errstr);
	struct weir_steady deadline = new_deadline(link);
	for (;;) {
		int done = 0;
		if (redisBufferWrite(link->redis, &done) != REDIS_OK)
			return link_lost(link, "send to Redis", link->redis->errstr);
		if (done)
			return WEIR_STEP_OK;
		enum weir_step step = wait_writable(link, deadline);
		if (step != WEIR_STEP_OK)
			return step;
		(void)poll(NULL, 0, TLS_NAP_MS);
	}
}

enum weir_step
weir_link_send(struct weir_link *link, const uint8_t *data, size_t len)
{
	if (!link->url->tls)
		return send_plain(link, data, len);
	while (len > 0) {
		size_t piece = len < PIECE_BYTES ? len : PIECE_BYTES;
		enum weir_step step = send_piece_tls(link, data, piece);
		if (step != WEIR_STEP_OK)
			return step;
		data += piece;
		len -= piece;
	}
	return WEIR_STEP_OK;
}

enum weir_step
weir_link_reply(struct weir_link *link, redisReply **reply_out)
{
	for (;;) {
		void *reply = NULL;
		if (redisGetReplyFromReader(link->redis, &reply) != REDIS_OK)
			return link_lost(link, "bytes that are no Redis reply", link->redis->errstr);
		if (reply != NULL) {
			*reply_out = reply;
			return WEIR_STEP_OK;
		}
		short ready = 0;
		enum weir_step step = wait_ready(link, POLLIN, new_deadline(link), &ready);
		if (step == WEIR_STEP_OK)
			step = read_some(link);
		if (step != WEIR_STEP_OK)
			return step;
	}
}

enum weir_step
weir_link_query(struct weir_link *link, redisReply **reply_out)
{
	struct weir_buf *out = &link->store->out;
	enum weir_step step = weir_link_send(link, out->data, out->len);
	out->len = 0;
	return step == WEIR_STEP_OK ? weir_link_reply(link, reply_out) : step;
}

enum weir_step
weir_link_query_for(struct weir_link *link, struct weir_store_request *request, int type, redisReply **reply_out)
{
	redisReply *reply = NULL;
	enum weir_step step = weir_link_query(link, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	if (reply->type == type) {
		*reply_out = reply;
		return WEIR_STEP_OK;
	}
	step = reply->type == REDIS_REPLY_ERROR ? weir_store_refuse(link->store, request, reply)
						: weir_store_nonsense(link->store, "a read", reply);
	freeReplyObject(reply);
	return step;
}

static void *
create_bounded_array(const redisReadTask *task, weir_array_length elements)
{
	const struct weir_link *link = task->privdata;
	return elements <= ELEMENTS_MAX ? link->create_array(task, elements) : NULL;
}

static void
bound_replies(struct weir_link *link)
{
	redisReader *reader = link->redis->reader;
	link->reply_functions = *reader->fn;
	link->create_array = reader->fn->createArray;
	link->reply_functions.createArray = create_bounded_array;
	reader->fn = &link->reply_functions;
	reader->privdata = link;
}

/* Waits for the connection to stand. */
static enum weir_step
finish_connect(struct weir_link *link)
{
	short ready = 0;
	enum weir_step step = wait_ready(link, POLLOUT, new_deadline(link), &ready);
	if (step != WEIR_STEP_OK)
		return step;
	int error = 0;
	socklen_t error_len = sizeof(error);
	if (getsockopt(link->redis->fd, SOL_SOCKET, SO_ERROR, &error, &error_len) != 0)
		error = errno;
	return error == 0 ? WEIR_STEP_OK : link_lost(link, "connect to Redis", strerror(error));
}

static enum weir_step
greet_server(struct weir_link *link, struct weir_store_request *request)
{
	struct weir_store *store = link->store;
	store->out.len = 0;
	uint32_t commands = weir_redis_url_greet(link->url, &store->out);
	enum weir_step step = weir_link_send(link, store->out.data, store->out.len);
	store->out.len = 0;
	for (uint32_t i = 0; i < commands && step == WEIR_STEP_OK; i++) {
		redisReply *reply = NULL;
		step = weir_link_reply(link, &reply);
		if (step != WEIR_STEP_OK)
			break;
		if (reply->type == REDIS_REPLY_ERROR)
			step = weir_store_refuse(store, request, reply);
		freeReplyObject(reply);
	}
	return step;
}

static enum weir_step
start_tls(struct weir_link *link, struct weir_store_request *request)
{
	struct weir_error err = {0};
	enum weir_class class = weir_redis_tls_start(link->redis, link->url, &err);
	if (class == WEIR_OK)
		return WEIR_STEP_OK;
	if (class == WEIR_FATAL)
		return weir_store_fail(request, WEIR_FATAL, "%s", err.text);
	return link_lost(link, "TLS", err.text);
}

enum weir_step
weir_link_open(struct weir_link *link, struct weir_store_request *request)
{
	const struct weir_redis_url *url = link->url;
	link->redis =
	    url->unix_path != NULL ? redisConnectUnixNonBlock(url->unix_path) : redisConnectNonBlock(url->host, url->port);
	if (link->redis == NULL)
		return link_lost(link, "connect to Redis", "out of memory");
	enum weir_step step =
	    link->redis->err != 0 ? link_lost(link, "connect to Redis", link->redis->errstr) : finish_connect(link);
	bound_replies(link);
	if (step == WEIR_STEP_OK && url->unix_path == NULL)
		(void)redisEnableKeepAlive(link->redis); /* best effort: the time limit guards each exchange anyway */
	if (step == WEIR_STEP_OK && url->tls)
		step = start_tls(link, request);
	if (step == WEIR_STEP_OK)
		step = greet_server(link, request);
	if (step != WEIR_STEP_OK) {
		weir_link_close(link);
		return step;
	}
	if (link->was_lost) {
		weir_store_count(&link->store->reconnects, 1);
		WEIR_LOG_LIMITED(WEIR_LOG_INFO, "redis_connected", "connected to Redis again");
	}
	link->was_lost = false;
	atomic_store_explicit(&link->store->connected, true, memory_order_relaxed);
	return WEIR_STEP_OK;
}

void
weir_link_close(struct weir_link *link)
{
	if (link->redis == NULL)
		return;
	redisFree(link->redis);
	link->redis = NULL;
	atomic_store_explicit(&link->store->connected, false, memory_order_relaxed);
}
