/*
 * Pools: totals by kind, the worked examples, add-ons, the metered pool's status, cycles, and partials that are late,
 * repeated, of a zombie or of a replay. Whole loops over four partitions; what one partition alone does is in
 * pool_local_test.c.
 */
#include "pool_net.h"

#define ACCUMULATIVE "{'type':'pool','id':'g','name':'g','carrier':'cm','plan':'pp','kind':'accumulative'}"

/* Three members of 10 MB each in three partitions. */
static struct net *
three_members(void)
{
	struct net *net = net_new_at(NOW);
	net_plan(net, 10 * MB);
	net_apply(net, net_home("g"), ACCUMULATIVE);
	for (unsigned n = 0; n < 3; n++)
		net_member(net, n, n, "g");
	net_pump(net);
	return net;
}

/* rule POOL-1: three cards of 10 MB that used 20, 2 and 2 have 6 MB left, and nobody is cut off. */
static void
test_worked_example(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 20 * MB);
	net_use(net, 1, 1, 2 * MB);
	net_use(net, 2, 2, 2 * MB);
	net_tick(net);
	const struct weir_pool_slot *pool = net_pool(net, "g");
	assert_int_equal(pool->effective_total, 30 * MB);
	assert_int_equal(pool->effective_total - pool->used, 6 * MB);
	assert_int_equal(pool->members, 3);
	assert_int_equal(pool->active, 3);
	assert_int_equal(pool->reasons, 0);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(net_card(net, n, n)->reasons, 0);
	net_free(net);
}

/* rule POOL-7, rule POOL-4: exhaustion reaches every member wherever it is; an add-on resumes all but who is over a limit
 * of its own. */
static void
test_exhausted_and_added_on(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_card_upsert(net, 1, 1, "'limit':1000000");
	net_use(net, 1, 1, 2 * MB);
	net_use(net, 0, 0, 28 * MB - 1);
	net_tick(net);
	assert_false(HAS(net_card(net, 2, 2), WEIR_REASON_POOL_EXHAUSTED)); /* one byte is left: never early */
	assert_int_equal(net_card(net, 1, 1)->reasons, WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT));
	net_use(net, 2, 2, 1);
	net_tick(net);
	assert_true(HAS(net_pool(net, "g"), WEIR_REASON_POOL_EXHAUSTED));
	for (unsigned n = 0; n < 3; n++)
		assert_true(HAS(net_card(net, n, n), WEIR_REASON_POOL_EXHAUSTED));
	net_apply(net, net_home("g"), "{'type':'request','pool':'g','action':'addon','bytes':5000000,'id':'a1'}");
	net_pump(net);
	assert_int_equal(net_card(net, 0, 0)->reasons, 0);
	assert_int_equal(net_card(net, 1, 1)->reasons, WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT));
	assert_int_equal(net_card(net, 2, 2)->reasons, 0);
	net_free(net);
}

/* rule CMD-4 for pools: the decision names limit, usage before and after, cycle and what went over. */
static void
test_decisions_are_audited(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 10 * MB);
	net_tick(net);
	net->audit_count = 0;
	net_use(net, 1, 1, 25 * MB);
	net_tick(net);
	assert_int_equal(net->audit_count, 1);
	const struct weir_audit *audit = &net->audits[0];
	assert_string_equal(audit->pool, "g");
	assert_int_equal(audit->slot, UINT32_MAX);
	assert_int_equal(audit->event, WEIR_AUDIT_DECIDED);
	assert_int_equal(audit->action, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(audit->reason, WEIR_REASON_POOL_EXHAUSTED);
	assert_int_equal(audit->limit, 30 * MB);
	assert_int_equal(audit->usage_before, 10 * MB);
	assert_int_equal(audit->usage_after, 35 * MB);
	assert_int_equal(audit->overshoot, 5 * MB);
	assert_int_equal(audit->cycle, CYCLE);
	net_free(net);
}

/* rule POOL-2: suspended members count, expired, deactivated and cancelled ones do not; their usage stays. */
static void
test_who_counts(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 1, 1, 3 * MB);
	net_card_upsert(net, 0, 0, "'status':'suspended'");
	net_card_upsert(net, 1, 1, "'status':'deactivated'");
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->members, 3);
	assert_int_equal(net_pool(net, "g")->active, 2);
	assert_int_equal(net_pool(net, "g")->effective_total, 20 * MB);
	assert_int_equal(net_pool(net, "g")->used, 3 * MB);
	net_card_upsert(net, 1, 1, "'status':'in_use'");
	net_card_upsert(net, 2, 2, "'status':'testable'");
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->active, 2);
	net_free(net);
}

