/*
 * What others may see of a lane: sizes put into histograms, and a row of gauges for each of its partitions, published ten
 * times a second. Off the record path; the lane's thread alone writes.
 */
#include <stdio.h>

#include "pipeline/engine/lane_priv.h"

#define UNREPORTED_UNBOUNDED ((uint64_t)1 << 56) /* above this nothing limits the pool: it counts as none */
#define POOLS_A_SCAN 1024u                       /* pools whose slack is added up in one publication */

/* Relaxed: figures by themselves. */
static void
add(_Atomic uint64_t *to, uint64_t value)
{
	atomic_fetch_add_explicit(to, value, memory_order_relaxed);
}

void
lane_count(struct weir_lane_histogram *histogram, int64_t value)
{
	uint64_t size = value < 0 ? 0 : (uint64_t)value;
	add(&histogram->bucket[weir_histogram_bucket(size)], 1);
	add(&histogram->sum, size);
}

static void
count_latency(struct weir_lane *lane, int64_t latency_us)
{
	uint64_t us = latency_us < 0 ? 0 : (uint64_t)latency_us;
	add(&lane->counters.command_latency[weir_histogram_bucket(us)], 1);
	add(&lane->counters.command_latency_us, us);
}

void
lane_count_command(void *ctx, const struct weir_command_result *result, const struct weir_enforcement_slot *enforcement)
{
	struct weir_lane *lane = ((struct lane_partition *)ctx)->lane;
	if (result->state == WEIR_COMMAND_SENT) {
		lane->commands_sent++;
		if (enforcement != NULL && enforcement->sent_us == 0 && enforcement->desired == result->target)
			count_latency(lane, result->at_us - enforcement->arrived_us);
	}
	lane->commands_confirmed += result->state == WEIR_COMMAND_CONFIRMED;
	lane->commands_failed += result->state == WEIR_COMMAND_FAILED;
}

void
lane_count_flush(void *ctx, int64_t took_us)
{
	lane_count(&((struct lane_partition *)ctx)->lane->counters.flush_latency, took_us);
}

void
lane_core_ends(void *ctx, const struct weir_partition_stats *stats)
{
	weir_partition_stats_add(&((struct lane_partition *)ctx)->lane->gone, stats);
}

static void
show_event(const struct lane_partition *lp, const struct weir_audit *a)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	if (shared->event == NULL || a->event == WEIR_AUDIT_REASON)
		return;
	struct weir_run_event event = {
	    .at_us = a->at_us, .overshoot_bytes = a->overshoot, .limit_bytes = a->limit, .is_pool = a->pool[0] != '\0'};
	owner_audit_subject(a, event.subject);
	(void)snprintf(
	    event.carrier, sizeof(event.carrier), "%s", weir_partition_carrier_name(lp->owner->core, a->carrier));
	(void)snprintf(event.what, sizeof(event.what), "%s", owner_event_name(a->event));
	(void)snprintf(event.action, sizeof(event.action), "%s", owner_action_name(a->action));
	(void)snprintf(event.reason, sizeof(event.reason), "%s", weir_reason_name(a->reason));
	shared->event(shared->event_ctx, &event);
}

/*
 * A card's overshoot is known when its cut is confirmed. One that was cut by its pool shows the pool's there, which would
 * count once a member: the pool's own decision counts it once.
 */
static void
count_audit(struct weir_lane_counters *c, const struct weir_audit *a)
{
	if (a->action != WEIR_DESIRED_SUSPENDED)
		return;
	if (a->pool[0] != '\0') {
		if (a->event == WEIR_AUDIT_DECIDED && a->limit != 0)
			lane_count(&c->pool_overshoot, (int64_t)a->overshoot);
		return;
	}
	if (a->event != WEIR_AUDIT_CONFIRMED)
		return;
	if (a->sent_us != 0)
		lane_count(&c->confirm_latency, a->confirmed_us - a->sent_us);
	if (a->reason == WEIR_REASON_PLAN_EXHAUSTED || a->reason == WEIR_REASON_USAGE_LIMIT)
		lane_count(&c->card_overshoot, (int64_t)a->overshoot);
}

void
lane_count_audit(struct lane_partition *lp, const struct weir_audit *a)
{
	show_event(lp, a);
	count_audit(&lp->lane->counters, a);
}

/* ---- rows ---- */

static enum weir_run_state
state_of(const struct owner *o)
{
	switch (o->state) {
	case OWNER_TAKING:
		return WEIR_RUN_TAKING;
	case OWNER_RUNNING:
		return o->caught_up ? WEIR_RUN_RUNNING : WEIR_RUN_CATCHING_UP;
	case OWNER_FENCED:
		return WEIR_RUN_FENCED;
	case OWNER_STOPPED:
		return WEIR_RUN_STOPPED;
	case OWNER_NEW:
	case OWNER_GONE:
		break;
	}
	return WEIR_RUN_AWAY;
}

/* Some pools more; a hundred thousand take as many seconds as lanes allow, and no round feels it. */
static uint64_t
scan_unreported(struct lane_partition *lp)
{
	const struct weir_slab *pools = &lp->owner->core->tables.pools;
	uint32_t from = lp->unreported_allowance.next,
		 until = from + POOLS_A_SCAN < pools->used ? from + POOLS_A_SCAN : pools->used;
	for (uint32_t slot = from; slot < until; slot++) {
		const struct weir_pool_slot *pool = weir_slab_at(pools, slot);
		bool bounded = pool->id[0] != '\0' && pool->published_allowance < UNREPORTED_UNBOUNDED;
		lp->unreported_allowance.sum += bounded ? pool->published_allowance * lp->lane->shared->partitions : 0;
	}
	lp->unreported_allowance.next = until;
	if (until == pools->used) {
		lp->unreported_allowance.whole = lp->unreported_allowance.sum;
		lp->unreported_allowance.sum = lp->unreported_allowance.next = 0;
	}
	return lp->unreported_allowance.whole;
}

