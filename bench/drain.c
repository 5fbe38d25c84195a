/*
 * Drain benchmark: a preloaded topic on a real broker into a real Redis, by weir and by a bare librdkafka consumer.
 *
 * Subcommands over one settings file, so that a driver (drain.py) can interleave them:
 *   fill   cards and records (canonical JSON, one record per message), seeded;
 *   bare   consume the records topic with N plain consumer instances, touching nothing but lengths;
 *   weir   run the engine until every record is folded and flushed.
 *   pace   send records open loop at a rate, one in 2,000 exhausting its card;
 *   serve  run the engine on them and print the latency from record to command.
 * bare and weir print one JSON object: messages, seconds from the first message to the last, messages per second. The ratio
 * of the two in one run is the figure to quote: absolute rates belong to the machine.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "config/base/check.h"
#include "config/base/jemalloc_conf.h"
#include "config/base/log.h"
#include "consumers/source/source.h"
#include "pipeline/stage/run.h"

static int64_t
now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double
cpu_seconds(void)
{
	struct rusage usage;
	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static rd_kafka_t *
producer(const struct weir_settings *settings, const char *linger_ms)
{
	char text[256];
	struct weir_error err;
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, &err);
	WEIR_CHECK(conf != NULL);
	const char *const set[][2] = {{"linger.ms", linger_ms}, {"batch.num.messages", "10000"},
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
iccid_of(uint64_t card, char out[32])
{
	(void)snprintf(out, 32, "8986%016" PRIu64, card);
}

static void
fill_cards(rd_kafka_t *rk, const struct weir_settings *settings, uint64_t cards)
{
	char key[32], json[256];
	for (uint64_t i = 0; i < cards; i++) {
		iccid_of(i, key);
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

/* One record in docs/formats.md's usual order; sequence numbers when by_sequence, else a record id. */
static int
write_record(char *out, size_t cap, const char *iccid, uint64_t n, uint64_t random, time_t end_s, bool by_sequence)
{
	char end[32], start[32];
	struct tm tm;
	time_t start_s = end_s - 300;
	(void)gmtime_r(&end_s, &tm);
	(void)strftime(end, sizeof(end), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	(void)gmtime_r(&start_s, &tm);
	(void)strftime(start, sizeof(start), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
	char id[64] = "";
	if (!by_sequence)
		(void)snprintf(id, sizeof(id), "\"id\":\"01K%023" PRIu64 "\",", n);
	return snprintf(out, cap,
	    "{%s\"iccid\":\"%s\",\"session\":\"d0-%s\",\"start\":\"%s\",\"end\":\"%s\",\"up\":%u,\"down\":%u,\"imei\":"
	    "\"860000000000001\","
	    "\"apn\":\"cmiot\",\"rat\":\"LTE\",\"plmn\":\"46000\",\"event\":\"update\",\"seq\":%" PRIu64 "}",
	    id, iccid, iccid + 8, start, end, (unsigned)(random & 0xffff), (unsigned)(random >> 16 & 0xfffff), n);
}

static int
do_fill(const struct weir_settings *settings, uint64_t cards, uint64_t records, uint64_t seed, bool by_sequence,
    int32_t partitions)
{
	rd_kafka_t *rk = producer(settings, "20");
	if (records == 0) {
		fill_plan(rk, settings, partitions);
		(void)rd_kafka_flush(rk, 60000);
		fill_cards(rk, settings, cards);
	}
	char key[32], json[512];
	uint64_t *sequence = by_sequence ? weir_calloc(cards, sizeof(uint64_t)) : NULL;
	time_t base = time(NULL);
	for (uint64_t i = 0; i < records; i++) {
		uint64_t random = next_random(&seed);
		uint64_t card = random % cards;
		iccid_of(card, key);
		uint64_t n = by_sequence ? ++sequence[card] : i;
		int len = write_record(
		    json, sizeof(json), key, n, next_random(&seed), base - (time_t)(random >> 40) % 1800, by_sequence);
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

/* Writes `count` decimal digits that end before `end`. */
static void
put_digits(char *end, int count, uint64_t number)
{
	for (int i = 0; i < count; i++, number /= 10)
		*--end = (char)('0' + number % 10);
}

/*
 * Open loop: `rate` records a second for `seconds`, each sent when it is due however late the last one was; one in 2,000
 * exhausts its card's plan, so that commands are measured from the Kafka timestamp (set when the record was due and sent)
 * to the adapter.
 */
static int
do_pace(const struct weir_settings *settings, uint64_t cards, uint64_t rate, uint64_t seconds, uint64_t seed)
{
	rd_kafka_t *rk = producer(settings, "1");
	char key[32], json[512], usual[512];
	int usual_len = 0, queued_max = 0;
	int64_t start = now_us(), late_us_max = 0;
	iccid_of(0, key);
	uint64_t total = rate * seconds, run = (uint64_t)time(NULL) * 1000000000;
	for (uint64_t i = 0; i < total; i++) {
		int64_t due = start + (int64_t)(i * 1000000 / rate);
		int64_t now = i % 64 == 0 ? now_us() : due;
		while (now < due) { /* asleep, not spinning: the cores are the measured ones' too */
			(void)rd_kafka_poll(rk, 0);
			if (due - now > 100)
				(void)usleep((useconds_t)(due - now));
			now = now_us();
		}
		int queued = i % 1024 == 0 ? rd_kafka_outq_len(rk) : 0;
		queued_max = queued > queued_max ? queued : queued_max;
		late_us_max = now - due > late_us_max ? now - due : late_us_max;
		uint64_t random = next_random(&seed);
		put_digits(key + 20, 16, random % cards);
		if (i % 2000 == 1999) {
			int len = snprintf(json, sizeof(json),
			    "{\"id\":\"x%" PRIu64 "\",\"iccid\":\"%s\",\"end\":%lld,\"up\":0,\"down\":2000000000000}",
			    run + i, key, (long long)time(NULL) * 1000);
			produce(rk, settings->inputs[0].topic, key, json, (size_t)len);
			continue;
		}
		if (i % 1000 == 0) /* the usual record; only its digits change until the next time */
			usual_len = write_record(usual, sizeof(usual), key, run, 0x8888000088880000u, time(NULL), false);
		put_digits(usual + 7 + 3 + 23, 23, run + i);
		memcpy(usual + 7 + 26 + 11, key, 20);
		produce(rk, settings->inputs[0].topic, key, usual, (size_t)usual_len);
		if (i % 256 == 0)
			(void)rd_kafka_poll(rk, 0);
	}
	int64_t took = now_us() - start;
	(void)rd_kafka_flush(rk, 60000);
	rd_kafka_destroy(rk);
	printf("{\"what\":\"pace\",\"records\":%" PRIu64 ",\"per_second\":%.0f,\"late_us_max\":%" PRId64
	       ",\"queued_max\":%d,\"valid\":%s}\n",
	    total, (double)total * 1e6 / (double)took, late_us_max, queued_max,
	    late_us_max < 200000 && (uint64_t)queued_max < rate / 5 ? "true" : "false");
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
			(void)atomic_compare_exchange_strong(bare->started, &none, now_us());
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
	double cpu = cpu_seconds();
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
	int64_t ended = now_us();
	cpu = cpu_seconds() - cpu;
	for (uint32_t i = 0; i < instances; i++)
		(void)pthread_join(bare[i].thread, NULL);
	char name[32];
	(void)snprintf(name, sizeof(name), "bare_%u", instances);
	print_result(name, records, ended - atomic_load(&started), cpu);
	free(bare);
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
			started = now_us();
			first = c.records;
			cpu = cpu_seconds();
		}
	} while (c.records < records && !weir_run_failed(run, &err));
	weir_run_stop(run); /* flushes all */
	int64_t took = now_us() - started;
	cpu = cpu_seconds() - cpu;
	print_result("weir", records - first, took, cpu);
	fprintf(stderr,
	    "counted=%" PRIu64 " duplicates=%" PRIu64 " flushes=%" PRIu64 " flush_us=%" PRIu64 " flush_bytes=%" PRIu64
	    " rss=%" PRIu64 " MB\n",
	    c.counted, c.duplicates, c.flushes, c.flush_us_total, c.flush_bytes, c.memory_bytes >> 20);
	weir_run_free(run);
	return 0;
}

/* Runs until `records` were folded, then prints the latency from Kafka timestamp to command. */
static int
do_serve(const struct weir_settings *settings, uint64_t records)
{
	struct weir_error err = {0};
	struct weir_run *run = NULL;
	struct weir_run_counters c, before;
	if (weir_run_start(settings, &run, &err) != WEIR_OK) {
		fprintf(stderr, "%s\n", err.text);
		return 4;
	}
	while (!weir_run_is_ready(run) && !weir_run_failed(run, &err))
		(void)usleep(1000);
	weir_run_counters_get(run, &before);
	fprintf(stderr, "ready\n");
	do {
		(void)usleep(10000);
		weir_run_counters_get(run, &c);
	} while (c.records - before.records < records && !weir_run_failed(run, &err));
	(void)usleep(300000);
	weir_run_counters_get(run, &c);
	printf("{\"what\":\"latency\",\"commands\":%" PRIu64 ",\"us_p50\":%" PRIu64 ",\"us_p90\":%" PRIu64
	       ",\"us_p99\":%" PRIu64 ",\"us_p999\":%" PRIu64 "}\n",
	    c.commands_sent, weir_latency_quantile(c.command_latency, 0.5), weir_latency_quantile(c.command_latency, 0.9),
	    weir_latency_quantile(c.command_latency, 0.99), weir_latency_quantile(c.command_latency, 0.999));
	weir_run_stop(run);
	weir_run_free(run);
	return 0;
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

int
main(int argc, char **argv)
{
	struct weir_settings *settings = NULL;
	struct weir_error err;
	const char *config = text_option(argc, argv, "--config");
	if (argc < 2 || config == NULL) {
		fprintf(stderr,
		    "usage: %s fill|bare|weir|pace|serve --config FILE [--cards N] [--records N] [--seed N] [--instances "
		    "N] "
		    "[--partitions N] [--by-sequence 1]\n",
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
	else if (strcmp(argv[1], "weir") == 0)
		code = do_weir(settings, records);
	else if (strcmp(argv[1], "serve") == 0)
		code = do_serve(settings, records);
	else if (strcmp(argv[1], "pace") == 0)
		code = do_pace(settings, cards, option(argc, argv, "--rate", 100000), option(argc, argv, "--seconds", 10),
		    option(argc, argv, "--seed", 7));
	weir_settings_free(settings);
	return code;
}
