/*
 * Fetches: strings of the store that parked records and feeds wait for. The core says which, owner_effects.c asks for them;
 * what comes back goes to the core, and when nothing is missing any more, what was parked is folded.
 */
#include "pipeline/engine/owner_priv.h"

static void
take_values(struct owner *o, const struct weir_fetch_request *requests, const struct weir_slice *values, uint32_t count)
{
	for (uint32_t i = 0; i < count && o->state == OWNER_RUNNING; i++)
		if (!weir_partition_fetched(o->core, &requests[i], values[i]))
			owner_stop(o, "a stored string of marks, past totals or windows is none");
}

void
owner_fetched(struct owner *o, struct owner_now now, const struct owner_answer *answer,
    const struct weir_fetch_request *requests, const struct weir_slice *values, uint32_t count)
{
	owner_check(o);
	WEIR_CHECK(o->requests > 0 && o->fetching > 0);
	o->requests--;
	o->fetching--;
	o->now = now;
	if (o->state == OWNER_RUNNING && answer->result == WEIR_STORE_DONE)
		take_values(o, requests, values, count);
	if (o->state == OWNER_RUNNING && answer->result == WEIR_STORE_FAILED)
		owner_stop(o, answer->error);
	if (o->state != OWNER_RUNNING)
		return;
	owner_effects(o, 0, NULL);
	if (o->fetching > 0 || o->core->effects.fetch_requests.n > 0)
		return;
	weir_partition_set_time(o->core, now.wall_us, 0);
	weir_partition_unpark(o->core);
	o->changed = true;
	owner_effects(o, 0, NULL);
}
