/* The benchmark's engine counts as the rules say, with late records, duplicates and pools; its results name themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/engine.h"
#include "bench/messages.h"
#include "bench/report.h"

static struct workload
workload_of(const char *more)
{
	char text[1024];
	struct workload w;
	struct weir_error err = {0};
	(void)snprintf(text, sizeof(text),
	    "version: 1\ntitle: t\ncards: 500\nrecords: 20000\ninterval: 10m\nstart: 2026-03-30T05:00:00Z\n%s", more);
	if (workload_parse(weir_slice_of(text), "t.conf", &w, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	return w;
}

/* The next thousand of the records that are left; returns how many are left then. */
static uint64_t
take_some(struct engine *e, struct messages *messages, uint64_t left)
{
	struct engine_batch batch;
	left -= messages_next(messages, left < 1000 ? left : 1000);
	for (uint32_t i = 0; messages_batch(messages, i, &batch); i++)
		engine_round(e, &batch);
	return left;
}

/* Runs it all with flushes between, so that old hours' marks and windows come back out of the store. */
static struct engine *
run_engine(const struct workload *w, uint64_t seed)
{
	struct engine *e = engine_new(w);
	struct messages *messages = messages_new(w, seed);
	for (uint64_t left = w->records; left > 0;) {
		left = take_some(e, messages, left);
		engine_flush(e);
	}
	messages_free(messages);
	return e;
}

/* rule REC-3, in the benchmark's own store: each record once, also when its hour's marks were flushed long ago. */
static void
test_counts_each_record_once(void **state)
{
	(void)state;
	struct workload w = workload_of("duplicates: 20%\nlate: 20%\nlate_up_to: 12h\n");
	struct workload_generator *g = workload_generator_new(&w, 1);
	uint64_t down = 0, fresh = 0;
	for (uint64_t i = 0; i < w.records; i++) {
		struct workload_record r;
		workload_next(g, &r);
		down += r.duplicate ? 0 : r.down;
		fresh += !r.duplicate;
	}
	struct engine *e = run_engine(&w, 1);
	assert_int_equal(e->core->stats.counted, fresh);
	assert_int_equal(e->core->stats.bytes_down, down);
	assert_int_equal(e->core->stats.duplicates, w.records - fresh);
	assert_true(e->core->stats.parked > 0); /* or the store was not asked */
	engine_free(e);
	workload_generator_free(g);
}

/* A lane takes a flush's memory by this beforehand: too little and it moves as it grows, too much and it is touched in
 * vain. */
static void
assert_computed_length(const struct workload *w, uint64_t records_a_flush)
{
	struct engine *e = engine_new(w);
	struct messages *messages = messages_new(w, 1);
	for (uint64_t left = w->records, flush_at; left > 0;) {
		flush_at = left > records_a_flush ? left - records_a_flush : 0;
		while (left > flush_at)
			left = take_some(e, messages, left);
		uint64_t foretold = weir_partition_encode_bytes(e->core);
		engine_flush(e);
		assert_in_range(e->body.len, foretold / 5, foretold);
	}
	messages_free(messages);
	engine_free(e);
}

static void
test_a_flush_is_as_long_as_computed(void **state)
{
	(void)state;
	struct workload w = workload_of("late: 5%\nlate_up_to: 12h\npools: 5\npool_cards: 40%\nallowance: 100000000\n");
	assert_computed_length(&w, 1000);
	w = workload_of("");
	w.records = 200000;
	assert_computed_length(&w, w.records); /* mostly marks */
	w.cards = 20000;
	w.records = 40000;
	assert_computed_length(&w, w.records); /* mostly pages */
}

static void
test_pools_get_their_reports(void **state)
{
	(void)state;
	struct workload w = workload_of("pools: 5\npool_cards: 40%\nallowance: 1000000000000\nformat: packed\nbatch: 20\n");
	struct engine *e = run_engine(&w, 1);
	uint64_t sum = 0, cards = 0;
	uint32_t slot;
	for (uint64_t pool = 1; pool <= 5; pool++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "pool-%u", (unsigned)pool);
		const struct weir_pool_local_slot *pool_local = weir_partition_find_pool_local(e->core, id, &slot);
		assert_non_null(pool_local);
		sum += pool_local->up + pool_local->down;
	}
	for (uint64_t card = 0; card < w.cards; card++) {
		const struct weir_card_slot *c = weir_partition_find(e->core, workload_iccid(card), &slot);
		cards += workload_pool_of(&w, card) != 0 ? weir_card_used(c) : 0;
	}
	assert_true(e->reports > 0);
	assert_int_equal(sum, cards);
	engine_free(e);
}

