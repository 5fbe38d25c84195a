/*
 * Windows of usage (rule ROL-1 to rule ROL-3): what a partition of pools makes of the hours that sources tell, how long
 * each kind of window is kept, and which keys a lane deletes.
 */
#include "partition_fixture.h"

#include "aggregators/rollups/feed_pools.h"
#include "pipeline/engine/owner_priv.h"

#define HOUR_NOW ((int32_t)(NOW / HOUR))

static void
publish_hour(struct weir_partition *p, uint64_t epoch, int32_t hour, uint64_t up, uint32_t records)
{
	struct weir_usage_report_hour window = {
	    .magic = "WPH1", .epoch = epoch, .hour = hour, .day = hour / 24, .up = up, .records = records, .pool = "q"};
	struct weir_error err = {0};
	assert_int_equal(
	    weir_partition_apply_report(p, (struct weir_slice){(const uint8_t *)&window, sizeof(window)}, NOW, &err),
	    WEIR_OK);
	serve(p);
}

static void
publish_watermark_of(struct weir_partition *p, const char *magic, uint32_t source, uint64_t epoch, int64_t published_us)
{
	struct weir_source_watermark watermark = {.source = source, .epoch = epoch, .published_us = published_us};
	struct weir_error err = {0};
	memcpy(watermark.magic, magic, sizeof(watermark.magic));
	assert_int_equal(
	    weir_partition_apply_report(p, (struct weir_slice){(const uint8_t *)&watermark, sizeof(watermark)}, NOW, &err),
	    WEIR_OK);
	serve(p);
}

static void
publish_watermark(struct weir_partition *p, uint64_t epoch, int64_t published_us)
{
	publish_watermark_of(p, "WPM1", 0, epoch, published_us);
}

/* Rows of all that is whole, so far as there are pools. */
static void
scan_windows(struct weir_partition *p)
{
	weir_partition_caught_up(p, true, true);
	for (int i = 0; i < 100 && weir_feeds_tick(p, 1000); i++)
		serve(p);
}

static uint64_t
pool_up(struct weir_partition *p, enum weir_window_kind kind, int32_t number)
{
	uint32_t slot;
	assert_non_null(weir_partition_find_pool(p, "q", &slot));
	const struct weir_counts *counts = weir_windows_find(&p->tables.windows[kind], number, slot);
	return counts == NULL ? 0 : counts->up;
}

/* rule ROL-2: an hour is told whole, so a repeat adds nothing, a restatement its difference, and the day has what its hours
 * have. */
static void
test_hours_are_absolute(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	int32_t hour = HOUR_NOW - 3;
	publish_hour(p, 1, hour, 100, 2);
	publish_hour(p, 1, hour, 100, 2);
	publish_hour(p, 1, hour - 1, 7, 1);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 100);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_DAY, hour / 24), 107);
	publish_hour(p, 1, hour, 130, 3);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 130);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_DAY, hour / 24), 137);
	weir_partition_free(p);
}

/*
 * rule ROL-2, rule REC-6: Redis forgot a take-over, the owner before it went on and stored; the owner after both begins
 * behind what that one told. What has more records than is known counts, whoever tells it; what has fewer does not.
 */
static void
test_a_fenced_owner_that_was_not(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	int32_t hour = HOUR_NOW - 3;
	publish_hour(p, 5, hour, 100, 2);
	publish_hour(p, 9, hour - 1, 50, 2);
	publish_hour(p, 5, hour, 130, 3); /* restated by the one before */
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 130);
	publish_hour(p, 5, hour - 1, 20, 1); /* older than what is known */
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour - 1), 50);
	publish_hour(p, 9, hour, 90, 1); /* the owner's word holds, up or down */
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 90);
	publish_watermark(p, 5, NOW - HOUR); /* hours of the owner may lie behind it */
	assert_int_equal(weir_feeds_whole_us(p), 0);
	publish_watermark(p, 9, NOW - HOUR);
	assert_int_equal(weir_feeds_whole_us(p), NOW - HOUR);
	weir_partition_free(p);
}

