/*
 * Feeds on the cards' side: pool locals' hours published to their pools, and cards' days as rows (ROL-3).
 *
 * Messages are made when a flush is encoded, of what that flush makes durable: first what was restated, then a bounded part
 * of the scan over all pool locals and cards for windows that the watermark has passed. A scan goes from quarter to quarter
 * of an hour; when it has published the last pool local, every partition hears how far that is. A baseline that is not in
 * memory stops the scan until the next flush; what lies ahead is asked for meanwhile.
 */
#include "aggregators/rollups/feed_cards.h"

#include <stdlib.h>
#include <string.h>

#include "aggregators/rollups/feed_rows.h"
#include "aggregators/rollups/restated.h"
#include "aggregators/rollups/window_usage.h"
#include "aggregators/state/carrier_windows.h"

#define POOL_LOCALS_A_FLUSH 32768u
#define AGAIN_A_FLUSH 32768u
#define ROWS_A_FLUSH 4096u
#define CARDS_A_FLUSH 131072u
#define FETCHES_AHEAD 512u

/* ---- messages ---- */

static void
seal_message(
    struct weir_feeds *f, enum weir_outbox_topic topic, uint32_t partition, const char *key, const void *value, size_t len)
{
	WEIR_CHECK(strlen(key) < WEIR_FEED_KEY_MAX);
	if (f->sealed_count == f->sealed_cap) {
		f->sealed_cap = f->sealed_cap == 0 ? 64 : f->sealed_cap * 2;
		f->sealed = weir_realloc(f->sealed, f->sealed_cap * sizeof(*f->sealed));
	}
	f->sealed[f->sealed_count++] = (struct weir_outbox_message){.topic = (uint8_t)topic,
	    .partition = partition,
	    .at = (uint32_t)f->sealed_bytes.len,
	    .key_len = (uint16_t)strlen(key),
	    .value_len = (uint32_t)len};
	weir_buf_append(&f->sealed_bytes, key, strlen(key));
	weir_buf_append(&f->sealed_bytes, value, len);
}

static void
seal_hour(struct weir_partition *p, uint32_t pool_local, int32_t hour, int32_t day, const struct weir_counts *usage)
{
	const struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	struct weir_usage_report_hour window = {.magic = "WPH1",
	    .source = p->opts.number,
	    .epoch = p->opts.epoch,
	    .hour = hour,
	    .day = day,
	    .up = usage->up,
	    .down = usage->down,
	    .records = usage->records,
	    .sessions = usage->sessions};
	memcpy(window.pool, a->pool, sizeof(window.pool));
	seal_message(p->feeds, WEIR_OUTBOX_USAGE_REPORTS, WEIR_OUTBOX_BY_KEY, a->pool, &window, sizeof(window));
	p->stats.windows_published++;
}

static int32_t
day_of_hour(const struct weir_partition *p, uint32_t pool_local, int32_t hour)
{
	WEIR_CHECK(weir_pool_local_at(p, pool_local)->zone != 0);
	struct weir_carrier_entry *carrier = &p->registry.carriers[weir_pool_local_at(p, pool_local)->zone - 1];
	return weir_carrier_day(carrier, weir_hour_instant(hour))->number;
}

/* One hour of a pool local; false when baselines must be fetched first. */
static bool
publish_hour(struct weir_partition *p, uint32_t pool_local, int32_t hour)
{
	struct weir_counts usage;
	switch (weir_window_usage(p, WEIR_WINDOW_POOL_LOCAL_HOUR, pool_local, hour, &usage)) {
	case WEIR_WINDOW_USAGE_WAIT:
		return false;
	case WEIR_WINDOW_USAGE_KNOWN:
		seal_hour(p, pool_local, hour, day_of_hour(p, pool_local, hour), &usage);
		return true;
	default:
		return true;
	}
}