/* rule POOL-1: a fixed pool's total is what was bought, whoever is in it; a metered one has none. */
static void
test_other_kinds(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_plan(net, 10 * MB);
	net_apply(net, net_home("f"), "{'type':'pool','id':'f','carrier':'cm','plan':'pp','kind':'fixed','total':5000000}");
	net_apply(net, net_home("m"), "{'type':'pool','id':'m','carrier':'cm','plan':'pp','kind':'metered'}");
	for (unsigned n = 0; n < 4; n++)
		net_member(net, n, n, n < 2 ? "f" : "m");
	net_use(net, 0, 0, 5 * MB);
	net_use(net, 2, 2, 500 * MB);
	net_tick(net);
	assert_int_equal(net_pool(net, "f")->effective_total, 5 * MB);
	assert_true(HAS(net_card(net, 1, 1), WEIR_REASON_POOL_EXHAUSTED));
	assert_int_equal(net_pool(net, "m")->effective_total, UINT64_MAX);
	assert_int_equal(net_pool(net, "m")->used, 500 * MB);
	assert_int_equal(net_card(net, 3, 3)->reasons, 0);
	net_apply(net, net_home("f"), "{'type':'request','pool':'f','action':'addon','bytes':1,'id':'x'}");
	net_pump(net);
	assert_int_equal(net_pool(net, "f")->effective_total, 5 * MB + 1);
	assert_int_equal(net_card(net, 1, 1)->reasons, 0);
	net_free(net);
}

/* rule POOL-1: the last three add-ons of a cycle are told apart by id; one for another cycle is refused by the rule's name.
 */
static void
test_addons(void **state)
{
	(void)state;
	struct net *net = three_members();
	uint32_t home = net_home("g");
	for (int again = 0; again < 2; again++)
		for (int i = 0; i < 3; i++)
			net_apply(net, home, "{'type':'request','pool':'g','action':'addon','bytes':100,'id':'a%d'}", i);
	assert_int_equal(net_pool(net, "g")->addon_bytes, 300);
	assert_int_equal(
	    net_try(net, home, "{'type':'request','pool':'g','action':'addon','bytes':9,'cycle':'2026-02','id':'b'}"),
	    WEIR_POISON);
	assert_non_null(strstr(net_last_refusal(net), "POOL-1"));
	net_apply(net, home, "{'type':'request','pool':'g','action':'addon','bytes':9,'cycle':'2026-03','id':'c'}");
	assert_int_equal(net_pool(net, "g")->effective_total, 30 * MB + 309);
	net_time(net, MARCH_END);
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->effective_total, 30 * MB); /* ended with its cycle */
	assert_int_equal(
	    net_try(net, home, "{'type':'request','pool':'h','action':'addon','bytes':9,'id':'b'}"), WEIR_POISON);
	net_free(net);
}

/* rule POOL-1: a member's message that does not fit is refused whole; so is a definition that would no longer fit its
 * members. */
static void
test_misfits_are_refused(void **state)
{
	(void)state;
	struct net *net = three_members();
	uint32_t home = net_home("g");
	net_broadcast(net, "{'type':'plan','id':'other','carrier':'cm','kind':'accumulative','allowance':1}");
	assert_int_equal(
	    net_try(net, 0, "{'type':'card','iccid':'89860000000000000077','carrier':'cm','plan':'other','pool':'g'}"),
	    WEIR_POISON);
	assert_non_null(strstr(net_last_refusal(net), "POOL-1"));
	struct weir_iccid iccid = net_iccid(77);
	uint32_t slot;
	assert_null(weir_partition_find(net->p[0], iccid, &slot));
	assert_int_equal(net_try(net, home, "{'type':'pool','id':'g','carrier':'cm','plan':'other','kind':'accumulative'}"),
	    WEIR_POISON);
	assert_non_null(strstr(net_last_refusal(net), "POOL-1"));
	assert_int_equal(
	    net_try(net, home, "{'type':'pool','id':'u','carrier':'cu','plan':'pp','kind':'accumulative'}"), WEIR_POISON);
	for (unsigned n = 0; n < 3; n++)
		net_card_upsert(net, n, n, "'pool':null");
	net_pump(net);
	net_apply(net, home, "{'type':'pool','id':'g','carrier':'cm','plan':'other','kind':'accumulative'}");
	net_free(net);
}

