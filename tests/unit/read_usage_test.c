/*
 * Usage by hour, day and cycle as the reader tells it, out of bases written by hand as docs/rollups.md describes them.
 */
#include "read_fixture.h"

#define CARD "89860000000000000001"
#define SLOT 200u

static struct weir_usage_rows
card_usage(struct weir_reader *reader, enum weir_span span, int64_t from_s, int64_t to_s)
{
	struct weir_usage_rows rows = {0};
	struct weir_error err = {0};
	enum weir_read answer = weir_read_card_usage(reader, iccid_of(CARD), span, from_s * S_US, to_s * S_US, &rows, &err);
	if (answer != WEIR_READ_OK)
		print_message("%s\n", err.text);
	assert_int_equal(answer, WEIR_READ_OK);
	return rows;
}

static struct weir_volume
sum_of(const struct weir_usage_rows *rows)
{
	struct weir_volume sum = {0};
	for (uint32_t i = 0; i < rows->count; i++)
		volume_add(&sum, &rows->rows[i].volume);
	return sum;
}

static const struct weir_usage_row *
row_of(const struct weir_usage_rows *rows, int32_t number)
{
	for (uint32_t i = 0; i < rows->count; i++)
		if (rows->rows[i].window.number == number)
			return &rows->rows[i];
	fail_msg("no window %d", number);
	return NULL;
}

/* March so far: 1000 up to the 28th's end, 200 on the 29th, on the 30th 70 at 09:00, 30 at 11:00, 50 at 13:00. */
static void
put_march(void)
{
	uint32_t p = home_of(CARD);
	put_card(CARD, SLOT,
	    (struct weir_card_slot){.up = 1350,
		.down = 135,
		.records = 27,
		.sessions = 14,
		.last_s = NOW_S,
		.cycle = CYCLE(2026, 3),
		.carrier = 1,
		.flags = WEIR_STATUS_IN_USE},
	    (struct weir_lifecycle_slot){0});
	put_baseline(p, "wd", TODAY - 27, SLOT, (struct weir_volume){0, 0, 0, 0});
	put_baseline(p, "wd", TODAY - 1, SLOT, (struct weir_volume){999, 99, 9, 9});
	put_baseline(p, "wd", TODAY - 1, SLOT, (struct weir_volume){1000, 100, 10, 10}); /* restated */
	put_baseline(p, "wd", TODAY - 1, SLOT + 1, (struct weir_volume){7, 7, 7, 7});    /* a neighbour's */
	put_baseline(p, "wh", HOUR_NOW - 24, SLOT, (struct weir_volume){1000, 100, 10, 10});
	put_baseline(p, "wd", TODAY, SLOT, (struct weir_volume){1200, 120, 12, 11});
	put_baseline(p, "wh", HOUR_NOW - 4, SLOT, (struct weir_volume){1200, 120, 12, 11});
	put_baseline(p, "wh", HOUR_NOW - 2, SLOT, (struct weir_volume){1270, 127, 19, 12});
	put_baseline(p, "wh", HOUR_NOW, SLOT, (struct weir_volume){1300, 130, 22, 13});
	put_closed_cycle(p, 'y', CYCLE(2026, 2), SLOT, (struct weir_volume){400, 40, 4, 2});
	put_closed_cycle(p, 'y', CYCLE(2025, 12), SLOT, (struct weir_volume){11, 1, 1, 1});
}

