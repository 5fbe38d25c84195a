/*
 * Drain benchmark: a preloaded topic on a real broker into a real Redis, by weir and by a bare librdkafka consumer.
 *
 * Subcommands over one settings file, so that a driver (drain.py) can interleave them:
 *   fill   cards and records (canonical JSON, one record per message), seeded;
 *   bare   consume the records topic with N plain consumer instances, touching nothing but lengths;
 *   source the same through weir's own source of records (kafka.source), as many lanes as instances;
 *   weir   run the engine until every record is folded and flushed.
 *   pace   send records open loop at a rate, one in 2,000 exhausting its card (pace.c);
 *   serve  run the engine on them and print the latency from record to command, without that of a warm-up.
 * bare and weir print one JSON object: messages, seconds from the first message to the last, messages per second. The ratio
 * of the two in one run is the figure to quote: absolute rates belong to the machine.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/pace.h"
#include "bench/records.h"
#include "config/base/check.h"
#include "config/base/jemalloc_conf.h"
#include "config/base/log.h"
#include "consumers/source/source.h"
#include "pipeline/stage/run.h"

static rd_kafka_t *
producer(const struct weir_settings *settings)
{
	char text[256];
	struct weir_error err;
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, &err);
	WEIR_CHECK(conf != NULL);
	const char *const set[][2] = {{"linger.ms", "20"}, {"batch.num.messages", "10000"},
	    {"queue.buffering.max.messages", "2000000"}, {"queue.buffering.max.kbytes", "2000000"},
	    {"partitioner", "murmur2_random"}, {"batch.size", "1000000"}};
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		WEIR_CHECK(rd_kafka_conf_set(conf, set[i][0], set[i][1], text, sizeof(text)) == RD_KAFKA_CONF_OK);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	WEIR_CHECK(rk != NULL);
	return rk;
}

static void
produce(rd_kafka_t *rk, const char *topic, const char *key, const char *value, size_t len)
{
	while (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key, strlen(key)),
		   RD_KAFKA_V_VALUE((void *)(uintptr_t)value, len), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		   RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)rd_kafka_poll(rk, 10);
}

static void
fill_cards(rd_kafka_t *rk, const struct weir_settings *settings, uint64_t cards)
{
	char key[32], json[256];
	for (uint64_t i = 0; i < cards; i++) {
		bench_iccid(i, key);
		int len = snprintf(
		    json, sizeof(json), "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"cm\",\"plan\":\"bench\"}", key);
		produce(rk, settings->topic_cards, key, json, (size_t)len);
		if (i % 1000 == 0)
			(void)rd_kafka_poll(rk, 0);
	}
}

static void
fill_plan(rd_kafka_t *rk, const struct weir_settings *settings, int32_t partitions)
{
	static const char PLAN[] =
	    "{\"type\":\"plan\",\"id\":\"bench\",\"carrier\":\"cm\",\"kind\":\"single\",\"allowance\":1000000000000}";
	for (int32_t p = 0; p < partitions; p++)
		(void)rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(settings->topic_cards), RD_KAFKA_V_PARTITION(p),
		    RD_KAFKA_V_VALUE((void *)(uintptr_t)PLAN, sizeof(PLAN) - 1), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_END);
}

static int
do_fill(const struct weir_settings *settings, uint64_t cards, uint64_t records, uint64_t seed, bool by_sequence,
    int32_t partitions)
{
	rd_kafka_t *rk = producer(settings);
	if (records == 0) {
		fill_plan(rk, settings, partitions);
		(void)rd_kafka_flush(rk, 60000);
		fill_cards(rk, settings, cards);
	}
	char key[32], json[512];
	uint64_t *sequence = by_sequence ? weir_calloc(cards, sizeof(uint64_t)) : NULL;
	time_t base = time(NULL);
	for (uint64_t i = 0; i < records; i++) {
		uint64_t random = bench_random(&seed);
		uint64_t card = random % cards;
		bench_iccid(card, key);
		uint64_t n = by_sequence ? ++sequence[card] : i;
		int len = bench_record(
		    json, sizeof(json), key, n, bench_random(&seed), base - (time_t)(random >> 40) % 1800, by_sequence);
		produce(rk, settings->inputs[0].topic, key, json, (size_t)len);
		if (i % 1000 == 0)
			(void)rd_kafka_poll(rk, 0);
	}
	(void)rd_kafka_flush(rk, 600000);
	rd_kafka_destroy(rk);
	free(sequence);
	printf("{\"cards\":%" PRIu64 ",\"records\":%" PRIu64 "}\n", cards, records);
	return 0;
}

/* ---- bare drain ---- */

struct bare {
	pthread_t thread;
	const struct weir_settings *settings;
	int32_t first, step, partitions;
	_Atomic uint64_t *messages;
	uint64_t target;
	uint64_t bytes;
	_Atomic int64_t *started;
};

