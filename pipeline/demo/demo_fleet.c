/* The demo's cards and the sums kept for them; see demo_fleet.h. */
#include "pipeline/demo/demo_fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

#define MIB UINT64_C(1048576)

int32_t
weir_demo_card_cycle(const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, int64_t at_us)
{
	const struct weir_demo_carrier *carrier = &weir_demo_carriers[card->carrier];
	return weir_demo_cycle_number(at_us, carrier->offset_s, fleet->cycle_days[card->carrier], carrier->named_after_end);
}

/* A threshold that a card may cross, or WEIR_DEMO_NO_LIMIT. */
static uint64_t
limit_of(const struct weir_demo_card *card)
{
	return card->limit != WEIR_DEMO_NO_LIMIT ? card->limit : weir_demo_plans[card->plan].limit;
}

static uint64_t
first_threshold(const struct weir_demo_card *card)
{
	const struct weir_demo_plan *plan = &weir_demo_plans[card->plan];
	uint64_t limit = limit_of(card);
	return plan->single && plan->allowance < limit ? plan->allowance : limit;
}

/*
 * Most cards use little. One in ten is heavy: it crosses its first threshold after two seconds to a minute and a half of
 * its share of the traffic.
 */
static uint64_t
mean_of(const struct weir_demo_card *card, double records_per_s, struct weir_random *rng)
{
	uint64_t threshold = first_threshold(card);
	if (threshold == WEIR_DEMO_NO_LIMIT || weir_random_below(rng, 10) != 0)
		return 500 + weir_random_below(rng, 4000);
	double seconds = 2.0;
	for (uint64_t doublings = weir_random_below(rng, 6); doublings > 0; doublings--)
		seconds *= 2.0;
	seconds *= 1.0 + (double)weir_random_below(rng, 1000) / 1000.0;
	uint64_t mean = (uint64_t)((double)threshold / (seconds * records_per_s));
	return mean > 2 ? mean : 2;
}

/* ICCIDs of 20 characters; every seventh carries a letter, as real ones do. */
static void
iccid_write(struct weir_demo_card *card, uint32_t index)
{
	static const char *const issuers[] = {"898600", "898601", "898603", "898699", "898830"};
	(void)snprintf(card->iccid, sizeof(card->iccid), "%s%014" PRIu32, issuers[card->carrier], index);
	if (index % 7 == 0)
		card->iccid[WEIR_DEMO_ICCID_LEN - 8] = (char)('A' + index % 26);
}

static uint8_t
style_of(const struct weir_demo_card *card, uint32_t index)
{
	static const uint8_t overseas[] = {WEIR_DEMO_KORE, WEIR_DEMO_EMNIFY};
	static const uint8_t home[] = {
	    WEIR_DEMO_CANONICAL_ID, WEIR_DEMO_CANONICAL_SEQ, WEIR_DEMO_CANONICAL_ID, WEIR_DEMO_CANONICAL_TOTALS};
	return weir_demo_carriers[card->carrier].offset_s == 0 ? overseas[index / weir_demo_plan_count % 2]
							       : home[index / weir_demo_plan_count % 4];
}

static void
card_fill(struct weir_demo_card *card, uint32_t index, double records_per_s, struct weir_random *rng)
{
	card->plan = (uint8_t)(index % weir_demo_plan_count);
	card->carrier = (uint8_t)weir_demo_plans[card->plan].carrier;
	card->style = style_of(card, index);
	iccid_write(card, index);
	card->limit = weir_random_below(rng, 8) == 0 ? (5 + weir_random_below(rng, 40)) * MIB : WEIR_DEMO_NO_LIMIT;
	card->deactivated = index % 50 == 49;
	card->mean_bytes = mean_of(card, records_per_s, rng);
}