/* rule POOL-1: sums and products end at 2^64 - 1 instead of beginning anew. */
static void
test_saturation(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_plan(net, INT64_MAX);
	net_apply(net, net_home("g"), ACCUMULATIVE);
	for (unsigned n = 0; n < 3; n++) {
		net_member(net, n, n, "g");
		net_use(net, n, n, UINT64_MAX / 2);
	}
	net_use(net, 0, 0, UINT64_MAX / 2);
	net_use(net, 0, 0, UINT64_MAX / 2);
	net_tick(net);
	assert_int_equal(net_pool_local(net, 0, "g")->down, UINT64_MAX);
	assert_int_equal(net_pool(net, "g")->used, UINT64_MAX);
	assert_int_equal(net_pool(net, "g")->effective_total, UINT64_MAX);
	net_free(net);
}

/* ---- POOL-5 ---- */

static struct net *
metered(const char *action)
{
	struct net *net = net_new_at(NOW);
	net_plan(net, 10 * MB);
	net_apply(net, net_home("m"),
	    "{'type':'pool','id':'m','carrier':'cm','plan':'pp','kind':'metered','threshold':1000000,"
	    "'threshold_action':'%s','retention_days':10}",
	    action);
	net_member(net, 0, 0, "m");
	net_member(net, 3, 3, "m");
	net_pump(net);
	return net;
}

/* rule POOL-5: a threshold that suspends, raised again or met anew in the next cycle. */
static void
test_threshold_suspends(void **state)
{
	(void)state;
	struct net *net = metered("suspend");
	net_use(net, 0, 0, MB);
	net_tick(net);
	assert_true(HAS(net_card(net, 3, 3), WEIR_REASON_POOL_THRESHOLD));
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_SUSPENDED);
	net_apply(net, net_home("m"),
	    "{'type':'pool','id':'m','carrier':'cm','plan':'pp','kind':'metered','threshold':1000001,"
	    "'threshold_action':'suspend'}");
	net_pump(net);
	assert_int_equal(net_card(net, 3, 3)->reasons, 0);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_IN_USE);
	net_free(net);
}

/* A threshold that only alerts does so once a cycle. */
static void
test_threshold_alerts(void **state)
{
	(void)state;
	struct net *net = metered("alert");
	for (int i = 0; i < 3; i++) {
		net_use(net, 0, 0, MB);
		net_tick(net);
	}
	uint32_t count = 0;
	for (uint32_t i = 0; i < net->alert_count; i++)
		count += strstr(net->alerts[i], "\"pool_threshold\"") != NULL;
	assert_int_equal(count, 1);
	assert_int_equal(net_card(net, 3, 3)->reasons, 0);
	net_time(net, MARCH_END);
	net_use(net, 0, 0, MB);
	net_tick(net);
	assert_non_null(net_alert(net, "\"pool_threshold\"", "\"2026-04\""));
	net_free(net);
}

/* rule POOL-5: arrears suspend, paying clears; past the retention period disabled; enabled again within a month. */
static void
test_arrears(void **state)
{
	(void)state;
	struct net *net = metered("alert");
	uint32_t home = net_home("m");
	net_apply(net, home, "{'type':'request','pool':'m','action':'freeze','id':'f1'}");
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_SUSPENDED);
	assert_true(HAS(net_card(net, 3, 3), WEIR_REASON_POOL_FROZEN));
	net_apply(net, home, "{'type':'request','pool':'m','action':'paid','id':'p1'}");
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_IN_USE);
	assert_int_equal(net_card(net, 3, 3)->reasons, 0);

	net_apply(net, home, "{'type':'request','pool':'m','action':'freeze','id':'f2'}");
	net_time(net, NOW + 10 * DAY - S);
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_SUSPENDED);
	assert_true(HAS(net_card(net, 3, 3), WEIR_REASON_POOL_FROZEN)); /* also in the next cycle */
	net_time(net, NOW + 10 * DAY);
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_DISABLED);
	net_apply(net, home, "{'type':'request','pool':'m','action':'paid','id':'p2'}");
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_DISABLED);
	assert_true(HAS(net_card(net, 3, 3), WEIR_REASON_POOL_FROZEN));
	net_time(net, NOW + 40 * DAY - S); /* disabled on 9 April */
	net_apply(net, home, "{'type':'request','pool':'m','action':'enable','id':'e1'}");
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_IN_USE);
	assert_int_equal(net_card(net, 3, 3)->reasons, 0);
	net_free(net);
}

