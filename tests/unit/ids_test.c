/* The rule for ids, character by character and at its lengths; keys' partitions as other clients choose them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "config/base/ids.h"
#include "config/base/murmur2.h"

static void
every_character(void **state)
{
	(void)state;
	for (int c = 1; c < 256; c++) {
		char id[] = {'a', (char)c, 'z', '\0'}, field[WEIR_ID_MAX] = {'a', (char)c, 'z'};
		bool valid = c > 0x20 && c < 0x7f && c != '{' && c != '}' && c != '"' && c != '\'';
		assert_int_equal(weir_id_is_valid(id), valid);
		assert_int_equal(weir_id_field_is_valid(field), valid);
	}
}

static void
lengths(void **state)
{
	(void)state;
	char id[WEIR_ID_MAX + 2] = "";
	assert_false(weir_id_is_valid(id));
	for (size_t len = 1; len <= WEIR_ID_MAX; len++) {
		id[len - 1] = 'x';
		assert_int_equal(weir_id_is_valid(id), len < WEIR_ID_MAX);
	}
	assert_false(weir_id_field_is_valid(id)); /* without an end */
	memset(id, 0, sizeof(id));
	assert_false(weir_id_field_is_valid(id));
	memset(id, 'y', WEIR_ID_MAX - 1);
	assert_true(weir_id_field_is_valid(id));
}

static void
nothing_stands_behind_a_fields_end(void **state)
{
	(void)state;
	char field[WEIR_ID_MAX] = "pool";
	assert_true(weir_id_field_is_valid(field));
	for (size_t i = 5; i < WEIR_ID_MAX; i++) {
		field[i] = 'x';
		assert_false(weir_id_field_is_valid(field));
		field[i] = '\0';
	}
}

/* Values that Java's client computes (Utils.murmur2), of keys of every length modulo four. */
static void
murmur2_is_javas(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		int32_t hash;
	} ROWS[] = {{"21", -973932308}, {"foobar", -790332482}, {"a-little-bit-long-string", -985981536},
	    {"a-little-bit-longer-string", -1486304829}, {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
	    {"abc", 479470107}};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
		assert_int_equal((int32_t)weir_murmur2(weir_slice_of(ROWS[i].key)), ROWS[i].hash);
	for (uint32_t partitions = 1; partitions < 100; partitions++)
		assert_int_equal(weir_murmur2_partition(weir_slice_of("21"), partitions),
		    (uint32_t)(-973932308 & INT32_MAX) % partitions);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_character),
	    cmocka_unit_test(lengths),
	    cmocka_unit_test(nothing_stands_behind_a_fields_end),
	    cmocka_unit_test(murmur2_is_javas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
