/* The pure core of the card stage: fold, sessions, cycles, evaluator, requests, and the way to bytes and back. */
#include "tests/unit/partition_fixture.h"

/* ---- REC ---- */

/* rule REC-3, rule REC-4: each once, in any order. */
static void
test_records_count_once(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 2, 10, 20, NOW - 5 * S));
	fold(p, record(A, 1, 1, 2, NOW - 60 * S));
	fold(p, record(A, 2, 10, 20, NOW - 5 * S));
	assert_int_equal(card(p, A)->up, 11);
	assert_int_equal(card(p, A)->down, 22);
	assert_int_equal(card(p, A)->records, 2);
	assert_int_equal(p->stats.duplicates, 1);
	weir_partition_free(p);
}

/* rule REC-3: what is older than the horizon goes away as too late; rule REC-7: the future and unknown cards likewise. */
static void
test_rejects(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 1, 0, NOW - 48 * HOUR - 1));
	fold(p, record(A, 2, 1, 0, NOW + 300 * S + 1));
	fold(p, record(B, 3, 1, 0, NOW));
	assert_int_equal(p->effects.dead_letters.n, 3);
	assert_int_equal(p->effects.dead_letters.v[0].reject, WEIR_REJECT_TOO_LATE);
	assert_int_equal(p->effects.dead_letters.v[1].reject, WEIR_REJECT_FUTURE);
	assert_int_equal(p->effects.dead_letters.v[2].reject, WEIR_REJECT_UNKNOWN_CARD);
	fold(p, record(A, 4, 1, 0, NOW + 300 * S));
	fold(p, record(A, 5, 1, 0, NOW - 47 * HOUR));
	serve(p);
	assert_int_equal(card(p, A)->records, 2);
	weir_partition_free(p);
	store_clear();
}

/* rule REC-3: an old hour's duplicate is told after its marks left memory; neighbours go on meanwhile. */
static void
test_old_hours_are_looked_up(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, record(A, 1, 5, 0, NOW - 10 * HOUR));
	assert_int_equal(p->parked.records.n, 1);
	fold(p, record(A, 9, 7, 0, NOW));
	assert_int_equal(card(p, A)->up, 7);
	serve(p);
	assert_int_equal(card(p, A)->up, 12);
	weir_partition_encode(p, &WRITER, 12);
	struct weir_partition *q = reload(p, NOW);
	fold(q, record(A, 1, 5, 0, NOW - 10 * HOUR));
	fold(q, record(A, 1, 5, 0, NOW - 10 * HOUR));
	fold(q, record(A, 2, 1, 0, NOW - 10 * HOUR));
	fold(q, record(A, 9, 7, 0, NOW));
	serve(q);
	assert_int_equal(card(q, A)->up, 13);
	assert_int_equal(q->stats.duplicates, 3);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

static struct weir_record
sequenced(uint64_t session, uint64_t seq, uint64_t up, int64_t end_us)
{
	struct weir_record r = record(A, 0, up, 0, end_us);
	r.session_hash = session;
	r.seq = seq;
	r.flags = WEIR_RECORD_HAS_SEQ;
	return r;
}

/* rule REC-4 with sequences: a random order with duplicates, jumps beyond the window, each number counts once. */
static void
test_sequences_against_a_plain_set(void **state)
{
	(void)state;
	srand(5);
	for (int round = 0; round < 300; round++) {
		struct weir_partition *p = with_card(NOW);
		uint8_t seen[400] = {0};
		uint64_t counted = 0, given_up = 0;
		for (int i = 0; i < 600; i++) {
			int base = i * 300 / 600;
			int seq = base + rand() % (round % 2 == 0 ? 60 : 100);
			uint64_t before = p->stats.counted, lost = p->stats.rejected[WEIR_REJECT_TOO_LATE];
			fold(p, sequenced(77, (uint64_t)seq, 1, NOW));
			bool counts = p->stats.counted > before;
			bool gave_up = p->stats.rejected[WEIR_REJECT_TOO_LATE] > lost;
			if (seen[seq])
				assert_false(counts); /* never twice */
			else
				assert_true(counts || gave_up);
			seen[seq] |= counts;
			counted += counts;
			given_up += gave_up;
		}
		assert_int_equal(card(p, A)->up, counted);
		if (round % 2 == 0)
			assert_int_equal(given_up, 0); /* within the window nothing is given up */
		weir_partition_free(p);
	}
}

static struct weir_record
total_record(uint64_t session, uint64_t up, int64_t end_us, uint8_t flags)
{
	struct weir_record r = record(A, 0, up, 0, end_us);
	r.session_hash = session;
	r.flags = WEIR_RECORD_TOTALS | flags;
	return r;
}

