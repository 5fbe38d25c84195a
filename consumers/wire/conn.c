/* A broker's connection; see conn.h. */
#include "consumers/wire/conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/base/backoff.h"
#include "config/base/log.h"
#include "consumers/wire/transport.h"

#define BACKOFF_US 50000ll
#define BACKOFF_MAX_US 1000000ll
#define SMALL_MAX (64u << 20)
#define NONCE_BYTES 24
#define WAKE_BYTES (256 << 10)
#define TRICKLE_US 100000ll /* so long without a wake-up: less may have come than it takes */

int64_t
conn_spread_us(struct weir_random *random, int64_t interval_us)
{
	return (int64_t)weir_backoff_spread((uint64_t)interval_us, weir_random_next(random));
}

void
conn_init(struct conn *conn, const struct conn_opts *opts, const char *host, int32_t port, uint64_t seed)
{
	*conn = (struct conn){.opts = opts, .fd = -1, .random = {seed}, .renew_us = INT64_MAX};
	(void)snprintf(conn->host, sizeof(conn->host), "%s", host);
	(void)snprintf(conn->port, sizeof(conn->port), "%u", (unsigned)port & 0xffff);
}

/* ---- closing ---- */

static void
forget_requests(struct conn *conn)
{
	transport_close(conn);
	naming_drop(conn);
	scram_free(&conn->scram);
	conn->out.len = conn->out_at = 0;
	conn->head_got = conn->frame_len = conn->frame_got = 0;
	conn->frame = NULL;
	conn->request_count = 0;
	conn->wake_bytes = 0;
	conn->sasl_step = 0;
	conn->renew_us = INT64_MAX;
	conn->state = CONN_CLOSED;
}

void
conn_close(struct conn *conn, const char *why, int64_t now_us)
{
	if (conn->state == CONN_CLOSED)
		return;
	forget_requests(conn);
	conn->retry_us = now_us;
	if (why != NULL) {
		uint64_t delay_us = weir_backoff_grow(BACKOFF_US, BACKOFF_MAX_US, conn->failures);
		conn->retry_us += conn_spread_us(&conn->random, (int64_t)delay_us);
		weir_log(conn->failures == 0 ? WEIR_LOG_WARN : WEIR_LOG_DEBUG, "kafka_connection", "broker=%s:%s %s",
		    conn->host, conn->port, why);
		conn->failures++;
	}
	conn->opts->closed(conn->opts->ctx, conn);
}

void
conn_free(struct conn *conn)
{
	forget_requests(conn);
	weir_buf_free(&conn->out);
	weir_buf_free(&conn->small);
}

/* ---- requests ---- */

bool
conn_is_ready(const struct conn *conn, int64_t now_us)
{
	return conn->state == CONN_READY && conn->request_count < CONN_REQUESTS_MAX && now_us < conn->renew_us;
}

int32_t
conn_request(struct conn *conn, enum protocol_api api, int16_t version, uint32_t tag, uint32_t generation, int64_t now_us)
{
	WEIR_CHECK(conn->request_count < CONN_REQUESTS_MAX);
	uint32_t at = (conn->request_first + conn->request_count++) % CONN_REQUESTS_MAX;
	conn->correlation = conn->correlation == INT32_MAX ? 1 : conn->correlation + 1;
	conn->requests[at] = (struct conn_request){api, version, conn->correlation, tag, generation};
	if (conn->request_count == 1)
		conn->progress_us = now_us;
	return conn->correlation;
}

static void
watch_socket(struct conn *conn, bool out)
{
	if (conn->wants_out == out)
		return;
	struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.ptr = conn};
	(void)epoll_ctl(conn->opts->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
	conn->wants_out = out;
}

void
conn_push(struct conn *conn, int64_t now_us)
{
	while (conn->out_at < conn->out.len) {
		ssize_t n = transport_write(conn, conn->out.data + conn->out_at, conn->out.len - conn->out_at);
		if (n < 0) {
			conn_close(conn, "connection lost while writing", now_us);
			return;
		}
		if (n == 0)
			break;
		conn->out_at += (size_t)n;
	}
	if (conn->out_at == conn->out.len)
		conn->out.len = conn->out_at = 0;
	watch_socket(conn, conn->out.len > 0 || conn->ssl_wants_out);
}

