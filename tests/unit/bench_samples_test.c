/*
 * What the benchmarks of the whole count with: quantiles of weighted samples, CPU time by thread name, lists of options,
 * and where a record counts as visible. A wrong one of these would be believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/latency_samples.h"
#include "bench/raw_batch.h"
#include "bench/servers_fill.h"
#include "bench/servers_options.h"
#include "config/base/murmur2.h"
#include "config/base/process.h"
#include "consumers/direct/crc32c.h"

static void
test_quantiles_go_by_weight(void **state)
{
	struct samples s = {0};
	(void)state;
	assert_int_equal(samples_quantile(&s, 0.5), 0);
	samples_add(&s, 300, 1);
	samples_add(&s, 100, 98);
	samples_add(&s, 200, 1);
	assert_int_equal(samples_quantile(&s, 0.5), 100);
	assert_int_equal(samples_quantile(&s, 0.975), 100);
	assert_int_equal(samples_quantile(&s, 0.985), 200);
	assert_int_equal(samples_quantile(&s, 1), 300);
	samples_add(&s, 50, 100); /* sorted again */
	assert_int_equal(samples_quantile(&s, 0.4), 50);
	samples_free(&s);
}

static void
test_threads_are_told_apart(void **state)
{
	struct bench_cpu before = {.threads = {{"weir-lane", 100}, {"rdk:broker", 5}}, .count = 2, .ended_ns = 7};
	struct bench_cpu after = {
	    .threads = {{"rdk:broker", 25}, {"weir-lane", 400}, {"rdk:main", 3}}, .count = 3, .ended_ns = 9};
	struct bench_cpu between = bench_cpu_between(&before, &after);
	(void)state;
	assert_int_equal(bench_cpu_named(&between, "rdk:"), 23);
	assert_int_equal(bench_cpu_named(&between, "weir-lane"), 300);
	assert_int_equal(bench_cpu_total(&between), 325);
}

/* This process has used some; a thread's digits are no part of its name. */
static void
test_own_process_is_read(void **state)
{
	struct bench_cpu cpu = {0};
	volatile uint64_t work = 1;
	(void)state;
	for (uint64_t i = 0; i < 30000000; i++)
		work = work * 3 + i;
	bench_cpu_add(&cpu, getpid());
	assert_int_equal(cpu.count, 1);
	assert_true(bench_cpu_total(&cpu) > 1000000);
	assert_true(weir_process_resident_bytes(getpid()) > 100000);
	bench_cpu_add(&cpu, 0); /* nobody */
	assert_int_equal(cpu.count, 1);
}

static void
test_lists_of_numbers_and_words(void **state)
{
	static const char *const words[] = {"json", "packed", NULL};
	uint64_t v[3];
	uint32_t n;
	struct weir_error err = {0};
	(void)state;
	assert_int_equal(bench_numbers("cards", "10k,1M,7", v, 3, &n, &err), WEIR_OK);
	assert_int_equal(n, 3);
	assert_int_equal(v[0], 10000);
	assert_int_equal(v[1], 1000000);
	assert_int_equal(v[2], 7);
	static const char *const wrong[] = {"", "0", "1,", "1,2,3,4", "1x", "k", "-1", "1.5"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(bench_numbers("cards", wrong[i], v, 3, &n, &err), WEIR_POISON);
		assert_non_null(strstr(err.text, "--cards"));
	}
	assert_int_equal(bench_choices("format", "packed,json", words, v, 3, &n, &err), WEIR_OK);
	assert_int_equal(v[0], 1);
	assert_int_equal(v[1], 0);
	assert_int_equal(bench_choices("format", "jso", words, v, 3, &n, &err), WEIR_POISON);
}

/* rule REC-3: a duplicate adds nothing to what Redis must hold; order of cards is no matter, each number is. */
static void
test_expected_usage(void **state)
{
	struct bench_totals totals[2] = {{0}}, other[2];
	struct workload_record r = {.up = 3, .down = 5};
	uint64_t records;
	(void)state;
	bench_totals_add(&totals[0], &r);
	uint64_t once = bench_totals_hash(totals, 2, &records);
	assert_int_equal(records, 1);
	r.duplicate = true;
	bench_totals_add(&totals[0], &r);
	assert_int_equal(bench_totals_hash(totals, 2, &records), once);
	memcpy(other, totals, sizeof(other));
	other[0].up++;
	assert_int_not_equal(bench_totals_hash(other, 2, &records), once);
	other[1] = totals[0];
	other[0] = (struct bench_totals){0};
	assert_int_not_equal(bench_totals_hash(other, 2, &records), once);
	assert_int_equal(bench_usage_hash(0, 3, 5, 1), once);
}

/* Known values: CRC-32C of RFC 3720's example, murmur2 as Java's client computes it. */
static void
test_wire_hashes(void **state)
{
	uint8_t zeros[32] = {0};
	(void)state;
	assert_int_equal(weir_crc32c(zeros, sizeof(zeros)), 0x8a9136aau);
	assert_int_equal(weir_crc32c((const uint8_t *)"123456789", 9), 0xe3069283u);
	assert_int_equal((int32_t)weir_murmur2(weir_slice_of("21")), -973932308);
	assert_int_equal((int32_t)weir_murmur2(weir_slice_of("foobar")), -790332482);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quantiles_go_by_weight),
	    cmocka_unit_test(test_threads_are_told_apart),
	    cmocka_unit_test(test_own_process_is_read),
	    cmocka_unit_test(test_lists_of_numbers_and_words),
	    cmocka_unit_test(test_expected_usage),
	    cmocka_unit_test(test_wire_hashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