static void
test_hash_belongs_to_the_result(void **state)
{
	(void)state;
	struct workload w = workload_of("");
	struct engine *one = run_engine(&w, 1), *again = run_engine(&w, 1), *other = run_engine(&w, 2);
	assert_true(engine_hash(one) == engine_hash(again));
	assert_true(engine_hash(one) != engine_hash(other));
	engine_free(one);
	engine_free(again);
	engine_free(other);
}

static void
test_store_gives_back_what_it_was_given(void **state)
{
	(void)state;
	static const char body[] = "*3\r\n$6\r\nAPPEND\r\n$11\r\nweir:{0}:m:\r\n$3\r\nabc\r\n"
				   "*3\r\n$6\r\nAPPEND\r\n$11\r\nweir:{0}:m:\r\n$2\r\nde\r\n"
				   "*4\r\n$8\r\nSETRANGE\r\n$13\r\nweir:{0}:y:1:\r\n$1\r\n4\r\n$2\r\nxy\r\n";
	struct bench_store *store = bench_store_new();
	bench_store_apply(store, (struct weir_slice){(const uint8_t *)body, sizeof(body) - 1});
	struct weir_slice dedupe_keys = bench_store_get(store, "m:", 0, 0),
			  closed_cycles = bench_store_get(store, "y:1:", 3, 2);
	assert_true(weir_slice_equals(dedupe_keys, "abcde"));
	assert_int_equal(closed_cycles.len, 2);
	assert_memory_equal(closed_cycles.data, "\0x", 2);
	assert_int_equal(bench_store_get(store, "y:2:", 0, 0).len, 0);
	assert_int_equal(bench_store_figures(store).dedupe_key_bytes, 5);
	bench_store_free(store);
}

static void
test_numbers_for_people(void **state)
{
	(void)state;
	static const struct {
		double value;
		const char *text;
	} numbers[] = {{0, "0"}, {7, "7"}, {1234567, "1,234,567"}, {-1234.4, "-1,234"}, {0.0564, "0.056"}, {1.234, "1.23"},
	    {56.78, "56.8"}, {123.4, "123"}};
	char text[32];
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		report_number(numbers[i].value, text);
		assert_string_equal(text, numbers[i].text);
	}
}

static void
test_page_shows_markup_as_text(void **state)
{
	(void)state;
	struct bench_common common = {.seed = 1};
	struct report *report = report_new("core", &common);
	struct weir_error err;
	char path[] = "/tmp/weir-page-XXXXXX", page[65536] = "";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	report_config_text(report, "workload", "<script>alert('x')</script>");
	json_t *chart = report_chart(report, REPORT_PERCENTILES, "a < b", "x", "y");
	report_point(chart, "one", 0.5, 1);
	report_point(chart, "one", 0.99, 10);
	json_t *results = json_pack("[O]", report_json(report));
	assert_int_equal(report_html(results, path, &err), WEIR_OK);
	assert_true(read(fd, page, sizeof(page) - 1) > 0);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "http"));
	assert_non_null(strstr(page, "a &lt; b"));
	assert_non_null(strstr(page, "<polyline"));
	json_decref(results);
	report_free(report);
	(void)close(fd);
	(void)unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts_each_record_once),
	    cmocka_unit_test(test_a_flush_is_as_long_as_computed),
	    cmocka_unit_test(test_pools_get_their_reports),
	    cmocka_unit_test(test_hash_belongs_to_the_result),
	    cmocka_unit_test(test_store_gives_back_what_it_was_given),
	    cmocka_unit_test(test_numbers_for_people),
	    cmocka_unit_test(test_page_shows_markup_as_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
