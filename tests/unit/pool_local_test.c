/*
 * Accounts: a pool on the cards' side. Members and who of them counts, usage by cycle, partials when they are due, words
 * newer only, walks whose members leave under way, and what a load refuses.
 */
#include "pool_net.h"

#define ACCUMULATIVE "{'type':'pool','id':'g','name':'g','carrier':'cm','plan':'pp','kind':'accumulative'}"

static struct net *
fresh_net(void)
{
	struct net *net = net_new_at(NOW);
	net_plan(net, 10 * MB);
	return net;
}

/* A word to partition 0's account "g", of the plan "pp". */
static struct weir_ref_pool_state
pool_state(uint64_t version, uint16_t reasons, uint32_t active)
{
	return (struct weir_ref_pool_state){.pool = "g",
	    .epoch = 7,
	    .version = version,
	    .defined = true,
	    .carrier = "cm",
	    .plan = "pp",
	    .kind = WEIR_PLAN_ACCUMULATIVE,
	    .cycle = CYCLE,
	    .reasons = reasons,
	    .unreported_allowance = 1000000,
	    .limit = reasons != 0 ? 20 * MB : 0,
	    .used = 20 * MB,
	    .active = active};
}

static void
hear_state(struct net *net, struct weir_ref_pool_state said)
{
	struct weir_error err;
	assert_int_equal(weir_pool_local_apply_state(net->p[0], &said, &err), WEIR_OK);
}

static const uint16_t EXHAUSTED = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED);
static const uint16_t FROZEN = WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN);

static void
scan_all_members(struct net *net)
{
	while (weir_pool_locals_scan(net->p[0], 2))
		;
}

/* ---- members ---- */

/* Its list from the head: as many as it says, every link answered. */
static uint32_t
count_list(struct net *net, const struct weir_pool_local_slot *a)
{
	uint32_t count = 0, before = 0;
	for (uint32_t at = a->first; at != 0; at = weir_lifecycle_at(net->p[0], at - 1)->next) {
		const struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(net->p[0], at - 1);
		assert_int_equal(lifecycle->prev, before);
		assert_ptr_equal(weir_pool_local_at(net->p[0], lifecycle->pool_local - 1), a);
		before = at;
		assert_true(++count <= a->members);
	}
	return count;
}

/* rule POOL-2: joining, leaving, activity, in any order; the account counts what the cards are. */
static void
test_members_at_random(void **state)
{
	(void)state;
	enum { CARDS = 40 };
	static const char *const pools[] = {"", "g", "h"};
	struct net *net = fresh_net();
	srand(11);
	for (unsigned n = 0; n < CARDS; n++)
		net_member(net, 0, n, "g");
	for (int i = 0; i < 4000; i++) {
		uint32_t slot = net_slot(net, 0, (unsigned)rand() % CARDS);
		struct weir_card_slot *card = weir_card_at(net->p[0], slot);
		switch (rand() % 4) {
		case 0:
			card->flags ^= WEIR_CARD_EXPIRED;
			weir_pool_local_activity(net->p[0], slot, weir_card_is_activated(card));
			break;
		case 1: /* both at once: a change of status on the way into another pool */
			card->flags ^= WEIR_CARD_EXPIRED;
			/* fall through */
		default:
			weir_pool_local_move(net->p[0], slot, pools[rand() % 3]);
		}
		if (i % 16 != 0)
			continue;
		uint32_t members[3] = {0}, active[3] = {0};
		for (unsigned n = 0; n < CARDS; n++) {
			const struct weir_pool_local_slot *a = weir_pool_local_of(net->p[0], net_slot(net, 0, n));
			int k = a == NULL ? 0 : a->pool[0] == 'g' ? 1 : 2;
			members[k]++;
			active[k] += weir_card_is_activated(net_card(net, 0, n));
		}
		for (int k = 1; k < 3; k++) {
			uint32_t found;
			const struct weir_pool_local_slot *a = weir_partition_find_pool_local(net->p[0], pools[k], &found);
			if (a == NULL)
				continue;
			assert_int_equal(a->members, members[k]);
			assert_int_equal(count_list(net, a), members[k]);
			assert_int_equal(a->active, active[k]);
		}
	}
	net_free(net);
}

