/*
 * The owner of a partition, alone with a scripted world: what it asks for, and in which order, where the simulator's worlds
 * come out right either way.
 */
#include "tests/unit/owner_world.h"

static void
go_round(void)
{
	(void)owner_round(world.o, now());
}

/* An owner that is being taken. */
static int
set_up(void **state)
{
	(void)state;
	world = (struct world){.now_us = NOW};
	world.o = owner_new(&RULES, 0, &IO, NULL);
	owner_take(world.o, now(), false);
	assert_calls("take");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	owner_free(world.o);
	store_clear();
	return 0;
}

/* Runs; has a card that is to be suspended, and that flush is with the store. */
static void
run_to_a_flush(void)
{
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), SUSPEND(A));
	go_round();
	world.now_us += S;
	go_round();
	assert_calls("rewind enqueue flush");
}

/* ---- a retake ---- */

/*
 * The dispatcher's queue is of the core that is dropped: its slots may be other cards' after the replay. What is enqueued
 * anew comes behind the word to forget.
 */
static void
test_lost_writes_are_forgotten_before_anything_is_enqueued(void **state)
{
	(void)state;
	run_to_a_flush();
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	assert_calls("drop forget take");
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), SUSPEND(A));
	go_round();
	assert_calls("rewind enqueue");
}

/* Another owner commands these cards from now on: ours are withdrawn at once, not when the group or the clock says so. */
static void
test_a_fenced_owner_withdraws_its_commands_at_once(void **state)
{
	(void)state;
	run_to_a_flush();
	answer_flush(WEIR_STORE_FENCED, world.o->epoch + 5);
	assert_int_equal(world.o->state, OWNER_FENCED);
	assert_calls("drop forget");
	world.now_us += RULES.retake_us;
	go_round();
	assert_calls("forget take");
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), SUSPEND(A));
	go_round();
	assert_calls("rewind enqueue");
}

/*
 * The store goes back to nothing. A is known to be suspended, C by a result that waited; B was not commanded yet, so it is
 * what the store says. The replay decides to suspend none of them: A and C must be asserted all the same, B need not.
 */
