/*
 * Taking partitions and giving them back.
 *
 * Taking raises the epoch and loads the state (store thread, through the sink here), then tells the source where to go on.
 * Giving back waits for look-ups, flushes once more and forgets. A partition whose store forgot is taken again and Kafka
 * rewound; one that was fenced waits for the group to say so, and is taken again if the group goes on calling it ours.
 */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/engine/lane_priv.h"

#define REVOKE_WAIT_US 5000000ll /* longest that a give-back waits for its last flush */

struct lane_partition *
lane_find(struct weir_lane *lane, uint32_t number)
{
	for (uint32_t i = 0; i < lane->partition_count; i++)
		if (lane->partitions[i]->number == number && lane->partitions[i]->state != LANE_GONE)
			return lane->partitions[i];
	return NULL;
}

static void
wait_on(struct weir_lane *lane, int source_fd, int64_t timeout_us)
{
	struct pollfd fds[2] = {{.fd = lane->bell_fd, .events = POLLIN}, {.fd = source_fd, .events = POLLIN}};
	lane_heartbeat(lane);
	int timeout_ms = timeout_us <= 0 ? 0 : (int)((timeout_us + 999) / 1000);
	if (poll(fds, 2, timeout_ms) > 0 && fds[0].revents != 0) {
		uint64_t rings;
		(void)!read(lane->bell_fd, &rings, sizeof(rings));
	}
	(void)lane_store_answers(lane);
}

void
lane_wait(struct weir_lane *lane, int64_t timeout_us)
{
	wait_on(lane, -1, timeout_us); /* nobody would take what the source has */
}

void
lane_rest(struct weir_lane *lane, int64_t timeout_us)
{
	wait_on(lane, lane->source_fd, timeout_us);
}

static struct weir_ack_window *
box_of(struct weir_lane *lane, uint32_t number)
{
	if (number >= lane->ack_window_cap) {
		uint32_t cap = lane->ack_window_cap == 0 ? 64 : lane->ack_window_cap;
		while (cap <= number)
			cap *= 2;
		lane->ack_windows = weir_realloc(lane->ack_windows, cap * sizeof(*lane->ack_windows));
		memset(
		    lane->ack_windows + lane->ack_window_cap, 0, (cap - lane->ack_window_cap) * sizeof(*lane->ack_windows));
		lane->ack_window_cap = cap;
	}
	if (lane->ack_windows[number] == NULL) {
		lane->ack_windows[number] = weir_calloc(1, sizeof(struct weir_ack_window));
		lane->ack_windows[number]->bell_fd = lane->bell_fd;
		lane->ack_windows[number]->rounds = &lane->counters.rounds;
	}
	return lane->ack_windows[number];
}

static void
add_stats(struct weir_partition_stats *sum, const struct weir_partition_stats *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += from[i];
}

static bool
sink_begin(void *ctx, const struct weir_store_header *header)
{
	struct lane_partition *lp = ctx;
	const struct weir_settings *settings = lp->lane->shared->settings;
	struct weir_partition_opts opts = {.number = lp->number,
	    .dedupe_horizon_h = settings->dedupe_horizon_h,
	    .dedupe_fresh_h = settings->dedupe_fresh_h,
	    .session_retention_h = settings->session_retention_h,
	    .future_skew_s = settings->future_skew_s,
	    .parked_max = settings->lane_parked_max,
	    .auto_register = settings->auto_register,
	    .auto_register_carrier = settings->auto_register_carrier,
	    .partitions = lp->lane->shared->partitions,
	    .epoch = header->epoch,
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
	weir_partition_free(lp->core);
	lp->core = weir_partition_new(&opts);
	weir_partition_set_time(lp->core, lane_now_us(), header->stream_time_us);
	weir_partition_load_sizes(lp->core, header->slots, header->stream_time_us);
	return true;
}

static bool
sink_name(void *ctx, uint32_t index, struct weir_slice name)
{
	(void)index;
	return weir_partition_load_name(((struct lane_partition *)ctx)->core, name);
}

static bool
sink_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)field;
	return weir_partition_load_reference(((struct lane_partition *)ctx)->core, json);
}

static bool
sink_page(void *ctx, enum weir_slab_kind slab, uint32_t page, struct weir_slice bytes)
{
	return weir_partition_load_page(((struct lane_partition *)ctx)->core, slab, page, bytes);
}

static bool
sink_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, struct weir_slice bytes)
{
	return weir_dedupe_keys_load(
	    &((struct lane_partition *)ctx)->core->tables.dedupe_keys, hour, bucket, bytes.data, bytes.len);
}

static bool
sink_intent(void *ctx, struct weir_iccid iccid, uint64_t token, uint8_t desired)
{
	const struct weir_unconfirmed_card intent = {iccid, token, desired};
	return weir_partition_load_intent(((struct lane_partition *)ctx)->core, &intent);
}

