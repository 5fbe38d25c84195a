/* Requests of operators and of upstream on a card: SUS-1, SUS-2, SUS-6, flags, and what is left of reasons after each. */
#include "tests/unit/partition_fixture.h"

/* rule SUS-1: an operator resume lifts the limit for this cycle, other reasons remain and are told. */
static void
test_operator_resume(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":500}");
	fold(p, record(A, 1, 600, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 2, 100, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 3, 300, 0, NOW)); /* 1000: the plan */
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"suspend\"}");
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	const struct weir_audit *last = &p->effects.audits.v[p->effects.audits.n - 1];
	assert_int_equal(last->event, WEIR_AUDIT_REQUEST);
	assert_non_null(strstr(last->text, "other reasons remain"));
	apply(
	    p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":400}"); /* changed: holds again */
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED | 1 << WEIR_REASON_USAGE_LIMIT);
	weir_partition_free(p);
}

/* rule SUS-2: add-on, limit up and plan change clear at once; limit down raises at once; a repeated add-on counts once. */
static void
test_overrides_change_at_once(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 1000, 0, NOW));
	assert_int_equal(p->stats.suspends, 1);
	const char *addon = "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":500,\"id\":\"x1\"}";
	apply(p, addon);
	apply(p, addon);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(card(p, A)->next_threshold, 1050); /* the next alert level, 70 % of 1500 */
	fold(p, record(A, 2, 500, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	apply(p, "{\"type\":\"plan\",\"id\":\"p1\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":5000}");
	while (weir_partition_tick(p, 100)) {
	}
	assert_int_equal(card(p, A)->reasons, 0);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":1500}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":null}");
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule SUS: a second reason sends nothing, removing one of two sends nothing. */
static void
test_set_of_reasons(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"suspend\"}");
	fold(p, record(A, 1, 1000, 0, NOW));
	assert_int_equal(p->stats.suspends, 1);
	assert_int_equal(p->effects.pending_commands.n, 1);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(p->stats.resumes, 0);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":1}");
	assert_int_equal(p->stats.resumes, 1);
	weir_partition_free(p);
}

/* rule CYC-4: without auto_restore the limit's reason holds over the boundary until the operator speaks. */
static void
test_limit_without_auto_restore(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S;
	struct weir_partition *p = with_card(boundary - HOUR);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":10,\"auto_restore\":false}");
	fold(p, record(A, 1, 10, 0, boundary - HOUR));
	weir_partition_set_time(p, boundary + 1, boundary + 1);
	while (weir_partition_tick(p, 10)) {
	}
	assert_int_equal(card(p, A)->up, 0);
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"resume\"}");
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule CYC-4: what holds over is cleared by a limit raised, not by one moved down, and by the next boundary with
 * auto_restore. */
static void
test_held_limit_ends(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S, next = 1777564800ll * S;
	struct weir_partition *p = with_card(boundary - HOUR);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":10,\"auto_restore\":false}");
	fold(p, record(A, 1, 10, 0, boundary - HOUR));
	weir_partition_set_time(p, boundary + 1, boundary + 1);
	while (weir_partition_tick(p, 10)) {
	}
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":5}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"auto_restore\":true}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_USAGE_LIMIT);
	weir_partition_set_time(p, next + 1, next + 1);
	while (weir_partition_tick(p, 10)) {
	}
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
	p = with_card(boundary - HOUR);
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":10,\"auto_restore\":false}");
	fold(p, record(A, 1, 10, 0, boundary - HOUR));
	weir_partition_set_time(p, boundary + 1, boundary + 1);
	while (weir_partition_tick(p, 10)) {
	}
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"limit\",\"limit\":11}");
	assert_int_equal(card(p, A)->reasons, 0);
	weir_partition_free(p);
}

/* rule CMD-1: a card no longer desired suspended before it was sent is offered as active; rule LIFE-6: no command for the
 * deactivated. */
static void
test_withdrawn_and_deactivated(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 1000, 0, NOW));
	apply(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":9}");
	assert_null(enforcement(p, A));
	assert_int_equal(p->effects.pending_commands.n, 2);
	p->effects.pending_commands.n = 0;
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"status\":\"deactivated\"}");
	fold(p, record(A, 2, 100, 0, NOW));
	assert_int_equal(card(p, A)->up, 1100);
	assert_int_equal(p->effects.pending_commands.n, 0);
	weir_partition_free(p);
}

