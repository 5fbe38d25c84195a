/* The port for machines that watch; see metrics_server.h. */
#include "pipeline/http/metrics/metrics_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/base/clock.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_S 5u

struct weir_metrics_server {
	struct weir_metrics_of of;
	const struct weir_health *health; /* NULL without a run */
	struct MHD_Daemon *daemon;
	struct weir_metrics_figures figures; /* of the answering thread, the only one */
};

/* ---- answers ---- */

static enum MHD_Result
send_reply(struct MHD_Connection *connection, unsigned status, const char *type, const struct weir_buf *body)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(response, "Content-Type", type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static unsigned
answer_body(struct weir_metrics_server *server, const char *url, struct weir_buf *body)
{
	bool is_metrics = strcmp(url, "/metrics") == 0;
	if (server->of.run == NULL && !is_metrics) {
		weir_buf_printf(body, "/metrics is here; /healthz and /readyz are at the API's own address\n");
		return MHD_HTTP_NOT_FOUND;
	}
	if (strcmp(url, "/healthz") == 0) {
		bool live = weir_health_is_live(server->health, weir_steady_now(), body);
		weir_buf_printf(body, "%s", live ? "ok\n" : "");
		return live ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	}
	if (strcmp(url, "/readyz") != 0 && !is_metrics) {
		weir_buf_printf(body, "/metrics, /healthz and /readyz are here\n");
		return MHD_HTTP_NOT_FOUND;
	}
	weir_metrics_gather(server->of, &server->figures);
	if (is_metrics) {
		weir_metrics_write(&server->figures, body);
		return MHD_HTTP_OK;
	}
	bool ready = weir_health_is_ready(&server->figures, body);
	weir_buf_printf(body, "%s", ready ? "ok\n" : "");
	return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_len, void **request_slot)
{
	(void)version, (void)upload;
	if (*request_slot == NULL) { /* the headers are here; the answer is due with the next call */
		*request_slot = ctx;
		return MHD_YES;
	}
	if (*upload_len > 0) { /* a body says nothing here */
		*upload_len = 0;
		return MHD_YES;
	}
	struct weir_buf body = {0};
	unsigned status = MHD_HTTP_METHOD_NOT_ALLOWED;
	bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	if (reads)
		status = answer_body(ctx, url, &body);
	else
		weir_buf_printf(&body, "the method must be GET or HEAD\n");
	bool metrics = status == MHD_HTTP_OK && strcmp(url, "/metrics") == 0;
	enum MHD_Result result = send_reply(
	    connection, status, metrics ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8", &body);
	weir_buf_free(&body);
	return result;
}

/* ---- start and stop ---- */

/* "[::1]:9464" as host and port; false when it does not fit. */
static bool
split_address(const char *listen, char host[64], char port[8])
{
	const char *colon = strrchr(listen, ':');
	if (colon == NULL || strlen(colon + 1) > 5)
		return false;
	bool bracketed = listen[0] == '[' && colon > listen + 1 && colon[-1] == ']';
	size_t from = bracketed ? 1 : 0, len = (size_t)(colon - listen) - 2 * from;
	if (len >= 64)
		return false;
	memcpy(host, listen + from, len);
	host[len] = '\0';
	(void)strcpy(port, colon + 1);
	return true;
}

static int
bind_at(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, CONNECTIONS_MAX) == 0)
		return fd;
	int errno_kept = errno;
	(void)close(fd);
	errno = errno_kept;
	return -1;
}

static int
listen_on(const char *listen, struct weir_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
	char host[64], port[8];
	if (!split_address(listen, host, port)) {
		(void)weir_error_set(err, WEIR_FATAL, "metrics.listen: '%.80s' is no address:port", listen);
		return -1;
	}
	int code = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
	if (code != 0) {
		(void)weir_error_set(err, WEIR_FATAL, "metrics.listen: %s: %s", listen, gai_strerror(code));
		return -1;
	}
	int fd = bind_at(found);
	if (fd < 0)
		(void)weir_error_set(err, WEIR_FATAL, "metrics.listen: %s: %s", listen, strerror(errno));
	freeaddrinfo(found);
	return fd;
}

enum weir_class
weir_metrics_server_start(const char *listen, struct weir_metrics_of of, const struct weir_health *health,
    struct weir_metrics_server **server_out, struct weir_error *err)
{
	int fd = listen_on(listen, err);
	if (fd < 0)
		return WEIR_FATAL;
	struct weir_metrics_server *server = weir_calloc(1, sizeof(*server));
	server->of = of;
	server->health = health;
	server->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL, on_request, server,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    TIMEOUT_S, MHD_OPTION_END);
	if (server->daemon == NULL) {
		(void)close(fd);
		free(server);
		return weir_error_set(err, WEIR_FATAL, "metrics.listen: %s: no server could be started", listen);
	}
	*server_out = server;
	return WEIR_OK;
}

uint16_t
weir_metrics_server_port(const struct weir_metrics_server *server)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	if (info == NULL || getsockname(info->listen_fd, (struct sockaddr *)&at, &len) != 0)
		return 0;
	/* both families have the port at the same place */
	return ntohs(((const struct sockaddr_in *)(const void *)&at)->sin_port);
}

void
weir_metrics_server_stop(struct weir_metrics_server *server)
{
	if (server == NULL)
		return;
	MHD_stop_daemon(server->daemon);
	weir_metrics_figures_free(&server->figures);
	free(server);
}