/* rule ROL-1, rule ROL-2: hours add up to the day, days to the cycle. */
static void
hours_days_and_cycles_agree(void **state)
{
	put_march();
	struct weir_usage_rows hours =
	    card_usage(*state, WEIR_SPAN_HOUR, (NOW_S + 8 * HOUR_S) / 86400 * 86400 - 8 * HOUR_S, 0);
	assert_int_equal(hours.count, 14); /* 00:00 to 13:59 */
	assert_string_equal(hours.zone, "Asia/Shanghai");
	assert_volume(&row_of(&hours, HOUR_NOW - 4)->volume, 70, 7, 7, 1);
	assert_volume(&row_of(&hours, HOUR_NOW - 3)->volume, 0, 0, 0, 0);
	assert_volume(&row_of(&hours, HOUR_NOW - 2)->volume, 30, 3, 3, 1);
	assert_volume(&row_of(&hours, HOUR_NOW)->volume, 50, 5, 5, 1);
	assert_true(row_of(&hours, HOUR_NOW)->open && !row_of(&hours, HOUR_NOW - 1)->open);
	struct weir_volume day = sum_of(&hours);
	struct weir_usage_rows days = card_usage(*state, WEIR_SPAN_DAY, 0, 0);
	assert_int_equal(days.count, 28 + 30); /* this and the last cycle */
	assert_memory_equal(&row_of(&days, TODAY)->volume, &day, sizeof(day));
	assert_volume(&row_of(&days, TODAY - 1)->volume, 200, 20, 2, 1);
	assert_volume(&row_of(&days, TODAY - 27)->volume, 1000, 100, 10, 10);
	assert_int_equal(days.rows[0].cycle, CYCLE(2026, 2));
	struct weir_volume march = {0};
	for (uint32_t i = 28; i < days.count; i++)
		volume_add(&march, &days.rows[i].volume);
	struct weir_usage_rows cycles = card_usage(*state, WEIR_SPAN_CYCLE, 0, 0);
	assert_int_equal(cycles.count, 7);
	assert_memory_equal(&cycles.rows[6].volume, &march, sizeof(march));
	assert_volume(&cycles.rows[6].volume, 1350, 135, 27, 14);
	assert_volume(&cycles.rows[5].volume, 400, 40, 4, 2);
	assert_volume(&cycles.rows[3].volume, 11, 1, 1, 1);
	assert_volume(&cycles.rows[0].volume, 0, 0, 0, 0);
}

/* The last window of a range ends where a window begins that is not asked for: in its day, on a later day, in its cycle. */
static void
a_range_may_end_anywhere(void **state)
{
	put_march();
	int64_t hour_s = (int64_t)HOUR_NOW * HOUR_S;
	struct weir_usage_rows hours = card_usage(*state, WEIR_SPAN_HOUR, hour_s - 4 * HOUR_S, hour_s - 4 * HOUR_S + 1);
	assert_int_equal(hours.count, 1);
	assert_volume(&hours.rows[0].volume, 70, 7, 7, 1);
	/* yesterday at 13:00; the next base is today's */
	hours = card_usage(*state, WEIR_SPAN_HOUR, hour_s - 24 * HOUR_S, hour_s - 22 * HOUR_S);
	assert_int_equal(hours.count, 2);
	assert_volume(&hours.rows[0].volume, 200, 20, 2, 1);
	struct weir_usage_rows days = card_usage(*state, WEIR_SPAN_DAY, NOW_S - 27 * 86400, NOW_S - 25 * 86400);
	assert_volume(&days.rows[0].volume, 1000, 100, 10, 10);
	/* the cycle ends: what comes after it is another row of numbers */
	put_baseline(home_of(CARD), "wd", TODAY - 31, SLOT, (struct weir_volume){390, 39, 3, 1});
	days = card_usage(*state, WEIR_SPAN_DAY, NOW_S - 31 * 86400, NOW_S);
	assert_volume(&row_of(&days, TODAY - 31)->volume, 10, 1, 1, 1);
	/* until the end of today, hours to come included */
	hours = card_usage(*state, WEIR_SPAN_HOUR, hour_s - 13 * HOUR_S, hour_s + 48 * HOUR_S);
	assert_int_equal(hours.count, 24);
	/* without a range, the last 24 */
	assert_int_equal(card_usage(*state, WEIR_SPAN_HOUR, 0, 0).count, 24);
}

static void
refused(struct weir_reader *reader, enum weir_span span, int64_t from_s, int64_t to_s, const char *text)
{
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	assert_int_equal(
	    weir_read_card_usage(reader, iccid_of(CARD), span, from_s * S_US, to_s * S_US, &rows, &err), WEIR_READ_REFUSED);
	if (strstr(err.text, text) == NULL)
		fail_msg("'%s' does not say '%s'", err.text, text);
}