static void
ask_versions(struct conn *conn, int16_t version, int64_t now_us)
{
	conn->state = CONN_VERSIONS;
	protocol_request_versions(&conn->out, version, conn_request(conn, API_VERSIONS, version, 0, 0, now_us));
	conn_push(conn, now_us);
}

static void
be_ready(struct conn *conn)
{
	conn->state = CONN_READY;
	if (conn->failures > 1)
		weir_log(WEIR_LOG_INFO, "kafka_connection", "broker=%s:%s works again", conn->host, conn->port);
	conn->failures = 0;
}

/* ---- SASL ---- */

static void
begin_sasl(struct conn *conn, int64_t now_us)
{
	conn->state = CONN_SASL;
	protocol_request_sasl(&conn->out, conn_request(conn, API_SASL_HANDSHAKE, 1, 0, 0, now_us),
	    security_mechanism_name(conn->opts->security->mechanism));
	conn_push(conn, now_us);
}

static void
send_token(struct conn *conn, const struct weir_buf *token, int64_t now_us)
{
	int16_t version = conn->versions.of[API_SASL_AUTHENTICATE];
	protocol_request_authenticate(&conn->out, version, conn_request(conn, API_SASL_AUTHENTICATE, version, 0, 0, now_us),
	    (struct weir_slice){token->data, token->len});
	conn_push(conn, now_us);
}

static void
first_token(struct conn *conn, struct weir_buf *token)
{
	const struct security *security = conn->opts->security;
	static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
	if (security->mechanism == SECURITY_PLAIN) {
		weir_buf_append(token, "", 1);
		weir_buf_append(token, security->user, strlen(security->user));
		weir_buf_append(token, "", 1);
		weir_buf_append(token, security->password, strlen(security->password));
		return;
	}
	uint8_t bytes[NONCE_BYTES];
	transport_random(bytes, sizeof(bytes));
	conn->scram = (struct scram){
	    .sha512 = security->mechanism == SECURITY_SCRAM_512, .user = security->user, .password = security->password};
	for (size_t i = 0; i < sizeof(bytes); i++)
		conn->scram.nonce[i] = DIGITS[bytes[i] & 63];
	scram_first(&conn->scram, token);
}

/* An answer to a token: true when it was good, whether or not more is to be said. */
static bool
next_token(struct conn *conn, struct weir_slice bytes, int64_t now_us)
{
	struct weir_buf token = {0};
	bool good = true;
	if (conn->opts->security->mechanism == SECURITY_PLAIN || conn->sasl_step == 2) {
		good = conn->opts->security->mechanism == SECURITY_PLAIN || scram_verify(&conn->scram, bytes);
		scram_free(&conn->scram);
		if (good)
			be_ready(conn);
		return good;
	}
	good = scram_final(&conn->scram, bytes, &token);
	conn->sasl_step++;
	if (good)
		send_token(conn, &token, now_us);
	weir_buf_free(&token);
	return good;
}

static const char *
on_handshake(struct conn *conn, struct wire_reader r, int64_t now_us)
{
	int16_t error;
	struct weir_slice first, token_of;
	(void)token_of;
	if (!protocol_read_sasl(&r, &error, &first))
		return "a malformed SASL handshake";
	if (error != KAFKA_OK)
		return "the broker does not take this SASL mechanism";
	struct weir_buf token = {0};
	first_token(conn, &token);
	conn->sasl_step = 1;
	send_token(conn, &token, now_us);
	weir_buf_free(&token);
	return NULL;
}

static const char *
on_authenticate(struct conn *conn, int16_t version, struct wire_reader r, int64_t now_us)
{
	int16_t error;
	int64_t lifetime_ms;
	struct weir_slice text, bytes;
	if (!protocol_read_authenticate(&r, version, &error, &text, &bytes, &lifetime_ms))
		return "a malformed SASL answer";
	if (error != KAFKA_OK)
		return "SASL: the broker refuses user or password";
	if (!next_token(conn, bytes, now_us))
		return "SASL: the broker could not prove that it knows the password";
	if (conn->state == CONN_READY && lifetime_ms > 0 && lifetime_ms < INT64_MAX / 2000)
		conn->renew_us = now_us + lifetime_ms * 850; /* a new connection before the broker ends this one */
	return NULL;
}

