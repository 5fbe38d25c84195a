/* The engine as one object: start in order, stop in reverse order. Its figures are in run_figures.c. See run.h. */
#include "pipeline/engine/run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/engine/installation.h"
#include "pipeline/engine/intents.h"
#include "pipeline/engine/lane.h"
#include "pipeline/engine/lane_priv.h"
#include "pipeline/engine/run_priv.h"
#include "pipeline/redis/functions.h"

#define TOPICS_TIMEOUT_MS 10000u
#define STOP_GRACE_MS 5000u

static void
on_event(void *ctx, const struct weir_run_event *event)
{
	struct weir_run *run = ctx;
	(void)pthread_mutex_lock(&run->events_lock);
	run->events[run->event_count++ % EVENTS_KEPT] = *event;
	(void)pthread_mutex_unlock(&run->events_lock);
}

static void
on_bell(void *ctx, uint32_t lane)
{
	struct weir_run *run = ctx;
	struct weir_lane *started =
	    lane < run->lane_count ? atomic_load_explicit(&run->lanes[lane], memory_order_acquire) : NULL;
	if (started != NULL)
		weir_lane_ring(started);
}

static void
name_topics(struct weir_run *run)
{
	struct weir_lane_shared *shared = &run->shared;
	for (uint32_t i = 0; i < run->settings->input_count; i++)
		shared->topics[shared->topic_count++] = run->settings->inputs[i].topic;
	shared->cards = shared->topic_count;
	shared->topics[shared->topic_count++] = run->settings->topic_cards;
	shared->reports = shared->topic_count;
	shared->topics[shared->topic_count++] = run->settings->topic_partials;
	for (uint32_t i = 0; i < shared->topic_count; i++)
		shared->checkpoint_offsets[i] = shared->topics[i];
	shared->checkpoint_offsets[shared->topic_count] = WEIR_FLUSH_TOPIC;
}

static enum weir_class
start_lanes(struct weir_run *run, struct weir_error *err)
{
	for (uint32_t i = 0; i < run->lane_count; i++) {
		struct weir_lane *lane = NULL;
		enum weir_class class = weir_lane_start(&run->shared, i, &lane, err);
		if (class != WEIR_OK)
			return class;
		atomic_store_explicit(&run->lanes[i], lane, memory_order_release);
	}
	return WEIR_OK;
}

static enum weir_class
start_parts(struct weir_run *run, struct weir_error *err)
{
	const struct weir_settings *settings = run->settings;
	const char *const named[] = {settings->topic_dead, settings->topic_audit, settings->topic_alerts,
	    settings->topic_pool_hourly, settings->topic_pool_daily, settings->topic_card_daily};
	const char *others[sizeof(named) / sizeof(named[0])];
	uint32_t count = 0;
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (named[i][0] != '\0') /* a feed without a topic is off */
			others[count++] = named[i];
	enum weir_class class = weir_source_check_topics(
	    settings, run->shared.topics, run->shared.topic_count, others, count, TOPICS_TIMEOUT_MS, &run->partitions, err);
	if (class != WEIR_OK)
		return class;
	run->shared.partitions = run->partitions;
	run->shared.rows = weir_calloc(run->partitions, sizeof(*run->shared.rows));
	class = weir_installation_check(settings, run->shared.topics, run->shared.topic_count, run->partitions, err);
	if (class != WEIR_OK)
		return class;
	class = weir_outbox_producer_start(settings, &run->shared.outbox_producer, err);
	if (class != WEIR_OK)
		return class;
	run->intents = weir_intents_new(settings);
	struct weir_dispatch_opts dispatch = {.settings = settings,
	    .lanes = run->lane_count,
	    .bell = on_bell,
	    .bell_ctx = run,
	    .intent = weir_intents_write,
	    .intent_ctx = run->intents};
	run->shared.dispatch = weir_dispatch_start(&dispatch, err);
	if (run->shared.dispatch == NULL)
		return WEIR_FATAL;
	return start_lanes(run, err);
}

enum weir_class
weir_run_start(const struct weir_settings *settings, struct weir_run **run_out, struct weir_error *err)
{
	struct weir_run *run = weir_calloc(1, sizeof(*run));
	char host[64] = "";
	run->settings = settings;
	run->lane_count = settings->lane_count;
	run->lanes = weir_calloc(run->lane_count, sizeof(*run->lanes));
	(void)pthread_mutex_init(&run->events_lock, NULL);
	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(run->owner_name, sizeof(run->owner_name), "%s:%d", host, (int)getpid());
	run->shared.settings = settings;
	run->shared.owner_name = run->owner_name;
	run->shared.event = on_event;
	run->shared.event_ctx = run;
	name_topics(run);
	enum weir_class class = start_parts(run, err);
	if (class != WEIR_OK) {
		weir_run_stop(run);
		weir_run_free(run);
		return class;
	}
	*run_out = run;
	return WEIR_OK;
}

void
weir_run_stop(struct weir_run *run)
{
	for (uint32_t i = 0; i < run->lane_count; i++)
		if (run->lanes[i] != NULL)
			weir_lane_stop(run->lanes[i]);
	for (uint32_t i = 0; i < run->lane_count; i++)
		if (run->lanes[i] != NULL)
			weir_lane_join(run->lanes[i]);
	if (run->shared.dispatch != NULL)
		weir_dispatch_stop(run->shared.dispatch, STOP_GRACE_MS);
	weir_outbox_producer_stop(run->shared.outbox_producer, STOP_GRACE_MS);
	run->shared.outbox_producer = NULL;
}

void
weir_run_free(struct weir_run *run)
{
	for (uint32_t i = 0; i < run->lane_count; i++)
		weir_lane_free(run->lanes[i]);
	if (run->shared.dispatch != NULL)
		weir_dispatch_free(run->shared.dispatch);
	weir_intents_free(run->intents);
	free(run->shared.rows);
	(void)pthread_mutex_destroy(&run->events_lock);
	free((void *)run->lanes);
	free(run);
}

bool
weir_run_is_ready(struct weir_run *run)
{
	uint32_t owned = 0, ready = 0;
	for (uint32_t i = 0; i < run->lane_count; i++) {
		const struct weir_lane_counters *c = weir_lane_counters_of(run->lanes[i]);
		owned += atomic_load_explicit(&c->partitions, memory_order_relaxed);
		ready += atomic_load_explicit(&c->partitions_ready, memory_order_relaxed);
	}
	return owned > 0 && ready == owned;
}

bool
weir_run_failed(struct weir_run *run, struct weir_error *err)
{
	for (uint32_t i = 0; i < run->lane_count; i++)
		if (weir_lane_failed(run->lanes[i], err))
			return true;
	return false;
}

uint32_t
weir_run_events(struct weir_run *run, struct weir_run_event *events, uint32_t max)
{
	(void)pthread_mutex_lock(&run->events_lock);
	uint32_t held = run->event_count < EVENTS_KEPT ? run->event_count : EVENTS_KEPT;
	uint32_t count = held < max ? held : max;
	for (uint32_t i = 0; i < count; i++)
		events[i] = run->events[(run->event_count - 1 - i) % EVENTS_KEPT];
	(void)pthread_mutex_unlock(&run->events_lock);
	return count;
}