/* rule REC-2: totals count by what they exceed the high-water mark; a start marker begins anew. */
static void
test_totals(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	fold(p, total_record(5, 100, NOW - 100 * S, 0));
	fold(p, total_record(5, 250, NOW - 80 * S, 0));
	fold(p, total_record(5, 200, NOW - 90 * S, 0)); /* old */
	fold(p, total_record(5, 250, NOW - 80 * S, 0)); /* repeated */
	assert_int_equal(card(p, A)->up, 250);
	assert_int_equal(p->stats.stale, 2);
	fold(p, total_record(5, 0, NOW - 50 * S, WEIR_RECORD_START));
	fold(p, total_record(5, 30, NOW - 40 * S, 0));
	fold(p, total_record(5, 0, NOW - 50 * S, WEIR_RECORD_START)); /* repeated start */
	fold(p, total_record(5, 31, NOW - 30 * S, 0));
	assert_int_equal(card(p, A)->up, 281);
	weir_partition_free(p);
}

/* rule REC-2, rule REC-6: totals of a closed cycle that wait for a look-up are not overtaken by their successors. */
static void
test_parked_totals_keep_their_order(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S;
	struct weir_partition *p = with_card(boundary + HOUR);
	fold(p, total_record(5, 100, boundary - 100 * S, 0));
	assert_int_equal(p->parked.records.n, 1);
	struct weir_fetch_request fetch = p->effects.fetch_requests.v[0];
	p->effects.fetch_requests.n = 0;
	assert_true(weir_partition_fetched(p, &fetch, (struct weir_slice){0}));
	fold(p, total_record(5, 300, boundary - 50 * S, 0)); /* could be counted at once: the look-up is answered */
	weir_partition_unpark(p);
	assert_int_equal(p->stats.counted, 2);
	assert_int_equal(p->stats.stale, 0);
	weir_partition_free(p);
}

/*
 * rule LIFE-2, rule LIFE-3, rule SUS-5: where the order of records decides (what the test quota covers, what activates,
 * which device is bound), none overtakes one that waits for a look-up. A new owner has to look up the hour before its
 * newest record: the card's third record, of that hour again, used up the quota only after its fourth had been taken for
 * test traffic.
 */
static void
test_a_waiting_card_keeps_its_order(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A
		 "\",\"carrier\":\"cm\",\"plan\":\"f\",\"pool\":\"q\",\"status\":\"testable\"}");
	apply(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"cm\"}");
	fold(p, record(A, 1, 1000000, 0, NOW));
	weir_partition_encode(p, &WRITER, 12);
	struct weir_partition *before = p;
	p = reload(before, NOW);
	weir_partition_free(before);
	fold(p, record(A, 2, 6000000, 0, NOW - 600 * S)); /* an hour earlier: its windows are looked up */
	assert_int_equal(p->parked.records.n, 1);
	struct weir_record with_device = record(B, 4, 1, 0, NOW - 600 * S);
	with_device.imei14 = 86000000000001;
	fold(p, with_device);
	with_device.imei14 = 86000000000002;
	with_device.end_us = NOW;
	with_device.id_hash++;
	fold(p, with_device);
	fold(p, record(A, 3, 70, 0, NOW + S));
	assert_int_equal(p->parked.records.n, 4);
	serve(p);
	assert_int_equal(p->stats.counted, 4);
	uint32_t slot;
	const struct weir_pool_local_slot *a = weir_partition_find_pool_local(p, "q", &slot);
	assert_int_equal(a->up, 70);
	assert_non_null(weir_partition_find(p, iccid_of(B), &slot));
	assert_int_equal(weir_lifecycle_imei(weir_slab_at(&p->tables.lifecycles, slot)), 86000000000001);
	weir_partition_free(p);
	store_clear();
}

/* ---- CYC ---- */

