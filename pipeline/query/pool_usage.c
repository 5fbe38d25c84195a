/*
 * A pool's usage by window (ROL-1, ROL-2): the sum over its pool locals, one in each partition that has members of it.
 *
 * A pool local holds two cycles, and its hours are kept only as long as late records may change them (the dedupe horizon
 * and a day). Older windows are read from the pool's own partition, which keeps the sums of what the partitions reported to
 * it (strings uh and ud, docs/rollups.md "A pool's windows").
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define CLOSED_CYCLE_BYTES ((uint32_t)sizeof(struct weir_closed_cycle_slot))
#define CLOSED_CYCLES_A_PAGE (WEIR_SLAB_PAGE_BYTES / CLOSED_CYCLE_BYTES)

static struct weir_volume
total_of_pool_local(void *ctx, int32_t cycle)
{
	return pool_local_volume(ctx, cycle);
}

static void
query_pool_local_baselines(struct weir_reader *reader, const struct pool_local_raw *pool_local, bool day, int32_t number)
{
	(void)query_get(
	    reader, pool_local->partition, "%s:%d:%u", day ? "vd" : "vh", number, pool_local->index / BASELINES_A_PAGE);
}

/* Rows before `from` come from the pool's own partition. */
static uint32_t
query_pool_local(
    struct weir_reader *reader, const struct pool_local_raw *pool_local, const struct span_plan *plan, uint32_t from)
{
	const uint32_t size = sizeof(struct weir_pool_local_slot);
	uint32_t first = query_range(reader, pool_local->partition, pool_local->index % slots_a_page(size) * size, size,
	    "a:%u", pool_local->index / slots_a_page(size));
	for (uint32_t i = from; i < plan->count; i++)
		query_pool_local_baselines(reader, pool_local, plan->span == WEIR_SPAN_DAY, plan->rows[i].window.number);
	for (uint32_t i = 0; i < plan->tail_count; i++)
		query_pool_local_baselines(reader, pool_local, plan->tail[i].day, plan->tail[i].number);
	return first;
}

static enum weir_read
take_pool_local(struct weir_reader *reader, const struct pool_local_raw *pool_local, const struct span_plan *plan,
    uint32_t from, uint32_t first, struct weir_error *err)
{
	struct weir_pool_local_slot slot;
	uint32_t rows = plan->count - from, count = rows + plan->tail_count;
	struct baseline_point *points = arena_take(&reader->arena, count + 1, sizeof(*points));
	(void)slot_of_page(query_bytes(reader, first), 0, sizeof(slot), &slot);
	if (memcmp(slot.pool, pool_local->slot.pool, sizeof(slot.pool)) != 0)
		return read_fail(err, WEIR_READ_AWAY, "the pool's slot has changed: Redis has lost writes");
	for (uint32_t i = 0; i < count; i++) {
		points[i].cycle = i < rows ? plan->rows[from + i].cycle : plan->tail[i - rows].cycle;
		if (!baselines_find(query_bytes(reader, first + 1 + i), pool_local->index, &points[i].found, &points[i].at))
			return read_fail(err, WEIR_READ_BROKEN,
			    "a string of pool locals' baselines (v) of partition %u in Redis is no list of baselines",
			    pool_local->partition);
	}
	baselines_to_volumes(points, count, total_of_pool_local, &slot);
	for (uint32_t i = 0; i < rows; i++)
		volume_add(&plan->rows[from + i].volume, &points[i].volume);
	return WEIR_READ_OK;
}

static enum weir_read
sum_pool_locals(struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan, uint32_t from,
    struct weir_error *err)
{
	uint32_t *firsts = arena_take(&reader->arena, pool->pool_local_count + 1, sizeof(*firsts));
	query_clear(reader);
	for (uint32_t i = 0; i < pool->pool_local_count; i++)
		firsts[i] = query_pool_local(reader, &pool->pool_locals[i], plan, from);
	enum weir_read answer = query_send_together(reader, err);
	for (uint32_t i = 0; i < pool->pool_local_count && answer == WEIR_READ_OK; i++)
		answer = take_pool_local(reader, &pool->pool_locals[i], plan, from, firsts[i], err);
	return answer;
}

/* ---- older windows ---- */

