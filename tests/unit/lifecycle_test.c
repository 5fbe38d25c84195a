/* A card's life up to its activation: status, test quota, silent period (LIFE-1 to LIFE-4), by real calendars. */
#include "tests/unit/partition_fixture.h"

/* A carrier of every kind of calendar, and a plan of 12 months on each. */
static struct weir_partition *
make_world(int64_t now_us)
{
	struct weir_partition *p = make(now_us);
	SEND(p, "{\"type\":\"carrier\",\"id\":\"ber\",\"zone\":\"Europe/Berlin\",\"test_months\":1,\"silent_months\":1,"
		"\"test_quota\":1000}");
	SEND(p, "{\"type\":\"carrier\",\"id\":\"sea\",\"zone\":\"Asia/Shanghai\",\"test_months\":6,\"silent_months\":0,"
		"\"test_quota\":1000}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"cm12\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":5000,"
		"\"term_months\":12}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"ber1\",\"carrier\":\"ber\",\"kind\":\"single\",\"allowance\":5000,"
		"\"term_months\":1}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"sea12\",\"carrier\":\"sea\",\"kind\":\"single\",\"allowance\":5000,"
		"\"term_months\":12}");
	return p;
}

/* rule LIFE-1: every word of the inventory is taken and shown; a card without one is in use, without dates. */
static void
test_statuses(void **state)
{
	(void)state;
	static const char *const WORDS[] = {"testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"};
	struct weir_partition *p = make_world(NOW);
	for (unsigned i = 0; i < 6; i++) {
		SEND(p, "{\"type\":\"card\",\"iccid\":\"8986000000000000010%u\",\"carrier\":\"cm\",\"status\":\"%s\"}", i,
		    WORDS[i]);
		char iccid[32];
		(void)snprintf(iccid, sizeof(iccid), "8986000000000000010%u", i);
		assert_int_equal(status(p, iccid), i);
	}
	CARD(p, A, ",\"plan\":\"cm12\"");
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, 0);
	assert_int_equal(lifecycle(p, A)->expires_s, 0);
	assert_int_equal(lifecycle(p, A)->due_s, 0);
	weir_partition_free(p);
}

/* rule LIFE-2: the first traffic activates at its end time, not at its arrival; expiry is a term later. */
static void
test_traffic_activates(void **state)
{
	(void)state;
	int64_t now = at("2026-03-30T12:00:00+08:00");
	struct weir_partition *p = make_world(now);
	CARD(p, A, ",\"plan\":\"cm12\",\"status\":\"inactive\"");
	assert_int_equal(lifecycle(p, A)->activated_s, 0);
	fold(p, record(A, 1, 100, 0, at("2026-03-30T11:30:00+08:00")));
	fold(p, record(A, 2, 100, 0, at("2026-03-30T11:00:00+08:00"))); /* came later: the activation stays */
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, at("2026-03-30T11:30:00+08:00") / S);
	assert_int_equal(lifecycle(p, A)->expires_s, at("2027-03-30T11:30:00+08:00") / S);
	assert_int_equal(lifecycle(p, A)->due_s, lifecycle(p, A)->expires_s);
	assert_int_equal(p->stats.activations, 1);
	assert_int_equal(card(p, A)->up, 200); /* the record that activated counts */
	weir_partition_free(p);
}

/* rule LIFE-2: a duplicate is no traffic; a late record of a closed cycle is. */
static void
test_what_activates(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(at("2026-04-01T02:00:00+08:00"));
	CARD(p, A, ",\"plan\":\"cm12\",\"status\":\"in_use\"");
	fold(p, record(A, 1, 100, 0, at("2026-04-01T01:30:00+08:00")));
	CARD(p, A, ",\"status\":\"inactive\"");
	fold(p, record(A, 1, 100, 0, at("2026-04-01T01:30:00+08:00")));
	assert_int_equal(status(p, A), WEIR_STATUS_INACTIVE);
	fold(p, record(A, 2, 50, 0, at("2026-03-31T23:00:00+08:00")));
	serve(p);
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, at("2026-03-31T23:00:00+08:00") / S);
	assert_int_equal(card(p, A)->up, 100); /* the late one is in its own cycle */
	weir_partition_free(p);
	store_clear();
}

