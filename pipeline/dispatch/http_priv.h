/*
 * Calls over HTTP, many at once on one thread: the only place that knows the HTTP library. Inside pipeline/dispatch only.
 *
 * Each call has a slot (handle, buffers, header list) that is reused; connections stay open between calls. Redirects
 * are not followed, other protocols than HTTP(S) refused, certificates verified, answers bounded.
 * Thread: the dispatcher's alone, except weir_http_wakeup.
 */
#ifndef WEIR_PIPELINE_HTTP_PRIV_H
#define WEIR_PIPELINE_HTTP_PRIV_H

#include "pipeline/carriers/carrier.h"
#include "pipeline/dispatch/dispatch_core.h"

struct weir_http;

struct weir_http *weir_http_new(void);
/* Abandons open calls. */
void weir_http_free(struct weir_http *http);
/* Starts a call; the adapter and settings are borrowed until it is done. */
void weir_http_begin(struct weir_http *http, const struct weir_carrier_adapter *adapter,
    const struct weir_carrier_settings *settings, const struct weir_dispatch_call *call);
/* Moves bytes; then one finished call, false if there is none (more). */
bool weir_http_next(struct weir_http *http, struct weir_dispatch_call *call_out, struct weir_outcome *outcome_out);
/* Sleeps until a socket is ready, timeout_ms passed or a wakeup. */
void weir_http_wait(struct weir_http *http, uint32_t timeout_ms);
/* Ends the current or next wait. Any thread. */
void weir_http_wakeup(struct weir_http *http);
uint32_t weir_http_open_calls(const struct weir_http *http);

#endif
