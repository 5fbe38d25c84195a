/*
 * Feeds on the pools' side: hours of source totals summed to hours and days of their pools, and rows of them (ROL-2,
 * ROL-3).
 *
 * A source publishes a pool local's hour whole. What it published before is kept by source total, so the pool's hour and
 * day move by the difference: a repeat moves nothing, and days are the sums of their hours by construction. Only windows
 * whose end the watermarks of all sources have passed are complete. Rows of complete windows come from a scan over all
 * pools; where sources are behind for long, a scan by the clock emits what there is, marked as not complete, and the
 * complete rows follow. Afterwards a row is emitted again when its window changes.
 *
 * All but the clock's scan, and what comes too late to be counted, is a function of the log: a replay says the same again.
 * What needs pages that are not in memory waits in order; watermarks wait behind it, so that nothing is called complete
 * before it is there.
 */
#include "aggregators/rollups/feed_pools.h"

#include <string.h>

#include "aggregators/rollups/feed_rows.h"
#include "aggregators/rollups/restated.h"
#include "aggregators/rollups/retention.h"
#include "aggregators/state/carrier_windows.h"
#include "aggregators/state/pool_table.h"

#define PAGES_AHEAD 64u
#define LATELY_H 26                   /* a day of any length, and an hour */
#define FUTURE_US (48 * WEIR_HOUR_US) /* no source's clock is ahead by as much */

/* ---- what sources tell ---- */

/* Rows of windows that end up to here are complete, and stay so when a source goes back. */
static int64_t
complete_us(const struct weir_partition *p)
{
	const struct weir_feeds *f = p->feeds;
	int64_t whole_us = weir_feeds_whole_us(p), scanned_us = f->whole_us;
	if (f->scan.running && f->scan_whole)
		scanned_us = f->scan.to_us;
	return whole_us > scanned_us ? whole_us : scanned_us;
}

/* Windows that end up to here have been emitted, or are being. */
static int64_t
fed_us(const struct weir_feeds *f)
{
	int64_t fed = f->whole_us > f->fed_us ? f->whole_us : f->fed_us;
	return f->scan.running && f->scan.to_us > fed ? f->scan.to_us : fed;
}

/* The first complete rows begin with the oldest window that was published or emitted before them. */
static void
note_early(struct weir_feeds *f, int64_t start_us)
{
	if (f->whole_us == 0 && (f->early_us == 0 || start_us < f->early_us))
		f->early_us = start_us;
}

static struct weir_carrier_entry *
calendar_of(const struct weir_partition *p, uint32_t pool_slot)
{
	const struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	return pool->carrier == 0 ? NULL : &p->registry.carriers[pool->carrier - 1];
}

/* Rows that the change of an hour makes due: of windows that had one before. */
static void
restate(struct weir_partition *p, uint32_t pool_slot, int32_t hour, int32_t day)
{
	struct weir_feeds *f = p->feeds;
	struct weir_carrier_entry *carrier = calendar_of(p, pool_slot);
	if (carrier == NULL)
		return;
	if (p->opts.feed_pool_hourly && weir_carrier_hour(carrier, weir_hour_instant(hour))->end_us <= fed_us(f))
		weir_feed_pairs_add(&f->hour_rows, pool_slot, hour);
	if (p->opts.feed_pool_daily && weir_carrier_day_by_number(carrier, day).end_us <= fed_us(f))
		weir_feed_pairs_add(&f->day_rows, pool_slot, day);
}

/* A definition and the hours of its members' first records come through two topics: either may be first. */
void
weir_feeds_pool_defined(struct weir_partition *p, uint32_t pool_slot)
{
	WEIR_CHECK(pool_slot < p->tables.pools.used);
	int32_t last = (int32_t)(fed_us(p->feeds) / WEIR_HOUR_US);
	struct weir_carrier_entry *carrier = calendar_of(p, pool_slot);
	for (int32_t n = last - LATELY_H; n <= last; n++)
		if (weir_windows_find(&p->tables.windows[WEIR_WINDOW_POOL_HOUR], n, pool_slot) != NULL)
			restate(p, pool_slot, n, weir_carrier_day(carrier, weir_hour_instant(n))->number);
}

