/* What may have happened at a carrier and is not stored (CMD-2). */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_UNCONFIRMED_H
#define WEIR_AGGREGATORS_ENFORCEMENT_UNCONFIRMED_H

#include "aggregators/state/card_table.h"

/* What was loaded is taken, after the checks, which it relies on. */
void weir_unconfirmed_loaded(struct weir_partition *p);

/* The card is new; was a command for it under way when the owner before us died? */
void weir_unconfirmed_card_made_slow(struct weir_partition *p, uint32_t slot);
static inline void
weir_unconfirmed_card_created(struct weir_partition *p, uint32_t slot)
{
	if (__builtin_expect(p->unconfirmed.early.n > 0, 0))
		weir_unconfirmed_card_made_slow(p, slot);
}

/* Loading: an intent that was found; false when it is none. */
bool weir_partition_load_intent(struct weir_partition *partition, const struct weir_unconfirmed_card *intent);

/* Adds what is known of cards' states at their carriers; in motion = unknown. Cards that it does not name are active. */
void weir_partition_known(const struct weir_partition *partition, struct weir_unconfirmed_list *known);
/*
 * After load_finish of a store that has lost its newest writes: cards whose stored state is not the one that was known are
 * unknown. Takes the list.
 */
void weir_partition_load_known(struct weir_partition *partition, struct weir_unconfirmed_list *known);
/* Something was sent for the card of which this partition knows nothing: its state is unknown. */
void weir_partition_unconfirmed(struct weir_partition *partition, struct weir_iccid iccid);

#endif
