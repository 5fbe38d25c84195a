/*
 * Windows that changed after they were published: sets of them to be published again, and the edge, the end of the newest
 * window that was published, before which a record restates one.
 */
#include "aggregators/rollups/restated.h"

#include <stdlib.h>
#include <string.h>

void
weir_feed_pairs_add(struct weir_feed_pairs *pairs, uint32_t slot, int32_t window)
{
	uint64_t pair = (uint64_t)slot << 32 | (uint32_t)window;
	/* Places go by an entry's high half, which is the slot's number here: mixed, or they would crowd. */
	if (window != 0 && weir_shard_add(&pairs->seen, pair * 0x9e3779b97f4a7c15u))
		weir_u64_list_push(&pairs->list, pair);
}

void
weir_feed_pairs_clear(struct weir_feed_pairs *pairs)
{
	pairs->list.n = 0;
	if (pairs->seen.cap > 4096)
		weir_shard_free(&pairs->seen);
	else if (pairs->seen.used > 0)
		memset(pairs->seen.entries, 0, pairs->seen.cap * sizeof(*pairs->seen.entries));
	pairs->seen.used = 0;
}

void
weir_feed_pairs_free(struct weir_feed_pairs *pairs)
{
	free(pairs->list.v);
	weir_shard_free(&pairs->seen);
}

int64_t
weir_feeds_quarter(int64_t at_us)
{
	return at_us - at_us % WEIR_FEED_STEP_US;
}

/* Windows that end up to here are published, or are being published. */
static int64_t
edge(const struct weir_feed_source *source)
{
	return source->now.scan.running ? source->now.scan.to_us : source->now.published_us;
}

void
weir_feeds_edge(struct weir_partition *p)
{
	int64_t hours_us = edge(&p->feeds->hours), days_us = edge(&p->feeds->days);
	p->clock.published_edge_us = hours_us > days_us ? hours_us : days_us;
}

void
weir_feeds_begin(struct weir_partition *p, int64_t at_us)
{
	struct weir_feeds *f = p->feeds;
	if (f->hours.now.published_us != 0)
		return;
	int64_t from_us = at_us - ((int64_t)p->opts.dedupe_horizon_h + 2) * WEIR_HOUR_US;
	f->hours.now.published_us = f->days.now.published_us =
	    weir_feeds_quarter(from_us > 0 ? from_us : WEIR_FEED_STEP_US);
	f->hours.safe = f->hours.now;
	f->days.safe = f->days.now;
	weir_feeds_edge(p);
}

void
weir_feeds_card_changed(struct weir_partition *p, uint32_t slot, const struct weir_window *day)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	if (p->opts.feed_card_daily && day->end_us <= edge(&p->feeds->days))
		weir_feed_pairs_add(&p->feeds->days.again, slot, day->number);
}

void
weir_feeds_pool_local_changed(struct weir_partition *p, uint32_t pool_local, const struct weir_window *hour)
{
	WEIR_CHECK(pool_local < p->tables.pool_locals.used);
	if (hour->end_us <= edge(&p->feeds->hours))
		weir_feed_pairs_add(&p->feeds->hours.again, pool_local, hour->number);
}