struct weir_demo_fleet *
weir_demo_fleet_new(uint32_t cards, uint32_t rate, struct weir_random *rng, int64_t now_us)
{
	struct weir_demo_fleet *fleet = weir_calloc(1, sizeof(*fleet));
	fleet->cards = weir_calloc(cards, sizeof(*fleet->cards));
	fleet->count = cards;
	for (uint32_t i = 0; i < weir_demo_carrier_count; i++) {
		int today = weir_demo_day_of_month(now_us, weir_demo_carriers[i].offset_s);
		uint32_t day = weir_demo_carriers[i].cycle_day;
		fleet->cycle_days[i] = day != 0 ? day : today > 28 ? 28 : (uint32_t)today;
	}
	for (uint32_t i = 0; i < cards; i++)
		card_fill(&fleet->cards[i], i, (double)rate / cards, rng);
	weir_demo_pools_make(fleet, (double)rate / cards, rng);
	return fleet;
}

void
weir_demo_fleet_free(struct weir_demo_fleet *fleet)
{
	if (fleet == NULL)
		return;
	free(fleet->cards);
	free(fleet->pools);
	free(fleet);
}

static bool
cycle_count(struct weir_demo_cycle *cycles, uint32_t *count, int32_t cycle, uint64_t up, uint64_t down)
{
	uint32_t i = 0;
	while (i < *count && cycles[i].number != cycle)
		i++;
	if (i == WEIR_DEMO_CYCLES)
		return false;
	if (i == *count)
		cycles[(*count)++] = (struct weir_demo_cycle){.number = cycle};
	cycles[i].records++;
	cycles[i].up += up;
	cycles[i].down += down;
	return true;
}

bool
weir_demo_card_count(struct weir_demo_fleet *fleet, struct weir_demo_card *card, int32_t cycle, uint64_t up, uint64_t down)
{
	struct weir_demo_pool *pool = card->pool == 0 ? NULL : &fleet->pools[card->pool - 1];
	return cycle_count(card->cycles, &card->cycle_count, cycle, up, down) &&
	       (pool == NULL || cycle_count(pool->cycles, &pool->cycle_count, cycle, up, down));
}

struct weir_demo_cycle
weir_demo_card_sums(const struct weir_demo_card *card, int32_t cycle)
{
	for (uint32_t i = 0; i < card->cycle_count; i++)
		if (card->cycles[i].number == cycle)
			return card->cycles[i];
	return (struct weir_demo_cycle){.number = cycle};
}

void
weir_demo_card_reasons(
    const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, int32_t cycle, char out[WEIR_DEMO_REASONS_MAX])
{
	const struct weir_demo_plan *plan = &weir_demo_plans[card->plan];
	struct weir_demo_cycle sums = weir_demo_card_sums(card, cycle);
	uint64_t used = sums.up + sums.down;
	uint64_t addon = card->addon_cycle == cycle ? card->addon_bytes : 0;
	uint64_t limit = limit_of(card);
	char pool[WEIR_DEMO_POOL_REASONS_MAX] = "", words[WEIR_DEMO_REASONS_MAX];
	if (card->pool != 0 && !card->deactivated)
		weir_demo_pool_reasons(&fleet->pools[card->pool - 1], cycle, pool);
	(void)snprintf(words, sizeof(words), "%s%s%s%s",
	    plan->single && used >= plan->allowance + addon ? ",plan_exhausted" : "",
	    limit != WEIR_DEMO_NO_LIMIT && used >= limit ? ",usage_limit" : "", pool, card->manual ? ",manual" : "");
	memcpy(out, words, sizeof(words));
	if (out[0] == '\0')
		memcpy(out, "none", sizeof("none"));
	else
		memmove(out, out + 1, strlen(out));
}

bool
weir_demo_card_suspended(const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, int32_t cycle)
{
	char reasons[WEIR_DEMO_REASONS_MAX];
	weir_demo_card_reasons(fleet, card, cycle, reasons);
	return !card->deactivated && strcmp(reasons, "none") != 0;
}
