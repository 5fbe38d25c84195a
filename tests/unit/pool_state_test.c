/*
 * The pool's word: who is told, when, and in which order things may happen on the way. Crashes of the members' partitions
 * and of the pool's own in the middle of it: no false cut-off, no false resume, none forgotten.
 */
#include "pool_net.h"

#define ACCUMULATIVE "{'type':'pool','id':'g','name':'g','carrier':'cm','plan':'pp','kind':'accumulative'}"

/* Pool "g" lies in partition HOME; its members lie in the two that follow it, so that it can crash alone. */
static uint32_t home, east, west, away;

static struct net *
two_partitions(uint64_t allowance)
{
	struct net *net = net_new_at(NOW);
	home = net_home("g");
	east = (home + 1) % NET_PARTITIONS;
	west = (home + 2) % NET_PARTITIONS;
	away = (home + 3) % NET_PARTITIONS;
	net_plan(net, allowance);
	net_apply(net, home, ACCUMULATIVE);
	net_member(net, east, 1, "g");
	net_member(net, west, 2, "g");
	net_pump(net);
	return net;
}

/* rule POOL-7: words reach the partitions that have members, and no other. */
static void
test_only_where_members_are(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_use(net, east, 1, 21 * MB);
	net_tick(net);
	assert_int_equal(net_card(net, west, 2)->reasons, WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED));
	assert_true(net->states_to[east] > 0 && net->states_to[west] > 0);
	assert_int_equal(net->states_to[home], 0);
	assert_int_equal(net->states_to[away], 0);
	uint32_t pool_states = net->pool_states;
	net_tick(net);
	net_use(net, east, 1, MB);
	net_tick(net);
	assert_int_equal(net->pool_states, pool_states); /* used more, nothing to say */
	net_free(net);
}

/* A source that is new gets the word, the others do not get it again. */
static void
test_new_source_gets_the_state(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	uint32_t east_states = net->states_to[east], version = (uint32_t)net_pool(net, "g")->state_version;
	net_use(net, east, 1, 25 * MB);
	net_tick(net);
	assert_int_equal(net->states_to[east], east_states + 1);
	net_card_upsert(net, away, 3, "'carrier':'cm','plan':'pp','pool':'g','status':'deactivated'");
	net_pump(net);
	assert_int_equal(net->states_to[east], east_states + 1);
	assert_int_equal(net->states_to[away], 1);
	assert_true(net_pool(net, "g")->state_version >= version + 2);
	assert_int_equal(net_pool_local(net, away, "g")->reasons, WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED));
	assert_int_equal(net_pool_local(net, away, "g")->plan, net_pool_local(net, east, "g")->plan);
	net_free(net);
}

/* rule POOL-7: slack is a share of what remains, told when it has halved or doubled, and all there is once nothing remains.
 */
static void
test_unreported_allowance(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	assert_int_equal(net_pool_local(net, east, "g")->unreported_allowance, 20 * MB / (2 * NET_PARTITIONS));
	uint32_t pool_states = net->pool_states;
	net_use(net, east, 1, 9 * MB);
	net_tick(net);
	assert_int_equal(net->pool_states, pool_states); /* 11 of 20 remain */
	net_use(net, east, 1, MB);
	net_tick(net);
	assert_int_equal(net->pool_states, pool_states + 2);
	assert_int_equal(net_pool_local(net, west, "g")->unreported_allowance, 10 * MB / (2 * NET_PARTITIONS));
	net_use(net, east, 1, 10 * MB - 5);
	net_tick(net);
	assert_int_equal(net_pool_local(net, west, "g")->unreported_allowance, 1000); /* the floor */
	net_use(net, east, 1, 5);
	net_tick(net);
	assert_int_equal(net_pool_local(net, west, "g")->unreported_allowance, WEIR_UNREPORTED_UNBOUNDED);
	net_free(net);
}

/*
 * rule POOL-7: what all partitions together may hold back is bounded, so the cut-off is late by no more, and never early.
 * Random use, told only when due, without ticks.
 */
