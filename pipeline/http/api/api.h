/*
 * The HTTP API (docs/api.md): libmicrohttpd in front, Redis behind, Kafka for what operators ask for.
 *
 * One object is one listening server: worker threads with a reader each answer short questions where they came in; lists,
 * exports and operators' requests are handed to threads of their own, and their connections are suspended meanwhile, so
 * that a connection costs memory and never a thread. It shares nothing with lanes: any number of such processes may run.
 *
 * Start, stop and free on one thread; counters from any.
 */
#ifndef WEIR_PIPELINE_API_H
#define WEIR_PIPELINE_API_H

#include <stdint.h>

#include "config/base/error.h"
#include "config/settings/settings.h"
#include "pipeline/http/api_counters.h"

struct weir_api;

/*
 * Listens and serves. settings are borrowed until weir_api_free. FATAL: the address cannot be had, certificate, key or
 * token file are wrong; POISON: librdkafka refuses a property. Kafka and Redis need not be reachable yet.
 */
enum weir_class weir_api_start(const struct weir_settings *settings, struct weir_api **api_out, struct weir_error *err);

/* The port that it listens on (api.listen may say 0). */
uint16_t weir_api_port(const struct weir_api *api);
/* Closes the listening socket, lets requests in hand end (their exports are cut off), stops the threads. */
void weir_api_stop(struct weir_api *api);
void weir_api_free(struct weir_api *api);
void weir_api_counters_get(struct weir_api *api, struct weir_api_counters *counters_out);

#endif
