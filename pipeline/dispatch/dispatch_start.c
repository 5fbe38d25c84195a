/*
 * The dispatcher as its callers see it: start, stop, and the two ends of the rings that lanes hold. The thread itself is in
 * dispatch_thread.c, its decisions in dispatch_core.c.
 */
#include <stdlib.h>
#include <sys/random.h>

#include "pipeline/dispatch/thread_priv.h"

/* ---- the lanes' side ---- */

static bool
dispatch_send(struct weir_dispatch *dispatch, uint32_t lane, const struct dispatch_message *message)
{
	WEIR_CHECK_MAGIC(dispatch, DISPATCH_MAGIC);
	WEIR_CHECK(lane < dispatch->opts.lanes);
	if (!weir_ring_push(&dispatch->lanes[lane].pending_commands, message))
		return false;
	/* acq_rel: the other end of dispatch_sleep's chain; only who finds true pays for a system call. */
	if (atomic_exchange_explicit(&dispatch->asleep, false, memory_order_acq_rel))
		weir_http_wakeup(dispatch->http);
	return true;
}

bool
weir_dispatch_enqueue(struct weir_dispatch *dispatch, uint32_t lane, const struct weir_pending_command *pending_command)
{
	struct dispatch_message message = {.forget = false, .pending_command = *pending_command};
	return dispatch_send(dispatch, lane, &message);
}

bool
weir_dispatch_forget(struct weir_dispatch *dispatch, uint32_t lane, uint32_t partition)
{
	struct dispatch_message message = {.forget = true, .pending_command = {.partition = partition}};
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
	    .confirm_max_s = settings->confirm_max_s,
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
		seed = (uint64_t)weir_wall_now().us;
	dispatch->core = weir_dispatch_core_new(limits, dispatch->carrier_count, seed, weir_dispatch_result, dispatch);
	dispatch->http = weir_http_new();
	dispatch->lanes = weir_calloc(dispatch->opts.lanes, sizeof(*dispatch->lanes));
	for (uint32_t i = 0; i < dispatch->opts.lanes; i++) {
		weir_ring_init(&dispatch->lanes[i].pending_commands, COMMANDS_RING, sizeof(struct dispatch_message));
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
	if (pthread_create(&dispatch->thread, NULL, weir_dispatch_main, dispatch) != 0) {
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
	int64_t stop_at_us = weir_steady_in_ms(grace_ms).us;
	/* release: before the wakeup, which stays pending until the next poll if the thread is not in it yet. */
	atomic_store_explicit(&dispatch->stop_at_us, stop_at_us, memory_order_release);
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
		weir_ring_free(&dispatch->lanes[i].pending_commands);
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
