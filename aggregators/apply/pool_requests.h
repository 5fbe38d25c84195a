/* Requests on a pool (POOL-1, POOL-5). */
#ifndef WEIR_AGGREGATORS_APPLY_POOL_REQUESTS_H
#define WEIR_AGGREGATORS_APPLY_POOL_REQUESTS_H

#include "aggregators/state/state.h"

enum weir_class weir_pool_request(struct weir_partition *p, const struct weir_ref_request *request,
    const struct weir_cause *cause, struct weir_error *err);

#endif
