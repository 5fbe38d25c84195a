/*
 * Counting anew, as `weir verify` does: the rules by themselves, without Kafka and Redis; and that the lanes' fold, given
 * the same records, comes to the same sums.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "aggregators/partition.h"
#include "pipeline/cli/recount.h"

#define S_US INT64_C(1000000)
#define HOUR_US (3600 * S_US)
#define NOW_US (INT64_C(1774847286) * S_US) /* 2026-03-30T05:08:06Z */
#define MARCH 674
#define CARD "89860000000000000001"

static struct weir_settings settings = {.dedupe_horizon_h = 48, .session_retention_h = 768, .future_skew_s = 300};
static struct weir_card_slot cards[2];
static struct weir_snapshot_carrier carrier = {
    .id = "cm", .defined = true, .ref = {.id = "cm", .zone = "Asia/Shanghai", .cycle_day = 1}};
static const struct weir_snapshot snapshot = {.cards = cards, .card_slots = 2, .carriers = &carrier, .carrier_count = 1};

static struct weir_recount *
recount_open(void)
{
	assert_true(weir_iccid_parse((const uint8_t *)CARD, strlen(CARD), &cards[1].iccid));
	cards[1].carrier = 1;
	return weir_recount_new(&settings, &snapshot, NOW_US);
}

/* A record of the card that ended and arrived now, with an id. */
static struct weir_record
make_record(uint64_t id, uint64_t up)
{
	return (struct weir_record){
	    .iccid = cards[1].iccid, .id_hash = id, .up = up, .end_us = NOW_US - S_US, .arrived_us = NOW_US};
}

static void
assert_counted(const struct weir_recount *recount, int32_t cycle, uint64_t up, uint64_t records, uint64_t sessions)
{
	struct weir_recounted counted = weir_recount_get(recount, 1, cycle);
	assert_int_equal(counted.sure.up, up);
	assert_int_equal(counted.sure.records, records);
	assert_int_equal(counted.sure.sessions, sessions);
}

/* rule REC-3, rule REC-5: by id, once, in the cycle of the end time. */
static void
ids_count_once(void **state)
{
	(void)state;
	struct weir_recount *recount = recount_open();
	struct weir_record r = make_record(7, 10);
	weir_recount_record(recount, &r);
	weir_recount_record(recount, &r);
	r = make_record(8, 5);
	weir_recount_record(recount, &r);
	r = make_record(9, 3);
	r.end_us -= 30 * HOUR_US;
	weir_recount_record(recount, &r);
	assert_counted(recount, MARCH, 18, 3, 0);
	assert_int_equal(weir_recount_stats(recount)->duplicates, 1);
	assert_counted(recount, MARCH - 1, 0, 0, 0);
	weir_recount_free(recount);
}

/* rule REC-3, rule REC-7: too late, in the future, of no card, not decoded. */
static void
what_cannot_be_counted_is_not(void **state)
{
	(void)state;
	struct weir_recount *recount = recount_open();
	struct weir_record r = make_record(1, 10);
	r.end_us = NOW_US - 49 * HOUR_US;
	weir_recount_record(recount, &r);
	r = make_record(2, 10);
	r.end_us = NOW_US + 301 * S_US;
	weir_recount_record(recount, &r);
	r = make_record(3, 10);
	r.iccid.lo ^= 1u << 12;
	weir_recount_record(recount, &r);
	r = make_record(4, 10);
	r.reject = WEIR_REJECT_MALFORMED;
	weir_recount_record(recount, &r);
	const struct weir_recount_stats *stats = weir_recount_stats(recount);
	assert_int_equal(stats->records, 4);
	assert_int_equal(stats->counted, 0);
	assert_true(stats->too_late == 1 && stats->future == 1 && stats->unknown_cards == 1 && stats->rejected == 1);
	weir_recount_free(recount);
}

/* rule REC-2, rule REC-4: sequences in any order, totals by their high-water mark, restarts. */
static void
sessions_count_by_sequence_and_total(void **state)
{
	(void)state;
	struct weir_recount *recount = recount_open();
	static const uint64_t order[] = {3, 1, 2, 3, 100, 1};
	struct weir_record r = make_record(0, 10);
	r.session_hash = 77;
	r.flags = WEIR_RECORD_HAS_SEQ;
	for (size_t i = 0; i < 6; i++) {
		r.seq = order[i];
		weir_recount_record(recount, &r);
	}
	assert_counted(recount, MARCH, 40, 4, 1);
	static const struct {
		uint64_t total;
		int end_s;
		bool start;
		uint64_t up, records;
	} totals[] = {{100, 10, false, 100, 1}, {150, 20, false, 150, 2}, {120, 15, false, 150, 2}, {30, 30, true, 180, 3},
	    {40, 40, false, 190, 4}};
	r = make_record(0, 0);
	r.session_hash = 78;
	for (size_t i = 0; i < 5; i++) {
		r.up = totals[i].total;
		r.end_us = NOW_US - 100 * S_US + totals[i].end_s * S_US;
		r.flags = (uint8_t)(WEIR_RECORD_TOTALS | (totals[i].start ? WEIR_RECORD_START : 0));
		weir_recount_record(recount, &r);
		assert_counted(recount, MARCH, 40 + totals[i].up, 4 + totals[i].records, 2);
	}
	weir_recount_free(recount);
}

