/* Logging: one line per call whatever the message holds, levels, the limit per place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/base/file.h"
#include "config/base/log.h"

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
lines(const struct weir_buf *buf)
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
	assert_int_equal(lines(&buf), 2);
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
	assert_int_equal(lines(&buf), 1);
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
	assert_int_equal(lines(&buf), 2);
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
	    cmocka_unit_test(test_bad_file),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