/* rule LIFE-2: expiry by the calendar: the last day of a short month, 29 February, over a change of clocks. */
static void
test_terms_by_calendar(void **state)
{
	(void)state;
	static const struct {
		const char *plan, *activated, *expires;
	} CASES[] = {
	    {"ber1", "2026-01-31T10:00:00+01:00", "2026-02-28T10:00:00+01:00"},
	    {"ber1", "2028-01-31T10:00:00+01:00", "2028-02-29T10:00:00+01:00"},
	    {"ber1", "2026-03-10T10:00:00+01:00", "2026-04-10T10:00:00+02:00"}, /* an hour short of 31 days */
	    {"cm12", "2028-02-29T10:00:00+08:00", "2029-02-28T10:00:00+08:00"},
	    {"cm12", "2026-12-31T23:59:59+08:00", "2027-12-31T23:59:59+08:00"},
	};
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct weir_partition *p = make_world(at(CASES[i].activated) + S);
		SEND(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"plan\":\"%s\",\"status\":\"inactive\"}", CASES[i].plan);
		fold(p, record(A, 1, 1, 0, at(CASES[i].activated)));
		serve(p);
		assert_int_equal(lifecycle(p, A)->expires_s, at(CASES[i].expires) / S);
		weir_partition_free(p);
	}
}

/* rule LIFE-2: a request activates without traffic, at its own time; a second one changes nothing. */
static void
test_activation_request(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	CARD(p, A, ",\"plan\":\"cm12\",\"status\":\"testable\"");
	REQUEST(p, A, "activate", "");
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, NOW / S);
	advance(p, NOW + HOUR);
	REQUEST(p, A, "activate", "");
	assert_int_equal(lifecycle(p, A)->activated_s, NOW / S);
	assert_non_null(strstr(p->effects.audits.v[p->effects.audits.n - 1].text, "already activated"));
	weir_partition_free(p);
}

/* rule LIFE-2: an activated member raises its pool's number of members that count at once. */
static void
test_activation_reaches_the_pool_local(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	SEND(p, "{\"type\":\"plan\",\"id\":\"acc\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":10,\"term_"
		"months\":1}");
	CARD(p, A, ",\"plan\":\"acc\",\"status\":\"inactive\",\"pool\":\"x\"");
	uint32_t slot;
	const struct weir_pool_local_slot *pool_local = weir_partition_find_pool_local(p, "x", &slot);
	assert_int_equal(pool_local->members, 1);
	assert_int_equal(pool_local->active, 0);
	fold(p, record(A, 1, 7, 0, NOW));
	assert_int_equal(pool_local->active, 1);
	assert_int_equal(pool_local->up, 7);
	advance(p, NOW + 32 * 24 * HOUR); /* rule POOL-2: the expired do not count */
	assert_int_equal(pool_local->active, 0);
	REQUEST(p, A, "renew", "");
	assert_int_equal(pool_local->active, 1);
	REQUEST(p, A, "deactivate", "");
	assert_int_equal(pool_local->active, 0);
	assert_int_equal(pool_local->members, 1);
	weir_partition_free(p);
}

/* rule LIFE-3: test traffic counts against the quota, meets no threshold, and is not held against the card later. */
static void
test_quota(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	SEND(p, "{\"type\":\"plan\",\"id\":\"small\",\"carrier\":\"ber\",\"kind\":\"single\",\"allowance\":500}");
	CARD(p, A, ",\"plan\":\"small\",\"status\":\"testable\",\"limit\":400");
	fold(p, record(A, 1, 900, 0, NOW - 10 * S));
	assert_int_equal(status(p, A), WEIR_STATUS_TESTABLE);
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 2, 100, 0, NOW - 9 * S)); /* the quota's last byte */
	assert_int_equal(status(p, A), WEIR_STATUS_INACTIVE);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(card(p, A)->up, 1000);
	assert_int_equal(p->effects.pending_commands.n, 0);
	fold(p, record(A, 3, 399, 0, NOW - 8 * S)); /* its next traffic activates, and is held against it */
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, (NOW - 8 * S) / S);
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 4, 1, 0, NOW));
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT));
	fold(p, record(A, 5, 100, 0, NOW));
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT) | HAS(PLAN_EXHAUSTED));
	const struct weir_audit *last = &p->effects.audits.v[p->effects.audits.n - 1];
	assert_int_equal(last->usage_after, 500);
	assert_int_equal(last->overshoot, 0);
	weir_partition_free(p);
}

