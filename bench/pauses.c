/*
 * Pauses: how long the core's longest round is when much happens at once, beside records of other cards.
 *
 *   boundary  a cycle ends over a fleet of which one in a hundred is suspended (CYC-4);
 *   pool      a pool of many members is cut off and brought back (POOL-7).
 *
 * A round is what a lane does for one partition: a batch of records folded, one bounded tick, what is told. Printed: the
 * longest and the median round while the work goes on, rounds until it was done, and commands offered. Rates of carriers'
 * APIs are the dispatcher's and not in here. Usage: weir_bench_pauses [cards] [members]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aggregators/partition.h"

#define BATCH 2048
#define TICK_SLOTS 2048
#define NOW 1774847296000000ll   /* 2026-03-30 05:08 UTC: a cycle of carrier cm ends on 2026-03-31 16:00 UTC */
#define AFTER 1775059201000000ll /* 2026-04-01 00:00:01 in Shanghai */
#define ROUNDS_MAX 200000

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

static struct weir_iccid
iccid_of(uint64_t card)
{
	char text[32];
	struct weir_iccid iccid;
	(void)snprintf(text, sizeof(text), "8986%016" PRIu64, card);
	WEIR_CHECK(weir_iccid_parse((const uint8_t *)text, 20, &iccid));
	return iccid;
}

static void
apply(struct weir_partition *p, const char *json)
{
	struct weir_reference ref;
	struct weir_error err;
	struct weir_slice slice = {(const uint8_t *)json, strlen(json)};
	struct weir_cause cause = {.arrived_us = NOW, .record_us = NOW};
	if (weir_reference_parse(slice, &ref, &err) != WEIR_OK)
		WEIR_CHECK(fprintf(stderr, "%s: %s\n", json, err.text) < 0);
	WEIR_CHECK(weir_partition_apply(p, &ref, slice, &cause, &err) == WEIR_OK);
}

static void
forget_effects(struct weir_partition *p)
{
	p->offers.n = 0;
	p->audit_count = 0;
	p->rejects.n = 0;
	p->tell_count = 0;
	p->tell_bytes.len = 0;
	p->intents_done.n = 0;
}

