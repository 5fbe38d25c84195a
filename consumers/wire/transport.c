/*
 * Names, sockets and TLS under a connection; see transport.h.
 *
 * A name that is no address goes to the C library's own look-up beside (getaddrinfo_a), for a resolver may take seconds and
 * the thread that asks has a fleet to enforce.
 */
#include "consumers/wire/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

struct conn_naming {
	struct gaicb request;
	struct addrinfo hints;
	struct gaicb *list[1];
};

static const struct addrinfo HINTS = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

int
naming_begin(struct conn *conn)
{
	struct addrinfo numeric = {
	    .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	if (getaddrinfo(conn->host, conn->port, &numeric, &conn->addresses) == 0) {
		conn->address = conn->addresses;
		return 1;
	}
	conn->addresses = NULL;
	struct conn_naming *naming = weir_calloc(1, sizeof(*naming));
	naming->hints = HINTS;
	naming->request = (struct gaicb){.ar_name = conn->host, .ar_service = conn->port, .ar_request = &naming->hints};
	naming->list[0] = &naming->request;
	if (getaddrinfo_a(GAI_NOWAIT, naming->list, 1, NULL) != 0) {
		free(naming);
		return -1;
	}
	conn->naming = naming;
	return naming_poll(conn);
}

int
naming_poll(struct conn *conn)
{
	struct conn_naming *naming = conn->naming;
	int code = gai_error(&naming->request);
	if (code == EAI_INPROGRESS)
		return 0;
	conn->addresses = conn->address = code == 0 ? naming->request.ar_result : NULL;
	free(naming);
	conn->naming = NULL;
	return code == 0 ? 1 : -1;
}

void
naming_drop(struct conn *conn)
{
	struct conn_naming *naming = conn->naming;
	if (naming != NULL) {
		/* What the library is at cannot be taken from it: its memory must stay until it is done. */
		if (gai_cancel(&naming->request) == EAI_NOTCANCELED)
			while (gai_error(&naming->request) == EAI_INPROGRESS)
				(void)gai_suspend((const struct gaicb *const *)naming->list, 1, NULL);
		if (gai_error(&naming->request) == 0 && naming->request.ar_result != NULL)
			freeaddrinfo(naming->request.ar_result);
		free(naming);
		conn->naming = NULL;
	}
	if (conn->addresses != NULL)
		freeaddrinfo(conn->addresses);
	conn->addresses = conn->address = NULL;
}

bool
transport_connect(struct conn *conn, const struct addrinfo *address)
{
	int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) {
		(void)close(fd);
		return false;
	}
	conn->fd = fd;
	return true;
}

int
transport_connected(struct conn *conn)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return errno;
	if (error == 0 && getpeername(conn->fd, (struct sockaddr *)&peer, &peer_len) != 0)
		return errno == ENOTCONN ? EINPROGRESS : errno;
	return error;
}

static bool
is_address(const char *host)
{
	struct addrinfo numeric = {.ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICHOST}, *found = NULL;
	if (getaddrinfo(host, NULL, &numeric, &found) != 0)
		return false;
	freeaddrinfo(found);
	return true;
}

static bool
tls_begin(struct conn *conn)
{
	conn->ssl = SSL_new(conn->opts->security->tls);
	if (conn->ssl == NULL || SSL_set_fd(conn->ssl, conn->fd) != 1)
		return false;
	bool address = is_address(conn->host);
	if (!address && SSL_set_tlsext_host_name(conn->ssl, conn->host) != 1)
		return false;
	if (!conn->opts->security->check_host)
		return true;
	X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return address ? X509_VERIFY_PARAM_set1_ip_asc(param, conn->host) == 1 : SSL_set1_host(conn->ssl, conn->host) == 1;
}

/* Sorts an SSL call's result: 0 would wait, -1 over. */
static int
tls_wait(struct conn *conn, int code)
{
	int error = SSL_get_error(conn->ssl, code);
	conn->ssl_wants_out = error == SSL_ERROR_WANT_WRITE;
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

int
transport_tls(struct conn *conn, char *text, size_t size)
{
	char why[160];
	(void)snprintf(text, size, "TLS cannot be set up");
	ERR_clear_error();
	if (conn->ssl == NULL && !tls_begin(conn))
		return -1;
	int code = SSL_connect(conn->ssl);
	if (code == 1) {
		conn->ssl_wants_out = false;
		return 1;
	}
	if (tls_wait(conn, code) == 0)
		return 0;
	long verified = SSL_get_verify_result(conn->ssl);
	ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	(void)snprintf(
	    text, size, "TLS handshake: %s", verified != X509_V_OK ? X509_verify_cert_error_string(verified) : why);
	return -1;
}

ssize_t
transport_read(struct conn *conn, uint8_t *to, size_t size)
{
	if (conn->ssl == NULL) {
		ssize_t n = recv(conn->fd, to, size, 0);
		if (n > 0)
			return n;
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	}
	ERR_clear_error();
	int n = SSL_read(conn->ssl, to, size > INT32_MAX ? INT32_MAX : (int)size);
	return n > 0 ? n : tls_wait(conn, n);
}

ssize_t
transport_write(struct conn *conn, const uint8_t *from, size_t size)
{
	if (conn->ssl == NULL) {
		ssize_t n = send(conn->fd, from, size, MSG_NOSIGNAL);
		if (n >= 0)
			return n;
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	}
	ERR_clear_error();
	int n = SSL_write(conn->ssl, from, size > INT32_MAX ? INT32_MAX : (int)size);
	if (n > 0)
		conn->ssl_wants_out = false;
	return n > 0 ? n : tls_wait(conn, n);
}

void
transport_close(struct conn *conn)
{
	if (conn->ssl != NULL) {
		if (conn->state >= CONN_VERSIONS)
			(void)SSL_shutdown(conn->ssl);
		SSL_free(conn->ssl);
		ERR_clear_error();
	}
	if (conn->fd >= 0)
		(void)close(conn->fd);
	conn->ssl = NULL;
	conn->fd = -1;
	conn->wants_out = conn->ssl_wants_out = false;
}

void
transport_random(uint8_t *out, size_t len)
{
	WEIR_CHECK(getrandom(out, len, 0) == (ssize_t)len);
}
