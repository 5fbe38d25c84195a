/*
 * The reader's pure parts: partitioner, bases of windows, cursors, JSON. Nothing here talks to Redis.
 */
#include "read_fixture.h"

#include <librdkafka/rdkafka.h>

/* Keys of all lengths go where librdkafka's (and Java's) partitioner sends them. */
static void
keys_go_where_kafka_s_clients_send_them(void **state)
{
	(void)state;
	char key[32];
	for (unsigned len = 1; len < 24; len++) {
		for (unsigned i = 0; i < 50; i++) {
			for (unsigned k = 0; k < len; k++)
				key[k] = (char)(i * 131 + k * 29 + len);
			assert_int_equal(weir_read_partition_of((struct weir_slice){(const uint8_t *)key, len}, 12),
			    rd_kafka_msg_partitioner_murmur2(NULL, key, len, 12, NULL, NULL));
		}
	}
	assert_int_equal(weir_read_partition_of(weir_slice_of("kafka"), INT32_MAX), 0xd067cf64u % 0x80000000u % INT32_MAX);
}

/* The last entry of a slot counts; others on the page are left alone. */
static void
the_last_baseline_of_a_slot_counts(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	base_entry(&buf, 5, (struct weir_volume){1, 2, 3, 4});
	base_entry(&buf, 127, (struct weir_volume){UINT64_MAX, UINT64_C(1) << 63, 300, 0});
	base_entry(&buf, 5, (struct weir_volume){10, 20, 30, 40});
	struct weir_slice bytes = {buf.data, buf.len};
	bool found;
	struct weir_volume at;
	assert_true(baselines_find(bytes, 5, &found, &at));
	assert_true(found);
	assert_volume(&at, 10, 20, 30, 40);
	assert_true(baselines_find(bytes, 127, &found, &at));
	assert_volume(&at, UINT64_MAX, UINT64_C(1) << 63, 300, 0);
	assert_true(baselines_find(bytes, 6, &found, &at));
	assert_false(found);
	struct baselines_page page;
	assert_true(baselines_read(bytes, &page));
	assert_true(page.found[5] && page.found[127] && !page.found[6]);
	assert_volume(&page.at[5], 10, 20, 30, 40);
	/* cut anywhere but between entries it is no list; a slot beyond the page neither */
	uint32_t whole = 0;
	for (size_t len = 0; len <= buf.len; len++)
		whole += baselines_read((struct weir_slice){buf.data, len}, &page);
	assert_int_equal(whole, 4);
	base_entry(&buf, 128, (struct weir_volume){0});
	bytes = (struct weir_slice){buf.data, buf.len};
	assert_false(baselines_read(bytes, &page));
	assert_false(baselines_find(bytes, 5, &found, &at));
	weir_buf_free(&buf);
}

/* Numbers of 65 bits and more, and endless ones. */
static void
a_varint_ends_within_64_bits(void **state)
{
	(void)state;
	uint8_t bytes[64];
	struct baselines_page page;
	memset(bytes, 0xff, sizeof(bytes));
	assert_false(baselines_read((struct weir_slice){bytes, sizeof(bytes)}, &page));
	memset(bytes, 0x80, sizeof(bytes));
	bytes[0] = 1;
	bytes[10] = 2; /* bit 64 of `up` */
	assert_false(baselines_read((struct weir_slice){bytes, sizeof(bytes)}, &page));
}

static struct weir_volume
two_totals(void *ctx, int32_t cycle)
{
	(void)ctx;
	return cycle == 7 ? (struct weir_volume){100, 10, 9, 5} : (struct weir_volume){30, 3, 2, 1};
}

