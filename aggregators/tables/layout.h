/*
 * How a partition's tables lie in Redis, for those who write them and those who read them. One list names the slabs: their
 * numbers, the tags of their pages' keys, their slots' types, and the fields of the stored header that count their slots.
 */
#ifndef WEIR_AGGREGATORS_LAYOUT_H
#define WEIR_AGGREGATORS_LAYOUT_H

#include "aggregators/tables/slab.h"
#include "aggregators/tables/slots.h"

/* Of keys and bytes in Redis (docs/formats.md); field `format` of each header. 4: places in logs, pinned partitions. */
#define WEIR_STORE_FORMAT 4

/* X(number, member of struct weir_tables, tag, type of a slot, count field of the header), in the order of the numbers. */
#define WEIR_SLAB_LIST(X)                                                                                                  \
	X(WEIR_SLAB_CARDS, cards, 'c', struct weir_card_slot, "cards")                                                     \
	X(WEIR_SLAB_CARD_OVERRIDES, overrides, 't', struct weir_card_overrides_slot, "terms")                              \
	X(WEIR_SLAB_ENFORCEMENTS, enforcements, 'e', struct weir_enforcement_slot, "enforcements")                         \
	X(WEIR_SLAB_SESSIONS, sessions, 's', struct weir_session_slot, "sessions")                                         \
	X(WEIR_SLAB_LIFECYCLES, lifecycles, 'l', struct weir_lifecycle_slot, "lives") /* by the card's slot number */      \
	X(WEIR_SLAB_POOL_LOCALS, pool_locals, 'a', struct weir_pool_local_slot, "accounts")                                \
	X(WEIR_SLAB_POOLS, pools, 'q', struct weir_pool_slot, "pools")                                                     \
	X(WEIR_SLAB_POOL_SOURCES, pool_sources, 'h', struct weir_pool_source_slot, "shares")

#define WEIR_SLAB_NUMBER(number, member, tag, type, field) number,
enum weir_slab_kind { WEIR_SLAB_LIST(WEIR_SLAB_NUMBER) WEIR_SLABS };
#undef WEIR_SLAB_NUMBER

/* The tag of a slab's pages, by its number; a string of WEIR_SLABS letters. */
#define WEIR_SLAB_TAG(number, member, tag, type, field) tag,
static const char WEIR_SLAB_TAGS[WEIR_SLABS + 1] = {WEIR_SLAB_LIST(WEIR_SLAB_TAG) '\0'};
#undef WEIR_SLAB_TAG

#endif