static const char *
on_versions(struct conn *conn, int16_t version, struct wire_reader r, int64_t now_us)
{
	int16_t error;
	/* What follows that error is of another version, in a form that differs from broker to broker: it is asked again.
	 */
	if (version != 0 && wire_left(&r) >= 2 && (int16_t)wire_load16(r.at) == KAFKA_UNSUPPORTED_VERSION) {
		ask_versions(conn, 0, now_us);
		return NULL;
	}
	if (!protocol_read_versions(&r, version, &error, &conn->versions))
		return "a malformed list of versions";
	if (conn->versions.of[API_FETCH] < 0 || conn->versions.of[API_METADATA] < 0 ||
	    conn->versions.of[API_LIST_OFFSETS] < 0)
		return "the broker speaks no version of Fetch, Metadata or ListOffsets that is known here";
	if (conn->opts->security->mechanism == SECURITY_NO_SASL)
		be_ready(conn);
	else if (conn->versions.of[API_SASL_AUTHENTICATE] < 0 || conn->versions.of[API_SASL_HANDSHAKE] < 0)
		return "the broker does not do SASL in a way known here";
	else
		begin_sasl(conn, now_us);
	return NULL;
}

/* ---- responses ---- */

static void
frame_done(struct conn *conn, int64_t now_us)
{
	struct conn_request request = conn->requests[conn->request_first];
	struct wire_reader r = {conn->frame, conn->frame + conn->frame_len, false};
	const char *why = NULL;
	conn->request_first = (conn->request_first + 1) % CONN_REQUESTS_MAX;
	conn->request_count--;
	conn->head_got = conn->frame_len = conn->frame_got = 0;
	conn->frame = NULL;
	if (!protocol_response(&r, request.api, request.version, request.correlation))
		why = "an answer to something that was not asked";
	else if (request.api == API_VERSIONS)
		why = on_versions(conn, request.version, r, now_us);
	else if (request.api == API_SASL_HANDSHAKE)
		why = on_handshake(conn, r, now_us);
	else if (request.api == API_SASL_AUTHENTICATE)
		why = on_authenticate(conn, request.version, r, now_us);
	else if (!conn->opts->response(conn->opts->ctx, conn, &request, r))
		why = "a malformed answer";
	if (why != NULL)
		conn_close(conn, why, now_us);
}

/* The length is here: where do the bytes go? False: nowhere. */
static const char *
frame_begin(struct conn *conn)
{
	uint32_t len = wire_load32(conn->head);
	if (conn->request_count == 0)
		return "an answer to nothing";
	const struct conn_request *request = &conn->requests[conn->request_first];
	if (len < 4 || len > conn->opts->frame_max || (request->api != API_FETCH && len > SMALL_MAX))
		return "an answer of impossible length";
	conn->frame_len = len;
	if (request->api == API_FETCH)
		conn->frame = conn->opts->room(conn->opts->ctx, conn, request, len);
	else {
		conn->small.len = 0;
		weir_buf_reserve(&conn->small, len);
		conn->frame = conn->small.data;
	}
	return conn->frame == NULL ? "no memory for an answer" : NULL;
}

/*
 * How much must have come before the lane is woken: not each of the hundred pieces in which a response of megabytes comes,
 * but a good part of what is missing. Not through TLS, whose library sees the bytes before we do.
 */
static void
wake_at(struct conn *conn, size_t missing)
{
	int bytes = missing > WAKE_BYTES ? WAKE_BYTES : missing > 0 ? (int)missing : 1;
	if (bytes == conn->wake_bytes || conn->ssl != NULL)
		return;
	conn->wake_bytes = bytes;
	(void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)); /* without it: woken more often */
}

/* Takes what is there. False: nothing more now, or closed. */
static bool
read_some(struct conn *conn, int64_t now_us)
{
	bool head = conn->head_got < sizeof(conn->head);
	uint8_t *to = head ? conn->head + conn->head_got : conn->frame + conn->frame_got;
	size_t want = head ? sizeof(conn->head) - conn->head_got : conn->frame_len - conn->frame_got;
	ssize_t n = transport_read(conn, to, want);
	if (n < 0) /* brokers end what is idle for long: nothing to say about */
		conn_close(conn,
		    conn->state == CONN_READY && conn->request_count == 0 ? NULL : "connection closed by the broker",
		    now_us);
	if (n <= 0) {
		if (n == 0)
			wake_at(conn, head ? 0 : want);
		return false;
	}
	conn->progress_us = now_us;
	if (!head) {
		conn->frame_got += (uint32_t)n;
		if (conn->frame_got == conn->frame_len)
			frame_done(conn, now_us);
		return conn->state >= CONN_VERSIONS;
	}
	conn->head_got += (uint32_t)n;
	if (conn->head_got < sizeof(conn->head))
		return true;
	const char *why = frame_begin(conn);
	if (why != NULL)
		conn_close(conn, why, now_us);
	return why == NULL;
}

