/*
 * From reasons to what is sent: what a carrier can do (SUS-4), a card's own reasons when it moves (SUS-3), pools' reasons
 * at a card (POOL-4, POOL-7), the cycle's end (CYC-4), card's alerts (ALR-1), the guard (CMD-5).
 */
#include "tests/unit/partition_fixture.h"

/* A pool's word, as it comes from the pool's partition. */
static void
take_pool_state(struct weir_partition *p, uint64_t version, uint16_t reasons, uint64_t limit, uint64_t used)
{
	struct weir_reference reference = {.type = WEIR_REF_POOL_STATE};
	struct weir_ref_pool_state *state = &reference.pool_state;
	*state = (struct weir_ref_pool_state){.pool = "x",
	    .epoch = 1,
	    .version = version,
	    .defined = true,
	    .carrier = "cm",
	    .plan = "acc",
	    .kind = WEIR_PLAN_ACCUMULATIVE,
	    .cycle = (uint16_t)p->registry.carriers[0].current.number,
	    .active = 1,
	    .reasons = reasons,
	    .unreported_allowance = 1,
	    .limit = limit,
	    .used = used,
	    .crossed_us = NOW - 2 * S};
	struct weir_cause cause = {9, 2, p->clock.now_us, p->clock.now_us, 0};
	struct weir_error err;
	assert_string_equal(p->registry.carriers[0].ref.id, "cm");
	assert_int_equal(weir_partition_apply(p, &reference, (struct weir_slice){0}, &cause, &err), WEIR_OK);
	tick(p);
}

static struct weir_partition *
pooled_partition(int64_t now_us)
{
	struct weir_partition *p = make(now_us);
	SEND(p, "{\"type\":\"plan\",\"id\":\"acc\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":10}");
	CARD(p, A, ",\"plan\":\"acc\",\"pool\":\"x\"");
	return p;
}

/* rule SUS-4: as shipped, cm and cu enforce a usage limit only for cards in pools, ct for any. */
static void
test_what_carriers_can(void **state)
{
	(void)state;
	static const char *const CARRIERS[] = {"cm", "cu", "ct"};
	for (int i = 0; i < 3; i++)
		for (int in_pool = 0; in_pool < 2; in_pool++) {
			struct weir_partition *p = make(NOW);
			SEND(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"%s\",\"limit\":10%s}", CARRIERS[i],
			    in_pool ? ",\"pool\":\"x\"" : "");
			fold(p, record(A, 1, 10, 0, NOW));
			bool can = in_pool || i == 2;
			assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT)); /* shown either way */
			assert_int_equal(p->effects.pending_commands.n, can);
			assert_int_equal(p->stats.suspends, can);
			assert_int_equal(alerts(p, "\"kind\":\"enforcement_unsupported\""), !can);
			fold(p, record(A, 2, 10, 0, NOW));
			assert_int_equal(alerts(p, "\"kind\":\"enforcement_unsupported\""), !can); /* once */
			weir_partition_free(p);
		}
}

/* rule SUS-4: what is not enforced does not keep suspended, and what is does; joining a pool makes it enforceable. */
static void
test_mixed_reasons(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(A), &slot));
	REQUEST(p, A, "suspend", "");
	REQUEST(p, A, "limit", ",\"limit\":10");
	fold(p, record(A, 1, 10, 0, NOW));
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT) | HAS(MANUAL));
	assert_int_equal(weir_partition_enforced(p, slot), HAS(MANUAL));
	REQUEST(p, A, "flag", ",\"reason\":\"abnormal\",\"set\":true");
	REQUEST(p, A, "flag", ",\"reason\":\"abnormal\",\"set\":false");
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	CARD(p, B, ",\"carrier\":\"cm\",\"limit\":10");
	fold(p, record(B, 1, 10, 0, NOW));
	assert_int_equal(enforcement(p, B)->desired, WEIR_DESIRED_ACTIVE);
	CARD(p, B, ",\"pool\":\"x\"");
	assert_int_equal(enforcement(p, B)->desired, WEIR_DESIRED_SUSPENDED);
	CARD(p, B, ",\"pool\":null");
	assert_int_equal(enforcement(p, B)->desired, WEIR_DESIRED_ACTIVE);
	assert_int_equal(card(p, B)->reasons, HAS(USAGE_LIMIT));
	weir_partition_free(p);
}

