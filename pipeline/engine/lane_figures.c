/*
 * What others may see of a lane: sizes put into histograms, and a row of gauges for each of its partitions, published ten
 * times a second. Off the record path; the lane's thread alone writes.
 */
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

void
lane_count_latency(struct weir_lane *lane, int64_t latency_us)
{
	uint64_t us = latency_us < 0 ? 0 : (uint64_t)latency_us;
	add(&lane->counters.command_latency[weir_histogram_bucket(us)], 1);
	add(&lane->counters.command_latency_us, us);
}

/*
 * A card's overshoot is known when its cut is confirmed. One that was cut by its pool shows the pool's there, which would
 * count once a member: the pool's own decision counts it once.
 */
void
lane_count_audit(struct weir_lane *lane, const struct weir_audit *a)
{
	struct weir_lane_counters *c = &lane->counters;
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

/* ---- rows ---- */

static enum weir_run_state
state_of(const struct lane_partition *lp)
{
	switch (lp->state) {
	case LANE_TAKING:
		return WEIR_RUN_TAKING;
	case LANE_RUNNING:
		return lp->caught_up ? WEIR_RUN_RUNNING : WEIR_RUN_CATCHING_UP;
	case LANE_FENCED:
		return WEIR_RUN_FENCED;
	case LANE_STOPPED:
		return WEIR_RUN_STOPPED;
	case LANE_GONE:
		break;
	}
	return WEIR_RUN_AWAY;
}

/* Some pools more; a hundred thousand take as many seconds as lanes allow, and no round feels it. */
static uint64_t
scan_unreported(struct lane_partition *lp)
{
	const struct weir_slab *pools = &lp->core->tables.pools;
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
unflushed_of(const struct lane_partition *lp)
{
	return weir_partition_unflushed(lp->core) + lp->audits.len + (lp->flush != NULL ? lp->flush->body.len : 0);
}

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
	const struct weir_partition *p = lp->core;
	SET(epoch, lp->epoch);
	SET(cards, weir_slab_count(&p->tables.cards));
	SET(pools, weir_slab_count(&p->tables.pools));
	SET(memory_bytes, weir_partition_bytes(p));
	SET(unflushed_bytes, unflushed_of(lp));
	SET(parked, p->parked.records.n);
	SET(outbox_producer, unacknowledged_of(lp->ack_window));
	SET(scans, p->pools_work.scans.n - p->pools_work.scans_head);
	SET(unreported_bytes, scan_unreported(lp));
	SET(guard_tripped, p->guard.tripped);
	SET(stream_us, p->clock.stream_time_us);
	SET(flushed_us, lp->flushed_us);
	SET(watermark_us, weir_partition_watermark_us(p));
	SET(complete_us, weir_partition_complete_us(p));
	for (uint32_t t = 0; t < lp->lane->shared->topic_count; t++)
		SET(lag_messages[t], weir_source_lag(lp->lane->source, t, lp->number, lp->next_offset[t]));
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

void
lane_publish_rows(struct weir_lane *lane)
{
	rows_empty(lane);
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		struct lane_partition *lp = lane->partitions[i];
		if (lp->state == LANE_GONE)
			continue;
		struct weir_lane_row *row = &lane->shared->rows[lp->number];
		SET(state, state_of(lp));
		SET(redis_requests, lp->requests);
		if (lp->state != LANE_TAKING && lp->core != NULL) /* while it is taken its core is the store's */
			row_set(lp, row);
		SET(lane, lane->number + 1);
	}
}
