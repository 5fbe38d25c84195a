/* A lane's work on one partition; see engine.h. */
#include "bench/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "config/base/clock.h"

#define MESSAGE_MAX ((size_t)16 << 20)

static void
must(enum weir_class class, const char *json, const struct weir_error *err)
{
	if (class != WEIR_OK)
		(void)fprintf(stderr, "%s: %s\n", json, err->text);
	WEIR_CHECK(class == WEIR_OK);
}

/* A message of weir.cards; not terminated. */
static void
apply_json(struct engine *e, struct weir_slice json)
{
	struct weir_reference ref;
	struct weir_error err = {0};
	struct weir_cause cause = {.arrived_us = e->core->clock.now_us, .record_us = e->core->clock.now_us};
	enum weir_class class = weir_reference_parse(json, &ref, &err);
	must(class, (const char *)json.data, &err);
	must(weir_partition_apply(e->core, &ref, json, &cause, &err), (const char *)json.data, &err);
}

static void
on_definition(void *ctx, const char *key, const char *json)
{
	(void)key;
	apply_json(ctx, weir_slice_of(json));
}

static void
forget_effects(struct engine *e)
{
	struct weir_partition *p = e->core;
	e->pending_commands += p->effects.pending_commands.n;
	p->effects.pending_commands.n = 0;
	p->effects.audits.n = 0;
	p->effects.dead_letters.n = 0;
	p->unconfirmed.intents_done.n = 0;
}

/* Pools' own messages come back at once; all others (alerts, rows of feeds) are of no consequence. */
static void
drain_outbox(struct engine *e)
{
	struct weir_partition *p = e->core;
	struct weir_error err = {0};
	uint32_t count = p->effects.outbox.n;
	struct weir_outbox_message *outbox = weir_calloc(count + 1, sizeof(*outbox));
	memcpy(outbox, p->effects.outbox.v, count * sizeof(*outbox));
	e->outbox.len = 0;
	weir_buf_append(&e->outbox, p->effects.outbox.bytes.data, p->effects.outbox.bytes.len);
	p->effects.outbox.n = 0;
	p->effects.outbox.bytes.len = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct weir_slice value = {e->outbox.data + outbox[i].at + outbox[i].key_len, outbox[i].value_len};
		if (outbox[i].topic == WEIR_OUTBOX_USAGE_REPORTS) {
			must(weir_partition_apply_report(p, value, p->clock.now_us, &err), "a partial", &err);
			e->reports++;
		} else if (outbox[i].topic == WEIR_OUTBOX_CARDS) {
			apply_json(e, value);
			e->pool_states++;
		}
	}
	free(outbox);
}

static void
make_cards(struct engine *e, const struct workload *w)
{
	struct weir_reference ref = {.type = WEIR_REF_CARD};
	struct weir_cause cause = {.arrived_us = e->core->clock.now_us, .record_us = e->core->clock.now_us};
	struct weir_error err = {0};
	ref.card.has_carrier = ref.card.has_plan = true;
	memcpy(ref.card.carrier, "cm", 3);
	for (uint64_t card = 0; card < w->cards; card++) {
		uint64_t pool = workload_pool_of(w, card);
		ref.card.iccid = workload_iccid(card);
		ref.card.has_pool = pool != 0;
		(void)snprintf(ref.card.plan, sizeof(ref.card.plan), "%s", pool != 0 ? "shared" : "bench");
		(void)snprintf(ref.card.pool, sizeof(ref.card.pool), pool != 0 ? "pool-%" PRIu64 : "", pool);
		must(weir_partition_apply(e->core, &ref, (struct weir_slice){0}, &cause, &err), "a card", &err);
		if (card % ENGINE_BATCH == 0)
			forget_effects(e);
	}
	forget_effects(e);
}

