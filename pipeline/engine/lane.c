/*
 * The lane's thread: its round, its start and its end, and the group's word on partitions. What happens to a partition is
 * decided by its owner (owner.h); here it gets its turn. See lane.h.
 */
#include "pipeline/engine/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "config/base/log.h"
#include "consumers/kinds.h"
#include "pipeline/engine/lane_priv.h"

#define CARDS_BATCH 1024u
#define REPORTS_BATCH 4096u
#define TICK_SLOTS 2048u
#define FETCHES_PER_REQUEST 512u
#define FETCHING_MAX 2u          /* requests of one partition with the store: what more is wanted waits in the core */
#define REVOKE_WAIT_US 5000000ll /* longest that a give-back waits for its last flush */
#define IDLE_WAIT_US 100000ll

static void
lane_fail(struct weir_lane *lane, const struct weir_error *err)
{
	lane->error = *err;
	weir_log(WEIR_LOG_ERROR, "lane_failed", "lane=%u %s", lane->number, err->text);
	atomic_store_explicit(&lane->failed, true, memory_order_release);
}

/* ---- thread ---- */

static int64_t
next_due_us(const struct weir_lane *lane, int64_t now_us)
{
	int64_t due_us = now_us + IDLE_WAIT_US;
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		int64_t owner_us = owner_next_due_us(lane->partitions[i]->owner);
		due_us = owner_us < due_us ? owner_us : due_us;
	}
	return due_us;
}

/* Everything that may have something, once; true when there may be more. */
static bool
lane_round(struct weir_lane *lane)
{
	(void)weir_source_serve(lane->source);
	struct weir_store_counters store;
	weir_store_counters_get(lane->store, &store);
	lane->store_connected = store.connected;
	bool worked = lane_store_answers(lane);
	worked |= lane_dispatch_results(lane);
	struct owner_now now = lane_now();
	for (uint32_t i = 0; i < lane->partition_count; i++)
		worked |= owner_round(lane->partitions[i]->owner, now);
	lane_sweep_gone(lane);
	return worked;
}

static void
lane_run(struct weir_lane *lane)
{
	struct weir_error err;
	int64_t published_us = 0, polled_us = 0;
	while (!atomic_load_explicit(&lane->stop, memory_order_relaxed)) {
		int64_t now_us = lane_now().wall_us;
		lane_heartbeat(lane);
		if (now_us - polled_us > 5000 || now_us < polled_us) {
			if (weir_source_poll(lane->source, &err) != WEIR_OK) {
				lane_fail(lane, &err);
				break;
			}
			polled_us = now_us;
		}
		bool worked = lane_round(lane);
		if (now_us - published_us > 100000 || now_us < published_us) {
			lane_publish(lane);
			published_us = now_us;
		}
		if (!worked) {
			polled_us = 0;
			int64_t wait_us = next_due_us(lane, now_us) - now_us, source_us = weir_source_serve(lane->source);
			lane_rest(lane, wait_us < source_us ? wait_us : source_us);
		}
	}
}

static void
close_all(struct weir_lane *lane)
{
	if (lane->source != NULL)
		weir_source_close(lane->source);
	if (lane->store != NULL) {
		weir_store_stop(lane->store);
		(void)lane_store_answers(lane);
		weir_store_free(lane->store);
	}
}

static void *
run_and_close(void *arg)
{
	struct weir_lane *lane = arg;
	char name[16]; /* for top -H and stacks */
	(void)snprintf(name, sizeof(name), "weir-lane-%u", lane->number % 100);
	(void)pthread_setname_np(pthread_self(), name);
	lane_run(lane);
	lane_publish(lane);
	weir_source_close(lane->source); /* gives all partitions back: the last flushes */
	lane->source = NULL;
	lane->source_fd = -1;
	return NULL;
}

static void
ring_bell(void *ctx)
{
	weir_lane_ring(ctx);
}

static struct weir_partition_opts
core_opts(const struct weir_lane_shared *shared)
{
	const struct weir_settings *settings = shared->settings;
	return (struct weir_partition_opts){.dedupe_horizon_h = settings->dedupe_horizon_h,
	    .dedupe_fresh_h = settings->dedupe_fresh_h,
	    .session_retention_h = settings->session_retention_h,
	    .future_skew_s = settings->future_skew_s,
	    .parked_max = settings->lane_parked_max,
	    .auto_register = settings->auto_register,
	    .auto_register_carrier = settings->auto_register_carrier,
	    .partitions = shared->partitions,
	    .unreported_floor_bytes = settings->pool_unreported_floor,
	    .pool_tick_ms = settings->pool_tick_ms,
	    .guard_percent = settings->guard_percent,
	    .guard_cards_min = settings->guard_cards_min,
	    .guard_window_s = settings->guard_window_s,
	    .feed_grace_s = settings->rollup_grace_s,
	    .feed_wait_s = settings->rollup_wait_s,
	    .feed_pool_hourly = settings->topic_pool_hourly[0] != '\0',
	    .feed_pool_daily = settings->topic_pool_daily[0] != '\0',
	    .feed_card_daily = settings->topic_card_daily[0] != '\0',
	    .card_hours_days = settings->card_hours_days,
	    .pool_hours_days = settings->pool_hours_days,
	    .day_cycles = settings->day_cycles};
}