static bool
is_ready(struct weir_partition *p, enum weir_window_kind kind, int32_t number, uint32_t slot)
{
	if (weir_windows_ready(&p->tables.windows[kind], number, slot))
		return true;
	weir_partition_request_window(p, kind, number, slot);
	return false;
}

/*
 * False when pages must be fetched first; nothing is changed then.
 *
 * An hour that a fenced owner publishes counts when it has more records than what is known. What is published was stored,
 * and records are only added: so it is of a later state, which the next owner began with and has no reason to tell again.
 * That an owner which was fenced stores anything happens when Redis has lost the newer owner's epoch.
 */
static bool
take_window(struct weir_partition *p, const struct weir_feed_message *message)
{
	const struct weir_usage_report_hour *window = &message->window;
	uint32_t pool = weir_pool_get(p, window->pool), slot = weir_pool_source_get(p, pool, window->source);
	if (window->hour < weir_partition_windows_from(p, WEIR_WINDOW_POOL_SOURCE_HOUR)) {
		p->stats.windows_old++; /* what the source total published before is gone: it would count twice */
		return true;
	}
	bool ready = is_ready(p, WEIR_WINDOW_POOL_SOURCE_HOUR, window->hour, slot);
	ready = is_ready(p, WEIR_WINDOW_POOL_HOUR, window->hour, pool) && ready;
	ready = is_ready(p, WEIR_WINDOW_POOL_DAY, window->day, pool) && ready;
	if (!ready)
		return false;
	p->stats.windows_taken++;
	struct weir_counts usage = {window->up, window->down, window->records, window->sessions}, before = {0};
	const struct weir_counts *published =
	    weir_windows_find(&p->tables.windows[WEIR_WINDOW_POOL_SOURCE_HOUR], window->hour, slot);
	if (published != NULL)
		before = *published;
	struct weir_counts more = weir_counts_less(&usage, &before);
	if (weir_counts_is_zero(&more) || (message->fenced && usage.records <= before.records))
		return true;
	*weir_windows_change(&p->tables.windows[WEIR_WINDOW_POOL_SOURCE_HOUR], window->hour, slot) = usage;
	weir_counts_add(weir_windows_change(&p->tables.windows[WEIR_WINDOW_POOL_HOUR], window->hour, pool), &more);
	weir_counts_add(weir_windows_change(&p->tables.windows[WEIR_WINDOW_POOL_DAY], window->day, pool), &more);
	note_early(p->feeds, window->hour * WEIR_HOUR_US);
	restate(p, pool, window->hour, window->day);
	return true;
}

static bool
take_message(struct weir_partition *p, const struct weir_feed_message *message)
{
	WEIR_CHECK(message->source < p->opts.partitions);
	int64_t *watermark = &p->feeds->watermarks[message->source];
	if (message->published_us == 0)
		return take_window(p, message);
	/* An owner that begins before it publishes again what lies between: not whole until its own watermark is back
	 * there. */
	if (message->begins ? message->published_us < *watermark : message->published_us > *watermark)
		*watermark = message->published_us;
	return true;
}

static void
take_or_wait(struct weir_partition *p, const struct weir_feed_message *message)
{
	struct weir_feeds *f = p->feeds;
	if (f->waiting_count == 0 && take_message(p, message))
		return;
	if (f->waiting_count == f->waiting_cap) {
		f->waiting_cap = f->waiting_cap == 0 ? 64 : f->waiting_cap * 2;
		f->waiting = weir_realloc(f->waiting, f->waiting_cap * sizeof(*f->waiting));
	}
	f->waiting[f->waiting_count++] = *message;
}

