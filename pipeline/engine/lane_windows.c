/*
 * Windows of usage in a lane (docs/rollups.md): how far a partition's records have been read in time, and the strings of
 * windows that are no longer kept.
 */
#include <stdio.h>

#include "pipeline/engine/lane_priv.h"
#include "pipeline/redis/resp.h"

#define CHECK_EVERY_US 100000ll /* between two looks at the inputs' ends */
#define PURGE_KEYS_MAX 4096u    /* of a flush */
#define PURGE_COMMANDS_MAX 32u  /* likewise */

/*
 * The newest timestamp of the input that is furthest behind; an input that was read to its end is not behind the clock. An
 * input of which nothing was read yet says nothing: then there is no watermark.
 */
void
lane_watermark(struct lane_partition *lp, int64_t now_us)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	int64_t least_us = now_us;
	if (now_us - lp->checked_us < CHECK_EVERY_US && now_us >= lp->checked_us)
		return;
	lp->checked_us = now_us;
	for (uint32_t t = 0; t < shared->cards; t++) {
		bool end = lp->at_end[t] && weir_source_lag(lp->lane->source, t, lp->number, lp->next_offset[t]) == 0;
		if (!end && lp->newest_us[t] < least_us)
			least_us = lp->newest_us[t];
	}
	lp->behind_us = now_us - least_us;
	if (lp->at_end[shared->cards] && least_us > 0)
		weir_partition_watermark(lp->core, least_us);
}

/* Where deleting begins after a take-over: a day before what is kept, in case the last owner ended while it caught up. */
#define CUT_SHORT_HOURS 26
#define CUT_SHORT_DAYS 2

void
lane_purge_begin(struct lane_partition *lp)
{
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++) {
		int32_t from = weir_partition_windows_from(lp->core, (enum weir_window_kind)kind);
		bool days =
		    kind == WEIR_WINDOW_CARD_DAY || kind == WEIR_WINDOW_POOL_LOCAL_DAY || kind == WEIR_WINDOW_POOL_DAY;
		lp->purge_window[kind] = from == WEIR_WINDOW_NONE ? from : from - (days ? CUT_SHORT_DAYS : CUT_SHORT_HOURS);
		lp->purge_page[kind] = 0;
	}
}

static void
unlink_pages(const struct lane_partition *lp, unsigned kind, uint32_t count, struct weir_buf *body)
{
	weir_resp_command(body, 1 + count);
	weir_resp_text(body, "UNLINK");
	for (uint32_t i = 0; i < count; i++)
		weir_resp_key(body, lp->lane->shared->settings->redis_prefix, lp->number, "%s:%d:%u",
		    weir_window_tags(kind), lp->purge_window[kind], lp->purge_page[kind] + i);
}

/* One window's pages, or as many as max allows; returns how many. */
static uint32_t
purge_some(struct lane_partition *lp, unsigned kind, uint32_t max, struct weir_buf *body)
{
	uint32_t pages = weir_partition_window_pages(lp->core, (enum weir_window_kind)kind);
	uint32_t left = pages > lp->purge_page[kind] ? pages - lp->purge_page[kind] : 0;
	uint32_t count = left < max ? left : max;
	if (count > 0)
		unlink_pages(lp, kind, count, body);
	lp->purge_page[kind] += count;
	if (count == left) {
		lp->purge_window[kind]++;
		lp->purge_page[kind] = 0;
	}
	return count;
}

uint32_t
lane_purge_windows(struct lane_partition *lp, struct weir_buf *body)
{
	uint32_t keys = PURGE_KEYS_MAX, commands = 0;
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++) {
		int32_t until = weir_partition_windows_from(lp->core, (enum weir_window_kind)kind);
		if (lp->purge_window[kind] == WEIR_WINDOW_NONE)
			lp->purge_window[kind] = until; /* a new partition has nothing older */
		while (lp->purge_window[kind] < until && keys > 0 && commands < PURGE_COMMANDS_MAX) {
			uint32_t count = purge_some(lp, kind, keys, body);
			keys -= count;
			commands += count > 0;
		}
	}
	return commands;
}