static struct weir_partition *
of_two_sources(void)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .parked_max = 1000,
	    .auto_register_carrier = "cm",
	    .partitions = 2,
	    .epoch = 1};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, NOW, NOW);
	assert_true(weir_partition_load_finish(p));
	return p;
}

/*
 * rule ROL-2, rule REC-6: Redis of a source went back by days. Its next owner tells an hour again, first with less; before
 * it has told the rest, another source that was behind comes up to the clock. The mark of the owner before does not count
 * any more, so the hour is not yet too old.
 */
static void
test_a_source_that_went_back(void **state)
{
	(void)state;
	struct weir_partition *p = of_two_sources();
	int32_t hour = HOUR_NOW - 150;
	publish_hour(p, 5, hour, 100, 2);
	publish_watermark(p, 5, NOW - HOUR);
	publish_watermark_of(p, "WPB1", 0, 9, NOW - 160 * HOUR);
	publish_hour(p, 9, hour, 60, 1);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 60);
	publish_watermark_of(p, "WPM1", 1, 1, NOW - HOUR);
	assert_int_equal(weir_feeds_whole_us(p), NOW - 160 * HOUR);
	scan_windows(p);
	publish_hour(p, 9, hour, 100, 2);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 100);
	assert_int_equal(p->stats.windows_old, 0);
	publish_watermark(p, 9, NOW - HOUR);
	scan_windows(p);
	assert_int_equal(weir_partition_complete_us(p), NOW - HOUR);
	weir_partition_free(p);
	store_clear();
}

/* rule ROL-2: what the shares told is deleted behind what was whole once: where a source goes back it would count twice. */
static void
test_what_is_deleted_does_not_come_back(void **state)
{
	(void)state;
	struct weir_partition *p = of_two_sources();
	int32_t hour = HOUR_NOW - 150;
	publish_hour(p, 5, hour, 100, 2);
	publish_watermark(p, 5, NOW - HOUR);
	publish_watermark_of(p, "WPB1", 1, 1, NOW - 160 * HOUR); /* of a source that has told nothing: no mark */
	assert_int_equal(weir_feeds_whole_us(p), 0);
	publish_watermark_of(p, "WPM1", 1, 1, NOW - HOUR);
	scan_windows(p);
	int32_t from = weir_partition_windows_from(p, WEIR_WINDOW_POOL_SOURCE_HOUR);
	assert_int_equal(from, HOUR_NOW - 1 - 48 - 26);
	publish_watermark_of(p, "WPB1", 0, 9, NOW - 160 * HOUR);
	assert_int_equal(weir_partition_windows_from(p, WEIR_WINDOW_POOL_SOURCE_HOUR), from);
	publish_hour(p, 9, hour, 60, 1);
	assert_int_equal(pool_up(p, WEIR_WINDOW_POOL_HOUR, hour), 100);
	assert_int_equal(p->stats.windows_old, 1);
	weir_partition_free(p);
	store_clear();
}

static bool
is_sealed(const struct weir_feeds *f, uint32_t at, const char *magic)
{
	return at < f->sealed_count &&
	       memcmp(f->sealed_bytes.data + f->sealed[at].at + f->sealed[at].key_len, magic, 4) == 0;
}

/* rule ROL-2: the first that an owner tells of its hours is from where on it tells them, once. */
static void
test_an_owner_publishes_its_watermark_first(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	weir_feeds_encode(p);
	assert_int_equal(p->feeds->sealed_count, 0); /* it has none yet */
	weir_partition_watermark(p, NOW);
	assert_true(weir_partition_feeds_due(p));
	weir_feeds_encode(p);
	assert_true(is_sealed(p->feeds, 0, "WPB1"));
	assert_true(is_sealed(p->feeds, 1, "WPM1"));
	p->feeds->given = p->feeds->sealed_count;
	weir_feeds_encode(p);
	assert_int_equal(p->feeds->sealed_count, 0);
	assert_false(weir_partition_feeds_due(p));
	/* the next owner, in the same quarter of an hour */
	p->feeds->placed = false;
	assert_true(weir_partition_feeds_due(p));
	weir_feeds_encode(p);
	assert_int_equal(p->feeds->sealed_count, 1);
	assert_true(is_sealed(p->feeds, 0, "WPB1"));
	weir_partition_free(p);
	store_clear();
}

