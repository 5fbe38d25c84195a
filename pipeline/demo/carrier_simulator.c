/*
 * The simulated carrier's HTTP side: libmicrohttpd on loopback, a thread a connection, so that a slow or hanging call is
 * just a sleeping thread. What is answered is decided in carrier_simulator_world.c.
 */
#include "pipeline/demo/carrier_simulator.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/base/check.h"
#include "pipeline/carriers/carrier.h"
#include "pipeline/demo/carrier_simulator_priv.h"

#define SIM_BODY_MAX 4096u
#define DEVICES "/rws/api/v1/devices/"

struct weir_carrier_sim {
	struct sim_world world;
	struct MHD_Daemon *daemon;
	char *authorization; /* the header's value expected; NULL = anyone */
	_Atomic bool stopping;
};

struct sim_request {
	struct weir_buf body;
};

/* Sleeps, but not past the server's end. */
static void
sim_sleep(struct weir_carrier_sim *sim, uint32_t ms)
{
	/* relaxed: a flag without data behind it. */
	for (; ms > 0 && !atomic_load_explicit(&sim->stopping, memory_order_relaxed);) {
		uint32_t part = ms < 20 ? ms : 20;
		struct timespec nap = {.tv_nsec = (long)part * 1000000};
		(void)nanosleep(&nap, NULL);
		ms -= part;
	}
}

static enum MHD_Result
reply_json(struct MHD_Connection *connection, uint32_t status, json_t *body, const struct sim_answer *answer)
{
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	WEIR_CHECK(text != NULL);
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	if (answer != NULL && answer->retry_after)
		(void)MHD_add_response_header(response, "Retry-After", "1");
	if (answer != NULL && answer->authenticate)
		(void)MHD_add_response_header(response, "WWW-Authenticate", "Basic realm=\"rws\"");
	enum MHD_Result result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* The state a PUT's body asks for; 0 if it is no such body. */
static uint8_t
body_target(const struct weir_buf *body)
{
	json_t *object = json_loadb(body->data != NULL ? (const char *)body->data : "", body->len, 0, NULL);
	const char *status = json_string_value(json_object_get(object, "status"));
	uint8_t target = WEIR_DESIRED_UNKNOWN;
	if (status != NULL && strcmp(status, "ACTIVATED") == 0)
		target = WEIR_DESIRED_ACTIVE;
	if (status != NULL && strcmp(status, "DEACTIVATED") == 0)
		target = WEIR_DESIRED_SUSPENDED;
	json_decref(object);
	return target;
}

static enum MHD_Result
answer_device(struct weir_carrier_sim *sim, struct MHD_Connection *connection, const char *iccid, bool is_put,
    const struct weir_buf *body)
{
	const char *given = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
	bool authorised = sim->authorization == NULL || (given != NULL && strcmp(given, sim->authorization) == 0);
	uint8_t target = is_put ? body_target(body) : WEIR_DESIRED_UNKNOWN;
	struct sim_answer answer = sim_world_call(&sim->world, iccid, target, authorised, !is_put || target != 0);
	sim_sleep(sim, answer.latency_ms);
	sim_world_done(&sim->world);
	if (answer.status == 0)
		return MHD_NO; /* closes without a word */
	if (answer.error_code != NULL)
		return reply_json(connection, answer.status,
		    json_pack("{s:s, s:s}", "errorMessage", answer.error_text, "errorCode", answer.error_code), &answer);
	if (is_put)
		return reply_json(connection, answer.status, json_pack("{s:s}", "iccid", iccid), &answer);
	const char *status = answer.state == WEIR_DESIRED_SUSPENDED ? "DEACTIVATED" : "ACTIVATED";
	return reply_json(connection, answer.status, json_pack("{s:s, s:s}", "iccid", iccid, "status", status), &answer);
}

static enum MHD_Result
answer_control(struct weir_carrier_sim *sim, struct MHD_Connection *connection, const char *url, bool is_post)
{
	if (!is_post && strcmp(url, "/sim/state") == 0)
		return reply_json(connection, 200, sim_world_state_json(&sim->world), NULL);
	if (!is_post && strcmp(url, "/sim/counters") == 0)
		return reply_json(connection, 200, sim_world_counters_json(&sim->world), NULL);
	if (is_post && strcmp(url, "/sim/outage") == 0) {
		const char *on = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "on");
		weir_carrier_sim_outage(sim, on == NULL || strcmp(on, "0") != 0);
		return reply_json(connection, 200, json_pack("{s:b}", "outage", on == NULL || strcmp(on, "0") != 0), NULL);
	}
	return reply_json(connection, 404, json_pack("{s:s}", "errorMessage", "no such page"), NULL);
}

