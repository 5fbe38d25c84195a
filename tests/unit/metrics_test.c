/*
 * Metrics written from figures that are known: samples, histograms, labels; the table's own conventions; docs/metrics.md;
 * life and readiness; what systemd is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/base/clock.h"
#include "config/base/file.h"
#include "pipeline/http/metrics/health.h"
#include "pipeline/http/metrics/metrics_priv.h"
#include "pipeline/http/metrics/notify.h"

static char *
written(const struct weir_metrics_figures *figures)
{
	struct weir_buf out = {0};
	weir_metrics_write(figures, &out);
	weir_buf_append(&out, "", 1);
	return (char *)out.data;
}

static void
expect_line(const char *text, const char *line)
{
	char whole[256];
	(void)snprintf(whole, sizeof(whole), "\n%s\n", line);
	if (strstr(text, whole) == NULL)
		fail_msg("no line '%s'", line);
}

static void
test_samples(void **state)
{
	(void)state;
	static struct weir_run_partition partitions[2] = {{.number = 3,
							      .state = WEIR_RUN_RUNNING,
							      .cards = 150000,
							      .stream_us = 1774846800500000,
							      .lag_messages = {7, -1}},
	    {.number = 11, .state = WEIR_RUN_FENCED, .unreported_bytes = UINT64_MAX}};
	static const char *const topics[] = {"weir.records", "odd\"topic\\\n"};
	struct weir_metrics_figures *f = calloc(1, sizeof(*f));
	f->has_run = true;
	f->partitions = partitions;
	f->partition_count = 2;
	f->topics = topics;
	f->topic_count = 2;
	f->lane_count = 2;
	f->lanes[1] = (struct weir_run_lane){.rounds = 5, .redis_away = true};
	f->carrier_count = 1;
	f->carriers[0] =
	    (struct weir_carrier_counters){"cm", .sent = 9, .confirmed = 8, .in_flight = 3, .queued_suspends = 2};
	f->run.records = UINT64_MAX;
	f->run.rejected[WEIR_REJECT_TOO_LATE] = 4;
	f->process.cpu_us = 1000001;
	f->ready = true;
	char *text = written(f);
	expect_line(text, "weir_records_total 18446744073709551615");
	expect_line(text, "weir_process_cpu_seconds_total 1.000001");
	expect_line(text, "weir_ready 1");
	expect_line(text, "weir_dead_letters_total{reason=\"too_late\"} 4");
	expect_line(text, "weir_partition_cards{partition=\"3\"} 150000");
	expect_line(text, "weir_partition_pool_slack_bytes{partition=\"11\"} 18446744073709551615");
	expect_line(text, "weir_stream_timestamp_seconds{partition=\"3\"} 1774846800.500000");
	expect_line(text, "weir_lag_messages{topic=\"weir.records\",partition=\"3\"} 7");
	expect_line(text, "weir_lag_messages{topic=\"odd\\\"topic\\\\\\n\",partition=\"3\"} 0"); /* not known: none */
	expect_line(text, "weir_partition_state{partition=\"3\",state=\"running\"} 1");
	expect_line(text, "weir_partition_state{partition=\"11\",state=\"running\"} 0");
	expect_line(text, "weir_partition_state{partition=\"11\",state=\"fenced\"} 1");
	expect_line(text, "weir_lane_rounds_total{lane=\"1\"} 5");
	expect_line(text, "weir_redis_away{lane=\"0\"} 0");
	expect_line(text, "weir_redis_away{lane=\"1\"} 1");
	expect_line(text, "weir_commands_total{carrier=\"cm\",state=\"sent\"} 9");
	expect_line(text, "weir_commands_queued{carrier=\"cm\",action=\"suspend\"} 2");
	expect_line(text, "weir_commands_in_flight{carrier=\"cm\"} 3");
	expect_line(text, "# TYPE weir_records_total counter");
	free(text);
	free(f);
}

