/*
 * The dispatcher's thread: moves offers from the lanes' rings into the core, starts the calls it names, hands outcomes back
 * and results to the lanes. All decisions are the core's; here are the clock, the rings and sleep.
 *
 * One turn: finished calls, offers, new calls (intents first), results out, sleep. It sleeps in the HTTP library's poll; a
 * lane that offers wakes it only if it said that it sleeps, so that a burst of offers costs one system call.
 * A lane that does not drain its results is waited for: they are kept in a backlog, and until that is empty no offers of
 * that lane are taken and no calls are started. Nothing is lost, and the backlog stays as short as a turn.
 *
 * Memory shared with lanes: the rings, `asleep`, `stop_at_us`, and the rows of counters behind a mutex.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "config/base/ring.h"
#include "pipeline/dispatch/dispatch.h"
#include "pipeline/dispatch/dispatch_core.h"
#include "pipeline/dispatch/http_priv.h"

#define DISPATCH_MAGIC 0x64697370u
#define OFFERS_RING 65536u
#define RESULTS_RING 16384u
#define OFFERS_A_TURN 4096u
#define CALLS_A_TURN 256u
#define SLEEP_MAX_MS 1000u

struct dispatch_message {
	bool forget; /* the offer's partition only */
	struct weir_command_offer offer;
};

struct dispatch_lane {
	struct weir_ring offers;
	struct weir_ring results;
	struct weir_buf backlog; /* results that found the ring full */
	size_t backlog_read;     /* bytes of it handed on */
	bool rings;              /* its bell is due this turn */
};

struct dispatch_carrier {
	const struct weir_carrier_settings *settings;
	const struct weir_carrier_adapter *adapter;
	char name[24];
};

struct weir_dispatch {
	uint32_t magic;
	struct weir_dispatch_opts opts;
	struct dispatch_carrier carriers[WEIR_CARRIERS_MAX + 1]; /* the last: log, for carriers without settings */
	uint32_t carrier_count;
	uint32_t fallback; /* index for carriers not named: "default" or log */
	struct dispatch_lane *lanes;
	struct weir_dispatch_core *core;
	struct weir_http *http;
	int64_t utc_offset_us; /* UTC minus the core's axis */
	pthread_t thread;
	bool started;
	_Atomic bool asleep;
	_Atomic bool joined;
	_Atomic int64_t stop_at_us; /* 0 = run */
	pthread_mutex_t rows_lock;
	struct weir_carrier_counters rows[WEIR_CARRIERS_MAX + 1];
};

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
dispatch_now(struct weir_dispatch *dispatch)
{
	int64_t now_us = clock_us(CLOCK_MONOTONIC);
	dispatch->utc_offset_us = clock_us(CLOCK_REALTIME) - now_us;
	return now_us;
}

/* ---- results ---- */

/* The core's result callback. */
static void
dispatch_result(void *ctx, uint32_t lane_index, const struct weir_command_result *core_result)
{
	struct weir_dispatch *dispatch = ctx;
	struct dispatch_lane *lane = &dispatch->lanes[lane_index];
	struct weir_command_result result = *core_result;
	result.at_us += dispatch->utc_offset_us;
	if (result.next_us != 0)
		result.next_us += dispatch->utc_offset_us;
	lane->rings = true;
	if (lane->backlog.len > 0 || !weir_ring_push(&lane->results, &result))
		weir_buf_append(&lane->backlog, &result, sizeof(result));
}

