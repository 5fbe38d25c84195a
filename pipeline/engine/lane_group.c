/*
 * The group's word: partitions come, all of them loaded before the source starts, and go, each with a last flush. Called
 * within weir_source_poll and weir_source_close, which wait for us.
 */
#include <stdlib.h>

#include "pipeline/engine/lane_priv.h"

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

static struct lane_partition *
add_partition(struct weir_lane *lane, uint32_t number)
{
	struct lane_partition *lp = weir_calloc(1, sizeof(*lp));
	WEIR_CHECK(lane_find(lane, number) == NULL);
	lp->lane = lane;
	lp->owner = owner_new(&lane->rules, number, &LANE_IO, lp);
	lp->ack_window = box_of(lane, number);
	if (lane->partition_count == lane->partition_cap) {
		lane->partition_cap = lane->partition_cap == 0 ? 16 : lane->partition_cap * 2;
		lane->partitions = weir_realloc(lane->partitions, lane->partition_cap * sizeof(*lane->partitions));
	}
	lane->partitions[lane->partition_count++] = lp;
	return lp;
}

void
lane_sweep_gone(struct weir_lane *lane)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		struct lane_partition *lp = lane->partitions[i];
		if (owner_is_done(lp->owner))
			lane_partition_free(lp);
		else
			lane->partitions[kept++] = lp;
	}
	lane->partition_count = kept;
}

static bool
any_taking(const struct weir_lane *lane)
{
	for (uint32_t i = 0; i < lane->partition_count; i++)
		if (lane->partitions[i]->owner->state == OWNER_TAKING)
			return true;
	return false;
}

/* The ring to the store was full. */
static void
retry_takes(struct weir_lane *lane)
{
	for (uint32_t i = 0; i < lane->partition_count; i++)
		if (lane->partitions[i]->owner->take_due)
			(void)owner_round(lane->partitions[i]->owner, lane_now());
}

/* The lane ends before its partitions are loaded: none of them is taken. */
static void
cancel_all(struct weir_lane *lane)
{
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		struct owner *o = lane->partitions[i]->owner;
		if (o->take_due)
			owner_gone(o, lane_now(), true);
		else
			weir_store_cancel(lane->store, o->number);
	}
	while (any_taking(lane))
		lane_wait(lane, 10000);
}

bool
lane_on_assign(void *ctx, struct weir_start *starts, uint32_t count)
{
	struct weir_lane *lane = ctx;
	for (uint32_t i = 0; i < count; i++)
		owner_take(add_partition(lane, starts[i].partition)->owner, lane_now(), true);
	while (any_taking(lane) && !atomic_load_explicit(&lane->stop, memory_order_relaxed)) {
		lane_publish(lane); /* Redis may be away for long: that should be seen */
		lane_wait(lane, 100000);
		retry_takes(lane);
	}
	if (any_taking(lane)) {
		cancel_all(lane);
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct lane_partition *lp = lane_find(lane, starts[i].partition);
		if (lp == NULL)
			continue;
		memcpy(starts[i].offsets, lp->owner->next_offset, sizeof(starts[i].offsets));
		memcpy(starts[i].logs, lp->owner->logs, sizeof(starts[i].logs));
	}
	return true;
}

/* Each of them its last flush, at the same time. */
static void
flush_last(struct weir_lane *lane, const uint32_t *partitions, uint32_t count)
{
	for (bool waits = true; waits;) {
		waits = false;
		for (uint32_t i = 0; i < count; i++) {
			struct lane_partition *lp = lane_find(lane, partitions[i]);
			waits |= lp != NULL && !owner_leave(lp->owner, lane_now());
		}
		if (waits)
			lane_wait(lane, 5000);
	}
}

void
lane_on_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost)
{
	struct weir_lane *lane = ctx;
	if (!lost)
		flush_last(lane, partitions, count);
	for (uint32_t i = 0; i < count; i++) {
		struct lane_partition *lp = lane_find(lane, partitions[i]);
		if (lp != NULL)
			owner_gone(lp->owner, lane_now(), lost);
	}
}