/*
 * rule ROL-3: a backlog of days that is read at once: the first watermark is the clock already. Telling begins at the first
 * record's horizon all the same, or hours between would never be told.
 */
static void
test_publishing_begins_with_the_first_record(void **state)
{
	(void)state;
	struct weir_partition *p = make(0);
	weir_partition_set_time(p, NOW, 0);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"cm\"}");
	struct weir_record r = record(A, 1, 5, 0, NOW - 90 * HOUR);
	r.arrived_us = NOW - 80 * HOUR;
	fold(p, r);
	weir_partition_watermark(p, NOW);
	assert_true(p->feeds->hours.now.published_us <= NOW - 128 * HOUR);
	assert_true(p->feeds->days.now.published_us <= NOW - 128 * HOUR);
	weir_partition_free(p);
	store_clear();
}

/*
 * rule REC-6, rule ROL-3: an empty partition has the clock as its watermark; then come records of hours before the first
 * walk. Each is told again at once, for no walk will come by.
 */
static void
test_hours_before_the_first_scan_are_published(void **state)
{
	(void)state;
	struct weir_partition *p = make(0);
	weir_partition_set_time(p, NOW, 0);
	apply(p, "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":1000000}");
	apply(p, "{\"type\":\"pool\",\"id\":\"city\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"plan\":\"p\"}");
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"cm\",\"plan\":\"p\",\"pool\":\"city\"}");
	weir_partition_watermark(p, NOW);
	struct weir_record r = record(A, 1, 5, 0, NOW - 60 * HOUR);
	r.arrived_us = NOW - 30 * HOUR;
	fold(p, r);
	serve(p);
	assert_int_equal(p->feeds->hours.again.list.n, 1);
	weir_partition_free(p);
	store_clear();
}

/* ---- what is kept ---- */

static struct weir_partition *
with_windows(void)
{
	struct weir_partition *p = make(NOW - 100 * 24 * HOUR);
	apply(p, "{\"type\":\"carrier\",\"id\":\"cm\",\"zone\":\"Asia/Shanghai\"}");
	p->opts.card_hours_days = 7;
	p->opts.pool_hours_days = 62;
	p->opts.day_cycles = 1;
	weir_partition_set_time(p, NOW, NOW);
	p->feeds->hours.safe.published_us = NOW - HOUR;
	publish_watermark(p, 1, NOW - HOUR);
	scan_windows(p);
	return p;
}

/* rule ROL-1: hours of cards and pools, days of cycles, by the settings; what a late record may change is kept in any case.
 */
static void
test_how_long_windows_are_kept(void **state)
{
	(void)state;
	struct weir_partition *p = with_windows();
	const int32_t late = 48 + 26, march = (int32_t)(at("2026-02-28T16:00:00Z") / (24 * HOUR));
	assert_int_equal(weir_partition_windows_from(p, WEIR_WINDOW_CARD_HOUR), HOUR_NOW - 7 * 24);
	assert_int_equal(weir_partition_windows_from(p, WEIR_WINDOW_POOL_HOUR), HOUR_NOW - 62 * 24);
	assert_int_equal(weir_partition_windows_from(p, WEIR_WINDOW_POOL_SOURCE_HOUR), HOUR_NOW - 1 - late);
	assert_int_equal(weir_partition_windows_from(p, WEIR_WINDOW_POOL_LOCAL_HOUR), HOUR_NOW - 1 - late);
	assert_in_range(weir_partition_windows_from(p, WEIR_WINDOW_CARD_DAY), march - 28 - 2, march - 28);
	p->opts.day_cycles = 3; /* December, January and February besides March */
	assert_in_range(
	    weir_partition_windows_from(p, WEIR_WINDOW_POOL_DAY), march - 28 - 31 - 31 - 2, march - 28 - 31 - 31);
	assert_in_range(weir_partition_windows_from(p, WEIR_WINDOW_POOL_LOCAL_DAY), march - 28 - 2, march - 28);
	p->opts.card_hours_days = 1;
	assert_int_equal(weir_partition_windows_from(p, WEIR_WINDOW_CARD_HOUR), HOUR_NOW - late);
	weir_partition_free(p);
}

