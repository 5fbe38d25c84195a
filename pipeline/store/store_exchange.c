/*
 * The connection of the request in hand, in the store's terms: exchanges become steps, and openings after a loss are
 * counted. Store thread only.
 */
#include "config/base/log.h"
#include "pipeline/store/store_priv.h"

static enum weir_step
step_of(struct weir_store *store, enum weir_exchange end)
{
	switch (end) {
	case WEIR_EXCHANGE_OK:
		return WEIR_STEP_OK;
	case WEIR_EXCHANGE_CANCELLED:
		return WEIR_STEP_CANCELLED;
	default:
		(void)weir_error_set(&store->why, WEIR_RETRY, "%s", weir_connection_why(store->connection));
		return WEIR_STEP_LOST;
	}
}

static enum weir_step
refused_at_opening(struct weir_store *store, struct weir_store_request *request)
{
	const char *why = weir_connection_why(store->connection);
	weir_store_count(&store->refusals, 1);
	(void)weir_error_set(&store->why, WEIR_RETRY, "%s", why);
	enum weir_refusal refusal = weir_connection_refusal(store->connection);
	if (refusal == WEIR_REFUSAL_FINAL)
		return weir_store_fail(request, WEIR_FATAL, "%s", why);
	store->why_elsewhere = refusal == WEIR_REFUSAL_ELSEWHERE;
	return WEIR_STEP_LATER;
}

enum weir_step
weir_store_open(struct weir_store *store, struct weir_store_request *request)
{
	if (weir_connection_is_open(store->connection)) {
		WEIR_CHECK(weir_connection_owed(store->connection) == 0); /* each attempt reads what it asked for */
		return WEIR_STEP_OK;
	}
	enum weir_exchange end = weir_connection_open(store->connection);
	if (end == WEIR_EXCHANGE_REFUSED)
		return refused_at_opening(store, request);
	if (end != WEIR_EXCHANGE_OK)
		return step_of(store, end);
	if (store->lost[store->node]) {
		weir_store_count(&store->reconnects, 1);
		WEIR_LOG_LIMITED(WEIR_LOG_INFO, "redis_connected", "connected to Redis again");
	}
	store->lost[store->node] = false;
	atomic_store_explicit(&store->connected, true, memory_order_relaxed);
	return WEIR_STEP_OK;
}

void
weir_store_close(struct weir_store *store)
{
	WEIR_CHECK(store->connection != NULL);
	if (!weir_connection_is_open(store->connection))
		return;
	weir_connection_close(store->connection);
	atomic_store_explicit(&store->connected, false, memory_order_relaxed);
}

void
weir_store_command(struct weir_store *store, uint32_t argc)
{
	WEIR_CHECK(argc > 0);
	weir_resp_command(&store->out, argc);
	store->out_commands++;
}

enum weir_step
weir_store_send_out(struct weir_store *store)
{
	WEIR_CHECK(store->out_commands > 0 && store->out.len > 0);
	enum weir_step step = weir_store_send(store, store->out.data, store->out.len, store->out_commands);
	store->out.len = 0;
	store->out_commands = 0;
	return step;
}

enum weir_step
weir_store_send(struct weir_store *store, const uint8_t *data, size_t len, uint32_t commands)
{
	WEIR_CHECK(len > 0 || commands == 0);
	return step_of(store, weir_connection_send(store->connection, data, len, commands));
}

enum weir_step
weir_store_reply(struct weir_store *store, struct weir_reply **reply_out)
{
	return step_of(store, weir_connection_reply(store->connection, reply_out));
}

enum weir_step
weir_store_ask_for(
    struct weir_store *store, struct weir_store_request *request, enum weir_reply_type type, struct weir_reply **reply_out)
{
	struct weir_reply *reply = NULL;
	WEIR_CHECK(store->out_commands == 1);
	enum weir_step step = weir_store_send_out(store);
	if (step == WEIR_STEP_OK)
		step = weir_store_reply(store, &reply);
	if (step != WEIR_STEP_OK)
		return step;
	if (reply->type == type) {
		*reply_out = reply;
		return WEIR_STEP_OK;
	}
	step = reply->type == WEIR_REPLY_ERROR ? weir_store_refuse(store, request, reply)
					       : weir_store_nonsense(store, "a read", reply);
	weir_reply_free(reply);
	return step;
}
