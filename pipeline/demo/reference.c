/* The demo's fleet as messages of weir.cards (docs/formats.md). */
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/demo/demo_fleet.h"

size_t
weir_demo_carrier_json(const struct weir_demo_fleet *fleet, uint32_t carrier, char *out, size_t size)
{
	const struct weir_demo_carrier *row = &weir_demo_carriers[carrier];
	return (size_t)snprintf(out, size,
	    "{\"type\":\"carrier\",\"id\":\"%s\",\"zone\":\"%s\",\"cycle_day\":%" PRIu32
	    ",\"cycle_named_after\":\"%s\",\"mb_bytes\":1048576}",
	    row->id, row->zone, fleet->cycle_days[carrier], row->named_after_end ? "end" : "start");
}

size_t
weir_demo_plan_json(uint32_t plan, char *out, size_t size)
{
	const struct weir_demo_plan *row = &weir_demo_plans[plan];
	char allowance[48] = "", limit[48] = "";
	if (row->allowance > 0)
		(void)snprintf(allowance, sizeof(allowance), ",\"allowance\":%" PRIu64, row->allowance);
	if (row->limit != WEIR_DEMO_NO_LIMIT)
		(void)snprintf(limit, sizeof(limit), ",\"limit\":%" PRIu64, row->limit);
	return (size_t)snprintf(out, size, "{\"type\":\"plan\",\"id\":\"%s\",\"carrier\":\"%s\",\"kind\":\"%s\"%s%s}",
	    row->id, weir_demo_carriers[row->carrier].id, row->kind, allowance, limit);
}

size_t
weir_demo_pool_json(const struct weir_demo_pool *pool, char *out, size_t size)
{
	char amount[96] = "";
	if (pool->total > 0)
		(void)snprintf(amount, sizeof(amount), ",\"total\":%" PRIu64, pool->total);
	if (pool->threshold > 0)
		(void)snprintf(amount, sizeof(amount), ",\"threshold\":%" PRIu64 ",\"threshold_action\":\"%s\"",
		    pool->threshold, pool->suspends ? "suspend" : "alert");
	return (size_t)snprintf(out, size,
	    "{\"type\":\"pool\",\"id\":\"%s\",\"kind\":\"%s\",\"carrier\":\"%s\",\"plan\":\"%s\"%s}", pool->id,
	    weir_demo_plans[pool->plan].kind, weir_demo_carriers[pool->carrier].id, weir_demo_plans[pool->plan].id, amount);
}

size_t
weir_demo_card_json(const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, char *out, size_t size)
{
	char limit[48] = "", pool[64] = "";
	if (card->pool != 0)
		(void)snprintf(pool, sizeof(pool), ",\"pool\":\"%s\"", fleet->pools[card->pool - 1].id);
	if (card->limit != WEIR_DEMO_NO_LIMIT)
		(void)snprintf(limit, sizeof(limit), ",\"limit\":%" PRIu64, card->limit);
	return (size_t)snprintf(out, size,
	    "{\"type\":\"card\",\"iccid\":\"%s\",\"carrier\":\"%s\",\"plan\":\"%s\",\"status\":\"%s\"%s%s}", card->iccid,
	    weir_demo_carriers[card->carrier].id, weir_demo_plans[card->plan].id,
	    card->deactivated ? "deactivated" : "in_use", limit, pool);
}
