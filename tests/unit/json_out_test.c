/*
 * JSON as it is written: whatever bytes a text holds, jansson reads the result, and what was UTF-8 comes back as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "config/base/json_out.h"
#include "config/base/random.h"
#include "config/base/utf8.h"

#define FFFD "\xef\xbf\xbd"

static void
assert_written_len(const char *text, size_t len, const char *expected)
{
	struct weir_buf buf = {0};
	uint8_t *exact = malloc(len > 0 ? len : 1); /* nothing beyond is read: sanitizers watch */
	memcpy(exact, text, len);
	weir_json_string(&buf, (struct weir_slice){exact, len});
	if (buf.len != strlen(expected) || memcmp(buf.data, expected, buf.len) != 0)
		fail_msg("%.*s, expected %s", (int)buf.len, (const char *)buf.data, expected);
	free(exact);
	weir_buf_free(&buf);
}

static void
assert_written(const char *text, const char *expected)
{
	assert_written_len(text, strlen(text), expected);
}

static void
text_stays_as_it_is(void **state)
{
	(void)state;
	assert_written("", "\"\"");
	assert_written("plain words, 0 to 9 / and 'quotes'", "\"plain words, 0 to 9 / and 'quotes'\"");
	assert_written("该卡已停机", "\"该卡已停机\"");
	assert_written("Größe \xf0\x9f\x93\xb6 ключ", "\"Größe \xf0\x9f\x93\xb6 ключ\"");
	assert_written("\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
	    "\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void
what_json_forbids_is_escaped(void **state)
{
	(void)state;
	assert_written("a\"b\\c", "\"a\\\"b\\\\c\"");
	assert_written("\n\r\t\b\x1f\x7f", "\"\\u000a\\u000d\\u0009\\u0008\\u001f\\u007f\"");
	assert_written_len("a\0b", 3, "\"a\\u0000b\"");
	assert_written("\"", "\"\\\"\"");
	assert_written("停\"机\\", "\"停\\\"机\\\\\"");
}

static void
what_is_no_utf8_is_replaced(void **state)
{
	(void)state;
	assert_written("\x80", "\"" FFFD "\"");
	assert_written("\xff\xfe", "\"" FFFD FFFD "\"");
	assert_written("\xc0\xaf", "\"" FFFD FFFD "\"");                   /* an overlong slash */
	assert_written("\xc1\xbf", "\"" FFFD FFFD "\"");                   /* overlong */
	assert_written("\xe0\x80\xa2", "\"" FFFD FFFD FFFD "\"");          /* an overlong quote */
	assert_written("\xf0\x80\x80\xa2", "\"" FFFD FFFD FFFD FFFD "\""); /* the same in four bytes */
	assert_written("\xed\xa0\x80", "\"" FFFD FFFD FFFD "\"");          /* half of a surrogate pair */
	assert_written("\xf4\x90\x80\x80", "\"" FFFD FFFD FFFD FFFD "\""); /* above U+10FFFF */
	assert_written("\xf5\x80\x80\x80", "\"" FFFD FFFD FFFD FFFD "\"");
	/* cut off at the end, where reading on would go past it */
	assert_written("a\xc3", "\"a" FFFD "\"");
	assert_written("a\xe5\x81", "\"a" FFFD FFFD "\"");
	assert_written("a\xf0\x9f\x93", "\"a" FFFD FFFD FFFD "\"");
	/* a quote behind a first byte stays a quote that is escaped */
	assert_written("\xe5\"", "\"" FFFD "\\\"\"");
	assert_written("\xe5\x81\"x", "\"" FFFD FFFD "\\\"x\"");
}

/* Random bytes, weighted towards what matters, are JSON that a strict reader takes; nothing is lost of what is valid. */
static void
every_text_is_json(void **state)
{
	(void)state;
	static const uint8_t NASTY[] = {'"', '\\', 0x00, 0x1f, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0,
	    0xf4, 0xff, 0xa0, 0x9f, 'a', '{'};
	struct weir_random random = {20};
	struct weir_buf buf = {0};
	for (int round = 0; round < 50000; round++) {
		uint8_t text[24];
		size_t len = weir_random_below(&random, sizeof(text) + 1);
		for (size_t i = 0; i < len; i++)
			text[i] = weir_random_below(&random, 4) == 0 ? (uint8_t)weir_random_next(&random)
								     : NASTY[weir_random_below(&random, sizeof(NASTY))];
		buf.len = 0;
		weir_json_string(&buf, (struct weir_slice){text, len});
		json_error_t error;
		json_t *read = json_loadb((const char *)buf.data, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		assert_non_null(read);
		bool valid = true;
		for (const uint8_t *at = text, *end = text + len; at < end && valid;) {
			size_t one = weir_utf8_len(at, end);
			valid = one > 0;
			at += one;
		}
		if (valid) {
			assert_int_equal(json_string_length(read), len);
			assert_memory_equal(json_string_value(read), text, len);
		}
		json_decref(read);
	}
	weir_buf_free(&buf);
}

static void
a_text_is_cut_between_characters(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
		size_t size;
	} ROWS[] = {{"abc", "abc", 4}, {"abc", "ab", 3}, {"abc", "", 1}, {"a\\b", "a\\\\b", 5}, {"a\\b", "a\\\\", 4},
	    {"a\\b", "a", 3}, {"停机", "停机", 7}, {"停机", "停", 6}, {"停机", "停", 4}, {"停机", "", 3},
	    {"\n", "\\u000a", 7}, {"\n", "", 6}, {"x\xff", "x" FFFD, 5}, {"x\xff", "x", 4}};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		char *out = malloc(ROWS[i].size);
		weir_json_escape_text(ROWS[i].text, out, ROWS[i].size);
		assert_string_equal(out, ROWS[i].expected);
		free(out);
	}
}

static void
texts_from_outside_are_cleaned(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
		bool cut;
	} ROWS[] = {{"plain", "plain", false}, {"卡已停机", "卡已停机", true}, {"a\nb\x7f", "a?b?", false},
	    {"a\xc2\x9bz", "a??z", false}, {"a\xff\xfez", "a??z", true}, {"a\xc3", "a?", false}, {"a\xc3", "a", true},
	    {"卡\xe5\x81", "卡", true}, {"卡\xe5\x81", "卡??", false}, {"x\xf0\x9f\x93", "x", true},
	    {"x\xe5z", "x?z", true}, {"\xe5", "", true}, {"", "", true}, {"x\xc0", "x?", true}, {"x\xf5\x80", "x??", true}};
	for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
		char *text = strdup(ROWS[i].text);
		weir_utf8_clean(text, ROWS[i].cut);
		assert_string_equal(text, ROWS[i].expected);
		free(text);
	}
}