void
weir_feeds_unpark(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	uint32_t done = 0;
	while (done < f->waiting_count && take_message(p, &f->waiting[done]))
		done++;
	/* The next ones' pages are asked for together. */
	for (uint32_t i = done; i < f->waiting_count && i < done + PAGES_AHEAD && f->waiting[i].published_us == 0; i++) {
		const struct weir_usage_report_hour *window = &f->waiting[i].window;
		uint32_t pool = weir_pool_get(p, window->pool);
		(void)is_ready(
		    p, WEIR_WINDOW_POOL_SOURCE_HOUR, window->hour, weir_pool_source_get(p, pool, window->source));
		(void)is_ready(p, WEIR_WINDOW_POOL_HOUR, window->hour, pool);
		(void)is_ready(p, WEIR_WINDOW_POOL_DAY, window->day, pool);
	}
	f->waiting_count -= done;
	if (done > 0)
		memmove(f->waiting, f->waiting + done, f->waiting_count * sizeof(*f->waiting));
}

/*
 * False for what an owner publishes that was fenced: the one after it publishes all that this one could not, and its hours
 * may lie in the log behind its watermark, which is ignored. To be asked when the message is read: one that waits for pages
 * was published before what is read meanwhile.
 */
bool
weir_feeds_is_of_owner(struct weir_partition *p, uint32_t source, uint64_t epoch)
{
	WEIR_CHECK(source < p->opts.partitions);
	uint64_t *newest = &p->feeds->epochs[source];
	if (epoch < *newest)
		return false;
	*newest = epoch;
	return true;
}

enum weir_class
weir_feeds_window(struct weir_partition *p, const struct weir_usage_report_hour *window, struct weir_error *err)
{
	if (!weir_is_text_of_id(window->pool))
		return weir_error_set(err, WEIR_POISON, "an hour without a pool's id");
	if (window->source >= p->opts.partitions)
		return weir_error_set(
		    err, WEIR_POISON, "an hour of partition %u, but there are %u", window->source, p->opts.partitions);
	if (window->hour > 0 && weir_hour_instant(window->hour) > p->clock.now_us + FUTURE_US)
		return weir_error_set(err, WEIR_POISON, "hour %d is still to come", window->hour);
	/* A day holds its hours: zones are up to 14 hours ahead of UTC, and 12 behind. */
	if (window->hour <= 0 || window->hour / 24 < window->day - 1 || window->hour / 24 > window->day + 1)
		return weir_error_set(err, WEIR_POISON, "hour %d is not in day %d", window->hour, window->day);
	struct weir_feed_message message = {.window = *window,
	    .source = window->source,
	    .fenced = !weir_feeds_is_of_owner(p, window->source, window->epoch)};
	take_or_wait(p, &message);
	return WEIR_OK;
}

enum weir_class
weir_feeds_watermark_of_source(
    struct weir_partition *p, const struct weir_source_watermark *watermark, struct weir_error *err)
{
	if (watermark->source >= p->opts.partitions)
		return weir_error_set(err, WEIR_POISON, "a watermark of partition %u, but there are %u", watermark->source,
		    p->opts.partitions);
	if (watermark->published_us <= 0 || watermark->published_us > p->clock.now_us + FUTURE_US)
		return weir_error_set(err, WEIR_POISON, "a watermark of no time that has been");
	if (!weir_feeds_is_of_owner(p, watermark->source, watermark->epoch))
		return WEIR_OK;
	struct weir_feed_message message = {.published_us = watermark->published_us,
	    .source = watermark->source,
	    .begins = memcmp(watermark->magic, "WPB1", 4) == 0};
	take_or_wait(p, &message);
	return WEIR_OK;
}

/* ---- rows ---- */