static struct weir_partition *
make(uint64_t cards, uint64_t members)
{
	struct weir_partition_opts opts = {.dedupe_horizon_h = 48,
	    .dedupe_fresh_h = 1,
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 65536,
	    .auto_register_carrier = "cm",
	    .partitions = 4,
	    .epoch = 1,
	    .slack_floor_bytes = 65536,
	    .pool_tick_ms = 1000};
	struct weir_partition *p = weir_partition_new(&opts);
	weir_partition_set_time(p, NOW, NOW);
	WEIR_CHECK(weir_partition_load_finish(p));
	apply(p, "{\"type\":\"plan\",\"id\":\"pool\",\"carrier\":\"cm\",\"kind\":\"accumulative\",\"allowance\":1000000}");
	struct weir_reference ref = {.type = WEIR_REF_CARD};
	ref.card.has_carrier = true;
	struct weir_cause cause = {.arrived_us = NOW, .record_us = NOW};
	struct weir_error err;
	for (uint64_t i = 0; i < cards; i++) {
		ref.card.iccid = iccid_of(i);
		bool member = i % (cards / members) == 0;
		bool limited = i % 100 == 1;
		(void)strcpy(ref.card.carrier, member ? "cm" : "ct"); /* ct enforces limits on cards outside pools */
		ref.card.has_pool = ref.card.has_plan = member;
		(void)strcpy(ref.card.pool, member ? "big" : "");
		(void)strcpy(ref.card.plan, member ? "pool" : "");
		ref.card.has_limit = limited;
		ref.card.limit_bytes = limited ? 100000000 : 0;
		WEIR_CHECK(weir_partition_apply(p, &ref, (struct weir_slice){0}, &cause, &err) == WEIR_OK);
		forget_effects(p);
	}
	return p;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

struct traffic {
	struct weir_record *batch;
	uint64_t cards, seed, count;
	uint32_t bytes;
};

/* Records of cards that nothing happens to: neither limited nor members. */
static void
fill_batch(struct traffic *t, int64_t at_us)
{
	memset(t->batch, 0, BATCH * sizeof(*t->batch));
	for (int i = 0; i < BATCH; i++) {
		uint64_t random = next_random(&t->seed);
		struct weir_record *r = &t->batch[i];
		r->iccid = iccid_of(random % (t->cards / 100) * 100 + 2);
		r->down = t->bytes;
		r->end_us = at_us;
		r->arrived_us = at_us;
		r->id_hash = ++t->count * 0x9e3779b97f4a7c15u;
	}
}

/* Rounds until the partition has nothing more to do; prints what they took. */
static void
run_rounds(const char *what, struct weir_partition *p, struct traffic *t, int64_t at_us, uint64_t changed_before)
{
	int64_t *took = weir_calloc(ROUNDS_MAX, sizeof(*took));
	uint32_t rounds = 0, offers = 0;
	int64_t sum = 0;
	for (bool more = true; more && rounds < ROUNDS_MAX; at_us += 1000) {
		fill_batch(t, at_us);
		int64_t start = now_ns();
		weir_partition_set_time(p, at_us, 0);
		weir_partition_fold(p, t->batch, BATCH);
		more = weir_partition_tick(p, TICK_SLOTS);
		weir_partition_tell(p);
		took[rounds] = now_ns() - start;
		offers += p->offers.n;
		forget_effects(p);
		sum += took[rounds++];
	}
	qsort(took, rounds, sizeof(*took), by_size);
	printf("%s: rounds=%u total_ms=%.1f longest_round_ms=%.2f median_round_ms=%.2f offers=%u decisions=%" PRIu64 "\n",
	    what, rounds, (double)sum / 1e6, (double)took[rounds - 1] / 1e6, (double)took[rounds / 2] / 1e6, offers,
	    p->stats.suspends + p->stats.resumes - changed_before);
	free(took);
}

static uint64_t
changes(const struct weir_partition *p)
{
	return p->stats.suspends + p->stats.resumes;
}

static void
exhaust_limits(struct weir_partition *p, struct traffic *t)
{
	memset(t->batch, 0, BATCH * sizeof(*t->batch));
	uint32_t n = 0;
	for (uint64_t i = 1; i < t->cards; i += 100) {
		struct weir_record *r = &t->batch[n++];
		r->iccid = iccid_of(i);
		r->down = 100000001;
		r->end_us = r->arrived_us = NOW;
		r->id_hash = ++t->count * 0x9e3779b97f4a7c15u;
		if (n == BATCH || i + 100 >= t->cards) {
			weir_partition_fold(p, t->batch, n);
			forget_effects(p);
			memset(t->batch, 0, BATCH * sizeof(*t->batch));
			n = 0;
		}
	}
}

static void
word(struct weir_partition *p, uint64_t members, uint64_t version, const char *reasons)
{
	char json[512];
	(void)snprintf(json, sizeof(json),
	    "{\"type\":\"pool_state\",\"pool\":\"big\",\"epoch\":1,\"version\":%" PRIu64
	    ",\"carrier\":\"cm\",\"plan\":\"pool\",\"kind\":\"accumulative\",\"cycle\":674,\"reasons\":[%s],\"slack\":"
	    "1000000,"
	    "\"limit\":100,\"used\":100,\"active\":%" PRIu64 "}",
	    version, reasons, members);
	apply(p, json);
}

int
main(int argc, char **argv)
{
	uint64_t cards = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
	uint64_t members = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
	struct traffic t = {.batch = weir_calloc(BATCH, sizeof(*t.batch)), .cards = cards, .seed = 1, .bytes = 1000};
	struct weir_partition *p = make(cards, members);
	printf("cards=%" PRIu64 " members=%" PRIu64 " suspended=%" PRIu64 " batch=%d tick_slots=%d seed=1\n", cards,
	    members, cards / 100, BATCH, TICK_SLOTS);
	word(p, members, 1, "");
	run_rounds("idle", p, &t, NOW, changes(p));
	uint64_t before = changes(p);
	word(p, members, 2, "\"pool_exhausted\"");
	run_rounds("pool_cut", p, &t, NOW + 1000000, before);
	before = changes(p);
	word(p, members, 3, "");
	run_rounds("pool_back", p, &t, NOW + 2000000, before);
	exhaust_limits(p, &t);
	before = changes(p);
	run_rounds("boundary", p, &t, AFTER, before);
	weir_partition_free(p);
	free(t.batch);
	return 0;
}