static bool
publish_day(struct weir_partition *p, uint32_t slot, int32_t number)
{
	struct weir_feeds *f = p->feeds;
	char key[WEIR_FEED_KEY_MAX];
	struct weir_counts usage;
	enum weir_window_usage_answer answer = weir_window_usage(p, WEIR_WINDOW_CARD_DAY, slot, number, &usage);
	if (answer != WEIR_WINDOW_USAGE_KNOWN)
		return answer != WEIR_WINDOW_USAGE_WAIT;
	struct weir_carrier_entry *carrier = &p->registry.carriers[weir_card_at(p, slot)->carrier - 1];
	struct weir_feed_row row = {.daily = true,
	    .window = weir_carrier_day_by_number(carrier, number),
	    .usage = usage,
	    .complete = true,
	    .revision = ++f->revision};
	weir_feed_card_row(p, slot, &row, key, &f->json);
	seal_message(f, WEIR_OUTBOX_CARD_DAILY, WEIR_OUTBOX_BY_KEY, key, f->json.data, f->json.len);
	p->stats.rows_published++;
	return true;
}

/* ---- what was restated ---- */

typedef bool (*publish_fn)(struct weir_partition *p, uint32_t slot, int32_t window);

static void
publish_restated(struct weir_partition *p, struct weir_feed_source *source, publish_fn publish, uint32_t max)
{
	struct weir_u64_list left = {0}, *list = &source->again.list;
	for (uint32_t i = 0; i < list->n; i++) {
		uint32_t slot = (uint32_t)(list->v[i] >> 32);
		if (i < max && publish(p, slot, (int32_t)(uint32_t)list->v[i])) {
			weir_u64_list_push(&source->sealing, list->v[i]);
			p->stats.rows_again += publish == publish_day;
		} else {
			weir_u64_list_push(&left, list->v[i]);
		}
	}
	weir_feed_pairs_clear(&source->again);
	for (uint32_t i = 0; i < left.n; i++)
		weir_feed_pairs_add(&source->again, (uint32_t)(left.v[i] >> 32), (int32_t)(uint32_t)left.v[i]);
	free(left.v);
}

/* ---- scans ---- */

/* Windows of one carrier that end after from_us and up to to_us: first .. last, none when last < first. */
struct span {
	int32_t first, last;
};

static struct span
hours_between(struct weir_carrier_entry *carrier, const struct weir_feed_scan *scan)
{
	struct weir_window from = weir_zone_hour(carrier->zone, scan->from_us),
			   to = weir_zone_hour(carrier->zone, scan->to_us - 1);
	return (struct span){from.number, to.end_us <= scan->to_us ? to.number : to.number - 1};
}

static struct span
days_between(struct weir_carrier_entry *carrier, const struct weir_feed_scan *scan)
{
	struct weir_window from = weir_zone_day(carrier->zone, scan->from_us),
			   to = weir_zone_day(carrier->zone, scan->to_us - 1);
	return (struct span){from.number, to.end_us <= scan->to_us ? to.number : to.number - 1};
}

/* By carrier number; returns whether any carrier has a window in it. */
static bool
spans_of(const struct weir_partition *p, const struct weir_feed_scan *scan,
    struct span (*between)(struct weir_carrier_entry *carrier, const struct weir_feed_scan *scan), struct span *spans)
{
	bool any = false;
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		spans[i] = (struct span){0, -1};
		if (p->registry.carriers[i].known)
			spans[i] = between(&p->registry.carriers[i], scan);
		any |= spans[i].first <= spans[i].last;
	}
	return any;
}

/* Is there a scan to go on with? */
static bool
scan_begin(struct weir_partition *p, struct weir_feed_place *place)
{
	int64_t to_us = weir_feeds_quarter(p->feeds->watermark_us);
	if (place->scan.running)
		return true;
	if (place->published_us == 0 || to_us <= place->published_us)
		return false;
	place->scan = (struct weir_feed_scan){place->published_us, to_us, 0, true};
	return true;
}

static void
scan_end(struct weir_feed_place *place)
{
	WEIR_CHECK(place->scan.running && place->scan.to_us >= place->published_us /* only onwards */);
	place->published_us = place->scan.to_us;
	place->scan.running = false;
}