/* rule CYC-3, rule REC-5, rule REC-6: a new cycle starts at zero, the old one stays and is restated by late records. */
static void
test_cycle_rolls_and_late_records_restate(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S; /* 2026-04-01T00:00+08:00 = 2026-03-31T16:00Z */
	struct weir_partition *p = with_card(boundary - HOUR);
	fold(p, record(A, 1, 400, 0, boundary - HOUR));
	weir_partition_set_time(p, boundary + HOUR, boundary + HOUR);
	fold(p, record(A, 2, 50, 0, boundary));
	assert_int_equal(card(p, A)->up, 50);
	assert_int_equal(card(p, A)->cycle, (2026 - 1970) * 12 + 3);
	fold(p, record(A, 3, 7, 3, boundary - 1));
	serve(p);
	assert_int_equal(card(p, A)->up, 50);
	weir_partition_encode(p, &WRITER, 12);
	struct item *page = item_get("y:674:0");
	struct weir_closed_cycle_slot closed_cycles;
	assert_true(page->len >= 32);
	memcpy(&closed_cycles, page->data, 32);
	assert_int_equal(closed_cycles.up, 407);
	assert_int_equal(closed_cycles.down, 3);
	assert_int_equal(closed_cycles.records, 2);
	struct weir_partition *q = reload(p, boundary + HOUR);
	fold(q, record(A, 4, 1000, 0, boundary - 2)); /* over the allowance, but of the closed cycle */
	serve(q);
	assert_int_equal(card(q, A)->reasons, 0);
	weir_partition_encode(q, &WRITER, 12);
	memcpy(&closed_cycles, item_get("y:674:0")->data, 32);
	assert_int_equal(closed_cycles.up, 1407);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

/* rule CYC-1: China Unicom's cycle turns at the end of the 26th. */
static void
test_unicom_boundary(void **state)
{
	(void)state;
	int64_t boundary = 1774540800ll * S; /* 2026-03-27T00:00+08:00 */
	struct weir_partition *p = make(boundary + 60 * S);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" A "\",\"carrier\":\"cu\"}");
	fold(p, record(A, 1, 1, 0, boundary));
	fold(p, record(A, 2, 2, 0, boundary - 1));
	serve(p);
	assert_int_equal(card(p, A)->up, 1);
	assert_int_equal(card(p, A)->cycle, (2026 - 1970) * 12 + 3); /* named after April, in which it ends */
	weir_partition_free(p);
	store_clear();
}

/* rule CYC-4: at the boundary plan_exhausted clears without any record; manual stays. */
static void
test_boundary_resumes_the_suspended_only(void **state)
{
	(void)state;
	int64_t boundary = 1774972800ll * S;
	struct weir_partition *p = with_card(boundary - HOUR);
	apply(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"cm\"}");
	fold(p, record(A, 1, 1000, 0, boundary - HOUR));
	apply(p, "{\"type\":\"request\",\"iccid\":\"" B "\",\"action\":\"suspend\"}");
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_SUSPENDED);
	struct weir_command_report done = {0, 4, WEIR_DESIRED_SUSPENDED, 1, boundary - HOUR, 0, "", "", 0, 0};
	weir_partition_command(p, &done);
	done.slot = 1;
	weir_partition_command(p, &done);
	weir_partition_set_time(p, boundary, boundary);
	while (weir_partition_tick(p, 1)) {
	}
	assert_int_equal(card(p, A)->reasons, 0);
	assert_int_equal(enforcement(p, A)->desired, WEIR_DESIRED_ACTIVE);
	assert_int_equal(enforcement(p, B)->desired, WEIR_DESIRED_SUSPENDED);
	done = (struct weir_command_report){0, 4, WEIR_DESIRED_ACTIVE, 1, boundary, 0, "", "", 0, 0};
	weir_partition_command(p, &done);
	assert_null(enforcement(p, A)); /* nothing more to know */
	weir_partition_free(p);
}

/* A card may come before its plan; the result is that of the other order. */
static void
test_order_of_reference_data(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	apply(p, CARD_A);
	fold(p, record(A, 1, 2000, 0, NOW));
	assert_int_equal(card(p, A)->reasons, 0);
	apply(p, PLAN);
	while (weir_partition_tick(p, 100)) {
	}
	assert_int_equal(card(p, A)->reasons, 1 << WEIR_REASON_PLAN_EXHAUSTED);
	apply_class(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"nobody\"}", WEIR_POISON);
	apply_class(p, "{\"type\":\"card\",\"iccid\":\"" B "\",\"carrier\":\"cu\",\"plan\":\"p1\"}", WEIR_POISON);
	apply_class(p, "{\"type\":\"request\",\"iccid\":\"" B "\",\"action\":\"suspend\"}", WEIR_POISON);
	weir_partition_free(p);
}