static void
test_lateness_is_bounded(void **state)
{
	(void)state;
	srand(17);
	for (int round = 0; round < 20; round++) {
		struct net *net = two_partitions(10 * MB);
		uint64_t used = 0;
		for (;;) {
			uint64_t bytes = (uint64_t)rand() % 60000 + 1;
			bool in_east = rand() % 2 == 0;
			net_use(net, in_east ? east : west, in_east ? 1 : 2, bytes);
			used += bytes;
			net_pump(net);
			bool cut = HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED);
			assert_true(!cut || used >= 20 * MB);
			if (cut)
				break;
			assert_true(used < 20 * MB + NET_PARTITIONS * 1000 + 60000);
		}
		assert_true(HAS(net_card(net, east, 1), WEIR_REASON_POOL_EXHAUSTED));
		net_free(net);
	}
}

/* rule LIFE-2: a member activated in an exhausted pool is not cut off for the time of two hops; its allowance resumes all.
 */
static void
test_activation_in_an_exhausted_pool(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_use(net, east, 1, 22 * MB);
	net_tick(net);
	net_member(net, east, 3, "g");
	assert_int_equal(net_card(net, east, 3)->reasons, 0);
	net_round(net, east);
	assert_true(HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED)); /* not heard of it yet */
	net_pump(net);
	assert_int_equal(net_card(net, west, 2)->reasons, 0);
	assert_int_equal(net_card(net, east, 1)->reasons, 0);
	/* And where it is not enough, the answer to its partial says so, although the pool's reasons are what they were. */
	net_use(net, east, 1, 30 * MB);
	net_tick(net);
	uint32_t west_states = net->states_to[west];
	net_member(net, east, 4, "g");
	net_pump(net);
	assert_int_equal(net_card(net, east, 4)->reasons, WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED));
	assert_int_equal(net->states_to[west], west_states);
	net_free(net);
}

/* The word and the partial that tells of a new member cross: the account asks again, and the doubt ends. */
static void
test_state_and_report_cross(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_use(net, west, 2, 500 * MB);
	net_time(net, net->now_us + S);
	net_round(net, west);
	net_deliver(net);
	net_member(net, east, 3, "g");
	net_round(net, home); /* exhausted, counts one member of the east */
	net_round(net, east); /* its partial tells of two, and does not ask */
	assert_int_equal(net->queued, 3);
	net_deliver(net);
	net_pump(net);
	assert_int_equal(net_pool_local(net, east, "g")->state_active, 2);
	for (unsigned n = 1; n <= 3; n++)
		assert_true(HAS(net_card(net, n == 2 ? west : east, n), WEIR_REASON_POOL_EXHAUSTED));
	net_free(net);
}

/* ---- crashes of a partition of cards ---- */

/* rule POOL-7, rule REC-3: a partition that replays neither resumes the pool's members nor cuts any off. */
static void
test_replay_of_a_card_partition(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_use(net, east, 1, 2 * MB);
	net_tick(net);
	net_flush(net, east);
	net_use(net, east, 1, 15 * MB);
	net_use(net, west, 2, 4 * MB);
	net_tick(net);
	assert_true(HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED));
	net_crash(net, east);
	net_replay_kind(net, east, true); /* the word is read again, before the records it followed from */
	net_tick(net);
	assert_true(HAS(net_card(net, east, 1), WEIR_REASON_POOL_EXHAUSTED));
	for (int part = 0; part < 5; part++) { /* the same bytes again, in parts */
		net_use(net, east, 1, 3 * MB);
		net_tick(net);
		assert_int_equal(net_pool(net, "g")->used, 21 * MB);
		assert_int_equal(net_pool(net, "g")->active, 2);
		assert_true(HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED));
	}
	assert_int_equal(net->p[east]->stats.resumes, 0);
	assert_int_equal(net->p[west]->stats.resumes, 0);
	weir_partition_caught_up(net->p[east], true, true);
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->used, 21 * MB);
	assert_true(HAS(net_card(net, east, 1), WEIR_REASON_POOL_EXHAUSTED));
	assert_int_equal(net->p[east]->stats.resumes, 0);
	assert_int_equal(net->p[west]->stats.resumes, 0);
	net_free(net);
}