static void
objects_and_arrays(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	struct weir_json json = {.out = &buf};
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "na\"me", "停机");
	weir_json_text_or_null(&json, "none", "");
	weir_json_open(&json, "list", '[');
	weir_json_u64(&json, NULL, UINT64_MAX);
	weir_json_i64(&json, NULL, INT64_MIN);
	weir_json_bool(&json, NULL, true);
	weir_json_open(&json, NULL, '{');
	weir_json_close(&json, '}');
	weir_json_open(&json, NULL, '[');
	weir_json_close(&json, ']');
	weir_json_close(&json, ']');
	weir_json_time(&json, "at", INT64_C(1774847296894229));
	weir_json_time(&json, "never", INT64_MAX);
	weir_json_time(&json, "none", 0);
	weir_json_close(&json, '}');
	weir_buf_append(&buf, "", 1);
	assert_string_equal((const char *)buf.data,
	    "{\"na\\\"me\":\"停机\",\"none\":null,\"list\":[18446744073709551615,-9223372036854775808,true,{},[]],"
	    "\"at\":\"2026-03-30T05:08:16.894Z\",\"never\":null,\"none\":null}");
	weir_buf_free(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_stays_as_it_is),
	    cmocka_unit_test(what_json_forbids_is_escaped),
	    cmocka_unit_test(what_is_no_utf8_is_replaced),
	    cmocka_unit_test(every_text_is_json),
	    cmocka_unit_test(a_text_is_cut_between_characters),
	    cmocka_unit_test(texts_from_outside_are_cleaned),
	    cmocka_unit_test(objects_and_arrays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
