/* Random numbers and the delays that are drawn with them: the stream of a seed is fixed, bounds hold at their edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/base/backoff.h"
#include "config/base/random.h"

/* The first numbers of splitmix64 from seed 1234567, as its author publishes them. */
static void
a_seed_is_a_stream(void **state)
{
	(void)state;
	static const uint64_t expected[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
	    UINT64_C(9817491932198370423), UINT64_C(4593380528125082431), UINT64_C(16408922859458223821)};
	struct weir_random random = {1234567};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		assert_true(weir_random_next(&random) == expected[i]);
}

static void
below_stays_below_and_reaches_every_number(void **state)
{
	(void)state;
	static const uint64_t bounds[] = {1, 2, 3, 1000, UINT64_C(1) << 32, UINT64_MAX};
	struct weir_random random = {0};
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++)
		for (int k = 0; k < 1000; k++)
			assert_true(weir_random_below(&random, bounds[i]) < bounds[i]);
	uint32_t counts[7] = {0};
	for (int k = 0; k < 7000; k++)
		counts[weir_random_below(&random, 7)]++;
	for (int k = 0; k < 7; k++)
		assert_in_range(counts[k], 850, 1150);
}

static void
unit_is_from_0_to_below_1(void **state)
{
	(void)state;
	assert_true(weir_random_unit(0) == 0.0);
	assert_true(weir_random_unit(UINT64_MAX) < 1.0);
	assert_true(weir_random_unit(UINT64_MAX) == 1.0 - 0x1p-53);
	assert_true(weir_random_unit(UINT64_C(1) << 63) == 0.5);
}

static void
delays_double_up_to_their_bound(void **state)
{
	(void)state;
	assert_int_equal(weir_backoff_grow(10, 1000, 0), 10);
	assert_int_equal(weir_backoff_grow(10, 1000, 1), 20);
	assert_int_equal(weir_backoff_grow(10, 1000, 6), 640);
	assert_int_equal(weir_backoff_grow(10, 1000, 7), 1000);
	assert_int_equal(weir_backoff_grow(10, 1000, UINT32_MAX), 1000);
	assert_int_equal(weir_backoff_grow(1000, 1000, 5), 1000);
	assert_int_equal(weir_backoff_grow(2000, 1000, 0), 1000); /* the bound is the stronger */
	assert_true(weir_backoff_grow(1, UINT64_C(1) << 61, 100) == UINT64_C(1) << 61);
}

static void
jitter_takes_the_upper_half(void **state)
{
	(void)state;
	static const uint64_t delays[] = {0, 1, 2, 7, 1000, UINT64_C(1) << 61};
	struct weir_random random = {5};
	for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++)
		for (int k = 0; k < 1000; k++) {
			uint64_t jittered = weir_backoff_jitter(delays[i], weir_random_next(&random));
			assert_true(jittered >= delays[i] / 2 && jittered <= delays[i]);
		}
	assert_int_equal(weir_backoff_jitter(1000, 0), 500);
	assert_int_equal(weir_backoff_jitter(1000, 500), 1000);
	assert_int_equal(weir_backoff_jitter(1000, 501), 500);
}

static void
spread_is_a_fifth_on_either_side(void **state)
{
	(void)state;
	static const uint64_t intervals[] = {0, 1, 5, 1000000};
	struct weir_random random = {6};
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++)
		for (int k = 0; k < 1000; k++) {
			uint64_t spread = weir_backoff_spread(intervals[i], weir_random_next(&random));
			assert_true(spread >= intervals[i] * 4 / 5 && spread <= intervals[i] * 6 / 5);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_seed_is_a_stream),
	    cmocka_unit_test(below_stays_below_and_reaches_every_number),
	    cmocka_unit_test(unit_is_from_0_to_below_1),
	    cmocka_unit_test(delays_double_up_to_their_bound),
	    cmocka_unit_test(jitter_takes_the_upper_half),
	    cmocka_unit_test(spread_is_a_fifth_on_either_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
