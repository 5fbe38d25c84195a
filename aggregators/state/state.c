/* The slabs of a partition by number. */
#include "aggregators/state/state.h"

struct weir_slab *
weir_partition_slab(struct weir_partition *p, uint32_t number)
{
#define WEIR_SLAB_POINTER(number, member, tag, type, field) &p->tables.member,
	struct weir_slab *const slabs[WEIR_SLABS] = {WEIR_SLAB_LIST(WEIR_SLAB_POINTER)};
#undef WEIR_SLAB_POINTER
	return number < WEIR_SLABS ? slabs[number] : NULL;
}
