/* The thresholds of a card (SUS-1, SUS-2, POOL-4). */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_THRESHOLDS_H
#define WEIR_AGGREGATORS_ENFORCEMENT_THRESHOLDS_H

#include "aggregators/state/card_table.h"

/* UINT64_MAX = none. */
struct weir_thresholds {
	uint64_t plan;  /* single plan's allowance and add-ons */
	uint64_t limit; /* usage limit in force */
	bool limit_held;
};
struct weir_thresholds weir_card_thresholds(const struct weir_partition *p, uint32_t slot);

#endif