/* rule LIFE-3: a card that goes back to be tested meets no threshold, whatever it has used; becoming inactive is
 * reason-free. */
static void
test_back_to_the_test(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	CARD(p, A, ",\"plan\":\"ber1\"");
	fold(p, record(A, 1, 5000, 0, NOW));
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED));
	CARD(p, A, ",\"status\":\"testable\"");
	assert_int_equal(card(p, A)->reasons, 0);
	CARD(p, A, ",\"status\":\"inactive\"");
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule LIFE-3: 6 MB by default, in the carrier's MB; a testable card's traffic is in no pool. */
static void
test_default_quota_and_pool(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	uint64_t mb = p->registry.carriers[0].ref.mb_bytes;
	SEND(p, "{\"type\":\"plan\",\"id\":\"acc\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":10}");
	CARD(p, A, ",\"plan\":\"acc\",\"status\":\"testable\",\"pool\":\"x\"");
	fold(p, record(A, 1, 6 * mb - 1, 0, NOW));
	assert_int_equal(status(p, A), WEIR_STATUS_TESTABLE);
	fold(p, record(A, 2, 0, 1, NOW));
	assert_int_equal(status(p, A), WEIR_STATUS_INACTIVE);
	uint32_t slot;
	const struct weir_pool_local_slot *pool_local = weir_partition_find_pool_local(p, "x", &slot);
	assert_int_equal(pool_local->up + pool_local->down, 0);
	fold(p, record(A, 3, 0, 5, NOW));
	assert_int_equal(pool_local->down, 5);
	assert_int_equal(pool_local->active, 1);
	weir_partition_free(p);
}

/* rule LIFE-3, rule LIFE-4: test period, silent period, forced activation on the first of the next month; each from the
 * instant at which the one before ended, also when the lane was away for all of it. */
static void
test_periods(void **state)
{
	(void)state;
	for (int away = 0; away < 2; away++) {
		struct weir_partition *p = make_world(at("2026-01-20T15:00:00+01:00"));
		CARD(p, A, ",\"plan\":\"ber1\",\"status\":\"testable\",\"since\":\"2026-01-15T09:00:00+01:00\"");
		if (away == 0) {
			advance(p, at("2026-02-15T08:59:59+01:00"));
			assert_int_equal(status(p, A), WEIR_STATUS_TESTABLE);
			advance(p, at("2026-02-15T09:00:00+01:00"));
			assert_int_equal(status(p, A), WEIR_STATUS_INACTIVE);
			advance(p, at("2026-03-31T23:59:59+02:00")); /* silent until 15 March */
			assert_int_equal(status(p, A), WEIR_STATUS_INACTIVE);
		}
		advance(p, at("2026-04-01T00:00:00+02:00"));
		assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
		assert_int_equal(lifecycle(p, A)->activated_s, at("2026-04-01T00:00:00+02:00") / S);
		assert_int_equal(lifecycle(p, A)->expires_s, at("2026-05-01T00:00:00+02:00") / S);
		weir_partition_free(p);
	}
}

/* rule LIFE-4: 6 months of silence with the shipped carriers; one that ends with a month ends in the next one's first
 * instant. */
static void
test_shipped_silence(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(at("2026-01-01T00:00:00+08:00"));
	CARD(p, A, ",\"carrier\":\"cm\",\"status\":\"inactive\",\"since\":\"2026-01-01T00:00:00+08:00\"");
	CARD(p, B, ",\"carrier\":\"cm\",\"status\":\"inactive\",\"since\":\"2026-01-01T00:00:01+08:00\"");
	assert_int_equal(lifecycle(p, A)->due_s, at("2026-07-01T00:00:00+08:00") / S);
	assert_int_equal(lifecycle(p, B)->due_s, at("2026-08-01T00:00:00+08:00") / S);
	weir_partition_free(p);
}

