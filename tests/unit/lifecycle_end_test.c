/* A card's life from its activation on: expiry, renewal, deactivation, cancellation (LIFE-5 to LIFE-7, POOL-2). */
#include "tests/unit/partition_fixture.h"

/* A card of China Mobile, activated on the 10th of March 2026 for a year. */
static struct weir_partition *
activated(int64_t now_us)
{
	struct weir_partition *p = make(now_us);
	SEND(p, "{\"type\":\"plan\",\"id\":\"p12\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000,"
		"\"term_months\":12}");
	CARD(p, A, ",\"plan\":\"p12\",\"activated\":\"2026-03-10T08:00:00+08:00\"");
	return p;
}

#define EXPIRY "2027-03-10T08:00:00+08:00"

/* rule LIFE-5: the term's end raises plan_expired, a renewal clears it; the card stays in use. */
static void
test_expiry_and_renewal(void **state)
{
	(void)state;
	struct weir_partition *p = activated(NOW);
	assert_int_equal(lifecycle(p, A)->expires_s, at(EXPIRY) / S);
	advance(p, at(EXPIRY) - 1);
	assert_int_equal(card(p, A)->reasons, 0);
	advance(p, at(EXPIRY));
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXPIRED));
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_true((card(p, A)->flags & WEIR_CARD_EXPIRED) != 0);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(p->stats.expiries, 1);
	advance(p, at("2027-03-20T00:00:00+08:00"));
	REQUEST(p, A, "renew", ",\"id\":\"r1\"");
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(lifecycle(p, A)->expires_s, at("2028-03-20T00:00:00+08:00") / S); /* from now: that is later */
	REQUEST(p, A, "renew", ",\"id\":\"r1\"");
	assert_int_equal(lifecycle(p, A)->expires_s, at("2028-03-20T00:00:00+08:00") / S);
	REQUEST(p, A, "renew", ",\"months\":1,\"id\":\"r2\"");
	assert_int_equal(lifecycle(p, A)->expires_s, at("2028-04-20T00:00:00+08:00") / S); /* from expiry: that is later */
	REQUEST(p, A, "renew", ",\"until\":\"2030-01-01T00:00:00+08:00\"");
	assert_int_equal(lifecycle(p, A)->expires_s, at("2030-01-01T00:00:00+08:00") / S);
	weir_partition_free(p);
}

/* rule LIFE-5: neither the cycle's end nor an operator's resume clears plan_expired. */
static void
test_what_does_not_renew(void **state)
{
	(void)state;
	struct weir_partition *p = activated(at(EXPIRY));
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXPIRED)); /* applied after it: at once */
	REQUEST(p, A, "resume", "");
	assert_non_null(strstr(p->effects.audits.v[p->effects.audits.n - 1].text, "other reasons remain: plan_expired"));
	advance(p, at("2027-04-01T00:00:00+08:00"));
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXPIRED));
	CARD(p, A, ",\"expires\":\"2027-05-01T00:00:00+08:00\"");
	assert_int_equal(card(p, A)->reasons, 0);
	CARD(p, A, ",\"expires\":null");
	assert_int_equal(lifecycle(p, A)->expires_s, WEIR_LIFECYCLE_NEVER);
	assert_int_equal(lifecycle(p, A)->due_s, 0);
	weir_partition_free(p);
}

/* A plan change counts the new term from activation; the same plan again does not touch a renewed expiry. */
static void
test_plan_change(void **state)
{
	(void)state;
	struct weir_partition *p = activated(NOW);
	REQUEST(p, A, "renew", ",\"months\":3");
	CARD(p, A, ",\"plan\":\"p12\"");
	assert_int_equal(lifecycle(p, A)->expires_s, at("2027-06-10T08:00:00+08:00") / S);
	SEND(p, "{\"type\":\"plan\",\"id\":\"p24\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000,"
		"\"term_months\":24}");
	CARD(p, A, ",\"plan\":\"p24\"");
	assert_int_equal(lifecycle(p, A)->expires_s, at("2028-03-10T08:00:00+08:00") / S);
	weir_partition_free(p);
}

