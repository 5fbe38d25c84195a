/*
 * The bare drain: plain librdkafka consumers that look at lengths only, with the properties of weir's own
 * (consumers/source). A process of its own, so that it begins with a fresh heap as weir does, and its threads are told
 * apart.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/drain.h"
#include "bench/memory.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "config/base/exit.h"
#include "consumers/source/source.h"

enum { BARE_MS = 600000, POLL_US = 1000, BATCH = 2048 };

/* ---- the process ---- */

struct bare_opts {
	const char *topic;
	uint64_t partitions, instances, messages, broker;
};

struct bare {
	pthread_t thread;
	const struct weir_settings *settings;
	const struct bare_opts *opts;
	uint32_t number;
	_Atomic uint64_t *messages, *bytes;
};

static rd_kafka_t *
bare_consumer(const struct weir_settings *settings, struct weir_error *err)
{
	/* Those of consumers/source/source_rdkafka.c. */
	char text[256], queue[32];
	(void)snprintf(queue, sizeof(queue), "%u", settings->kafka_queue_kb);
	const char *const set[][2] = {{"group.id", "weir-bench-bare"}, {"enable.auto.commit", "false"},
	    {"queued.min.messages", "10000000"}, {"queued.max.messages.kbytes", queue}, {"fetch.wait.max.ms", "5"},
	    {"fetch.message.max.bytes", "4194304"}};
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		WEIR_CHECK(rd_kafka_conf_set(conf, set[i][0], set[i][1], text, sizeof(text)) == RD_KAFKA_CONF_OK);
	rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (kafka != NULL)
		return kafka;
	rd_kafka_conf_destroy(conf);
	(void)weir_error_set(err, WEIR_FATAL, "%s", text);
	return NULL;
}

static void
bare_assign(const struct bare *bare, rd_kafka_t *kafka)
{
	const struct bare_opts *o = bare->opts;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)o->partitions);
	for (uint64_t p = bare->number; p < o->partitions; p += o->instances)
		rd_kafka_topic_partition_list_add(list, o->topic, (int32_t)p)->offset = RD_KAFKA_OFFSET_BEGINNING;
	(void)rd_kafka_poll_set_consumer(kafka);
	(void)rd_kafka_assign(kafka, list);
	rd_kafka_topic_partition_list_destroy(list);
}

static void *
bare_run(void *arg)
{
	struct bare *bare = arg;
	struct weir_error err;
	rd_kafka_message_t *batch[BATCH];
	(void)pthread_setname_np(pthread_self(), "bare-reader");
	rd_kafka_t *kafka = bare_consumer(bare->settings, &err);
	WEIR_CHECK(kafka != NULL); /* the same properties opened a client before */
	bare_assign(bare, kafka);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(kafka);
	/* Relaxed: figures by themselves. */
	while (atomic_load_explicit(bare->messages, memory_order_relaxed) < bare->opts->messages) {
		ssize_t n = rd_kafka_consume_batch_queue(queue, 20, batch, BATCH);
		uint64_t good = 0, bytes = 0;
		for (ssize_t i = 0; i < n; i++) {
			good += batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
			bytes += batch[i]->len;
			rd_kafka_message_destroy(batch[i]);
		}
		atomic_fetch_add_explicit(bare->bytes, bytes, memory_order_relaxed);
		atomic_fetch_add_explicit(bare->messages, good, memory_order_relaxed);
	}
	rd_kafka_queue_destroy(queue);
	(void)rd_kafka_consumer_close(kafka);
	rd_kafka_destroy(kafka);
	return NULL;
}

static void
print_threads(const struct bench_cpu *cpu)
{
	json_t *threads = json_object();
	for (uint32_t i = 0; i < cpu->count; i++)
		(void)json_object_set_new(threads, cpu->threads[i].name, json_integer((json_int_t)cpu->threads[i].ns));
	char *text = json_dumps(threads, JSON_COMPACT);
	(void)printf(",\"cpu_ns\":%s", text);
	free(text);
	json_decref(threads);
}

