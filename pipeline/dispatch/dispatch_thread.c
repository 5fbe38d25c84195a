/*
 * The dispatcher's thread: moves pending commands from the lanes' rings into the core, starts the calls it names, hands
 * outcomes back and results to the lanes. All decisions are the core's; here are the clock, the rings and sleep.
 *
 * One turn: finished calls, pending commands, new calls (intents first), results out, sleep. It sleeps in the HTTP
 * library's poll; a lane that enqueues wakes it only if it said that it sleeps, so that a burst of pending commands
 * costs one system call. A lane that does not drain its results is waited for: they are kept in a backlog, and until that
 * is empty no pending commands of that lane are taken and no calls are started. Nothing is lost, and the backlog stays as
 * short as a turn. See thread_priv.h for the memory shared with lanes.
 */
#include "config/base/log.h"
#include "pipeline/dispatch/thread_priv.h"

#define COMMANDS_A_TURN 4096u
#define SLEEP_MAX_MS 1000u

static int64_t
dispatch_now(struct weir_dispatch *dispatch)
{
	int64_t now_us = weir_steady_now().us;
	dispatch->utc_offset_us = weir_wall_now().us - now_us;
	return now_us;
}

/* ---- results ---- */

/* What an operator should see of single cards: refusals. Everything else is in the audit. */
static void
result_log(const struct weir_command_result *result)
{
	if (result->state != WEIR_COMMAND_FAILED)
		return;
	char iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(result->iccid, iccid);
	WEIR_LOG_LIMITED(WEIR_LOG_WARN, "command_failed", "card %s: the carrier refuses to %s it: %s", iccid,
	    result->target == WEIR_DESIRED_SUSPENDED ? "suspend" : "resume", result->text);
}

void
weir_dispatch_result(void *ctx, uint32_t lane_index, const struct weir_command_result *core_result)
{
	struct weir_dispatch *dispatch = ctx;
	struct dispatch_lane *lane = &dispatch->lanes[lane_index];
	struct weir_command_result result = *core_result;
	result.at_us += dispatch->utc_offset_us;
	if (result.next_us != 0)
		result.next_us += dispatch->utc_offset_us;
	lane->rings = true;
	result_log(&result);
	if (dispatch->holding || lane->backlog.len > 0 || !weir_ring_push(&lane->results, &result))
		weir_buf_append(&lane->backlog, &result, sizeof(result));
}

/* Hands the backlog on as far as there is room. True when it is empty. */
static bool
lane_drain_backlog(struct dispatch_lane *lane)
{
	WEIR_CHECK(lane->backlog_read <= lane->backlog.len && lane->backlog.len % sizeof(struct weir_command_result) == 0);
	while (lane->backlog_read < lane->backlog.len) {
		if (!weir_ring_push(&lane->results, lane->backlog.data + lane->backlog_read))
			return false;
		lane->backlog_read += sizeof(struct weir_command_result);
		lane->rings = true;
	}
	lane->backlog.len = lane->backlog_read = 0;
	return true;
}

static void
dispatch_ring_bells(struct weir_dispatch *dispatch)
{
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++) {
		bool rings = dispatch->lanes[i].rings;
		dispatch->lanes[i].rings = false;
		if (rings && dispatch->opts.bell != NULL)
			dispatch->opts.bell(dispatch->opts.bell_ctx, i);
	}
}

/* ---- pending commands ---- */

static uint32_t
dispatch_carrier_index(const struct weir_dispatch *dispatch, const char *id)
{
	for (uint32_t i = 0; i + 1 < dispatch->carrier_count; i++) {
		if (strncmp(dispatch->carriers[i].name, id, sizeof(dispatch->carriers[i].name)) == 0)
			return i;
	}
	return dispatch->fallback;
}

