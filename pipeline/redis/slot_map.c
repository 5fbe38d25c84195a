/* Reading the answer to CLUSTER SLOTS: [[first, last, [host, port, id, …], replicas…], …]; see slot_map.h. */
#include "pipeline/redis/slot_map.h"

#include <stdio.h>
#include <string.h>

#include "pipeline/redis/slot.h"

static bool
in_range(const struct weir_reply *number, int64_t least, int64_t most)
{
	return number->type == WEIR_REPLY_INTEGER && number->integer >= least && number->integer <= most;
}

static bool
read_place(const struct weir_reply *master, char place[WEIR_PLACE_MAX])
{
	if (master->type != WEIR_REPLY_ARRAY || master->elements < 2 || !in_range(master->element[1], 1, 65535))
		return false;
	const struct weir_reply *host = master->element[0];
	if (host->type != WEIR_REPLY_STRING && host->type != WEIR_REPLY_NIL)
		return false;
	int len = snprintf(place, WEIR_PLACE_MAX, "%s:%d", weir_reply_text(host), (int)master->element[1]->integer);
	return len > 0 && len < WEIR_PLACE_MAX;
}

bool
weir_slot_map_range(const struct weir_reply *reply, size_t i, struct weir_slot_range *range_out)
{
	if (reply->type != WEIR_REPLY_ARRAY || i >= reply->elements)
		return false;
	const struct weir_reply *range = reply->element[i];
	if (range->type != WEIR_REPLY_ARRAY || range->elements < 3 || !in_range(range->element[0], 0, WEIR_SLOTS - 1) ||
	    !in_range(range->element[1], range->element[0]->integer, WEIR_SLOTS - 1))
		return false;
	range_out->first = (uint16_t)range->element[0]->integer;
	range_out->last = (uint16_t)range->element[1]->integer;
	return read_place(range->element[2], range_out->place);
}

bool
weir_slot_map_is_good(const struct weir_reply *reply)
{
	struct weir_slot_range range;
	if (reply->type != WEIR_REPLY_ARRAY || reply->elements == 0)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (!weir_slot_map_range(reply, i, &range))
			return false;
	return true;
}