static void
set_rules(struct weir_lane *lane)
{
	const struct weir_lane_shared *shared = lane->shared;
	const struct weir_settings *settings = shared->settings;
	lane->rules = (struct owner_rules){.core = core_opts(shared),
	    .topic_count = shared->topic_count,
	    .cards = shared->cards,
	    .reports = shared->reports,
	    .records_max = settings->lane_batch_records,
	    .cards_max = CARDS_BATCH,
	    .reports_max = REPORTS_BATCH,
	    .tick_slots = TICK_SLOTS,
	    .sparse_slots = settings->flush_sparse_slots,
	    .fetch_max = FETCHES_PER_REQUEST,
	    .fetching_max = FETCHING_MAX,
	    .cycles_kept = settings->cycles_kept,
	    .unflushed_max = settings->flush_unflushed_max,
	    .flush_interval_us = (int64_t)settings->flush_interval_ms * 1000,
	    .backlog_interval_us = (int64_t)settings->flush_behind_interval_ms * 1000,
	    .retake_us = 2000ll * settings->kafka_session_ms,
	    .leave_us = REVOKE_WAIT_US,
	    .read_new_logs = strcmp(settings->kafka_on_new_log, "read_from_start") == 0};
	memcpy(lane->rules.topics, shared->topics, sizeof(shared->topics));
}

static enum weir_class
open_parts(struct weir_lane *lane, const char *const *checkpoint_offsets, struct weir_error *err)
{
	const struct weir_lane_shared *shared = lane->shared;
	for (uint32_t i = 0; i < shared->cards; i++)
		lane->decoders[i] =
		    weir_decoder_new(shared->settings->inputs[i].mapping, shared->settings->message_max_bytes);
	struct weir_store_opts store = {.settings = shared->settings,
	    .topics = checkpoint_offsets,
	    .topic_count = shared->topic_count + 1,
	    .bell = ring_bell,
	    .bell_ctx = lane,
	    .owner_name = shared->owner_name,
	    .partitions = shared->partitions};
	lane->store = weir_store_start(&store, err);
	if (lane->store == NULL)
		return WEIR_FATAL;
	struct weir_source_opts source = {.kinds = weir_source_kinds,
	    .settings = shared->settings,
	    .topics = shared->topics,
	    .topic_count = shared->topic_count,
	    .partitions = shared->partitions,
	    .lane = lane->number,
	    .bell_fd = lane->bell_fd,
	    .ctx = lane,
	    .on_assign = lane_on_assign,
	    .on_revoke = lane_on_revoke};
	enum weir_class class = weir_source_open(&source, &lane->source, err);
	if (class == WEIR_OK)
		lane->source_fd = weir_source_fd(lane->source);
	return class;
}

enum weir_class
weir_lane_start(const struct weir_lane_shared *shared, uint32_t number, struct weir_lane **lane_out, struct weir_error *err)
{
	struct weir_lane *lane = weir_calloc(1, sizeof(*lane));
	lane->shared = shared;
	lane->number = number;
	lane->source_fd = -1;
	set_rules(lane);
	lane->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	WEIR_CHECK(lane->bell_fd >= 0);
	enum weir_class class = open_parts(lane, shared->checkpoint_offsets, err);
	if (class != WEIR_OK) {
		close_all(lane);
		lane->store = NULL;
		weir_lane_free(lane);
		return class;
	}
	WEIR_CHECK(pthread_create(&lane->thread, NULL, run_and_close, lane) == 0);
	*lane_out = lane;
	return WEIR_OK;
}

void
weir_lane_ring(struct weir_lane *lane)
{
	static const uint64_t ONE = 1;
	(void)!write(lane->bell_fd, &ONE, sizeof(ONE));
}

void
weir_lane_stop(struct weir_lane *lane)
{
	atomic_store_explicit(&lane->stop, true, memory_order_relaxed);
	weir_lane_ring(lane);
}

void
weir_lane_join(struct weir_lane *lane)
{
	(void)pthread_join(lane->thread, NULL);
	close_all(lane);
	lane->store = NULL;
}

void
weir_lane_free(struct weir_lane *lane)
{
	if (lane == NULL)
		return;
	for (uint32_t i = 0; i < WEIR_INPUTS_MAX; i++)
		if (lane->decoders[i] != NULL)
			weir_decoder_free(lane->decoders[i]);
	for (uint32_t i = 0; i < lane->partition_count; i++)
		lane_partition_free(lane->partitions[i]);
	for (uint32_t i = 0; i < lane->ack_window_cap; i++)
		free(lane->ack_windows[i]);
	weir_records_free(&lane->records);
	for (uint32_t i = 0; i < LANE_BODIES; i++)
		weir_buf_free(&lane->bodies[i]);
	free(lane->ack_windows);
	free(lane->partitions);
	(void)close(lane->bell_fd);
	free(lane);
}

const struct weir_lane_counters *
weir_lane_counters_of(const struct weir_lane *lane)
{
	return &lane->counters;
}

struct weir_store *
weir_lane_store(const struct weir_lane *lane)
{
	return lane->store;
}

bool
weir_lane_failed(const struct weir_lane *lane, struct weir_error *err)
{
	if (!atomic_load_explicit(&lane->failed, memory_order_acquire))
		return false;
	*err = lane->error;
	return true;
}
