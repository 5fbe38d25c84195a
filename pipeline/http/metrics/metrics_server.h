/*
 * The port for machines that watch: /metrics (Prometheus), and of an engine /healthz (the process lives) and /readyz (it is
 * of use). The API answers these two at its own address.
 *
 * One thread of libmicrohttpd answers; it reads counters that the engine publishes anyway and can hold nothing up. Few
 * connections and short times: whoever connects and says nothing is dropped, and those beyond the limit wait outside. No
 * secret is in any answer; there is no authentication, which is why the default address is loopback.
 */
#ifndef WEIR_PIPELINE_METRICS_SERVER_H
#define WEIR_PIPELINE_METRICS_SERVER_H

#include "pipeline/http/metrics/health.h"

struct weir_metrics_server;

/*
 * Listens on `listen` ("127.0.0.1:9464", "[::]:9464", "0.0.0.0:0" for any free port). FATAL with err when it cannot be
 * bound. health is of the run, NULL without one. Stop it before what it shows.
 */
enum weir_class weir_metrics_server_start(const char *listen, struct weir_metrics_of of, const struct weir_health *health,
    struct weir_metrics_server **server_out, struct weir_error *err);
uint16_t weir_metrics_server_port(const struct weir_metrics_server *server);
/* NULL is none. */
void weir_metrics_server_stop(struct weir_metrics_server *server);

#endif
