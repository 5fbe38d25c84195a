/*
 * The scan of all pools for rows of windows that have ended (ROL-3): by the watermarks of all sources, whose rows are
 * complete, or by the clock where sources are behind for long. Pages that are not in memory stop it; those of the pools
 * ahead are asked for together.
 */
#include "aggregators/rollups/feed_pool_scan.h"

#include "aggregators/rollups/feed_pools.h"
#include "aggregators/rollups/restated.h"
#include "aggregators/rollups/retention.h"
#include "aggregators/state/pool_table.h"

#define PAGES_AHEAD 64u

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
		ready = weir_feeds_page_ready(p, kind, n, slot) && ready;
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
		weir_feeds_emit_row(p, slot, daily, n);
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
