/* Workloads of `weir bench`: mistakes named with line and key, records that a seed repeats, bytes that decode to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/bench.h"
#include "bench/workload.h"
#include "consumers/decode/decode.h"

#define GOOD "version: 1\ntitle: a fleet\ncards: 1000\nrecords: 5000\ninterval: 1m\nstart: 2026-03-30T05:00:00Z\n"

static struct workload
parsed_workload(const char *more)
{
	char text[1024];
	struct workload w;
	struct weir_error err = {0};
	(void)snprintf(text, sizeof(text), "%s%s", GOOD, more);
	if (workload_parse(weir_slice_of(text), "dir/fleet.conf", &w, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	return w;
}

static void
test_good_file(void **state)
{
	(void)state;
	struct workload w = parsed_workload("skew: 1.25\nduplicates: 2.5%\nlate: 10%\nlate_up_to: 12h\nformat: packed\n");
	assert_string_equal(w.name, "fleet");
	assert_int_equal(w.skew_ppm, 1250000);
	assert_int_equal(w.duplicates_ppm, 25000);
	assert_int_equal(w.late_ms, 43200000);
	assert_int_equal(w.interval_ms, 60000);
	assert_int_equal(w.format, WORKLOAD_PACKED);
	assert_int_equal(w.batch, 1); /* a default */
}

static void
test_mistakes_name_line_and_key(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} wrong[] = {
	    {GOOD "recrds: 5\n", "f.conf:7: recrds: no such key; did you mean records?"},
	    {GOOD "batch: many\n", "f.conf:7: batch: 'many' is none; must be a whole number"},
	    {GOOD "batch: 0\n", "f.conf:7: batch: '0' is out of bounds; must be 1 to 1000"},
	    {GOOD "duplicates: 5\n", "f.conf:7: duplicates: '5' is none; must be a share such as 2.5%"},
	    {GOOD "duplicates: 95%\n", "f.conf:7: duplicates: '95%' is out of bounds; must be 0% to 90%"},
	    {GOOD "skew: -1\n", "f.conf:7: skew: '-1' is none"},
	    {GOOD "format: xml\n", "f.conf:7: format: 'xml' is none; must be json or packed"},
	    {GOOD "late: 5%\n", "f.conf:7: late: late and late_up_to go together"},
	    {GOOD "pools: 5\n", "f.conf:7: pools: pools and pool_cards go together"},
	    {GOOD "pools: 5\npool_cards: 50%\n", "f.conf:7: pools: pools need an allowance"},
	    {GOOD "surge: 5\n", "f.conf:7: surge: surge, surge_at and surge_for go together"},
	    {GOOD "batch: [1]\n", "f.conf:7: batch: must be one value"},
	    {GOOD "cards: 1\n", "f.conf:7"},
	    {"version: 2\n", "f.conf:1: version: '2' is out of bounds"},
	    {"version: 1\n", "f.conf: title: is missing"},
	    {"- a\n", "f.conf:1: must be lines of"},
	};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct workload w;
		struct weir_error err = {0};
		assert_int_equal(workload_parse(weir_slice_of(wrong[i].text), "f.conf", &w, &err), WEIR_POISON);
		if (strstr(err.text, wrong[i].says) == NULL)
			fail_msg("'%s' does not say '%s'", err.text, wrong[i].says);
	}
}

static uint64_t
hash_of(const struct workload *w, uint64_t seed, uint32_t count)
{
	struct workload_generator *g = workload_generator_new(w, seed);
	struct workload_record r;
	char json[WORKLOAD_JSON_MAX];
	uint64_t hash = 0;
	for (uint32_t i = 0; i < count; i++) {
		workload_next(g, &r);
		hash = bench_hash(hash, json, workload_json(w, &r, json));
	}
	workload_generator_free(g);
	return hash;
}

static void
test_a_seed_repeats_a_run(void **state)
{
	(void)state;
	struct workload w = parsed_workload("skew: 1.1\nduplicates: 10%\n");
	assert_true(hash_of(&w, 1, 5000) == hash_of(&w, 1, 5000));
	assert_true(hash_of(&w, 1, 5000) != hash_of(&w, 2, 5000));
}

