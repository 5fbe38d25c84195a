/* RESP writing: exact bytes, extremes of integers, reserved bulks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "config/base/random.h"
#include "pipeline/redis/resp.h"

static void
assert_written(struct weir_buf *buf, const char *expected)
{
	assert_int_equal(buf->len, strlen(expected));
	assert_memory_equal(buf->data, expected, buf->len);
	buf->len = 0;
}

static void
commands_and_bulks_are_exact_bytes(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	weir_resp_command(&buf, 3);
	weir_resp_text(&buf, "SET");
	weir_resp_bulk(&buf, "a\r\nb\0c", 6);
	weir_resp_bulk(&buf, NULL, 0);
	assert_int_equal(buf.len, 4 + 9 + 12 + 6);
	assert_memory_equal(buf.data, "*3\r\n$3\r\nSET\r\n$6\r\na\r\nb\0c\r\n$0\r\n\r\n", buf.len);
	weir_buf_free(&buf);
}

static void
integers_match_printf(void **state)
{
	(void)state;
	static const int64_t SAMPLES[] = {0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 12345, 99999, 100000, -1, -9, -10, -100,
	    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, INT64_MAX - 1, 1000000000000000000, -1000000000000000000,
	    (INT64_C(1) << 53) + 1};
	struct weir_buf buf = {0};
	for (size_t i = 0; i < sizeof(SAMPLES) / sizeof(SAMPLES[0]); i++) {
		char digits[32], expected[64];
		int len = snprintf(digits, sizeof(digits), "%lld", (long long)SAMPLES[i]);
		(void)snprintf(expected, sizeof(expected), "$%d\r\n%s\r\n", len, digits);
		weir_resp_i64(&buf, SAMPLES[i]);
		assert_written(&buf, expected);
	}
	struct weir_random random = {42};
	for (int i = 0; i < 20000; i++) {
		uint64_t draw = weir_random_next(&random);
		int64_t number = (int64_t)draw >> (draw & 63);
		char digits[32], expected[64];
		int len = snprintf(digits, sizeof(digits), "%lld", (long long)number);
		(void)snprintf(expected, sizeof(expected), "$%d\r\n%s\r\n", len, digits);
		weir_resp_i64(&buf, number);
		assert_written(&buf, expected);
	}
	weir_buf_free(&buf);
}

static void
counts_and_lengths_at_their_extremes(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	weir_resp_command(&buf, 0);
	assert_written(&buf, "*0\r\n");
	weir_resp_command(&buf, 4294967295u);
	assert_written(&buf, "*4294967295\r\n");
	weir_buf_free(&buf);
}

static void
reserved_bulk_is_filled_in_place(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	uint8_t *at = weir_resp_reserve(&buf, 8192);
	memset(at, 'x', 8192);
	assert_int_equal(buf.len, 7 + 8192 + 2);
	assert_memory_equal(buf.data, "$8192\r\nx", 8);
	assert_memory_equal(buf.data + buf.len - 3, "x\r\n", 3);
	assert_ptr_equal(at, buf.data + 7);
	weir_buf_free(&buf);
}

static void
keys_carry_prefix_tag_and_name(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	weir_resp_key(&buf, "weir", 3, "h");
	assert_written(&buf, "$10\r\nweir:{3}:h\r\n");
	weir_resp_key(&buf, "", 4294967295u, "m:%d:%u", 493012, 255u);
	assert_written(&buf, "$26\r\n:{4294967295}:m:493012:255\r\n");
	weir_resp_key(&buf, "p", 0, "%s", "");
	assert_written(&buf, "$6\r\np:{0}:\r\n");
	weir_buf_free(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_and_bulks_are_exact_bytes),
	    cmocka_unit_test(integers_match_printf),
	    cmocka_unit_test(counts_and_lengths_at_their_extremes),
	    cmocka_unit_test(reserved_bulk_is_filled_in_place),
	    cmocka_unit_test(keys_carry_prefix_tag_and_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
