/*
 * From stored bytes back to a partition: pages as they are, then indexes and free lists out of them. Bytes from the
 * store are input: a slot that contradicts the others makes the load fail, never an assert.
 */
#include "aggregators/snapshot/decode.h"

#include "aggregators/apply/smart_cards.h"
#include "aggregators/enforcement/guard.h"
#include "aggregators/enforcement/unconfirmed.h"
#include "aggregators/fold/sessions.h"
#include "aggregators/lifecycle/timers.h"
#include "aggregators/pools/pool_definitions.h"
#include "aggregators/pools/pool_local.h"
#include "aggregators/rollups/feed_state.h"
#include "aggregators/rollups/pool_texts.h"
#include "aggregators/rollups/window_usage.h"
#include "aggregators/state/sound.h"

void
weir_partition_load_sizes(struct weir_partition *p, const uint32_t slots[WEIR_SLABS], int64_t stream_time_us)
{
	WEIR_CHECK(p->tables.cards.used == 0 /* of a new partition */);
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		weir_slab_resize(weir_partition_slab(p, i), slots[i]);
	p->clock.stream_time_us = stream_time_us;
	weir_partition_set_time(p, p->clock.now_us, stream_time_us);
}

bool
weir_partition_load_reference(struct weir_partition *p, struct weir_slice json)
{
	struct weir_reference reference;
	struct weir_error err;
	if (weir_guard_load(p, json) || weir_smart_load(p, json) || weir_feeds_load(p, json)) /* weir's own, no message */
		return true;
	if (weir_reference_parse(json, &reference, &err) != WEIR_OK)
		return false;
	switch (reference.type) {
	case WEIR_REF_CARRIER:
		return weir_partition_define_carrier(p, &reference.carrier, &err) == WEIR_OK;
	case WEIR_REF_PLAN:
		weir_partition_define_plan(p, &reference.plan);
		return true;
	case WEIR_REF_ALERTS:
		weir_ladder_define(p, &reference.alerts);
		return true;
	case WEIR_REF_POOL: /* in force by its slot; the text is for readers and rows */
		weir_feeds_pool_text(p, reference.pool.id, json);
		return true;
	case WEIR_REF_CARD: /* its tags, for readers */
		return true;
	default:
		return false;
	}
}

bool
weir_partition_load_page(struct weir_partition *p, uint32_t slab, uint32_t page, struct weir_slice bytes)
{
	return slab < WEIR_SLABS && weir_slab_load_page(weir_partition_slab(p, slab), page, bytes.data, bytes.len);
}

static bool
index_cards(struct weir_partition *p)
{
	weir_shards_reserve(&p->tables.card_index, p->tables.cards.used);
	for (uint32_t slot = 0; slot < p->tables.cards.used; slot++) {
		if (weir_slab_is_filler(&p->tables.cards, slot))
			continue;
		if (!weir_card_is_sound(p, slot))
			return false;
		uint64_t hash = weir_iccid_hash(weir_card_at(p, slot)->iccid);
		weir_shard_insert(weir_shards_of(&p->tables.card_index, hash), weir_index_entry(hash, slot));
	}
	return true;
}

/* Number for number with the cards; their place in lists is the pool locals' to check. */
static bool
take_lifecycles(struct weir_partition *p)
{
	if (p->tables.lifecycles.used != p->tables.cards.used)
		return false;
	for (uint32_t slot = 0; slot < p->tables.lifecycles.used; slot++)
		if (!weir_slab_is_filler(&p->tables.cards, slot) && weir_lifecycle_at(p, slot)->due_s != 0)
			weir_timers_touch(p, slot);
	return true;
}

static bool
check_overrides(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->tables.overrides.used; slot++) {
		if (weir_slab_is_filler(&p->tables.overrides, slot))
			continue;
		const struct weir_card_overrides_slot *overrides = weir_slab_at(&p->tables.overrides, slot);
		if (overrides->card == 0)
			weir_slab_push_free(&p->tables.overrides, slot);
		else if (!weir_card_overrides_are_sound(p, slot))
			return false;
	}
	return true;
}

static bool
check_enforcements(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->tables.enforcements.used; slot++) {
		if (weir_slab_is_filler(&p->tables.enforcements, slot))
			continue;
		struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, slot);
		if (e->card == 0) {
			weir_slab_push_free(&p->tables.enforcements, slot);
			continue;
		}
		if (!weir_enforcement_is_sound(p, slot))
			return false;
		/* In motion when it was stored: nobody knows whether the carrier did it (CMD-2). */
		if (weir_command_in_motion(e))
			e->confirmed = WEIR_DESIRED_UNKNOWN;
	}
	return true;
}

static bool
index_sessions(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->tables.sessions.used; slot++) {
		if (weir_slab_is_filler(&p->tables.sessions, slot))
			continue;
		const struct weir_session_slot *s = weir_slab_at(&p->tables.sessions, slot);
		if (s->key == 0)
			weir_slab_push_free(&p->tables.sessions, slot);
		else if (!weir_session_is_sound(p, slot))
			return false;
		else if (s->card != WEIR_SESSION_GAPS)
			weir_partition_session_index(p, slot);
	}
	return true;
}

static void
ship_carriers(struct weir_partition *p)
{
	uint32_t count;
	const struct weir_ref_carrier *shipped = weir_reference_shipped_carriers(&count);
	for (uint32_t i = 0; i < count; i++)
		if (weir_partition_carrier_number(p, shipped[i].id) == UINT32_MAX)
			(void)weir_partition_define_carrier(p, &shipped[i], NULL);
}

bool
weir_partition_load_finish(struct weir_partition *p)
{
	WEIR_CHECK(p->tables.lifecycles.free_count == 0);
	ship_carriers(p);
	if (!index_cards(p) || !check_overrides(p) || !check_enforcements(p) || !index_sessions(p) || !take_lifecycles(p) ||
	    !weir_pool_locals_load(p) || !weir_pools_load(p) || !weir_feeds_load_finish(p))
		return false;
	weir_window_baselines_load(p);
	weir_unconfirmed_loaded(p);
	for (uint32_t i = 0; i < p->registry.plan_count; i++)
		p->registry.plans[i].changed = false;
	/* A scan may have been under way when the pages were stored: all cards are checked once. */
	weir_partition_scan_all(p);
	/* A boundary may have passed since: look once at all that are suspended. */
	p->scans.boundary_running = p->tables.enforcements.used > 0;
	p->scans.boundary_slot = 0;
	return true;
}