static uint64_t
process_ns(pid_t pid)
{
	struct bench_cpu cpu = {0};
	bench_cpu_add(&cpu, pid);
	return bench_cpu_total(&cpu);
}

/* Watches the readers from the first message to the last. */
static int
bare_watch(const struct bare_opts *o, const _Atomic uint64_t *messages)
{
	struct bench_cpu before = {0}, after = {0};
	struct weir_steady until = weir_steady_in_ms(BARE_MS);
	uint64_t first;
	while ((first = atomic_load(messages)) == 0 && !weir_steady_reached(until))
		bench_sleep_us(POLL_US);
	struct weir_steady begun = weir_steady_now();
	bench_cpu_add(&before, getpid());
	uint64_t broker = process_ns((pid_t)o->broker);
	while (atomic_load(messages) < o->messages && !weir_steady_reached(until))
		bench_sleep_us(POLL_US);
	int64_t took = weir_steady_since_us(begun);
	bench_cpu_add(&after, getpid());
	broker = process_ns((pid_t)o->broker) - broker;
	if (atomic_load(messages) < o->messages)
		return WEIR_EXIT_FAILED;
	if (first > o->messages / 2) { /* over before it could be seen: all of it, within what may have been missed */
		first = 0;
		took += POLL_US;
	}
	struct bench_cpu cpu = bench_cpu_between(&before, &after);
	(void)printf("{\"us\":%" PRId64 ",\"messages\":%" PRIu64 ",\"broker_ns\":%" PRIu64 ",\"rss\":%" PRIu64, took,
	    o->messages - first, broker, bench_rss_bytes(getpid()));
	print_threads(&cpu);
	(void)printf("}\n");
	(void)fflush(stdout);
	return WEIR_EXIT_OK;
}

static int
bare_all(const struct weir_settings *settings, const struct bare_opts *o)
{
	_Atomic uint64_t messages = 0, bytes = 0;
	struct weir_error err;
	rd_kafka_t *probe = bare_consumer(settings, &err);
	if (probe == NULL)
		return bench_fail("bare", WEIR_EXIT_SETTINGS, &err);
	rd_kafka_destroy(probe);
	struct bare *bare = weir_calloc(o->instances, sizeof(*bare));
	for (uint32_t i = 0; i < o->instances; i++) {
		bare[i] =
		    (struct bare){.settings = settings, .opts = o, .number = i, .messages = &messages, .bytes = &bytes};
		WEIR_CHECK(pthread_create(&bare[i].thread, NULL, bare_run, &bare[i]) == 0);
	}
	int code = bare_watch(o, &messages);
	if (code != WEIR_EXIT_OK)
		_exit(code); /* readers that wait for what never comes */
	for (uint32_t i = 0; i < o->instances; i++)
		(void)pthread_join(bare[i].thread, NULL);
	free(bare);
	return code;
}

int
bench_bare(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct bare_opts o = {.instances = 1};
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "topic", .placeholder = "NAME", .help = "to read", .text = &o.topic},
	    {.name = "partitions", .placeholder = "N", .help = "of it", .number = &o.partitions, .min = 1, .max = 4096},
	    {.name = "instances", .placeholder = "N", .help = "consumers", .number = &o.instances, .min = 1, .max = 64},
	    {.name = "messages", .placeholder = "N", .help = "to read", .number = &o.messages, .min = 1, .max = UINT64_MAX},
	    {.name = "broker", .placeholder = "PID", .help = "whose CPU time is told", .number = &o.broker}, {0}};
	struct weir_words words;
	struct weir_settings *settings = NULL;
	int code;
	if (!bench_accept("bare", "Reads a topic with plain consumers; `weir bench drain` starts it.\n", options, argc,
		argv, 0, 0, &words, &code))
		return code;
	code = weir_settings_options_load(&common, "bench bare", &settings);
	if (code == WEIR_EXIT_OK)
		code = bare_all(settings, &o);
	weir_settings_free(settings);
	return code;
}