/* All windows of a slot within the span; false when one waits. */
static bool
publish_span(struct weir_partition *p, uint32_t slot, struct span span, int32_t newest, publish_fn publish)
{
	bool published = true;
	for (int32_t n = span.first; n <= span.last && n <= newest; n++)
		published = publish(p, slot, n) && published;
	return published;
}

static bool
publish_pool_local(struct weir_partition *p, uint32_t slot, const struct span *spans)
{
	const struct weir_pool_local_slot *a = weir_pool_local_at(p, slot);
	if (weir_slab_is_filler(&p->tables.pool_locals, slot) || a->zone == 0)
		return true;
	return publish_span(p, slot, spans[a->zone - 1], a->hour, publish_hour);
}

static bool
publish_card(struct weir_partition *p, uint32_t slot, const struct span *spans)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	if (weir_slab_is_filler(&p->tables.cards, slot) || card->last_s == 0)
		return true;
	struct span span = spans[card->carrier - 1];
	/* Local days are at most 14 hours ahead of UTC's, 12 behind: most cards of a quiet fleet are left out by this. */
	if (span.first > span.last || (int64_t)card->last_s + 14 * 3600 < (int64_t)span.first * 86400)
		return true;
	int32_t newest =
	    weir_carrier_day(&p->registry.carriers[card->carrier - 1], (int64_t)card->last_s * 1000000)->number;
	return publish_span(p, slot, span, newest, publish_day);
}

/*
 * Goes on from slot to slot. One that waits stops it: others behind are checked for the pages that they need, but what is
 * made of them is taken back, since the scan will come by again.
 */
static void
scan_on(struct weir_partition *p, struct weir_feed_scan *scan, const struct span *spans, uint32_t slots, uint32_t max,
    uint32_t messages_max, bool (*publish)(struct weir_partition *p, uint32_t slot, const struct span *spans))
{
	struct weir_feeds *f = p->feeds;
	bool waits = false;
	uint32_t from = f->sealed_count, at = scan->next, fetch_requests = p->effects.fetch_requests.n;
	for (; max > 0 && at < slots && f->sealed_count - from < messages_max; max--, at++) {
		uint32_t count = f->sealed_count;
		size_t bytes = f->sealed_bytes.len;
		waits |= !publish(p, at, spans);
		if (waits) {
			f->sealed_count = count;
			f->sealed_bytes.len = bytes;
			if (p->effects.fetch_requests.n - fetch_requests >= FETCHES_AHEAD)
				return;
		} else {
			scan->next = at + 1;
		}
	}
}

static void
publish_watermark(struct weir_partition *p, const char magic[4])
{
	struct weir_source_watermark watermark = {
	    .source = p->opts.number, .epoch = p->opts.epoch, .published_us = p->feeds->hours.now.published_us};
	memcpy(watermark.magic, magic, sizeof(watermark.magic));
	for (uint32_t to = 0; to < p->opts.partitions; to++)
		seal_message(p->feeds, WEIR_OUTBOX_USAGE_REPORTS, to, "", &watermark, sizeof(watermark));
}

static void
scan_hours(struct weir_partition *p)
{
	struct weir_feed_place *place = &p->feeds->hours.now;
	struct span spans[WEIR_CARRIER_NUMBERS];
	if (!scan_begin(p, place))
		return;
	if (spans_of(p, &place->scan, hours_between, spans))
		scan_on(p, &place->scan, spans, p->tables.pool_locals.used, POOL_LOCALS_A_FLUSH, UINT32_MAX,
		    publish_pool_local);
	else
		place->scan.next = p->tables.pool_locals.used;
	/* The pools' side lets go of what a late record cannot change any more by this watermark: nothing older may be
	 * pending.
	 */
	if (place->scan.next < p->tables.pool_locals.used || p->feeds->hours.again.list.n > 0)
		return;
	scan_end(place);
	publish_watermark(p, "WPM1");
}

