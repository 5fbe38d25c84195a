/* The generator's thread: pace, sending, repeating, holding back; see traffic.h. */
#include "pipeline/demo/traffic.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/base/clock.h"
#include "pipeline/demo/traffic_priv.h"

#define STEP_US 2000        /* of the pace */
#define OPERATOR_US 4000    /* between two looks of the operator at a card */
#define BEHIND_MAX_US 50000 /* what a pause may be made up for */
#define UNREAD_MAX 12000    /* messages: all feeds' partitions together stay far below what the broker keeps */
#define FLUSH_MS 10000

static void
sleep_us(int64_t us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};
	(void)nanosleep(&pause, NULL);
}

static void
message_send(struct weir_demo_traffic *t, const struct weir_demo_message *m)
{
	weir_demo_send(t, m->topic, m->key, m->value.data, m->value.len);
	WEIR_DEMO_ADD(t, messages, 1);
	WEIR_DEMO_ADD(t, records, m->records);
	WEIR_DEMO_ADD(t, filtered, m->filtered);
}

static void
message_copy(struct weir_demo_message *to, const struct weir_demo_message *from)
{
	struct weir_buf value = to->value;
	value.len = 0;
	weir_buf_append(&value, from->value.data, from->value.len);
	*to = *from;
	to->value = value;
}

/* One of the last messages again, as a producer does that missed an acknowledgement. */
static void
message_repeat(struct weir_demo_traffic *t)
{
	const struct weir_demo_message *m = &t->sent[weir_random_below(&t->rng, WEIR_DEMO_RING)];
	if (m->records == 0)
		return;
	message_send(t, m);
	WEIR_DEMO_ADD(t, repeated, m->records);
}

static void
message_finish(struct weir_demo_traffic *t, const struct weir_demo_message *m)
{
	message_send(t, m);
	message_copy(&t->sent[weir_random_below(&t->rng, WEIR_DEMO_RING)], m);
}

/* The message in `now` goes out, or changes places with one that was held back longer. */
static void
message_pass(struct weir_demo_traffic *t)
{
	if (t->now.in_order || weir_random_below(&t->rng, 20) != 0) {
		message_finish(t, &t->now);
		return;
	}
	struct weir_demo_message *held = &t->held[t->held_next++ % WEIR_DEMO_HELD];
	if (held->records > 0)
		message_finish(t, held);
	message_copy(held, &t->now);
}

/* One in some 20,000 messages is broken, or of a card that nobody knows: dead letters, and their neighbours unharmed. */
static void
bad_send(struct weir_demo_traffic *t)
{
	static const char *const values[] = {"{\"iccid\":\"89860000000000000000\",\"up\":12",
	    "{\"id\":\"x\",\"iccid\":\"89999999999999999999\",\"end\":\"2026-01-01T00:00:00Z\",\"up\":1,\"down\":1}"};
	const char *value = values[weir_random_below(&t->rng, 2)];
	weir_demo_send(t, WEIR_DEMO_TOPIC_RECORDS, "89999999999999999999", value, strlen(value));
	WEIR_DEMO_ADD(t, messages, 1);
	WEIR_DEMO_ADD(t, records, 1);
	WEIR_DEMO_ADD(t, bad, 1);
}

static uint64_t
records_sent(const struct weir_demo_traffic *t)
{
	/* relaxed: this thread wrote it. */
	return atomic_load_explicit(&t->totals.records, memory_order_relaxed);
}

/* Sends until `target` records have gone out since the start. Draws that hit silent cards are bounded. */
static void
traffic_step(struct weir_demo_traffic *t, uint64_t target, int64_t now_us)
{
	uint32_t silent = 0;
	while (records_sent(t) < target && silent < 1000) {
		if (!weir_demo_message_make(t, now_us)) {
			silent++;
			continue;
		}
		message_pass(t);
		if (weir_random_below(&t->rng, 10) == 0)
			message_repeat(t);
		if (weir_random_below(&t->rng, 20000) == 0)
			bad_send(t);
	}
}

static bool
is_unread_full(const struct weir_demo_traffic *t)
{
	struct weir_run_counters counters;
	weir_run_counters_get(t->opts.run, &counters);
	uint64_t sent = atomic_load_explicit(&t->totals.messages, memory_order_relaxed);
	return sent > counters.messages + UNREAD_MAX;
}

static void
traffic_end(struct weir_demo_traffic *t)
{
	for (uint32_t i = 0; i < WEIR_DEMO_HELD; i++)
		if (t->held[i].records > 0)
			message_send(t, &t->held[i]);
	if (!weir_producer_flush(t->opts.kafka, FLUSH_MS))
		WEIR_DEMO_ADD(t, undelivered, weir_producer_queued(t->opts.kafka));
}

static void *
traffic_main(void *ctx)
{
	struct weir_demo_traffic *t = ctx;
	int64_t last_us = weir_steady_now().us, operator_us = last_us, due_us = 0;
	/* acquire: pairs with the stop's release; only the flag itself matters. */
	while (!atomic_load_explicit(&t->stopping, memory_order_acquire)) {
		int64_t at_us = weir_steady_now().us;
		int64_t gone_us = at_us - last_us;
		last_us = at_us;
		if (!is_unread_full(t)) {
			due_us += gone_us < BEHIND_MAX_US ? gone_us : BEHIND_MAX_US;
			traffic_step(t, (uint64_t)due_us * t->opts.rate / 1000000, weir_wall_now().us);
		}
		for (; at_us - operator_us >= OPERATOR_US; operator_us += OPERATOR_US)
			weir_demo_operator_act(t, weir_wall_now().us);
		weir_producer_poll(t->opts.kafka, 0);
		sleep_us(STEP_US);
	}
	traffic_end(t);
	return NULL;
}

struct weir_demo_traffic *
weir_demo_traffic_start(const struct weir_demo_traffic_opts *opts)
{
	struct weir_demo_traffic *t = weir_calloc(1, sizeof(*t));
	t->opts = *opts;
	t->rng = opts->rng;
	WEIR_CHECK(pthread_create(&t->thread, NULL, traffic_main, t) == 0);
	return t;
}

void
weir_demo_traffic_stop(struct weir_demo_traffic *t)
{
	/* release: pairs with the thread's acquire. */
	atomic_store_explicit(&t->stopping, true, memory_order_release);
	(void)pthread_join(t->thread, NULL);
}

void
weir_demo_traffic_free(struct weir_demo_traffic *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = 0; i < WEIR_DEMO_RING; i++)
		weir_buf_free(&t->sent[i].value);
	for (uint32_t i = 0; i < WEIR_DEMO_HELD; i++)
		weir_buf_free(&t->held[i].value);
	weir_buf_free(&t->now.value);
	free(t);
}

void
weir_demo_traffic_totals(const struct weir_demo_traffic *t, struct weir_demo_totals *out)
{
#define COPY(field) out->field = atomic_load_explicit(&t->totals.field, memory_order_relaxed)
	COPY(messages);
	COPY(records);
	COPY(unique);
	COPY(repeated);
	COPY(bad);
	COPY(late);
	COPY(before_cycle);
	COPY(filtered);
	COPY(requests);
	COPY(undelivered);
#undef COPY
}
