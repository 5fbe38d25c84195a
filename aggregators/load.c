/*
 * From stored bytes back to a partition: pages as they are, then indexes and free lists out of them. Bytes from the
 * store are input: a slot that contradicts the others makes the load fail, never an assert.
 */
#include "aggregators/partition_priv.h"

void
weir_partition_load_sizes(struct weir_partition *p, const uint32_t slots[4], int64_t stream_time_us)
{
	weir_slab_resize(&p->cards, slots[0]);
	weir_slab_resize(&p->terms, slots[1]);
	weir_slab_resize(&p->enforcements, slots[2]);
	weir_slab_resize(&p->sessions, slots[3]);
	p->stream_time_us = stream_time_us;
	weir_partition_set_time(p, p->now_us, stream_time_us);
}

bool
weir_partition_load_reference(struct weir_partition *p, struct weir_slice json)
{
	struct weir_reference reference;
	struct weir_error err;
	if (weir_reference_parse(json, &reference, &err) != WEIR_OK)
		return false;
	if (reference.type == WEIR_REF_CARRIER)
		return weir_partition_define_carrier(p, &reference.carrier, &err) == WEIR_OK;
	if (reference.type != WEIR_REF_PLAN)
		return false;
	weir_partition_define_plan(p, &reference.plan);
	return true;
}

bool
weir_partition_load_page(struct weir_partition *p, uint32_t slab, uint32_t page, struct weir_slice bytes)
{
	struct weir_slab *slabs[4] = {&p->cards, &p->terms, &p->enforcements, &p->sessions};
	return slab < 4 && weir_slab_load_page(slabs[slab], page, bytes.data, bytes.len);
}

bool
weir_partition_load_intent(struct weir_partition *p, uint32_t slot)
{
	if (slot >= p->cards.used)
		return false;
	struct weir_enforcement_slot *e = weir_partition_enforce(p, slot);
	e->confirmed = WEIR_DESIRED_UNKNOWN;
	e->desired = weir_card_at(p, slot)->reasons != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
	weir_u64_list_push(&p->intents_done, slot);
	return true;
}

static bool
index_cards(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->cards.used; slot++) {
		if (weir_slab_is_filler(&p->cards, slot))
			continue;
		const struct weir_card_slot *card = weir_card_at(p, slot);
		if (weir_iccid_is_zero(card->iccid) || card->carrier == 0 || card->carrier > p->carrier_count ||
		    card->plan > p->plan_count || card->terms > p->terms.used)
			return false;
		if (!p->carriers[card->carrier - 1].known)
			return false;
		uint64_t hash = weir_iccid_hash(card->iccid);
		weir_shard_insert(weir_shards_of(&p->card_index, hash), weir_index_entry(hash, slot));
	}
	return true;
}

static bool
check_terms(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->terms.used; slot++) {
		if (weir_slab_is_filler(&p->terms, slot))
			continue;
		const struct weir_terms_slot *terms = weir_slab_at(&p->terms, slot);
		if (terms->card == 0)
			weir_slab_push_free(&p->terms, slot);
		else if (terms->card > p->cards.used || weir_card_at(p, terms->card - 1)->terms != slot + 1 ||
			 terms->enforcement > p->enforcements.used)
			return false;
	}
	return true;
}

static bool
check_enforcements(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->enforcements.used; slot++) {
		if (weir_slab_is_filler(&p->enforcements, slot))
			continue;
		struct weir_enforcement_slot *e = weir_slab_at(&p->enforcements, slot);
		if (e->card == 0) {
			weir_slab_push_free(&p->enforcements, slot);
			continue;
		}
		if (e->card > p->cards.used || weir_partition_enforcement(p, e->card - 1) != e)
			return false;
		/* In the middle of a call when it was stored: nobody knows whether the carrier did it (CMD-2). */
		if (e->command == 2)
			e->confirmed = WEIR_DESIRED_UNKNOWN;
	}
	return true;
}

static bool
index_sessions(struct weir_partition *p)
{
	for (uint32_t slot = 0; slot < p->sessions.used; slot++) {
		if (weir_slab_is_filler(&p->sessions, slot))
			continue;
		const struct weir_session_slot *s = weir_slab_at(&p->sessions, slot);
		if (s->key == 0)
			weir_slab_push_free(&p->sessions, slot);
		else if (s->card != WEIR_SESSION_GAPS) {
			if (s->card == 0 || s->card > p->cards.used || s->gaps > p->sessions.used)
				return false;
			weir_partition_session_index(p, slot);
		}
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
	ship_carriers(p);
	if (!index_cards(p) || !check_terms(p) || !check_enforcements(p) || !index_sessions(p))
		return false;
	/* Cards were evaluated against these plans when they were stored. */
	for (uint32_t i = 0; i < p->plan_count; i++)
		p->plans[i].changed = false;
	p->scan_running = false;
	/* A boundary may have passed since: look once at all that are suspended. */
	p->boundary_running = p->enforcements.used > 0;
	p->boundary_slot = 0;
	return true;
}