/* The library's callback: once with headers, then per piece of body, then with none left. */
static enum MHD_Result
answer(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *data, size_t *data_len, void **request_slot)
{
	struct weir_carrier_sim *sim = ctx;
	(void)version;
	if (*request_slot == NULL) {
		*request_slot = weir_calloc(1, sizeof(struct sim_request));
		return MHD_YES;
	}
	struct sim_request *request = *request_slot;
	if (*data_len > 0) {
		size_t room = SIM_BODY_MAX - request->body.len;
		weir_buf_append(&request->body, data, *data_len < room ? *data_len : room);
		*data_len = 0;
		return MHD_YES;
	}
	bool is_put = strcmp(method, "PUT") == 0, is_get = strcmp(method, "GET") == 0;
	if (strncmp(url, DEVICES, strlen(DEVICES)) == 0 && (is_put || is_get))
		return answer_device(sim, connection, url + strlen(DEVICES), is_put, &request->body);
	return answer_control(sim, connection, url, !is_get);
}

static void
request_end(void *ctx, struct MHD_Connection *connection, void **request_slot, enum MHD_RequestTerminationCode code)
{
	struct sim_request *request = *request_slot;
	(void)ctx;
	(void)connection;
	(void)code;
	if (request == NULL)
		return;
	weir_buf_free(&request->body);
	free(request);
	*request_slot = NULL;
}

static void
sim_expect(struct weir_carrier_sim *sim, const struct weir_carrier_sim_opts *opts)
{
	if (opts->user == NULL)
		return;
	struct weir_buf pair = {0}, value = {0};
	weir_buf_printf(&pair, "%s:%s", opts->user, opts->api_key != NULL ? opts->api_key : "");
	weir_buf_printf(&value, "Basic ");
	weir_carrier_append_base64(&value, (struct weir_slice){pair.data, pair.len});
	sim->authorization = weir_strndup((const char *)value.data, value.len);
	weir_buf_free(&pair);
	weir_buf_free(&value);
}

struct weir_carrier_sim *
weir_carrier_sim_start(const struct weir_carrier_sim_opts *opts, struct weir_error *err)
{
	struct weir_carrier_sim *sim = weir_calloc(1, sizeof(*sim));
	sim_world_init(&sim->world, opts);
	sim_expect(sim, opts);
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(opts->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	sim->daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL,
	    opts->port, NULL, NULL, answer, sim, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
	    MHD_OPTION_NOTIFY_COMPLETED, request_end, NULL, MHD_OPTION_CONNECTION_LIMIT, 1024u,
	    MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_END);
	if (sim->daemon == NULL) {
		(void)weir_error_set(err, WEIR_FATAL, "carrier simulator: cannot listen on 127.0.0.1:%u", opts->port);
		weir_carrier_sim_stop(sim);
		return NULL;
	}
	return sim;
}

void
weir_carrier_sim_stop(struct weir_carrier_sim *sim)
{
	if (sim == NULL)
		return;
	atomic_store_explicit(&sim->stopping, true, memory_order_relaxed); /* relaxed: see sim_sleep */
	if (sim->daemon != NULL)
		MHD_stop_daemon(sim->daemon);
	sim_world_free(&sim->world);
	free(sim->authorization);
	free(sim);
}

uint16_t
weir_carrier_sim_port(const struct weir_carrier_sim *sim)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(sim->daemon, MHD_DAEMON_INFO_BIND_PORT);
	return info != NULL ? info->port : 0;
}

void
weir_carrier_sim_outage(struct weir_carrier_sim *sim, bool on)
{
	(void)pthread_mutex_lock(&sim->world.lock);
	sim->world.outage = on;
	(void)pthread_mutex_unlock(&sim->world.lock);
}

void
weir_carrier_sim_moods(struct weir_carrier_sim *sim, double error_rate, double timeout_rate, double accept_rate)
{
	(void)pthread_mutex_lock(&sim->world.lock);
	sim->world.opts.error_rate = error_rate;
	sim->world.opts.timeout_rate = timeout_rate;
	sim->world.opts.accept_rate = accept_rate;
	(void)pthread_mutex_unlock(&sim->world.lock);
}

void
weir_carrier_sim_counters_get(struct weir_carrier_sim *sim, struct weir_carrier_sim_counters *counters_out)
{
	(void)pthread_mutex_lock(&sim->world.lock);
	*counters_out = sim->world.counters;
	(void)pthread_mutex_unlock(&sim->world.lock);
}

void
weir_carrier_sim_card_get(struct weir_carrier_sim *sim, struct weir_iccid iccid, struct weir_carrier_sim_card *card_out)
{
	sim_world_card(&sim->world, iccid, card_out);
}
