/* Ladders of alerts (ALR-1, ALR-2): which levels usage has reached, and the alert of it. */
#ifndef WEIR_AGGREGATORS_ALERTS_LADDERS_H
#define WEIR_AGGREGATORS_ALERTS_LADDERS_H

#include "aggregators/state/state.h"

/* A ladder defined anew, one that cards and pools may have climbed by now: levels that stay have been alerted as they were.
 */
void weir_ladder_redefine(struct weir_partition *p, const struct weir_ref_alerts *ref);

/* The ladder that the card is on (number + 1, 0 = default), and a change of it from `before`. */
uint16_t weir_card_ladder(const struct weir_partition *p, uint32_t slot);
void weir_ladder_moved(struct weir_partition *p, uint32_t slot, uint16_t before);

/*
 * Which levels `used` has reached, a bit each (for a step: how many steps), where percent is of `base` (0 = only byte
 * levels hold), and the usage at which the next one is due (UINT64_MAX = none).
 */
uint16_t weir_ladder_reached(
    const struct weir_partition *p, uint16_t ladder_plus_1, uint64_t base, uint64_t used, uint64_t *next_out);

/* One alert for all levels that `used` reaches and *reached_io does not hold yet, published under `key` (the card's ICCID
 * or the pool's id; scope "card" or "pool"); true when there was one. */
bool weir_ladder_alert(struct weir_partition *p, const char *scope, const char *key, uint16_t ladder_plus_1, uint64_t base,
    uint64_t used, int32_t cycle, uint16_t *reached_io, const struct weir_cause *cause);

#endif
