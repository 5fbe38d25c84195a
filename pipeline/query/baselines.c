/*
 * Baselines (docs/rollups.md): where counters stood when a window began, as strings of varints, and the volumes between
 * them. Pure. The bytes are input: a varint that ends too late, or in the middle, makes the string no list of baselines.
 */
#include <string.h>

#include "pipeline/query/query_priv.h"

/* LEB128, up to 64 bits. */
static bool
varint_take(struct weir_slice *bytes, uint64_t *number_out)
{
	uint64_t number = 0;
	for (unsigned shift = 0; shift < 64 && bytes->len > 0; shift += 7) {
		uint8_t byte = *bytes->data++;
		bytes->len--;
		if (shift == 63 && byte > 1)
			return false;
		number |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0) {
			*number_out = number;
			return true;
		}
	}
	return false;
}

static bool
entry_take(struct weir_slice *bytes, uint64_t *slot_out, struct weir_volume *volume_out)
{
	return varint_take(bytes, slot_out) && *slot_out < BASELINES_A_PAGE && varint_take(bytes, &volume_out->up) &&
	       varint_take(bytes, &volume_out->down) && varint_take(bytes, &volume_out->records) &&
	       varint_take(bytes, &volume_out->sessions);
}

bool
baselines_read(struct weir_slice bytes, struct baselines_page *page_out)
{
	memset(page_out->found, 0, sizeof(page_out->found));
	while (bytes.len > 0) {
		uint64_t slot;
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
		uint64_t of;
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

static uint64_t
difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
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
		point->volume = (struct weir_volume){difference(end.up, point->at.up), difference(end.down, point->at.down),
		    difference(end.records, point->at.records), difference(end.sessions, point->at.sessions)};
		next = point;
	}
}

static uint64_t
add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void
volume_add(struct weir_volume *sum, const struct weir_volume *more)
{
	sum->up = add_saturating(sum->up, more->up);
	sum->down = add_saturating(sum->down, more->down);
	sum->records = add_saturating(sum->records, more->records);
	sum->sessions = add_saturating(sum->sessions, more->sessions);
}
