/*
 * Flushes: a partition's changes and its position as one fenced transaction, built by the lane, sent by the store thread
 * while the lane folds on.
 *
 * One flush a partition at a time. It is encoded when it is due and nothing is parked (position and state must be one), and
 * handed to the store when the letters posted before it are acknowledged.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/base/log.h"
#include "pipeline/engine/body.h"
#include "pipeline/engine/lane_priv.h"
#include "pipeline/redis/resp.h"

/* For readers (weir_card, weir_pool): what each carrier does not enforce (SUS-4), and its current cycle. */
static void
write_carriers(const struct weir_partition *p, struct weir_buf *out)
{
	char name[80], words[96];
	for (uint32_t i = 0; i < p->registry.carrier_count; i++) {
		const struct weir_carrier_entry *carrier = &p->registry.carriers[i];
		if (!carrier->known)
			continue;
		(void)snprintf(name, sizeof(name), "k:%s", carrier->ref.id);
		(void)snprintf(words, sizeof(words), "%u %u %d %lld %lld", carrier->ref.unsupported_single,
		    carrier->ref.unsupported_pooled, carrier->current.number,
		    (long long)carrier->current.start_us / 1000000, (long long)carrier->current.end_us / 1000000);
		weir_resp_text(out, name);
		weir_resp_text(out, words);
	}
}

static uint32_t
known_carriers(const struct weir_partition *p)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < p->registry.carrier_count; i++)
		count += p->registry.carriers[i].known;
	return count;
}

/* The header: counts of slots, stream time, and the position that the rest of the transaction stands for. */
static void
write_header(const struct lane_partition *lp, struct weir_body *w)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	const struct weir_partition *p = lp->core;
	uint32_t topics = 0;
	for (uint32_t t = 0; t < shared->topic_count; t++)
		topics += lp->next_offset[t] >= 0;
	const struct {
		const char *name;
		int64_t value;
	} fields[] = {{"format", WEIR_STORE_FORMAT}, {"stream_time_us", p->clock.stream_time_us},
	    {"cards", p->tables.cards.used}, {"terms", p->tables.overrides.used},
	    {"enforcements", p->tables.enforcements.used}, {"sessions", p->tables.sessions.used},
	    {"lives", p->tables.lifecycles.used}, {"accounts", p->tables.pool_locals.used}, {"pools", p->tables.pools.used},
	    {"shares", p->tables.pool_sources.used}, {WEIR_FLUSH_FIELD, lp->flush_number}};
	const uint32_t count = sizeof(fields) / sizeof(fields[0]);
	weir_resp_command(w->bytes, 2 + 2 * count + 2 * topics + 2 * known_carriers(p));
	weir_resp_text(w->bytes, "HSET");
	weir_resp_key(w->bytes, w->prefix, w->partition, "h");
	for (uint32_t i = 0; i < count; i++) {
		weir_resp_text(w->bytes, fields[i].name);
		weir_resp_i64(w->bytes, fields[i].value);
	}
	char name[300];
	for (uint32_t t = 0; t < shared->topic_count; t++) {
		if (lp->next_offset[t] < 0)
			continue;
		(void)snprintf(name, sizeof(name), "o:%s", shared->topics[t]);
		weir_resp_text(w->bytes, name);
		weir_resp_i64(w->bytes, lp->next_offset[t]);
	}
	write_carriers(p, w->bytes);
	w->commands++;
}

/* Marks beyond the horizon go in whole hours, 256 keys in one command; a day at most per flush. */
static void
purge_dedupe_keys(struct lane_partition *lp, struct weir_body *w)
{
	int64_t stream_hour = lp->core->clock.stream_time_us / WEIR_HOUR_US;
	int64_t until = stream_hour - lp->lane->shared->settings->dedupe_horizon_h - 2;
	if (lp->purge_hour < 0)
		lp->purge_hour = until; /* a new partition has nothing older */
	for (int n = 0; n < 24 && lp->purge_hour < until; n++, lp->purge_hour++) {
		weir_resp_command(w->bytes, 1 + WEIR_SHARDS);
		weir_resp_text(w->bytes, "UNLINK");
		for (uint32_t b = 0; b < WEIR_SHARDS; b++)
			weir_resp_key(w->bytes, w->prefix, w->partition, "m:%lld:%u", (long long)lp->purge_hour, b);
		w->commands++;
	}
}

