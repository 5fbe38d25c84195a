/* Billing cycles of cards (CYC-1 to CYC-4), and the evaluation of cards that may be behind. */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_ROLLOVER_H
#define WEIR_AGGREGATORS_ENFORCEMENT_ROLLOVER_H

#include "aggregators/state/state.h"

/* Ends the card's cycle: its totals are kept as a closed cycle's, counting starts anew in `cycle` (CYC-3, CYC-4). */
void weir_card_roll_over(struct weir_partition *p, uint32_t slot, int32_t cycle, const struct weir_cause *cause);

/* Sets and clears reasons that are not derived, then evaluates the card, which is brought into the current cycle first. */
void weir_partition_change_reasons(
    struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause);
/* Evaluates the card likewise. */
void weir_partition_evaluate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause);

#endif