/* rule POOL-5: enabling ends the arrears too, so retention does not run out again. Other kinds are never disabled. */
static void
test_enable_unpaid(void **state)
{
	(void)state;
	struct net *net = metered("alert");
	uint32_t home = net_home("m");
	net_apply(net, net_home("g"), ACCUMULATIVE);
	net_apply(net, home, "{'type':'request','pool':'m','action':'freeze','id':'f1'}");
	net_apply(net, net_home("g"), "{'type':'request','pool':'g','action':'freeze','id':'f1'}");
	net_time(net, NOW + 31 * DAY);
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_DISABLED);
	assert_int_equal(net_pool(net, "g")->status, WEIR_POOL_SUSPENDED);
	net_apply(net, home, "{'type':'request','pool':'m','action':'enable','id':'e1'}");
	net_time(net, NOW + 39 * DAY);
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_IN_USE);
	assert_int_equal(net_card(net, 3, 3)->reasons, 0);
	net_free(net);
}

/* rule POOL-5: after a month a disabled pool stays so. */
static void
test_enable_too_late(void **state)
{
	(void)state;
	struct net *net = metered("alert");
	net_apply(net, net_home("m"), "{'type':'request','pool':'m','action':'freeze','id':'f1'}");
	net_time(net, NOW + 40 * DAY);
	net_pump(net);
	assert_int_equal(net_pool(net, "m")->status, WEIR_POOL_DISABLED);
	assert_int_equal(
	    net_try(net, net_home("m"), "{'type':'request','pool':'m','action':'enable','id':'e1'}"), WEIR_POISON);
	assert_non_null(strstr(net_last_refusal(net), "POOL-5"));
	net_free(net);
}

/* ---- cycles ---- */

static const struct weir_closed_cycle_slot *
closed_cycle_of(struct net *net, const char *id, uint16_t cycle)
{
	struct weir_partition *p = net->p[net_home(id)];
	uint32_t slot;
	assert_non_null(weir_partition_find_pool(p, id, &slot));
	const struct weir_closed_cycle_entry *entry = weir_closed_cycles_find(&p->tables.pool_closed_cycles, cycle, slot);
	return entry == NULL ? NULL : &entry->value;
}

/* rule CYC-4, rule CYC-3: at the boundary, by the clock alone, usage restarts, members resume, the total is kept. */
static void
test_boundary(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 31 * MB);
	net_tick(net);
	assert_true(HAS(net_card(net, 2, 2), WEIR_REASON_POOL_EXHAUSTED));
	net_time(net, MARCH_END - 1);
	net_pump(net);
	assert_true(HAS(net_card(net, 2, 2), WEIR_REASON_POOL_EXHAUSTED));
	net_time(net, MARCH_END);
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->cycle, CYCLE + 1);
	assert_int_equal(net_pool(net, "g")->used, 0);
	assert_int_equal(net_pool(net, "g")->reasons, 0);
	for (unsigned n = 0; n < 3; n++)
		assert_int_equal(net_card(net, n, n)->reasons, 0);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->down, 31 * MB);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->records, 1);
	net_free(net);
}

/* rule CYC-3: two cycles that used the same are two totals; a source ahead of the clock takes neither away. */
static void
test_closed_cycles_stay(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 5 * MB);
	net_tick(net);
	net_time(net, MARCH_END + HOUR);
	net_use(net, 0, 0, 5 * MB);
	net_tick(net);
	net_time(net, MARCH_END + 30 * DAY - 2 * S);
	net_use_at(net, 0, 0, 7 * MB, MARCH_END + 30 * DAY + S);
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->cycle, CYCLE + 1);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->down, 5 * MB);
	net_time(net, MARCH_END + 30 * DAY + HOUR);
	net_pump(net);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE + 1)->down, 5 * MB);
	net_free(net);
}