/* rule ROL-1: what is no longer kept is refused; a range that begins before it is cut. */
static void
ranges_outside_what_is_kept(void **state)
{
	put_march();
	refused(*state, WEIR_SPAN_HOUR, NOW_S - 20 * 86400, NOW_S - 8 * 86400, "to: hours are kept from 2026-03-23T05:00");
	refused(*state, WEIR_SPAN_DAY, 1, NOW_S - 60 * 86400, "to: days are kept from 2026-01-31T16:00");
	refused(*state, WEIR_SPAN_HOUR, NOW_S, NOW_S - 1, "from: is not before");
	refused(*state, WEIR_SPAN_HOUR, NOW_S + 86400, 0, "from: lies in the future");
	assert_int_equal(card_usage(*state, WEIR_SPAN_HOUR, 1, NOW_S).count, 7 * 24 + 1);
	assert_int_equal(card_usage(*state, WEIR_SPAN_CYCLE, 1, 0).count, 7);
}

static void
broken_strings_are_said(void **state)
{
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	put_march();
	put("APPEND weir:{%u}:wd:%d:1 x", home_of(CARD), TODAY);
	assert_int_equal(weir_read_card_usage(*state, iccid_of(CARD), WEIR_SPAN_DAY, 0, 0, &rows, &err), WEIR_READ_BROKEN);
	assert_non_null(strstr(err.text, "wd:20542:1 of partition"));
	assert_int_equal(weir_read_card_usage(*state, iccid_of("89860000000000000009"), WEIR_SPAN_DAY, 0, 0, &rows, &err),
	    WEIR_READ_MISSING);
}

/* Two partitions with members of city-7, which is defined in a third. */
static void
put_pool(void)
{
	uint32_t home = home_of("city-7"), one = (home + 1) % PARTITIONS, two = (home + 2) % PARTITIONS;
	struct weir_pool_slot pool = {.id = "city-7",
	    .members = 3,
	    .active = 2,
	    .cycle = CYCLE(2026, 3),
	    .plan = 2,
	    .kind = WEIR_PLAN_ACCUMULATIVE,
	    .carrier = 1,
	    .flags = WEIR_POOL_DEFINED,
	    .threshold_bytes = WEIR_NO_LIMIT,
	    .effective_total = 1000,
	    .used = 1100,
	    .changed_us = 5 * S_US,
	    .addon_bytes = 9,
	    .addon_cycle = CYCLE(2026, 2),
	    .reasons = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)};
	struct weir_pool_local_slot pool_local = {.pool = "city-7",
	    .members = 2,
	    .active = 2,
	    .up = 900,
	    .down = 90,
	    .records = 9,
	    .before_up = 500,
	    .before_down = 50,
	    .before_records = 5,
	    .cycle = CYCLE(2026, 3),
	    .carrier = 1};
	put_slot(home, 'q', 33, &pool, sizeof(pool));
	put("HSET weir:{%u}:r pool:city-7 %s", home,
	    "{\"type\":\"pool\",\"id\":\"city-7\",\"name\":\"City \\u4e03\",\"carrier\":\"cm\",\"kind\":\"accumulative\","
	    "\"plan\":\"pooled\",\"batches\":[\"B1\",\"B2\"]}");
	put_slot(one, 'a', 35, &pool_local, sizeof(pool_local));
	/* the other partition has counted nothing in March: what it has is February's */
	pool_local.up = pool_local.down = 100;
	pool_local.records = 1;
	pool_local.cycle = CYCLE(2026, 2);
	put_slot(two, 'a', 3, &pool_local, sizeof(pool_local));
	put_baseline(one, "vd", TODAY - 20, 35, (struct weir_volume){0, 0, 0, 0});
	put_baseline(one, "vd", TODAY, 35, (struct weir_volume){850, 85, 8, 0});
	put_baseline(one, "vh", HOUR_NOW - 2, 35, (struct weir_volume){850, 85, 8, 0});
	put_baseline(one, "vh", HOUR_NOW, 35, (struct weir_volume){860, 86, 8, 0});
	put_baseline(two, "vd", TODAY - 40, 3, (struct weir_volume){0, 0, 0, 0});
	put_baseline(one, "vd", TODAY - 40, 35, (struct weir_volume){300, 30, 3, 0});
	put_closed_cycle(home, 'z', CYCLE(2026, 1), 33, (struct weir_volume){77, 7, 1, 0});
	/* hours that accounts no longer have, as the pool was told them; a neighbour's beside them */
	put_baseline(home, "uh", HOUR_NOW - 24 * 60, 33, (struct weir_volume){42, 5, 2, 0});
	put_baseline(home, "uh", HOUR_NOW - 24 * 60, 34, (struct weir_volume){9, 9, 9, 9});
	put_baseline(home, "uh", HOUR_NOW - 24 * 7, 33, (struct weir_volume){6, 0, 1, 0});
}