/* What Redis does not know of cards' states at their carriers. */
static void
take_known(struct lane_partition *lp)
{
	if (lp->lost_writes)
		weir_partition_load_known(lp->core, &lp->known);
	for (uint32_t i = 0; i < lp->known.n; i++) /* results that came while it was loaded */
		weir_partition_unconfirmed(lp->core, lp->known.v[i].iccid);
	weir_unconfirmed_free(&lp->known);
	lp->lost_writes = false;
}

/*
 * By the clock, so that flushes of all partitions, whoever owns them, take turns at Redis. Neighbours, which one lane often
 * has, are as far apart as can be: the number's bits the other way round.
 */
static int64_t
first_flush_us(const struct lane_partition *lp)
{
	int64_t interval_us = (int64_t)lp->lane->shared->settings->flush_interval_ms * 1000, now_us = lane_now_us();
	uint32_t turn = 0;
	for (uint32_t bit = 0; bit < 8; bit++)
		turn |= (lp->number >> bit & 1) << (7 - bit);
	int64_t due_us = now_us - now_us % interval_us + interval_us * turn / 256;
	return due_us > now_us ? due_us : due_us + interval_us;
}

/* The last call of a load, on the lane's thread again: indexes. */
static bool
finish_take(struct lane_partition *lp, const struct weir_store_request *request)
{
	struct weir_lane *lane = lp->lane;
	if (!weir_partition_load_finish(lp->core)) {
		lane_stop_partition(lp, "the stored state contradicts itself");
		return false;
	}
	take_known(lp);
	lp->state = LANE_RUNNING;
	lp->epoch = request->header.epoch;
	for (uint32_t t = 0; t < lane->shared->topic_count; t++)
		lp->stored[t] = lp->next_offset[t] = request->header.offsets[t];
	lp->flush_number = request->header.offsets[lane->shared->topic_count];
	int64_t stream_hour = lp->core->clock.stream_time_us / WEIR_HOUR_US;
	lp->purge_hour = stream_hour == 0 ? -1 : stream_hour - lane->shared->settings->dedupe_horizon_h - 2;
	lp->purge_cycle = -1;
	memset(lp->newest_us, 0, sizeof(lp->newest_us));
	lane_purge_begin(lp);
	lp->flush_due_us = first_flush_us(lp);
	weir_partition_enqueue_all(lp->core, false);
	lp->restart_commands = true;
	weir_log(WEIR_LOG_INFO, "taken", "partition=%u epoch=%llu cards=%u took_us=%lld", lp->number,
	    (unsigned long long)lp->epoch, lp->core->tables.cards.used, (long long)request->took_us);
	return true;
}

static void
submit_take(struct lane_partition *lp)
{
	struct weir_store_request *request = weir_calloc(1, sizeof(*request));
	request->kind = WEIR_STORE_TAKE;
	request->partition = lp->number;
	request->owner = lp;
	request->epoch_floor = lp->epoch;
	request->fresh_hours = lp->lane->shared->settings->dedupe_fresh_h;
	request->sink =
	    (struct weir_load_sink){lp, sink_begin, sink_name, sink_reference, sink_page, sink_dedupe_keys, sink_intent};
	lp->state = LANE_TAKING;
	lp->requests++;
	while (!weir_store_submit(lp->lane->store, request))
		lane_wait(lp->lane, 1000);
}

static struct lane_partition *
add_partition(struct weir_lane *lane, uint32_t number)
{
	struct lane_partition *lp = weir_calloc(1, sizeof(*lp));
	lp->lane = lane;
	lp->number = number;
	lp->ack_window = box_of(lane, number);
	if (lane->partition_count == lane->partition_cap) {
		lane->partition_cap = lane->partition_cap == 0 ? 16 : lane->partition_cap * 2;
		lane->partitions = weir_realloc(lane->partitions, lane->partition_cap * sizeof(*lane->partitions));
	}
	lane->partitions[lane->partition_count++] = lp;
	return lp;
}

static bool
any_taking(const struct weir_lane *lane)
{
	for (uint32_t i = 0; i < lane->partition_count; i++)
		if (lane->partitions[i]->state == LANE_TAKING)
			return true;
	return false;
}

