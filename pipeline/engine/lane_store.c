/*
 * The lane's store: what an owner asks of it becomes requests to Redis, in the lane's own memory, and answers become the
 * owner's. The body of a flush is RESP (body.h, docs/formats.md "Redis"): header, what changed, purges, history.
 *
 * A request belongs to the store's thread from submission to answer. Between the two a TAKE's core does too (the sink).
 */
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/engine/lane_priv.h"
#include "pipeline/redis/resp.h"

static struct weir_store_request *
new_request(struct lane_partition *lp, enum weir_store_kind kind)
{
	struct weir_store_request *request = weir_calloc(1, sizeof(*request));
	request->kind = kind;
	request->partition = lp->owner->number;
	request->owner = lp;
	return request;
}

bool
lane_store_connected(void *ctx)
{
	return ((struct lane_partition *)ctx)->lane->store_connected;
}

void
lane_store_cancel(void *ctx)
{
	struct lane_partition *lp = ctx;
	weir_store_cancel(lp->lane->store, lp->owner->number);
}

/* ---- taking: the store's thread loads the core ---- */

static struct weir_partition *
core_of(void *ctx)
{
	return ((struct lane_partition *)ctx)->owner->core;
}

static bool
sink_begin(void *ctx, const struct weir_store_header *header)
{
	return owner_load_begin(((struct lane_partition *)ctx)->owner, header, lane_now().wall_us);
}

static bool
sink_name(void *ctx, uint32_t index, struct weir_slice name)
{
	(void)index;
	return weir_partition_load_name(core_of(ctx), name);
}

static bool
sink_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)field;
	return weir_partition_load_reference(core_of(ctx), json);
}

static bool
sink_page(void *ctx, enum weir_slab_kind slab, uint32_t page, struct weir_slice bytes)
{
	return weir_partition_load_page(core_of(ctx), slab, page, bytes);
}

static bool
sink_dedupe_keys(void *ctx, int64_t hour, uint32_t bucket, struct weir_slice bytes)
{
	return weir_dedupe_keys_load(&core_of(ctx)->tables.dedupe_keys, hour, bucket, bytes.data, bytes.len);
}

static bool
sink_intent(void *ctx, struct weir_iccid iccid, uint64_t token, uint8_t desired)
{
	const struct weir_unconfirmed_card intent = {iccid, token, desired};
	return weir_partition_load_intent(core_of(ctx), &intent);
}

bool
lane_store_take(void *ctx, uint64_t epoch_floor)
{
	struct lane_partition *lp = ctx;
	struct weir_store_request *request = new_request(lp, WEIR_STORE_TAKE);
	request->epoch_floor = epoch_floor;
	request->fresh_hours = lp->lane->shared->settings->dedupe_fresh_h;
	request->sink =
	    (struct weir_load_sink){lp, sink_begin, sink_name, sink_reference, sink_page, sink_dedupe_keys, sink_intent};
	if (weir_store_submit(lp->lane->store, request))
		return true;
	free(request);
	return false;
}

/* ---- flushing: the body ---- */

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
	const struct owner_flush *flush = &lp->owner->flush;
	const struct weir_partition *p = lp->owner->core;
	uint32_t topics = 0;
	for (uint32_t t = 0; t < shared->topic_count; t++)
		topics += flush->after[t] >= 0;
	char name[300], log[LOG_TEXT_MAX];
	const struct {
		const char *name;
		int64_t value;
	} fields[] = {{"format", WEIR_STORE_FORMAT}, {"partitions", shared->partitions},
	    {"stream_time_us", p->clock.stream_time_us}, {"cards", p->tables.cards.used},
	    {"terms", p->tables.overrides.used}, {"enforcements", p->tables.enforcements.used},
	    {"sessions", p->tables.sessions.used}, {"lives", p->tables.lifecycles.used},
	    {"accounts", p->tables.pool_locals.used}, {"pools", p->tables.pools.used},
	    {"shares", p->tables.pool_sources.used}, {WEIR_FLUSH_FIELD, flush->number}};
	const uint32_t count = sizeof(fields) / sizeof(fields[0]);
	weir_resp_command(w->bytes, 2 + 2 * count + 4 * topics + 2 * known_carriers(p));
	weir_resp_text(w->bytes, "HSET");
	weir_resp_key(w->bytes, w->prefix, w->partition, "h");
	for (uint32_t i = 0; i < count; i++) {
		weir_resp_text(w->bytes, fields[i].name);
		weir_resp_i64(w->bytes, fields[i].value);
	}
	for (uint32_t t = 0; t < shared->topic_count; t++) {
		if (flush->after[t] < 0)
			continue;
		(void)snprintf(name, sizeof(name), "o:%s", shared->topics[t]);
		weir_resp_text(w->bytes, name);
		weir_resp_i64(w->bytes, flush->after[t]);
		(void)snprintf(name, sizeof(name), "log:%s", shared->topics[t]);
		log_name_text(&flush->logs[t], log);
		weir_resp_text(w->bytes, name);
		weir_resp_text(w->bytes, log);
	}
	write_carriers(p, w->bytes);
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

