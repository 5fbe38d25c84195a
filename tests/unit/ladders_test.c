/* Ladders of alerts: levels in percent and bytes, steps, one alert for a jump, each level once a cycle. */
#include "pool_net.h"

#include "aggregators/alerts/ladders.h"

#define ACCUMULATIVE "{'type':'pool','id':'g','name':'g','carrier':'cm','plan':'pp','kind':'accumulative'}"

static struct weir_ref_alerts
mixed_ladder(void)
{
	return (struct weir_ref_alerts){
	    .id = "mixed", .level_count = 4, .levels = {{true, 50}, {true, 100}, {false, 70}, {false, 1000}}};
}

static uint16_t
reached(struct net *net, uint32_t number, uint64_t base, uint64_t used, uint64_t *next)
{
	return weir_ladder_reached(net->p[0], (uint16_t)(number + 1), base, used, next);
}

/* rule ALR-1: percent of the base to the byte, bytes whatever the base, the next one due. */
static void
test_levels(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	struct weir_ref_alerts ref = mixed_ladder();
	weir_ladder_define(net->p[0], &ref);
	uint32_t number = weir_ladder_number(net->p[0], "mixed");
	uint64_t next;
	assert_int_equal(reached(net, number, 201, 0, &next), 0);
	assert_int_equal(next, 70);
	assert_int_equal(reached(net, number, 201, 70, &next), 4);
	assert_int_equal(next, 101); /* 100.5 */
	assert_int_equal(reached(net, number, 201, 100, &next), 4);
	assert_int_equal(reached(net, number, 201, 101, &next), 4 | 1);
	assert_int_equal(next, 201);
	assert_int_equal(reached(net, number, 201, 5000, &next), 15);
	assert_int_equal(next, UINT64_MAX);
	assert_int_equal(reached(net, number, 0, 5000, &next), 4 | 8); /* percent of nothing is nothing */
	assert_int_equal(reached(net, number, UINT64_MAX - 1, UINT64_MAX / 2, &next), 4 | 8 | 1);
	assert_int_equal(next, UINT64_MAX - 1);
	net_free(net);
}

/* rule ALR-1: each level once a cycle, also when a base that grew has put one out of reach in between. */
static void
test_growing_base(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	struct weir_partition *p = net->p[0];
	struct weir_ref_alerts ref = mixed_ladder();
	struct weir_cause cause = {2, 33, NOW, NOW, 0};
	uint16_t ladder, had = 0;
	weir_ladder_define(p, &ref);
	ladder = (uint16_t)(weir_ladder_number(p, "mixed") + 1);
	assert_true(weir_ladder_alert(p, "pool", "x", ladder, 201, 101, CYCLE, &had, &cause));
	assert_false(weir_ladder_alert(p, "pool", "x", ladder, 10000, 120, CYCLE, &had, &cause));
	assert_true(weir_ladder_alert(p, "pool", "x", ladder, 10000, 1000, CYCLE, &had, &cause));
	assert_true(weir_ladder_alert(p, "pool", "x", ladder, 1000, 1001, CYCLE, &had, &cause));
	net_take_effects(net, p);
	assert_non_null(strstr(net->alerts[0], "\"levels\":[{\"percent\":50},{\"bytes\":70}]"));
	assert_non_null(strstr(net->alerts[1], "\"levels\":[{\"bytes\":1000}]"));
	assert_non_null(strstr(net->alerts[2], "\"levels\":[{\"percent\":100}]"));
	net_free(net);
}

/* rule ALR-2: who names no ladder has 50, 70, 90 and 100 %. */
static void
test_default(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	uint64_t next;
	const uint64_t levels[] = {50, 70, 90, 100};
	for (int i = 0; i < 4; i++) {
		assert_int_equal(weir_ladder_reached(net->p[0], 0, 100, levels[i] - 1, &next), (1 << i) - 1);
		assert_int_equal(next, levels[i]);
	}
	assert_int_equal(weir_ladder_reached(net->p[0], 0, 100, 100, &next), 15);
	assert_int_equal(weir_ladder_number(net->p[0], "default"), 0);
	struct weir_ref_alerts ref = {.id = "default", .level_count = 1, .levels = {{true, 10}}};
	weir_ladder_define(net->p[0], &ref);
	assert_int_equal(weir_ladder_reached(net->p[0], 0, 100, 10, &next), 1);
	net_free(net);
}