/* rule SUS-1: a lifted limit stays lifted until its cycle ends, and holds again in the next. */
static void
test_lifted_until_the_cycle_ends(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = with_card(boundary - HOUR);
	REQUEST(p, A, "limit", ",\"limit\":100");
	REQUEST(p, A, "resume", ""); /* before the limit was reached: lifted as well */
	fold(p, record(A, 1, 200, 0, boundary - HOUR));
	assert_int_equal(card(p, A)->reasons, 0);
	advance(p, boundary);
	fold(p, record(A, 2, 100, 0, boundary));
	assert_int_equal(card(p, A)->reasons, HAS(USAGE_LIMIT));
	weir_partition_free(p);
}

/* rule SUS-1: what upstream says an operator's resume never clears, and the reply names all that remains. */
static void
test_flags(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	REQUEST(p, A, "flag", ",\"reason\":\"id_verification\",\"set\":true");
	REQUEST(p, A, "flag", ",\"reason\":\"violation\",\"set\":true");
	REQUEST(p, A, "flag", ",\"reason\":\"abnormal\",\"set\":true");
	REQUEST(p, A, "suspend", "");
	uint16_t flags = HAS(ID_VERIFICATION) | HAS(VIOLATION) | HAS(ABNORMAL);
	assert_int_equal(card(p, A)->reasons, flags | HAS(MANUAL));
	assert_int_equal(p->stats.suspends, 1);
	REQUEST(p, A, "resume", "");
	assert_int_equal(card(p, A)->reasons, flags);
	const char *reply = p->effects.audits.v[p->effects.audits.n - 1].text;
	assert_non_null(strstr(reply, "other reasons remain: id_verification violation abnormal"));
	REQUEST(p, A, "flag", ",\"reason\":\"id_verification\",\"set\":false");
	REQUEST(p, A, "flag", ",\"reason\":\"abnormal\",\"set\":false");
	assert_int_equal(card(p, A)->reasons, HAS(VIOLATION));
	assert_int_equal(p->stats.resumes, 0);
	REQUEST(p, A, "flag", ",\"reason\":\"violation\",\"set\":false");
	assert_int_equal(p->stats.resumes, 1);
	weir_partition_free(p);
}

/* rule CYC-4: flags, manual and device_change do not end with a cycle. */
static void
test_flags_outlive_the_cycle(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = with_card(boundary - HOUR);
	REQUEST(p, A, "flag", ",\"reason\":\"violation\",\"set\":true");
	REQUEST(p, A, "suspend", "");
	fold(p, record(A, 1, 1000, 0, boundary - HOUR));
	advance(p, boundary);
	assert_int_equal(card(p, A)->reasons, HAS(VIOLATION) | HAS(MANUAL));
	weir_partition_free(p);
}

/* rule SUS-6: suspended for 15 minutes, then resumed. */
static void
test_network_reset(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	REQUEST(p, A, "reset", "");
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(enforcement(p, A)->reason, WEIR_REASON_RESET);
	advance(p, NOW + 15 * 60 * S - S);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	advance(p, NOW + 15 * 60 * S);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(p->stats.suspends, 1);
	assert_int_equal(p->stats.resumes, 1);
	weir_partition_free(p);
}

/* rule SUS-6: a reason that holds by its end keeps the card suspended; a resume during it does not end it. */
static void
test_reset_with_a_reason(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	REQUEST(p, A, "reset", "");
	REQUEST(p, A, "resume", "");
	assert_int_equal(card(p, A)->reasons, HAS(RESET));
	fold(p, record(A, 1, 1000, 0, NOW));
	advance(p, NOW + 15 * 60 * S);
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED));
	assert_int_equal(p->stats.suspends, 1);
	assert_int_equal(p->stats.resumes, 0);
	weir_partition_free(p);
}

/* A reset asked for long ago (the lane was away) is over: the card is not cut off for it now. */
static void
test_stale_reset(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	struct weir_reference reference = {
	    .type = WEIR_REF_REQUEST, .request = {.iccid = iccid_of(A), .action = WEIR_ACTION_RESET}};
	struct weir_cause cause = {9, 1, NOW - HOUR, NOW - HOUR, 0};
	struct weir_error err;
	assert_int_equal(weir_partition_apply(p, &reference, (struct weir_slice){0}, &cause, &err), WEIR_OK);
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(p->effects.pending_commands.n, 0);
	weir_partition_free(p);
}

