/* The lane's thread: its round, its start and its end. See lane.h. */
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
#define IDLE_WAIT_US 100000ll
#define HELD_WAIT_US 1000ll /* a flush that is due waits for look-ups or letters; both ring the bell */

int64_t
lane_now_us(void)
{
	return weir_wall_now().us;
}

void
lane_fail(struct weir_lane *lane, const struct weir_error *err)
{
	lane->error = *err;
	weir_log(WEIR_LOG_ERROR, "lane_failed", "lane=%u %s", lane->number, err->text);
	atomic_store_explicit(&lane->failed, true, memory_order_release);
}

/* ---- reference data, requests and words ---- */

static void
reject_message(struct lane_partition *lp, uint32_t topic, const struct weir_message *message, enum weir_reject reject,
    const char *text)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	struct weir_dead_letter dead_letter = {.key = message->key,
	    .value = message->value,
	    .reject = reject,
	    .text = text,
	    .topic = shared->topics[topic],
	    .partition = lp->number,
	    .offset = message->offset};
	lp->core->stats.rejected[reject]++;
	weir_outbox_produce_dead_letter(shared->outbox_producer, lp->ack_window, &dead_letter);
}

static void
apply_message(struct lane_partition *lp, const struct weir_message *message)
{
	uint32_t topic = lp->lane->shared->cards;
	struct weir_reference reference = {.type = WEIR_REF_CARD}; /* the parser sets it before it finds fault */
	struct weir_error err;
	struct weir_cause cause = {topic, message->offset, message->timestamp_us, message->timestamp_us, 0};
	weir_partition_set_time(lp->core, lp->core->clock.now_us, 0);
	enum weir_class class = weir_reference_parse(message->value, &reference, &err);
	if (class == WEIR_OK)
		class = weir_partition_apply(lp->core, &reference, message->value, &cause, &err);
	if (class == WEIR_OK)
		return;
	reject_message(lp, topic, message,
	    reference.type == WEIR_REF_REQUEST ? WEIR_REJECT_BAD_REQUEST : WEIR_REJECT_BAD_REFERENCE, err.text);
}

/* Takes one batch of a topic; false when there was none. */
static bool
next_batch(struct lane_partition *lp, uint32_t topic, uint32_t max, struct weir_batch *batch)
{
	struct weir_error err;
	enum weir_class class = weir_source_next(lp->lane->source, topic, lp->number, max, batch, &err);
	if (class == WEIR_FATAL)
		lane_stop_partition(lp, err.text);
	if (class != WEIR_OK)
		return false;
	if (batch->end)
		lp->at_end[topic] = true;
	if (batch->count > 0) {
		const struct weir_message *last = &batch->messages[batch->count - 1];
		lp->next_offset[topic] = last->offset + 1;
		lp->newest_us[topic] =
		    last->timestamp_us > lp->newest_us[topic] ? last->timestamp_us : lp->newest_us[topic];
		lp->changed = true;
	}
	return true;
}

static bool
read_cards(struct lane_partition *lp)
{
	uint32_t topic = lp->lane->shared->cards;
	struct weir_batch batch;
	if (!next_batch(lp, topic, CARDS_BATCH, &batch))
		return false;
	for (uint32_t i = 0; i < batch.count; i++) {
		const struct weir_message *message = &batch.messages[i];
		if (message->value.data != NULL) /* a compacted topic's tombstone tells nothing */
			apply_message(lp, message);
	}
	lane_effects(lp, topic, NULL);
	weir_source_release(lp->lane->source, &batch);
	return true;
}

/* ---- pools' partials ---- */

static bool
read_reports(struct lane_partition *lp)
{
	uint32_t topic = lp->lane->shared->reports;
	struct weir_batch batch;
	if (!next_batch(lp, topic, REPORTS_BATCH, &batch))
		return false;
	for (uint32_t i = 0; i < batch.count; i++) {
		const struct weir_message *message = &batch.messages[i];
		struct weir_error err;
		if (weir_partition_apply_report(lp->core, message->value, message->timestamp_us, &err) != WEIR_OK)
			reject_message(lp, topic, message, WEIR_REJECT_MALFORMED, err.text);
	}
	lane_effects(lp, topic, NULL);
	weir_source_release(lp->lane->source, &batch);
	return true;
}

/* ---- records ---- */

static void
decode_batch(struct lane_partition *lp, uint32_t input, const struct weir_batch *batch)
{
	struct weir_lane *lane = lp->lane;
	lane->records.n = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct weir_message *message = &batch->messages[i];
		uint32_t from = lane->records.n;
		(void)weir_decode(lane->decoders[input], message->key, message->value, i, &lane->records);
		for (uint32_t k = from; k < lane->records.n; k++) {
			struct weir_record *r = &lane->records.v[k];
			r->offset = message->offset;
			r->input = (uint8_t)input;
			r->arrived_us = message->timestamp_us;
		}
	}
}

