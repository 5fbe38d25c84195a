/*
 * Open loop: records are sent when they are due, however late the last ones were answered.
 *
 * A record's Kafka timestamp is the time at which it was due, not the one at which it went out, so whatever holds up the
 * generator, and the batching itself (`linger_us`), counts against the latency that is measured from that timestamp. One
 * record in 2,000 exhausts its card's plan: those are the commands that are measured.
 *
 * The generator shares the machine with what it measures, so it must cost next to nothing: it sleeps until a batch is due,
 * a record is the last one with other digits, and raw_produce.h carries it. A run counts only when the generator kept up;
 * `valid` says so.
 */
#include "bench/pace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/raw_produce.h"
#include "bench/records.h"
#include "config/base/check.h"
#include "consumers/source/source.h"

enum {
	EXHAUSTS_EVERY = 2000,
	RENEW_EVERY = 1000,       /* records between two that are written in full */
	DIGITS = 10,              /* of a card's or a record's number that change */
	REQUESTS_MAX = 250,       /* unanswered; half a second at 2 ms each */
	BATCH_BYTES = 900 * 1000, /* Kafka's default limit is 1 MiB */
	FINISH_US = 60000000,
	LATE_US_VALID = 50000
};

/* The usual record, of which only digits change. */
struct usual {
	char json[512];
	size_t len;
	char *id_end, *iccid, *session;
};

struct pace {
	const struct pace_opts *opts;
	struct raw_produce *rp;
	uint64_t seed, sent, run; /* run: the first record's id, different for each run */
	int64_t start_us;         /* monotonic; the first record is due */
	int64_t to_wall_us;       /* monotonic to wall clock */
	struct usual usual;
	char key[32];
	/* of the part that is measured */
	int64_t late_us_max;
	uint64_t unanswered_max;
};

/* Writes DIGITS decimal digits that end before `end`. */
static void
put_digits(char *end, uint64_t number)
{
	for (int i = 0; i < DIGITS; i += 2, number /= 100) {
		*--end = (char)('0' + number % 10);
		*--end = (char)('0' + number / 10 % 10);
	}
}

static void
usual_renew(struct usual *u, const char *key, uint64_t id, time_t now_s)
{
	int len = bench_record(u->json, sizeof(u->json), key, id, 0x8888000088880000u, now_s, false);
	WEIR_CHECK(len > 0 && (size_t)len < sizeof(u->json));
	u->len = (size_t)len;
	u->id_end = strstr(u->json, "\",\"iccid\":\"");
	u->iccid = strstr(u->json, key);
	u->session = strstr(u->json, "\"d0-");
	WEIR_CHECK(u->id_end != NULL && u->iccid != NULL && u->session != NULL);
	u->session += 4;
}

static int64_t
due_us(const struct pace *p, uint64_t record)
{
	return p->start_us + (int64_t)(record * 1000000 / p->opts->rate);
}

static enum weir_class
add_exhausting(struct pace *p, int64_t wall_ms, struct weir_error *err)
{
	char json[256];
	int len = snprintf(json, sizeof(json),
	    "{\"id\":\"x%" PRIu64 "\",\"iccid\":\"%s\",\"end\":%" PRId64 ",\"up\":0,\"down\":2000000000000}",
	    p->run + p->sent, p->key, wall_ms);
	return raw_produce_add(p->rp, p->key, BENCH_ICCID_LEN, json, (size_t)len, wall_ms, err);
}

static enum weir_class
add_next(struct pace *p, struct weir_error *err)
{
	struct usual *u = &p->usual;
	int64_t wall_ms = (due_us(p, p->sent) + p->to_wall_us) / 1000;
	put_digits(p->key + BENCH_ICCID_LEN, bench_random(&p->seed) % p->opts->cards);
	if (p->sent % EXHAUSTS_EVERY == EXHAUSTS_EVERY - 1)
		return add_exhausting(p, wall_ms, err);
	if (p->sent % RENEW_EVERY == 0)
		usual_renew(u, p->key, p->run + p->sent, wall_ms / 1000);
	put_digits(u->id_end, (p->run + p->sent));
	memcpy(u->iccid, p->key, BENCH_ICCID_LEN);
	memcpy(u->session, p->key + 8, BENCH_ICCID_LEN - 8);
	return raw_produce_add(p->rp, p->key, BENCH_ICCID_LEN, u->json, u->len, wall_ms, err);
}

