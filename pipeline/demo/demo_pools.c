/* The demo's pools: which cards are in which, what they may use, and what they should do to their members; see
 * demo_fleet.h. */
#include <stdio.h>
#include <string.h>

#include "config/base/check.h"
#include "pipeline/demo/demo_fleet.h"

bool
weir_demo_pool_is(const struct weir_demo_pool *pool, const char *kind)
{
	return strcmp(weir_demo_plans[pool->plan].kind, kind) == 0;
}

/* Bought totals and thresholds last for three seconds to a minute; two metered pools in three are cut off at theirs. */
static void
amounts_set(struct weir_demo_pool *pool, uint32_t index, double card_records_per_s, struct weir_random *rng)
{
	double seconds = 3.0 + (double)weir_random_below(rng, 57);
	uint64_t bytes = (uint64_t)((double)pool->mean_bytes * card_records_per_s * seconds) + 1;
	pool->total = weir_demo_pool_is(pool, "fixed") ? bytes : 0;
	pool->threshold = weir_demo_pool_is(pool, "metered") ? bytes : 0;
	pool->suspends = index % 3 != 2;
}

/* The newest pool of a plan that has room, or a new one. */
static uint32_t
pool_for(struct weir_demo_fleet *fleet, const struct weir_demo_card *card)
{
	for (uint32_t i = fleet->pool_count; i > 0; i--)
		if (fleet->pools[i - 1].plan == card->plan && fleet->pools[i - 1].members < WEIR_DEMO_POOL_CARDS)
			return i - 1;
	fleet->pools = weir_realloc(fleet->pools, (fleet->pool_count + 1) * sizeof(*fleet->pools));
	struct weir_demo_pool *pool = &fleet->pools[fleet->pool_count];
	*pool = (struct weir_demo_pool){.carrier = card->carrier, .plan = card->plan};
	(void)snprintf(pool->id, sizeof(pool->id), "%s-%u", weir_demo_plans[card->plan].kind, fleet->pool_count + 1);
	return fleet->pool_count++;
}

void
weir_demo_pools_make(struct weir_demo_fleet *fleet, double card_records_per_s, struct weir_random *rng)
{
	for (uint32_t i = 0; i < fleet->count; i++) {
		struct weir_demo_card *card = &fleet->cards[i];
		if (weir_demo_plans[card->plan].single)
			continue;
		uint32_t pool = pool_for(fleet, card);
		fleet->pools[pool].members++;
		fleet->pools[pool].active += !card->deactivated;
		fleet->pools[pool].mean_bytes += card->mean_bytes;
		card->pool = (uint16_t)(pool + 1);
	}
	for (uint32_t i = 0; i < fleet->pool_count; i++)
		amounts_set(&fleet->pools[i], i, card_records_per_s, rng);
}

int32_t
weir_demo_pool_cycle(const struct weir_demo_fleet *fleet, const struct weir_demo_pool *pool, int64_t at_us)
{
	const struct weir_demo_carrier *carrier = &weir_demo_carriers[pool->carrier];
	return weir_demo_cycle_number(at_us, carrier->offset_s, fleet->cycle_days[pool->carrier], carrier->named_after_end);
}

struct weir_demo_cycle
weir_demo_pool_sums(const struct weir_demo_pool *pool, int32_t cycle)
{
	for (uint32_t i = 0; i < pool->cycle_count; i++)
		if (pool->cycles[i].number == cycle)
			return pool->cycles[i];
	return (struct weir_demo_cycle){.number = cycle};
}

uint64_t
weir_demo_pool_total(const struct weir_demo_pool *pool, int32_t cycle)
{
	uint64_t addon = pool->addon_cycle == cycle ? pool->addon_bytes : 0;
	if (weir_demo_pool_is(pool, "metered"))
		return WEIR_DEMO_NO_TOTAL;
	if (weir_demo_pool_is(pool, "fixed"))
		return pool->total + addon;
	return pool->active * weir_demo_plans[pool->plan].allowance + addon;
}

void
weir_demo_pool_reasons(const struct weir_demo_pool *pool, int32_t cycle, char out[WEIR_DEMO_POOL_REASONS_MAX])
{
	struct weir_demo_cycle sums = weir_demo_pool_sums(pool, cycle);
	uint64_t used = sums.up + sums.down, total = weir_demo_pool_total(pool, cycle);
	bool met = pool->threshold != 0 && pool->suspends && used >= pool->threshold;
	(void)snprintf(out, WEIR_DEMO_POOL_REASONS_MAX, "%s%s%s",
	    total != WEIR_DEMO_NO_TOTAL && used >= total ? ",pool_exhausted" : "", met ? ",pool_threshold" : "",
	    pool->frozen ? ",pool_frozen" : "");
}
