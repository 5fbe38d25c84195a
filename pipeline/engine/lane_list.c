/* The lane's clock and its list of partitions: what its files stand on. */
#include "config/base/clock.h"
#include "pipeline/engine/lane_priv.h"

struct owner_now
lane_now(void)
{
	return (struct owner_now){.wall_us = weir_wall_now().us, .steady_us = weir_steady_now().us};
}

struct lane_partition *
lane_find(struct weir_lane *lane, uint32_t number)
{
	for (uint32_t i = 0; i < lane->partition_count; i++) {
		const struct owner *o = lane->partitions[i]->owner;
		if (o->number == number && o->state != OWNER_GONE)
			return lane->partitions[i];
	}
	return NULL;
}