/* rule POOL-3: a replay that attributes a record to another pool than the first run did: both pools end with the truth. */
static void
test_replay_attributes_otherwise(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_apply(net, net_home("h"), "{'type':'pool','id':'h','carrier':'cm','plan':'pp','kind':'accumulative'}");
	net_pump(net);
	net_flush(net, east);
	net_use(net, east, 1, 25 * MB);
	net_tick(net);
	assert_true(HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED));
	net_member(net, east, 1, "h"); /* after the record */
	net_tick(net);
	net_crash(net, east);
	net_member(net, east, 1, "h"); /* reference data is read first */
	net_use(net, east, 1, 25 * MB);
	net_tick(net);
	assert_true(HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED)); /* not settled: no false resume */
	weir_partition_caught_up(net->p[east], true, true);
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->used, 0);
	assert_int_equal(net_pool(net, "h")->used, 25 * MB);
	assert_int_equal(net_card(net, west, 2)->reasons, 0);
	assert_true(HAS(net_card(net, east, 1), WEIR_REASON_POOL_EXHAUSTED));
	net_free(net);
}

/* ---- crashes of the pool's partition ---- */

/* rule POOL-7: while it replays it is silent, so what it has half read cuts nobody off; settled, it tells every source. */
static void
test_pool_is_silent_until_caught_up(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_flush(net, home);
	net_crash(net, home);
	uint32_t pool_states = net->pool_states;
	net_use(net, east, 1, 25 * MB);
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->used, 25 * MB); /* sums are readable */
	assert_int_equal(net->pool_states, pool_states);
	assert_int_equal(net_card(net, west, 2)->reasons, 0);
	net_apply(net, home, "{'type':'request','pool':'g','action':'addon','bytes':10000000,'id':'a'}");
	weir_partition_caught_up(net->p[home], true, true);
	net_pump(net);
	assert_true(net->pool_states >= pool_states + 2);
	assert_int_equal(net_card(net, west, 2)->reasons, 0); /* 25 of 30 */
	net_free(net);
}

/* The old owner told a word after its last flush that the new one never finds true: its first word puts it right. */
static void
test_state_that_a_replay_takes_back(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_use(net, east, 1, 19 * MB);
	net_tick(net);
	net_flush(net, home);
	net_use(net, east, 1, 2 * MB);
	net_tick(net);
	assert_true(HAS(net_card(net, west, 2), WEIR_REASON_POOL_EXHAUSTED));
	struct weir_usage_report again = {.magic = "WPA1",
	    .source = east,
	    .epoch = net->epoch,
	    .members = 1,
	    .active = 1,
	    .cycle = CYCLE,
	    .flags = WEIR_REPORT_CAUGHT_UP,
	    .down = 21 * MB,
	    .pool = "g"};
	net_crash(net, home);
	/* As much remains as in what was stored: nothing but the replay itself is a cause to tell. */
	net_apply(net, home, "{'type':'request','pool':'g','action':'addon','bytes':2000000,'id':'a'}");
	struct weir_error err;
	assert_int_equal(weir_partition_apply_report(
			     net->p[home], (struct weir_slice){(uint8_t *)&again, sizeof(again)}, net->now_us, &err),
	    WEIR_OK);
	weir_partition_caught_up(net->p[home], true, true);
	net_pump(net);
	assert_int_equal(net_card(net, west, 2)->reasons, 0);
	net_free(net);
}

/* rule CYC-4: a boundary that passes while the pool's partition is away: the cycle and its closed totals are correct
 * afterwards, add-ons in theirs. */
static void
test_boundary_while_away(void **state)
{
	(void)state;
	struct net *net = two_partitions(10 * MB);
	net_time(net, MARCH_END - 10 * S);
	net_use(net, east, 1, 25 * MB);
	net_tick(net);
	net_flush(net, home);
	net_time(net, MARCH_END + HOUR);
	net_use(net, east, 1, 3 * MB);
	net_crash(net, home);
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->cycle, CYCLE); /* not over for a pool that still reads of it */
	struct weir_reference addon = {.type = WEIR_REF_REQUEST,
	    .request = {.pool = "g", .action = WEIR_ACTION_ADDON, .bytes = 50 * MB, .cycle = -1, .id_hash = 9}};
	struct weir_cause before = {9, 1, MARCH_END - S, MARCH_END - S, 0};
	struct weir_error err;
	assert_int_equal(weir_partition_apply(net->p[home], &addon, weir_slice_of("{}"), &before, &err), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->effective_total, 70 * MB); /* March's, when it was bought */
	weir_partition_caught_up(net->p[home], true, true);
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->cycle, CYCLE + 1);
	assert_int_equal(net_pool(net, "g")->used, 3 * MB);
	assert_int_equal(net_pool(net, "g")->effective_total, 20 * MB);
	assert_int_equal(net_card(net, west, 2)->reasons, 0);
	uint32_t slot;
	assert_non_null(weir_partition_find_pool(net->p[home], "g", &slot));
	assert_int_equal(
	    weir_closed_cycles_find(&net->p[home]->tables.pool_closed_cycles, CYCLE, slot)->value.down, 25 * MB);
	net_free(net);
}

