/*
 * The demo's oracle against hand-computed values: cycles (rule CYC-1), sums, reasons; and its records' text read back by a
 * JSON parser. The engine takes no part here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "pipeline/demo/demo_feeds.h"
#include "pipeline/demo/demo_fleet.h"

#define S(seconds) ((int64_t)(seconds)*1000000)
#define MONTH(year, month) (((year)-1970) * 12 + (month)-1)
#define CST 28800

static void
cycles_by_hand(void **state)
{
	(void)state;
	/* 2026-11-01T00:00 in Shanghai is 2026-10-31T16:00Z = 1793462400. */
	assert_int_equal(weir_demo_cycle_number(S(1793462400), CST, 1, false), MONTH(2026, 11));
	assert_int_equal(weir_demo_cycle_number(S(1793462400) - 1, CST, 1, false), MONTH(2026, 10));
	assert_int_equal(weir_demo_cycle_number(S(1793462400), 0, 1, false), MONTH(2026, 10));
	/* China Unicom: from 2026-10-27T00:00 (2026-10-26T16:00Z = 1793030400), named after November. */
	assert_int_equal(weir_demo_cycle_number(S(1793030400), CST, 27, true), MONTH(2026, 11));
	assert_int_equal(weir_demo_cycle_number(S(1793030400) - 1, CST, 27, true), MONTH(2026, 10));
	/* Over the end of a year: 2026-12-31T23:59:59Z = 1798761599. */
	assert_int_equal(weir_demo_cycle_number(S(1798761599), 0, 27, true), MONTH(2027, 1));
	assert_int_equal(weir_demo_cycle_number(S(1798761600), 0, 15, false), MONTH(2026, 12));
}

static struct weir_demo_fleet none; /* cards in no pool need nothing of it */

static void
sums_are_kept_by_cycle(void **state)
{
	(void)state;
	struct weir_demo_card card = {.limit = WEIR_DEMO_NO_LIMIT};
	assert_true(weir_demo_card_count(&none, &card, 682, 1, 10));
	assert_true(weir_demo_card_count(&none, &card, 681, 2, 20));
	assert_true(weir_demo_card_count(&none, &card, 682, 4, 40));
	struct weir_demo_cycle now = weir_demo_card_sums(&card, 682), closed_cycles = weir_demo_card_sums(&card, 681);
	assert_true(now.up == 5 && now.down == 50 && now.records == 2);
	assert_true(closed_cycles.up == 2 && closed_cycles.down == 20 && closed_cycles.records == 1);
	assert_int_equal(weir_demo_card_sums(&card, 680).records, 0);
	assert_true(weir_demo_card_count(&none, &card, 1, 0, 0) && weir_demo_card_count(&none, &card, 2, 0, 0));
	assert_false(weir_demo_card_count(&none, &card, 3, 0, 0));
}

static void
reasons_by_hand(void **state)
{
	(void)state;
	char reasons[WEIR_DEMO_REASONS_MAX];
	const uint64_t allowance = weir_demo_plans[0].allowance; /* single, no default limit */
	struct weir_demo_card card = {.plan = 0, .limit = WEIR_DEMO_NO_LIMIT};
	(void)weir_demo_card_count(&none, &card, 682, 0, allowance - 1);
	weir_demo_card_reasons(&none, &card, 682, reasons);
	assert_string_equal(reasons, "none");
	(void)weir_demo_card_count(&none, &card, 682, 1, 0);
	weir_demo_card_reasons(&none, &card, 682, reasons);
	assert_string_equal(reasons, "plan_exhausted"); /* at the allowance, not above it */
	card.limit = 5;
	card.manual = true;
	weir_demo_card_reasons(&none, &card, 682, reasons);
	assert_string_equal(reasons, "plan_exhausted,usage_limit,manual");
	card.addon_bytes = 1;
	card.addon_cycle = 682;
	weir_demo_card_reasons(&none, &card, 682, reasons);
	assert_string_equal(reasons, "usage_limit,manual");
	weir_demo_card_reasons(&none, &card, 683, reasons); /* the next cycle begins at zero */
	assert_string_equal(reasons, "manual");
	assert_true(weir_demo_card_suspended(&none, &card, 683));
	card.deactivated = true;
	assert_false(weir_demo_card_suspended(&none, &card, 683));
}