/* Bounds are cumulative, the last bucket is beyond all bounds, sum and count agree with what was put in. */
static void
test_histogram(void **state)
{
	(void)state;
	struct weir_metrics_figures *f = calloc(1, sizeof(*f));
	f->has_run = f->has_api = true;
	f->api.answer_bucket[4 * 8] = 1; /* 256 us */
	f->api.answer_bucket[4 * 20] = 2;
	f->api.answer_us_total = 2500000;
	f->run.command_latency[4 * 9 + 3] = 1;  /* 896 us and more, below 1024 */
	f->run.command_latency[4 * 10] = 2;     /* 1024 us */
	f->run.command_latency[4 * 13 + 2] = 3; /* 12 ms */
	f->run.command_latency[WEIR_LATENCY_BUCKETS - 1] = 4;
	f->run.command_latency_us = 123456789;
	f->run.card_overshoot.bucket[0] = 5;
	f->run.card_overshoot.bucket[4 * 31 + 2] = 6; /* 3 GiB */
	f->run.card_overshoot.bucket[WEIR_LATENCY_BUCKETS - 1] = 7;
	f->run.card_overshoot.sum = 99;
	char *text = written(f);
	expect_line(text, "weir_command_latency_seconds_bucket{le=\"0.001024\"} 1");
	expect_line(text, "weir_command_latency_seconds_bucket{le=\"0.002048\"} 3");
	expect_line(text, "weir_command_latency_seconds_bucket{le=\"0.008192\"} 3");
	expect_line(text, "weir_command_latency_seconds_bucket{le=\"0.016384\"} 6");
	expect_line(text, "weir_command_latency_seconds_bucket{le=\"67.108864\"} 6");
	expect_line(text, "weir_command_latency_seconds_bucket{le=\"+Inf\"} 10");
	expect_line(text, "weir_command_latency_seconds_sum 123.456789");
	expect_line(text, "weir_command_latency_seconds_count 10");
	expect_line(text, "weir_card_overshoot_bytes_bucket{le=\"1024\"} 5");
	expect_line(text, "weir_card_overshoot_bytes_bucket{le=\"1073741824\"} 5");
	expect_line(text, "weir_card_overshoot_bytes_bucket{le=\"4294967296\"} 11");
	expect_line(text, "weir_card_overshoot_bytes_bucket{le=\"+Inf\"} 18");
	expect_line(text, "weir_card_overshoot_bytes_sum 99");
	expect_line(text, "weir_api_answer_duration_seconds_bucket{le=\"0.000256\"} 0");
	expect_line(text, "weir_api_answer_duration_seconds_bucket{le=\"0.000512\"} 1");
	expect_line(text, "weir_api_answer_duration_seconds_bucket{le=\"8.388608\"} 3");
	expect_line(text, "weir_api_answer_duration_seconds_sum 2.500000");
	free(text);
	free(f);
}

/* A process shows what it is: the engine nothing of the API, the API nothing of the engine, both the process. */
static void
test_parts(void **state)
{
	(void)state;
	struct weir_metrics_figures *f = calloc(1, sizeof(*f));
	f->has_run = true;
	char *run = written(f);
	f->has_run = false;
	f->has_api = true;
	f->api.by_class[4] = 7;
	f->api.refused_role = 8;
	f->api.produced = 9;
	char *api = written(f);
	assert_non_null(strstr(run, "weir_records_total"));
	assert_null(strstr(run, "weir_api_"));
	assert_null(strstr(api, "weir_records_total"));
	assert_null(strstr(api, "weir_ready"));
	expect_line(api, "weir_api_requests_total{status=\"4xx\"} 7");
	expect_line(api, "weir_api_refused_total{reason=\"role\"} 8");
	expect_line(api, "weir_api_requests_sent_total 9");
	assert_non_null(strstr(run, "weir_process_cpu_seconds_total"));
	assert_non_null(strstr(api, "weir_process_cpu_seconds_total"));
	free(run);
	free(api);
	free(f);
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* What Prometheus asks of names, row by row. */
static void
test_table(void **state)
{
	(void)state;
	uint32_t count;
	const struct weir_metric *table = weir_metrics_table(&count);
	for (uint32_t i = 0; i < count; i++) {
		const char *name = table[i].name;
		assert_int_equal(strncmp(name, "weir_", 5), 0);
		assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
		assert_int_equal(ends_with(name, "_total"), table[i].type == WEIR_METRIC_COUNTER);
		if (table[i].as == WEIR_METRIC_AS_US)
			assert_true(ends_with(name, "_seconds") || ends_with(name, "_seconds_total"));
		assert_true(strlen(table[i].help) > 10 && strpbrk(table[i].help, "\\\n|") == NULL);
		assert_true((table[i].of == WEIR_METRIC_OF_ITSELF) == (table[i].write != NULL));
		assert_true((table[i].of == WEIR_METRIC_OF_BUCKETS) == (table[i].type == WEIR_METRIC_HISTOGRAM));
		for (uint32_t j = 0; j < i; j++)
			assert_string_not_equal(name, table[j].name);
	}
}

static void
test_documented(void **state)
{
	(void)state;
	char *table = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&table, &len);
	weir_metrics_print_table(out);
	(void)fclose(out);
	struct weir_buf text = {0};
	assert_int_equal(weir_file_read("docs/metrics.md", 1 << 20, &text, NULL), WEIR_OK);
	if (strstr((char *)text.data, table) == NULL)
		fail_msg("docs/metrics.md does not hold what `weir run --list-metrics` prints");
	weir_buf_free(&text);
	free(table);
}