/* ---- its caller ---- */

static void
take_threads(const json_t *threads, struct bench_cpu *cpu)
{
	const char *name;
	json_t *ns;
	json_object_foreach((json_t *)(uintptr_t)threads, name, ns)
	{
		if (cpu->count == BENCH_THREADS_MAX)
			return;
		(void)snprintf(cpu->threads[cpu->count].name, sizeof(cpu->threads[0].name), "%s", name);
		cpu->threads[cpu->count++].ns = (uint64_t)json_integer_value(ns);
	}
}

static enum weir_class
take_result(
    const struct bench_child *child, const struct drain_topic *topic, struct drain_result *result, struct weir_error *err)
{
	char line[4096];
	bench_last_line(child->log, line, sizeof(line));
	json_t *answer = json_loads(line, 0, NULL);
	if (answer == NULL || !json_is_object(answer))
		return weir_error_set(err, WEIR_FATAL, "the bare reader says: %.300s", line);
	*result = (struct drain_result){.seconds = (double)json_integer_value(json_object_get(answer, "us")) / 1e6,
	    .messages = (uint64_t)json_integer_value(json_object_get(answer, "messages")),
	    .broker_ns = (uint64_t)json_integer_value(json_object_get(answer, "broker_ns")),
	    .rss_bytes = (uint64_t)json_integer_value(json_object_get(answer, "rss"))};
	result->records =
	    (uint64_t)((double)result->messages * (double)topic->filled.records / (double)topic->filled.messages);
	take_threads(json_object_get(answer, "cpu_ns"), &result->cpu);
	json_decref(answer);
	return WEIR_OK;
}

enum weir_class
drain_bare(struct bench_site *site, const struct drain_topic *topic, uint32_t instances, struct drain_result *result,
    struct weir_error *err)
{
	char numbers[4][24], log[BENCH_PATH_MAX];
	const char *argv[2 * BENCH_SITE_SETS_MAX + 24] = {"/proc/self/exe", "bare"};
	uint32_t n = 2;
	const uint64_t values[4] = {site->opts.partitions, instances, topic->filled.messages, (uint64_t)site->kafka_pid};
	const char *const names[4] = {"--partitions", "--instances", "--messages", "--broker"};
	if (weir_settings_options_path(site->opts.common) != NULL) {
		argv[n++] = "--config";
		argv[n++] = weir_settings_options_path(site->opts.common);
	}
	for (uint32_t i = 0; i < site->set_count; i++) {
		argv[n++] = "--set";
		argv[n++] = site->sets[i];
	}
	argv[n++] = "--topic";
	argv[n++] = topic->name;
	for (uint32_t i = 0; i < 4; i++) {
		(void)snprintf(numbers[i], sizeof(numbers[i]), "%" PRIu64, values[i]);
		argv[n++] = names[i];
		argv[n++] = numbers[i];
	}
	struct bench_child child;
	bench_site_path(site, "bare.log", log);
	struct bench_memory held = bench_memory_hold(topic->filled.records * DRAIN_RECORD_BYTES);
	bench_memory_let_go(&held); /* it begins at once */
	if (bench_child_start(&child, "bare reader", log, (char *const *)(uintptr_t)argv, err) != WEIR_OK)
		return WEIR_FATAL;
	int code = bench_child_wait(&child, BARE_MS + 30000);
	if (code == 0)
		return take_result(&child, topic, result, err);
	char last[300];
	bench_last_line(log, last, sizeof(last));
	if (code > 0)
		(void)weir_error_set(err, WEIR_FATAL, "the bare reader ended with %d: %s", code, last);
	else if (bench_child_alive(&child, err) == WEIR_OK) /* nobody asked us to stop */
		(void)weir_error_set(err, WEIR_FATAL, "the bare reader did not end in time: %s", last);
	(void)bench_child_stop(&child, SIGKILL, 1000);
	return WEIR_FATAL;
}
