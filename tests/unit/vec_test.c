/* Growing arrays: capacities double, elements stay, new ones of WEIR_VEC_REACH are zero, whatever the type of the count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/base/vec.h"

static void
capacities_double_from_the_first(void **state)
{
	(void)state;
	assert_int_equal(weir_vec_cap(0, 1, 64), 64);
	assert_int_equal(weir_vec_cap(0, 0, 64), 64);
	assert_int_equal(weir_vec_cap(0, 65, 64), 128);
	assert_int_equal(weir_vec_cap(64, 64, 64), 64);
	assert_int_equal(weir_vec_cap(64, 65, 64), 128);
	assert_int_equal(weir_vec_cap(128, 1000, 64), 1024);
	assert_int_equal(weir_vec_cap(0, 1000, 1), 1024);
	assert_true(weir_vec_cap(0, SIZE_MAX / 2 + 1, 1) == SIZE_MAX / 2 + 1);
}

static void
elements_are_appended(void **state)
{
	(void)state;
	uint64_t *v = NULL;
	uint32_t n = 0, cap = 0;
	for (uint64_t i = 0; i < 1000; i++) {
		WEIR_VEC_ROOM(v, n, cap, 16);
		v[n++] = i * i;
		assert_true(cap >= n && (n <= 16 || cap < 2 * n));
	}
	assert_int_equal(cap, 1024);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(v[i], i * i);
	free(v);
}

/* Counts of other types, and a place behind two pointers, as owners have them. */
static void
any_integer_counts(void **state)
{
	(void)state;
	char *text = NULL;
	int n = 0, cap = 0;
	int64_t far = 0, far_cap = 0;
	uint16_t *small = NULL;
	for (int i = 0; i < 300; i++) {
		WEIR_VEC_ROOM(text, n, cap, 4);
		text[n++] = (char)i;
		uint16_t **list = &small;
		WEIR_VEC_ROOM(*list, far, far_cap, 1);
		(*list)[far++] = (uint16_t)i;
	}
	assert_int_equal(cap, 512);
	assert_int_equal(far_cap, 512);
	assert_int_equal(small[299], 299);
	free(text);
	free(small);
}

static void
reached_elements_are_zero(void **state)
{
	(void)state;
	struct {
		uint32_t a;
		void *b;
	} *v = NULL;
	uint32_t cap = 0;
	WEIR_VEC_REACH(v, cap, 5u, 4);
	assert_int_equal(cap, 8);
	for (uint32_t i = 0; i < cap; i++) {
		assert_int_equal(v[i].a, 0);
		assert_null(v[i].b);
		v[i].a = i + 1;
	}
	WEIR_VEC_REACH(v, cap, 7u, 4);
	assert_int_equal(cap, 8);
	WEIR_VEC_REACH(v, cap, 1000u, 4);
	assert_int_equal(cap, 1024);
	for (uint32_t i = 0; i < cap; i++)
		assert_int_equal(v[i].a, i < 8 ? i + 1 : 0);
	free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(capacities_double_from_the_first),
	    cmocka_unit_test(elements_are_appended),
	    cmocka_unit_test(any_integer_counts),
	    cmocka_unit_test(reached_elements_are_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