static void
emit_row(struct weir_partition *p, uint32_t pool_slot, bool daily, int32_t number)
{
	struct weir_feeds *f = p->feeds;
	struct weir_carrier_entry *carrier = calendar_of(p, pool_slot);
	enum weir_window_kind kind = daily ? WEIR_WINDOW_POOL_DAY : WEIR_WINDOW_POOL_HOUR;
	const struct weir_counts *entry = weir_windows_find(&p->tables.windows[kind], number, pool_slot);
	struct weir_feed_row row = {.daily = daily, .revision = ++f->revision};
	char key[WEIR_FEED_KEY_MAX];
	row.window =
	    daily ? weir_carrier_day_by_number(carrier, number) : *weir_carrier_hour(carrier, weir_hour_instant(number));
	if (entry != NULL)
		row.usage = *entry;
	row.complete = complete_us(p) >= row.window.end_us;
	if (!row.complete)
		note_early(f, row.window.start_us);
	weir_feed_pool_row(p, pool_slot, &row, key, &f->json);
	weir_outbox_add(p, daily ? WEIR_OUTBOX_POOL_DAILY : WEIR_OUTBOX_POOL_HOURLY, WEIR_OUTBOX_BY_KEY, key, f->json.data,
	    (uint32_t)f->json.len);
	p->stats.rows_published++;
}

void
weir_feeds_publish_rows(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	if (f->hour_rows.list.n + f->day_rows.list.n == 0)
		return;
	/* Their pages were at hand when they changed, and none is dropped before the next encode. */
	for (uint32_t i = 0; i < f->hour_rows.list.n; i++)
		emit_row(p, (uint32_t)(f->hour_rows.list.v[i] >> 32), false, (int32_t)(uint32_t)f->hour_rows.list.v[i]);
	for (uint32_t i = 0; i < f->day_rows.list.n; i++)
		emit_row(p, (uint32_t)(f->day_rows.list.v[i] >> 32), true, (int32_t)(uint32_t)f->day_rows.list.v[i]);
	p->stats.rows_again += f->hour_rows.list.n + f->day_rows.list.n;
	weir_feed_pairs_clear(&f->hour_rows);
	weir_feed_pairs_clear(&f->day_rows);
}

/* ---- scans ---- */

struct span {
	int32_t first, last;
};

/* Hours and days of one carrier that end within the scan. */
struct spans {
	struct span hours, days;
};

static struct spans
spans_of(struct weir_carrier_entry *carrier, const struct weir_partition_opts *opts, const struct weir_feed_scan *scan)
{
	struct spans spans = {{0, -1}, {0, -1}};
	if (!carrier->known)
		return spans;
	struct weir_window to = weir_zone_hour(carrier->zone, scan->to_us - 1);
	if (opts->feed_pool_hourly)
		spans.hours = (struct span){weir_zone_hour(carrier->zone, scan->from_us).number,
		    to.end_us <= scan->to_us ? to.number : to.number - 1};
	to = weir_zone_day(carrier->zone, scan->to_us - 1);
	if (opts->feed_pool_daily)
		spans.days = (struct span){weir_zone_day(carrier->zone, scan->from_us).number,
		    to.end_us <= scan->to_us ? to.number : to.number - 1};
	return spans;
}

static bool
scan_begin(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	int64_t whole_us = weir_feeds_whole_us(p);
	if (whole_us > f->whole_us) {
		int64_t first_us = whole_us - ((int64_t)p->opts.dedupe_horizon_h + 2) * WEIR_HOUR_US;
		if (f->early_us != 0 && f->early_us < first_us)
			first_us = f->early_us;
		f->scan_first = f->whole_us == 0;
		f->scan_whole = true;
		f->scan =
		    (struct weir_feed_scan){f->scan_first ? (first_us > 0 ? first_us : 0) : f->whole_us, whole_us, 0, true};
		return true;
	}
	int64_t late_us = p->clock.now_us - ((int64_t)p->opts.feed_grace_s + p->opts.feed_wait_s) * 1000000;
	late_us = weir_feeds_quarter(late_us > 0 ? late_us : 0);
	int64_t from_us = f->whole_us > f->fed_us ? f->whole_us : f->fed_us;
	if (late_us <= from_us || from_us == 0) {
		if (from_us == 0)
			f->fed_us = late_us; /* a new partition begins with what ends from now on */
		return false;
	}
	f->scan_whole = f->scan_first = false;
	f->scan = (struct weir_feed_scan){from_us, late_us, 0, true};
	return true;
}

