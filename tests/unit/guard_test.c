/* The guard (CMD-5): trips by share and window, holds suspends and only those, survives its owner, lets all go on release.
 */
#include "pool_net.h"

/* A hundred single cards of 1000 bytes; 10 % within a minute trip the guard, fewer than 5 never. */
static struct net *
make_fleet(uint32_t percent, uint32_t cards_min)
{
	struct net *net = net_new_at(NOW);
	net->p[0]->opts.guard_percent = percent;
	net->p[0]->opts.guard_cards_min = cards_min;
	net->p[0]->opts.guard_window_s = 60;
	net_broadcast(net, "{'type':'plan','id':'s','carrier':'cm','kind':'single','allowance':1000}");
	for (unsigned n = 0; n < 100; n++)
		net_card_upsert(net, 0, n, "'carrier':'cm','plan':'s'");
	return net;
}

static void
suspend_cards(struct net *net, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++)
		net_use(net, 0, n, 1000);
}

/* rule CMD-5: more than the share trips; decisions go on, suspends are not sent, resumes are. */
static void
test_trips(void **state)
{
	(void)state;
	struct net *net = make_fleet(10, 5);
	struct weir_partition *p = net->p[0];
	suspend_cards(net, 0, 10);
	assert_false(p->guard->tripped);
	assert_true(weir_partition_may_send(p, net_slot(net, 0, 3)));
	suspend_cards(net, 10, 11);
	assert_true(p->guard->tripped);
	suspend_cards(net, 11, 20);
	assert_true(HAS(net_card(net, 0, 15), WEIR_REASON_PLAN_EXHAUSTED));
	assert_false(weir_partition_may_send(p, net_slot(net, 0, 15)));
	assert_false(weir_partition_may_send(p, net_slot(net, 0, 3)));
	assert_int_equal(p->stats.guarded, 2);
	net_apply(net, 0, "{'type':'request','iccid':'89860000000000000003','action':'addon','bytes':5000,'id':'a'}");
	assert_int_equal(net_card(net, 0, 3)->reasons, 0);
	assert_true(weir_partition_may_send(p, net_slot(net, 0, 3)));
	net_round(net, 0);
	assert_non_null(net_alert(net, "\"guard_tripped\"", "\"suspends\":11,\"cards\":100,\"percent\":10"));
	net_free(net);
}

/* rule CMD-5: any window counts, wherever it begins; what lies apart by more does not add up. */
static void
test_window(void **state)
{
	(void)state;
	struct net *net = make_fleet(10, 5);
	suspend_cards(net, 0, 10);
	net_time(net, NOW + 65 * S);
	suspend_cards(net, 10, 20);
	assert_false(net->p[0]->guard->tripped);
	net_time(net, NOW + 124 * S); /* 59 s later, in the next minute by the clock */
	suspend_cards(net, 20, 21);
	assert_true(net->p[0]->guard->tripped);
	net_free(net);
}

/* A few cards of a small partition never trip it; and it can be turned off. */
static void
test_least_and_off(void **state)
{
	(void)state;
	struct net *net = make_fleet(1, 5);
	suspend_cards(net, 0, 4);
	assert_false(net->p[0]->guard->tripped);
	suspend_cards(net, 4, 5);
	assert_true(net->p[0]->guard->tripped);
	net_free(net);
	net = make_fleet(0, 0);
	suspend_cards(net, 0, 100);
	assert_false(net->p[0]->guard->tripped);
	net_free(net);
}

/* rule CMD-5: waits for an operator, also across a restart; the release offers again all that is still wanted. */
static void
test_release(void **state)
{
	(void)state;
	struct net *net = make_fleet(10, 5);
	suspend_cards(net, 0, 15);
	net_flush(net, 0);
	net_crash(net, 0);
	assert_true(net->p[0]->guard->tripped);
	assert_false(weir_partition_may_send(net->p[0], net_slot(net, 0, 14)));
	net_apply(net, 0, "{'type':'request','iccid':'89860000000000000003','action':'addon','bytes':5000,'id':'a'}");
	net->p[0]->effects.pending_commands.n = 0;
	net_apply(net, 0, "{'type':'guard','action':'release','id':'r1','by':'somebody'}");
	assert_false(net->p[0]->guard->tripped);
	assert_int_equal(net->p[0]->effects.pending_commands.n, 14);
	assert_true(weir_partition_may_send(net->p[0], net_slot(net, 0, 14)));
	net_flush(net, 0);
	struct weir_buf last = {0};
	weir_buf_append(&last, "{\"type\":\"guard_state\",\"tripped\":false}\n", 40);
	const struct weir_buf *lines = &net->store[0].references;
	assert_true(lines->len > 39);
	assert_memory_equal(lines->data + lines->len - 39, last.data, 39);
	weir_buf_free(&last);
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trips),
	    cmocka_unit_test(test_window),
	    cmocka_unit_test(test_least_and_off),
	    cmocka_unit_test(test_release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