/* rule SUS-4: a carrier's abilities are data: when they change, cards with a reason follow. */
static void
test_abilities_change(void **state)
{
	(void)state;
	static const char CARRIER[] =
	    "{\"type\":\"carrier\",\"id\":\"x\",\"zone\":\"Asia/Shanghai\",\"unsupported\":{\"single\":[%s]}}";
	struct weir_partition *p = make(NOW);
	SEND(p, CARRIER, "\"plan_exhausted\"");
	SEND(p, "{\"type\":\"plan\",\"id\":\"s\",\"carrier\":\"x\",\"kind\":\"single\",\"allowance\":10}");
	CARD(p, A, ",\"plan\":\"s\"");
	fold(p, record(A, 1, 10, 0, NOW));
	assert_int_equal(p->stats.suspends, 0);
	SEND(p, CARRIER, "");
	tick(p);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	SEND(p, CARRIER, "\"plan_exhausted\"");
	tick(p);
	assert_int_equal(p->stats.resumes, 1);
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED));
	weir_partition_free(p);
}

/* rule CYC-4, rule SUS-4: a reason that was not enforced clears at the boundary like any other. */
static void
test_boundary_clears_the_unenforced(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = make(boundary - HOUR);
	CARD(p, A, ",\"carrier\":\"cm\",\"limit\":10");
	fold(p, record(A, 1, 10, 0, boundary - HOUR));
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT));
	advance(p, boundary);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_null(enforcement(p, A));
	weir_partition_free(p);
}

/* rule SUS-3: another pool or plan: the card keeps its own limit and its own reasons, and loses only the pool's. */
static void
test_moves(void **state)
{
	(void)state;
	struct weir_partition *p = pooled_partition(NOW);
	REQUEST(p, A, "limit", ",\"limit\":100,\"auto_restore\":false");
	REQUEST(p, A, "suspend", "");
	fold(p, record(A, 1, 100, 0, NOW));
	take_pool_state(p, 1, HAS(POOL_EXHAUSTED), 10, 100);
	assert_int_equal(card(p, A)->reasons, HAS(POOL_EXHAUSTED) | HAS(USAGE_LIMIT) | HAS(MANUAL));
	CARD(p, A, ",\"pool\":\"y\"");
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT) | HAS(MANUAL));
	SEND(p, "{\"type\":\"plan\",\"id\":\"s\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":50}");
	CARD(p, A, ",\"plan\":\"s\",\"pool\":null");
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED) | HAS(USAGE_LIMIT) | HAS(MANUAL));
	const struct weir_card_overrides_slot *overrides = weir_slab_at(&p->tables.overrides, card(p, A)->overrides - 1);
	assert_int_equal(overrides->limit, 100);
	assert_int_equal(overrides->flags & WEIR_OVERRIDES_NO_AUTO_RESTORE, WEIR_OVERRIDES_NO_AUTO_RESTORE);
	assert_int_equal(p->stats.resumes, 0);
	weir_partition_free(p);
}

/* A card that does not fit the pool that it names is refused whole: rule POOL-1. */
static void
test_refused_whole(void **state)
{
	(void)state;
	struct weir_partition *p = pooled_partition(NOW);
	take_pool_state(p, 1, 0, 0, 0);
	CARD_REFUSED(p, B, ",\"carrier\":\"cu\",\"pool\":\"x\",\"limit\":5");
	uint32_t slot;
	assert_null(weir_partition_find(p, iccid_of(B), &slot));
	SEND(p, "{\"type\":\"plan\",\"id\":\"s\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":50}");
	CARD_REFUSED(p, A, ",\"plan\":\"s\",\"limit\":5"); /* it would stay in the pool */
	assert_int_equal(card(p, A)->overrides, 0);
	CARD(p, A, ",\"plan\":\"s\",\"pool\":null,\"limit\":5");
	weir_partition_free(p);
}

