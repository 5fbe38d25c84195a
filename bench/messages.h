/* A stretch of a workload as messages, made before it is measured, and handed out in a lane's batches. */
#ifndef WEIR_BENCH_MESSAGES_H
#define WEIR_BENCH_MESSAGES_H

#include "bench/engine.h"

enum { MESSAGES_BATCHES = 8 }; /* of one stretch: more than the second cache holds, as messages come from the network */

struct messages;
struct messages *messages_new(const struct workload *workload, uint64_t seed);
void messages_free(struct messages *messages);
/* Makes the next stretch of at most MESSAGES_BATCHES batches and `records_max` records; returns how many records it has. */
uint64_t messages_next(struct messages *messages, uint64_t records_max);
/* Batch number `at` of the stretch; false when there is none. Valid until the next stretch. */
bool messages_batch(const struct messages *messages, uint32_t at, struct engine_batch *batch_out);

#endif