/* rule POOL-6, rule ROL-4: usage is the sum over the accounts, fresher than what the pool was told. */
static void
a_pool_is_shown_with_the_sum_of_its_pool_locals(void **state)
{
	const struct weir_pool_view *pool = NULL;
	struct weir_error err = {0};
	put_pool();
	assert_int_equal(weir_read_pool(*state, "city-7", &pool, &err), WEIR_READ_OK);
	assert_string_equal(pool->name, "City \xe4\xb8\x83");
	assert_string_equal(pool->carrier, "cm");
	assert_string_equal(pool->plan, "pooled");
	assert_string_equal(pool->status, "in_use");
	assert_int_equal(pool->kind, WEIR_PLAN_ACCUMULATIVE);
	assert_true(pool->defined);
	assert_int_equal(pool->cards, 3);
	assert_int_equal(pool->effective_cards, 2);
	assert_int_equal(pool->plan_allowance, 500);
	assert_int_equal(pool->effective_total, 1000);
	assert_volume(&pool->used, 900, 90, 9, 0);
	assert_int_equal(pool->used_evaluated, 1100);
	assert_true(pool->has_remaining);
	assert_int_equal(pool->remaining, 10);
	assert_int_equal(pool->addons, 0);
	assert_int_equal(pool->threshold, WEIR_NO_LIMIT);
	assert_int_equal(pool->reasons, WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED));
	assert_int_equal(pool->batch_count, 2);
	assert_string_equal(pool->batches[1], "B2");
	assert_int_equal(pool->cycle.number, CYCLE(2026, 3));
	assert_int_equal(pool->cycle.start_us, INT64_C(1772294400) * S_US);
	assert_int_equal(pool->changed_us, 5 * S_US);
	assert_int_equal(weir_read_pool(*state, "city-8", &pool, &err), WEIR_READ_MISSING);
	assert_int_equal(weir_read_pool(*state, "no id", &pool, &err), WEIR_READ_MISSING);
	/* cards name it, nobody has defined it */
	struct weir_pool_local_slot pool_local = {
	    .pool = "city-8", .members = 1, .active = 1, .up = 4, .cycle = CYCLE(2026, 3)};
	put_slot(0, 'a', 39, &pool_local, sizeof(pool_local));
	put("HSET weir:{0}:h accounts 50");
	weir_reader_free(*state);
	*state = reader_open();
	assert_int_equal(weir_read_pool(*state, "city-8", &pool, &err), WEIR_READ_OK);
	assert_string_equal(pool->status, "undefined");
	assert_string_equal(pool->name, "city-8");
	assert_int_equal(pool->cards, 1);
	assert_volume(&pool->used, 4, 0, 0, 0);
	assert_false(pool->has_remaining);
}

static void
a_pool_below_zero(void **state)
{
	const struct weir_pool_view *pool;
	struct weir_error err = {0};
	put_pool();
	uint32_t home = home_of("city-7");
	struct weir_pool_slot slot = {
	    .id = "city-7", .cycle = CYCLE(2026, 3), .flags = WEIR_POOL_DEFINED, .carrier = 1, .effective_total = 100};
	put_slot(home, 'q', 33, &slot, sizeof(slot));
	assert_int_equal(weir_read_pool(*state, "city-7", &pool, &err), WEIR_READ_OK);
	assert_int_equal(pool->remaining, -890);
	slot.effective_total = UINT64_MAX - 1;
	put_slot(home, 'q', 33, &slot, sizeof(slot));
	assert_int_equal(weir_read_pool(*state, "city-7", &pool, &err), WEIR_READ_OK);
	assert_int_equal(pool->remaining, INT64_MAX);
}