static void
keep_body(struct weir_lane *lane, struct weir_buf *body)
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

void
lane_flush_begin(void *ctx, uint64_t bytes, struct weir_writer *writer_out)
{
	struct lane_partition *lp = ctx;
	const struct owner_flush *flush = &lp->owner->flush;
	WEIR_CHECK(lp->flush == NULL && flush->phase == OWNER_FLUSH_ENCODED);
	struct weir_store_request *request = new_request(lp, WEIR_STORE_FLUSH);
	request->epoch = flush->epoch;
	memcpy(request->offsets_before, flush->before, sizeof(flush->before));
	memcpy(request->offsets_after, flush->after, sizeof(flush->after));
	request->body = take_body(lp->lane, bytes);
	lp->flush = request;
	lp->body = (struct weir_body){
	    .bytes = &request->body, .prefix = lp->lane->shared->settings->redis_prefix, .partition = lp->owner->number};
	write_header(lp, &lp->body);
	*writer_out = weir_body_writer(&lp->body);
}

/* 256 keys in one command. */
void
lane_purge_marks(void *ctx, int64_t hour)
{
	struct weir_body *w = &((struct lane_partition *)ctx)->body;
	weir_resp_command(w->bytes, 1 + WEIR_SHARDS);
	weir_resp_text(w->bytes, "UNLINK");
	for (uint32_t b = 0; b < WEIR_SHARDS; b++)
		weir_resp_key(w->bytes, w->prefix, w->partition, "m:%lld:%u", (long long)hour, b);
	w->commands++;
}

void
lane_purge_past(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages)
{
	struct weir_body *w = &((struct lane_partition *)ctx)->body;
	weir_resp_command(w->bytes, 1 + card_pages + pool_pages);
	weir_resp_text(w->bytes, "UNLINK");
	for (uint32_t page = 0; page < card_pages; page++)
		weir_resp_key(w->bytes, w->prefix, w->partition, "y:%d:%u", cycle, page);
	for (uint32_t page = 0; page < pool_pages; page++)
		weir_resp_key(w->bytes, w->prefix, w->partition, "z:%d:%u", cycle, page);
	w->commands++;
}

void
lane_purge_window(void *ctx, unsigned kind, int32_t window, uint32_t first_page, uint32_t pages)
{
	struct weir_body *w = &((struct lane_partition *)ctx)->body;
	weir_resp_command(w->bytes, 1 + pages);
	weir_resp_text(w->bytes, "UNLINK");
	for (uint32_t i = 0; i < pages; i++)
		weir_resp_key(
		    w->bytes, w->prefix, w->partition, "%s:%d:%u", weir_window_tags(kind), window, first_page + i);
	w->commands++;
}

uint64_t
lane_flush_end(void *ctx, const struct weir_buf *history, uint32_t history_commands)
{
	struct lane_partition *lp = ctx;
	weir_buf_append(&lp->flush->body, history->data, history->len);
	lp->flush->commands = lp->body.commands + history_commands;
	return lp->flush->body.len;
}

bool
lane_store_flush(void *ctx)
{
	struct lane_partition *lp = ctx;
	WEIR_CHECK(lp->flush != NULL && weir_ack_window_closed_empty(lp->ack_window));
	if (!weir_store_submit(lp->lane->store, lp->flush))
		return false;
	lp->flush = NULL;
	return true;
}