/* A card activated before its plan was defined gets its expiry when it is; whatever the order, the result is one. */
static void
test_plan_after_activation(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"plan\":\"p12\",\"status\":\"inactive\"");
	CARD(p, B, ",\"carrier\":\"cm\",\"plan\":\"p12\",\"activated\":\"2026-03-01T00:00:00+08:00\",\"expires\":null");
	fold(p, record(A, 1, 1, 0, at("2026-03-30T13:00:00+08:00")));
	assert_int_equal(lifecycle(p, A)->expires_s, 0);
	SEND(p, "{\"type\":\"plan\",\"id\":\"p12\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000,"
		"\"term_months\":12}");
	tick(p);
	assert_int_equal(lifecycle(p, A)->expires_s, at("2027-03-30T13:00:00+08:00") / S);
	assert_int_equal(lifecycle(p, B)->expires_s, WEIR_LIFECYCLE_NEVER); /* said so */
	weir_partition_free(p);
}

/* rule LIFE-6: deactivated and cancelled: usage counts, reasons show, no command is sent; back in use it is. */
static void
test_deactivated(void **state)
{
	(void)state;
	struct weir_partition *p = activated(NOW);
	REQUEST(p, A, "deactivate", "");
	assert_int_equal(status(p, A), WEIR_STATUS_DEACTIVATED);
	fold(p, record(A, 1, 1000, 0, NOW));
	assert_int_equal(card(p, A)->up, 1000);
	assert_int_equal(card(p, A)->reasons, HAS(PLAN_EXHAUSTED));
	assert_int_equal(p->effects.pending_commands.n, 0);
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(A), &slot));
	assert_false(weir_partition_may_send(p, slot));
	weir_partition_enqueue_all(p, true);
	assert_int_equal(p->effects.pending_commands.n, 0);
	REQUEST_REFUSED(p, A, "reset", "");
	REQUEST(p, A, "activate", ""); /* what held meanwhile is enforced now */
	assert_int_equal(status(p, A), WEIR_STATUS_IN_USE);
	assert_int_equal(lifecycle(p, A)->activated_s, at("2026-03-10T08:00:00+08:00") / S);
	assert_int_equal(p->effects.pending_commands.n, 1);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	assert_true(weir_partition_may_send(p, slot));
	weir_partition_free(p);
}

/* rule LIFE-6: a command that waits is withdrawn; one that was left undone is offered when the card comes back. */
static void
test_deactivated_with_a_command_waiting(void **state)
{
	(void)state;
	struct weir_partition *p = activated(NOW);
	REQUEST(p, A, "suspend", "");
	uint32_t slot;
	assert_non_null(weir_partition_find(p, iccid_of(A), &slot));
	assert_int_equal(p->effects.pending_commands.n, 1);
	p->effects.pending_commands.n = 0;
	REQUEST(p, A, "deactivate", "");
	assert_int_equal(p->effects.pending_commands.n, 1);
	assert_false(weir_partition_may_send(p, slot));
	p->effects.pending_commands.n = 0;
	REQUEST(p, A, "activate", "");
	assert_int_equal(p->effects.pending_commands.n, 1);
	assert_true(weir_partition_may_send(p, slot));
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	weir_partition_free(p);
}

/* Confirmed as suspended, brought back by a command that the carrier accepted, to be suspended again meanwhile. */
static struct weir_partition *
crossed(uint32_t *slot_out)
{
	struct weir_partition *p = activated(NOW);
	REQUEST(p, A, "suspend", "");
	assert_non_null(weir_partition_find(p, iccid_of(A), slot_out));
	struct weir_command_report done = {*slot_out, 4, WEIR_DESIRED_SUSPENDED, 1, NOW, 0, "", "", 0, 0};
	weir_partition_command(p, &done);
	REQUEST(p, A, "resume", "");
	struct weir_command_report accepted = {
	    *slot_out, 3, WEIR_DESIRED_ACTIVE, 1, NOW, NOW + S, "", "", 0, WEIR_DESIRED_ACTIVE};
	weir_partition_command(p, &accepted);
	REQUEST(p, A, "suspend", "");
	assert_int_equal(enforcement(p, A)->desired, enforcement(p, A)->confirmed);
	return p;
}