/* rule POOL-4: its own limit holds in a pool; a plan's allowance does not. */
static void
test_limit_in_a_pool(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	SEND(p, "{\"type\":\"plan\",\"id\":\"s\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":50,\"limit\":200}");
	CARD(p, A, ",\"plan\":\"s\",\"pool\":\"x\"");
	fold(p, record(A, 1, 199, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 2, 1, 0, NOW));
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT));
	assert_int_equal(p->stats.suspends, 1);
	weir_partition_free(p);
}

/* rule CMD-4, rule POOL-7: a decision by a pool's reason is audited with the pool's limit, usage, overshoot and latency. */
static void
test_audit_of_a_pools_decision(void **state)
{
	(void)state;
	struct weir_partition *p = pooled_partition(NOW);
	fold(p, record(A, 1, 7, 0, NOW));
	take_pool_state(p, 1, HAS(POOL_EXHAUSTED), 1000, 1024);
	const struct weir_audit *audit = &p->effects.audits.v[p->effects.audits.n - 1];
	assert_int_equal(audit->event, WEIR_AUDIT_DECIDED);
	assert_int_equal(audit->reason, WEIR_REASON_POOL_EXHAUSTED);
	assert_int_equal(audit->limit, 1000);
	assert_int_equal(audit->usage_after, 1024);
	assert_int_equal(audit->overshoot, 24);
	assert_int_equal(enforcement(p, A)->arrived_us, NOW - 2 * S);
	struct weir_command_report done = {0, 4, WEIR_DESIRED_SUSPENDED, 1, NOW, 0, "", "", 0, 0};
	take_pool_state(p, 2, HAS(POOL_EXHAUSTED), 1000, 1040);
	weir_partition_command(p, &done);
	assert_int_equal(enforcement(p, A)->overshoot, 40);
	weir_partition_free(p);
}

/* rule CYC-4: at the boundary a pool's reasons of the cycle clear without a word, pool_frozen does not. */
static void
test_pool_reasons_at_the_boundary(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = pooled_partition(boundary - HOUR);
	take_pool_state(p, 1, HAS(POOL_EXHAUSTED), 10, 10);
	advance(p, boundary);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(p->stats.resumes, 1);
	take_pool_state(p, 2, HAS(POOL_EXHAUSTED) | HAS(POOL_FROZEN), 10, 10);
	advance(p, at("2026-05-01T00:00:00+08:00"));
	assert_int_equal(card(p, A)->reasons, HAS(POOL_FROZEN));
	weir_partition_free(p);
}

/* rule CYC-4, rule CYC-2: the boundary is the zone's: in Berlin the last hour of March is an hour earlier than in winter.
 */
static void
test_boundary_by_zone(void **state)
{
	(void)state;
	struct weir_partition *p = make(at("2026-03-31T20:00:00Z"));
	SEND(p, "{\"type\":\"carrier\",\"id\":\"ber\",\"zone\":\"Europe/Berlin\"}");
	SEND(p, "{\"type\":\"plan\",\"id\":\"s\",\"carrier\":\"ber\",\"kind\":\"single\",\"allowance\":10}");
	CARD(p, A, ",\"plan\":\"s\"");
	fold(p, record(A, 1, 10, 0, at("2026-03-31T20:00:00Z")));
	advance(p, at("2026-03-31T21:59:59Z"));
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED));
	advance(p, at("2026-03-31T22:00:00Z"));
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule CYC-4: a boundary looks at suspended cards only, a bounded number a tick. */
static void
test_boundary_is_bounded(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = make(boundary - HOUR);
	apply(p, PLAN);
	for (int i = 0; i < 1000; i++) {
		char iccid[32];
		(void)snprintf(iccid, sizeof(iccid), "898600000000000%05d", i);
		SEND(p, "{\"type\":\"card\",\"iccid\":\"%s\",\"plan\":\"p1\"}", iccid);
		fold(p, record(iccid, 1, i % 10 == 0 ? 1000 : 1, 0, boundary - HOUR));
	}
	tick(p);
	weir_partition_set_time(p, boundary, boundary);
	uint64_t rolled = 0;
	for (bool more = true; more;) {
		uint64_t before = p->stats.resumes;
		more = weir_partition_tick(p, 8);
		assert_true(p->stats.resumes - before <= 8);
	}
	for (uint32_t i = 0; i < p->tables.cards.used; i++)
		rolled += ((struct weir_card_slot *)weir_slab_at(&p->tables.cards, i))->cycle == (2026 - 1970) * 12 + 3;
	assert_int_equal(p->stats.resumes, 100);
	assert_int_equal(rolled, 100);
	weir_partition_free(p);
}