/* rule POOL-3: a card that moves leaves its usage where it was counted, and brings only what it uses from then on. */
static void
test_usage_stays(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	net_use(net, 0, 1, 500);
	net_member(net, 0, 1, "h");
	net_use(net, 0, 1, 70);
	net_card_upsert(net, 0, 1, "'pool':null");
	net_use(net, 0, 1, 9);
	assert_int_equal(net_pool_local(net, 0, "g")->down, 500);
	assert_int_equal(net_pool_local(net, 0, "h")->down, 70);
	assert_int_equal(net_card(net, 0, 1)->down, 579);
	assert_int_equal(net_pool_local(net, 0, "g")->members, 0);
	net_tick(net);
	assert_int_equal(net_pool(net, "g")->used, 500);
	assert_int_equal(net_pool(net, "h")->used, 70);
	net_free(net);
}

/* rule SUS-3: moving from an exhausted pool into one that is not takes the pool's reason away and keeps the card's own. */
static void
test_moving_keeps_own_reasons(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	net_card_upsert(net, 0, 1, "'limit':10");
	net_use(net, 0, 1, 10);
	hear_state(net, pool_state(1, EXHAUSTED, 1));
	scan_all_members(net);
	assert_true(HAS(net_card(net, 0, 1), WEIR_REASON_POOL_EXHAUSTED));
	net_member(net, 0, 1, "h");
	assert_int_equal(net_card(net, 0, 1)->reasons, WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT));
	net_member(net, 0, 1, "g");
	assert_true(HAS(net_card(net, 0, 1), WEIR_REASON_USAGE_LIMIT));
	net_free(net);
}

/* rule LIFE-6: who is not activated is a member, uses, and is not cut off by its pool. */
static void
test_inactive_members(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	net_member(net, 0, 2, "g");
	net_card_upsert(net, 0, 2, "'status':'deactivated'");
	net_use(net, 0, 2, 5);
	assert_int_equal(net_pool_local(net, 0, "g")->down, 5);
	hear_state(net, pool_state(1, EXHAUSTED, 1));
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 1)->reasons, EXHAUSTED);
	assert_int_equal(net_card(net, 0, 2)->reasons, 0);
	net_free(net);
}

/* ---- usage by cycle ---- */

/* rule REC-5, rule REC-6: by the cycle of the record; the cycle before is kept beside, older ones are nobody's. */
static void
test_cycles(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	struct weir_partition *p = net->p[0];
	uint32_t pool_local = weir_pool_local_get(p, "g");
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	weir_pool_local_count(p, pool_local, 100, 1, 2, false, 0);
	weir_pool_local_count(p, pool_local, 101, 10, 20, false, 0);
	assert_int_equal(a->before_up, 1);
	assert_int_equal(a->before_down, 2);
	assert_int_equal(a->up, 10);
	weir_pool_local_count(p, pool_local, 100, 3, 0, false, 0);
	assert_int_equal(a->before_up, 4);
	assert_int_equal(a->before_records, 2);
	assert_int_equal(p->stats.unattributed, 0);
	weir_pool_local_count(p, pool_local, 99, 3, 0, false, 0);
	assert_int_equal(p->stats.unattributed, 1);
	weir_pool_local_count(p, pool_local, 104, 5, 0, false, 0); /* months without a record */
	assert_int_equal(a->before_up, 0);
	assert_int_equal(a->up, 5);
	assert_int_equal(a->cycle, 104);
	net_free(net);
}

/* ---- partials ---- */