/* ---- anything, against a plain sum ---- */

/*
 * rule POOL-1, rule ROL-2: cards join, leave, use, change status, partitions crash and replay from their last flush; at
 * rest the pool is the sum of what its accounts count, and every member has its reasons and no others.
 */
static void
test_at_random(void **state)
{
	(void)state;
	enum { CARDS = 12 };
	srand(23);
	for (int round = 0; round < 40; round++) {
		struct net *net = two_partitions(3 * MB);
		for (uint32_t at = 0; at < NET_PARTITIONS; at++)
			net_flush(net, at);
		for (unsigned n = 10; n < 10 + CARDS; n++)
			net_member(net, n % NET_PARTITIONS, n, "g");
		for (int i = 0; i < 150; i++) {
			unsigned n = 10 + (unsigned)rand() % CARDS;
			uint32_t at = n % NET_PARTITIONS;
			const struct weir_pool_local_slot *a = weir_pool_local_of(net->p[at], net_slot(net, at, n));
			uint64_t bytes = (uint64_t)rand() % MB;
			switch (rand() % 5) {
			case 0:
				net_card_upsert(net, at, n, "'pool':%s", a == NULL ? "'g'" : "null");
				break;
			case 1:
				net_card_upsert(net, at, n, "'status':'%s'", rand() % 2 == 0 ? "in_use" : "deactivated");
				break;
			case 2:
				net_crash(net, at);
				net_replay(net, at);
				break;
			default:
				net_use(net, at, n, bytes);
				break;
			}
			if (rand() % 10 == 0) {
				net_round(net, at); /* as the lane: what is stored has been told */
				net_flush(net, at);
			}
			if (rand() % 4 == 0)
				net_round(net, at);
			if (rand() % 8 == 0)
				net_deliver(net);
		}
		net_tick(net);
		uint64_t used = 0;
		for (uint32_t at = 0; at < NET_PARTITIONS; at++)
			used += net_pool_local(net, at, "g")->down;
		uint32_t members = 2, active = 2;
		for (unsigned n = 10; n < 10 + CARDS; n++) {
			uint32_t at = n % NET_PARTITIONS;
			const struct weir_card_slot *card = net_card(net, at, n);
			bool in = weir_pool_local_of(net->p[at], net_slot(net, at, n)) != NULL;
			bool counts = in && weir_card_is_activated(card);
			members += in;
			active += counts;
		}
		const struct weir_pool_slot *pool = net_pool(net, "g");
		assert_int_equal(pool->used, used);
		assert_int_equal(pool->members, members);
		assert_int_equal(pool->active, active);
		assert_int_equal(HAS(pool, WEIR_REASON_POOL_EXHAUSTED), used >= active * 3 * MB);
		for (unsigned n = 10; n < 10 + CARDS; n++) {
			uint32_t at = n % NET_PARTITIONS;
			const struct weir_card_slot *card = net_card(net, at, n);
			bool in = weir_pool_local_of(net->p[at], net_slot(net, at, n)) != NULL;
			assert_int_equal(card->reasons, in && weir_card_is_activated(card) ? pool->reasons : 0);
		}
		net_free(net);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_only_where_members_are),
	    cmocka_unit_test(test_new_source_gets_the_state),
	    cmocka_unit_test(test_unreported_allowance),
	    cmocka_unit_test(test_lateness_is_bounded),
	    cmocka_unit_test(test_activation_in_an_exhausted_pool),
	    cmocka_unit_test(test_state_and_report_cross),
	    cmocka_unit_test(test_replay_of_a_card_partition),
	    cmocka_unit_test(test_replay_attributes_otherwise),
	    cmocka_unit_test(test_pool_is_silent_until_caught_up),
	    cmocka_unit_test(test_state_that_a_replay_takes_back),
	    cmocka_unit_test(test_boundary_while_away),
	    cmocka_unit_test(test_at_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
