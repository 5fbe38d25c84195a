/*
 * Tables alone: dedupe keys, and cards by ICCID, as the fold meets them: a block of 64 items whose places are prefetched
 * first (aggregators/fold/fold.c), at random over the whole table; and one by one, where each waits for memory.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregators/tables/dedupe_keys.h"
#include "aggregators/tables/slab.h"
#include "aggregators/tables/slots.h"
#include "bench/memory.h"
#include "bench/micro.h"
#include "bench/workload.h"
#include "config/base/clock.h"

enum { BLOCK = 64, SHARED_BYTES_A_CARD = 90, BYTES_A_DEDUPE_KEY = 24 };

struct cards {
	struct weir_shards index;
	struct weir_slab slab;
	uint64_t count;
};

static void
name_of(char out[48], const char *what, uint64_t count, const char *how)
{
	(void)snprintf(out, 48, "%s.%" PRIu64 "%s.%s", what, count / (count >= 1000000 ? 1000000 : 1000),
	    count >= 1000000 ? "m" : "k", how);
}

/* ---- cards ---- */

static void
cards_fill(struct cards *cards)
{
	weir_slab_init(&cards->slab, sizeof(struct weir_card_slot));
	for (uint64_t i = 0; i < cards->count; i++) {
		struct weir_iccid iccid = workload_iccid(i);
		uint64_t hash = weir_iccid_hash(iccid);
		uint32_t slot = weir_slab_new(&cards->slab);
		((struct weir_card_slot *)weir_slab_at(&cards->slab, slot))->iccid = iccid;
		weir_shard_insert(weir_shards_of(&cards->index, hash), weir_index_entry(hash, slot));
		if (i % 65536 == 0)
			weir_slab_clean(&cards->slab);
	}
	weir_slab_clean(&cards->slab);
}

/* Where the walk for an ICCID ends: its slot's number. */
static uint32_t
cards_find(struct cards *cards, struct weir_iccid iccid, uint64_t hash)
{
	struct weir_shard *shard = weir_shards_of(&cards->index, hash);
	uint32_t pos = weir_shard_home(shard, hash), slot;
	while (weir_index_candidate(shard, hash, &pos, &slot)) {
		const struct weir_card_slot *card = weir_slab_at(&cards->slab, slot);
		if (weir_iccid_equal(card->iccid, iccid))
			return slot;
	}
	return WEIR_SLAB_NONE;
}

static uint64_t
block_find(struct cards *cards, const struct weir_iccid *iccids)
{
	uint64_t hash[BLOCK], sum = 0;
	uint32_t slot;
	for (uint32_t i = 0; i < BLOCK; i++) {
		hash[i] = weir_iccid_hash(iccids[i]);
		weir_shard_prefetch(weir_shards_of(&cards->index, hash[i]), hash[i]);
	}
	for (uint32_t i = 0; i < BLOCK; i++) {
		struct weir_shard *shard = weir_shards_of(&cards->index, hash[i]);
		uint32_t pos = weir_shard_home(shard, hash[i]);
		if (weir_index_candidate(shard, hash[i], &pos, &slot))
			__builtin_prefetch(weir_slab_at(&cards->slab, slot), 1, 3);
	}
	for (uint32_t i = 0; i < BLOCK; i++)
		sum += cards_find(cards, iccids[i], hash[i]);
	return sum;
}

/* The next ICCID hangs on the last answer, so that nothing can run ahead. */
static uint64_t
single_find(struct cards *cards, struct weir_random *random, uint32_t times)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < times; i++) {
		struct weir_iccid iccid = workload_iccid((weir_random_next(random) + (sum & 1)) % cards->count);
		sum += cards_find(cards, iccid, weir_iccid_hash(iccid));
	}
	return sum;
}

static void
cards_measure(struct micro *micro, struct cards *cards)
{
	const uint32_t items = micro->quick ? 6400 : 256000;
	double latency = bench_memory_latency_ns(
	    (uint64_t)cards->slab.chunk_count * WEIR_SLAB_CHUNK_BYTES + weir_shards_bytes(&cards->index), micro->seed);
	double block[MICRO_ROUNDS], single[MICRO_ROUNDS];
	struct weir_random random = {micro->seed};
	uint64_t sum = 0, sum_single = 0;
	struct weir_iccid *iccids = weir_calloc(items, sizeof(*iccids));
	for (uint32_t round = 0; round < MICRO_ROUNDS; round++) {
		for (uint32_t i = 0; i < items; i++)
			iccids[i] = workload_iccid(weir_random_next(&random) % cards->count);
		int64_t start = weir_clock_thread_ns();
		for (uint32_t i = 0; i < items; i += BLOCK)
			sum += block_find(cards, iccids + i);
		block[round] = (double)(weir_clock_thread_ns() - start) / items;
		start = weir_clock_thread_ns();
		sum_single += single_find(cards, &random, items / 16);
		single[round] = (double)(weir_clock_thread_ns() - start) / (items / 16.0);
	}
	char name[48];
	name_of(name, "cards", cards->count, "block");
	micro_put(micro, name, block, MICRO_ROUNDS, 0, latency, sum);
	name_of(name, "cards", cards->count, "single");
	micro_put(micro, name, single, MICRO_ROUNDS, 0, latency, sum_single);
	free(iccids);
}