/* ---- health ---- */

static void
test_lifecycle(void **state)
{
	(void)state;
	static struct weir_health health;
	struct weir_run_lane lanes[2] = {{.rounds = 1}, {.rounds = 1}};
	struct weir_buf words = {0};
	weir_health_begin(&health, 2, (struct weir_steady){1000});
	assert_true(weir_health_is_live(&health, (struct weir_steady){1000 + WEIR_HEALTH_STALL_US - 1}, &words));
	weir_health_observe(&health, lanes, (struct weir_steady){2000});
	for (int64_t now_us = 2000; now_us < 2000 + WEIR_HEALTH_STALL_US; now_us += 1000000) {
		lanes[0].rounds++; /* the other one hangs */
		weir_health_observe(&health, lanes, (struct weir_steady){now_us});
		assert_true(weir_health_is_live(&health, (struct weir_steady){now_us}, &words));
	}
	assert_false(weir_health_is_live(&health, (struct weir_steady){2000 + WEIR_HEALTH_STALL_US}, &words));
	weir_buf_append(&words, "", 1);
	assert_string_equal((char *)words.data, "lane 1: no round for 15 s\n");
	lanes[1].rounds++; /* it goes on */
	weir_health_observe(&health, lanes, (struct weir_steady){2000 + WEIR_HEALTH_STALL_US});
	assert_true(weir_health_is_live(&health, (struct weir_steady){2000 + WEIR_HEALTH_STALL_US}, NULL));
	/* and a supervisor that no longer looks is no sign of life either */
	assert_false(weir_health_is_live(&health, (struct weir_steady){2000 + 3 * WEIR_HEALTH_STALL_US}, NULL));
	weir_buf_free(&words);
}

static void
expect_ready(const struct weir_metrics_figures *f, const char *words)
{
	struct weir_buf out = {0};
	assert_int_equal(weir_health_is_ready(f, &out), words[0] == '\0');
	weir_buf_append(&out, "", 1);
	assert_string_equal((char *)out.data, words);
	weir_buf_free(&out);
}

static void
test_readiness(void **state)
{
	(void)state;
	struct weir_run_partition partitions[2] = {
	    {.number = 0, .state = WEIR_RUN_RUNNING}, {.number = 4, .state = WEIR_RUN_CATCHING_UP}};
	struct weir_metrics_figures *f = calloc(1, sizeof(*f));
	f->lane_count = 2;
	expect_ready(f, "no partition is taken\n");
	f->partitions = partitions;
	f->partition_count = 2;
	expect_ready(f, "reference data is being read\n");
	f->ready = true;
	expect_ready(f, "");
	f->lanes[1].redis_away = true;
	partitions[1].state = WEIR_RUN_STOPPED;
	expect_ready(f, "partition 4: stopped\nlane 1: Redis is away\n");
	partitions[1].state = WEIR_RUN_TAKING;
	f->lanes[1].redis_away = false;
	expect_ready(f, "partition 4: taking\n");
	free(f);
}

