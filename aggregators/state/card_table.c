/* Cards, their terms and their enforcement slots: making and finding them. A card's slot is its for life. */
#include "aggregators/state/card_table.h"

struct weir_card_slot *
weir_partition_find(const struct weir_partition *p, struct weir_iccid iccid, uint32_t *slot_out)
{
	uint64_t hash = weir_iccid_hash(iccid);
	const struct weir_shard *shard = &p->tables.card_index.shard[hash & (WEIR_SHARDS - 1)];
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash);
	uint32_t slot;
	while (weir_index_candidate(shard, hash, &pos, &slot)) {
		struct weir_card_slot *card = weir_card_at(p, slot);
		if (weir_iccid_equal(card->iccid, iccid)) {
			*slot_out = slot;
			return card;
		}
	}
	return NULL;
}

uint32_t
weir_partition_new_card(struct weir_partition *p, struct weir_iccid iccid, uint32_t carrier_number)
{
	WEIR_CHECK(carrier_number < p->registry.carrier_count && p->registry.carriers[carrier_number].known);
	WEIR_CHECK(!weir_iccid_is_zero(iccid));
	uint32_t slot = weir_slab_new(&p->tables.cards);
	weir_slab_reach(&p->tables.lifecycles, slot);
	struct weir_card_slot *card = weir_card_at(p, slot);
	card->iccid = iccid;
	card->carrier = (uint8_t)(carrier_number + 1);
	card->cycle = (uint16_t)p->registry.carriers[carrier_number].current.number;
	card->next_threshold = UINT64_MAX;
	card->flags = WEIR_STATUS_IN_USE;
	uint64_t hash = weir_iccid_hash(iccid);
	weir_shard_insert(weir_shards_of(&p->tables.card_index, hash), weir_index_entry(hash, slot));
	weir_u64_list_push(&p->tables.new_cards, (uint64_t)weir_iccid_tag(iccid) << 32 | slot);
	p->stats.cards_made++;
	return slot;
}

struct weir_card_overrides_slot *
weir_partition_card_overrides(struct weir_partition *p, uint32_t slot)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	if (card->overrides == 0) {
		uint32_t made = weir_slab_new(&p->tables.overrides);
		struct weir_card_overrides_slot *overrides = weir_slab_at(&p->tables.overrides, made);
		overrides->card = slot + 1;
		overrides->limit = WEIR_NO_LIMIT;
		card->overrides = made + 1;
		weir_slab_dirty(&p->tables.cards, slot);
	}
	WEIR_CHECK(weir_card_overrides_of(p, card)->card == slot + 1 /* the slot answers */);
	weir_slab_dirty(&p->tables.overrides, card->overrides - 1);
	return weir_slab_at(&p->tables.overrides, card->overrides - 1);
}

struct weir_enforcement_slot *
weir_partition_enforcement(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, weir_card_at(p, slot));
	return overrides == NULL || overrides->enforcement == 0
		   ? NULL
		   : weir_slab_at(&p->tables.enforcements, overrides->enforcement - 1);
}

struct weir_enforcement_slot *
weir_partition_enforce(struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	struct weir_card_overrides_slot *overrides = weir_partition_card_overrides(p, slot);
	if (overrides->enforcement == 0) {
		uint32_t made = weir_slab_new(&p->tables.enforcements);
		struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, made);
		e->card = slot + 1;
		e->desired = WEIR_DESIRED_ACTIVE;
		e->confirmed = WEIR_DESIRED_ACTIVE;
		e->reason = WEIR_REASON_NONE;
		overrides->enforcement = made + 1;
	}
	weir_slab_dirty(&p->tables.enforcements, overrides->enforcement - 1);
	return weir_slab_at(&p->tables.enforcements, overrides->enforcement - 1);
}

uint64_t
weir_card_exempt(const struct weir_partition *p, const struct weir_card_slot *card)
{
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	return overrides != NULL && overrides->exempt_cycle == card->cycle ? overrides->exempt_bytes : 0;
}

uint64_t
weir_card_metered(const struct weir_partition *p, const struct weir_card_slot *card)
{
	return weir_sub_saturating(weir_card_used(card), weir_card_exempt(p, card));
}

uint16_t
weir_partition_enforced(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_ref_carrier *carrier = &p->registry.carriers[card->carrier - 1].ref;
	bool pooled = weir_lifecycle_at(p, slot)->pool_local != 0;
	return card->reasons & (uint16_t) ~(pooled ? carrier->unsupported_pooled : carrier->unsupported_single);
}