static bool
read_records(struct lane_partition *lp, uint32_t input)
{
	struct weir_lane *lane = lp->lane;
	struct weir_batch batch;
	if (!next_batch(lp, input, lane->shared->settings->lane_batch_records, &batch))
		return false;
	decode_batch(lp, input, &batch);
	weir_partition_fold(lp->core, lane->records.v, lane->records.n);
	lane->messages += batch.count;
	lane_effects(lp, input, &batch);
	weir_source_release(lane->source, &batch);
	return true;
}

/*
 * How far the replay after a take-over has come. The card stage's inputs are cards and records, the pool stage's cards and
 * partials; what they held back until then is told. Unknown states are asserted only when all has caught up: the replay may
 * well decide the same again.
 */
static void
mark_caught_up(struct lane_partition *lp)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	bool cards = lp->at_end[shared->cards], pools = cards && lp->at_end[shared->reports];
	for (uint32_t t = 0; t < shared->cards; t++)
		cards = cards && lp->at_end[t];
	/* What is parked is not counted yet: told as settled, a pool's usage would fall back for as long as it waits. */
	cards = cards && lp->core->parked.records.n == 0;
	if (cards != lp->cards_caught_up || pools != lp->pools_caught_up) {
		lp->cards_caught_up = cards;
		lp->pools_caught_up = pools;
		weir_partition_caught_up(lp->core, cards, pools);
	}
	if (!cards || !pools)
		return;
	lp->caught_up = true;
	lp->restart_commands = true;
	weir_partition_enqueue_all(lp->core, true);
	lane_effects(lp, 0, NULL);
}

/* Reference data to its end first; afterwards it goes first in each round. */
static bool
read_all(struct lane_partition *lp)
{
	uint32_t cards = lp->lane->shared->cards;
	bool worked = read_cards(lp);
	if (lp->state == LANE_RUNNING && lp->at_end[cards])
		worked |= read_reports(lp);
	for (uint32_t i = 0; i < cards && lp->at_end[cards] && lp->state == LANE_RUNNING; i++)
		worked |= read_records(lp, i);
	return worked;
}

static bool
has_changed(const struct lane_partition *lp)
{
	struct weir_partition *p = lp->core;
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		if (weir_partition_slab(p, i)->dirty_count > 0)
			return true;
	for (unsigned i = 0; i < WEIR_WINDOW_KINDS; i++)
		if (p->tables.windows[i].dirty > 0)
			return true;
	return p->tables.closed_cycles.dirty > 0 || p->tables.pool_closed_cycles.dirty > 0 ||
	       p->registry.new_name_count > 0 || p->registry.new_reference_count > 0 || weir_partition_feeds_due(p);
}

static bool
partition_round(struct lane_partition *lp, int64_t now_us)
{
	if (lp->state == LANE_FENCED && now_us >= lp->retake_us) {
		lane_take_again(lp);
		return true;
	}
	if (lp->drop_due) {
		weir_source_drop(lp->lane->source, lp->number);
		lp->drop_due = false;
	}
	if (lp->state != LANE_RUNNING)
		return false;
	weir_partition_set_time(lp->core, now_us, 0);
	bool worked = false;
	if (!lane_is_held(lp, now_us))
		worked = read_all(lp);
	if (lp->state != LANE_RUNNING)
		return true;
	if (!lp->caught_up)
		mark_caught_up(lp);
	lane_watermark(lp, now_us);
	if (weir_partition_tick(lp->core, TICK_SLOTS))
		worked = true;
	lane_publish(lp);
	lp->changed |= has_changed(lp);
	lane_flush_round(lp, now_us);
	return worked;
}

/* ---- counters ---- */