/* rule REC-6: a late record restates the closed cycle, in the pool as well, and leaves the current one alone. */
static void
test_late_record_restates(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 5 * MB);
	net_tick(net);
	net_time(net, MARCH_END + HOUR);
	net_use(net, 0, 0, MB);
	net_tick(net);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->down, 5 * MB);
	weir_pool_local_count(
	    net->p[0], 0, CYCLE, 0, 2 * MB, false, 0); /* as the fold does once the past has been fetched */
	weir_pool_local_count(net->p[1], 0, CYCLE, 1 * MB, 0, false, 0); /* whose account is still in March */
	net_tick(net);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->down, 7 * MB);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->up, MB);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->records, 3);
	assert_int_equal(net_pool(net, "g")->used, MB);
	net_free(net);
}

/* rule POOL-3 around a boundary: a source whose clock is ahead still tells the cycle that is the pool's. */
static void
test_source_ahead_of_the_pool(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 5 * MB);
	net_time(net, MARCH_END - 2 * S);
	net_use_at(net, 0, 0, 7 * MB, MARCH_END + S); /* within the skew */
	net_use(net, 1, 1, MB);
	net_tick(net);
	assert_int_equal(net_pool_local(net, 0, "g")->cycle, CYCLE + 1);
	assert_int_equal(net_pool(net, "g")->used, 6 * MB);
	net_time(net, MARCH_END);
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->used, 7 * MB);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE)->down, 6 * MB);
	net_free(net);
}

/* ---- partials ---- */

static struct weir_usage_report
make_report(uint64_t epoch, bool caught_up, uint32_t active, uint64_t used)
{
	return (struct weir_usage_report){.magic = "WPA1",
	    .source = 0,
	    .epoch = epoch,
	    .members = 3,
	    .active = active,
	    .cycle = CYCLE,
	    .flags = caught_up ? WEIR_REPORT_CAUGHT_UP : 0,
	    .down = used,
	    .records = used,
	    .pool = "g"};
}

static enum weir_class
give_report(struct weir_partition *p, const struct weir_usage_report *given)
{
	struct weir_error err;
	return weir_partition_apply_report(
	    p, (struct weir_slice){(const uint8_t *)given, sizeof(*given)}, p->clock.now_us, &err);
}

/* rule POOL-7: lower epochs are a zombie's; unsettled numbers only raise; a settled partial is the truth again. */
static void
test_fenced_owners_and_replays(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	struct weir_partition *p = net->p[net_home("g")];
	net_plan(net, 10 * MB);
	net_apply(net, net_home("g"), ACCUMULATIVE);
	struct weir_usage_report given = make_report(10, true, 2, 500);
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->used, 500);
	given = make_report(9, true, 3, 900);
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->used, 500);
	given = make_report(11, false, 1, 300); /* a replay has come half-way */
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->used, 500);
	assert_int_equal(net_pool(net, "g")->active, 2);
	given = make_report(10, true, 2, 800); /* the overthrown owner again */
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->used, 500);
	given = make_report(11, false, 3, 600);
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->used, 600);
	assert_int_equal(net_pool(net, "g")->active, 3);
	given = make_report(11, true, 1, 450);
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(net_pool(net, "g")->used, 450);
	assert_int_equal(net_pool(net, "g")->active, 1);
	net_free(net);
}

/* rule REC-6 in a replay: an unsettled partial of the cycle before only raises what the share has of it. */
static void
test_replay_of_the_cycle_before(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	struct weir_partition *p = net->p[net_home("g")];
	net_apply(net, net_home("g"), ACCUMULATIVE);
	struct weir_usage_report given = make_report(10, true, 2, 500);
	given.before_down = 70;
	assert_int_equal(give_report(p, &given), WEIR_OK);
	given = make_report(11, false, 2, 60);
	given.cycle = CYCLE - 1;
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE - 1)->down, 70);
	given.down = 90;
	assert_int_equal(give_report(p, &given), WEIR_OK);
	assert_int_equal(closed_cycle_of(net, "g", CYCLE - 1)->down, 90);
	assert_int_equal(net_pool(net, "g")->used, 500);
	net_free(net);
}