/* rule ALR-1, rule ALR-2: a card's levels by percent of its plan with add-ons, each once a cycle, several in one alert. */
static void
test_card_levels(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = with_card(boundary - HOUR);
	fold(p, record(A, 1, 499, 0, boundary - HOUR));
	assert_int_equal(p->effects.outbox.n, 0);
	fold(p, record(A, 2, 201, 0, boundary - HOUR)); /* 50 and 70 */
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":50},{\"percent\":70}]"), 1);
	REQUEST(p, A, "addon", ",\"bytes\":1000");
	fold(p, record(A, 3, 1099, 0, boundary - HOUR)); /* 70 % of 2000 was told as 70 % of 1000 */
	assert_int_equal(p->effects.outbox.n, 1);
	fold(p, record(A, 4, 1, 0, boundary - HOUR));
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":90}]"), 1);
	advance(p, boundary);
	fold(p, record(A, 5, 500, 0, boundary));
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":50}]"), 1);
	assert_int_equal(p->effects.outbox.n, 3);
	weir_partition_free(p);
}

/* rule ALR-1: without an allowance percent is of the usage limit; test traffic meets no level. */
static void
test_levels_of_a_limit(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"status\":\"testable\",\"limit\":100");
	fold(p, record(A, 1, 95, 0, NOW));
	assert_int_equal(p->effects.outbox.n, 0);
	REQUEST(p, A, "activate", "");
	assert_int_equal(p->effects.outbox.n, 0);
	fold(p, record(A, 2, 50, 0, NOW));
	assert_int_equal(alerts(p, "\"levels\":[{\"percent\":50}]"), 1);
	assert_int_equal(card(p, A)->next_threshold, 95 + 70);
	weir_partition_free(p);
}

/* rule CMD-5: while the guard is tripped suspends are not sent, resumes are. */
static void
test_guard(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(A), &slot));
	fold(p, record(A, 1, 1000, 0, NOW));
	assert_true(weir_partition_may_send(p, slot));
	p->guard->tripped = true;
	assert_false(weir_partition_may_send(p, slot));
	assert_int_equal(p->stats.guarded, 1);
	struct weir_command_report done = {0, 4, WEIR_DESIRED_SUSPENDED, 1, NOW, 0, "", "", 0, 0};
	weir_partition_command(p, &done);
	REQUEST(p, A, "addon", ",\"bytes\":1000");
	assert_true(weir_partition_may_send(p, slot));
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_carriers_can),
	    cmocka_unit_test(test_mixed_reasons),
	    cmocka_unit_test(test_abilities_change),
	    cmocka_unit_test(test_boundary_clears_the_unenforced),
	    cmocka_unit_test(test_moves),
	    cmocka_unit_test(test_refused_whole),
	    cmocka_unit_test(test_limit_in_a_pool),
	    cmocka_unit_test(test_audit_of_a_pools_decision),
	    cmocka_unit_test(test_pool_reasons_at_the_boundary),
	    cmocka_unit_test(test_boundary_by_zone),
	    cmocka_unit_test(test_boundary_is_bounded),
	    cmocka_unit_test(test_card_levels),
	    cmocka_unit_test(test_levels_of_a_limit),
	    cmocka_unit_test(test_guard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