/* Sends all that is due by now; how late the oldest of it was, is measured when the last has gone out. */
static enum weir_class
send_due(struct pace *p, uint64_t until, struct weir_error *err)
{
	int64_t oldest = due_us(p, p->sent);
	int64_t now = bench_now_us();
	uint64_t first = p->sent;
	for (; p->sent < until && due_us(p, p->sent) <= now; p->sent++)
		if (add_next(p, err) != WEIR_OK)
			return WEIR_FATAL;
	if (raw_produce_send(p->rp, err) != WEIR_OK)
		return WEIR_FATAL;
	int64_t late = p->sent > first ? bench_now_us() - oldest : 0;
	p->late_us_max = late > p->late_us_max ? late : p->late_us_max;
	uint64_t unanswered = raw_produce_unanswered(p->rp);
	p->unanswered_max = unanswered > p->unanswered_max ? unanswered : p->unanswered_max;
	return WEIR_OK;
}

/* Sends records up to number `until`, a batch every linger_us. */
static enum weir_class
send_until(struct pace *p, uint64_t until, struct weir_error *err)
{
	p->late_us_max = 0;
	p->unanswered_max = 0;
	while (p->sent < until) {
		int64_t step = (int64_t)p->opts->linger_us, passed = bench_now_us() - p->start_us;
		if (raw_produce_wait(p->rp, step - passed % step, err) != WEIR_OK || send_due(p, until, err) != WEIR_OK)
			return WEIR_FATAL;
	}
	return WEIR_OK;
}

static void
print_pace(const struct pace *p, int64_t took_us, double cpu_s)
{
	uint64_t records = p->opts->rate * p->opts->seconds;
	double per_second = (double)records * 1e6 / (double)took_us;
	bool valid = p->late_us_max < LATE_US_VALID && per_second >= 0.99 * (double)p->opts->rate;
	printf("{\"what\":\"pace\",\"records\":%" PRIu64 ",\"per_second\":%.0f,\"late_us_max\":%" PRId64
	       ",\"unanswered_max\":%" PRIu64 ",\"cpu_ns_per_record\":%.0f,\"valid\":%s}\n",
	    records, per_second, p->late_us_max, p->unanswered_max, cpu_s * 1e9 / (double)records,
	    valid ? "true" : "false");
}

static enum weir_class
send_all(struct pace *p, struct weir_error *err)
{
	const struct pace_opts *o = p->opts;
	struct timespec wall;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	p->start_us = bench_now_us();
	p->to_wall_us = (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - p->start_us;
	p->run = (uint64_t)wall.tv_sec * 1000000000;
	bench_iccid(0, p->key);
	if (send_until(p, o->rate * o->warmup_s, err) != WEIR_OK)
		return WEIR_FATAL;
	fprintf(stderr, "warm\n"); /* the measured part begins */
	int64_t begun = due_us(p, p->sent);
	double cpu = bench_cpu_seconds();
	if (send_until(p, o->rate * (o->warmup_s + o->seconds), err) != WEIR_OK)
		return WEIR_FATAL;
	int64_t took = bench_now_us() - begun;
	cpu = bench_cpu_seconds() - cpu;
	if (raw_produce_finish(p->rp, FINISH_US, err) != WEIR_OK)
		return WEIR_FATAL;
	print_pace(p, took, cpu);
	return WEIR_OK;
}

/* The client that is asked for leaders is gone before the first record, and its threads with it. */
static enum weir_class
open_producer(const struct weir_settings *settings, uint32_t connections, struct raw_produce **out, struct weir_error *err)
{
	char text[256];
	rd_kafka_conf_t *conf = weir_kafka_conf(settings, err);
	if (conf == NULL)
		return WEIR_FATAL;
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return weir_error_set(err, WEIR_FATAL, "%s", text);
	}
	const struct raw_produce_opts opts = {.connections = connections,
	    .topic = settings->inputs[0].topic,
	    .requests_max = REQUESTS_MAX,
	    .batch_bytes = BATCH_BYTES};
	enum weir_class class = raw_produce_open(rk, &opts, out, err);
	rd_kafka_destroy(rk);
	return class;
}

int
pace_run(const struct weir_settings *settings, const struct pace_opts *opts)
{
	struct weir_error err = {0};
	struct pace pace = {.opts = opts, .seed = opts->seed};
	if (opts->cards == 0 || opts->rate == 0 || opts->seconds == 0 || opts->linger_us == 0 || opts->connections == 0) {
		fprintf(stderr, "--cards, --rate, --seconds, --connections and --linger-us must be above 0\n");
		return 2;
	}
	enum weir_class class = open_producer(settings, opts->connections, &pace.rp, &err);
	if (class == WEIR_OK)
		class = send_all(&pace, &err);
	if (pace.rp != NULL)
		raw_produce_close(pace.rp);
	if (class != WEIR_OK)
		fprintf(stderr, "pace: %s\n", err.text);
	return class == WEIR_OK ? 0 : 4;
}