/* Past cycles older than those kept (CYC-3), when the oldest current cycle moves on. */
static void
purge_cycles(struct lane_partition *lp, struct weir_body *w)
{
	int32_t oldest = INT32_MAX;
	for (uint32_t i = 0; i < lp->core->registry.carrier_count; i++)
		if (lp->core->registry.carriers[i].known && lp->core->registry.carriers[i].current.number < oldest)
			oldest = lp->core->registry.carriers[i].current.number;
	int32_t until = oldest - (int32_t)lp->lane->shared->settings->cycles_kept - 2;
	uint32_t pages = (lp->core->tables.cards.used + 255) / 256, pool_pages = (lp->core->tables.pools.used + 255) / 256;
	if (oldest == INT32_MAX || until <= lp->purge_cycle || until < 0 || pages + pool_pages == 0)
		return;
	lp->purge_cycle = until;
	weir_resp_command(w->bytes, 1 + pages + pool_pages);
	weir_resp_text(w->bytes, "UNLINK");
	for (uint32_t page = 0; page < pages; page++)
		weir_resp_key(w->bytes, w->prefix, w->partition, "y:%d:%u", until, page);
	for (uint32_t page = 0; page < pool_pages; page++)
		weir_resp_key(w->bytes, w->prefix, w->partition, "z:%d:%u", until, page);
	w->commands++;
}

/*
 * Room for len bytes: the smallest kept that has it, else new memory of that size. Fresh memory each time would be page
 * faults, and so would a body that grows by doubling.
 */
static struct weir_buf
take_body(struct weir_lane *lane, size_t len)
{
	struct weir_buf *best = NULL;
	for (uint32_t i = 0; i < LANE_BODIES; i++) {
		struct weir_buf *body = &lane->bodies[i];
		if (body->cap >= len && (best == NULL || body->cap < best->cap))
			best = body;
	}
	struct weir_buf taken = {0};
	if (best == NULL) {
		weir_buf_reserve(&taken, len);
		return taken;
	}
	taken = *best;
	taken.len = 0;
	*best = (struct weir_buf){0};
	return taken;
}

void
lane_keep_body(struct weir_lane *lane, struct weir_buf *body)
{
	struct weir_buf *least = &lane->bodies[0];
	for (uint32_t i = 1; i < LANE_BODIES; i++)
		if (lane->bodies[i].cap < least->cap)
			least = &lane->bodies[i];
	if (least->cap < body->cap) {
		weir_buf_free(least);
		*least = *body;
	} else {
		weir_buf_free(body);
	}
	*body = (struct weir_buf){0};
}

static void
encode_flush(struct lane_partition *lp)
{
	const struct weir_settings *settings = lp->lane->shared->settings;
	struct weir_store_request *request = weir_calloc(1, sizeof(*request));
	request->kind = WEIR_STORE_FLUSH;
	request->partition = lp->number;
	request->owner = lp;
	request->epoch = lp->epoch;
	request->body = take_body(lp->lane, weir_partition_encode_bytes(lp->core) + lp->audits.len);
	memcpy(request->offsets_before, lp->stored, sizeof(lp->stored));
	memcpy(request->offsets_after, lp->next_offset, sizeof(lp->next_offset));
	request->offsets_before[lp->lane->shared->topic_count] = lp->flush_number;
	request->offsets_after[lp->lane->shared->topic_count] = ++lp->flush_number;
	struct weir_body w = {.bytes = &request->body, .prefix = settings->redis_prefix, .partition = lp->number};
	const struct weir_writer writer = weir_body_writer(&w);
	write_header(lp, &w);
	weir_partition_encode(lp->core, &writer, settings->flush_sparse_slots);
	purge_dedupe_keys(lp, &w);
	purge_cycles(lp, &w);
	w.commands += lane_purge_windows(lp, &request->body);
	weir_buf_append(&request->body, lp->audits.data, lp->audits.len);
	request->commands = w.commands + lp->audit_commands;
	lp->audits.len = 0;
	lp->audit_commands = 0;
	lp->changed = false;
	lp->flush = request;
	lp->ack_window->open_side ^= 1; /* letters from here on belong to the next flush */
}

static void
send_flush(struct lane_partition *lp)
{
	if (!weir_ack_window_closed_empty(lp->ack_window))
		return;
	if (atomic_load_explicit(&lp->ack_window->failed, memory_order_relaxed)) {
		lane_stop_partition(
		    lp, "a message (dead letter, audit entry, partial, word or alert) was refused by Kafka for good");
		return;
	}
	if (weir_store_submit(lp->lane->store, lp->flush)) {
		lp->flush_sent = true;
		lp->requests++;
	}
}

#define BEHIND_US 10000000ll /* older records than that are a backlog */

/*
 * A backlog is flushed less often: cards that come again meanwhile are written once, and what is shown is as old as the
 * backlog in any case.
 */