static void
store_relaxed(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void
publish(struct weir_lane *lane)
{
	struct weir_lane_counters *c = &lane->counters;
	struct weir_partition_stats sum = lane->gone;
	uint64_t cards = 0, pools = 0, filtered = 0;
	int64_t lag = 0;
	uint32_t owned = 0, ready = 0;
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		const struct lane_partition *lp = lane->partitions[i];
		owned += lp->state != LANE_GONE;
		if (lp->state != LANE_RUNNING && lp->state != LANE_FENCED && lp->state != LANE_STOPPED)
			continue;
		ready += lp->at_end[lane->shared->cards];
		if (lp->core == NULL)
			continue;
		const uint64_t *from = (const uint64_t *)&lp->core->stats;
		for (size_t k = 0; k < sizeof(sum) / sizeof(uint64_t); k++)
			((uint64_t *)&sum)[k] += from[k];
		cards += weir_slab_count(&lp->core->tables.cards);
		pools += weir_slab_count(&lp->core->tables.pools);
		for (uint32_t t = 0; t < lane->shared->cards; t++)
			lag += weir_source_lag(lane->source, t, lp->number, lp->next_offset[t]);
	}
	for (uint32_t i = 0; i < lane->shared->cards; i++)
		filtered += weir_decoder_stats(lane->decoders[i])->filtered;
	store_relaxed(&c->messages, lane->messages);
	store_relaxed(&c->records, sum.records);
	store_relaxed(&c->counted, sum.counted);
	store_relaxed(&c->duplicates, sum.duplicates + sum.stale);
	store_relaxed(&c->late, sum.late);
	store_relaxed(&c->parked, sum.parked);
	store_relaxed(&c->filtered, filtered);
	store_relaxed(&c->bytes_up, sum.up);
	store_relaxed(&c->bytes_down, sum.down);
	store_relaxed(&c->cards, cards);
	store_relaxed(&c->suspends, sum.suspends);
	store_relaxed(&c->resumes, sum.resumes);
	store_relaxed(&c->activations, sum.activations);
	store_relaxed(&c->expiries, sum.expiries);
	store_relaxed(&c->alerts, sum.alerts);
	store_relaxed(&c->unsupported, sum.unsupported);
	store_relaxed(&c->guarded, sum.guarded);
	store_relaxed(&c->pools, pools);
	store_relaxed(&c->reports_published, sum.reports_published);
	store_relaxed(&c->reports_applied, sum.reports_applied);
	store_relaxed(&c->pool_states_published, sum.pool_states_published);
	store_relaxed(&c->pool_states_applied, sum.pool_states_applied);
	store_relaxed(&c->members_scanned, sum.members_scanned);
	store_relaxed(&c->gaps_lost, sum.gaps_lost);
	store_relaxed(&c->unattributed, sum.unattributed);
	store_relaxed(&c->windows_published, sum.windows_published);
	store_relaxed(&c->windows_taken, sum.windows_taken);
	store_relaxed(&c->windows_old, sum.windows_old);
	store_relaxed(&c->rows_again, sum.rows_again);
	for (uint32_t i = 0; i < WEIR_RUN_FEED_COUNT; i++)
		store_relaxed(&c->feed_rows[i], lane->feed_rows[i]);
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		store_relaxed(&c->rejected[i], sum.rejected[i]);
	store_relaxed(&c->commands_sent, lane->commands_sent);
	store_relaxed(&c->commands_confirmed, lane->commands_confirmed);
	store_relaxed(&c->commands_failed, lane->commands_failed);
	atomic_store_explicit(&c->lag, lag, memory_order_relaxed);
	atomic_store_explicit(&c->partitions, owned, memory_order_relaxed);
	atomic_store_explicit(&c->partitions_ready, ready, memory_order_relaxed);
	lane_publish_rows(lane);
}

/* ---- thread ---- */

static int64_t
next_due(const struct weir_lane *lane, int64_t now_us)
{
	int64_t due = now_us + IDLE_WAIT_US;
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		const struct lane_partition *lp = lane->partitions[i];
		if (lp->state != LANE_RUNNING || !lp->changed || lp->flush != NULL)
			continue;
		int64_t flush_us = lane_flush_due_us(lp);
		if (flush_us <= now_us)
			flush_us = now_us + HELD_WAIT_US;
		due = flush_us < due ? flush_us : due;
	}
	return due;
}

static void *
lane_run(void *arg)
{
	struct weir_lane *lane = arg;
	struct weir_error err;
	int64_t published_us = 0, polled_us = 0;
	while (!atomic_load_explicit(&lane->stop, memory_order_relaxed)) {
		int64_t now_us = lane_now_us();
		lane_heartbeat(lane);
		if (now_us - polled_us > 5000 || now_us < polled_us) {
			if (weir_source_poll(lane->source, &err) != WEIR_OK) {
				lane_fail(lane, &err);
				break;
			}
			polled_us = now_us;
		}
		(void)weir_source_serve(lane->source);
		struct weir_store_counters store;
		weir_store_counters_get(lane->store, &store);
		lane->store_connected = store.connected;
		bool worked = lane_store_answers(lane);
		worked |= lane_dispatch_results(lane);
		for (uint32_t i = 0; i < lane->partition_count; i++)
			worked |= partition_round(lane->partitions[i], now_us);
		if (now_us - published_us > 100000 || now_us < published_us) {
			publish(lane);
			published_us = now_us;
		}
		if (!worked) {
			polled_us = 0;
			int64_t wait_us = next_due(lane, now_us) - now_us, source_us = weir_source_serve(lane->source);
			lane_rest(lane, wait_us < source_us ? wait_us : source_us);
		}
	}
	return NULL;
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
	(void)lane_run(lane);
	publish(lane);
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
	    .owner_name = shared->owner_name};
	lane->store = weir_store_start(&store, err);
	if (lane->store == NULL)
		return WEIR_FATAL;
	struct weir_source_opts source = {.kinds = weir_source_kinds,
	    .settings = shared->settings,
	    .topics = shared->topics,
	    .topic_count = shared->topic_count,
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
	for (uint32_t i = 0; i < lane->ack_window_cap; i++)
		free(lane->ack_windows[i]);
	weir_records_free(&lane->records);
	weir_buf_free(&lane->json);
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