static void
test_lost_writes_keep_what_was_known_of_cards(void **state) /* rule CMD-1 */
{
	(void)state;
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), CARD_OF(B), CARD_OF(C), SUSPEND(A), SUSPEND(B), SUSPEND(C));
	go_round();
	confirm(A);
	world.waiting = confirmed(C);
	world.waits = true;
	world.now_us += S;
	go_round();
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), CARD_OF(B), CARD_OF(C));
	go_round();
	assert_non_null(enforcement(world.o->core, A));
	assert_int_equal(enforcement(world.o->core, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_non_null(enforcement(world.o->core, C));
	assert_int_equal(enforcement(world.o->core, C)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_null(enforcement(world.o->core, B));
	assert_int_equal(world.o->known.n, 0);
}

/* The core is the loader's then; what was sent before is not in what it loads. */
static void
test_a_result_that_comes_while_taking_is_kept_as_unconfirmed(void **state) /* rule CMD-1 */
{
	(void)state;
	confirm(A);
	answer_take();
	GIVE(CARDS, true, CARD_OF(A), CARD_OF(B));
	go_round();
	assert_non_null(enforcement(world.o->core, A));
	assert_int_equal(enforcement(world.o->core, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_null(enforcement(world.o->core, B));
	assert_int_equal(world.o->known.n, 0);
}

/* ---- reading ---- */

/* A record that is folded before its card, plan or pool is known counts by other rules: reference data comes first, to its
 * end, after each take. */
static void
read_records_after_cards(void)
{
	const struct weir_record r = record(A, 1, 5, 0, NOW);
	GIVE(CARDS, false, CARD_OF(A));
	give_records(&r, 1);
	world.topics[RECORDS].reads = world.topics[REPORTS].reads = 0;
	go_round();
	go_round(); /* nothing there, and not the end either */
	assert_int_equal(world.topics[RECORDS].reads, 0);
	assert_int_equal(world.topics[REPORTS].reads, 0);
	GIVE(CARDS, true, CARD_OF(B));
	go_round();
	assert_int_equal(world.topics[RECORDS].reads, 1);
	assert_int_equal(world.topics[REPORTS].reads, 1);
	assert_int_equal(card(world.o->core, A)->up, 5);
}

static void
test_records_wait_for_reference_data(void **state)
{
	(void)state;
	answer_take();
	read_records_after_cards();
	world.now_us += S;
	go_round();
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	answer_take();
	read_records_after_cards();
}

/* What is parked may wait for several strings; folded with some of them missing, a record would overtake another. */
static void
test_unparking_waits_for_all_fetches(void **state)
{
	(void)state;
	answer_take();
	GIVE(CARDS, true, CARD_OF(A));
	const struct weir_record records[] = {record(A, 1, 5, 0, NOW), record(A, 2, 5, 0, NOW - 5 * HOUR),
	    record(A, 3, 5, 0, NOW - 10 * HOUR), record(A, 4, 5, 0, NOW - 15 * HOUR), record(A, 5, 5, 0, NOW - 20 * HOUR)};
	give_records(records, 5);
	go_round();
	assert_calls("rewind fetch fetch"); /* RULES.fetching_max; two wait */
	answer_fetch(0);
	answer_fetch(1);
	assert_calls("fetch fetch");
	world.is_full = true;
	answer_fetch(2); /* all were asked for, one is under way */
	assert_int_equal(weir_partition_parked(world.o->core), 4);
	assert_int_equal(card(world.o->core, A)->up, 5);
	answer_fetch(3);
	assert_int_equal(weir_partition_parked(world.o->core), 0);
	assert_int_equal(card(world.o->core, A)->up, 25);
}

/* None is under way, and one was not asked for yet: the way to the store was full. */
static void
test_unparking_waits_for_fetches_that_found_no_room(void **state)
{
	(void)state;
	answer_take();
	GIVE(CARDS, true, CARD_OF(A));
	const struct weir_record records[] = {record(A, 1, 5, 0, NOW), record(A, 2, 5, 0, NOW - 5 * HOUR),
	    record(A, 3, 5, 0, NOW - 10 * HOUR), record(A, 4, 5, 0, NOW - 15 * HOUR)};
	give_records(records, 4);
	go_round();
	assert_calls("rewind fetch fetch");
	world.is_full = true;
	answer_fetch(0);
	answer_fetch(1);
	assert_int_equal(weir_partition_parked(world.o->core), 3);
	world.is_full = false;
	go_round();
	assert_calls("fetch");
	answer_fetch(2);
	assert_int_equal(weir_partition_parked(world.o->core), 0);
	assert_int_equal(card(world.o->core, A)->up, 20);
}

/* ---- at rest ---- */

/* Nobody would notice otherwise that the store lost what it had acknowledged, until the next record comes. */
static void
test_a_probe_is_sent_at_rest(void **state)
{
	(void)state;
	run_to_a_flush();
	answer_flush(WEIR_STORE_DONE, 0);
	for (int i = 0; i < 49; i++) {
		world.now_us += S / 10;
		go_round();
	}
	assert_calls("");
	world.now_us += S / 10;
	go_round();
	assert_calls("probe");
	assert_memory_equal(world.flush.before, world.flush.after, TOPICS * sizeof(world.flush.before[0]));
	answer_flush(WEIR_STORE_LOST_WRITES, 0);
	assert_calls("drop forget take");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_lost_writes_are_forgotten_before_anything_is_enqueued),
	    TEST(test_a_fenced_owner_withdraws_its_commands_at_once),
	    TEST(test_lost_writes_keep_what_was_known_of_cards),
	    TEST(test_a_result_that_comes_while_taking_is_kept_as_unconfirmed),
	    TEST(test_records_wait_for_reference_data),
	    TEST(test_unparking_waits_for_all_fetches),
	    TEST(test_unparking_waits_for_fetches_that_found_no_room),
	    TEST(test_a_probe_is_sent_at_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
