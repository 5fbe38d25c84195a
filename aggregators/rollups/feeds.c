/* Feeds: life, what is restated, and sealed messages on their way out; see feeds.h. */
#include "aggregators/rollups/feeds.h"

#include <stdlib.h>

#define S_US 1000000ll

/* ---- pairs ---- */

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

/* ---- life ---- */

void
weir_feeds_init(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds = weir_calloc(1, sizeof(*f));
	f->watermarks = weir_calloc((size_t)p->opts.partitions + 1, sizeof(*f->watermarks));
	f->epochs = weir_calloc((size_t)p->opts.partitions + 1, sizeof(*f->epochs));
	f->revision = p->opts.epoch; /* which follows the clock: rows of a later owner have later revisions */
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		weir_windows_init(&p->tables.windows[kind]);
}

void
weir_feeds_free(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	for (unsigned kind = 0; kind < WEIR_WINDOW_KINDS; kind++)
		weir_windows_free(&p->tables.windows[kind]);
	for (uint32_t i = 0; i < f->text_cap; i++)
		free(f->texts[i]);
	for (uint32_t i = 0; i < f->early_count; i++)
		free(f->early[i].text);
	weir_feed_pairs_free(&f->hours.again);
	weir_feed_pairs_free(&f->days.again);
	weir_feed_pairs_free(&f->hour_rows);
	weir_feed_pairs_free(&f->day_rows);
	weir_buf_free(&f->sealed_bytes);
	weir_buf_free(&f->remembered);
	weir_buf_free(&f->json);
	free(f->hours.sealing.v);
	free(f->days.sealing.v);
	free(f->kept);
	free(f->sealed);
	free(f->watermarks);
	free(f->epochs);
	free(f->waiting);
	free(f->texts);
	free(f->early);
	free(f);
}

/* ---- the watermark ---- */

int64_t
weir_feeds_quarter(int64_t at_us)
{
	return at_us - at_us % WEIR_FEED_STEP_US;
}

void
weir_partition_watermark(struct weir_partition *p, int64_t at_us)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	struct weir_feeds *f = p->feeds;
	at_us = (at_us < p->clock.now_us ? at_us : p->clock.now_us) - (int64_t)p->opts.feed_grace_s * S_US;
	if (at_us <= f->watermark_us)
		return;
	f->watermark_us = at_us;
	weir_feeds_begin(p, at_us);
}

/* Windows that end up to here are told, or are being told. */
static int64_t
source_edge(const struct weir_feed_source *source)
{
	return source->now.scan.running ? source->now.scan.to_us : source->now.published_us;
}

void
weir_feeds_edge(struct weir_partition *p)
{
	int64_t hours_us = source_edge(&p->feeds->hours), days_us = source_edge(&p->feeds->days);
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

int64_t
weir_partition_watermark_us(const struct weir_partition *p)
{
	return p->feeds->watermark_us;
}

int64_t
weir_partition_complete_us(const struct weir_partition *p)
{
	return p->feeds->whole_us;
}

void
weir_feeds_card_changed(struct weir_partition *p, uint32_t slot, const struct weir_window *day)
{
	if (p->opts.feed_card_daily && day->end_us <= source_edge(&p->feeds->days))
		weir_feed_pairs_add(&p->feeds->days.again, slot, day->number);
}

void
weir_feeds_pool_local_changed(struct weir_partition *p, uint32_t pool_local, const struct weir_window *hour)
{
	if (hour->end_us <= source_edge(&p->feeds->hours))
		weir_feed_pairs_add(&p->feeds->hours.again, pool_local, hour->number);
}

/* ---- sealed messages ---- */

void
weir_feeds_encode(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	if (f->sealed_count == f->given) {
		f->sealed_count = f->given = 0;
		f->sealed_bytes.len = 0;
		f->stored = false;
		f->hours.sealing.n = f->days.sealing.n = 0;
		f->kept_count -= f->kept_sealed;
		if (f->kept_sealed > 0)
			memmove(f->kept, f->kept + f->kept_sealed, f->kept_count * sizeof(*f->kept));
		f->kept_sealed = 0;
		f->hours.safe = f->hours.now;
		f->days.safe = f->days.now;
		weir_feeds_seal(p);
	}
	weir_feeds_edge(p);
	weir_feeds_remember(p);
}

void
weir_partition_stored(struct weir_partition *p)
{
	p->feeds->stored = true;
}

bool
weir_feeds_give(struct weir_partition *p, uint32_t max)
{
	struct weir_feeds *f = p->feeds;
	if (!f->stored)
		return false;
	for (; max > 0 && f->given < f->sealed_count; max--, f->given++) {
		const struct weir_outbox_message *message = &f->sealed[f->given];
		const uint8_t *at = f->sealed_bytes.data + message->at;
		char key[WEIR_FEED_KEY_MAX] = "";
		memcpy(key, at, message->key_len);
		weir_outbox_add(p, (enum weir_outbox_topic)message->topic, message->partition, key, at + message->key_len,
		    message->value_len);
	}
	return f->given < f->sealed_count;
}

static bool
is_behind(const struct weir_feeds *f, const struct weir_feed_source *source)
{
	return source->again.list.n > 0 || source->now.scan.running ||
	       (source->now.published_us != 0 && weir_feeds_quarter(f->watermark_us) > source->now.published_us);
}

bool
weir_partition_feeds_due(const struct weir_partition *p)
{
	const struct weir_feeds *f = p->feeds;
	return f->kept_count > f->kept_sealed || is_behind(f, &f->hours) || is_behind(f, &f->days) ||
	       (!f->placed && f->hours.now.published_us != 0) ||
	       (f->sealed_count > 0 && f->given == f->sealed_count); /* that they were is to be written down */
}

uint32_t
weir_feeds_waiting(const struct weir_partition *p)
{
	const struct weir_feeds *f = p->feeds;
	return f->waiting_count + (f->stored ? f->sealed_count - f->given : 0);
}

/* ---- what is kept ---- */

static int32_t
hour_before(int64_t at_us, uint32_t hours)
{
	int64_t from_us = at_us - (int64_t)hours * WEIR_HOUR_US;
	return from_us > 0 ? (int32_t)(from_us / WEIR_HOUR_US) : WEIR_WINDOW_NONE;
}

/* The day before that in which the cycle began, as many before the current one, of the carrier whose began first. */
static int32_t
closed_cycles_day(const struct weir_partition *p, int64_t at_us, uint32_t cycles)
{
	int32_t from = INT32_MAX;
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		const struct weir_carrier_entry *carrier = &p->registry.carriers[i];
		if (!carrier->known)
			continue;
		struct weir_window now =
		    weir_zone_cycle(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, at_us);
		int32_t number = now.number > (int32_t)cycles ? now.number - (int32_t)cycles : 0;
		struct weir_window oldest =
		    weir_zone_cycle_by_number(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, number);
		int32_t day = (int32_t)((oldest.start_us - 15 * WEIR_HOUR_US) / (24 * WEIR_HOUR_US)) - 1;
		from = day < from ? day : from;
	}
	return from == INT32_MAX ? WEIR_WINDOW_NONE : from;
}

