/*
 * What the store need not keep any more goes with each flush, a bounded number of keys: dedupe keys beyond the horizon,
 * past cycles beyond those kept (CYC-3), strings of windows that are no longer kept (docs/rollups.md).
 */
#include "pipeline/engine/owner_priv.h"

#define HOURS_A_FLUSH 24     /* of dedupe keys */
#define PAGES_A_FLUSH 4096u  /* of windows */
#define COMMANDS_A_FLUSH 32u /* likewise */
#define SLOTS_A_PAGE 256u

/* Where deleting begins after a take: a day before what is kept, in case the last owner ended while it caught up. */
#define CUT_SHORT_HOURS 26
#define CUT_SHORT_DAYS 2

void
owner_purge_begin(struct owner *o)
{
	int64_t stream_hour = o->core->clock.stream_time_us / WEIR_HOUR_US;
	o->purge_hour = stream_hour == 0 ? -1 : stream_hour - o->rules->core.dedupe_horizon_h - 2;
	o->purge_cycle = -1;
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++) {
		int32_t from = weir_partition_windows_from(o->core, (enum weir_window_kind)kind);
		bool days =
		    kind == WEIR_WINDOW_CARD_DAY || kind == WEIR_WINDOW_POOL_LOCAL_DAY || kind == WEIR_WINDOW_POOL_DAY;
		o->purge_window[kind] = from == WEIR_WINDOW_NONE ? from : from - (days ? CUT_SHORT_DAYS : CUT_SHORT_HOURS);
		o->purge_page[kind] = 0;
	}
}

static void
purge_dedupe_keys(struct owner *o)
{
	int64_t until = o->core->clock.stream_time_us / WEIR_HOUR_US - o->rules->core.dedupe_horizon_h - 2;
	if (o->purge_hour < 0)
		o->purge_hour = until; /* a new partition has nothing older */
	for (int n = 0; n < HOURS_A_FLUSH && o->purge_hour < until; n++)
		o->io->purge_dedupe_keys(o->ctx, o->purge_hour++);
}

/* When the oldest current cycle moves on. */
static void
purge_cycles(struct owner *o)
{
	const struct weir_partition *p = o->core;
	int32_t oldest = INT32_MAX;
	for (uint32_t i = 0; i < p->registry.carrier_count; i++)
		if (p->registry.carriers[i].known && p->registry.carriers[i].current.number < oldest)
			oldest = p->registry.carriers[i].current.number;
	int32_t until = oldest - (int32_t)o->rules->cycles_kept - 2;
	uint32_t pages = (p->tables.cards.used + SLOTS_A_PAGE - 1) / SLOTS_A_PAGE,
		 pool_pages = (p->tables.pools.used + SLOTS_A_PAGE - 1) / SLOTS_A_PAGE;
	if (oldest == INT32_MAX || until <= o->purge_cycle || until < 0 || pages + pool_pages == 0)
		return;
	o->purge_cycle = until;
	o->io->purge_past(o->ctx, until, pages, pool_pages);
}

/* One window's pages, or as many as max allows; returns how many. */
static uint32_t
purge_some(struct owner *o, unsigned kind, uint32_t max)
{
	uint32_t pages = weir_partition_window_pages(o->core, (enum weir_window_kind)kind);
	uint32_t left = pages > o->purge_page[kind] ? pages - o->purge_page[kind] : 0;
	uint32_t count = left < max ? left : max;
	if (count > 0)
		o->io->purge_window(o->ctx, kind, o->purge_window[kind], o->purge_page[kind], count);
	o->purge_page[kind] += count;
	if (count == left) {
		o->purge_window[kind]++;
		o->purge_page[kind] = 0;
	}
	return count;
}

static void
purge_windows(struct owner *o)
{
	uint32_t pages = PAGES_A_FLUSH, commands = 0;
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++) {
		int32_t until = weir_partition_windows_from(o->core, (enum weir_window_kind)kind);
		if (o->purge_window[kind] == WEIR_WINDOW_NONE)
			o->purge_window[kind] = until; /* a new partition has nothing older */
		while (o->purge_window[kind] < until && pages > 0 && commands < COMMANDS_A_FLUSH) {
			uint32_t count = purge_some(o, kind, pages);
			WEIR_CHECK(count <= pages);
			pages -= count;
			commands += count > 0;
		}
	}
}

void
owner_purge(struct owner *o)
{
	purge_dedupe_keys(o);
	purge_cycles(o);
	purge_windows(o);
}
