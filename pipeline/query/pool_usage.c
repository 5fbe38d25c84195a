/*
 * A pool's usage by window (ROL-1, ROL-2): the sum over its accounts, one in each partition that has members of it.
 *
 * An account holds two cycles, and its hours are kept only as long as late records may change them (the dedupe horizon and
 * a day). Older windows are read from the pool's own partition, which keeps the sums of what the partitions told it
 * (strings uh and ud, docs/rollups.md "A pool's windows").
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/read_priv.h"

#define PAST_BYTES ((uint32_t)sizeof(struct weir_past_slot))
#define PAST_A_PAGE (WEIR_PAGE_BYTES / PAST_BYTES)

static struct weir_volume
total_of_account(void *ctx, int32_t cycle)
{
	return account_volume(ctx, cycle);
}

static void
ask_account_bases(struct weir_reader *reader, const struct account_raw *account, bool day, int32_t number)
{
	(void)ask_get(reader, account->partition, "%s:%d:%u", day ? "vd" : "vh", number, account->index / BASES_A_PAGE);
}

/* Rows before `from` are told by the pool's own partition. */
static uint32_t
ask_account(struct weir_reader *reader, const struct account_raw *account, const struct span_plan *plan, uint32_t from)
{
	const uint32_t size = sizeof(struct weir_account_slot);
	uint32_t first = ask_range(reader, account->partition, account->index % slots_a_page(size) * size, size, "a:%u",
	    account->index / slots_a_page(size));
	for (uint32_t i = from; i < plan->count; i++)
		ask_account_bases(reader, account, plan->span == WEIR_SPAN_DAY, plan->rows[i].window.number);
	for (uint32_t i = 0; i < plan->tail_count; i++)
		ask_account_bases(reader, account, plan->tail[i].day, plan->tail[i].number);
	return first;
}

static enum weir_read
take_account(struct weir_reader *reader, const struct account_raw *account, const struct span_plan *plan, uint32_t from,
    uint32_t first, struct weir_error *err)
{
	struct weir_account_slot slot;
	uint32_t rows = plan->count - from, count = rows + plan->tail_count;
	struct base_point *points = arena_take(&reader->arena, count + 1, sizeof(*points));
	(void)slot_of_page(ask_bytes(reader, first), 0, sizeof(slot), &slot);
	if (memcmp(slot.pool, account->slot.pool, sizeof(slot.pool)) != 0)
		return read_fail(err, WEIR_READ_AWAY, "the pool's place has changed: Redis has forgotten something");
	for (uint32_t i = 0; i < count; i++) {
		points[i].cycle = i < rows ? plan->rows[from + i].cycle : plan->tail[i - rows].cycle;
		if (!bases_find(ask_bytes(reader, first + 1 + i), account->index, &points[i].found, &points[i].at))
			return read_fail(err, WEIR_READ_BROKEN,
			    "a string of accounts' bases (v) of partition %u in Redis is no list of bases",
			    account->partition);
	}
	bases_to_volumes(points, count, total_of_account, &slot);
	for (uint32_t i = 0; i < rows; i++)
		volume_add(&plan->rows[from + i].volume, &points[i].volume);
	return WEIR_READ_OK;
}

static enum weir_read
sum_accounts(struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan, uint32_t from,
    struct weir_error *err)
{
	uint32_t *firsts = arena_take(&reader->arena, pool->account_count + 1, sizeof(*firsts));
	ask_clear(reader);
	for (uint32_t i = 0; i < pool->account_count; i++)
		firsts[i] = ask_account(reader, &pool->accounts[i], plan, from);
	enum weir_read answer = ask_send_together(reader, err);
	for (uint32_t i = 0; i < pool->account_count && answer == WEIR_READ_OK; i++)
		answer = take_account(reader, &pool->accounts[i], plan, from, firsts[i], err);
	return answer;
}

/* ---- older windows ---- */

static enum weir_read
take_told(struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan, uint32_t count,
    struct weir_error *err)
{
	ask_clear(reader);
	for (uint32_t i = 0; i < count; i++)
		(void)ask_get(reader, pool->partition, "%s:%d:%u", plan->span == WEIR_SPAN_DAY ? "ud" : "uh",
		    plan->rows[i].window.number, pool->slot / BASES_A_PAGE);
	enum weir_read answer = ask_send(reader, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		bool found;
		if (!bases_find(ask_bytes(reader, i), pool->slot, &found, &plan->rows[i].volume))
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
	ask_clear(reader);
	for (uint32_t i = 0; i < plan->count; i++)
		(void)ask_range(reader, pool->partition, pool->slot % PAST_A_PAGE * PAST_BYTES, PAST_BYTES, "z:%d:%u",
		    plan->rows[i].cycle, pool->slot / PAST_A_PAGE);
	enum weir_read answer = plan->count > 0 ? ask_send(reader, err) : WEIR_READ_OK;
	for (uint32_t i = 0; i < plan->count && answer == WEIR_READ_OK; i++) {
		struct weir_usage_row *row = &plan->rows[i];
		struct weir_slice bytes = ask_bytes(reader, i);
		struct weir_past_slot past = {0};
		if (pool->found && bytes.len >= sizeof(past))
			memcpy(&past, bytes.data, sizeof(past));
		row->volume = (struct weir_volume){past.up, past.down, past.records, past.sessions};
		if (row->cycle < current - 1)
			continue;
		/* Fresher than what the pool was told. */
		row->volume = (struct weir_volume){0};
		for (uint32_t k = 0; k < pool->account_count; k++) {
			struct weir_volume volume = account_volume(&pool->accounts[k].slot, row->cycle);
			volume_add(&row->volume, &volume);
		}
	}
	return answer;
}

/* The first row that all accounts still hold: its cycle, and its hour for as long as a late record may come. */
static uint32_t
first_held(const struct weir_reader *reader, const struct pool_raw *pool, const struct span_plan *plan)
{
	int64_t late_us = read_now_us(reader) - (int64_t)reader->opts.settings->dedupe_horizon_h * INT64_C(3600000000);
	int32_t newest = 0;
	for (uint32_t i = 0; i < pool->account_count; i++)
		if (pool->accounts[i].slot.cycle > newest)
			newest = pool->accounts[i].slot.cycle;
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
	const struct part_carrier *carrier = pool_carrier(reader, &pool);
	answer = windows_plan(reader, carrier, span, from_us, to_us, true, &plan, err);
	if (answer != WEIR_READ_OK)
		return answer;
	if (span == WEIR_SPAN_CYCLE) {
		answer = cycles_of(reader, &pool, &plan, card_cycle_now(reader, carrier, 0).number, err);
	} else {
		uint32_t held = first_held(reader, &pool, &plan);
		if (held < plan.count)
			answer = sum_accounts(reader, &pool, &plan, held, err);
		if (answer == WEIR_READ_OK && held > 0 && pool.found)
			answer = take_told(reader, &pool, &plan, held, err);
	}
	*rows_out = (struct weir_usage_rows){
	    span, arena_text(&reader->arena, carrier->ref.zone, strlen(carrier->ref.zone)), plan.rows, plan.count};
	return answer;
}
