/* Messages of weir.cards and weir.partials, applied to a partition. */
#ifndef WEIR_AGGREGATORS_APPLY_APPLY_H
#define WEIR_AGGREGATORS_APPLY_APPLY_H

#include "aggregators/state/state.h"

/* Applies one message of weir.cards. POISON with err when it cannot be applied (the owner dead-letters it). */
enum weir_class weir_partition_apply(struct weir_partition *partition, const struct weir_reference *reference,
    struct weir_slice json, const struct weir_cause *cause, struct weir_error *err);

/*
 * Takes one message of weir.partials: arrived_us its Kafka time. POISON with err for bytes that are no usage report.
 * Afterwards, with the round's others, weir_partition_publish.
 */
enum weir_class weir_partition_apply_report(
    struct weir_partition *partition, struct weir_slice value, int64_t arrived_us, struct weir_error *err);

#endif