static void
scan_days(struct weir_partition *p)
{
	struct weir_feed_place *place = &p->feeds->days.now;
	struct span spans[WEIR_CARRIER_NUMBERS];
	if (!scan_begin(p, place))
		return;
	if (p->opts.feed_card_daily && spans_of(p, &place->scan, days_between, spans))
		scan_on(p, &place->scan, spans, p->tables.cards.used, CARDS_A_FLUSH, ROWS_A_FLUSH, publish_card);
	else
		place->scan.next = p->tables.cards.used;
	if (place->scan.next >= p->tables.cards.used)
		scan_end(place);
}

/* ---- hours of forgotten cycles ---- */

static void
keep(struct weir_partition *p, uint32_t pool_local, int32_t hour, const struct weir_counts *usage)
{
	WEIR_CHECK(pool_local < p->tables.pool_locals.used);
	struct weir_feeds *f = p->feeds;
	for (uint32_t i = f->kept_sealed; i < f->kept_count; i++) {
		if (f->kept[i].pool_local == pool_local && f->kept[i].hour == hour) {
			f->kept[i].usage = *usage;
			return;
		}
	}
	if (f->kept_count == f->kept_cap) {
		f->kept_cap = f->kept_cap == 0 ? 16 : f->kept_cap * 2;
		f->kept = weir_realloc(f->kept, f->kept_cap * sizeof(*f->kept));
	}
	f->kept[f->kept_count++] = (struct weir_feed_kept){pool_local, hour, day_of_hour(p, pool_local, hour), *usage};
}

static bool
keep_hour(struct weir_partition *p, uint32_t pool_local, int32_t hour)
{
	struct weir_counts usage;
	enum weir_window_usage_answer answer = weir_window_usage(p, WEIR_WINDOW_POOL_LOCAL_HOUR, pool_local, hour, &usage);
	if (answer == WEIR_WINDOW_USAGE_KNOWN)
		keep(p, pool_local, hour, &usage);
	return answer != WEIR_WINDOW_USAGE_WAIT;
}

bool
weir_feeds_keep_cycles(struct weir_partition *p, uint32_t pool_local, int32_t cycle)
{
	WEIR_CHECK(pool_local < p->tables.pool_locals.used);
	const struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	const struct weir_feed_source *hours = &p->feeds->hours;
	if (a->cycle == 0 || a->zone == 0 || cycle <= a->cycle || hours->now.published_us == 0)
		return true;
	struct weir_carrier_entry *carrier = &p->registry.carriers[a->zone - 1];
	int64_t held_us =
	    weir_zone_cycle_by_number(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, cycle - 1)
		.start_us;
	int32_t held = (int32_t)(held_us / WEIR_HOUR_US);
	bool ready = true;
	for (int32_t n = (int32_t)(hours->now.published_us / WEIR_HOUR_US) - 1; n <= a->hour && n < held; n++)
		ready = keep_hour(p, pool_local, n) && ready;
	for (uint32_t i = 0; i < hours->again.list.n; i++) {
		int32_t n = (int32_t)(uint32_t)hours->again.list.v[i];
		if (hours->again.list.v[i] >> 32 == pool_local && n < held)
			ready = keep_hour(p, pool_local, n) && ready;
	}
	return ready;
}

/*
 * Before its first hour an owner says from where on it publishes: where Redis went back that is before the watermark of the
 * owner before it, and hours that the pools' side has from that one will be published again, first with less.
 */
static void
publish_first_watermark(struct weir_partition *p)
{
	if (p->feeds->placed || p->feeds->hours.now.published_us == 0)
		return;
	p->feeds->placed = true;
	publish_watermark(p, "WPB1");
}

void
weir_feeds_seal(struct weir_partition *p)
{
	struct weir_feeds *f = p->feeds;
	publish_first_watermark(p);
	for (uint32_t i = 0; i < f->kept_count; i++)
		seal_hour(p, f->kept[i].pool_local, f->kept[i].hour, f->kept[i].day, &f->kept[i].usage);
	f->kept_sealed = f->kept_count;
	publish_restated(p, &f->hours, publish_hour, AGAIN_A_FLUSH);
	scan_hours(p);
	publish_restated(p, &f->days, publish_day, ROWS_A_FLUSH);
	scan_days(p);
}