/* ---- systemd ---- */

static int
manager_open(const char *name, size_t name_len)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	memcpy(at.sun_path, name, name_len);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_len)), 0);
	return fd;
}

static void
expect_said(int fd, const char *text)
{
	char got[256];
	ssize_t len = recv(fd, got, sizeof(got) - 1, 0);
	if (text == NULL) {
		assert_true(len < 0 && errno == EAGAIN);
		return;
	}
	assert_true(len > 0);
	got[len] = '\0';
	assert_string_equal(got, text);
}

static void
expect_protocol(int fd)
{
	struct weir_notify notify;
	char pid[24];
	(void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)setenv("WATCHDOG_USEC", "30000000", 1);
	(void)setenv("WATCHDOG_PID", pid, 1);
	weir_notify_open(&notify);
	assert_int_equal(notify.watchdog_us, 30000000);
	weir_notify_say(&notify, "READY=1");
	expect_said(fd, "READY=1");
	weir_notify_status(&notify, "running; 4 partitions");
	weir_notify_status(&notify, "running; 4 partitions");
	expect_said(fd, "STATUS=running; 4 partitions");
	expect_said(fd, NULL); /* the same again says nothing */
	assert_true(weir_notify_watchdog(&notify, true, (struct weir_steady){1000000}));
	expect_said(fd, "WATCHDOG=1");
	assert_false(weir_notify_watchdog(&notify, true, (struct weir_steady){1000000 + 9999999}));
	assert_true(weir_notify_watchdog(
	    &notify, true, (struct weir_steady){1000000 + 10000000})); /* thrice in the time asked for */
	expect_said(fd, "WATCHDOG=1");
	assert_false(
	    weir_notify_watchdog(&notify, false, (struct weir_steady){1000000 + 25000000})); /* a lane hangs: not fed */
	expect_said(fd, NULL);
	weir_notify_close(&notify);
	(void)setenv("WATCHDOG_PID", "1", 1); /* somebody else's watchdog */
	weir_notify_open(&notify);
	assert_false(weir_notify_watchdog(&notify, true, (struct weir_steady){1000000}));
	weir_notify_say(&notify, "STOPPING=1");
	expect_said(fd, "STOPPING=1");
	weir_notify_close(&notify);
}

static void
test_notify_path(void **state)
{
	(void)state;
	char folder[] = "/tmp/weir_notify_XXXXXX", path[64];
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/notify", folder);
	int fd = manager_open(path, strlen(path) + 1);
	(void)setenv("NOTIFY_SOCKET", path, 1);
	expect_protocol(fd);
	(void)close(fd);
	(void)unlink(path);
	(void)rmdir(folder);
}

static void
test_notify_abstract(void **state)
{
	(void)state;
	char name[64];
	int len = snprintf(name, sizeof(name), "@weir_notify_%d", (int)getpid());
	(void)setenv("NOTIFY_SOCKET", name, 1);
	name[0] = '\0';
	int fd = manager_open(name, (size_t)len);
	expect_protocol(fd);
	(void)close(fd);
}

/* Nobody asked, nobody there, nonsense: nothing happens. */
static void
test_notify_without_manager(void **state)
{
	(void)state;
	static const char *const sockets[] = {NULL, "", "@", "relative", "/nonexistent/notify"};
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		struct weir_notify notify;
		if (sockets[i] == NULL)
			(void)unsetenv("NOTIFY_SOCKET");
		else
			(void)setenv("NOTIFY_SOCKET", sockets[i], 1);
		(void)setenv("WATCHDOG_USEC", "abc", 1);
		weir_notify_open(&notify);
		weir_notify_say(&notify, "READY=1");
		weir_notify_status(&notify, "x");
		assert_false(weir_notify_watchdog(&notify, true, (struct weir_steady){1}));
		weir_notify_close(&notify);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_histogram),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_documented),
	    cmocka_unit_test(test_lifecycle),
	    cmocka_unit_test(test_readiness),
	    cmocka_unit_test(test_notify_path),
	    cmocka_unit_test(test_notify_abstract),
	    cmocka_unit_test(test_notify_without_manager),
	};
	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