static uint32_t
count_outbox(struct net *net)
{
	weir_partition_publish(net->p[0]);
	uint32_t count = 0;
	for (uint32_t i = 0; i < net->p[0]->effects.outbox.n; i++)
		count += net->p[0]->effects.outbox.v[i].topic == WEIR_OUTBOX_USAGE_REPORTS;
	net->p[0]->effects.outbox.n = 0;
	return count;
}

/* Usage below the slack waits for the tick, above it goes with the round; a round's records are one partial. */
static void
test_when_reports_are_due(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	assert_int_equal(count_outbox(net), 1); /* it is new, and has a member */
	assert_int_equal(count_outbox(net), 0);
	struct weir_ref_pool_state said = pool_state(1, 0, 1);
	said.unreported_allowance = 100;
	hear_state(net, said);
	net_use(net, 0, 1, 1);
	assert_int_equal(count_outbox(net), 1); /* the account's first cycle */
	net_time(net, net->now_us + 2 * S);
	assert_int_equal(count_outbox(net), 0); /* takes the tick away */
	for (int i = 0; i < 99; i++)
		net_use(net, 0, 1, 1);
	assert_int_equal(count_outbox(net), 0);
	for (int i = 0; i < 500; i++)
		net_use(net, 0, 1, 1);
	assert_int_equal(count_outbox(net), 1);
	assert_int_equal(count_outbox(net), 0);
	net_use(net, 0, 1, 1);
	assert_int_equal(count_outbox(net), 0);
	net_time(net, net->now_us + S - 1);
	assert_int_equal(count_outbox(net), 0);
	net_time(net, net->now_us + 1);
	assert_int_equal(count_outbox(net), 1);
	net_time(net, net->now_us + S);
	assert_int_equal(count_outbox(net), 0); /* nothing that was not told */
	net_use(net, 0, 1, 50);
	assert_int_equal(count_outbox(net), 0);
	said.version = 2;
	said.unreported_allowance = 40; /* what it holds back has become too much */
	hear_state(net, said);
	assert_int_equal(count_outbox(net), 1);
	net_card_upsert(net, 0, 1, "'status':'deactivated'");
	assert_int_equal(count_outbox(net), 1);
	/* The cycle before moves by the slack: for a pool whose clock is behind it is the current one. */
	weir_pool_local_count(net->p[0], 0, CYCLE - 1, 39, 0, false, 0);
	assert_int_equal(count_outbox(net), 0);
	weir_pool_local_count(net->p[0], 0, CYCLE - 1, 1, 0, false, 0);
	assert_int_equal(count_outbox(net), 1);
	net_free(net);
}

/* What a partial says, and that it is settled only once the stage is. */
static void
test_what_reports_say(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	struct weir_partition *p = net->p[0];
	net_member(net, 0, 1, "g");
	net_member(net, 0, 2, "g");
	net_card_upsert(net, 0, 2, "'status':'cancelled'");
	net_use(net, 0, 1, 77);
	p->pools_work.cards_caught_up = false;
	weir_partition_publish(p);
	assert_int_equal(p->effects.outbox.n, 1);
	struct weir_usage_report said;
	assert_int_equal(p->effects.outbox.v[0].value_len, sizeof(said));
	assert_int_equal(p->effects.outbox.v[0].partition, WEIR_OUTBOX_BY_KEY);
	memcpy(
	    &said, p->effects.outbox.bytes.data + p->effects.outbox.v[0].at + p->effects.outbox.v[0].key_len, sizeof(said));
	assert_memory_equal(p->effects.outbox.bytes.data + p->effects.outbox.v[0].at, "g", p->effects.outbox.v[0].key_len);
	assert_memory_equal(said.magic, "WPA1", 4);
	assert_string_equal(said.pool, "g");
	assert_int_equal(said.source, 0);
	assert_int_equal(said.epoch, net->epoch);
	assert_int_equal(said.members, 2);
	assert_int_equal(said.active, 1);
	assert_int_equal(said.cycle, CYCLE);
	assert_int_equal(said.down, 77);
	assert_int_equal(said.records, 1);
	assert_int_equal(said.crossed_us, NOW);
	assert_int_equal(said.flags, WEIR_REPORT_ASKS);
	p->effects.outbox.n = 0;
	weir_partition_caught_up(p, true, false); /* tells all again, now as the truth */
	assert_int_equal(p->effects.outbox.n, 1);
	memcpy(
	    &said, p->effects.outbox.bytes.data + p->effects.outbox.v[0].at + p->effects.outbox.v[0].key_len, sizeof(said));
	assert_int_equal(said.flags, WEIR_REPORT_ASKS | WEIR_REPORT_CAUGHT_UP);
	net_free(net);
}