/* Bytes from a topic are input: what is no partial is refused and changes nothing. */
static void
test_garbage(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	struct weir_partition *p = net->p[0];
	struct weir_error err;
	struct weir_usage_report good = make_report(10, true, 2, 500), bad = good;
	for (size_t len = 0; len < sizeof(good); len++)
		assert_int_equal(
		    weir_partition_apply_report(p, (struct weir_slice){(const uint8_t *)&good, len}, NOW, &err),
		    WEIR_POISON);
	bad.magic[3] = '2';
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	bad = good;
	bad.source = NET_PARTITIONS;
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	bad = good;
	bad.active = 4;
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	bad = good;
	memset(bad.pool, 'x', sizeof(bad.pool));
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	bad = good;
	bad.pool[0] = '\0';
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	bad = good;
	bad.pool[5] = 'x'; /* behind the end */
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	bad = good;
	bad.pool[0] = '"';
	assert_int_equal(give_report(p, &bad), WEIR_POISON);
	assert_int_equal(p->tables.pools.used, 0);
	assert_int_equal(give_report(p, &good), WEIR_OK);
	net_free(net);
}

/* rule POOL-1: a pool without a definition sums and cuts nothing; defined, it has its cycle and total at once. */
static void
test_undefined(void **state)
{
	(void)state;
	struct net *net = net_new_at(NOW);
	net_plan(net, MB);
	for (unsigned n = 0; n < 3; n++) {
		net_member(net, n, n, "g");
		net_use(net, n, n, 2 * MB);
	}
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->used, 6 * MB);
	assert_int_equal(net_pool(net, "g")->members, 3);
	assert_int_equal(net_card(net, 0, 0)->reasons, 0);
	net_apply(net, net_home("g"), ACCUMULATIVE);
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->cycle, CYCLE);
	assert_int_equal(net_pool(net, "g")->effective_total, 3 * MB);
	for (unsigned n = 0; n < 3; n++)
		assert_true(HAS(net_card(net, n, n), WEIR_REASON_POOL_EXHAUSTED));
	net_free(net);
}

/* rule SUS-2: a plan that is defined anew moves its pools' totals, and what hangs on them. */
static void
test_plan_changes(void **state)
{
	(void)state;
	struct net *net = three_members();
	net_use(net, 0, 0, 25 * MB);
	net_tick(net);
	net_plan(net, 8 * MB);
	net_pump(net);
	assert_int_equal(net_pool(net, "g")->effective_total, 24 * MB);
	assert_true(HAS(net_card(net, 2, 2), WEIR_REASON_POOL_EXHAUSTED));
	net_plan(net, 9 * MB);
	net_pump(net);
	assert_int_equal(net_card(net, 2, 2)->reasons, 0);
	net_free(net);
}

/* rule POOL-6: what a pool shows survives its owner: definition, sums, reasons, add-ons, past. */
static void
test_load(void **state)
{
	(void)state;
	struct net *net = three_members();
	uint32_t home = net_home("g");
	net_apply(net, home, "{'type':'request','pool':'g','action':'addon','bytes':1000000,'id':'a1'}");
	net_use(net, 0, 0, 31 * MB);
	net_tick(net);
	struct weir_pool_slot before = *net_pool(net, "g");
	net_flush(net, home);
	net_crash(net, home);
	assert_memory_equal(net_pool(net, "g"), &before, sizeof(before));
	net_apply(net, home, "{'type':'request','pool':'g','action':'addon','bytes':1000000,'id':'a1'}");
	assert_int_equal(net_pool(net, "g")->addon_bytes, MB);
	weir_partition_caught_up(net->p[home], true, true);
	net_pump(net);
	assert_true(HAS(net_card(net, 2, 2), WEIR_REASON_POOL_EXHAUSTED));
	net_free(net);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_worked_example),
	    cmocka_unit_test(test_exhausted_and_added_on),
	    cmocka_unit_test(test_decisions_are_audited),
	    cmocka_unit_test(test_who_counts),
	    cmocka_unit_test(test_other_kinds),
	    cmocka_unit_test(test_addons),
	    cmocka_unit_test(test_misfits_are_refused),
	    cmocka_unit_test(test_saturation),
	    cmocka_unit_test(test_threshold_suspends),
	    cmocka_unit_test(test_threshold_alerts),
	    cmocka_unit_test(test_arrears),
	    cmocka_unit_test(test_enable_unpaid),
	    cmocka_unit_test(test_enable_too_late),
	    cmocka_unit_test(test_boundary),
	    cmocka_unit_test(test_closed_cycles_stay),
	    cmocka_unit_test(test_late_record_restates),
	    cmocka_unit_test(test_source_ahead_of_the_pool),
	    cmocka_unit_test(test_fenced_owners_and_replays),
	    cmocka_unit_test(test_replay_of_the_cycle_before),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_undefined),
	    cmocka_unit_test(test_plan_changes),
	    cmocka_unit_test(test_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