/* Returns the number of messages taken. */
static uint32_t
dispatch_take_commands(struct weir_dispatch *dispatch, uint32_t lane_index, int64_t now_us)
{
	struct dispatch_lane *lane = &dispatch->lanes[lane_index];
	struct dispatch_message message;
	uint32_t count = 0;
	while (count < COMMANDS_A_TURN && lane->backlog.len == 0 && weir_ring_pop(&lane->pending_commands, &message)) {
		count++;
		const struct weir_pending_command *pending_command = &message.pending_command;
		if (message.forget)
			weir_dispatch_core_forget(dispatch->core, lane_index, pending_command->partition);
		else
			weir_dispatch_core_enqueue(dispatch->core, lane_index,
			    dispatch_carrier_index(dispatch, pending_command->carrier), pending_command, now_us);
	}
	return count;
}

/* ---- calls ---- */

static void
dispatch_intents(struct weir_dispatch *dispatch, const struct weir_dispatch_call *calls, uint32_t count)
{
	struct weir_pending_command pending_commands[CALLS_A_TURN];
	uint32_t wanted = 0;
	if (dispatch->opts.intent == NULL)
		return;
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_dispatch_call *call = &calls[i];
		if (!call->wants_intent)
			continue;
		WEIR_CHECK(call->kind == WEIR_CALL_SET && call->token != 0 && wanted < CALLS_A_TURN);
		struct weir_pending_command *pending_command = &pending_commands[wanted++];
		*pending_command = (struct weir_pending_command){.iccid = call->iccid,
		    .partition = call->partition,
		    .slot = call->slot,
		    .desired = call->target,
		    .confirmed = call->confirmed,
		    .token = call->token};
		memcpy(pending_command->carrier, dispatch->carriers[call->carrier].name, sizeof(pending_command->carrier));
	}
	if (wanted > 0)
		dispatch->opts.intent(dispatch->opts.intent_ctx, pending_commands, wanted);
}

static void
dispatch_begin(struct weir_dispatch *dispatch, const struct weir_dispatch_call *call)
{
	const struct dispatch_carrier *carrier = &dispatch->carriers[call->carrier];
	if (!carrier->adapter->local) {
		weir_http_begin(dispatch->http, carrier->adapter, carrier->settings, call);
		return;
	}
	struct weir_carrier_command command = {
	    .kind = call->kind, .iccid = call->iccid, .target = call->target, .ticket = call->ticket};
	struct weir_carrier_response nothing = {.transport_text = ""};
	struct weir_outcome outcome = {0};
	carrier->adapter->classify(&command, &nothing, &outcome);
	weir_dispatch_core_finish(dispatch->core, call->card, &outcome, dispatch_now(dispatch));
}

/* True when there may be more to start at once. */
static bool
dispatch_start_calls(struct weir_dispatch *dispatch, int64_t now_us)
{
	struct weir_dispatch_call calls[CALLS_A_TURN];
	/* SENT is heard of when its intent is in Redis: its owner's flush deletes that, and would else come before it. */
	WEIR_CHECK(!dispatch->holding);
	dispatch->holding = true;
	uint32_t count = weir_dispatch_core_start(dispatch->core, now_us, calls, CALLS_A_TURN);
	WEIR_CHECK(count <= CALLS_A_TURN);
	dispatch_intents(dispatch, calls, count);
	dispatch->holding = false;
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++)
		(void)lane_drain_backlog(&dispatch->lanes[i]);
	for (uint32_t i = 0; i < count; i++)
		dispatch_begin(dispatch, &calls[i]);
	return count > 0;
}

static bool
dispatch_finish_calls(struct weir_dispatch *dispatch)
{
	struct weir_dispatch_call call;
	struct weir_outcome outcome;
	bool any = false;
	while (weir_http_next(dispatch->http, &call, &outcome)) {
		WEIR_CHECK(call.carrier < dispatch->carrier_count);
		if (outcome.kind == WEIR_OUTCOME_RETRY || outcome.kind == WEIR_OUTCOME_CARRIER_DOWN)
			memcpy(dispatch->carriers[call.carrier].last_trouble, outcome.text, sizeof(outcome.text));
		weir_dispatch_core_finish(dispatch->core, call.card, &outcome, dispatch_now(dispatch));
		any = true;
	}
	return any;
}

/* ---- the thread ---- */

