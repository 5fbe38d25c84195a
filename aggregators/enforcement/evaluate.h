/* From a card's usage, overrides, lifecycle and pool to its reasons and its desired state (SUS). */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_EVALUATE_H
#define WEIR_AGGREGATORS_ENFORCEMENT_EVALUATE_H

#include "aggregators/state/state.h"

/*
 * Sets and clears reasons that are not derived, then brings reasons, desired state and next threshold in line with the
 * card's usage and overrides (SUS-2). The card's cycle must not be behind its carrier's: rollover.h sees to that.
 */
void weir_card_evaluate(
    struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause);

/* Gives the card's enforcement slot back when it holds nothing more to do or to know. */
void weir_partition_release_idle(struct weir_partition *p, uint32_t slot);

/* SUS-4: the card has moved and was evaluated; reasons that it still holds and that are enforced no more are alerted. */
void weir_partition_alert_moved(
    struct weir_partition *p, uint32_t slot, uint16_t enforced_before, const struct weir_cause *cause);

#endif
