/* Requests on a card's lifecycle (LIFE-2, LIFE-5, LIFE-7, SUS-6). */
#ifndef WEIR_AGGREGATORS_APPLY_LIFECYCLE_REQUESTS_H
#define WEIR_AGGREGATORS_APPLY_LIFECYCLE_REQUESTS_H

#include "aggregators/state/state.h"

/* Activation without traffic, deactivation, cancellation, renewal, network reset; *reply_out: words for the audit. */
enum weir_class weir_lifecycle_request(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request,
    const struct weir_cause *cause, const char **reply_out, struct weir_error *err);

#endif
