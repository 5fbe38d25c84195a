/*
 * Where the feeds are, as a line of the partition's reference data: `feeds:` -> {"type":"feeds_state","v":[…]}, numbers in
 * the order of write() below (docs/formats.md). It changes with a flush that publishes something, a few times an hour, and
 * with each that holds restatements.
 *
 * Of the cards' side it is what the next owner must tell again: the place as of the last flush whose messages were all
 * given, and what was restated or sealed since. Of the pools' side it is what the log has said so far.
 */
#include "aggregators/rollups/feed_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aggregators/rollups/pool_texts.h"
#include "aggregators/rollups/restated.h"

#define BEGIN "{\"type\":\"feeds_state\",\"v\":["
#define END "]}"
#define VERSION 1

/* ---- writing ---- */

static void
put_number(struct weir_buf *out, uint64_t value)
{
	weir_buf_printf(out, ",%" PRIu64, value);
}

static void
put_scan(struct weir_buf *out, const struct weir_feed_scan *scan)
{
	put_number(out, (uint64_t)scan->from_us);
	put_number(out, (uint64_t)scan->to_us);
	put_number(out, scan->next);
	put_number(out, scan->running);
}

static void
put_pairs(struct weir_buf *out, const struct weir_u64_list *list)
{
	for (uint32_t i = 0; i < list->n; i++) {
		put_number(out, list->v[i] >> 32);
		put_number(out, (uint32_t)list->v[i]);
	}
}

static void
put_source(struct weir_buf *out, const struct weir_feed_source *source)
{
	put_number(out, (uint64_t)source->safe.published_us);
	put_scan(out, &source->safe.scan);
	put_number(out, source->sealing.n + source->again.list.n);
	put_pairs(out, &source->sealing);
	put_pairs(out, &source->again.list);
}

static void
put_kept(struct weir_buf *out, const struct weir_feeds *f)
{
	put_number(out, f->kept_count);
	for (uint32_t i = 0; i < f->kept_count; i++) {
		const struct weir_feed_kept *kept = &f->kept[i];
		put_number(out, kept->pool_local);
		put_number(out, (uint32_t)kept->hour);
		put_number(out, (uint32_t)kept->day);
		put_number(out, kept->usage.up);
		put_number(out, kept->usage.down);
		put_number(out, kept->usage.records);
		put_number(out, kept->usage.sessions);
	}
}

void
weir_feeds_remember(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	struct weir_buf *out = &f->json;
	out->len = 0;
	weir_buf_printf(out, BEGIN "%d", VERSION);
	put_source(out, &f->hours);
	put_source(out, &f->days);
	put_kept(out, f);
	put_number(out, (uint64_t)f->whole_us);
	put_number(out, (uint64_t)f->fed_us);
	put_number(out, (uint64_t)f->early_us);
	put_scan(out, &f->scan);
	put_number(out, f->scan_whole);
	put_number(out, f->scan_first);
	put_number(out, p->opts.partitions);
	for (uint32_t i = 0; i < p->opts.partitions; i++) {
		put_number(out, (uint64_t)f->watermarks[i]);
		put_number(out, f->epochs[i]);
	}
	weir_buf_append(out, END, sizeof(END) - 1);
	if (out->len == f->remembered.len && memcmp(out->data, f->remembered.data, out->len) == 0)
		return;
	f->remembered.len = 0;
	weir_buf_append(&f->remembered, out->data, out->len);
	weir_partition_remember(p, "feeds", "", (struct weir_slice){out->data, out->len});
}

/* ---- reading ---- */

/* A list of numbers that is taken one by one; `good` turns false with the first that is not there or out of range. */
struct numbers {
	struct weir_slice text;
	bool good;
};

static uint64_t
take_number(struct numbers *from, uint64_t max)
{
	uint64_t value = 0;
	uint32_t digits = 0;
	for (; from->text.len > 0 && *from->text.data >= '0' && *from->text.data <= '9'; digits++) {
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*from->text.data - '0'), &value))
			from->good = false;
		from->text = (struct weir_slice){from->text.data + 1, from->text.len - 1};
	}
	if (from->text.len > 0 && *from->text.data == ',')
		from->text = (struct weir_slice){from->text.data + 1, from->text.len - 1};
	else if (from->text.len != sizeof(END) - 1)
		from->good = false;
	from->good = from->good && digits > 0 && value <= max;
	return from->good ? value : 0;
}

static int64_t
take_time(struct numbers *from)
{
	return (int64_t)take_number(from, INT64_MAX);
}

static struct weir_feed_scan
take_scan(struct numbers *from)
{
	struct weir_feed_scan scan;
	scan.from_us = take_time(from);
	scan.to_us = take_time(from);
	scan.next = (uint32_t)take_number(from, UINT32_MAX);
	scan.running = take_number(from, 1) != 0;
	from->good = from->good && (!scan.running || scan.from_us <= scan.to_us);
	return scan;
}