static void
scan_end(struct weir_feeds *f)
{
	WEIR_CHECK(f->scan.running && f->scan.from_us <= f->scan.to_us);
	f->scan.running = false;
	if (f->scan_whole)
		f->whole_us = f->scan.to_us;
	if (f->scan.to_us > f->fed_us)
		f->fed_us = f->scan.to_us;
}

static bool
span_is_ready(struct weir_partition *p, enum weir_window_kind kind, struct span span, uint32_t slot)
{
	bool ready = true;
	for (int32_t n = span.first; n <= span.last; n++)
		ready = is_ready(p, kind, n, slot) && ready;
	return ready;
}

static uint32_t
emit_span(struct weir_partition *p, uint32_t slot, bool daily, struct span span)
{
	enum weir_window_kind kind = daily ? WEIR_WINDOW_POOL_DAY : WEIR_WINDOW_POOL_HOUR;
	uint32_t rows = 0;
	for (int32_t n = span.first; n <= span.last; n++) {
		if (p->feeds->scan_first && weir_windows_find(&p->tables.windows[kind], n, slot) == NULL)
			continue;
		emit_row(p, slot, daily, n);
		rows++;
	}
	return rows;
}

static bool
is_left_out(const struct weir_partition *p, uint32_t slot)
{
	return weir_pool_is_free(p, slot) || (weir_pool_at(p, slot)->flags & WEIR_POOL_DEFINED) == 0;
}

/* Asks for the pages of the pools ahead. */
static void
fetch_ahead(struct weir_partition *p, const struct spans *by_carrier, uint32_t from)
{
	uint32_t fetch_requests = p->effects.fetch_requests.n;
	for (uint32_t slot = from;
	     slot < p->tables.pools.used && p->effects.fetch_requests.n - fetch_requests < PAGES_AHEAD;
	     slot += WEIR_WINDOW_SLOTS) {
		if (is_left_out(p, slot))
			continue;
		const struct spans *spans = &by_carrier[weir_pool_at(p, slot)->carrier - 1];
		(void)span_is_ready(p, WEIR_WINDOW_POOL_HOUR, spans->hours, slot);
		(void)span_is_ready(p, WEIR_WINDOW_POOL_DAY, spans->days, slot);
	}
}

/* The rows of one pool; false when pages must be fetched first. */
static bool
scan_pool(struct weir_partition *p, uint32_t slot, const struct spans *by_carrier, uint32_t *rows_out)
{
	*rows_out = 0;
	if (is_left_out(p, slot))
		return true;
	const struct spans *spans = &by_carrier[weir_pool_at(p, slot)->carrier - 1];
	bool ready = span_is_ready(p, WEIR_WINDOW_POOL_HOUR, spans->hours, slot);
	ready = span_is_ready(p, WEIR_WINDOW_POOL_DAY, spans->days, slot) && ready;
	if (ready)
		*rows_out = emit_span(p, slot, false, spans->hours) + emit_span(p, slot, true, spans->days);
	else
		fetch_ahead(p, by_carrier, slot + 1);
	return ready;
}

bool
weir_feeds_tick(struct weir_partition *p, uint32_t max)
{
	struct weir_feeds *f = p->feeds;
	struct spans spans[WEIR_CARRIER_NUMBERS];
	bool any = false;
	if (!p->pools_work.pools_caught_up || f->waiting_count > 0 || (!f->scan.running && !scan_begin(p)))
		return false;
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		spans[i] = spans_of(&p->registry.carriers[i], &p->opts, &f->scan);
		any |= spans[i].hours.first <= spans[i].hours.last || spans[i].days.first <= spans[i].days.last;
	}
	uint32_t rows = 0;
	for (uint32_t done = 0; any && f->scan.next < p->tables.pools.used && done<max; done += rows> 0 ? rows : 1) {
		if (!scan_pool(p, f->scan.next, spans, &rows))
			return false; /* the answers wake the owner */
		f->scan.next++;
	}
	if (!any || f->scan.next >= p->tables.pools.used)
		scan_end(f);
	return f->scan.running;
}
