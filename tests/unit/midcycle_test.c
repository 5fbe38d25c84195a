/*
 * What a change in mid-cycle must not lose or repeat: renewals when the plan changes (LIFE-5), the alert when a move leaves
 * a reason unenforced (SUS-4), levels told when a ladder is defined anew (ALR-1).
 */
#include "tests/unit/partition_fixture.h"

static void
define_plans(struct weir_partition *p)
{
	SEND(p, "{\"type\":\"plan\",\"id\":\"year\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000,\"term_"
		"months\":12}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"half\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":2000,\"term_"
		"months\":6}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"long\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":2000,\"term_"
		"months\":48}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"ever\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":2000}");
}

static uint32_t
expires(struct weir_partition *p)
{
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(A), &slot));
	return ((struct weir_lifecycle_slot *)weir_slab_at(&p->tables.lifecycles, slot))->expires_s;
}

static uint32_t
seconds(const char *text)
{
	return (uint32_t)(at(text) / S);
}

/* rule LIFE-5: a renewal that was bought stays when the plan changes; without one the new plan's term says it. */
static void
test_a_change_of_plan_keeps_renewals(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	define_plans(p);
	CARD(p, A, ",\"plan\":\"year\",\"activated\":\"2026-01-31T00:00:00+08:00\"");
	CARD(p, A, ",\"plan\":\"half\"");
	assert_int_equal(expires(p), seconds("2026-07-31T00:00:00+08:00")); /* nothing was renewed */
	REQUEST(p, A, "renew", ",\"months\":24,\"id\":\"r1\"");
	assert_int_equal(expires(p), seconds("2028-07-31T00:00:00+08:00"));
	CARD(p, A, ",\"plan\":\"year\"");
	assert_int_equal(expires(p), seconds("2028-07-31T00:00:00+08:00"));
	CARD(p, A, ",\"plan\":\"long\"");
	assert_int_equal(expires(p), seconds("2030-01-31T00:00:00+08:00"));
	CARD(p, A, ",\"plan\":\"ever\"");
	assert_int_equal(expires(p), 0); /* does not expire */
	/* Dates that are given are no renewal. */
	CARD(p, A, ",\"plan\":\"year\",\"expires\":\"2035-01-01T00:00:00Z\"");
	CARD(p, A, ",\"plan\":\"half\"");
	assert_int_equal(expires(p), seconds("2026-07-31T00:00:00+08:00"));
	REQUEST(p, A, "renew", ",\"until\":\"2031-01-01T00:00:00Z\"");
	CARD(p, A, ",\"plan\":\"year\"");
	assert_int_equal(expires(p), seconds("2031-01-01T00:00:00Z"));
	weir_partition_free(p);
}

/* rule SUS-4: cm enforces a usage limit in pools only. The card leaves its pool: resumed, the reason shown, and told. */
static void
test_a_move_alerts_what_it_leaves_unenforced(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"pool\":\"x\",\"limit\":10");
	fold(p, record(A, 1, 10, 0, NOW));
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(alerts(p, "\"kind\":\"enforcement_unsupported\""), 0);
	CARD(p, A, ",\"pool\":null");
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT));
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_ACTIVE);
	assert_int_equal(alerts(p, "\"kind\":\"enforcement_unsupported\""), 1);
	assert_int_equal(alerts(p, "\"reason\":\"usage_limit\",\"pooled\":false"), 1);
	CARD(p, A, ",\"pool\":null");
	CARD(p, A, ",\"pool\":\"x\"");
	assert_int_equal(alerts(p, "\"kind\":\"enforcement_unsupported\""), 1);
	weir_partition_free(p);
}

/* rule ALR-1: each level once per cycle, also when the ladder is another: a level is its value, not its place. */
static void
test_a_ladder_defined_anew(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 750, 0, NOW));
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":50},{\"percent\":70}]"), 1);
	SEND(p, "{\"type\":\"alerts\",\"id\":\"default\",\"levels\":[\"70%%\",\"80%%\",\"100%%\"]}");
	tick(p);
	assert_int_equal(alerts(p, "\"kind\":\"usage\""), 1); /* 70 was told */
	fold(p, record(A, 2, 60, 0, NOW));
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":80}]"), 1);
	SEND(p, "{\"type\":\"alerts\",\"id\":\"default\",\"levels\":[\"60%%\",\"80%%\"]}");
	tick(p);
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":60}]"), 1);
	/* Another ladder by another plan, and steps: 810 bytes are two of 300, and then three of 200 and more are told. */
	SEND(p, "{\"type\":\"alerts\",\"id\":\"steps\",\"step\":300}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"p2\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":5000,\"alerts\":"
		"\"steps\"}");
	CARD(p, A, ",\"plan\":\"p2\"");
	assert_int_equal(alerts(p, "\"step\":300,\"first_step\":1,\"last_step\":2"), 1);
	SEND(p, "{\"type\":\"alerts\",\"id\":\"steps\",\"step\":200}");
	tick(p);
	assert_int_equal(alerts(p, "\"step\":200,\"first_step\":4,\"last_step\":4"), 1);
	weir_partition_free(p);
}

/* rule ALR-1: the same of a ladder that was only loaded, which has not changed. */
static void
test_a_ladder_that_was_loaded(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	SEND(p, "{\"type\":\"alerts\",\"id\":\"default\",\"levels\":[\"10%%\",\"70%%\"]}");
	apply(p, PLAN);
	apply(p, CARD_A);
	fold(p, record(A, 1, 750, 0, NOW));
	weir_partition_encode(p, &WRITER, 1);
	struct weir_partition *again = reload(p, NOW);
	tick(again);
	fold(again, record(A, 2, 10, 0, NOW));
	assert_int_equal(alerts(again, "\"kind\":\"usage\""), 0);
	weir_partition_free(again);
	weir_partition_free(p);
	store_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_change_of_plan_keeps_renewals),
	    cmocka_unit_test(test_a_move_alerts_what_it_leaves_unenforced),
	    cmocka_unit_test(test_a_ladder_defined_anew),
	    cmocka_unit_test(test_a_ladder_that_was_loaded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