/* rule ALR-1: a recurring step; a jump over several is one alert that names the first and the last. */
static void
test_steps(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	struct weir_partition *p = net->p[0];
	struct weir_ref_alerts ref = {.id = "steps", .step_bytes = 100};
	struct weir_cause cause = {2, 33, NOW, NOW, 0};
	weir_ladder_define(p, &ref);
	uint16_t ladder = (uint16_t)(weir_ladder_number(p, "steps") + 1), had = 0;
	uint64_t next;
	assert_int_equal(weir_ladder_reached(p, ladder, 0, 99, &next), 0);
	assert_int_equal(next, 100);
	assert_false(weir_ladder_alert(p, "card", "c", ladder, 0, 99, CYCLE, &had, &cause));
	assert_true(weir_ladder_alert(p, "card", "c", ladder, 0, 350, CYCLE, &had, &cause));
	assert_int_equal(had, 3);
	assert_false(weir_ladder_alert(p, "card", "c", ladder, 0, 399, CYCLE, &had, &cause));
	assert_true(weir_ladder_alert(p, "card", "c", ladder, 0, 400, CYCLE, &had, &cause));
	net_take_effects(net, p);
	assert_int_equal(net->alert_count, 2);
	assert_non_null(strstr(net->alerts[0], "\"step\":100,\"first_step\":1,\"last_step\":3"));
	assert_non_null(strstr(net->alerts[0], "\"card\":\"c\",\"cycle\":\"2026-03\""));
	assert_non_null(strstr(net->alerts[0], "\"input\":2,\"partition\":0,\"offset\":33"));
	assert_int_equal(weir_ladder_reached(p, ladder, 0, UINT64_MAX, &next), UINT16_MAX);
	assert_int_equal(next, UINT64_MAX);
	net_free(net);
}

/* rule ALR-1: a jump over two levels of a pool is one alert with both; each once a cycle, and again in the next. */
static void
test_pool_jumps(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_plan(net, 10 * MB);
	net_apply(net, net_home("g"), ACCUMULATIVE);
	net_member(net, 1, 1, "g");
	net_tick(net);
	net_use(net, 1, 1, 7 * MB);
	net_tick(net);
	assert_non_null(net_alert(net, "\"pool\":\"g\"", "\"levels\":[{\"percent\":50},{\"percent\":70}]"));
	assert_non_null(net_alert(net, "\"pool\":\"g\"", "\"used\":7000000,\"base\":10000000"));
	uint32_t count = net->alert_count;
	net_use(net, 1, 1, MB);
	net_tick(net);
	assert_int_equal(net->alert_count, count);
	net_apply(net, net_home("g"), "{'type':'request','pool':'g','action':'addon','bytes':10000000,'id':'x'}");
	net_use(net, 1, 1, 4 * MB); /* 60 % of the new total: told before */
	net_tick(net);
	assert_null(net_alert(net, "\"pool\":\"g\"", "\"used\":12000000"));
	net_time(net, MARCH_END);
	net_use(net, 1, 1, 5 * MB);
	net_tick(net);
	assert_non_null(net_alert(net, "\"pool\":\"g\",\"cycle\":\"2026-04\"", "\"levels\":[{\"percent\":50}]"));
	net_free(net);
}

/* rule ALR-1: one ladder covers all cards of a plan; one record over several levels is one alert. */
static void
test_cards(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_broadcast(net, "{'type':'alerts','id':'own','levels':['10%%','20%%',900]}");
	net_broadcast(net, "{'type':'plan','id':'s','carrier':'cm','kind':'single','allowance':1000,'alerts':'own'}");
	for (unsigned n = 0; n < 3; n++)
		net_card_upsert(net, 0, n, "'carrier':'cm','plan':'s'");
	net_use(net, 0, 0, 99);
	net_use(net, 0, 1, 100);
	net_use(net, 0, 2, 950);
	net_use(net, 0, 2, 40);
	net_round(net, 0);
	assert_int_equal(net->alert_count, 2);
	assert_non_null(net_alert(net, "89860000000000000001", "\"levels\":[{\"percent\":10}]"));
	assert_non_null(
	    net_alert(net, "89860000000000000002", "\"levels\":[{\"percent\":10},{\"percent\":20},{\"bytes\":900}]"));
	net_free(net);
}

/* A ladder's number is its for ever: names are stored in order, and a load gives the same ones. */
static void
test_load(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_broadcast(net, "{'type':'alerts','id':'a','step':100}");
	net_broadcast(net, "{'type':'alerts','id':'b','step':200}");
	assert_int_equal(weir_ladder_number(net->p[0], "b"), 2);
	net_flush(net, 0);
	net_crash(net, 0);
	uint64_t next;
	assert_int_equal(weir_ladder_number(net->p[0], "b"), 2);
	(void)weir_ladder_reached(net->p[0], 3, 0, 0, &next);
	assert_int_equal(next, 200);
	(void)weir_ladder_reached(net->p[0], 999, 100, 0, &next); /* stored bytes may say anything */
	assert_int_equal(next, 50);
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_growing_base),
	    cmocka_unit_test(test_default),
	    cmocka_unit_test(test_steps),
	    cmocka_unit_test(test_pool_jumps),
	    cmocka_unit_test(test_cards),
	    cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