/* rule POOL-1, rule POOL-2, rule POOL-3: a pool of two activated members and one that is not, by hand. */
static void
pools_by_hand(void **state)
{
	(void)state;
	char reasons[WEIR_DEMO_REASONS_MAX];
	const uint64_t allowance = weir_demo_plans[1].allowance; /* accumulative */
	struct weir_demo_pool pool = {.plan = 1, .members = 3, .active = 2};
	struct weir_demo_fleet fleet = {.pools = &pool, .pool_count = 1};
	struct weir_demo_card one = {.plan = 1, .pool = 1, .limit = UINT64_C(1) << 60}, other = one, off = one;
	off.deactivated = true;
	assert_true(weir_demo_pool_total(&pool, 682) == 2 * allowance);
	assert_true(weir_demo_card_count(&fleet, &one, 682, 1, allowance));
	assert_true(weir_demo_card_count(&fleet, &off, 682, 0, allowance - 2)); /* counts, though it adds no allowance */
	weir_demo_card_reasons(&fleet, &other, 682, reasons);
	assert_string_equal(reasons, "none");
	assert_true(weir_demo_card_count(&fleet, &other, 682, 1, 0));
	weir_demo_card_reasons(&fleet, &other, 682, reasons);
	assert_string_equal(reasons, "pool_exhausted");
	weir_demo_card_reasons(&fleet, &off, 682, reasons);
	assert_string_equal(reasons, "none");
	pool.frozen = one.manual = true;
	weir_demo_card_reasons(&fleet, &one, 682, reasons);
	assert_string_equal(reasons, "pool_exhausted,pool_frozen,manual");
	pool.frozen = false;
	pool.addon_bytes = 1;
	pool.addon_cycle = 682;
	assert_false(weir_demo_card_suspended(&fleet, &other, 682));
	pool.addon_cycle = 681;
	assert_true(weir_demo_card_suspended(&fleet, &other, 682));
	assert_false(weir_demo_card_suspended(&fleet, &other, 683));
}

static void
a_seed_makes_one_fleet(void **state)
{
	(void)state;
	struct weir_random a = {7}, b = {7};
	struct weir_demo_fleet *one = weir_demo_fleet_new(500, 20000, &a, S(1793462400));
	struct weir_demo_fleet *two = weir_demo_fleet_new(500, 20000, &b, S(1793462400));
	assert_memory_equal(one->cards, two->cards, 500 * sizeof(*one->cards));
	assert_int_equal(one->pool_count, two->pool_count);
	assert_memory_equal(one->pools, two->pools, one->pool_count * sizeof(*one->pools));
	uint32_t members = 0, kinds[3] = {0};
	for (uint32_t i = 0; i < one->pool_count; i++) {
		const struct weir_demo_pool *pool = &one->pools[i];
		members += pool->members;
		kinds[0] += weir_demo_pool_is(pool, "accumulative");
		kinds[1] += weir_demo_pool_is(pool, "fixed");
		kinds[2] += weir_demo_pool_is(pool, "metered");
	}
	assert_true(kinds[0] > 0 && kinds[1] > 0 && kinds[2] > 0);
	for (uint32_t i = 0; i < 500; i++)
		members -= one->cards[i].pool != 0;
	assert_int_equal(members, 0);
	for (uint32_t i = 0; i < 500; i++) {
		assert_int_equal(strlen(one->cards[i].iccid), WEIR_DEMO_ICCID_LEN);
		for (uint32_t k = 0; k < i; k++)
			assert_string_not_equal(one->cards[i].iccid, one->cards[k].iccid);
	}
	assert_int_equal(one->cycle_days[1], 27);
	assert_int_equal(one->cycle_days[3], 1);  /* the 1st in Shanghai */
	assert_int_equal(one->cycle_days[4], 28); /* the 31st in UTC: as late as a cycle can begin */
	weir_demo_fleet_free(one);
	weir_demo_fleet_free(two);
}

static json_t *
written(const struct weir_demo_card *card, const struct weir_demo_record *record)
{
	struct weir_buf out = {0};
	weir_demo_record_write(card, record, &out);
	json_t *json = json_loadb((const char *)out.data, out.len, 0, NULL);
	assert_non_null(json);
	weir_buf_free(&out);
	return json;
}

static void
feeds_carry_the_record(void **state)
{
	(void)state;
	struct weir_demo_card card = {.iccid = "8988300000000000001A", .style = WEIR_DEMO_EMNIFY};
	struct weir_demo_record record = {.id = 99, .up = 47085, .down = 2172848, .end_us = S(1793462400) + 260000};
	json_t *json = written(&card, &record);
	const char *end, *iccid;
	double tx, rx;
	json_int_t type, up, down;
	assert_int_equal(json_unpack(json, "{s:s,s:{s:F,s:F},s:{s:s},s:{s:I}}", "end_timestamp", &end, "volume", "tx", &tx,
			     "rx", &rx, "sim", "iccid", &iccid, "traffic_type", "id", &type),
	    0);
	assert_string_equal(end, "2026-10-31T16:00:00.260Z");
	assert_true(tx == 0.047085 && rx == 2.172848 && type == 5);
	json_decref(json);
	card.style = WEIR_DEMO_KORE;
	json = written(&card, &record);
	assert_int_equal(json_unpack(json, "{s:{s:s,s:I,s:I,s:s}}", "data", "sim_iccid", &iccid, "data_upload", &up,
			     "data_download", &down, "timestamp", &end),
	    0);
	assert_string_equal(iccid, card.iccid);
	assert_string_equal(end, "2026-10-31T16:00:00Z");
	assert_true(up == 47085 && down == 2172848);
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cycles_by_hand),
	    cmocka_unit_test(sums_are_kept_by_cycle),
	    cmocka_unit_test(reasons_by_hand),
	    cmocka_unit_test(pools_by_hand),
	    cmocka_unit_test(a_seed_makes_one_fleet),
	    cmocka_unit_test(feeds_carry_the_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
