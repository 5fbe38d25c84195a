/*
 * Baselines (docs/rollups.md): where counters stood when a window began, as strings of varints, and the volumes between
 * them. Pure. The bytes are input: a varint that ends too late, or in the middle, makes the string no list of baselines.
 */
#include <string.h>

#include "aggregators/tables/windows.h"
#include "config/base/saturate.h"
#include "pipeline/query/query_priv.h"

static bool
entry_take(struct weir_slice *bytes, uint32_t *slot_out, struct weir_volume *volume_out)
{
	struct weir_counts counts;
	if (!weir_window_entry_take(bytes, slot_out, &counts))
		return false;
	*volume_out = (struct weir_volume){counts.up, counts.down, counts.records, counts.sessions};
	return true;
}

bool
baselines_read(struct weir_slice bytes, struct baselines_page *page_out)
{
	memset(page_out->found, 0, sizeof(page_out->found));
	while (bytes.len > 0) {
		uint32_t slot;
		struct weir_volume volume;
		if (!entry_take(&bytes, &slot, &volume))
			return false;
		page_out->at[slot] = volume;
		page_out->found[slot] = true;
	}
	return true;
}

bool
baselines_find(struct weir_slice bytes, uint32_t slot, bool *found_out, struct weir_volume *volume_out)
{
	*found_out = false;
	*volume_out = (struct weir_volume){0};
	while (bytes.len > 0) {
		uint32_t of;
		struct weir_volume volume;
		if (!entry_take(&bytes, &of, &volume))
			return false;
		if (of != slot % BASELINES_A_PAGE)
			continue;
		*found_out = true;
		*volume_out = volume;
	}
	return true;
}

/* Oldest last, so that each point knows the next one of its cycle. */
void
baselines_to_volumes(struct baseline_point *points, uint32_t count, cycle_total_fn total_of, void *ctx)
{
	const struct baseline_point *next = NULL;
	for (uint32_t i = count; i > 0; i--) {
		struct baseline_point *point = &points[i - 1];
		point->volume = (struct weir_volume){0};
		if (!point->found)
			continue;
		struct weir_volume end =
		    next != NULL && next->cycle == point->cycle ? next->at : total_of(ctx, point->cycle);
		point->volume = (struct weir_volume){weir_sub_saturating(end.up, point->at.up),
		    weir_sub_saturating(end.down, point->at.down), weir_sub_saturating(end.records, point->at.records),
		    weir_sub_saturating(end.sessions, point->at.sessions)};
		next = point;
	}
}

void
volume_add(struct weir_volume *sum, const struct weir_volume *more)
{
	sum->up = weir_add_saturating(sum->up, more->up);
	sum->down = weir_add_saturating(sum->down, more->down);
	sum->records = weir_add_saturating(sum->records, more->records);
	sum->sessions = weir_add_saturating(sum->sessions, more->sessions);
}
