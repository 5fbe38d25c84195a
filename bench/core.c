/*
 * Core benchmark: the real fold on one thread, without Kafka and Redis. Prints configuration, seed, nanoseconds per record,
 * bytes per card and mark, the cost of encoding a flush, and a hash of the result, so that runs can be compared. Usage:
 * weir_bench_core [cards] [records] [id|seq] [hours]
 *
 * The records are spread over that many hours (0: all in a few minutes of one), a card's in order: each hour of a card
 * costs a base (docs/rollups.md).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregators/partition.h"

static int64_t
now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

#define NOW 1774847296000000ll
#define BATCH 2048

static struct weir_iccid
iccid_of(uint64_t card)
{
	char text[32];
	struct weir_iccid iccid;
	(void)snprintf(text, sizeof(text), "8986%016" PRIu64, card);
	WEIR_CHECK(weir_iccid_parse((const uint8_t *)text, 20, &iccid));
	return iccid;
}

static struct weir_partition *
make(uint64_t cards)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 65536,
	    .auto_register_carrier = "cm"};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, NOW, NOW);
	WEIR_CHECK(weir_partition_load_finish(p));
	struct weir_reference ref = {.type = WEIR_REF_CARD};
	ref.card.has_carrier = true;
	memcpy(ref.card.carrier, "cm", 3);
	struct weir_cause cause = {0};
	struct weir_error err;
	for (uint64_t i = 0; i < cards; i++) {
		ref.card.iccid = iccid_of(i);
		WEIR_CHECK(weir_partition_apply(p, &ref, (struct weir_slice){0}, &cause, &err) == WEIR_OK);
	}
	return p;
}

struct sink {
	uint8_t *scratch;
	uint64_t bytes, calls;
};

static void
on_page(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len)
{
	(void)slab;
	(void)page;
	struct sink *sink = ctx;
	memcpy(sink->scratch, data, len);
	sink->bytes += len;
	sink->calls++;
}
static void
on_range(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)offset;
	on_page(ctx, slab, page, data, len);
}
static void
on_past(void *ctx, char letter, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len)
{
	(void)cycle;
	(void)offset;
	on_page(ctx, letter, page, data, len);
}
static uint8_t *
on_marks(void *ctx, int64_t hour, uint32_t bucket, uint32_t len)
{
	(void)hour;
	(void)bucket;
	struct sink *sink = ctx;
	sink->bytes += len;
	sink->calls++;
	return sink->scratch;
}
static uint8_t *
on_directory(void *ctx, uint32_t bucket, uint32_t len)
{
	return on_marks(ctx, 0, bucket, len);
}
static void
on_name(void *ctx, struct weir_slice name)
{
	(void)ctx;
	(void)name;
}
static void
on_reference(void *ctx, struct weir_slice field, struct weir_slice json)
{
	(void)ctx;
	(void)field;
	(void)json;
}
static void
on_intent(void *ctx, const struct weir_doubt *intent)
{
	(void)ctx;
	(void)intent;
}

static uint8_t *
on_window(void *ctx, unsigned kind, int32_t window, uint32_t page, uint32_t len)
{
	(void)kind;
	(void)window;
	return on_marks(ctx, 0, page, len);
}

static void
fill_batch(struct weir_record *batch, const struct weir_iccid *iccids, uint64_t cards, uint64_t *seed, uint64_t first,
    int64_t at_us, bool by_seq, uint64_t *sequence)
{
	memset(batch, 0, BATCH * sizeof(*batch));
	for (int i = 0; i < BATCH; i++) {
		uint64_t random = next_random(seed), card = random % cards;
		struct weir_record *r = &batch[i];
		r->iccid = iccids[card];
		r->up = random >> 48;
		r->down = random >> 40 & 0xffff;
		r->end_us = at_us == NOW ? NOW - (int64_t)(random >> 32 & 0xff) * 1000000 : at_us;
		r->arrived_us = at_us;
		if (by_seq) {
			r->session_hash = (card + 1) * 0x9e3779b97f4a7c15u;
			r->seq = ++sequence[card];
			r->flags = WEIR_RECORD_HAS_SEQ;
		} else {
			r->id_hash = (first + (uint64_t)i + 1) * 0x9e3779b97f4a7c15u;
		}
	}
}

int
main(int argc, char **argv)
{
	uint64_t cards = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	uint64_t records = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
	bool by_seq = argc > 3 && strcmp(argv[3], "seq") == 0;
	int64_t span_us = argc > 4 ? (int64_t)strtoull(argv[4], NULL, 10) * 3600 * 1000000 : 0;
	uint64_t seed = 1, hash = 0;
	int64_t fold_ns = 0, encode_ns = 0;
	struct weir_partition *p = make(cards);
	struct weir_iccid *iccids = weir_calloc(cards, sizeof(*iccids));
	uint64_t *sequence = weir_calloc(cards, sizeof(*sequence));
	for (uint64_t i = 0; i < cards; i++)
		iccids[i] = iccid_of(i);
	struct weir_record *batch = weir_calloc(BATCH, sizeof(*batch));
	struct sink sink = {.scratch = weir_calloc(1, 64u << 20)};
	const struct weir_writer writer = {
	    &sink, on_page, on_range, on_past, on_marks, on_directory, on_name, on_reference, on_intent, on_window};
	weir_partition_encode(p, &writer, 12);
	sink.bytes = sink.calls = 0;
	uint64_t flushes = 0;
	for (uint64_t done = 0; done < records; done += BATCH) {
		int64_t at_us = NOW + (int64_t)((double)done / (double)records * (double)span_us);
		fill_batch(batch, iccids, cards, &seed, done, at_us, by_seq, sequence);
		weir_partition_set_time(p, at_us, at_us);
		int64_t start = now_ns();
		weir_partition_fold(p, batch, BATCH);
		fold_ns += now_ns() - start;
		if (done / BATCH % 512 != 511)
			continue;
		start = now_ns();
		weir_partition_encode(p, &writer, 12);
		encode_ns += now_ns() - start;
		flushes++;
	}
	for (uint32_t i = 0; i < p->cards.used; i++) {
		const struct weir_card_slot *card = weir_slab_at(&p->cards, i);
		hash = (hash ^ card->up ^ card->down << 1 ^ card->records) * 0x100000001b3u;
	}
	printf("cards=%" PRIu64 " records=%" PRIu64 " identity=%s seed=1 hash=%016" PRIx64 "\n", cards, records,
	    by_seq ? "seq" : "id", hash);
	printf("fold_ns_per_record=%.1f encode_ns_per_record=%.1f flush_bytes_per_record=%.1f flushes=%" PRIu64 "\n",
	    (double)fold_ns / (double)records, (double)encode_ns / (double)records, (double)sink.bytes / (double)records,
	    flushes);
	uint64_t marks = weir_marks_bytes(&p->marks);
	printf("memory_bytes_per_card=%.1f marks_bytes_per_record=%.1f counted=%" PRIu64 "\n",
	    (double)(weir_partition_bytes(p) - marks) / (double)cards, (double)marks / (double)records, p->stats.counted);
	weir_partition_free(p);
	free(iccids);
	free(sequence);
	free(batch);
	free(sink.scratch);
	return 0;
}
