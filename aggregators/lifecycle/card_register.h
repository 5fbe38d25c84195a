/* The one way in which a card comes to be. */
#ifndef WEIR_AGGREGATORS_LIFECYCLE_CARD_REGISTER_H
#define WEIR_AGGREGATORS_LIFECYCLE_CARD_REGISTER_H

#include "aggregators/state/state.h"

/* Makes a card that is not there, and serves those who waited for it: its sub-cards (POOL-8), commands under way. */
uint32_t weir_card_register(struct weir_partition *p, struct weir_iccid iccid, uint32_t carrier_number);

#endif