bool
lane_on_assign(void *ctx, struct weir_start *starts, uint32_t count)
{
	struct weir_lane *lane = ctx;
	lane->assigning = true;
	for (uint32_t i = 0; i < count; i++)
		submit_take(add_partition(lane, starts[i].partition));
	while (any_taking(lane) && !atomic_load_explicit(&lane->stop, memory_order_relaxed)) {
		lane_publish_rows(lane); /* Redis may be away for long: that should be seen */
		lane_wait(lane, 100000);
	}
	lane->assigning = false;
	if (any_taking(lane)) {
		for (uint32_t i = 0; i < lane->partition_count; i++)
			weir_store_cancel(lane->store, lane->partitions[i]->number);
		while (any_taking(lane))
			lane_wait(lane, 10000);
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct lane_partition *lp = lane_find(lane, starts[i].partition);
		if (lp != NULL)
			memcpy(starts[i].offsets, lp->next_offset, sizeof(lp->next_offset));
	}
	return true;
}

/* After FORGOT or a long fence: everything here is dropped and loaded anew; Kafka goes back to what is stored. */
void
lane_take_again(struct lane_partition *lp)
{
	add_stats(&lp->lane->gone, &lp->core->stats);
	lp->audits.len = 0;
	lp->audit_commands = 0;
	lp->caught_up = lp->cards_caught_up = lp->pools_caught_up = false;
	memset(lp->at_end, 0, sizeof(lp->at_end));
	(void)weir_dispatch_forget(lp->lane->shared->dispatch, lp->lane->number, lp->number);
	submit_take(lp);
}

void
lane_stop_partition(struct lane_partition *lp, const char *why)
{
	if (lp->state == LANE_STOPPED)
		return;
	lp->state = LANE_STOPPED; /* the next round stops its fetching */
	lp->drop_due = true;
	weir_log(WEIR_LOG_ERROR, "partition_stopped", "partition=%u %s", lp->number, why);
}

static bool
is_flushed(const struct lane_partition *lp)
{
	return lp->state != LANE_RUNNING || (!lp->changed && lp->flush == NULL && weir_partition_parked(lp->core) == 0);
}

static bool
all_flushed(const struct weir_lane *lane, const uint32_t *partitions, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct lane_partition *lp = lane_find((struct weir_lane *)lane, partitions[i]);
		if (lp != NULL && !is_flushed(lp))
			return false;
	}
	return true;
}

static void
flush_last(struct weir_lane *lane, const uint32_t *partitions, uint32_t count)
{
	int64_t until = lane_now_us() + REVOKE_WAIT_US;
	while (!all_flushed(lane, partitions, count) && lane_now_us() < until) {
		for (uint32_t i = 0; i < count; i++) {
			struct lane_partition *lp = lane_find(lane, partitions[i]);
			if (lp == NULL || lp->state != LANE_RUNNING)
				continue;
			lp->leaving = true;
			lp->flush_due_us = 0;
			lane_flush_round(lp, lane_now_us());
			lane_publish(lp); /* rows hold up the next flush; look-ups waited for this one to be sent */
		}
		lane_wait(lane, 5000);
	}
}

static void
partition_free(struct lane_partition *lp)
{
	if (lp->flush != NULL && !lp->flush_sent) {
		weir_buf_free(&lp->flush->body);
		free(lp->flush);
	}
	weir_partition_free(lp->core);
	weir_buf_free(&lp->audits);
	weir_unconfirmed_free(&lp->known);
	free(lp);
}

static void
sweep_gone(struct weir_lane *lane)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		struct lane_partition *lp = lane->partitions[i];
		if (lp->state == LANE_GONE && lp->requests == 0)
			partition_free(lp);
		else
			lane->partitions[kept++] = lp;
	}
	lane->partition_count = kept;
}

void
lane_on_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost)
{
	struct weir_lane *lane = ctx;
	if (!lost)
		flush_last(lane, partitions, count);
	for (uint32_t i = 0; i < count; i++) {
		struct lane_partition *lp = lane_find(lane, partitions[i]);
		if (lp == NULL)
			continue;
		weir_log(lost ? WEIR_LOG_WARN : WEIR_LOG_INFO, lost ? "lost" : "given_back", "partition=%u flushed=%d",
		    lp->number, is_flushed(lp));
		lp->state = LANE_GONE;
		weir_store_cancel(lane->store, lp->number);
		(void)weir_dispatch_forget(lane->shared->dispatch, lane->number, lp->number);
		if (lp->core != NULL)
			add_stats(&lane->gone, &lp->core->stats);
	}
	sweep_gone(lane);
}

/* ---- answers of the store ---- */

static void
lost_writes(struct lane_partition *lp, const struct weir_store_request *request)
{
	weir_log(WEIR_LOG_WARN, "redis_forgot", "partition=%u epoch=%llu stored_epoch=%llu: reloading and rewinding",
	    lp->number, (unsigned long long)lp->epoch, (unsigned long long)request->header.epoch);
	weir_source_drop(lp->lane->source, lp->number);
	if (request->header.epoch > lp->epoch)
		lp->epoch = request->header.epoch;
	/* Commands of the time that Redis lost: the replay may decide otherwise than the run before it did. */
	(void)lane_dispatch_results(lp->lane);
	weir_partition_known(lp->core, &lp->known);
	lp->lost_writes = true;
	lane_take_again(lp);
}

