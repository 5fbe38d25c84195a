/*
 * What a partition stores by slot, hour or window. tables/layout.h names the slabs.
 */
#ifndef WEIR_AGGREGATORS_STATE_TABLES_H
#define WEIR_AGGREGATORS_STATE_TABLES_H

#include "aggregators/tables/closed_cycles.h"
#include "aggregators/tables/dedupe_keys.h"
#include "aggregators/tables/layout.h"
#include "aggregators/tables/slab.h"
#include "aggregators/tables/slots.h"
#include "aggregators/tables/windows.h"

struct weir_tables {
#define WEIR_SLAB_MEMBER(number, member, tag, type, field) struct weir_slab member;
	WEIR_SLAB_LIST(WEIR_SLAB_MEMBER)
#undef WEIR_SLAB_MEMBER
	struct weir_shards card_index;
	struct weir_shards session_index;
	struct weir_shards pool_local_index, pool_index; /* by hash of the id */
	struct weir_dedupe_keys dedupe_keys;
	struct weir_closed_cycles closed_cycles;
	struct weir_closed_cycles pool_closed_cycles; /* by pool slot */
	struct weir_windows windows[WEIR_WINDOW_KINDS];
	struct weir_u64_list new_cards; /* directory entries to store: tag << 32 | slot */
};

struct weir_partition;

/* The slab of a number (enum weir_slab_kind); NULL when there is none. */
struct weir_slab *weir_partition_slab(struct weir_partition *partition, uint32_t number);

#endif