static void
take_source(struct numbers *from, struct weir_feed_source *source)
{
	source->safe.published_us = take_time(from);
	source->safe.scan = take_scan(from);
	from->good = from->good && (!source->safe.scan.running || source->safe.scan.to_us >= source->safe.published_us);
	source->now = source->safe;
	source->sealing.n = 0;
	weir_feed_pairs_clear(&source->again);
	uint64_t count = take_number(from, from->text.len);
	for (uint64_t i = 0; i < count && from->good; i++) {
		uint32_t slot = (uint32_t)take_number(from, UINT32_MAX);
		weir_feed_pairs_add(&source->again, slot, (int32_t)take_number(from, INT32_MAX));
	}
}

static void
take_kept(struct numbers *from, struct weir_feeds *f)
{
	uint64_t count = take_number(from, from->text.len);
	free(f->kept);
	f->kept_cap = (uint32_t)count;
	f->kept_count = f->kept_sealed = 0;
	f->kept = weir_calloc(count + 1, sizeof(*f->kept));
	for (uint64_t i = 0; i < count && from->good; i++) {
		struct weir_feed_kept *kept = &f->kept[f->kept_count++];
		kept->pool_local = (uint32_t)take_number(from, UINT32_MAX);
		kept->hour = (int32_t)take_number(from, INT32_MAX);
		kept->day = (int32_t)take_number(from, INT32_MAX);
		kept->usage.up = take_number(from, UINT64_MAX);
		kept->usage.down = take_number(from, UINT64_MAX);
		kept->usage.records = (uint32_t)take_number(from, UINT32_MAX);
		kept->usage.sessions = (uint32_t)take_number(from, UINT32_MAX);
	}
}

bool
weir_feeds_load(struct weir_partition *p, struct weir_slice json)
{
	struct weir_feeds *f = p->feeds;
	size_t begin = sizeof(BEGIN) - 1, end = sizeof(END) - 1;
	if (json.len < begin + end || memcmp(json.data, BEGIN, begin) != 0 ||
	    memcmp(json.data + json.len - end, END, end) != 0)
		return false;
	struct numbers from = {{json.data + begin, json.len - begin}, true};
	if (take_number(&from, VERSION) != VERSION)
		return false;
	take_source(&from, &f->hours);
	take_source(&from, &f->days);
	take_kept(&from, f);
	f->whole_us = take_time(&from);
	f->fed_us = take_time(&from);
	f->early_us = take_time(&from);
	f->scan = take_scan(&from);
	f->scan_whole = take_number(&from, 1) != 0;
	f->scan_first = take_number(&from, 1) != 0;
	uint64_t sources = take_number(&from, UINT32_MAX);
	if (sources != p->opts.partitions) /* topics of another size: refused at start for a state that is not empty */
		return false;
	for (uint64_t i = 0; i < sources && from.good; i++) {
		f->watermarks[i] = take_time(&from);
		f->epochs[i] = take_number(&from, UINT64_MAX);
	}
	f->remembered.len = 0;
	weir_buf_append(&f->remembered, json.data, json.len);
	return from.good && from.text.len == end;
}

static bool
pairs_are_slots(const struct weir_u64_list *list, uint32_t slots)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->v[i] >> 32 >= slots)
			return false;
	return true;
}

bool
weir_feeds_load_finish(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	if (!p->opts.feed_card_daily)
		weir_feed_pairs_clear(&f->days.again);
	for (uint32_t i = 0; i < f->kept_count; i++)
		if (f->kept[i].pool_local >= p->tables.pool_locals.used)
			return false;
	if (!pairs_are_slots(&f->hours.again.list, p->tables.pool_locals.used) ||
	    !pairs_are_slots(&f->days.again.list, p->tables.cards.used))
		return false;
	weir_feeds_edge(p);
	/*
	 * Sources may have published hours up to their clocks; by slots and pages alone nobody knows which, so what is not
	 * fetched is not known of any that has begun.
	 */
	weir_feeds_place_texts(p);
	if (p->tables.pool_sources.used == 0)
		return true;
	int64_t newest_us =
	    (p->clock.now_us > p->clock.stream_time_us ? p->clock.now_us : p->clock.stream_time_us) + WEIR_HOUR_US;
	p->tables.windows[WEIR_WINDOW_POOL_SOURCE_HOUR].known_after = (int32_t)(newest_us / WEIR_HOUR_US);
	p->tables.windows[WEIR_WINDOW_POOL_HOUR].known_after = (int32_t)(newest_us / WEIR_HOUR_US);
	p->tables.windows[WEIR_WINDOW_POOL_DAY].known_after =
	    (int32_t)((newest_us + 15 * WEIR_HOUR_US) / (24 * WEIR_HOUR_US));
	return true;
}
