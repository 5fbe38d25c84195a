/* See core_case.h. */
#include "bench/core_case.h"

#include "bench/bench.h"
#include "bench/engine.h"
#include "bench/memory.h"
#include "bench/messages.h"

enum { FLUSH_RECORDS_MAX = 1000000, BYTES_A_CARD = 400, BYTES_A_RECORD = 40 };

const char *const core_part_names[CORE_PARTS] = {"decode", "fold", "round", "encode"};

uint64_t
core_case_bytes(const struct workload *w)
{
	return w->cards * BYTES_A_CARD + w->records * BYTES_A_RECORD;
}

/* Not inlined: instructions are counted within it (bench/instructions.py). */
static __attribute__((noinline)) void
segment_run(struct engine *e, struct messages *messages, uint64_t records)
{
	for (uint64_t left = records, flushed = 0; left > 0;) {
		uint64_t made = messages_next(messages, left);
		struct engine_batch batch;
		for (uint32_t i = 0; messages_batch(messages, i, &batch); i++)
			engine_round(e, &batch);
		left -= made;
		flushed += made;
		if (flushed >= FLUSH_RECORDS_MAX || left == 0) {
			engine_flush(e);
			flushed = 0;
		}
	}
}

static double
median_of(const double *samples)
{
	double sorted[CORE_SEGMENTS];
	for (uint32_t i = 0; i < CORE_SEGMENTS; i++) {
		uint32_t at = i;
		for (; at > 0 && sorted[at - 1] > samples[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = samples[i];
	}
	return (sorted[(CORE_SEGMENTS - 1) / 2] + sorted[CORE_SEGMENTS / 2]) / 2;
}

static void
measure_sizes(const struct engine *e, const struct workload *w, uint64_t seed, struct core_case *c)
{
	struct bench_stored stored = bench_store_figures(e->store);
	double records = (double)e->core->stats.records, cards = (double)w->cards;
	uint64_t dedupe_keys = weir_dedupe_keys_bytes(&e->core->tables.dedupe_keys), bytes = weir_partition_bytes(e->core);
	c->latency_ns = bench_memory_latency_ns(bytes, seed);
	c->card_bytes = (double)(bytes - dedupe_keys) / cards;
	c->dedupe_key_bytes = (double)dedupe_keys / records;
	c->flush_bytes = (double)e->flush_bytes / records;
	c->redis_card_bytes = (double)(stored.redis_bytes - stored.redis_dedupe_key_bytes) / cards;
	c->redis_dedupe_key_bytes = (double)stored.dedupe_key_bytes / records;
	c->hash = bench_hash_u64(bench_hash_u64(engine_hash(e), bytes), stored.redis_bytes);
}

void
core_case_run(const struct workload *w, uint64_t seed, struct core_case *c)
{
	struct engine *e = engine_new(w);
	struct messages *messages = messages_new(w, seed);
	uint64_t records = w->records / (CORE_SEGMENTS + 1) > 0 ? w->records / (CORE_SEGMENTS + 1) : 1;
	*c = (struct core_case){0};
	segment_run(e, messages, records);
	for (uint32_t i = 0; i < CORE_SEGMENTS; i++) {
		struct bench_memory held = bench_memory_hold(core_case_bytes(w));
		struct engine_times was = e->times;
		bench_memory_let_go(&held); /* tables that grow now take what was in use just before */
		segment_run(e, messages, records);
		const int64_t took[CORE_PARTS] = {e->times.decode - was.decode, e->times.fold - was.fold,
		    e->times.round - was.round, e->times.encode - was.encode};
		for (uint32_t k = 0; k < CORE_PARTS; k++)
			c->samples[k][i] = (double)took[k] / (double)records;
	}
	for (uint32_t k = 0; k < CORE_PARTS; k++) {
		c->ns[k] = median_of(c->samples[k]);
		c->sum_ns += c->ns[k];
	}
	measure_sizes(e, w, seed, c);
	messages_free(messages);
	engine_free(e);
}