/* rule LIFE-4, rule LIFE-7: a carrier without a silent period activates when the test period ends, or its quota. */
static void
test_no_silent_period(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(at("2026-01-20T15:00:00+08:00"));
	CARD(p, A, ",\"plan\":\"sea12\",\"status\":\"testable\",\"since\":\"2025-08-31T00:00:00+08:00\"");
	CARD(p, B, ",\"plan\":\"sea12\",\"status\":\"testable\"");
	assert_int_equal(lifecycle(p, A)->due_s, at("2026-02-28T00:00:00+08:00") / S);
	fold(p, record(B, 1, 1000, 0, at("2026-01-20T14:00:00+08:00")));
	assert_int_equal(status(p, B), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, B)->activated_s, at("2026-01-20T14:00:00+08:00") / S);
	fold(p, record(B, 2, 4999, 0, at("2026-01-20T14:30:00+08:00")));
	assert_int_equal(card(p, B)->reasons, 0); /* the quota's traffic is not the plan's */
	fold(p, record(B, 3, 1, 0, at("2026-01-20T14:31:00+08:00")));
	assert_int_equal(card(p, B)->reasons, HAS(PLAN_EXHAUSTED));
	advance(p, at("2026-03-03T00:00:00+08:00"));
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, at("2026-02-28T00:00:00+08:00") / S);
	weir_partition_free(p);
}

/* A status without `since` begins at its message's Kafka time; the same status again changes nothing. */
static void
test_since(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(at("2026-01-20T15:00:00+08:00"));
	CARD(p, A, ",\"carrier\":\"sea\",\"status\":\"testable\"");
	uint32_t due_s = lifecycle(p, A)->due_s;
	assert_int_equal(due_s, at("2026-07-20T15:00:00+08:00") / S);
	advance(p, at("2026-01-21T15:00:00+08:00"));
	CARD(p, A, ",\"status\":\"testable\"");
	assert_int_equal(lifecycle(p, A)->due_s, due_s);
	CARD(p, A, ",\"status\":\"testable\",\"since\":\"2026-01-01T15:00:00+08:00\"");
	assert_int_equal(lifecycle(p, A)->due_s, at("2026-07-01T15:00:00+08:00") / S);
	weir_partition_free(p);
}

/* A file of reference data sent again does not undo what traffic did; a newer word does. */
static void
test_old_news(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	static const char SENT[] = ",\"plan\":\"cm12\",\"status\":\"inactive\",\"since\":\"2026-01-01T00:00:00+08:00\"";
	SEND(p, "{\"type\":\"card\",\"iccid\":\"" A "\"%s}", SENT);
	fold(p, record(A, 1, 1, 0, NOW));
	SEND(p, "{\"type\":\"card\",\"iccid\":\"" A "\"%s}", SENT);
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, NOW / S);
	advance(p, NOW + HOUR);
	CARD(p, A, ",\"status\":\"inactive\"");
	assert_int_equal(status(p, A), WEIR_STATUS_INACTIVE);
	assert_int_equal(lifecycle(p, A)->activated_s, 0);
	weir_partition_free(p);
}

/* Dates of a card that is not activated are refused, and the message with them. */
static void
test_dates_that_contradict(void **state)
{
	(void)state;
	struct weir_partition *p = make_world(NOW);
	CARD_REFUSED(p, A, ",\"carrier\":\"cm\",\"status\":\"testable\",\"expires\":\"2027-01-01T00:00:00Z\"");
	uint32_t slot;
	assert_null(weir_partition_find(p, iccid_of(A), &slot));
	CARD(p, A, ",\"carrier\":\"cm\",\"status\":\"inactive\",\"activated\":null");
	CARD_REFUSED(p, A, ",\"activated\":\"2026-01-01T00:00:00Z\"");
	CARD(p, A, ",\"status\":\"in_use\",\"activated\":\"2026-01-01T00:00:00Z\"");
	assert_int_equal(lifecycle(p, A)->activated_s, at("2026-01-01T00:00:00Z") / S);
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_statuses),
	    cmocka_unit_test(test_traffic_activates),
	    cmocka_unit_test(test_what_activates),
	    cmocka_unit_test(test_terms_by_calendar),
	    cmocka_unit_test(test_activation_request),
	    cmocka_unit_test(test_activation_reaches_the_pool_local),
	    cmocka_unit_test(test_quota),
	    cmocka_unit_test(test_back_to_the_test),
	    cmocka_unit_test(test_default_quota_and_pool),
	    cmocka_unit_test(test_periods),
	    cmocka_unit_test(test_shipped_silence),
	    cmocka_unit_test(test_no_silent_period),
	    cmocka_unit_test(test_since),
	    cmocka_unit_test(test_old_news),
	    cmocka_unit_test(test_dates_that_contradict),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