/* rule ROL-1, rule ROL-2: a pool's windows over partitions and cycles. */
static void
a_pool_s_windows_are_sums(void **state)
{
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	put_pool();
	assert_int_equal(weir_read_pool_usage(*state, "city-7", WEIR_SPAN_DAY, 0, 0, &rows, &err), WEIR_READ_OK);
	assert_volume(&row_of(&rows, TODAY)->volume, 50, 5, 1, 0);
	assert_volume(&row_of(&rows, TODAY - 20)->volume, 850, 85, 8, 0);
	/* February: 200 of one partition (500 less 300), 100 of the other */
	assert_volume(&row_of(&rows, TODAY - 40)->volume, 200 + 100, 20 + 100, 2 + 1, 0);
	assert_int_equal(weir_read_pool_usage(*state, "city-7", WEIR_SPAN_HOUR, 0, 0, &rows, &err), WEIR_READ_OK);
	assert_volume(&row_of(&rows, HOUR_NOW - 2)->volume, 10, 1, 0, 0);
	assert_volume(&row_of(&rows, HOUR_NOW)->volume, 40, 4, 1, 0);
	assert_int_equal(weir_read_pool_usage(*state, "city-7", WEIR_SPAN_CYCLE, 0, 0, &rows, &err), WEIR_READ_OK);
	assert_volume(&row_of(&rows, CYCLE(2026, 3))->volume, 900, 90, 9, 0);
	assert_volume(&row_of(&rows, CYCLE(2026, 2))->volume, 600, 150, 6, 0);
	assert_volume(&row_of(&rows, CYCLE(2026, 1))->volume, 77, 7, 1, 0);
	/* an hour of January, which no account holds any longer */
	int64_t then_us = (int64_t)(HOUR_NOW - 24 * 60) * HOUR_S * S_US;
	assert_int_equal(
	    weir_read_pool_usage(*state, "city-7", WEIR_SPAN_HOUR, then_us, then_us + 1, &rows, &err), WEIR_READ_OK);
	assert_int_equal(rows.count, 1);
	assert_volume(&rows.rows[0].volume, 42, 5, 2, 0);
	/* 62 days of hours: within the bound */
	assert_int_equal(weir_read_pool_usage(*state, "city-7", WEIR_SPAN_HOUR, 1, 0, &rows, &err), WEIR_READ_OK);
	assert_int_equal(rows.count, 62 * 24 + 1);
	assert_volume(&row_of(&rows, HOUR_NOW)->volume, 40, 4, 1, 0);
	assert_volume(&row_of(&rows, HOUR_NOW - 24 * 7)->volume, 6, 0, 1, 0);
	put("APPEND weir:{%u}:uh:%d:0 x", home_of("city-7"), HOUR_NOW - 24 * 7);
	assert_int_equal(weir_read_pool_usage(*state, "city-7", WEIR_SPAN_HOUR, 1, 0, &rows, &err), WEIR_READ_BROKEN);
}

/* Redis forgot: the slot that the reader remembers is another pool's now. */
static void
a_remembered_place_is_checked(void **state)
{
	const struct weir_pool_view *pool;
	struct weir_error err = {0};
	put_pool();
	uint32_t home = home_of("city-7");
	assert_int_equal(weir_read_pool(*state, "city-7", &pool, &err), WEIR_READ_OK);
	struct weir_pool_slot slot = {.id = "other", .threshold_bytes = WEIR_NO_LIMIT};
	put_slot(home, 'q', 33, &slot, sizeof(slot));
	(void)strcpy(slot.id, "city-7");
	put_slot(home, 'q', 2, &slot, sizeof(slot));
	assert_int_equal(weir_read_pool(*state, "city-7", &pool, &err), WEIR_READ_OK);
	assert_int_equal(pool->slot, 2);
	put("DEL weir:{%u}:q:0", home);
	put("DEL weir:{%u}:q:1", home);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		put("DEL weir:{%u}:a:0 weir:{%u}:a:1", p, p);
	assert_int_equal(weir_read_pool(*state, "city-7", &pool, &err), WEIR_READ_MISSING);
}

int
main(void)
{
	if (!redis_is_installed("read_usage_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    READ_TEST(hours_days_and_cycles_agree),
	    READ_TEST(a_range_may_end_anywhere),
	    READ_TEST(ranges_outside_what_is_kept),
	    READ_TEST(broken_strings_are_said),
	    READ_TEST(a_pool_is_shown_with_the_sum_of_its_pool_locals),
	    READ_TEST(a_pool_below_zero),
	    READ_TEST(a_pool_s_windows_are_sums),
	    READ_TEST(a_remembered_place_is_checked),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
