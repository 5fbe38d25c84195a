/* Logging: one line per call whatever the message holds, levels, the limit per place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/file.h"
#include "config/base/log.h"
#include "config/base/log_priv.h"

static char path[64];

static void
sink_begin(enum weir_log_level level)
{
	(void)strcpy(path, "/tmp/weir_log_test_XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(weir_log_open(level, path, NULL), WEIR_OK);
}

static struct weir_buf
sink_end(void)
{
	struct weir_buf buf = {0};
	weir_log_close();
	assert_int_equal(weir_file_read(path, 1 << 24, &buf, NULL), WEIR_OK);
	(void)unlink(path);
	return buf;
}

static uint32_t
count_lines(const struct weir_buf *buf)
{
	uint32_t count = 0;
	for (size_t i = 0; i < buf->len; i++)
		count += buf->data[i] == '\n';
	return count;
}

static void
test_line(void **state)
{
	(void)state;
	sink_begin(WEIR_LOG_INFO);
	weir_log(WEIR_LOG_WARN, "flush_retry", "partition %d \"x\"\n\x01\\", 3);
	weir_log(WEIR_LOG_INFO, "started", "%s", "");
	struct weir_buf buf = sink_end();
	char *text = (char *)buf.data;
	assert_true(strncmp(text, "ts=20", 5) == 0);
	assert_non_null(strstr(text, "Z level=warn event=flush_retry msg=\"partition 3 \\\"x\\\"\\n\\x01\\\\\"\n"));
	assert_non_null(strstr(text, " level=info event=started\n"));
	assert_int_equal(count_lines(&buf), 2);
	weir_buf_free(&buf);
}

static void
test_level(void **state)
{
	(void)state;
	sink_begin(WEIR_LOG_WARN);
	weir_log(WEIR_LOG_INFO, "quiet", "no");
	WEIR_LOG_LIMITED(WEIR_LOG_DEBUG, "quiet", "no");
	weir_log(WEIR_LOG_ERROR, "loud", "yes");
	struct weir_buf buf = sink_end();
	assert_null(strstr((char *)buf.data, "quiet"));
	assert_int_equal(count_lines(&buf), 1);
	weir_buf_free(&buf);
	enum weir_log_level level = WEIR_LOG_DEBUG;
	assert_true(weir_log_level_parse("error", &level));
	assert_int_equal(level, WEIR_LOG_ERROR);
	assert_false(weir_log_level_parse("INFO", &level));
}

static void
test_long_message_is_cut(void **state)
{
	(void)state;
	char text[20000];
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	sink_begin(WEIR_LOG_INFO);
	weir_log(WEIR_LOG_INFO, "long", "%s", text);
	memset(text, '\x02', sizeof(text) - 1);
	weir_log(WEIR_LOG_INFO, "long", "%s", text);
	struct weir_buf buf = sink_end();
	assert_int_equal(count_lines(&buf), 2);
	assert_true(buf.len <= 8192);
	assert_memory_equal(buf.data + buf.len - 2, "\"\n", 2);
	weir_buf_free(&buf);
}

static void
test_site_admits_five_a_second(void **state)
{
	(void)state;
	struct weir_log_site site = {0};
	uint64_t suppressed, admitted = 0;
	for (int i = 0; i < 100; i++)
		admitted += weir_log_site_admit(&site, 500, &suppressed);
	assert_int_equal(admitted, 5);
	assert_false(weir_log_site_admit(&site, 999, &suppressed));
	assert_true(weir_log_site_admit(&site, 1000, &suppressed));
	assert_int_equal(suppressed, 96);
	assert_true(weir_log_site_admit(&site, 1001, &suppressed));
	assert_int_equal(suppressed, 0);
}

static void *
hammer(void *arg)
{
	for (int i = 0; i < 2000; i++)
		weir_log(WEIR_LOG_INFO, "hammer", "thread %s line %d end", (const char *)arg, i);
	return NULL;
}

static void
test_threads_do_not_mix_lines(void **state)
{
	(void)state;
	pthread_t threads[4];
	sink_begin(WEIR_LOG_INFO);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, "abcdefgh"), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	struct weir_buf buf = sink_end();
	uint32_t whole = 0;
	for (char *line = strtok((char *)buf.data, "\n"); line != NULL; line = strtok(NULL, "\n"))
		whole += strncmp(line, "ts=", 3) == 0 && strcmp(line + strlen(line) - 5, " end\"") == 0;
	assert_int_equal(whole, 8000);
	weir_buf_free(&buf);
}

/* One line as written; with its newline taken off. */
static char *
line_of(enum weir_log_format format, const char *message, uint64_t suppressed)
{
	static struct weir_log_line line;
	weir_log_line_write(&line, format, 1774847296894000, WEIR_LOG_WARN, "dead_letter", message, suppressed);
	assert_true(line.len > 0 && line.text[line.len - 1] == '\n');
	assert_ptr_equal(memchr(line.text, '\n', line.len), line.text + line.len - 1);
	line.text[line.len - 1] = '\0';
	return line.text;
}

