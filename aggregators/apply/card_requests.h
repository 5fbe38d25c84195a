/* Requests on a card (SUS-1, SUS-2, SUS-5, SUS-6, LIFE). */
#ifndef WEIR_AGGREGATORS_APPLY_CARD_REQUESTS_H
#define WEIR_AGGREGATORS_APPLY_CARD_REQUESTS_H

#include "aggregators/state/state.h"

/* An operator's or upstream's request on a card (SUS-1, SUS-2, SUS-5, SUS-6, LIFE). */
enum weir_class weir_partition_request(
    struct weir_partition *p, const struct weir_ref_request *request, struct weir_cause cause, struct weir_error *err);

/* The card's own usage limit, WEIR_NO_LIMIT = none. Evaluation is the caller's. */
void weir_partition_set_limit(
    struct weir_partition *p, uint32_t slot, uint64_t limit, bool has_auto_restore, bool auto_restore);

#endif