static void
cards_run(struct micro *micro, uint64_t count)
{
	char name[48];
	name_of(name, "cards", count, "block");
	if (!micro_wanted(micro, name))
		return;
	if (micro_too_large(micro, name, count * SHARED_BYTES_A_CARD))
		return;
	struct cards cards = {.count = count};
	cards_fill(&cards);
	cards_measure(micro, &cards);
	weir_slab_free(&cards.slab);
	weir_shards_free(&cards.index);
}

/* ---- dedupe keys ---- */

static uint64_t
dedupe_keys_add(
    struct weir_dedupe_keys *dedupe_keys, struct weir_dedupe_keys_hour *hour, const uint64_t *hashes, uint32_t count)
{
	uint64_t fresh = 0;
	for (uint32_t at = 0; at < count; at += BLOCK) {
		for (uint32_t i = at; i < at + BLOCK; i++)
			weir_shard_prefetch(weir_shards_of(&hour->shards, hashes[i]), hashes[i]);
		for (uint32_t i = at; i < at + BLOCK; i++)
			fresh += weir_dedupe_keys_hour_add(dedupe_keys, hour, hashes[i]);
	}
	return fresh;
}

static void
dedupe_keys_measure(
    struct micro *micro, struct weir_dedupe_keys *dedupe_keys, struct weir_dedupe_keys_hour *hour, uint64_t count)
{
	const uint32_t items = micro->quick ? 6400 : 64000;
	double fresh[MICRO_ROUNDS], seen[MICRO_ROUNDS];
	double latency = bench_memory_latency_ns(weir_dedupe_keys_bytes(dedupe_keys), micro->seed);
	uint64_t *hashes = weir_calloc(items, sizeof(*hashes)), news = 0, olds = 0;
	struct weir_random random = {micro->seed + 1};
	for (uint32_t round = 0; round < MICRO_ROUNDS; round++) {
		for (uint32_t i = 0; i < items; i++)
			hashes[i] = weir_random_next(&random) | 1;
		int64_t start = weir_clock_thread_ns();
		news += dedupe_keys_add(dedupe_keys, hour, hashes, items);
		fresh[round] = (double)(weir_clock_thread_ns() - start) / items;
		start = weir_clock_thread_ns();
		olds += dedupe_keys_add(dedupe_keys, hour, hashes, items);
		seen[round] = (double)(weir_clock_thread_ns() - start) / items;
	}
	char name[48];
	name_of(name, "marks", count, "new");
	micro_put(micro, name, fresh, MICRO_ROUNDS, 0, latency, news);
	name_of(name, "marks", count, "repeated");
	micro_put(micro, name, seen, MICRO_ROUNDS, 0, latency, olds);
	free(hashes);
}

static void
dedupe_keys_run(struct micro *micro, uint64_t count)
{
	char name[48];
	name_of(name, "marks", count, "new");
	if (!micro_wanted(micro, name))
		return;
	if (micro_too_large(micro, name, count * BYTES_A_DEDUPE_KEY))
		return;
	struct weir_dedupe_keys dedupe_keys;
	weir_dedupe_keys_init(&dedupe_keys);
	dedupe_keys.fresh_from = 0;
	struct weir_dedupe_keys_hour *hour = weir_dedupe_keys_hour_find(&dedupe_keys, 1);
	struct weir_random random = {micro->seed};
	WEIR_CHECK(hour != NULL);
	for (uint64_t i = 0; i < count; i++) {
		(void)weir_dedupe_keys_hour_add(&dedupe_keys, hour, weir_random_next(&random) | 1);
		hour->pending.n = 0;
	}
	dedupe_keys_measure(micro, &dedupe_keys, hour, count);
	weir_dedupe_keys_free(&dedupe_keys);
}

void
micro_tables(struct micro *micro)
{
	static const uint64_t sizes[] = {1000000, 10000000, 100000000}, dedupe_key_sizes[] = {1000000, 10000000};
	if (micro->quick) {
		dedupe_keys_run(micro, 10000);
		cards_run(micro, 10000);
		return;
	}
	for (size_t i = 0; i < sizeof(dedupe_key_sizes) / sizeof(dedupe_key_sizes[0]); i++)
		dedupe_keys_run(micro, dedupe_key_sizes[i]);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		cards_run(micro, sizes[i]);
}