/* Names and values at a message's start are fields of the line. */
static void
test_fields(void **state)
{
	(void)state;
	static const char message[] = "topic=weir.records partition=3 offset=81234567 too late by 2 h: day=1";
	assert_string_equal(line_of(WEIR_LOG_LOGFMT, message, 7),
	    "ts=2026-03-30T05:08:16.894Z level=warn event=dead_letter topic=weir.records partition=3 offset=81234567 "
	    "msg=\"too late by 2 h: day=1\" suppressed=7");
	assert_string_equal(line_of(WEIR_LOG_JSON, message, 7),
	    "{\"ts\":\"2026-03-30T05:08:16.894Z\",\"level\":\"warn\",\"event\":\"dead_letter\",\"topic\":\"weir.records\","
	    "\"partition\":3,\"offset\":81234567,\"msg\":\"too late by 2 h: day=1\",\"suppressed\":7}");
	assert_string_equal(line_of(WEIR_LOG_JSON, "iccid=89860000000000000001 n=-5 z=007 e= \"x\"", 0),
	    "{\"ts\":\"2026-03-30T05:08:16.894Z\",\"level\":\"warn\",\"event\":\"dead_letter\","
	    "\"iccid\":\"89860000000000000001\",\"n\":-5,\"z\":\"007\",\"msg\":\"e= \\\"x\\\"\"}");
	/* what outside words say cannot pass for the line's own members, nor break out of a field */
	assert_non_null(strstr(line_of(WEIR_LOG_LOGFMT, "level=error x", 0), "msg=\"level=error x\""));
	assert_non_null(strstr(line_of(WEIR_LOG_LOGFMT, "a=b\"c x=1", 0), "msg=\"a=b\\\"c x=1\""));
	assert_non_null(strstr(line_of(WEIR_LOG_LOGFMT, "a=b\nc", 0), "msg=\"a=b\\nc\""));
	assert_null(strstr(line_of(WEIR_LOG_LOGFMT, "a=1", 0), "msg"));
}

static json_t *
json_of(const char *message, uint64_t suppressed)
{
	json_error_t error;
	json_t *root = json_loads(line_of(WEIR_LOG_JSON, message, suppressed), JSON_REJECT_DUPLICATES, &error);
	if (root == NULL)
		fail_msg("%s", error.text);
	return root;
}

/* Whatever a message holds, a JSON line parses, and what was text comes back as it was. */
static void
test_json_takes_any_bytes(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "quote \" back\\slash \t tab \n line", "\xe4\xb8\xad\xe5\x9b\xbd \xf0\x9f\x93\xb6", "\x7f"};
	for (size_t i = 0; i < 3; i++) {
		json_t *root = json_of(texts[i], 0);
		assert_string_equal(json_string_value(json_object_get(root, "msg")), texts[i]);
		json_decref(root);
	}
	/* no UTF-8: cut short, overlong, a surrogate, beyond the last character */
	static const char *const bad[] = {
	    "\xe4\xb8", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\xf0\x80\x80\x80"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *root = json_of(bad[i], 3);
		assert_non_null(strstr(json_string_value(json_object_get(root, "msg")), "\xef\xbf\xbd"));
		assert_int_equal(json_integer_value(json_object_get(root, "suppressed")), 3);
		json_decref(root);
	}
	char longest[3000];
	for (int c = 1; c < 256; c += 3) {
		memset(longest, c, sizeof(longest) - 1);
		longest[sizeof(longest) - 1] = '\0';
		json_decref(json_of(longest, UINT64_MAX / 2));
	}
	for (size_t i = 0; i + 2 < sizeof(longest); i += 2)
		memcpy(longest + i, i % 100 == 0 ? "a=" : "\x01\x01", 2);
	json_decref(json_of(longest, 1));
}

static void
test_format_and_counters(void **state)
{
	(void)state;
	enum weir_log_format format = WEIR_LOG_LOGFMT;
	assert_true(weir_log_format_parse("json", &format));
	assert_int_equal(format, WEIR_LOG_JSON);
	assert_false(weir_log_format_parse("xml", &format));
	struct weir_log_counters before, after;
	weir_log_counters_get(&before);
	sink_begin(WEIR_LOG_INFO);
	weir_log_format_set(format);
	for (int i = 0; i < 20; i++)
		WEIR_LOG_LIMITED(WEIR_LOG_WARN, "often", "n=%d", i);
	weir_log_format_set(WEIR_LOG_LOGFMT);
	struct weir_buf buf = sink_end();
	weir_log_counters_get(&after);
	assert_true(strncmp((char *)buf.data, "{\"ts\":\"20", 9) == 0);
	uint64_t written = after.lines[WEIR_LOG_WARN] - before.lines[WEIR_LOG_WARN];
	assert_int_equal(written, count_lines(&buf));
	assert_in_range(written, 5, 10); /* a second may begin in the middle */
	assert_int_equal(after.suppressed - before.suppressed, 20 - written);
	weir_buf_free(&buf);
}

static void
test_bad_file(void **state)
{
	(void)state;
	struct weir_error err = {0};
	assert_int_equal(weir_log_open(WEIR_LOG_INFO, "/nonexistent/dir/log", &err), WEIR_FATAL);
	assert_non_null(strstr(err.text, "/nonexistent/dir/log"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_level),
	    cmocka_unit_test(test_long_message_is_cut),
	    cmocka_unit_test(test_site_admits_five_a_second),
	    cmocka_unit_test(test_threads_do_not_mix_lines),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_json_takes_any_bytes),
	    cmocka_unit_test(test_format_and_counters),
	    cmocka_unit_test(test_bad_file),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
