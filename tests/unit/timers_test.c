/* Timers: events of many cards at their time and in its order, bounded work a tick, scan and heap against a plain list. */
#include "tests/unit/partition_fixture.h"

#define CARDS 5000
#define DAY (24 * HOUR)

static const char *
nth_iccid(int i)
{
	static char iccid[32];
	(void)snprintf(iccid, sizeof(iccid), "898600000000000%05d", i);
	return iccid;
}

/* Cards deactivated at random times, which are cancelled three calendar months later: by minutes over many days. */
static struct weir_partition *
deactivated(int64_t now_us, uint32_t *due_s)
{
	struct weir_partition *p = make(now_us);
	srand(3);
	for (int i = 0; i < CARDS; i++) {
		char since[WEIR_TIME_TEXT_MAX];
		(void)weir_time_format_ms(now_us - 80 * DAY - (int64_t)(rand() % 20000) * 60 * S, since);
		SEND(p,
		    "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"status\":\"deactivated\",\"since\":\"%s\"}",
		    nth_iccid(i), since);
		due_s[i] = lifecycle(p, nth_iccid(i))->due_s;
	}
	return p;
}

/* rule LIFE-7: at every hour just those cards are cancelled that are due, however small the ticks. */
static void
test_against_a_plain_list(void **state)
{
	(void)state;
	static uint32_t due_s[CARDS];
	struct weir_partition *p = deactivated(NOW, due_s);
	for (int64_t now = NOW; now < NOW + 15 * DAY; now += 37 * 60 * S) {
		weir_partition_set_time(p, now, now);
		while (weir_partition_tick(p, 64)) {
		}
		for (int i = 0; i < CARDS; i++) {
			bool over = due_s[i] <= now / S;
			assert_int_equal(status(p, nth_iccid(i)), over ? WEIR_STATUS_CANCELLED : WEIR_STATUS_DEACTIVATED);
		}
	}
	weir_partition_free(p);
}

/* A tick does no more than it is asked to: the rest is left for the next, and said so. */
static void
test_bounded(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	for (int i = 0; i < 100; i++)
		SEND(p,
		    "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"activated\":\"2026-01-01T00:00:00Z\","
		    "\"expires\":\"2026-06-01T00:00:00Z\"}",
		    nth_iccid(i));
	tick(p);
	weir_partition_set_time(p, at("2026-07-01T00:00:00Z"), 0);
	int rounds = 0;
	for (bool more = true; more; rounds++) {
		uint64_t before = p->stats.expiries;
		more = weir_partition_tick(p, 10);
		assert_true(p->stats.expiries - before <= 10);
	}
	assert_int_equal(p->stats.expiries, 100);
	assert_true(rounds >= 10);
	weir_partition_free(p);
}

/* A date that moves takes its event along, whether it was near before or is now. */
static void
test_moved_dates(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"expires\":\"2026-03-30T05:30:00Z\"");
	CARD(p, B, ",\"carrier\":\"cm\",\"expires\":\"2027-03-30T05:30:00Z\"");
	tick(p);
	CARD(p, A, ",\"expires\":\"2027-03-30T05:30:00Z\"");
	CARD(p, B, ",\"expires\":\"2026-03-30T05:30:00Z\"");
	CARD(p, B, ",\"expires\":\"2026-03-30T05:40:00Z\"");
	advance(p, at("2026-03-30T05:39:59Z"));
	assert_int_equal(p->stats.expiries, 0);
	advance(p, at("2026-03-30T05:40:00Z"));
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(card(p, B)->reasons, HAS(PLAN_EXPIRED));
	assert_int_equal(p->stats.expiries, 1);
	weir_partition_free(p);
}

/* rule SUS-6: a reset and the status's own deadline wait for one card's timer; neither loses the other. */
static void
test_two_events_of_one_card(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"expires\":\"2026-03-30T05:13:16Z\""); /* in 5 minutes */
	CARD(p, B, ",\"carrier\":\"cm\",\"expires\":\"2026-03-30T05:23:16Z\""); /* with the reset */
	REQUEST(p, A, "reset", "");
	REQUEST(p, B, "reset", "");
	tick(p);
	assert_int_equal(card(p, A)->reasons, HAS(RESET));
	advance(p, NOW + 5 * 60 * S);
	assert_int_equal(card(p, A)->reasons, HAS(RESET) | HAS(PLAN_EXPIRED));
	advance(p, NOW + 15 * 60 * S);
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXPIRED));
	assert_int_equal(card(p, B)->reasons, HAS(PLAN_EXPIRED));
	assert_int_equal(lifecycle(p, A)->due_s, 0);
	weir_partition_free(p);
}

/* rule SUS-6, rule LIFE-4: a reset in the silent period hides its deadline for a while and does not lose it. */
static void
test_reset_keeps_the_deadline(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"status\":\"inactive\"");
	uint32_t due_s = lifecycle(p, A)->due_s;
	REQUEST(p, A, "reset", "");
	assert_int_equal(lifecycle(p, A)->due_s, NOW / S + 15 * 60);
	advance(p, NOW + 15 * 60 * S);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(lifecycle(p, A)->due_s, due_s);
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_against_a_plain_list),
	    cmocka_unit_test(test_bounded),
	    cmocka_unit_test(test_moved_dates),
	    cmocka_unit_test(test_two_events_of_one_card),
	    cmocka_unit_test(test_reset_keeps_the_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