/* rule LIFE-6, rule CMD-1: back in use while a command is still on its way: what is desired is not what the carrier does.
 */
static void
test_back_before_an_answer(void **state)
{
	(void)state;
	uint32_t slot;
	struct weir_partition *p = crossed(&slot);
	REQUEST(p, A, "deactivate", "");
	p->effects.pending_commands.n = 0;
	CARD(p, A, ",\"status\":\"in_use\"");
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(p->effects.pending_commands.n, 1);
	weir_partition_free(p);
}

/* rule LIFE-6, rule CMD-1: the dispatcher gave up on a card that was deactivated, and is back in use when its owner hears.
 */
static void
test_left_unknown(void **state)
{
	(void)state;
	const struct weir_command_report left = {0, 1, WEIR_DESIRED_ACTIVE, 1, NOW, 0, "", "", 0, WEIR_DESIRED_ACTIVE};
	uint32_t slot;
	struct weir_partition *p = crossed(&slot);
	assert_int_equal(slot, left.slot);
	p->effects.pending_commands.n = 0;
	weir_partition_command(p, &left);
	assert_int_equal(enforcement(p, A)->confirmed, WEIR_DESIRED_UNKNOWN);
	assert_int_equal(p->effects.pending_commands.n, 1);
	REQUEST(p, A, "deactivate", "");
	p->effects.pending_commands.n = 0;
	weir_partition_command(p, &left); /* nothing may be sent */
	assert_int_equal(p->effects.pending_commands.n, 0);
	weir_partition_free(p);
}

/* rule CMD-5, rule CMD-1: the guard's release offers a card that a command in motion may take out of what is desired. */
static void
test_release_before_an_answer(void **state)
{
	(void)state;
	uint32_t slot;
	struct weir_partition *p = crossed(&slot);
	p->guard->tripped = true;
	p->effects.pending_commands.n = 0;
	SEND(p, "{\"type\":\"guard\",\"action\":\"release\",\"id\":\"r1\",\"by\":\"somebody\"}");
	assert_int_equal(p->effects.pending_commands.n, 1);
	assert_int_equal(p->effects.pending_commands.v[0], slot);
	weir_partition_free(p);
}

/* rule LIFE-7: three calendar months after its deactivation a card is cancelled by itself; cancellation is final. */
static void
test_cancelled_by_itself(void **state)
{
	(void)state;
	struct weir_partition *p = activated(at("2026-11-30T09:00:00+08:00"));
	REQUEST(p, A, "deactivate", "");
	advance(p, at("2027-02-28T08:59:59+08:00")); /* there is no 30 February */
	assert_int_equal(status(p, A), WEIR_STATUS_DEACTIVATED);
	advance(p, at("2027-02-28T09:00:00+08:00"));
	assert_int_equal(status(p, A), WEIR_STATUS_CANCELLED);
	assert_int_equal(lifecycle(p, A)->due_s, 0);
	CARD_REFUSED(p, A, ",\"status\":\"in_use\"");
	CARD_REFUSED(p, A, ",\"status\":null");
	CARD(p, A, ",\"status\":\"cancelled\"");
	REQUEST_REFUSED(p, A, "activate", "");
	REQUEST_REFUSED(p, A, "deactivate", "");
	REQUEST_REFUSED(p, A, "renew", ",\"months\":1");
	REQUEST_REFUSED(p, A, "reset", "");
	REQUEST(p, A, "cancel", "");
	assert_int_equal(status(p, A), WEIR_STATUS_CANCELLED);
	fold(p, record(A, 1, 5, 0, p->clock.now_us));
	assert_int_equal(card(p, A)->up, 5); /* rule LIFE-6 */
	weir_partition_free(p);
}