/* Many cards, several flushes by pages and by runs, a reload: all slots are the same bytes. */
static void
test_pages_round_trip(void **state)
{
	(void)state;
	struct weir_partition *p = make(NOW);
	apply(p, PLAN);
	for (int i = 0; i < 3000; i++) {
		char json[200];
		(void)snprintf(json, sizeof(json),
		    "{\"type\":\"card\",\"iccid\":\"898600000000000%05d\",\"carrier\":\"cm\",\"plan\":\"p1\"%s}", i,
		    i % 10 == 0 ? ",\"limit\":700" : "");
		apply(p, json);
	}
	srand(1);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < (round % 2 == 0 ? 2000 : 5); i++) {
			char iccid[32];
			(void)snprintf(iccid, sizeof(iccid), "898600000000000%05d", rand() % 3000);
			struct weir_record r =
			    record(iccid, (uint64_t)(round * 10000 + i + 1), (uint64_t)(rand() % 100), 3, NOW);
			if (i % 3 == 0) {
				r.id_hash = 0;
				r.session_hash = (uint64_t)rand() % 500 + 1;
				r.seq = (uint64_t)rand() % 200;
				r.flags = WEIR_RECORD_HAS_SEQ;
			}
			fold(p, r);
		}
		weir_partition_encode(p, &WRITER, 12);
		assert_int_equal(weir_partition_unflushed(p) - p->effects.audits.n * sizeof(struct weir_audit), 0);
	}
	struct weir_partition *q = reload(p, NOW);
	for (uint32_t s = 0; s < WEIR_SLABS; s++) {
		struct weir_slab *a = weir_partition_slab(p, s), *b = weir_partition_slab(q, s);
		assert_int_equal(a->used, b->used);
		assert_int_equal(a->free_count, b->free_count);
		for (uint32_t i = 0; i < a->used; i++)
			assert_memory_equal(weir_slab_at(a, i), weir_slab_at(b, i), a->slot_bytes);
	}
	assert_true(p->tables.enforcements.used > 0 && p->tables.sessions.used > 0);
	weir_partition_free(p);
	weir_partition_free(q);
	store_clear();
}

/* Stored bytes are input: slots that contradict each other fail the load, never an assert. */
static void
test_contradicting_pages_are_refused(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	const uint32_t sizes[WEIR_SLABS] = {1, 0, 0, 0, 1};
	for (size_t byte = 16; byte < 64; byte++) {
		struct weir_card_slot slot = *card(p, A);
		((uint8_t *)&slot)[byte] = 0xff;
		struct weir_partition *q = weir_partition_new(&p->opts);
		weir_partition_set_time(q, NOW, NOW);
		weir_partition_load_sizes(q, sizes, NOW);
		assert_true(weir_partition_load_name(q, weir_slice_of("c:cm")));
		assert_true(weir_partition_load_page(q, 0, 0, (struct weir_slice){(uint8_t *)&slot, 64}));
		assert_false(weir_partition_load_page(q, 0, 7, (struct weir_slice){(uint8_t *)&slot, 64}));
		(void)weir_partition_load_finish(q);
		weir_partition_free(q);
	}
	weir_partition_free(p);
}

/* rule CMD-4: a decision's audit holds reason, limit, usage before and after, overshoot and the record's place. */
static void
test_audit_of_a_decision(void **state)
{
	(void)state;
	struct weir_partition *p = with_card(NOW);
	p->effects.audits.n = 0;
	fold(p, record(A, 1, 900, 0, NOW - S));
	struct weir_record r = record(A, 2, 0, 350, NOW - 2 * S);
	r.offset = 4711;
	fold(p, r);
	assert_int_equal(p->effects.audits.n, 1);
	const struct weir_audit *a = &p->effects.audits.v[0];
	assert_int_equal(a->event, WEIR_AUDIT_DECIDED);
	assert_int_equal(a->action, WEIR_DESIRED_SUSPENDED);
	assert_int_equal(a->reason, WEIR_REASON_PLAN_EXHAUSTED);
	assert_int_equal(a->limit, 1000);
	assert_int_equal(a->usage_before, 900);
	assert_int_equal(a->usage_after, 1250);
	assert_int_equal(a->overshoot, 250);
	assert_int_equal(a->offset, 4711);
	assert_int_equal(a->record_us, NOW - 2 * S);
	weir_partition_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_records_count_once),
	    cmocka_unit_test(test_rejects),
	    cmocka_unit_test(test_old_hours_are_looked_up),
	    cmocka_unit_test(test_sequences_against_a_plain_set),
	    cmocka_unit_test(test_totals),
	    cmocka_unit_test(test_parked_totals_keep_their_order),
	    cmocka_unit_test(test_a_waiting_card_keeps_its_order),
	    cmocka_unit_test(test_cycle_rolls_and_late_records_restate),
	    cmocka_unit_test(test_unicom_boundary),
	    cmocka_unit_test(test_boundary_resumes_the_suspended_only),
	    cmocka_unit_test(test_order_of_reference_data),
	    cmocka_unit_test(test_pages_round_trip),
	    cmocka_unit_test(test_contradicting_pages_are_refused),
	    cmocka_unit_test(test_audit_of_a_decision),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