static void
carrier_log(struct dispatch_carrier *carrier, const struct weir_carrier_counters *row)
{
	if (row->breaker_open == carrier->was_open)
		return;
	carrier->was_open = row->breaker_open;
	if (row->breaker_open)
		WEIR_LOG_LIMITED(WEIR_LOG_ERROR, "carrier_down",
		    "carrier %s: no calls but one trial every %u ms; last answer: %s", carrier->name,
		    carrier->settings != NULL ? carrier->settings->breaker_open_ms : 0, carrier->last_trouble);
	else
		WEIR_LOG_LIMITED(WEIR_LOG_INFO, "carrier_up", "carrier %s answers again", carrier->name);
}

static void
dispatch_publish(struct weir_dispatch *dispatch)
{
	(void)pthread_mutex_lock(&dispatch->rows_lock);
	for (uint32_t i = 0; i < dispatch->carrier_count; i++)
		weir_dispatch_core_counters(dispatch->core, i, &dispatch->rows[i]);
	(void)pthread_mutex_unlock(&dispatch->rows_lock);
	for (uint32_t i = 0; i < dispatch->carrier_count; i++)
		carrier_log(&dispatch->carriers[i], &dispatch->rows[i]); /* no other thread writes rows */
}

static bool
dispatch_has_commands(const struct weir_dispatch *dispatch)
{
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++) {
		if (dispatch->lanes[i].backlog.len == 0 && weir_ring_count(&dispatch->lanes[i].pending_commands) > 0)
			return true;
	}
	return false;
}

static void
dispatch_sleep(struct weir_dispatch *dispatch, int64_t due_us)
{
	/*
	 * `asleep` is changed by exchanges alone, so its changes form one chain: a lane's exchange after this one finds
	 * true and wakes us; one before it hands us, by release and acquire along the chain, the push that came before it.
	 */
	(void)atomic_exchange_explicit(&dispatch->asleep, true, memory_order_acq_rel);
	int64_t wait_us = due_us == WEIR_DISPATCH_NEVER ? SLEEP_MAX_MS * 1000 : due_us - dispatch_now(dispatch);
	uint32_t wait_ms =
	    wait_us <= 0 ? 0 : (uint32_t)(wait_us < SLEEP_MAX_MS * 1000 ? (wait_us + 999) / 1000 : SLEEP_MAX_MS);
	bool stopping = atomic_load_explicit(&dispatch->stop_at_us, memory_order_acquire) != 0; /* as in dispatch_turn */
	if (wait_ms > 0 && (stopping || !dispatch_has_commands(dispatch)))
		weir_http_wait(dispatch->http, wait_ms);
	/* acq_rel: part of the chain. */
	(void)atomic_exchange_explicit(&dispatch->asleep, false, memory_order_acq_rel);
}

/* One turn. False when it is time to end. */
static bool
dispatch_turn(struct weir_dispatch *dispatch)
{
	/* acquire: pairs with stop's store; nothing is carried by it but the time. */
	int64_t stop_at_us = atomic_load_explicit(&dispatch->stop_at_us, memory_order_acquire);
	bool busy = dispatch_finish_calls(dispatch), clear = true;
	int64_t now_us = dispatch_now(dispatch), due_us = WEIR_DISPATCH_NEVER;
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++) {
		clear &= lane_drain_backlog(&dispatch->lanes[i]);
		if (stop_at_us == 0)
			busy |= dispatch_take_commands(dispatch, i, now_us) > 0;
	}
	if (stop_at_us == 0 && clear)
		busy |= dispatch_start_calls(dispatch, now_us);
	dispatch_ring_bells(dispatch);
	dispatch_publish(dispatch);
	if (stop_at_us != 0 && (weir_http_open_calls(dispatch->http) == 0 || now_us >= stop_at_us))
		return false;
	if (busy)
		return true;
	if (stop_at_us != 0)
		due_us = stop_at_us;
	else if (clear)
		due_us = weir_dispatch_core_next_due(dispatch->core, now_us);
	else
		due_us = now_us + 5000; /* a lane's ring is full: look again soon */
	dispatch_sleep(dispatch, due_us);
	return true;
}

void *
weir_dispatch_main(void *arg)
{
	struct weir_dispatch *dispatch = arg;
	while (dispatch_turn(dispatch))
		;
	return NULL;
}
