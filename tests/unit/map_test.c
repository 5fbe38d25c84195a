/* The table of keys and values against a plain array: growth, removal, keys that share a home, several values under a key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/base/map.h"
#include "config/base/random.h"

static void
an_empty_map_knows_nothing(void **state)
{
	(void)state;
	struct weir_map map = {0};
	uint32_t at;
	assert_int_equal(weir_map_get(&map, 0), WEIR_MAP_NONE);
	assert_int_equal(weir_map_first(&map, 7, &at), WEIR_MAP_NONE);
	weir_map_remove(&map, 7);
	assert_int_equal(map.count, 0);
	weir_map_free(&map);
}

static void
any_key_and_value(void **state)
{
	(void)state;
	struct weir_map map = {0};
	weir_map_put(&map, 0, 0);
	weir_map_put(&map, UINT64_MAX, UINT32_MAX - 1);
	weir_map_put(&map, 1, 5);
	weir_map_put(&map, 1, 6);
	assert_int_equal(map.count, 3);
	assert_int_equal(weir_map_get(&map, 0), 0);
	assert_int_equal(weir_map_get(&map, UINT64_MAX), UINT32_MAX - 1);
	assert_int_equal(weir_map_get(&map, 1), 6);
	assert_int_equal(weir_map_get(&map, 2), WEIR_MAP_NONE);
	weir_map_free(&map);
	assert_int_equal(weir_map_get(&map, 0), WEIR_MAP_NONE);
}

static void
it_grows_and_keeps_all(void **state)
{
	(void)state;
	struct weir_map map = {0};
	for (uint32_t i = 0; i < 200000; i++) {
		weir_map_put(&map, (uint64_t)i << 32 | i % 7, i);
		assert_true((uint64_t)map.count * 3 <= (uint64_t)map.cap * 2);
		assert_int_equal(map.cap & (map.cap - 1), 0);
	}
	assert_int_equal(map.count, 200000);
	for (uint32_t i = 0; i < 200000; i++)
		assert_int_equal(weir_map_get(&map, (uint64_t)i << 32 | i % 7), i);
	assert_int_equal(weir_map_get(&map, 3), WEIR_MAP_NONE);
	weir_map_free(&map);
}

/* Few keys, so that chains wrap around the table's end and every removal has neighbours to move. */
static void
removal_loses_nobody(void **state)
{
	(void)state;
	enum { KEYS = 48, ROUNDS = 200000 };
	struct weir_random random = {4};
	static const uint64_t SPREADS[] = {1, UINT64_C(1) << 20, UINT64_C(1) << 40, UINT64_C(1) << 58};
	for (size_t k = 0; k < 4; k++) {
		const uint64_t spread = SPREADS[k];
		struct weir_map map = {0};
		uint32_t values[KEYS], count = 0;
		memset(values, 0xff, sizeof(values));
		for (uint32_t round = 0; round < ROUNDS / 4; round++) {
			uint32_t key = (uint32_t)weir_random_below(&random, KEYS);
			count -= values[key] != WEIR_MAP_NONE;
			if (weir_random_below(&random, 2) == 0) {
				weir_map_remove(&map, key * spread);
				values[key] = WEIR_MAP_NONE;
			} else {
				weir_map_put(&map, key * spread, round);
				values[key] = round;
				count++;
			}
			assert_int_equal(map.count, count);
			if (round % 16 == 0)
				for (uint32_t i = 0; i < KEYS; i++)
					assert_int_equal(weir_map_get(&map, i * spread), values[i]);
		}
		weir_map_free(&map);
	}
}

static void
several_values_under_one_key(void **state)
{
	(void)state;
	struct weir_map map = {0};
	for (uint32_t i = 0; i < 1000; i++)
		weir_map_add(&map, i % 10, i);
	for (uint64_t key = 0; key < 11; key++) {
		bool seen[1000] = {false};
		uint32_t found = 0, at;
		for (uint32_t v = weir_map_first(&map, key, &at); v != WEIR_MAP_NONE; v = weir_map_next(&map, key, &at)) {
			assert_true(v < 1000 && v % 10 == key && !seen[v]);
			seen[v] = true;
			found++;
		}
		assert_int_equal(found, key < 10 ? 100 : 0);
	}
	for (uint32_t i = 0; i < 99; i++)
		weir_map_remove(&map, 4);
	assert_int_equal(map.count, 901);
	assert_int_equal(weir_map_get(&map, 4) % 10, 4);
	weir_map_remove(&map, 4);
	weir_map_remove(&map, 4);
	assert_int_equal(weir_map_get(&map, 4), WEIR_MAP_NONE);
	assert_int_equal(map.count, 900);
	weir_map_free(&map);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_map_knows_nothing),
	    cmocka_unit_test(any_key_and_value),
	    cmocka_unit_test(it_grows_and_keeps_all),
	    cmocka_unit_test(removal_loses_nobody),
	    cmocka_unit_test(several_values_under_one_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