/* ---- words ---- */

/* rule POOL-7: only newer words are taken, by epoch and then version. */
static void
test_newer_states_only(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	hear_state(net, pool_state(5, EXHAUSTED, 1));
	scan_all_members(net);
	hear_state(net, pool_state(4, 0, 1));
	hear_state(net, pool_state(5, 0, 1));
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 1)->reasons, EXHAUSTED);
	struct weir_ref_pool_state next = pool_state(1, 0, 1);
	next.epoch = 8;
	hear_state(net, next);
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 1)->reasons, 0);
	hear_state(net, pool_state(99, EXHAUSTED, 1)); /* of the overthrown owner */
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 1)->reasons, 0);
	assert_int_equal(net->p[0]->stats.pool_states_applied, 2);
	struct weir_ref_pool_state stranger = pool_state(1, EXHAUSTED, 1);
	memcpy(stranger.pool, "nobody's", sizeof("nobody's"));
	hear_state(net, stranger);
	net_free(net);
}

/* rule CYC-4: exhaustion holds for its cycle only, arrears for any. */
static void
test_states_hold_for_their_cycle(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	hear_state(net, pool_state(1, EXHAUSTED | FROZEN, 1));
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 1)->reasons, EXHAUSTED | FROZEN);
	net_time(net, MARCH_END);
	while (weir_partition_tick(net->p[0], 100))
		;
	assert_int_equal(net_card(net, 0, 1)->reasons, FROZEN);
	struct weir_ref_pool_state again = pool_state(2, EXHAUSTED | FROZEN, 1); /* the same of the new cycle is news */
	again.cycle = CYCLE + 1;
	hear_state(net, again);
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 1)->reasons, EXHAUSTED | FROZEN);
	net_free(net);
}

/* rule LIFE-2, rule POOL-7: a member activated since the pool's word raises the total at once, so exhaustion is not
 * certain. */
static void
test_new_member_of_an_exhausted_pool(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	net_member(net, 0, 2, "g");
	hear_state(net, pool_state(1, EXHAUSTED, 2)); /* 20 MB of 20 MB */
	scan_all_members(net);
	net_member(net, 0, 3, "g");
	assert_int_equal(net_card(net, 0, 3)->reasons, 0); /* 20 of 30 as far as is known */
	struct weir_ref_pool_state said = pool_state(2, EXHAUSTED, 2);
	said.used = 30 * MB; /* more than that member brings */
	hear_state(net, said);
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 3)->reasons, EXHAUSTED);
	said = pool_state(3, EXHAUSTED, 3); /* counts it: and is exhausted all the same */
	said.used = said.limit = 30 * MB;
	hear_state(net, said);
	scan_all_members(net);
	for (unsigned n = 1; n <= 3; n++)
		assert_int_equal(net_card(net, 0, n)->reasons, EXHAUSTED);
	net_free(net);
}