static void *
bare_run(void *arg)
{
	struct bare *bare = arg;
	char text[256];
	struct weir_error err;
	rd_kafka_conf_t *conf = weir_kafka_conf(bare->settings, &err);
	const char *const set[][2] = {{"group.id", "bare"}, {"enable.auto.commit", "false"},
	    {"queued.min.messages", "10000000"}, {"queued.max.messages.kbytes", "262144"}, {"fetch.wait.max.ms", "5"},
	    {"fetch.message.max.bytes", "4194304"}};
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		(void)rd_kafka_conf_set(conf, set[i][0], set[i][1], text, sizeof(text));
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	WEIR_CHECK(rk != NULL);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	for (int32_t p = bare->first; p < bare->partitions; p += bare->step)
		rd_kafka_topic_partition_list_add(list, bare->settings->inputs[0].topic, p)->offset =
		    RD_KAFKA_OFFSET_BEGINNING;
	(void)rd_kafka_poll_set_consumer(rk);
	(void)rd_kafka_assign(rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
	rd_kafka_message_t *batch[2048];
	while (atomic_load(bare->messages) < bare->target) {
		ssize_t n = rd_kafka_consume_batch_queue(queue, 20, batch, 2048);
		uint64_t good = 0;
		for (ssize_t i = 0; i < n; i++) {
			good += batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
			bare->bytes += batch[i]->len;
			rd_kafka_message_destroy(batch[i]);
		}
		int64_t none = 0;
		if (good > 0)
			(void)atomic_compare_exchange_strong(bare->started, &none, bench_now_us());
		atomic_fetch_add(bare->messages, good);
	}
	rd_kafka_queue_destroy(queue);
	(void)rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return NULL;
}

static void
print_result(const char *what, uint64_t messages, int64_t us, double cpu)
{
	printf("{\"what\":\"%s\",\"messages\":%" PRIu64
	       ",\"seconds\":%.3f,\"per_second\":%.0f,\"cpu_ns_per_message\":%.0f}\n",
	    what, messages, (double)us / 1e6, (double)messages * 1e6 / (double)us, cpu * 1e9 / (double)messages);
}

static int
do_bare(const struct weir_settings *settings, uint64_t records, uint32_t instances, int32_t partitions)
{
	_Atomic uint64_t messages = 0;
	_Atomic int64_t started = 0;
	struct bare *bare = weir_calloc(instances, sizeof(*bare));
	double cpu = bench_cpu_seconds();
	for (uint32_t i = 0; i < instances; i++) {
		bare[i] = (struct bare){.settings = settings,
		    .first = (int32_t)i,
		    .step = (int32_t)instances,
		    .partitions = partitions,
		    .messages = &messages,
		    .target = records,
		    .started = &started};
		(void)pthread_create(&bare[i].thread, NULL, bare_run, &bare[i]);
	}
	while (atomic_load(&messages) < records)
		(void)usleep(1000);
	int64_t ended = bench_now_us();
	cpu = bench_cpu_seconds() - cpu;
	for (uint32_t i = 0; i < instances; i++)
		(void)pthread_join(bare[i].thread, NULL);
	char name[32];
	(void)snprintf(name, sizeof(name), "bare_%u", instances);
	print_result(name, records, ended - atomic_load(&started), cpu);
	free(bare);
	return 0;
}

/* ---- weir's source alone ---- */

struct lane {
	pthread_t thread;
	const struct weir_settings *settings;
	uint32_t number;
	int32_t partitions;
	_Atomic uint64_t *messages;
	uint64_t target, bytes;
	_Atomic int64_t *started;
	bool mine[64]; /* partitions */
};

static bool
lane_assign(void *ctx, struct weir_start *starts, uint32_t count)
{
	struct lane *lane = ctx;
	for (uint32_t i = 0; i < count; i++) {
		starts[i].offsets[0] = WEIR_OFFSET_START;
		lane->mine[starts[i].partition % 64] = true;
	}
	return true;
}

static void
lane_revoke(void *ctx, const uint32_t *partitions, uint32_t count, bool lost)
{
	struct lane *lane = ctx;
	(void)lost;
	for (uint32_t i = 0; i < count; i++)
		lane->mine[partitions[i] % 64] = false;
}

/* One batch of each partition; false when there was none. */
static bool
lane_round(struct lane *lane, struct weir_source *source)
{
	struct weir_error err;
	uint64_t good = 0;
	for (uint32_t p = 0; p < 64; p++) {
		struct weir_batch batch;
		if (!lane->mine[p] || weir_source_next(source, 0, p, 2048, &batch, &err) != WEIR_OK)
			continue;
		for (uint32_t i = 0; i < batch.count; i++)
			lane->bytes += batch.messages[i].value.len;
		good += batch.count;
		weir_source_release(source, &batch);
	}
	int64_t none = 0;
	if (good > 0)
		(void)atomic_compare_exchange_strong(lane->started, &none, bench_now_us());
	atomic_fetch_add(lane->messages, good);
	return good > 0;
}

static void *
lane_run(void *arg)
{
	struct lane *lane = arg;
	struct weir_error err;
	struct weir_source *source = NULL;
	const char *topic = lane->settings->inputs[0].topic;
	struct weir_source_opts opts = {.settings = lane->settings,
	    .topics = &topic,
	    .topic_count = 1,
	    .lane = lane->number,
	    .bell_fd = eventfd(0, EFD_NONBLOCK),
	    .ctx = lane,
	    .on_assign = lane_assign,
	    .on_revoke = lane_revoke};
	WEIR_CHECK(weir_source_open(&opts, &source, &err) == WEIR_OK);
	for (int64_t polled_us = 0; atomic_load(lane->messages) < lane->target;) {
		uint64_t rings;
		if (bench_now_us() - polled_us > 5000) {
			WEIR_CHECK(weir_source_poll(source, &err) == WEIR_OK);
			polled_us = bench_now_us();
		}
		(void)weir_source_serve(source);
		if (lane_round(lane, source))
			continue;
		(void)weir_source_serve(source);
		struct pollfd fds[2] = {{opts.bell_fd, POLLIN, 0}, {weir_source_fd(source), POLLIN, 0}};
		if (poll(fds, 2, 20) > 0 && fds[0].revents != 0)
			(void)!read(opts.bell_fd, &rings, sizeof(rings));
	}
	weir_source_close(source);
	(void)close(opts.bell_fd);
	return NULL;
}

static int
do_source(const struct weir_settings *settings, uint64_t records, uint32_t lanes, int32_t partitions)
{
	_Atomic uint64_t messages = 0;
	_Atomic int64_t started = 0;
	struct lane *lane = weir_calloc(lanes, sizeof(*lane));
	double cpu = bench_cpu_seconds();
	for (uint32_t i = 0; i < lanes; i++) {
		lane[i] = (struct lane){.settings = settings,
		    .number = i,
		    .partitions = partitions,
		    .messages = &messages,
		    .target = records,
		    .started = &started};
		(void)pthread_create(&lane[i].thread, NULL, lane_run, &lane[i]);
	}
	while (atomic_load(&messages) < records)
		(void)usleep(1000);
	int64_t ended = bench_now_us();
	cpu = bench_cpu_seconds() - cpu;
	for (uint32_t i = 0; i < lanes; i++)
		(void)pthread_join(lane[i].thread, NULL);
	print_result("source", records, ended - atomic_load(&started), cpu);
	free(lane);
	return 0;
}

/* ---- weir ---- */

static int
do_weir(const struct weir_settings *settings, uint64_t records)
{
	struct weir_error err = {0};
	struct weir_run *run = NULL;
	struct weir_run_counters c;
	if (weir_run_start(settings, &run, &err) != WEIR_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 4;
	}
	int64_t started = 0;
	double cpu = 0;
	while (!weir_run_is_ready(run) && !weir_run_failed(run, &err))
		(void)usleep(1000);
	if (records == 0) {
		weir_run_stop(run);
		weir_run_free(run);
		return 0;
	}
	uint64_t first = 0;
	do {
		(void)usleep(1000);
		weir_run_counters_get(run, &c);
		if (started == 0 && c.records > 0) {
			started = bench_now_us();
			first = c.records;
			cpu = bench_cpu_seconds();
		}
	} while (c.records < records && !weir_run_failed(run, &err));
	weir_run_stop(run); /* flushes all */
	int64_t took = bench_now_us() - started;
	cpu = bench_cpu_seconds() - cpu;
	print_result("weir", records - first, took, cpu);
	fprintf(stderr,
	    "counted=%" PRIu64 " duplicates=%" PRIu64 " flushes=%" PRIu64 " flush_us=%" PRIu64 " flush_bytes=%" PRIu64
	    " rss=%" PRIu64 " MB\n",
	    c.counted, c.duplicates, c.flushes, c.flush_us_total, c.flush_bytes, c.memory_bytes >> 20);
	weir_run_free(run);
	return 0;
}

/* Waits until `records` more than before were folded; false when the engine failed (err). */
static bool
wait_folded(struct weir_run *run, const struct weir_run_counters *before, uint64_t records, struct weir_run_counters *c,
    struct weir_error *err)
{
	for (;;) {
		weir_run_counters_get(run, c);
		if (c->records - before->records >= records)
			return true;
		if (weir_run_failed(run, err))
			return false;
		(void)usleep(5000);
	}
}

static void
print_latency(const struct weir_run_counters *c, const struct weir_run_counters *warm, double cpu_s)
{
	uint64_t buckets[WEIR_LATENCY_BUCKETS], records = c->records - warm->records;
	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		buckets[i] = c->command_latency[i] - warm->command_latency[i];
	printf("{\"what\":\"latency\",\"commands\":%" PRIu64 ",\"us_p50\":%" PRIu64 ",\"us_p90\":%" PRIu64
	       ",\"us_p99\":%" PRIu64 ",\"us_p999\":%" PRIu64 ",\"cpu_ns_per_record\":%.0f}\n",
	    c->commands_sent - warm->commands_sent, weir_latency_quantile(buckets, 0.5),
	    weir_latency_quantile(buckets, 0.9), weir_latency_quantile(buckets, 0.99),
	    weir_latency_quantile(buckets, 0.999), cpu_s * 1e9 / (double)records);
}

/* Runs until `warmup` and then `records` were folded, then prints the latter's latency from Kafka timestamp to command. */
static int
do_serve(const struct weir_settings *settings, uint64_t warmup, uint64_t records)
{
	struct weir_error err = {0};
	struct weir_run *run = NULL;
	struct weir_run_counters c, before, warm;
	if (weir_run_start(settings, &run, &err) != WEIR_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 4;
	}
	while (!weir_run_is_ready(run) && !weir_run_failed(run, &err))
		(void)usleep(1000);
	weir_run_counters_get(run, &before);
	fprintf(stderr, "ready\n");
	bool good = wait_folded(run, &before, warmup, &warm, &err);
	double cpu = bench_cpu_seconds();
	good = good && wait_folded(run, &before, warmup + records, &c, &err);
	cpu = bench_cpu_seconds() - cpu;
	(void)usleep(300000); /* the last commands */
	if (good) {
		weir_run_counters_get(run, &c);
		print_latency(&c, &warm, cpu);
	} else
		fprintf(stderr, "%s\n", err.text);
	weir_run_stop(run);
	weir_run_free(run);
	return good ? 0 : 5;
}

static uint64_t
option(int argc, char **argv, const char *name, uint64_t fallback)
{
	for (int i = 2; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return strtoull(argv[i + 1], NULL, 10);
	return fallback;
}

static const char *
text_option(int argc, char **argv, const char *name)
{
	for (int i = 2; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return NULL;
}

static int
do_pace(int argc, char **argv, const struct weir_settings *settings)
{
	const struct pace_opts opts = {.cards = option(argc, argv, "--cards", 1000000),
	    .rate = option(argc, argv, "--rate", 100000),
	    .warmup_s = option(argc, argv, "--warmup", 5),
	    .seconds = option(argc, argv, "--seconds", 10),
	    .seed = option(argc, argv, "--seed", 7),
	    .connections = (uint32_t)option(argc, argv, "--connections", 4),
	    .linger_us = option(argc, argv, "--linger-us", 2000)};
	return pace_run(settings, &opts);
}

int
main(int argc, char **argv)
{
	struct weir_settings *settings = NULL;
	struct weir_error err;
	const char *config = text_option(argc, argv, "--config");
	if (argc < 2 || config == NULL) {
		fprintf(stderr,
		    "usage: %s fill|bare|source|weir|pace|serve --config FILE [--cards N] [--records N] [--seed N] "
		    "[--instances "
		    "N] "
		    "[--partitions N] [--by-sequence 1]\n"
		    "pace: [--rate N] [--warmup S] [--seconds S] [--linger-us N] [--connections N]; serve: "
		    "[--warmup-records N]\n",
		    argv[0]);
		return 2;
	}
	if (weir_settings_load(config, NULL, 0, &settings, &err) != WEIR_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 3;
	}
	uint64_t cards = option(argc, argv, "--cards", 1000000), records = option(argc, argv, "--records", 0);
	int32_t partitions = (int32_t)option(argc, argv, "--partitions", 4);
	int code = 2;
	if (strcmp(argv[1], "fill") == 0)
		code = do_fill(settings, cards, records, option(argc, argv, "--seed", 1),
		    option(argc, argv, "--by-sequence", 0) != 0, partitions);
	else if (strcmp(argv[1], "bare") == 0)
		code = do_bare(settings, records, (uint32_t)option(argc, argv, "--instances", 2), partitions);
	else if (strcmp(argv[1], "source") == 0)
		code = do_source(settings, records, (uint32_t)option(argc, argv, "--instances", 2), partitions);
	else if (strcmp(argv[1], "weir") == 0)
		code = do_weir(settings, records);
	else if (strcmp(argv[1], "serve") == 0)
		code = do_serve(settings, option(argc, argv, "--warmup-records", 0), records);
	else if (strcmp(argv[1], "pace") == 0)
		code = do_pace(argc, argv, settings);
	weir_settings_free(settings);
	return code;
}
