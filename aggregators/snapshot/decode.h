/* From stored bytes back to a partition, before any fold; in the order of these functions. */
#ifndef WEIR_AGGREGATORS_SNAPSHOT_DECODE_H
#define WEIR_AGGREGATORS_SNAPSHOT_DECODE_H

#include "aggregators/state/state.h"

/* Then names (weir_partition_load_name), references, pages and intents, each false when the stored bytes are not valid. */
void weir_partition_load_sizes(struct weir_partition *partition, const uint32_t slots[WEIR_SLABS], int64_t stream_time_us);
bool weir_partition_load_reference(struct weir_partition *partition, struct weir_slice json);
bool weir_partition_load_page(struct weir_partition *partition, uint32_t slab, uint32_t page, struct weir_slice bytes);

/* Builds indexes and free lists after the pages; false when slots contradict each other. */
bool weir_partition_load_finish(struct weir_partition *partition);

#endif
