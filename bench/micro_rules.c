/*
 * Rules alone, as far as they can be taken apart: records of cards that are below and above their limit (what is between
 * them is the evaluator), pool usage reports, and the encoding of flushes with few and with all slots of a page
 * changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/engine.h"
#include "bench/micro.h"

#define START_US 1774847296000000ll /* 2026-03-30 05:08 UTC */

static struct workload
make_fleet(uint64_t cards, uint64_t allowance)
{
	struct workload w = {.version = 1,
	    .cards = cards,
	    .records = 1,
	    .batch = 1,
	    .format = WORKLOAD_PACKED,
	    .identity = WORKLOAD_BY_SEQUENCE,
	    .interval_ms = 300000,
	    .start_us = (uint64_t)START_US,
	    .volume_max = 1000,
	    .allowance = allowance};
	return w;
}

static void
fill(const struct workload *w, struct workload_generator *generator, struct weir_record *records, uint32_t count)
{
	struct workload_record record;
	for (uint32_t i = 0; i < count; i++) {
		workload_next(generator, &record);
		workload_decoded(w, &record, &records[i]);
		records[i].arrived_us = START_US;
		records[i].end_us = START_US - 1000000;
	}
}

/* ---- evaluator ---- */

/* A fleet whose cards are all above their limit, or all far below it: each record of the former is evaluated. */
static void
evaluate_run(struct micro *micro, const char *name, uint64_t allowance)
{
	if (!micro_wanted(micro, name))
		return;
	const uint32_t cards = 20000, items = micro->quick ? 8192 : 131072;
	struct workload w = make_fleet(cards, allowance);
	struct engine *e = engine_new(&w);
	struct workload_generator *generator = workload_generator_new(&w, micro->seed);
	struct weir_record *records = weir_calloc(items, sizeof(*records));
	double ns[MICRO_ROUNDS];
	for (uint32_t round = 0; round <= MICRO_ROUNDS; round++) { /* the first one makes sessions, and decides */
		fill(&w, generator, records, items);
		int64_t before = e->times.fold;
		for (uint32_t at = 0; at < items; at += ENGINE_BATCH)
			engine_fold(e, records + at, ENGINE_BATCH, START_US);
		if (round > 0)
			ns[round - 1] = (double)(e->times.fold - before) / items;
		(void)engine_tick(e);
		engine_flush(e);
	}
	micro_put(micro, name, ns, MICRO_ROUNDS, 0, 0, engine_hash(e));
	free(records);
	workload_generator_free(generator);
	engine_free(e);
}

/* ---- encoding ---- */

/* One record for every `stride`-th card, then a flush: bytes and time of what that changed. */
static void
encode_run(struct micro *micro, const char *name, uint32_t stride)
{
	if (!micro_wanted(micro, name))
		return;
	const uint32_t cards = micro->quick ? 12800 : 256000, slots = cards / stride;
	struct workload w = make_fleet(cards, 0);
	struct engine *e = engine_new(&w);
	struct weir_record *records = weir_calloc(slots, sizeof(*records));
	double ns[MICRO_ROUNDS], bytes = 0;
	for (uint32_t round = 0; round <= MICRO_ROUNDS; round++) { /* the first one writes the sessions' index */
		for (uint32_t i = 0; i < slots; i++) {
			struct workload_record record = {.card = (uint64_t)i * stride,
			    .sequence = round + 1,
			    .up = 1,
			    .end_us = START_US - 1000000,
			    .arrived_us = START_US};
			workload_decoded(&w, &record, &records[i]);
		}
		engine_fold(e, records, slots, START_US);
		(void)engine_tick(e);
		struct engine before = *e;
		engine_flush(e);
		if (round > 0)
			ns[round - 1] = (double)(e->times.encode - before.times.encode) / slots;
		bytes = (double)(e->flush_bytes - before.flush_bytes) / slots;
	}
	micro_put(micro, name, ns, MICRO_ROUNDS, bytes, 0, engine_hash(e));
	free(records);
	engine_free(e);
}

/* ---- pools ---- */

/*
 * Usage reports as they come: each pool local reports in turn that its usage grew. They are made by folding a record of a
 * member of each pool. What is timed is publishing and applying them, with the pools' sums and their evaluation.
 */
static void
reports_run(struct micro *micro, const char *name, uint32_t pools)
{
	if (!micro_wanted(micro, name))
		return;
	struct workload w = make_fleet((uint64_t)pools * 4, UINT64_C(1) << 40);
	w.pools = pools;
	w.pool_cards_ppm = 1000000;
	struct engine *e = engine_new(&w);
	struct weir_record *records = weir_calloc(pools, sizeof(*records));
	double ns[MICRO_ROUNDS];
	for (uint32_t round = 0; round <= MICRO_ROUNDS; round++) {
		int64_t at_us = START_US + (round + 1) * 2000000ll; /* past the tick */
		for (uint32_t i = 0; i < pools; i++) {
			struct workload_record record = {
			    .card = i, .sequence = round + 1, .up = 1000, .end_us = at_us - 1000000, .arrived_us = at_us};
			workload_decoded(&w, &record, &records[i]);
		}
		engine_fold(e, records, pools, at_us);
		uint64_t before = e->reports;
		int64_t start = e->times.round;
		while (engine_tick(e))
			;
		if (round > 0)
			ns[round - 1] = (double)(e->times.round - start) / (double)(e->reports - before);
		engine_flush(e);
	}
	micro_put(micro, name, ns, MICRO_ROUNDS, 0, 0, engine_hash(e));
	free(records);
	engine_free(e);
}

void
micro_rules(struct micro *micro)
{
	evaluate_run(micro, "fold.below_limit", 0);
	evaluate_run(micro, "fold.above_limit", 1);
	reports_run(micro, "pools.partial.1k", 1000);
	if (!micro->quick)
		reports_run(micro, "pools.partial.100k", 100000);
	encode_run(micro, "encode.all_slots", 1);
	encode_run(micro, "encode.one_slot_in_16", 16);
}