/* The same when it left again before the word came: nobody stays as the doubt left him. */
static void
test_unconfirmed_total_ends_with_the_next_state(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	net_member(net, 0, 2, "g");
	hear_state(net, pool_state(1, EXHAUSTED, 2));
	scan_all_members(net);
	net_member(net, 0, 3, "g");
	net_member(net, 0, 4, "g");
	net_card_upsert(net, 0, 1, "'status':'deactivated'");
	net_card_upsert(net, 0, 2, "'status':'deactivated'");
	assert_int_equal(net_card(net, 0, 3)->reasons, 0);
	hear_state(net, pool_state(2, EXHAUSTED, 2)); /* two activated members, as before; others */
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 3)->reasons, EXHAUSTED);
	assert_int_equal(net_card(net, 0, 4)->reasons, EXHAUSTED);
	net_free(net);
}

/* And when one comes and another goes within a round: nothing is told, so no word comes, and they are looked at anyway. */
static void
test_unconfirmed_total_ends_with_the_round(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_member(net, 0, 1, "g");
	net_member(net, 0, 2, "g");
	weir_partition_publish(net->p[0]);
	hear_state(net, pool_state(1, EXHAUSTED, 2));
	scan_all_members(net);
	weir_partition_publish(net->p[0]);
	net_member(net, 0, 3, "g");
	net_card_upsert(net, 0, 1, "'pool':null");
	assert_int_equal(net_card(net, 0, 3)->reasons, 0);
	weir_partition_publish(net->p[0]);
	scan_all_members(net);
	assert_int_equal(net_card(net, 0, 3)->reasons, EXHAUSTED);
	net_free(net);
}

/* rule POOL-1: a member taken in before the pool was known and that does not fit leaves; audited, told, its usage stays. */
static void
test_misfit_is_expelled(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	net_broadcast(net, "{'type':'plan','id':'other','carrier':'cm','kind':'accumulative','allowance':1}");
	net_member(net, 0, 1, "g");
	net_card_upsert(net, 0, 2, "'carrier':'cm','plan':'other','pool':'g'");
	net_use(net, 0, 2, 300);
	net_pump(net);
	net_apply(net, net_home("g"), ACCUMULATIVE);
	net_pump(net);
	const struct weir_pool_local_slot *a = net_pool_local(net, 0, "g");
	assert_int_equal(a->members, 1);
	assert_int_equal(a->down, 300);
	assert_null(weir_pool_local_of(net->p[0], net_slot(net, 0, 2)));
	assert_non_null(net_alert(net, "\"pool_member_rejected\"", "\"POOL-1\""));
	assert_non_null(net_alert(net, "89860000000000000002", "\"pool\":\"g\""));
	bool audited = false;
	for (uint32_t i = 0; i < net->audit_count; i++)
		audited |=
		    weir_iccid_equal(net->audits[i].iccid, net_iccid(2)) && strstr(net->audits[i].text, "POOL-1") != NULL;
	assert_true(audited);
	assert_int_equal(net_pool(net, "g")->members, 1);
	assert_int_equal(net_pool(net, "g")->used, 300);
	net_free(net);
}

/* ---- walks ---- */

/* rule POOL-7: members leave, come and move while the walk goes on; all who are still in have the word's reason at its end.
 */
static void
test_member_scans_survive_leaving(void **state)
{
	(void)state;
	enum { CARDS = 60 };
	srand(3);
	for (int round = 0; round < 40; round++) {
		struct net *net = fresh_net();
		struct weir_partition *p = net->p[0];
		for (unsigned n = 0; n < CARDS; n++)
			net_member(net, 0, n, n % 3 == 0 ? "h" : "g");
		hear_state(net, pool_state(1, EXHAUSTED, CARDS));
		while (weir_pool_locals_scan(p, 1 + (uint32_t)rand() % 4)) {
			const struct weir_pool_local_slot *a = net_pool_local(net, 0, "g");
			uint32_t slot = rand() % 3 == 0 && a->member_scan != 0 ? a->member_scan - 1
									       : net_slot(net, 0, (unsigned)rand() % CARDS);
			struct weir_cause cause = {UINT32_MAX, -1, NOW, 0, 0};
			weir_pool_local_move(p, slot, rand() % 2 == 0 ? "" : rand() % 2 == 0 ? "g" : "h");
			weir_partition_evaluate(p, slot, &cause);
		}
		for (unsigned n = 0; n < CARDS; n++) {
			const struct weir_pool_local_slot *a = weir_pool_local_of(p, net_slot(net, 0, n));
			bool in = a != NULL && a->pool[0] == 'g';
			assert_int_equal(net_card(net, 0, n)->reasons, in ? EXHAUSTED : 0);
		}
		assert_int_equal(net_pool_local(net, 0, "g")->flags & WEIR_POOL_LOCAL_SCAN, 0);
		net_free(net);
	}
}