/* What the fold would get from the decoder is what workload_decoded says. */
static void
check_decoded(const char *more)
{
	struct workload w = parsed_workload(more);
	struct workload_generator *g = workload_generator_new(&w, 3);
	struct weir_decoder *decoder = weir_decoder_new(NULL, 1 << 20);
	struct weir_records out = {0};
	struct weir_buf message = {0};
	for (uint32_t n = 0; n < 200; n++) {
		struct workload_record records[1000];
		for (uint32_t i = 0; i < w.batch; i++)
			workload_next(g, &records[i]);
		message.len = out.n = 0;
		workload_message(&w, records, (uint32_t)w.batch, &message);
		struct weir_slice value = {message.data, message.len};
		assert_int_equal(weir_decode(decoder, (struct weir_slice){0}, value, 0, &out), w.batch);
		for (uint32_t i = 0; i < w.batch; i++) {
			struct weir_record expected, *got = &out.v[i];
			workload_decoded(&w, &records[i], &expected);
			assert_int_equal(got->reject, WEIR_REJECT_NONE);
			assert_true(weir_iccid_equal(got->iccid, expected.iccid));
			assert_int_equal(got->id_hash, expected.id_hash);
			assert_int_equal(got->session_hash, expected.session_hash);
			assert_int_equal(got->seq, expected.seq);
			assert_int_equal(got->up, expected.up);
			assert_int_equal(got->down, expected.down);
			assert_int_equal(got->end_us, expected.end_us);
			assert_int_equal(got->start_us, expected.start_us);
			assert_int_equal(got->imei14, expected.imei14);
			assert_int_equal(got->flags & WEIR_RECORD_HAS_SEQ, expected.flags & WEIR_RECORD_HAS_SEQ);
		}
	}
	weir_records_free(&out);
	weir_buf_free(&message);
	weir_decoder_free(decoder);
	workload_generator_free(g);
}

static void
test_bytes_decode_to_the_record(void **state)
{
	(void)state;
	check_decoded("format: json\n");
	check_decoded("format: json\nbatch: 7\nidentity: sequence\n");
	check_decoded("format: packed\nbatch: 50\n");
	check_decoded("format: packed\nbatch: 50\nidentity: sequence\nlate: 50%\nlate_up_to: 30h\n");
}

static void
test_shares_are_what_was_asked(void **state)
{
	(void)state;
	struct workload w = parsed_workload("duplicates: 20%\nlate: 10%\nlate_up_to: 12h\nskew: 1\n");
	struct workload_generator *g = workload_generator_new(&w, 1);
	uint32_t duplicates = 0, late = 0, of_card[1000] = {0}, busiest = 0;
	uint64_t last[1000] = {0};
	for (uint32_t i = 0; i < 100000; i++) {
		struct workload_record r;
		workload_next(g, &r);
		duplicates += r.duplicate;
		late += !r.duplicate && r.arrived_us - r.end_us > 61000000;
		of_card[r.card]++;
		assert_true(r.end_us <= r.arrived_us);
		if (!r.duplicate)
			assert_true(r.sequence == ++last[r.card]); /* without gaps */
	}
	for (uint32_t i = 0; i < 1000; i++)
		busiest = of_card[i] > busiest ? of_card[i] : busiest;
	assert_in_range(duplicates, 19500, 20500);
	assert_in_range(late, 7700, 8300);
	assert_in_range(busiest, 12500, 14300); /* 1 / H(1000) = 13.4 % */
	workload_generator_free(g);
}

static void
test_virtual_time(void **state)
{
	(void)state;
	/* 1000 cards a minute: 60 ms a record; four times as fast for ten seconds after half a minute */
	struct workload w = parsed_workload("surge: 4\nsurge_at: 2026-03-30T05:00:30Z\nsurge_for: 10s\n");
	struct workload_generator *g = workload_generator_new(&w, 1);
	struct workload_record r;
	uint32_t before = 0, during = 0;
	do {
		workload_next(g, &r);
		int64_t since_us = r.arrived_us - (int64_t)w.start_us;
		before += since_us < 30000000;
		during += since_us >= 30000000 && since_us < 40000000;
	} while (r.arrived_us < (int64_t)w.start_us + 50000000);
	assert_in_range(before, 499, 501);
	assert_in_range(during, 664, 669);
	workload_generator_free(g);
}

static void
check_pools(const char *more)
{
	struct workload w = parsed_workload(more);
	uint64_t sizes[200] = {0}, members = 0;
	for (uint64_t card = 0; card < w.cards; card++)
		sizes[workload_pool_of(&w, card)]++;
	for (uint64_t pool = 1; pool <= w.pools; pool++) {
		assert_int_equal(sizes[pool], workload_pool_size(&w, pool));
		members += sizes[pool];
	}
	assert_int_equal(members, w.cards * w.pool_cards_ppm / 1000000);
}

static void
test_pools_have_their_sizes(void **state)
{
	(void)state;
	check_pools("pools: 10\npool_cards: 50%\nallowance: 5\n");
	check_pools("pools: 7\npool_cards: 33.3%\npool_largest: 60%\nallowance: 5\n");
	check_pools("pools: 1\npool_cards: 100%\npool_largest: 60%\nallowance: 5\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_file),
	    cmocka_unit_test(test_mistakes_name_line_and_key),
	    cmocka_unit_test(test_a_seed_repeats_a_run),
	    cmocka_unit_test(test_bytes_decode_to_the_record),
	    cmocka_unit_test(test_shares_are_what_was_asked),
	    cmocka_unit_test(test_virtual_time),
	    cmocka_unit_test(test_pools_have_their_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