/* Time of the partition, as far as its windows of that kind go. */
static int64_t
time_of(const struct weir_partition *p, enum weir_window_kind kind)
{
	int64_t published_us = p->feeds->hours.safe.published_us, whole_us = weir_feeds_whole_us(p);
	if (kind == WEIR_WINDOW_POOL_SOURCE_HOUR)
		return p->feeds->whole_us; /* not by the marks, which may go back: what was deleted is gone */
	if (kind == WEIR_WINDOW_POOL_LOCAL_HOUR || kind == WEIR_WINDOW_POOL_LOCAL_DAY)
		return published_us < p->clock.stream_time_us ? published_us : p->clock.stream_time_us;
	/* The pools of a partition may well have traffic while its cards have none. */
	return kind > WEIR_WINDOW_POOL_SOURCE_HOUR && whole_us > p->clock.stream_time_us ? whole_us
											 : p->clock.stream_time_us;
}

int32_t
weir_partition_windows_from(const struct weir_partition *p, enum weir_window_kind kind)
{
	/* What a late record may still change, and what may still be told, is kept in any case. */
	uint32_t least = p->opts.dedupe_horizon_h + 26, wanted = 0;
	int64_t at_us = time_of(p, kind);
	if (at_us == 0)
		return WEIR_WINDOW_NONE;
	if (kind == WEIR_WINDOW_POOL_LOCAL_DAY)
		return closed_cycles_day(p, at_us, 1); /* as many as it holds totals of */
	if (kind == WEIR_WINDOW_CARD_DAY || kind == WEIR_WINDOW_POOL_DAY)
		return closed_cycles_day(p, at_us, p->opts.day_cycles > 1 ? p->opts.day_cycles : 1);
	if (kind == WEIR_WINDOW_CARD_HOUR)
		wanted = 24 * p->opts.card_hours_days;
	if (kind == WEIR_WINDOW_POOL_HOUR)
		wanted = 24 * p->opts.pool_hours_days;
	return hour_before(at_us, wanted > least ? wanted : least);
}

uint32_t
weir_partition_window_pages(const struct weir_partition *p, enum weir_window_kind kind)
{
	uint32_t slots = kind <= WEIR_WINDOW_CARD_DAY           ? p->tables.cards.used
			 : kind <= WEIR_WINDOW_POOL_LOCAL_DAY   ? p->tables.pool_locals.used
			 : kind == WEIR_WINDOW_POOL_SOURCE_HOUR ? p->tables.pool_sources.used
								: p->tables.pools.used;
	return (slots + WEIR_WINDOW_SLOTS - 1) / WEIR_WINDOW_SLOTS;
}
