/*
 * Open loop: records are sent when they are due, however late the last ones were answered.
 *
 * A record's Kafka timestamp and its end are the time at which it was due, not the one at which it went out, so whatever
 * holds up the generator, and the batching itself (`linger_us`), counts against the latency that is measured from it.
 *
 * The generator shares the machine with what it measures, so it must cost next to nothing: it sleeps until a batch is due,
 * and raw_produce.h carries it. A part counts only when the generator kept up: `valid` says so.
 */
#include "bench/pace.h"

#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/raw_sink.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum {
	REQUESTS_MAX = 250,       /* unanswered; half a second at 2 ms each */
	BATCH_BYTES = 900 * 1000, /* Kafka's default limit is 1 MiB */
	FINISH_US = 60000000,
	LATE_US_VALID = 50000,
	ICCID_LEN = WEIR_ICCID_TEXT_MAX - 1
};
#define VICTIM_ID (UINT64_C(1) << 50) /* record numbers that no generator reaches */

struct pace {
	struct pace_opts opts;
	struct raw_produce *rp;
	struct weir_buf out;
	uint64_t victims_sent; /* record numbers */
	/* of the part that is being sent */
	const struct pace_part *part;
	uint64_t sent, card_next, pool_next;
	struct weir_steady start; /* the first record is due */
	struct weir_wall start_wall;
	int64_t late_us_max;
	uint64_t unanswered_max;
};

/* Microseconds from the start until the record is due. */
static int64_t
due_us(const struct pace *p, uint64_t record)
{
	return (int64_t)((unsigned __int128)record * 1000000 / p->part->rate);
}

static enum weir_class
add_record(struct pace *p, struct workload_record *r, int64_t wall_us, struct weir_error *err)
{
	char key[WEIR_ICCID_TEXT_MAX];
	r->end_us = wall_us / 1000 * 1000;
	p->out.len = 0;
	workload_message(p->opts.workload, r, 1, &p->out);
	workload_iccid_text(r->card, key);
	return raw_produce_add(p->rp, key, ICCID_LEN, (const char *)p->out.data, p->out.len, wall_us / 1000, err);
}

static enum weir_class
add_victim(struct pace *p, uint64_t card, int64_t wall_us, struct weir_error *err)
{
	struct workload_record r = {
	    .n = VICTIM_ID + p->victims_sent++, .card = card, .sequence = 1, .down = 2 * BENCH_VICTIM_BYTES};
	return add_record(p, &r, wall_us, err);
}

/* The next victim's turn; false when it is not, or none is left. */
static bool
turn(uint64_t sent, uint64_t every, uint64_t next, uint64_t count)
{
	return every != 0 && next < count && sent % every == every - 1;
}

static enum weir_class
add_next(struct pace *p, struct weir_error *err)
{
	const struct pace_part *part = p->part;
	const struct bench_victims *v = part->victims;
	int64_t wall_us = p->start_wall.us + due_us(p, p->sent);
	struct workload_record r;
	if (v != NULL && turn(p->sent, part->card_every, p->card_next, v->count)) {
		part->card_due_us[p->card_next] = wall_us;
		return add_victim(p, v->first + p->card_next++, wall_us, err);
	}
	if (v != NULL && turn(p->sent + 1, part->pool_every, p->pool_next, v->pools)) {
		part->pool_due_us[p->pool_next] = wall_us;
		return add_victim(p, v->pool_first + p->pool_next++ * v->members, wall_us, err);
	}
	workload_next(p->opts.generator, &r);
	if (p->opts.totals != NULL)
		bench_totals_add(&p->opts.totals[r.card], &r);
	return add_record(p, &r, wall_us, err);
}

/* Sends all that is due by now; how late the oldest of it was, is measured when the last has gone out. */
static enum weir_class
send_due(struct pace *p, struct weir_error *err)
{
	int64_t oldest = due_us(p, p->sent), now = weir_steady_since_us(p->start);
	uint64_t first = p->sent;
	for (; p->sent < p->part->records && due_us(p, p->sent) <= now; p->sent++)
		if (add_next(p, err) != WEIR_OK)
			return WEIR_FATAL;
	if (raw_produce_send(p->rp, err) != WEIR_OK)
		return WEIR_FATAL;
	int64_t late = p->sent > first ? weir_steady_since_us(p->start) - oldest : 0;
	p->late_us_max = late > p->late_us_max ? late : p->late_us_max;
	uint64_t unanswered = raw_produce_unanswered(p->rp);
	p->unanswered_max = unanswered > p->unanswered_max ? unanswered : p->unanswered_max;
	return WEIR_OK;
}

static bool
stopped(const struct pace_part *part)
{
	return part->stop != NULL && atomic_load_explicit(part->stop, memory_order_relaxed); /* nothing hangs on it */
}

static enum weir_class
send_part(struct pace *p, struct weir_error *err)
{
	while (p->sent < p->part->records && !stopped(p->part)) {
		int64_t step = (int64_t)p->opts.linger_us, passed = weir_steady_since_us(p->start);
		if (raw_produce_wait(p->rp, step - passed % step, err) != WEIR_OK || send_due(p, err) != WEIR_OK)
			return WEIR_FATAL;
	}
	return WEIR_OK;
}

enum weir_class
pace_send(struct pace *p, const struct pace_part *part, struct pace_sent *sent, struct weir_error *err)
{
	p->part = part;
	p->sent = p->card_next = p->pool_next = 0;
	p->late_us_max = 0;
	p->unanswered_max = 0;
	p->start = weir_steady_now();
	p->start_wall = weir_wall_now();
	double cpu = bench_cpu_seconds();
	if (send_part(p, err) != WEIR_OK)
		return WEIR_FATAL;
	int64_t took_us = weir_steady_since_us(p->start);
	*sent = (struct pace_sent){.records = p->sent,
	    .per_second = (double)p->sent * 1e6 / (double)took_us,
	    .cpu_s = bench_cpu_seconds() - cpu,
	    .begun_us = p->start_wall.us,
	    .ended_us = p->start_wall.us + took_us,
	    .late_us_max = p->late_us_max,
	    .unanswered_max = p->unanswered_max};
	sent->valid = sent->late_us_max < LATE_US_VALID && sent->per_second >= 0.99 * (double)part->rate;
	return WEIR_OK;
}

enum weir_class
pace_finish(struct pace *p, struct weir_error *err)
{
	return raw_produce_finish(p->rp, FINISH_US, err);
}

enum weir_class
pace_open(const struct pace_opts *opts, struct pace **pace_out, struct weir_error *err)
{
	struct pace *p = weir_calloc(1, sizeof(*p));
	p->opts = *opts;
	const struct raw_produce_opts raw = {.connections = opts->connections,
	    .topic = opts->topic,
	    .requests_max = REQUESTS_MAX,
	    .batch_bytes = BATCH_BYTES,
	    .on_written = opts->on_written,
	    .ctx = opts->ctx};
	if (raw_open_bare(opts->settings, &raw, &p->rp, err) != WEIR_OK) {
		free(p);
		return WEIR_FATAL;
	}
	*pace_out = p;
	return WEIR_OK;
}

void
pace_close(struct pace *p)
{
	if (p == NULL)
		return;
	raw_produce_close(p->rp);
	weir_buf_free(&p->out);
	free(p);
}