int64_t
lane_flush_due_us(const struct lane_partition *lp)
{
	const struct weir_settings *settings = lp->lane->shared->settings;
	if (lp->behind_us < BEHIND_US || lp->leaving ||
	    weir_partition_unflushed(lp->core) + lp->audits.len >= settings->flush_unflushed_max / 4)
		return lp->flush_due_us;
	int64_t longer_ms = (int64_t)settings->flush_behind_interval_ms - (int64_t)settings->flush_interval_ms;
	return lp->flush_due_us + (longer_ms > 0 ? longer_ms : 0) * 1000;
}

static bool
is_due(const struct lane_partition *lp, int64_t now_us)
{
	return now_us >= lp->flush_due_us && now_us >= lane_flush_due_us(lp);
}

#define CHECK_EVERY_US 5000000ll /* at rest a flush that changes nothing: that is how a Redis that lost writes is noticed  \
				  */

void
lane_flush_round(struct lane_partition *lp, int64_t now_us)
{
	if (lp->state != LANE_RUNNING)
		return;
	if (lp->flush != NULL) {
		if (!lp->flush_sent)
			send_flush(lp);
		return;
	}
	bool look = now_us - lp->flushed_us >= CHECK_EVERY_US || now_us < lp->flushed_us;
	if ((!lp->changed && !look) || !is_due(lp, now_us) || weir_partition_parked(lp->core) > 0 ||
	    !weir_ack_window_closed_empty(lp->ack_window))
		return;
	int64_t interval_us = (int64_t)lp->lane->shared->settings->flush_interval_ms * 1000;
	encode_flush(lp);
	lp->flush_due_us = lp->flush_due_us + interval_us > now_us ? lp->flush_due_us + interval_us : now_us + interval_us;
	send_flush(lp);
}

/*
 * A flush that is due waits for the parked records' look-ups, so nothing new may be parked meanwhile. With Redis away there
 * is no flush to wait for: records are folded and commands decided until memory's bound.
 */
bool
lane_is_held(const struct lane_partition *lp, int64_t now_us)
{
	const struct weir_settings *settings = lp->lane->shared->settings;
	const struct weir_partition *p = lp->core;
	uint32_t parked = weir_partition_parked(p);
	if (parked >= settings->lane_parked_max)
		return true;
	if (parked > 0 && lp->flush == NULL && is_due(lp, now_us) && lp->lane->store_connected)
		return true;
	uint64_t waiting = lp->flush != NULL ? lp->flush->body.len : 0;
	return waiting + weir_partition_unflushed(p) + lp->audits.len >= settings->flush_unflushed_max;
}

#define FETCHES_PER_REQUEST 512u
#define FETCHING_MAX 2u /* requests of one partition with the store: what more is wished for waits here */

static void
name_fetch(struct weir_store_fetch *fetch, const struct weir_fetch_request *fetch_request)
{
	_Static_assert(sizeof(fetch->key) == WEIR_FETCH_KEY_MAX, "one size of names");
	weir_fetch_key(fetch_request, fetch->key, &fetch->from, &fetch->len);
}

/* The wishes lie behind the fetches in one allocation, so that answers find them. False when the store's ring is full. */
static bool
fetch_some(struct lane_partition *lp, const struct weir_fetch_request *fetch_requests, uint32_t count)
{
	struct weir_store_request *request = weir_calloc(1, sizeof(*request));
	request->kind = WEIR_STORE_FETCH;
	request->partition = lp->number;
	request->owner = lp;
	request->fetch_count = count;
	request->fetches = weir_calloc(count, sizeof(*request->fetches) + sizeof(*fetch_requests));
	memcpy(request->fetches + count, fetch_requests, count * sizeof(*fetch_requests));
	for (uint32_t i = 0; i < count; i++)
		name_fetch(&request->fetches[i], &fetch_requests[i]);
	if (!weir_store_submit(lp->lane->store, request)) {
		free(request->fetches);
		free(request);
		return false;
	}
	lp->requests++;
	lp->fetching++;
	return true;
}

void
lane_submit_fetches(struct lane_partition *lp)
{
	struct weir_partition *p = lp->core;
	/* What is encoded is in memory no more: a look-up must not overtake the flush that brings it to the store. */
	if (lp->flush != NULL && !lp->flush_sent)
		return;
	while (p->effects.fetch_requests.n > 0 && lp->fetching < FETCHING_MAX) {
		uint32_t count =
		    p->effects.fetch_requests.n < FETCHES_PER_REQUEST ? p->effects.fetch_requests.n : FETCHES_PER_REQUEST;
		if (!fetch_some(lp, p->effects.fetch_requests.v, count))
			return;
		p->effects.fetch_requests.n -= count;
		memmove(p->effects.fetch_requests.v, p->effects.fetch_requests.v + count,
		    p->effects.fetch_requests.n * sizeof(*p->effects.fetch_requests.v));
	}
}
