/* Varints at every length and border, damaged ones, zigzag; sums and differences that stop at the border. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/base/random.h"
#include "config/base/saturate.h"
#include "config/base/varint.h"

/* In memory of exactly its size, so that sanitizers see a byte read beyond. */
static const uint8_t *
get(const void *bytes, size_t len, uint64_t *number_out, size_t *used_out)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	memcpy(exact, bytes, len);
	const uint8_t *at = weir_varint_get(exact, exact + len, number_out);
	*used_out = at != NULL ? (size_t)(at - exact) : 0;
	free(exact);
	return at;
}

static void
round_trip(uint64_t number, uint32_t len)
{
	uint8_t bytes[WEIR_VARINT_MAX];
	uint64_t back = ~number;
	size_t used;
	assert_int_equal(weir_varint_len(number), len);
	assert_int_equal(weir_varint_put(bytes, number) - bytes, len);
	assert_non_null(get(bytes, len, &back, &used));
	assert_int_equal(used, len);
	assert_true(back == number);
	for (uint32_t cut = 0; cut < len; cut++)
		assert_null(get(bytes, cut, &back, &used));
}

static void
every_length(void **state)
{
	(void)state;
	round_trip(0, 1);
	for (uint32_t len = 1; len <= 9; len++) {
		uint64_t most = (UINT64_C(1) << (7 * len)) - 1;
		round_trip(most, len);
		round_trip(most + 1, len + 1);
	}
	round_trip(UINT64_MAX, 10);
	struct weir_random random = {9};
	for (int i = 0; i < 100000; i++) {
		uint64_t number = weir_random_next(&random) >> weir_random_below(&random, 64);
		round_trip(number, weir_varint_len(number));
	}
}

static void
damaged_ones_are_refused(void **state)
{
	(void)state;
	uint64_t number;
	size_t used;
	assert_null(get("", 0, &number, &used));
	assert_null(get("\x80", 1, &number, &used));
	assert_null(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 10, &number, &used)); /* 2^64 */
	assert_null(get("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10, &number, &used));
	assert_null(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 11, &number, &used)); /* runs on */
	assert_null(get("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, &number, &used));
	/* longer than needed, but a number */
	assert_non_null(get("\x81\x00", 2, &number, &used));
	assert_true(number == 1 && used == 2);
	assert_non_null(get("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10, &number, &used));
	assert_true(number == UINT64_C(1) << 63);
}

static void
numbers_are_taken_one_by_one(void **state)
{
	(void)state;
	struct weir_slice bytes = {(const uint8_t *)"\x05\xac\x02\x7f\x80", 5};
	uint64_t number;
	assert_true(weir_varint_take(&bytes, 5, &number) && number == 5);
	assert_false(weir_varint_take(&bytes, 299, &number)); /* above what it may be: stays */
	assert_int_equal(bytes.len, 4);
	assert_true(weir_varint_take(&bytes, 300, &number) && number == 300);
	assert_true(weir_varint_take(&bytes, UINT64_MAX, &number) && number == 127);
	assert_false(weir_varint_take(&bytes, UINT64_MAX, &number));
	assert_int_equal(bytes.len, 1);
	bytes = (struct weir_slice){NULL, 0};
	assert_false(weir_varint_take(&bytes, UINT64_MAX, &number));
}

static void
zigzag_folds_the_sign(void **state)
{
	(void)state;
	static const struct {
		int64_t number;
		uint64_t folded;
	} ROWS[] = {{0, 0}, {-1, 1}, {1, 2}, {-2, 3}, {INT64_MAX, UINT64_MAX - 1}, {INT64_MIN, UINT64_MAX}};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		assert_true(weir_zigzag(ROWS[i].number) == ROWS[i].folded);
		assert_true(weir_unzigzag(ROWS[i].folded) == ROWS[i].number);
	}
}

static void
amounts_stop_at_the_border(void **state)
{
	(void)state;
	assert_true(weir_add_saturating(0, 0) == 0);
	assert_true(weir_add_saturating(1, 2) == 3);
	assert_true(weir_add_saturating(UINT64_MAX, 0) == UINT64_MAX);
	assert_true(weir_add_saturating(UINT64_MAX - 1, 1) == UINT64_MAX);
	assert_true(weir_add_saturating(UINT64_MAX - 1, 2) == UINT64_MAX);
	assert_true(weir_add_saturating(1, UINT64_MAX) == UINT64_MAX);
	assert_true(weir_add_saturating(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
	assert_true(weir_sub_saturating(3, 2) == 1);
	assert_true(weir_sub_saturating(2, 2) == 0);
	assert_true(weir_sub_saturating(2, 3) == 0);
	assert_true(weir_sub_saturating(0, UINT64_MAX) == 0);
	assert_true(weir_sub_saturating(UINT64_MAX, 0) == UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_length),
	    cmocka_unit_test(damaged_ones_are_refused),
	    cmocka_unit_test(numbers_are_taken_one_by_one),
	    cmocka_unit_test(zigzag_folds_the_sign),
	    cmocka_unit_test(amounts_stop_at_the_border),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