/* rule ROL-2: the windows of a cycle add up to it, whatever windows have no traffic. */
static void
windows_are_differences_of_one_row(void **state)
{
	(void)state;
	struct baseline_point points[] = {{.cycle = 7, .found = true, .at = {0, 0, 0, 0}}, {.cycle = 7},
	    {.cycle = 7, .found = true, .at = {40, 4, 4, 2}}, {.cycle = 7, .found = true, .at = {40, 4, 4, 2}},
	    {.cycle = 8}, {.cycle = 8, .found = true, .at = {0, 0, 0, 0}}, {.cycle = 8}};
	struct weir_volume sum = {0};
	baselines_to_volumes(points, 7, two_totals, NULL);
	assert_volume(&points[0].volume, 40, 4, 4, 2);
	assert_volume(&points[1].volume, 0, 0, 0, 0);
	assert_volume(&points[2].volume, 0, 0, 0, 0);
	assert_volume(&points[3].volume, 60, 6, 5, 3);
	assert_volume(&points[5].volume, 30, 3, 2, 1);
	for (unsigned i = 0; i < 5; i++)
		volume_add(&sum, &points[i].volume);
	assert_volume(&sum, 100, 10, 9, 5);
	/* a base above what comes after it is nobody's usage */
	points[6] = (struct baseline_point){.cycle = 8, .found = true, .at = {31, 3, 2, 1}};
	baselines_to_volumes(points, 7, two_totals, NULL);
	assert_volume(&points[6].volume, 0, 0, 0, 0);
}

static void
a_cursor_is_bound_to_its_query(void **state)
{
	(void)state;
	struct cursor in = {3, 1, UINT64_MAX, 77}, out;
	char text[WEIR_CURSOR_MAX], broken[WEIR_CURSOR_MAX];
	struct weir_error err = {0};
	cursor_write(&in, 42, text);
	assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(text));
	assert_int_equal(cursor_read(text, 42, &out, &err), WEIR_READ_OK);
	assert_true(out.partition == 3 && out.a == 1 && out.b == UINT64_MAX && out.c == 77);
	assert_int_equal(cursor_read(text, 43, &out, &err), WEIR_READ_REFUSED);
	assert_non_null(strstr(err.text, "cursor: it belongs to another query"));
	assert_int_equal(cursor_read("", 42, &out, &err), WEIR_READ_OK);
	assert_int_equal(out.partition, 0);
	static const char *const nonsense[] = {"x", "....", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(cursor_read(nonsense[i], 42, &out, &err), WEIR_READ_REFUSED);
	for (size_t i = 0; i < strlen(text); i++) {
		(void)strcpy(broken, text);
		broken[i] = broken[i] == 'A' ? 'B' : 'A';
		assert_int_equal(cursor_read(broken, 42, &out, &err), WEIR_READ_REFUSED);
	}
}

static void
json_is_written_with_commas_and_escapes(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "a", "q\"\\\n\x7f \xc3\xa9 \xe4\xb8\xad \xf0\x9f\x9a\x80 \xff\xc3(\xed\xa0\x80");
	weir_json_open(&json, "b", '[');
	weir_json_u64(&json, NULL, UINT64_MAX);
	weir_json_i64(&json, NULL, INT64_MIN);
	weir_json_open(&json, NULL, '{');
	weir_json_close(&json, '}');
	weir_json_close(&json, ']');
	weir_json_limit(&json, "c", WEIR_NO_LIMIT);
	weir_json_time(&json, "d", NOW_S * S_US);
	weir_json_time(&json, "e", 0);
	weir_json_day(&json, "f", TODAY);
	weir_json_cycle(&json, "g", CYCLE(2026, 3));
	weir_json_reasons(&json, "h", WEIR_REASON_BIT(0) | WEIR_REASON_BIT(6));
	weir_json_close(&json, '}');
	weir_buf_append(&buf, "", 1);
	assert_string_equal((const char *)buf.data,
	    "{\"a\":\"q\\\"\\\\\\u000a\\u007f \xc3\xa9 \xe4\xb8\xad \xf0\x9f\x9a\x80 "
	    "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\","
	    "\"b\":[18446744073709551615,-9223372036854775808,{}],\"c\":null,\"d\":\"2026-03-30T05:08:06.000Z\",\"e\":null,"
	    "\"f\":\"2026-03-30\",\"g\":\"2026-03\",\"h\":[\"plan_exhausted\",\"manual\"]}");
	weir_buf_free(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_go_where_kafka_s_clients_send_them),
	    cmocka_unit_test(the_last_baseline_of_a_slot_counts),
	    cmocka_unit_test(a_varint_ends_within_64_bits),
	    cmocka_unit_test(windows_are_differences_of_one_row),
	    cmocka_unit_test(a_cursor_is_bound_to_its_query),
	    cmocka_unit_test(json_is_written_with_commas_and_escapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