/* What came before the card was defined may have been counted or not. */
static void
records_before_the_definition_are_told_apart(void **state)
{
	(void)state;
	struct weir_recount *recount = recount_open();
	weir_recount_card(recount, cards[1].iccid, NOW_US);
	weir_recount_card(recount, cards[1].iccid, NOW_US + 5);
	struct weir_record r = make_record(1, 10);
	r.arrived_us = NOW_US - 1;
	weir_recount_record(recount, &r);
	r = make_record(2, 5);
	weir_recount_record(recount, &r);
	struct weir_recounted counted = weir_recount_get(recount, 1, MARCH);
	assert_int_equal(counted.sure.up, 5);
	assert_int_equal(counted.early.up, 10);
	weir_recount_free(recount);
}

/* Where the beginning is missing, only cycles that began after it are whole, and running totals are not known. */
static void
a_missing_beginning_is_known(void **state)
{
	(void)state;
	struct weir_recount *recount = recount_open();
	assert_true(weir_recount_is_whole(recount, 1, MARCH - 5));
	weir_recount_truncated(recount, INT64_C(1772294400) * S_US); /* March began then */
	assert_true(weir_recount_is_whole(recount, 1, MARCH));
	assert_false(weir_recount_is_whole(recount, 1, MARCH - 1));
	struct weir_record r = make_record(0, 100);
	r.session_hash = 5;
	r.flags = WEIR_RECORD_TOTALS;
	weir_recount_record(recount, &r);
	assert_true(weir_recount_get(recount, 1, MARCH).unsure);
	weir_recount_truncated(recount, INT64_C(1772294401) * S_US);
	assert_false(weir_recount_is_whole(recount, 1, MARCH));
	weir_recount_free(recount);
}

/* Records of every kind, from a seed: the fold and this come to the same. */
static void
the_fold_comes_to_the_same(void **state)
{
	(void)state;
	struct weir_recount *recount = recount_open();
	struct weir_partition_opts opts = {.number = 0,
	    .dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 1000,
	    .auto_register = true,
	    .auto_register_carrier = "cm",
	    .partitions = 1,
	    .epoch = 1,
	    .unreported_floor_bytes = 1,
	    .pool_tick_ms = 1000};
	struct weir_partition *partition = weir_partition_new(&opts);
	const uint32_t sizes[WEIR_SLABS] = {0};
	weir_partition_set_time(partition, NOW_US, 0);
	weir_partition_load_sizes(partition, sizes, 0);
	assert_true(weir_partition_load_finish(partition));
	uint64_t n = 0, again;
	srand(7);
	for (int i = 0; i < 20000; i++) {
		struct weir_record r = make_record(0, (uint64_t)rand() % 1000);
		r.arrived_us = NOW_US - 20 * HOUR_US + (int64_t)i * 3 * S_US;
		r.end_us = r.arrived_us - (int64_t)(rand() % (rand() % 10 == 0 ? 150000 : 60)) * S_US;
		if (r.end_us < INT64_C(1772294400) * S_US)
			continue; /* of February: that is another test's */
		switch (rand() % 3) {
		case 0:
			r.id_hash = (uint64_t)(rand() % 8000) + 1;
			r.end_us =
			    NOW_US - 10 * HOUR_US - (int64_t)r.id_hash * S_US; /* a repeat has its first one's time */
			break;
		case 1:
			/* eight at a time in reverse order, and repeats of older ones: none is missing for long */
			again = n % 512 > 40 && rand() % 4 == 0 ? 1 + (uint64_t)(rand() % 40) : 0;
			n += again == 0;
			r.session_hash = 1000 + (n - again) / 512;
			r.seq = (n - again) ^ 7;
			r.end_us = NOW_US - 10 * HOUR_US + (int64_t)r.seq * S_US / 2; /* likewise */
			r.flags = WEIR_RECORD_HAS_SEQ;
			break;
		default:
			r.session_hash = 2000 + (uint64_t)(rand() % 3);
			r.up = (uint64_t)i + (uint64_t)(rand() % 2000);
			r.flags = (uint8_t)(WEIR_RECORD_TOTALS | (rand() % 50 == 0 ? WEIR_RECORD_START : 0));
			break;
		}
		weir_partition_fold(partition, &r, 1);
		/* Nothing was ever flushed: what it asks the store for is not there. */
		for (uint32_t k = 0; k < partition->effects.fetch_requests.n; k++)
			assert_true(weir_partition_fetched(
			    partition, &partition->effects.fetch_requests.v[k], (struct weir_slice){0}));
		partition->effects.fetch_requests.n = 0;
		weir_partition_unpark(partition);
		weir_recount_record(recount, &r);
	}
	uint32_t slot;
	const struct weir_card_slot *card = weir_partition_find(partition, cards[1].iccid, &slot);
	assert_non_null(card);
	assert_int_equal(partition->parked.records.n, 0);
	assert_int_equal(partition->stats.gaps_lost, 0);
	assert_counted(recount, MARCH, card->up, card->records, card->sessions);
	assert_true(card->records > 5000);
	weir_partition_free(partition);
	weir_recount_free(recount);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ids_count_once),
	    cmocka_unit_test(what_cannot_be_counted_is_not),
	    cmocka_unit_test(sessions_count_by_sequence_and_total),
	    cmocka_unit_test(records_before_the_definition_are_told_apart),
	    cmocka_unit_test(a_missing_beginning_is_known),
	    cmocka_unit_test(the_fold_comes_to_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