/* rule LIFE-7: months are data of the carrier; a card that came back in time is not cancelled; a stated date counts. */
static void
test_cancel_months(void **state)
{
	(void)state;
	struct weir_partition *p = make(at("2026-05-01T00:00:00+02:00"));
	SEND(p, "{\"type\":\"carrier\",\"id\":\"ber\",\"zone\":\"Europe/Berlin\",\"cancel_months\":1}");
	CARD(p, A, ",\"carrier\":\"ber\",\"status\":\"deactivated\",\"since\":\"2026-04-29T00:00:00+02:00\"");
	CARD(p, B, ",\"carrier\":\"ber\",\"status\":\"deactivated\"");
	advance(p, at("2026-05-20T00:00:00+02:00"));
	CARD(p, B, ",\"status\":\"in_use\"");
	assert_int_equal(lifecycle(p, A)->due_s, at("2026-05-29T00:00:00+02:00") / S);
	advance(p, at("2026-07-01T00:00:00+02:00"));
	assert_int_equal(status(p, A), WEIR_STATUS_CANCELLED);
	assert_int_equal(status(p, B), WEIR_STATUS_IN_USE);
	weir_partition_free(p);
}

/* rule LIFE-7: an operator cancels what is deactivated or suspended by hand, nothing else. */
static void
test_who_may_be_cancelled(void **state)
{
	(void)state;
	struct weir_partition *p = activated(NOW);
	REQUEST_REFUSED(p, A, "cancel", "");
	fold(p, record(A, 1, 1000, 0, NOW)); /* suspended, but not by hand */
	REQUEST_REFUSED(p, A, "cancel", "");
	REQUEST(p, A, "suspend", "");
	REQUEST(p, A, "cancel", "");
	assert_int_equal(status(p, A), WEIR_STATUS_CANCELLED);
	CARD(p, B, ",\"carrier\":\"cm\",\"status\":\"deactivated\"");
	REQUEST(p, B, "cancel", "");
	assert_int_equal(status(p, B), WEIR_STATUS_CANCELLED);
	weir_partition_free(p);
}

/* A renewal without a term, and one of a card whose term has not begun, are refused. */
static void
test_renewals_refused(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	CARD(p, A, ",\"carrier\":\"cm\",\"status\":\"inactive\"");
	REQUEST_REFUSED(p, A, "renew", ",\"months\":1");
	CARD(p, A, ",\"status\":\"in_use\"");
	REQUEST_REFUSED(p, A, "renew", "");
	REQUEST(p, A, "renew", ",\"months\":1");
	assert_int_equal(lifecycle(p, A)->expires_s, at("2026-04-30T13:08:16+08:00") / S);
	weir_partition_free(p);
}

/* A card's life survives a flush and a load: dates, timers and reasons go on. */
static void
test_lifecycle_is_stored(void **state)
{
	(void)state;
	struct weir_partition *p = activated(NOW);
	CARD(p, B, ",\"carrier\":\"cm\",\"status\":\"inactive\",\"tags\":[\"a\",\"b\"]");
	uint32_t due_s = lifecycle(p, B)->due_s;
	weir_partition_encode(p, &WRITER, 12);
	struct weir_partition *q = reload(p, at(EXPIRY));
	assert_memory_equal(lifecycle(p, A), lifecycle(q, A), sizeof(struct weir_lifecycle_slot));
	assert_memory_equal(lifecycle(p, B), lifecycle(q, B), sizeof(struct weir_lifecycle_slot));
	tick(q);
	assert_int_equal(card(q, A)->reasons, HAS(PLAN_EXPIRED));
	assert_int_equal(status(q, B), WEIR_STATUS_IN_USE); /* forced meanwhile */
	assert_int_equal(lifecycle(q, B)->activated_s, due_s);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expiry_and_renewal),
	    cmocka_unit_test(test_what_does_not_renew),
	    cmocka_unit_test(test_plan_change),
	    cmocka_unit_test(test_plan_after_activation),
	    cmocka_unit_test(test_deactivated),
	    cmocka_unit_test(test_deactivated_with_a_command_waiting),
	    cmocka_unit_test(test_back_before_an_answer),
	    cmocka_unit_test(test_left_unknown),
	    cmocka_unit_test(test_release_before_an_answer),
	    cmocka_unit_test(test_cancelled_by_itself),
	    cmocka_unit_test(test_cancel_months),
	    cmocka_unit_test(test_who_may_be_cancelled),
	    cmocka_unit_test(test_renewals_refused),
	    cmocka_unit_test(test_lifecycle_is_stored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
