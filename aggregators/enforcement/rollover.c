/*
 * Billing cycles of cards (CYC-1 to CYC-4, REC-5, REC-6).
 *
 * A card's counters belong to one cycle. They roll over when the first record of a newer cycle is counted or, for cards
 * that hold a reason or a command, when the clock passes the boundary; other cards roll when they are next touched, so that
 * a boundary costs time in proportion to suspended cards only. A card's cycle is never behind the clock's once anything has
 * looked at it.
 */
#include "aggregators/enforcement/rollover.h"

#include "aggregators/enforcement/evaluate.h"
#include "aggregators/state/card_table.h"

static void
keep_closed_cycle(struct weir_partition *p, const struct weir_card_slot *card, uint32_t slot)
{
	if (card->records == 0 && weir_card_used(card) == 0)
		return;
	bool created;
	struct weir_closed_cycle_entry *entry =
	    weir_closed_cycles_get(&p->tables.closed_cycles, card->cycle, slot, &created);
	entry->value = (struct weir_closed_cycle_slot){card->up, card->down, card->records, card->sessions, 0};
	entry->loaded = true;
	weir_closed_cycles_mark_dirty(&p->tables.closed_cycles, entry);
}

void
weir_card_roll_over(struct weir_partition *p, uint32_t slot, int32_t cycle, const struct weir_cause *cause)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	WEIR_CHECK(cycle > weir_card_at(p, slot)->cycle && cycle <= UINT16_MAX /* cycles only go on */);
	struct weir_card_slot *card = weir_card_at(p, slot);
	keep_closed_cycle(p, card, slot);
	struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	/* CYC-4: usage_limit clears only with auto_restore; else it holds over until an operator or a greater limit clears
	 * it, or a boundary after auto_restore was set again. */
	if (overrides != NULL) {
		bool holds = (overrides->flags & WEIR_OVERRIDES_NO_AUTO_RESTORE) != 0 &&
			     (card->reasons & WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT)) != 0;
		if (holds != ((overrides->flags & WEIR_OVERRIDES_LIMIT_HELD) != 0)) {
			overrides->flags ^= WEIR_OVERRIDES_LIMIT_HELD;
			weir_slab_dirty(&p->tables.overrides, card->overrides - 1);
		}
	}
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	if (lifecycle->ladder != 0) { /* ALR-1: each level once a cycle */
		lifecycle->ladder = 0;
		weir_slab_dirty(&p->tables.lifecycles, slot);
	}
	card->up = card->down = 0;
	card->records = card->sessions = 0;
	card->cycle = (uint16_t)cycle;
	weir_slab_dirty(&p->tables.cards, slot);
	weir_card_evaluate(p, slot, 0, 0, cause);
}

void
weir_partition_change_reasons(
    struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	int32_t current = p->registry.carriers[card->carrier - 1].current.number;
	if (card->cycle < current)
		weir_card_roll_over(p, slot, current, cause);
	weir_card_evaluate(p, slot, set, clear, cause);
}

void
weir_partition_evaluate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause)
{
	weir_partition_change_reasons(p, slot, 0, 0, cause);
}
