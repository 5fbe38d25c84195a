/*
 * The guard (CMD-5): more suspends within a window than the configured share of the partition's cards stop all further ones
 * until an operator lets them go.
 *
 * A mistake in reference data (a plan's allowance a thousand times too small) would cut off a fleet within a second; what
 * the guard holds back costs a few minutes of overage. Decisions go on and are audited; only sending waits, so that a
 * release sends what is still wanted by then. Suspends are counted in slices of a fifteenth of the window, the newest
 * sixteen together: every window is covered whole wherever it begins, at the price of counting up to a fifteenth too much.
 * A counter that starts anew each window was rejected: twice as many go through over its edge.
 */
#include "aggregators/enforcement/guard.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/timetext.h"

static const char TRIPPED[] = "{\"type\":\"guard_state\",\"tripped\":true}";
static const char RELEASED[] = "{\"type\":\"guard_state\",\"tripped\":false}";

void
weir_guard_init(struct weir_partition *p)
{
	WEIR_CHECK(p->guard == NULL);
	p->guard = weir_calloc(1, sizeof(*p->guard));
}

void
weir_guard_free(struct weir_partition *p)
{
	free(p->guard);
	p->guard = NULL;
}

/* Forgets the slices that have left the window. */
static void
advance(struct weir_partition *p)
{
	int64_t slice_us = (int64_t)p->opts.guard_window_s * 1000000 / (WEIR_GUARD_SLICES - 1);
	int64_t slice = p->clock.now_us / (slice_us > 0 ? slice_us : 1);
	int64_t passed = slice - p->guard->slice;
	if (passed < 0 || passed > WEIR_GUARD_SLICES)
		passed = WEIR_GUARD_SLICES;
	for (int64_t i = 0; i < passed; i++)
		p->guard->suspends[(uint64_t)(slice - i) % WEIR_GUARD_SLICES] = 0;
	p->guard->slice = slice;
}

static uint64_t
counted(const struct weir_partition *p)
{
	uint64_t sum = 0;
	for (int i = 0; i < WEIR_GUARD_SLICES; i++)
		sum += p->guard->suspends[i];
	return sum;
}

/*
 * What waits in the dispatcher's queue is withdrawn, also what a replay that has not caught up asserts, and what was
 * suspended and may have to be suspended again after a command that crossed.
 */
static void
withdraw_suspends(struct weir_partition *p)
{
	for (uint32_t i = 0; i < p->tables.enforcements.used; i++) {
		const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, i);
		if (e->card != 0 && e->desired == WEIR_DESIRED_SUSPENDED)
			weir_u64_list_push(&p->effects.pending_commands, e->card - 1);
	}
}

static void
trip(struct weir_partition *p, uint64_t suspends, uint64_t cards)
{
	WEIR_CHECK(!p->guard->tripped);
	char at[WEIR_TIME_TEXT_MAX];
	(void)weir_time_format_ms(p->clock.now_us, at);
	p->guard->tripped = true;
	withdraw_suspends(p);
	weir_partition_remember(p, "guard", "", weir_slice_of(TRIPPED));
	weir_partition_alert(p, "guard",
	    "{\"type\":\"alert\",\"kind\":\"guard_tripped\",\"partition\":%u,\"suspends\":%llu,\"cards\":%llu,"
	    "\"percent\":%u,\"window_s\":%u,\"at\":\"%s\"}",
	    p->opts.number, (unsigned long long)suspends, (unsigned long long)cards, p->opts.guard_percent,
	    p->opts.guard_window_s, at);
}

void
weir_guard_suspend(struct weir_partition *p)
{
	if (p->opts.guard_percent == 0 || p->guard->tripped)
		return;
	advance(p);
	p->guard->suspends[(uint64_t)p->guard->slice % WEIR_GUARD_SLICES]++;
	uint64_t suspends = counted(p), cards = weir_slab_count(&p->tables.cards);
	if (suspends >= p->opts.guard_cards_min && suspends * 100 > cards * p->opts.guard_percent)
		trip(p, suspends, cards);
}

bool
weir_guard_release(struct weir_partition *p)
{
	memset(p->guard->suspends, 0, sizeof(p->guard->suspends));
	if (!p->guard->tripped)
		return false;
	p->guard->tripped = false;
	weir_partition_remember(p, "guard", "", weir_slice_of(RELEASED));
	return true;
}

bool
weir_guard_load(struct weir_partition *p, struct weir_slice json)
{
	bool tripped = weir_slice_equals(json, TRIPPED);
	if (!tripped && !weir_slice_equals(json, RELEASED))
		return false;
	p->guard->tripped = tripped;
	return true;
}