/* A word in the middle of a walk begins it anew; walks of several accounts queue. */
static void
test_member_scans_queue_and_begin_anew(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	struct weir_partition *p = net->p[0];
	for (unsigned n = 0; n < 20; n++)
		net_member(net, 0, n, n < 10 ? "g" : "h");
	hear_state(net, pool_state(1, EXHAUSTED, 10));
	struct weir_ref_pool_state other = pool_state(1, FROZEN, 10);
	memcpy(other.pool, "h", 2);
	hear_state(net, other);
	assert_true(weir_pool_locals_scan(p, 5));
	hear_state(net, pool_state(2, 0, 10));
	assert_int_equal(p->pools_work.scans.n, 2);
	scan_all_members(net);
	for (unsigned n = 0; n < 20; n++)
		assert_int_equal(net_card(net, 0, n)->reasons, n < 10 ? 0 : FROZEN);
	assert_int_equal(p->stats.members_scanned, 5 + 10 + 10);
	hear_state(net, pool_state(3, 0, 10)); /* says nothing new */
	assert_int_equal(p->pools_work.scans.n, 0);
	net_free(net);
}

/* ---- loading ---- */

/* A crash in the middle of a walk costs a walk from the start; members, usage and the word are as they were. */
static void
test_load(void **state)
{
	(void)state;
	struct net *net = fresh_net();
	for (unsigned n = 0; n < 300; n++)
		net_member(net, 0, n, n % 2 == 0 ? "g" : "h");
	net_card_upsert(net, 0, 4, "'status':'deactivated'");
	net_use(net, 0, 2, 44);
	net_pump(net);
	struct weir_ref_pool_state said = pool_state(1, EXHAUSTED, 149);
	said.epoch = 1u << 20;
	hear_state(net, said);
	assert_true(weir_pool_locals_scan(net->p[0], 10));
	struct weir_pool_local_slot before = *net_pool_local(net, 0, "g");
	net_flush(net, 0);
	net_crash(net, 0);
	const struct weir_pool_local_slot *a = net_pool_local(net, 0, "g");
	assert_int_equal(a->members, 150);
	assert_int_equal(a->active, 149);
	assert_int_equal(count_list(net, a), 150);
	assert_int_equal(a->down, 44);
	assert_int_equal(a->reasons, EXHAUSTED);
	assert_int_equal(a->state_epoch, before.state_epoch);
	assert_int_equal(a->member_scan, a->first);
	scan_all_members(net);
	for (unsigned n = 0; n < 300; n += 2)
		assert_int_equal(net_card(net, 0, n)->reasons, n == 4 ? 0 : EXHAUSTED);
	net_free(net);
}

/* A partition of five members whose stored state one change has spoilt. */
static bool
loads_spoilt(void (*spoil)(struct weir_partition *p))
{
	struct net *net = fresh_net();
	for (unsigned n = 0; n < 5; n++)
		net_member(net, 0, n, "g");
	net_member(net, 0, 5, "h");
	net_pump(net);
	struct weir_partition *p = net->p[0];
	if (spoil != NULL)
		spoil(p);
	weir_shards_free(&p->tables.pool_local_index);
	bool loads = weir_pool_locals_load(p);
	net_free(net);
	return loads;
}