static void
on_fenced(struct lane_partition *lp, const struct weir_store_request *request)
{
	weir_log(WEIR_LOG_WARN, "fenced", "partition=%u epoch=%llu stored_epoch=%llu: another owner; letting go",
	    lp->number, (unsigned long long)lp->epoch, (unsigned long long)request->header.epoch);
	lp->state = LANE_FENCED;
	lp->epoch = request->header.epoch;
	lp->retake_us = lane_now_us() + 2000ll * lp->lane->shared->settings->kafka_session_ms;
	weir_source_drop(lp->lane->source, lp->number);
	(void)weir_dispatch_forget(lp->lane->shared->dispatch, lp->lane->number, lp->number);
}

static void
answer_flush(struct lane_partition *lp, struct weir_store_request *request)
{
	lp->flush = NULL;
	lp->flush_sent = false;
	lane_keep_body(lp->lane, &request->body);
	if (lp->state != LANE_RUNNING)
		return;
	switch (request->result) {
	case WEIR_STORE_DONE:
		lp->flushed_us = lane_now_us();
		lane_count(&lp->lane->counters.flush_latency, request->took_us);
		memcpy(lp->stored, request->offsets_after, sizeof(lp->stored));
		weir_partition_stored(lp->core);
		struct weir_start start = {.partition = lp->number};
		memcpy(start.offsets, lp->stored, sizeof(lp->stored));
		weir_source_commit(lp->lane->source, &start);
		break;
	case WEIR_STORE_FENCED:
		on_fenced(lp, request);
		break;
	case WEIR_STORE_LOST_WRITES:
		lost_writes(lp, request);
		break;
	case WEIR_STORE_FAILED:
		lane_stop_partition(lp, request->error.text);
		break;
	default:
		break;
	}
}

static void
answer_take(struct lane_partition *lp, struct weir_store_request *request)
{
	if (lp->state != LANE_TAKING)
		return;
	if (request->result == WEIR_STORE_CANCELLED) {
		lp->state = LANE_GONE;
		return;
	}
	if (request->result != WEIR_STORE_DONE) {
		lane_stop_partition(lp, request->error.text);
		return;
	}
	if (!finish_take(lp, request) || lp->lane->assigning)
		return; /* on_assign's caller starts all partitions together */
	struct weir_start start = {.partition = lp->number};
	struct weir_error err;
	memcpy(start.offsets, lp->next_offset, sizeof(start.offsets));
	if (weir_source_rewind(lp->lane->source, &start, &err) != WEIR_OK)
		lane_stop_partition(lp, err.text);
}

static void
answer_fetch(struct lane_partition *lp, struct weir_store_request *request)
{
	lp->fetching--;
	bool usable = request->result == WEIR_STORE_DONE && lp->state == LANE_RUNNING;
	for (uint32_t i = 0; i < request->fetch_count; i++) {
		struct weir_store_fetch *fetch = &request->fetches[i];
		const struct weir_fetch_request *fetch_requests =
		    (const struct weir_fetch_request *)(request->fetches + request->fetch_count);
		struct weir_slice value = {fetch->value_out.data, fetch->value_out.len};
		if (usable && !weir_partition_fetched(lp->core, &fetch_requests[i], value))
			lane_stop_partition(lp, "a stored string of marks, past totals or windows is none");
		weir_buf_free(&fetch->value_out);
	}
	free(request->fetches);
	if (lp->state != LANE_RUNNING)
		return;
	if (request->result == WEIR_STORE_FAILED) {
		lane_stop_partition(lp, request->error.text);
		return;
	}
	lane_submit_fetches(lp);
	if (lp->fetching == 0 && lp->core->effects.fetch_requests.n == 0) {
		weir_partition_set_time(lp->core, lane_now_us(), 0);
		weir_partition_unpark(lp->core);
		lp->changed = true;
		lane_effects(lp, 0, NULL);
	}
}

bool
lane_store_answers(struct weir_lane *lane)
{
	struct weir_store_request *request;
	bool any = false;
	while ((request = weir_store_next(lane->store)) != NULL) {
		struct lane_partition *lp = request->owner;
		any = true;
		lp->requests--;
		if (request->kind == WEIR_STORE_TAKE)
			answer_take(lp, request);
		else if (request->kind == WEIR_STORE_FLUSH)
			answer_flush(lp, request);
		else
			answer_fetch(lp, request);
		weir_buf_free(&request->body);
		free(request);
	}
	if (any)
		sweep_gone(lane);
	return any;
}