static enum weir_read
take_reported(struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan, uint32_t count,
    struct weir_error *err)
{
	query_clear(reader);
	for (uint32_t i = 0; i < count; i++)
		(void)query_get(reader, pool->partition, "%s:%d:%u", plan->span == WEIR_SPAN_DAY ? "ud" : "uh",
		    plan->rows[i].window.number, pool->slot / BASELINES_A_PAGE);
	enum weir_read answer = query_send(reader, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		bool found;
		if (!baselines_find(query_bytes(reader, i), pool->slot, &found, &plan->rows[i].volume))
			answer = read_fail(err, WEIR_READ_BROKEN,
			    "a string of pools' windows (u) of partition %u in Redis is no list", pool->partition);
	}
	return answer;
}

/* ---- cycles ---- */

static enum weir_read
cycles_of(struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan, int32_t current,
    struct weir_error *err)
{
	query_clear(reader);
	for (uint32_t i = 0; i < plan->count; i++)
		(void)query_range(reader, pool->partition, pool->slot % CLOSED_CYCLES_A_PAGE * CLOSED_CYCLE_BYTES,
		    CLOSED_CYCLE_BYTES, "z:%d:%u", plan->rows[i].cycle, pool->slot / CLOSED_CYCLES_A_PAGE);
	enum weir_read answer = plan->count > 0 ? query_send(reader, err) : WEIR_READ_OK;
	for (uint32_t i = 0; i < plan->count && answer == WEIR_READ_OK; i++) {
		struct weir_usage_row *row = &plan->rows[i];
		struct weir_slice bytes = query_bytes(reader, i);
		struct weir_closed_cycle_slot closed_cycles = {0};
		if (pool->found && bytes.len >= sizeof(closed_cycles))
			memcpy(&closed_cycles, bytes.data, sizeof(closed_cycles));
		row->volume = (struct weir_volume){
		    closed_cycles.up, closed_cycles.down, closed_cycles.records, closed_cycles.sessions};
		if (row->cycle < current - 1)
			continue;
		/* Fresher than what the pool knows. */
		row->volume = (struct weir_volume){0};
		for (uint32_t k = 0; k < pool->pool_local_count; k++) {
			struct weir_volume volume = pool_local_volume(&pool->pool_locals[k].slot, row->cycle);
			volume_add(&row->volume, &volume);
		}
	}
	return answer;
}

/* The first row that all pool locals still hold: its cycle, and its hour for as long as a late record may come. */
static uint32_t
first_held(const struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan)
{
	int64_t late_us = read_now_us(reader) - (int64_t)reader->opts.settings->dedupe_horizon_h * INT64_C(3600000000);
	int32_t newest = 0;
	for (uint32_t i = 0; i < pool->pool_local_count; i++)
		if (pool->pool_locals[i].slot.cycle > newest)
			newest = pool->pool_locals[i].slot.cycle;
	uint32_t from = 0;
	while (from < plan->count && (plan->rows[from].cycle < newest - 1 ||
					 (plan->span == WEIR_SPAN_HOUR && plan->rows[from].window.start_us < late_us)))
		from++;
	return from;
}

enum weir_read
weir_read_pool_usage(struct weir_reader *reader, const char *id, enum weir_span span, int64_t from_us, int64_t to_us,
    struct weir_usage_rows *rows_out, struct weir_error *err)
{
	struct pool_raw pool;
	struct span_plan plan;
	enum weir_read answer = pool_find(reader, id, &pool, err);
	if (answer != WEIR_READ_OK)
		return answer;
	const struct partition_carrier *carrier = pool_carrier(reader, &pool);
	answer = windows_plan(reader, carrier, span, from_us, to_us, true, &plan, err);
	if (answer != WEIR_READ_OK)
		return answer;
	if (span == WEIR_SPAN_CYCLE) {
		answer = cycles_of(reader, &pool, &plan, card_cycle_now(reader, carrier, 0).number, err);
	} else {
		uint32_t held = first_held(reader, &pool, &plan);
		if (held < plan.count)
			answer = sum_pool_locals(reader, &pool, &plan, held, err);
		if (answer == WEIR_READ_OK && held > 0 && pool.found)
			answer = take_reported(reader, &pool, &plan, held, err);
	}
	*rows_out = (struct weir_usage_rows){
	    span, arena_text(&reader->arena, carrier->ref.zone, strlen(carrier->ref.zone)), plan.rows, plan.count};
	return answer;
}