static void
read_all(struct conn *conn, int64_t now_us)
{
	while (conn->state >= CONN_VERSIONS && read_some(conn, now_us))
		;
}

/* ---- opening ---- */

static void
begin_talk(struct conn *conn, int64_t now_us)
{
	ask_versions(conn, 3, now_us);
}

static void
shake_hands(struct conn *conn, int64_t now_us)
{
	const char *why = "TLS";
	char text[256];
	switch (transport_tls(conn, text, sizeof(text))) {
	case 1:
		begin_talk(conn, now_us);
		return;
	case 0:
		watch_socket(conn, conn->ssl_wants_out);
		return;
	default:
		why = text;
		break;
	}
	conn_close(conn, why, now_us);
}

static void
try_addresses(struct conn *conn, int64_t now_us)
{
	while (conn->address != NULL) {
		struct addrinfo *address = conn->address;
		conn->address = address->ai_next;
		if (!transport_connect(conn, address))
			continue;
		conn->state = CONN_CONNECTING;
		struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = conn};
		WEIR_CHECK(epoll_ctl(conn->opts->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) == 0);
		conn->wants_out = true;
		return;
	}
	conn_close(conn, "cannot connect", now_us);
}

static void
connected(struct conn *conn, int64_t now_us)
{
	int error = transport_connected(conn);
	if (error == EINPROGRESS)
		return;
	if (error != 0) {
		transport_close(conn);
		try_addresses(conn, now_us);
		return;
	}
	if (conn->opts->security->tls == NULL) {
		begin_talk(conn, now_us);
		return;
	}
	conn->state = CONN_TLS;
	shake_hands(conn, now_us);
}

void
conn_open(struct conn *conn, int64_t now_us)
{
	if (conn->state != CONN_CLOSED || now_us < conn->retry_us)
		return;
	conn->begun_us = now_us;
	conn->state = CONN_NAMING;
	int code = naming_begin(conn);
	if (code == 1)
		try_addresses(conn, now_us);
	else if (code < 0)
		conn_close(conn, "the broker's name cannot be resolved", now_us);
}

void
conn_io(struct conn *conn, uint32_t events, int64_t now_us)
{
	if (conn->state == CONN_CONNECTING)
		connected(conn, now_us);
	else if (conn->state == CONN_TLS)
		shake_hands(conn, now_us);
	if (conn->state < CONN_VERSIONS)
		return;
	if (events & EPOLLOUT)
		conn_push(conn, now_us);
	read_all(conn, now_us);
	if (conn->state >= CONN_VERSIONS)
		watch_socket(conn, conn->out.len > 0 || conn->ssl_wants_out);
}

int64_t
conn_tick(struct conn *conn, int64_t now_us)
{
	int64_t timeout_us = (int64_t)conn->opts->timeout_ms * 1000;
	if (conn->state == CONN_CLOSED)
		return conn->retry_us;
	if (conn->state == CONN_NAMING) {
		int code = naming_poll(conn);
		if (code == 1)
			try_addresses(conn, now_us);
		else if (code < 0)
			conn_close(conn, "the broker's name cannot be resolved", now_us);
	}
	if (conn->state > CONN_CLOSED && conn->state < CONN_READY && now_us - conn->begun_us > timeout_us)
		conn_close(conn, "no connection in time", now_us);
	if (conn->wake_bytes > 1 && now_us - conn->progress_us > TRICKLE_US)
		read_all(conn, now_us);
	if (conn->state == CONN_READY && conn->request_count > 0 && now_us - conn->progress_us > timeout_us)
		conn_close(conn, "no answer in time", now_us);
	if (conn->state == CONN_READY && conn->request_count == 0 && now_us >= conn->renew_us)
		conn_close(conn, NULL, now_us);
	return conn->state == CONN_NAMING ? now_us + 2000 : now_us + 100000;
}