static void
spoil_count(struct weir_partition *p)
{
	weir_pool_local_at(p, 0)->members++;
}
static void
spoil_active(struct weir_partition *p)
{
	weir_pool_local_at(p, 0)->active--;
}
static void
spoil_first(struct weir_partition *p)
{
	weir_pool_local_at(p, 0)->first = weir_lifecycle_at(p, weir_pool_local_at(p, 0)->first - 1)->next;
}
static void
spoil_next(struct weir_partition *p)
{
	weir_lifecycle_at(p, 2)->next = weir_lifecycle_at(p, 2)->next == 1 ? 2 : 1;
}
static void
spoil_prev(struct weir_partition *p)
{
	weir_lifecycle_at(p, 2)->prev = UINT32_MAX;
}
static void
spoil_pool_local(struct weir_partition *p)
{
	weir_lifecycle_at(p, 2)->pool_local = 2;
}
static void
spoil_pool_local_number(struct weir_partition *p)
{
	weir_lifecycle_at(p, 2)->pool_local = 900;
}
static void
spoil_id(struct weir_partition *p)
{
	memset(weir_pool_local_at(p, 0)->pool, 'x', WEIR_ID_MAX);
}
static void
spoil_twice(struct weir_partition *p)
{
	memcpy(weir_pool_local_at(p, 1)->pool, weir_pool_local_at(p, 0)->pool, WEIR_ID_MAX);
}
static void
spoil_carrier(struct weir_partition *p)
{
	weir_pool_local_at(p, 0)->carrier = 200;
}
static void
spoil_plan(struct weir_partition *p)
{
	weir_pool_local_at(p, 0)->plan = 200;
}
static void
spoil_flag(struct weir_partition *p)
{
	weir_card_at(p, 2)->flags ^= WEIR_CARD_MEMBER_ACTIVE;
}
/* Three members in a ring of their own, which the head does not reach. */
static void
spoil_ring(struct weir_partition *p)
{
	for (uint32_t i = 0; i < 3; i++) {
		weir_lifecycle_at(p, i)->next = (i + 1) % 3 + 1;
		weir_lifecycle_at(p, i)->prev = (i + 2) % 3 + 1;
	}
	weir_lifecycle_at(p, 3)->next = 0;
}

/* Stored bytes are input: lists that contradict each other are refused, never followed. */
static void
test_load_refuses(void **state)
{
	(void)state;
	void (*const spoils[])(struct weir_partition *) = {spoil_count, spoil_active, spoil_first, spoil_next, spoil_prev,
	    spoil_pool_local, spoil_pool_local_number, spoil_id, spoil_twice, spoil_carrier, spoil_plan, spoil_flag};
	assert_true(loads_spoilt(NULL));
	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++)
		if (loads_spoilt(spoils[i]))
			fail_msg("spoilt state %zu was loaded", i);
	(void)loads_spoilt(spoil_ring); /* whatever it says, it ends, and so does a walk from the head */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members_at_random),
	    cmocka_unit_test(test_usage_stays),
	    cmocka_unit_test(test_moving_keeps_own_reasons),
	    cmocka_unit_test(test_inactive_members),
	    cmocka_unit_test(test_cycles),
	    cmocka_unit_test(test_when_reports_are_due),
	    cmocka_unit_test(test_what_reports_say),
	    cmocka_unit_test(test_newer_states_only),
	    cmocka_unit_test(test_states_hold_for_their_cycle),
	    cmocka_unit_test(test_new_member_of_an_exhausted_pool),
	    cmocka_unit_test(test_unconfirmed_total_ends_with_the_next_state),
	    cmocka_unit_test(test_unconfirmed_total_ends_with_the_round),
	    cmocka_unit_test(test_misfit_is_expelled),
	    cmocka_unit_test(test_member_scans_survive_leaving),
	    cmocka_unit_test(test_member_scans_queue_and_begin_anew),
	    cmocka_unit_test(test_load),
	    cmocka_unit_test(test_load_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