/* Hands the backlog on as far as there is room. True when it is empty. */
static bool
lane_drain_backlog(struct dispatch_lane *lane)
{
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

/* ---- offers ---- */

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
dispatch_take_offers(struct weir_dispatch *dispatch, uint32_t lane_index, int64_t now_us)
{
	struct dispatch_lane *lane = &dispatch->lanes[lane_index];
	struct dispatch_message message;
	uint32_t count = 0;
	while (count < OFFERS_A_TURN && lane->backlog.len == 0 && weir_ring_pop(&lane->offers, &message)) {
		count++;
		const struct weir_command_offer *offer = &message.offer;
		if (message.forget)
			weir_dispatch_core_forget(dispatch->core, lane_index, offer->partition);
		else
			weir_dispatch_core_offer(
			    dispatch->core, lane_index, dispatch_carrier_index(dispatch, offer->carrier), offer, now_us);
	}
	return count;
}

/* ---- calls ---- */

static void
dispatch_intents(struct weir_dispatch *dispatch, const struct weir_dispatch_call *calls, uint32_t count)
{
	struct weir_command_offer offers[CALLS_A_TURN];
	uint32_t wanted = 0;
	if (dispatch->opts.intent == NULL)
		return;
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_dispatch_call *call = &calls[i];
		if (!call->wants_intent)
			continue;
		struct weir_command_offer *offer = &offers[wanted++];
		*offer = (struct weir_command_offer){.iccid = call->iccid,
		    .partition = call->partition,
		    .slot = call->slot,
		    .desired = call->target,
		    .confirmed = call->confirmed};
		memcpy(offer->carrier, dispatch->carriers[call->carrier].name, sizeof(offer->carrier));
	}
	if (wanted > 0)
		dispatch->opts.intent(dispatch->opts.intent_ctx, offers, wanted);
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
	uint32_t count = weir_dispatch_core_start(dispatch->core, now_us, calls, CALLS_A_TURN);
	dispatch_intents(dispatch, calls, count);
	for (uint32_t i = 0; i < count; i++)
		dispatch_begin(dispatch, &calls[i]);
	return count > 0;
}

static bool
dispatch_finish_calls(struct weir_dispatch *dispatch)
{
	uint32_t card;
	struct weir_outcome outcome;
	bool any = false;
	while (weir_http_next(dispatch->http, &card, &outcome)) {
		weir_dispatch_core_finish(dispatch->core, card, &outcome, dispatch_now(dispatch));
		any = true;
	}
	return any;
}

/* ---- the thread ---- */

static void
dispatch_publish(struct weir_dispatch *dispatch)
{
	(void)pthread_mutex_lock(&dispatch->rows_lock);
	for (uint32_t i = 0; i < dispatch->carrier_count; i++)
		weir_dispatch_core_counters(dispatch->core, i, &dispatch->rows[i]);
	(void)pthread_mutex_unlock(&dispatch->rows_lock);
}

static bool
dispatch_has_offers(const struct weir_dispatch *dispatch)
{
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++) {
		if (dispatch->lanes[i].backlog.len == 0 && weir_ring_count(&dispatch->lanes[i].offers) > 0)
			return true;
	}
	return false;
}

