/*
 * What may have happened at a carrier and is not stored: intents (docs/ARCHITECTURE.md "Commands against a crash") and what
 * an owner knew before Redis lost its newest writes. Both make the confirmed state unknown, so that it is asserted (CMD-1).
 */
#include "tests/unit/partition_fixture.h"

enum { SENT = 2, CONFIRMED = 4 }; /* enum weir_command_state */

static void
report_state(struct weir_partition *p, const char *iccid, uint8_t state, uint8_t target, uint64_t token)
{
	struct weir_command_report r = {
	    .state = state, .target = target, .attempts = 1, .at_us = p->clock.now_us, .token = token};
	assert_non_null(weir_partition_find(p, iccid_of(iccid), &r.slot));
	weir_partition_command(p, &r);
}

/* A partition as it is after a load, with these intents. */
static struct weir_partition *
with_intents(const struct weir_unconfirmed_card *intents, uint32_t count)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .auto_register_carrier = "cm",
	    .partitions = 1,
	    .epoch = 1,
	    .unreported_floor_bytes = 1};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, NOW, NOW);
	for (uint32_t i = 0; i < count; i++)
		assert_true(weir_partition_load_intent(p, &intents[i]));
	assert_true(weir_partition_load_finish(p));
	return p;
}

/* A flush deletes the intent of the command that it stores, and none that was written for the card after it. */
static void
test_a_flush_deletes_one_intent(void **state) /* rule CMD-1 */
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	REQUEST(p, A, "suspend", "");
	report_state(p, A, SENT, WEIR_DESIRED_SUSPENDED, 71);
	weir_partition_encode(p, &WRITER, 1);
	assert_true(weir_iccid_equal(last_intent_done.iccid, iccid_of(A)));
	assert_true(last_intent_done.token == 71);
	last_intent_done.token = 0;
	report_state(p, A, CONFIRMED, WEIR_DESIRED_SUSPENDED, 0); /* no intent was asked for */
	weir_partition_encode(p, &WRITER, 1);
	assert_true(last_intent_done.token == 0);
	weir_partition_free(p);
	store_clear();
}

/* The card was new when the owner died, and the replay makes others before it: told by ICCID, the doubt finds it. */
static void
test_an_intent_waits_for_its_card(void **state) /* rule CMD-1 */
{
	(void)state;
	const struct weir_unconfirmed_card intents[] = {{iccid_of(B), 5, WEIR_DESIRED_SUSPENDED},
	    {iccid_of(A), 6, WEIR_DESIRED_SUSPENDED}, {iccid_of(A), 7, WEIR_DESIRED_ACTIVE}};
	struct weir_partition *p = with_intents(intents, 3);
	CARD(p, "8986000000000000000C", ",\"carrier\":\"cm\"");
	assert_null(enforcement(p, "8986000000000000000C"));
	CARD(p, A, ",\"carrier\":\"cm\"");
	assert_int_equal(enforcement(p, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_int_equal(enforcement(p, A)->pending, WEIR_DESIRED_ACTIVE | WEIR_DESIRED_SUSPENDED);
	CARD(p, B, ",\"carrier\":\"cm\"");
	assert_int_equal(enforcement(p, B)->pending, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(p->unconfirmed.intents_done.n, 3);
	p->effects.pending_commands.n = 0;
	weir_partition_enqueue_all(p, true);
	assert_int_equal(p->effects.pending_commands.n, 2);
	weir_partition_free(p);
}

static void
test_what_is_no_intent(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	const struct weir_unconfirmed_card wrong[] = {
	    {iccid_of(A), 0, 1}, {iccid_of(A), 1, 0}, {iccid_of(A), 1, 3}, {{0}, 1, WEIR_DESIRED_SUSPENDED}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(weir_partition_load_intent(p, &wrong[i]));
	weir_partition_free(p);
}

/*
 * Redis goes back. A was resumed since, B suspended, and C is as it was: A's and B's states are unknown, C's is not, and a
 * card that Redis has forgotten altogether is doubted when the replay makes it again.
 */
static void
test_a_loss_makes_unknown_what_changed(void **state) /* rule CMD-1 */
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	CARD(p, B, ",\"carrier\":\"cm\"");
	CARD(p, "8986000000000000000C", ",\"carrier\":\"cm\"");
	REQUEST(p, A, "suspend", "");
	REQUEST(p, "8986000000000000000C", "suspend", "");
	report_state(p, A, CONFIRMED, WEIR_DESIRED_SUSPENDED, 0);
	report_state(p, "8986000000000000000C", CONFIRMED, WEIR_DESIRED_SUSPENDED, 0);
	weir_partition_encode(p, &WRITER, 1);
	struct weir_partition *before = reload(p, NOW);
	REQUEST(p, A, "resume", "");
	report_state(p, A, CONFIRMED, WEIR_DESIRED_ACTIVE, 0);
	assert_null(enforcement(p, A));
	REQUEST(p, B, "suspend", "");
	report_state(p, B, CONFIRMED, WEIR_DESIRED_SUSPENDED, 0);
	CARD(p, "8986000000000000000D", ",\"carrier\":\"cm\"");
	REQUEST(p, "8986000000000000000D", "suspend", "");
	report_state(p, "8986000000000000000D", SENT, WEIR_DESIRED_SUSPENDED, 9);
	struct weir_unconfirmed_list known = {0};
	weir_partition_known(p, &known);
	weir_partition_load_known(before, &known);
	assert_int_equal(enforcement(before, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_int_equal(enforcement(before, B)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_int_equal(enforcement(before, "8986000000000000000C")->confirmed, WEIR_DESIRED_SUSPENDED);
	CARD(before, "8986000000000000000D", ",\"carrier\":\"cm\"");
	assert_int_equal(enforcement(before, "8986000000000000000D")->confirmed, WEIR_DESIRED_UNKNOWN);
	weir_partition_free(before);
	weir_partition_free(p);
	store_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_flush_deletes_one_intent),
	    cmocka_unit_test(test_an_intent_waits_for_its_card),
	    cmocka_unit_test(test_what_is_no_intent),
	    cmocka_unit_test(test_a_loss_makes_unknown_what_changed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