#define SET(field, value) atomic_store_explicit(&row->field, value, memory_order_relaxed)

static uint64_t
unacknowledged_of(const struct weir_ack_window *ack_window)
{
	int32_t sum = 0;
	for (unsigned i = 0; i < 2; i++)
		sum += atomic_load_explicit(&ack_window->outstanding[i], memory_order_relaxed);
	return sum > 0 ? (uint64_t)sum : 0;
}

static void
row_set(struct lane_partition *lp, struct weir_lane_row *row)
{
	const struct owner *o = lp->owner;
	const struct weir_partition *p = o->core;
	SET(epoch, o->epoch);
	SET(cards, weir_slab_count(&p->tables.cards));
	SET(pools, weir_slab_count(&p->tables.pools));
	SET(memory_bytes, weir_partition_bytes(p));
	SET(unflushed_bytes, owner_unflushed(o));
	SET(parked, p->parked.records.n);
	SET(unacknowledged, unacknowledged_of(lp->ack_window));
	SET(scans, p->pools_work.scans.n - p->pools_work.scans_head);
	SET(unreported_bytes, scan_unreported(lp));
	SET(guard_tripped, p->guard->tripped);
	SET(stream_us, p->clock.stream_time_us);
	SET(flushed_us, o->flushed_us);
	SET(watermark_us, weir_partition_watermark_us(p));
	SET(complete_us, weir_partition_complete_us(p));
	for (uint32_t t = 0; t < lp->lane->shared->topic_count; t++)
		SET(lag_messages[t], weir_source_lag(lp->lane->source, t, o->number, o->next_offset[t]));
}

/* A partition that moved to another lane of this process has the other's number by now: only rows of ours are emptied. */
static void
rows_empty(const struct weir_lane *lane)
{
	for (uint32_t i = 0; i < lane->shared->partitions; i++) {
		struct weir_lane_row *row = &lane->shared->rows[i];
		if (atomic_load_explicit(&row->lane, memory_order_relaxed) == lane->number + 1 &&
		    lane_find((struct weir_lane *)lane, i) == NULL)
			SET(lane, 0);
	}
}

static void
publish_rows(struct weir_lane *lane)
{
	rows_empty(lane);
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		struct lane_partition *lp = lane->partitions[i];
		const struct owner *o = lp->owner;
		if (o->state == OWNER_GONE)
			continue;
		struct weir_lane_row *row = &lane->shared->rows[o->number];
		SET(state, state_of(o));
		SET(redis_requests, o->requests);
		if (o->state != OWNER_TAKING && o->core != NULL) /* while it is taken its core is the store's */
			row_set(lp, row);
		SET(lane, lane->number + 1);
	}
}

/* ---- counters ---- */

static void
put(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

/* Sums over the lane's partitions. */
struct sums {
	struct weir_partition_stats stats;
	uint64_t cards, pools, filtered;
	int64_t lag;
	uint32_t owned, ready;
};

static void
sum_partition(struct weir_lane *lane, const struct owner *o, struct sums *sums)
{
	sums->owned += o->state != OWNER_GONE;
	if (o->state != OWNER_RUNNING && o->state != OWNER_FENCED && o->state != OWNER_STOPPED)
		return;
	sums->ready += o->at_end[lane->shared->cards];
	if (o->core == NULL)
		return;
	weir_partition_stats_add(&sums->stats, &o->core->stats);
	sums->cards += weir_slab_count(&o->core->tables.cards);
	sums->pools += weir_slab_count(&o->core->tables.pools);
	for (uint32_t t = 0; t < lane->shared->cards; t++)
		sums->lag += weir_source_lag(lane->source, t, o->number, o->next_offset[t]);
}

static void
publish_stats(struct weir_lane_counters *c, const struct weir_partition_stats *sum)
{
#define PUT(counter) put(&c->counter, sum->counter);
	WEIR_STATS_LIST(PUT)
#undef PUT
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		put(&c->rejected[i], sum->rejected[i]);
}

void
lane_publish(struct weir_lane *lane)
{
	struct weir_lane_counters *c = &lane->counters;
	struct sums sums = {.stats = lane->gone};
	for (uint32_t i = 0; i < lane->partition_count; i++)
		sum_partition(lane, lane->partitions[i]->owner, &sums);
	for (uint32_t i = 0; i < lane->shared->cards; i++)
		sums.filtered += weir_decoder_stats(lane->decoders[i])->filtered;
	publish_stats(c, &sums.stats);
	put(&c->messages, lane->messages);
	put(&c->filtered, sums.filtered);
	put(&c->cards, sums.cards);
	put(&c->pools, sums.pools);
	for (uint32_t i = 0; i < WEIR_RUN_FEED_COUNT; i++)
		put(&c->feed_rows[i], lane->feed_rows[i]);
	put(&c->commands_sent, lane->commands_sent);
	put(&c->commands_confirmed, lane->commands_confirmed);
	put(&c->commands_failed, lane->commands_failed);
	atomic_store_explicit(&c->lag, sums.lag, memory_order_relaxed);
	atomic_store_explicit(&c->partitions, sums.owned, memory_order_relaxed);
	atomic_store_explicit(&c->partitions_ready, sums.ready, memory_order_relaxed);
	publish_rows(lane);
}