/* rule SUS-6: a reset survives a flush and a load. */
static void
test_reset_is_stored(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	REQUEST(p, A, "reset", "");
	weir_partition_encode(p, &WRITER, 12);
	struct weir_partition *q = reload(p, NOW + 60 * S);
	tick(q);
	assert_int_equal(card(q, A)->reasons, HAS(RESET));
	advance(q, NOW + 15 * 60 * S);
	assert_int_equal(card(q, A)->reasons, 0);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

/* An add-on is for the cycle in which it was asked for, or the one it names: a closed one is refused. */
static void
test_addon_cycles(void **state)
{
	(void)state;
	int64_t boundary = at("2026-04-01T00:00:00+08:00");
	struct weir_partition *p = with_card(boundary + HOUR);
	REQUEST_REFUSED(p, A, "addon", ",\"bytes\":10,\"cycle\":\"2026-03\"");
	REQUEST_REFUSED(p, A, "addon", ",\"bytes\":10,\"cycle\":\"2026-05\"");
	REQUEST(p, A, "addon", ",\"bytes\":10,\"cycle\":\"2026-04\"");
	struct weir_reference reference = {.type = WEIR_REF_REQUEST,
	    .request = {.iccid = iccid_of(A), .action = WEIR_ACTION_ADDON, .bytes = 500, .cycle = -1}};
	struct weir_cause cause = {9, 1, boundary - HOUR, boundary - HOUR, 0};
	struct weir_error err;
	assert_int_equal(weir_partition_apply(p, &reference, (struct weir_slice){0}, &cause, &err), WEIR_OK);
	fold(p, record(A, 1, 1009, 0, boundary + HOUR)); /* 1000 and 10, not 510 */
	assert_int_equal(card(p, A)->reasons, 0);
	fold(p, record(A, 2, 1, 0, boundary + HOUR));
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED));
	weir_partition_free(p);
}

/* What cannot be applied is told to whoever asked: one entry that says why and by which rule. Nothing else changes. */
static void
refused(struct weir_partition *p, const char *json, const char *why)
{
	struct weir_reference reference;
	struct weir_cause cause = {.arrived_us = p->clock.now_us, .input = 3, .offset = 77};
	struct weir_error err = {0};
	uint32_t before = p->effects.audits.n;
	assert_int_equal(weir_reference_parse(weir_slice_of(json), &reference, &err), WEIR_OK);
	assert_int_equal(weir_partition_apply(p, &reference, weir_slice_of(json), &cause, &err), WEIR_POISON);
	assert_int_equal(p->effects.audits.n, before + 1);
	const struct weir_audit *last = &p->effects.audits.v[before];
	assert_int_equal(last->event, WEIR_AUDIT_REFUSED);
	assert_int_equal(last->input, 3);
	assert_int_equal(last->offset, 77);
	assert_string_equal(last->text, why);
}

/* rule LIFE-7, rule POOL-5: a refused request leaves its reason in the audit of its card or pool. */
static void
test_refusals_say_why(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	uint16_t reasons = card(p, A)->reasons;
	refused(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"cancel\",\"id\":\"c-1\"}",
	    "cancel c-1: the card is in_use: only one that is deactivated or suspended by hand can be cancelled (LIFE-7)");
	refused(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"addon\",\"bytes\":5,\"cycle\":\"2020-01\"}",
	    "addon : cycle 2020-01 is closed: an add-on is for the current one (SUS-2)");
	assert_int_equal(card(p, A)->reasons, reasons);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"status\":\"cancelled\"}");
	refused(p, "{\"type\":\"request\",\"iccid\":\"" A "\",\"action\":\"activate\",\"id\":\"a-2\"}",
	    "activate a-2: the card is cancelled, which is final (LIFE-7)");
	apply(p, "{\"type\":\"pool\",\"id\":\"fix\",\"carrier\":\"cm\",\"kind\":\"fixed\",\"total\":1000}");
	refused(p,
	    "{\"type\":\"request\",\"pool\":\"fix\",\"action\":\"addon\",\"bytes\":5,\"cycle\":\"2020-01\",\"id\":\"p\"}",
	    "addon p: an add-on for 2020-01, but pool 'fix' is in 2026-03: it takes effect at once and ends with its cycle "
	    "(POOL-1)");
	assert_string_equal(p->effects.audits.v[p->effects.audits.n - 1].pool, "fix");
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_operator_resume),
	    cmocka_unit_test(test_overrides_change_at_once),
	    cmocka_unit_test(test_set_of_reasons),
	    cmocka_unit_test(test_limit_without_auto_restore),
	    cmocka_unit_test(test_held_limit_ends),
	    cmocka_unit_test(test_withdrawn_and_deactivated),
	    cmocka_unit_test(test_lifted_until_the_cycle_ends),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_flags_outlive_the_cycle),
	    cmocka_unit_test(test_network_reset),
	    cmocka_unit_test(test_reset_with_a_reason),
	    cmocka_unit_test(test_stale_reset),
	    cmocka_unit_test(test_reset_is_stored),
	    cmocka_unit_test(test_addon_cycles),
	    cmocka_unit_test(test_refusals_say_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