uint32_t
lane_keep_history(void *ctx, struct weir_buf *out, const char *list, struct weir_slice json)
{
	const struct lane_partition *lp = ctx;
	const struct weir_settings *settings = lp->lane->shared->settings;
	weir_resp_command(out, 3);
	weir_resp_text(out, "LPUSH");
	weir_resp_key(out, settings->redis_prefix, lp->owner->number, "%s", list);
	weir_resp_bulk(out, json.data, json.len);
	weir_resp_command(out, 4);
	weir_resp_text(out, "LTRIM");
	weir_resp_key(out, settings->redis_prefix, lp->owner->number, "%s", list);
	weir_resp_i64(out, 0);
	weir_resp_i64(out, (int64_t)settings->history_entries - 1);
	return 2;
}

/* ---- fetching ---- */

#define FETCH_MAX 512u /* strings of one request */

static void
name_fetch(struct weir_store_fetch *fetch, const struct weir_fetch_request *wanted)
{
	_Static_assert(sizeof(fetch->key) == WEIR_FETCH_KEY_MAX, "one size of names");
	weir_fetch_key(wanted, fetch->key, &fetch->from, &fetch->len);
}

/* What was asked for lies behind the fetches in one allocation, so that answers find it. */
bool
lane_store_fetch(void *ctx, const struct weir_fetch_request *requests, uint32_t count)
{
	struct lane_partition *lp = ctx;
	WEIR_CHECK(count > 0 && count <= FETCH_MAX && lp->flush == NULL);
	struct weir_store_request *request = new_request(lp, WEIR_STORE_FETCH);
	request->fetch_count = count;
	request->fetches = weir_calloc(count, sizeof(*request->fetches) + sizeof(*requests));
	memcpy(request->fetches + count, requests, count * sizeof(*requests));
	for (uint32_t i = 0; i < count; i++)
		name_fetch(&request->fetches[i], &requests[i]);
	if (weir_store_submit(lp->lane->store, request))
		return true;
	free(request->fetches);
	free(request);
	return false;
}

/* ---- answers ---- */

static void
answer_fetch(struct lane_partition *lp, struct weir_store_request *request, const struct owner_answer *answer)
{
	struct weir_slice values[FETCH_MAX];
	for (uint32_t i = 0; i < request->fetch_count; i++)
		values[i] = (struct weir_slice){request->fetches[i].value_out.data, request->fetches[i].value_out.len};
	const struct weir_fetch_request *requests =
	    (const struct weir_fetch_request *)(request->fetches + request->fetch_count);
	owner_fetched(lp->owner, lane_now(), answer, requests, values, request->fetch_count);
	for (uint32_t i = 0; i < request->fetch_count; i++)
		weir_buf_free(&request->fetches[i].value_out);
	free(request->fetches);
}

static void
answer_flush(struct lane_partition *lp, struct weir_store_request *request, const struct owner_answer *answer)
{
	keep_body(lp->lane, &request->body);
	owner_flushed(lp->owner, lane_now(), request->offsets_after[lp->lane->shared->topic_count], answer);
}

static void
one_answer(struct weir_store_request *request)
{
	struct lane_partition *lp = request->owner;
	const struct owner_answer answer = {request->result, &request->header, request->error.text, request->took_us};
	if (request->kind == WEIR_STORE_TAKE)
		owner_taken(lp->owner, lane_now(), &answer);
	else if (request->kind == WEIR_STORE_FLUSH)
		answer_flush(lp, request, &answer);
	else
		answer_fetch(lp, request, &answer);
	weir_buf_free(&request->body);
	free(request);
}

void
lane_partition_free(struct lane_partition *lp)
{
	owner_free(lp->owner);
	if (lp->flush != NULL) {
		weir_buf_free(&lp->flush->body);
		free(lp->flush);
	}
	free(lp);
}

bool
lane_store_answers(struct weir_lane *lane)
{
	struct weir_store_request *request;
	bool any = false;
	while ((request = weir_store_next(lane->store)) != NULL) {
		one_answer(request);
		any = true;
	}
	return any;
}
