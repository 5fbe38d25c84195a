/* Cards, their terms, life and enforcement slots: making and finding them. */
#ifndef WEIR_AGGREGATORS_STATE_CARD_TABLE_H
#define WEIR_AGGREGATORS_STATE_CARD_TABLE_H

#include "aggregators/state/command.h"
#include "aggregators/state/state.h"

static inline struct weir_card_slot *
weir_card_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.cards, slot);
}

static inline struct weir_card_overrides_slot *
weir_card_overrides_of(const struct weir_partition *p, const struct weir_card_slot *card)
{
	return card->overrides == 0 ? NULL : weir_slab_at(&p->tables.overrides, card->overrides - 1);
}

static inline struct weir_lifecycle_slot *
weir_lifecycle_at(const struct weir_partition *p, uint32_t card_slot)
{
	return weir_slab_at(&p->tables.lifecycles, card_slot);
}

static inline unsigned
weir_card_status_of(const struct weir_card_slot *card)
{
	return card->flags & WEIR_CARD_STATUS_MASK;
}

/* Does it count as an activated member (POOL-2): in use, suspended or not, and not expired. */
static inline bool
weir_card_is_activated(const struct weir_card_slot *card)
{
	unsigned status = weir_card_status_of(card);
	return (status == WEIR_STATUS_IN_USE || status == WEIR_STATUS_SUSPENDED) && (card->flags & WEIR_CARD_EXPIRED) == 0;
}

/* LIFE-6: a deactivated or cancelled card takes no command. */
static inline bool
weir_card_may_command(const struct weir_card_slot *card)
{
	return weir_card_status_of(card) < WEIR_STATUS_DEACTIVATED;
}

static inline uint64_t
weir_card_used(const struct weir_card_slot *card)
{
	return card->up + card->down;
}

struct weir_card_slot *weir_partition_find(
    const struct weir_partition *partition, struct weir_iccid iccid, uint32_t *slot_out);

/* Makes the card, and nothing else: weir_card_register (lifecycle/) is what makes one for good. */
uint32_t weir_partition_new_card(struct weir_partition *p, struct weir_iccid iccid, uint32_t carrier_number);

/* The card's terms, made when it has none. */
struct weir_card_overrides_slot *weir_partition_card_overrides(struct weir_partition *p, uint32_t slot);
/* The enforcement slot of a card, or NULL. */
struct weir_enforcement_slot *weir_partition_enforcement(const struct weir_partition *partition, uint32_t card_slot);
/* The card's enforcement slot, made (active, confirmed) when it has none. */
struct weir_enforcement_slot *weir_partition_enforce(struct weir_partition *p, uint32_t slot);

/* Usage of the cycle that thresholds are not compared with: test traffic (LIFE-3). */
uint64_t weir_card_exempt(const struct weir_partition *p, const struct weir_card_slot *card);
/* Usage that thresholds are compared with: the cycle's, less exempted test traffic (LIFE-3). */
uint64_t weir_card_metered(const struct weir_partition *p, const struct weir_card_slot *card);

/* Reasons that the carrier enforces on the card (SUS-4): the desired state is suspended exactly while there is one. */
uint16_t weir_partition_enforced(const struct weir_partition *partition, uint32_t card_slot);

#endif
