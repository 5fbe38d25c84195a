/*
 * Records of a workload, one after the other; see workload.h.
 *
 * All integers but the Zipf distribution, which is drawn by rejection-inversion (Hoermann and Derflinger, 1996) in double
 * precision: constant time and no table for any number of cards. A table of aliases was rejected: 12 bytes a card and cache
 * misses that the measured code should have. Ranks are spread over the numbers of cards by a multiplication, so that busy
 * cards are not neighbours.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/workload.h"

#define PPM 1000000u
#define RECENT 8192u       /* records that a duplicate may repeat */
#define SPREAD 2654435761u /* prime */
#define END_WITHIN_MS 60000u

struct workload_generator {
	struct workload w;
	struct weir_random random;
	uint64_t made; /* records that were not duplicates */
	uint64_t step_ps, elapsed_ps;
	uint64_t surge_step_ps;
	uint64_t offset; /* of the spread */
	double zipf_s, zipf_first, zipf_last, zipf_cut;
	uint32_t *sequence;
	struct workload_record recent[RECENT];
};

/* The integral of x^-s, shifted so that it serves s = 1 as well, and its inverse. */
static double
zipf_integral(double s, double x)
{
	double log_x = log(x), y = (1 - s) * log_x;
	return fabs(y) > 1e-8 ? expm1(y) / y * log_x : log_x * (1 + y / 2);
}

static double
zipf_inverse(double s, double x)
{
	double y = x * (1 - s);
	return exp(fabs(y) > 1e-8 ? log1p(y < -1 ? -1 : y) / y * x : x * (1 - y / 2));
}

/* A rank from 0, of which lower ones are more frequent. */
static uint64_t
zipf_rank(struct workload_generator *g)
{
	double s = g->zipf_s, cards = (double)g->w.cards;
	for (;;) {
		double u = g->zipf_last + weir_random_unit(weir_random_next(&g->random)) * (g->zipf_first - g->zipf_last);
		double x = zipf_inverse(s, u), k = floor(x + 0.5);
		k = k < 1 ? 1 : k > cards ? cards : k;
		if (k - x <= g->zipf_cut || u >= zipf_integral(s, k + 0.5) - exp(-s * log(k)))
			return (uint64_t)k - 1;
	}
}

struct workload_generator *
workload_generator_new(const struct workload *w, uint64_t seed)
{
	struct workload_generator *g = weir_calloc(1, sizeof(*g));
	double s = (double)w->skew_ppm / PPM;
	g->w = *w;
	g->random.state = bench_hash_u64(seed, w->version);
	g->offset = weir_random_next(&g->random) % w->cards;
	g->step_ps = w->interval_ms * 1000000000u / w->cards;
	if (w->surge_ppm > 0)
		g->surge_step_ps = (uint64_t)((double)g->step_ps * PPM / (double)w->surge_ppm);
	g->zipf_s = s;
	g->zipf_first = zipf_integral(s, 1.5) - 1;
	g->zipf_last = zipf_integral(s, (double)w->cards + 0.5);
	g->zipf_cut = 2 - zipf_inverse(s, zipf_integral(s, 2.5) - exp(-s * log(2)));
	g->sequence = weir_calloc(w->cards, sizeof(*g->sequence));
	return g;
}

void
workload_generator_free(struct workload_generator *g)
{
	if (g == NULL)
		return;
	free(g->sequence);
	free(g);
}

static int64_t
arrival(struct workload_generator *g)
{
	int64_t at_us = (int64_t)(g->w.start_us + g->elapsed_ps / 1000000);
	bool surge = g->w.surge_ppm > 0 && at_us >= (int64_t)g->w.surge_at_us &&
		     at_us < (int64_t)(g->w.surge_at_us + g->w.surge_ms * 1000);
	g->elapsed_ps += surge ? g->surge_step_ps : g->step_ps;
	return at_us;
}

static uint64_t
below(struct workload_generator *g, uint64_t bound)
{
	return weir_random_below(&g->random, bound);
}

static void
make(struct workload_generator *g, int64_t arrived_us, struct workload_record *r)
{
	const struct workload *w = &g->w;
	uint64_t rank = w->skew_ppm > 0 ? zipf_rank(g) : below(g, w->cards);
	uint64_t shift = weir_random_next(&g->random) % 8, total = below(g, w->volume_max + 1) >> shift;
	uint64_t back_ms = below(g, END_WITHIN_MS);
	if (w->late_ppm > 0 && below(g, PPM) < w->late_ppm)
		back_ms += below(g, w->late_ms + 1);
	int64_t arrived_ms = arrived_us / 1000;
	*r = (struct workload_record){.n = g->made++,
	    .card = w->skew_ppm > 0 ? (rank * SPREAD + g->offset) % w->cards : rank,
	    .up = total / 8,
	    .down = total - total / 8,
	    .end_us = (arrived_ms > (int64_t)back_ms ? arrived_ms - (int64_t)back_ms : 1) * 1000,
	    .arrived_us = arrived_us};
	r->sequence = ++g->sequence[r->card];
}

void
workload_next(struct workload_generator *g, struct workload_record *out)
{
	int64_t arrived_us = arrival(g);
	if (g->w.duplicates_ppm > 0 && g->made > 0 && below(g, PPM) < g->w.duplicates_ppm) {
		*out = g->recent[below(g, g->made < RECENT ? g->made : RECENT)];
		out->arrived_us = arrived_us;
		out->duplicate = true;
		return;
	}
	make(g, arrived_us, out);
	if (g->w.duplicates_ppm > 0)
		g->recent[out->n % RECENT] = *out;
}

/* ---- cards and pools ---- */

void
workload_iccid_text(uint64_t card, char out[WEIR_ICCID_TEXT_MAX])
{
	memcpy(out, "89860000000000000000", WEIR_ICCID_TEXT_MAX);
	for (char *at = out + 19; card > 0; card /= 10)
		*at-- = (char)('0' + card % 10);
}

struct weir_iccid
workload_iccid(uint64_t card)
{
	char text[WEIR_ICCID_TEXT_MAX];
	struct weir_iccid iccid;
	workload_iccid_text(card, text);
	WEIR_CHECK(weir_iccid_parse((const uint8_t *)text, WEIR_ICCID_TEXT_MAX - 1, &iccid));
	return iccid;
}

/* How many of the first n are taken when a share is taken evenly. */
static uint64_t
taken(uint64_t n, uint64_t ppm)
{
	return n / PPM * ppm + n % PPM * ppm / PPM;
}

uint64_t
workload_pool_of(const struct workload *w, uint64_t card)
{
	uint64_t rank = taken(card, w->pool_cards_ppm);
	if (w->pools == 0 || taken(card + 1, w->pool_cards_ppm) == rank)
		return 0;
	if (w->pools == 1 || w->pool_largest_ppm == 0)
		return 1 + rank % w->pools;
	uint64_t first = taken(rank, w->pool_largest_ppm);
	if (taken(rank + 1, w->pool_largest_ppm) > first)
		return 1;
	return 2 + (rank - first) % (w->pools - 1);
}

uint64_t
workload_pool_size(const struct workload *w, uint64_t pool)
{
	uint64_t members = taken(w->cards, w->pool_cards_ppm);
	if (pool == 0 || pool > w->pools)
		return 0;
	if (w->pools == 1 || w->pool_largest_ppm == 0)
		return members / w->pools + (pool - 1 < members % w->pools);
	uint64_t first = taken(members, w->pool_largest_ppm), rest = members - first;
	return pool == 1 ? first : rest / (w->pools - 1) + (pool - 2 < rest % (w->pools - 1));
}