static void
dispatch_sleep(struct weir_dispatch *dispatch, int64_t due_us)
{
	/* seq_cst, and a fence before looking at the rings: either the lane's look at `asleep` comes after this store and
	 * it wakes us, or its push comes before our look. */
	atomic_store_explicit(&dispatch->asleep, true, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	int64_t wait_us = due_us == WEIR_DISPATCH_NEVER ? SLEEP_MAX_MS * 1000 : due_us - dispatch_now(dispatch);
	uint32_t wait_ms =
	    wait_us <= 0 ? 0 : (uint32_t)(wait_us < SLEEP_MAX_MS * 1000 ? (wait_us + 999) / 1000 : SLEEP_MAX_MS);
	bool stopping = atomic_load_explicit(&dispatch->stop_at_us, memory_order_seq_cst) != 0;
	if (wait_ms > 0 && (stopping || !dispatch_has_offers(dispatch)))
		weir_http_wait(dispatch->http, wait_ms);
	/* relaxed: clearing it late costs a needless wakeup, nothing else. */
	atomic_store_explicit(&dispatch->asleep, false, memory_order_relaxed);
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
			busy |= dispatch_take_offers(dispatch, i, now_us) > 0;
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

static void *
dispatch_main(void *arg)
{
	struct weir_dispatch *dispatch = arg;
	while (dispatch_turn(dispatch))
		;
	return NULL;
}

/* ---- the lanes' side ---- */

static bool
dispatch_send(struct weir_dispatch *dispatch, uint32_t lane, const struct dispatch_message *message)
{
	WEIR_CHECK_MAGIC(dispatch, DISPATCH_MAGIC);
	WEIR_CHECK(lane < dispatch->opts.lanes);
	if (!weir_ring_push(&dispatch->lanes[lane].offers, message))
		return false;
	/* The other half of dispatch_sleep's bargain: push, fence, look. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&dispatch->asleep, memory_order_relaxed) &&
	    atomic_exchange_explicit(&dispatch->asleep, false, memory_order_relaxed))
		weir_http_wakeup(dispatch->http);
	return true;
}

bool
weir_dispatch_offer(struct weir_dispatch *dispatch, uint32_t lane, const struct weir_command_offer *offer)
{
	struct dispatch_message message = {.forget = false, .offer = *offer};
	return dispatch_send(dispatch, lane, &message);
}

bool
weir_dispatch_forget(struct weir_dispatch *dispatch, uint32_t lane, uint32_t partition)
{
	struct dispatch_message message = {.forget = true, .offer = {.partition = partition}};
	return dispatch_send(dispatch, lane, &message);
}

bool
weir_dispatch_next(struct weir_dispatch *dispatch, uint32_t lane_index, struct weir_command_result *result_out)
{
	WEIR_CHECK_MAGIC(dispatch, DISPATCH_MAGIC);
	WEIR_CHECK(lane_index < dispatch->opts.lanes);
	struct dispatch_lane *lane = &dispatch->lanes[lane_index];
	if (weir_ring_pop(&lane->results, result_out))
		return true;
	/* acquire: once the thread is joined its backlog is ours. */
	if (!atomic_load_explicit(&dispatch->joined, memory_order_acquire) || lane->backlog_read >= lane->backlog.len)
		return false;
	memcpy(result_out, lane->backlog.data + lane->backlog_read, sizeof(*result_out));
	lane->backlog_read += sizeof(*result_out);
	return true;
}

uint32_t
weir_dispatch_counters(struct weir_dispatch *dispatch, struct weir_carrier_counters *rows, uint32_t max)
{
	WEIR_CHECK_MAGIC(dispatch, DISPATCH_MAGIC);
	uint32_t count = dispatch->carrier_count < max ? dispatch->carrier_count : max;
	(void)pthread_mutex_lock(&dispatch->rows_lock);
	memcpy(rows, dispatch->rows, count * sizeof(*rows));
	(void)pthread_mutex_unlock(&dispatch->rows_lock);
	return dispatch->carrier_count;
}

/* ---- life ---- */

static struct weir_dispatch_limits
limits_of(const struct dispatch_carrier *carrier)
{
	const struct weir_carrier_settings *settings = carrier->settings;
	if (carrier->adapter->local || settings == NULL)
		return (struct weir_dispatch_limits){.concurrency = CALLS_A_TURN, .can_ask = carrier->adapter->can_ask};
	return (struct weir_dispatch_limits){.rate_per_s = settings->rate_per_s > 0 ? settings->rate_per_s : 1,
	    .concurrency = settings->concurrency,
	    .cooldown_ms = settings->cooldown_ms,
	    .retry_min_ms = settings->retry_min_ms,
	    .retry_max_ms = settings->retry_max_ms,
	    .breaker_failures = settings->breaker_failures,
	    .breaker_open_ms = settings->breaker_open_ms,
	    .confirm_ms = settings->confirm_ms,
	    .can_ask = carrier->adapter->can_ask};
}

/* Resolves adapters. Shadow mode replaces all of them by log (CMD-5). */
static enum weir_class
dispatch_resolve(struct weir_dispatch *dispatch, struct weir_error *err)
{
	const struct weir_settings *settings = dispatch->opts.settings;
	uint32_t count = settings->carrier_count;
	WEIR_CHECK(count <= WEIR_CARRIERS_MAX);
	dispatch->carrier_count = count + 1;
	dispatch->fallback = count;
	dispatch->carriers[count] = (struct dispatch_carrier){.adapter = &weir_carrier_log, .name = "(log)"};
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_carrier_settings *row = &settings->carriers[i];
		struct dispatch_carrier *carrier = &dispatch->carriers[i];
		const char *id = row->id != NULL ? row->id : "", *name = row->adapter != NULL ? row->adapter : "log";
		if (strlen(id) >= sizeof(carrier->name))
			return weir_error_set(err, WEIR_FATAL, "carrier %s: id is longer than 23 characters", id);
		memcpy(carrier->name, id, strlen(id) + 1);
		carrier->settings = row;
		carrier->adapter = weir_carrier_adapter_find(name);
		if (carrier->adapter == NULL)
			return weir_error_set(
			    err, WEIR_FATAL, "carrier %s: no adapter \"%s\" (known: log, cisco)", id, name);
		enum weir_class class = carrier->adapter->check(row, err);
		if (class != WEIR_OK && !settings->shadow)
			return class;
		if (settings->shadow)
			carrier->adapter = &weir_carrier_log;
		if (strcmp(id, "default") == 0)
			dispatch->fallback = i;
	}
	return WEIR_OK;
}

static void
dispatch_prepare(struct weir_dispatch *dispatch)
{
	struct weir_dispatch_limits limits[WEIR_CARRIERS_MAX + 1];
	for (uint32_t i = 0; i < dispatch->carrier_count; i++) {
		limits[i] = limits_of(&dispatch->carriers[i]);
		memcpy(dispatch->rows[i].carrier, dispatch->carriers[i].name, sizeof(dispatch->rows[i].carrier));
	}
	uint64_t seed = dispatch->opts.seed;
	if (seed == 0 && getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = (uint64_t)clock_us(CLOCK_REALTIME);
	dispatch->core = weir_dispatch_core_new(limits, dispatch->carrier_count, seed, dispatch_result, dispatch);
	dispatch->http = weir_http_new();
	dispatch->lanes = weir_calloc(dispatch->opts.lanes, sizeof(*dispatch->lanes));
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++) {
		weir_ring_init(&dispatch->lanes[i].offers, OFFERS_RING, sizeof(struct dispatch_message));
		weir_ring_init(&dispatch->lanes[i].results, RESULTS_RING, sizeof(struct weir_command_result));
	}
}

struct weir_dispatch *
weir_dispatch_start(const struct weir_dispatch_opts *opts, struct weir_error *err)
{
	WEIR_CHECK(opts->settings != NULL && opts->lanes > 0);
	struct weir_dispatch *dispatch = weir_calloc(1, sizeof(*dispatch));
	dispatch->magic = DISPATCH_MAGIC;
	dispatch->opts = *opts;
	(void)pthread_mutex_init(&dispatch->rows_lock, NULL);
	if (dispatch_resolve(dispatch, err) != WEIR_OK) {
		weir_dispatch_free(dispatch);
		return NULL;
	}
	dispatch_prepare(dispatch);
	if (pthread_create(&dispatch->thread, NULL, dispatch_main, dispatch) != 0) {
		(void)weir_error_set(err, WEIR_FATAL, "dispatcher: no thread to be had");
		weir_dispatch_free(dispatch);
		return NULL;
	}
	dispatch->started = true;
	return dispatch;
}

void
weir_dispatch_stop(struct weir_dispatch *dispatch, uint32_t grace_ms)
{
	WEIR_CHECK_MAGIC(dispatch, DISPATCH_MAGIC);
	if (!dispatch->started || atomic_load_explicit(&dispatch->joined, memory_order_relaxed))
		return; /* relaxed: set below, by this same thread */
	int64_t stop_at_us = clock_us(CLOCK_MONOTONIC) + (int64_t)grace_ms * 1000;
	/* seq_cst: ordered before the wakeup like a lane's push. */
	atomic_store_explicit(&dispatch->stop_at_us, stop_at_us, memory_order_seq_cst);
	weir_http_wakeup(dispatch->http);
	(void)pthread_join(dispatch->thread, NULL);
	/* release: lanes that read it see the backlog as the thread left it. */
	atomic_store_explicit(&dispatch->joined, true, memory_order_release);
}

void
weir_dispatch_free(struct weir_dispatch *dispatch)
{
	if (dispatch == NULL)
		return;
	WEIR_CHECK_MAGIC(dispatch, DISPATCH_MAGIC);
	weir_dispatch_stop(dispatch, 0);
	for (uint32_t i = 0; dispatch->lanes != NULL && i < dispatch->opts.lanes; i++) {
		weir_ring_free(&dispatch->lanes[i].offers);
		weir_ring_free(&dispatch->lanes[i].results);
		weir_buf_free(&dispatch->lanes[i].backlog);
	}
	free(dispatch->lanes);
	weir_http_free(dispatch->http);
	weir_dispatch_core_free(dispatch->core);
	(void)pthread_mutex_destroy(&dispatch->rows_lock);
	dispatch->magic = 0;
	free(dispatch);
}