struct engine *
engine_new(const struct workload *w)
{
	static const struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 65536,
	    .auto_register_carrier = "cm",
	    .partitions = 1,
	    .epoch = 1,
	    .unreported_floor_bytes = 65536,
	    .pool_tick_ms = 1000,
	    .guard_cards_min = 1000,
	    .guard_window_s = 600,
	    .card_hours_days = 7,
	    .pool_hours_days = 62};
	struct engine *e = weir_calloc(1, sizeof(*e));
	e->core = weir_partition_new(&opts);
	e->decoder = weir_decoder_new(NULL, MESSAGE_MAX);
	e->store = bench_store_new();
	weir_partition_set_time(e->core, (int64_t)w->start_us, (int64_t)w->start_us);
	WEIR_CHECK(weir_partition_load_finish(e->core));
	workload_definitions(w, on_definition, e);
	make_cards(e, w);
	weir_partition_caught_up(e->core, true, true);
	while (engine_tick(e))
		;
	engine_flush(e);
	weir_buf_free(&e->body); /* of all cards: later ones are small */
	e->times = (struct engine_times){0};
	e->flushes = e->flush_bytes = e->flush_commands = e->pending_commands = e->reports = e->pool_states = 0;
	return e;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	weir_partition_free(e->core);
	weir_decoder_free(e->decoder);
	weir_records_free(&e->records);
	weir_buf_free(&e->body);
	weir_buf_free(&e->outbox);
	bench_store_free(e->store);
	free(e);
}

/* What waits for the store is answered now, and folded again. */
static void
answer_fetches(struct engine *e)
{
	struct weir_partition *p = e->core;
	char key[WEIR_FETCH_KEY_MAX];
	uint32_t from, len;
	while (p->effects.fetch_requests.n > 0) {
		while (p->effects.fetch_requests.n > 0) {
			struct weir_fetch_request fetch = p->effects.fetch_requests.v[--p->effects.fetch_requests.n];
			weir_fetch_key(&fetch, key, &from, &len);
			WEIR_CHECK(weir_partition_fetched(p, &fetch, bench_store_get(e->store, key, from, len)));
		}
		if (weir_partition_parked(p) > 0)
			weir_partition_unpark(p);
	}
}

void
engine_fold(struct engine *e, const struct weir_record *records, uint32_t count, int64_t at_us)
{
	int64_t start = weir_clock_thread_ns();
	weir_partition_set_time(e->core, at_us, 0);
	weir_partition_fold(e->core, records, count);
	answer_fetches(e);
	e->times.fold += weir_clock_thread_ns() - start;
}

bool
engine_tick(struct engine *e)
{
	int64_t start = weir_clock_thread_ns();
	bool more = weir_partition_tick(e->core, ENGINE_TICK_SLOTS);
	weir_partition_publish(e->core);
	more |= e->core->effects.outbox.n > 0;
	if (e->core->effects.outbox.n > 0)
		drain_outbox(e);
	answer_fetches(e);
	forget_effects(e);
	e->times.round += weir_clock_thread_ns() - start;
	return more;
}

void
engine_round(struct engine *e, const struct engine_batch *batch)
{
	int64_t start = weir_clock_thread_ns();
	e->records.n = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		uint32_t from = e->records.n;
		(void)weir_decode(e->decoder, (struct weir_slice){0}, batch->messages[i], i, &e->records);
		for (uint32_t k = from; k < e->records.n; k++)
			e->records.v[k].arrived_us = batch->arrived_us[i];
	}
	e->times.decode += weir_clock_thread_ns() - start;
	engine_fold(e, e->records.v, e->records.n, batch->arrived_us[batch->count - 1]);
	(void)engine_tick(e);
}

void
engine_flush(struct engine *e)
{
	int64_t start = weir_clock_thread_ns();
	e->body.len = 0;
	struct weir_body body = {.bytes = &e->body, .prefix = "weir"};
	const struct weir_writer writer = weir_body_writer(&body);
	answer_fetches(e);
	WEIR_CHECK(weir_partition_parked(e->core) == 0);
	weir_partition_watermark(e->core, e->core->clock.stream_time_us);
	weir_partition_encode(e->core, &writer, ENGINE_SPARSE_SLOTS);
	e->times.encode += weir_clock_thread_ns() - start;
	bench_store_apply(e->store, (struct weir_slice){e->body.data, e->body.len});
	weir_partition_stored(e->core);
	e->flushes++;
	e->flush_bytes += e->body.len;
	e->flush_commands += body.commands;
	e->body_hash = bench_hash(e->body_hash, e->body.data, e->body.len);
}

uint64_t
engine_hash(const struct engine *e)
{
	const struct weir_partition *p = e->core;
	uint64_t hash = bench_hash(e->body_hash, &p->stats, sizeof(p->stats));
	for (uint32_t i = 0; i < p->tables.cards.used; i++)
		hash = bench_hash(hash, weir_slab_at(&p->tables.cards, i), p->tables.cards.slot_bytes);
	for (uint32_t i = 0; i < p->tables.pools.used; i++)
		hash = bench_hash(hash, weir_slab_at(&p->tables.pools, i), p->tables.pools.slot_bytes);
	return hash;
}