static bool
has_text(const struct weir_buf *body, const char *text)
{
	return memmem(body->data, body->len, text, strlen(text)) != NULL;
}

/* What an owner has the store delete: names of windows' strings, one after another. */
struct purged {
	struct weir_buf names;
	uint32_t windows;
};

static void
no_marks(void *ctx, int64_t hour)
{
	(void)ctx, (void)hour;
}

static void
no_past(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages)
{
	(void)ctx, (void)cycle, (void)card_pages, (void)pool_pages;
}

static void
on_window_purged(void *ctx, unsigned kind, int32_t window, uint32_t first_page, uint32_t pages)
{
	struct purged *purged = ctx;
	for (uint32_t i = 0; i < pages; i++)
		weir_buf_printf(&purged->names, "%s:%d:%u ", weir_window_tags(kind), window, first_page + i);
	purged->windows++;
}

static uint32_t
purge(struct owner *o, struct purged *purged)
{
	purged->windows = 0;
	owner_purge(o);
	return purged->windows;
}

/* rule ROL-1: an owner deletes the strings of windows that are no longer kept, each once, and those a cut-short purge may
 * have left. */
static void
test_what_is_not_kept_is_deleted(void **state)
{
	(void)state;
	const struct owner_io io = {.purge_dedupe_keys = no_marks, .purge_past = no_past, .purge_window = on_window_purged};
	const struct owner_rules rules = {.core = {.dedupe_horizon_h = 48}};
	struct purged purged = {0};
	struct weir_partition *p = with_windows();
	publish_hour(p, 1, HOUR_NOW - 3, 1, 1); /* a pool, and its share */
	struct owner o = {.rules = &rules, .io = &io, .ctx = &purged, .core = p};
	char key[64];
	owner_purge_begin(&o);
	while (purge(&o, &purged) > 0) {
	}
	(void)snprintf(key, sizeof(key), "uh:%d:0 ", HOUR_NOW - 62 * 24 - 1);
	assert_true(has_text(&purged.names, key));
	(void)snprintf(key, sizeof(key), "uh:%d:0 ", HOUR_NOW - 62 * 24);
	assert_false(has_text(&purged.names, key));
	purged.names.len = 0;
	assert_int_equal(purge(&o, &purged), 0);
	/* two hours later */
	weir_partition_set_time(p, NOW + 2 * HOUR, NOW + 2 * HOUR);
	publish_watermark(p, 1, NOW + HOUR);
	scan_windows(p);
	assert_true(purge(&o, &purged) > 0);
	assert_true(has_text(&purged.names, key));
	(void)snprintf(key, sizeof(key), "xh:%d:0 ", HOUR_NOW - 1 - 48 - 26);
	assert_true(has_text(&purged.names, key));
	(void)snprintf(key, sizeof(key), "uh:%d:0 ", HOUR_NOW - 62 * 24 + 2);
	assert_false(has_text(&purged.names, key));
	weir_buf_free(&purged.names);
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hours_are_absolute),
	    cmocka_unit_test(test_a_fenced_owner_that_was_not),
	    cmocka_unit_test(test_a_source_that_went_back),
	    cmocka_unit_test(test_what_is_deleted_does_not_come_back),
	    cmocka_unit_test(test_an_owner_publishes_its_watermark_first),
	    cmocka_unit_test(test_publishing_begins_with_the_first_record),
	    cmocka_unit_test(test_hours_before_the_first_scan_are_published),
	    cmocka_unit_test(test_how_long_windows_are_kept),
	    cmocka_unit_test(test_what_is_not_kept_is_deleted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
