/* The port for machines that watch; see metrics_server.h. */
#include "pipeline/http/metrics/metrics_server.h"

#include <stdlib.h>

#include "config/base/clock.h"
#include "pipeline/http/daemon.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_S 5u

struct weir_metrics_server {
	struct weir_metrics_of of;
	const struct weir_health *health; /* NULL without a run */
	struct MHD_Daemon *daemon;
	struct weir_metrics_figures figures; /* of the answering thread, the only one */
};

/* ---- answers ---- */

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
	struct weir_http_header headers[4] = {
	    {"Content-Type", metrics ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8"},
	    {"Cache-Control", "no-store"}};
	if (!reads)
		headers[2] = (struct weir_http_header){"Allow", "GET, HEAD"};
	enum MHD_Result result = weir_http_reply(connection, status, (struct weir_slice){body.data, body.len}, headers);
	weir_buf_free(&body);
	return result;
}

/* ---- start and stop ---- */

enum weir_class
weir_metrics_server_start(const char *listen, struct weir_metrics_of of, const struct weir_health *health,
    struct weir_metrics_server **server_out, struct weir_error *err)
{
	struct weir_http_address address;
	if (weir_http_address_parse("metrics.listen", listen, true, &address, err) != WEIR_OK)
		return WEIR_FATAL;
	struct weir_metrics_server *server = weir_calloc(1, sizeof(*server));
	server->of = of;
	server->health = health;
	server->daemon = weir_http_daemon_start(&(struct weir_http_daemon_opts){.setting = "metrics.listen",
						    .text = listen,
						    .address = &address,
						    .flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
						    .dual_stack = true,
						    .connections_max = CONNECTIONS_MAX,
						    .timeout_s = TIMEOUT_S,
						    .answer = on_request,
						    .ctx = server},
	    err);
	if (server->daemon == NULL) {
		free(server);
		return WEIR_FATAL;
	}
	*server_out = server;
	return WEIR_OK;
}

uint16_t
weir_metrics_server_port(const struct weir_metrics_server *server)
{
	return weir_http_daemon_port(server->daemon);
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
