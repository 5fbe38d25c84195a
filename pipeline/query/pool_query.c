/*
 * Pools as shown (POOL-6): the pool's slot in its own partition, and its pool locals in the partitions of its cards, whose
 * sum is its usage no older than a flush (the pool's own sum lags by what is under way, docs/pools.md).
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

/* ---- sums over pool locals ---- */

struct weir_volume
pool_local_volume(const struct weir_pool_local_slot *pool_local, int32_t cycle)
{
	if (pool_local->cycle == cycle)
		return (struct weir_volume){pool_local->up, pool_local->down, pool_local->records, pool_local->sessions};
	if (pool_local->cycle == cycle + 1)
		return (struct weir_volume){pool_local->before_up, pool_local->before_down, pool_local->before_records,
		    pool_local->before_sessions};
	return (struct weir_volume){0};
}

/* A pool without a definition has no clock: the newest cycle that any partition counts in. */
static int32_t
cycle_of(const struct pool_raw *raw)
{
	int32_t cycle = raw->pool.cycle;
	for (uint32_t i = 0; cycle == 0 && i < raw->pool_local_count; i++)
		if (raw->pool_locals[i].slot.cycle > cycle)
			cycle = raw->pool_locals[i].slot.cycle;
	return cycle;
}

/* ---- finding ---- */

/* The pool locals of `count` pools in all partitions, where there are any. */
static enum weir_read
find_pool_locals(struct weir_reader *reader, struct pool_raw *pools, uint32_t count, struct weir_error *err)
{
	uint32_t partition_metas = reader->partitions, n = 0;
	struct id_lookup *wants = arena_take(&reader->arena, (size_t)count * partition_metas + 1, sizeof(*wants));
	struct weir_pool_local_slot *slots =
	    arena_take(&reader->arena, (size_t)count * partition_metas + 1, sizeof(*slots));
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t p = 0; p < partition_metas; p++, n++)
			wants[n] = (struct id_lookup){.partition = p, .tag = 'a', .id = pools[i].id, .out = &slots[n]};
	enum weir_read answer = id_index_find(reader, wants, n, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		pools[i].pool_locals = arena_take(&reader->arena, partition_metas, sizeof(*pools[i].pool_locals));
		for (uint32_t p = 0; p < partition_metas; p++) {
			const struct id_lookup *want = &wants[(size_t)i * partition_metas + p];
			if (want->found)
				pools[i].pool_locals[pools[i].pool_local_count++] =
				    (struct pool_local_raw){p, want->slot, slots[(size_t)i * partition_metas + p]};
		}
	}
	return answer;
}

/* A word on where a definition lies: with the pool, whether or not a slot was made for it yet. */
static enum weir_read
load_definitions(struct weir_reader *reader, struct pool_raw *pools, uint32_t count, struct weir_error *err)
{
	for (uint32_t i = 0; i < count; i++) {
		want_carrier(reader, pools[i].partition, pools[i].pool.carrier);
		want_plan(reader, pools[i].partition, pools[i].pool.plan);
		for (uint32_t k = 0; pools[i].pool.carrier == 0 && k < pools[i].pool_local_count; k++)
			want_carrier(
			    reader, pools[i].pool_locals[k].partition, pool_local_carrier(&pools[i].pool_locals[k].slot));
	}
	query_clear(reader);
	for (uint32_t i = 0; i < count; i++)
		(void)query_field(reader, pools[i].partition, "r", "pool:%s", pools[i].id);
	definitions_query(reader);
	enum weir_read answer = query_send(reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	definitions_take(reader);
	for (uint32_t i = 0; i < count; i++) {
		struct weir_slice json = query_bytes(reader, i);
		pools[i].json = arena_text(&reader->arena, json.data, json.len);
	}
	return WEIR_READ_OK;
}

enum weir_read
pools_load(struct weir_reader *reader, struct pool_raw *pools, uint32_t count, struct weir_error *err)
{
	enum weir_read answer = find_pool_locals(reader, pools, count, err);
	return answer == WEIR_READ_OK ? load_definitions(reader, pools, count, err) : answer;
}

static bool
is_id(const char *id)
{
	size_t len = strnlen(id, WEIR_ID_MAX);
	for (size_t i = 0; i < len; i++)
		if (id[i] <= 0x20 || id[i] >= 0x7f)
			return false;
	return len > 0 && len < WEIR_ID_MAX;
}

/*
 * In the partition of its id; else in any, for messages that came by another partitioner. A pool that cards name but nobody
 * owns yet (its partition is behind) is one all the same.
 */
enum weir_read
pool_find(struct weir_reader *reader, const char *id, struct pool_raw *raw, struct weir_error *err)
{
	*raw = (struct pool_raw){0};
	enum weir_read answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK)
		answer = partitions_refresh(reader, NULL, err);
	if (answer != WEIR_READ_OK)
		return answer;
	if (!is_id(id))
		return read_fail(
		    err, WEIR_READ_MISSING, "no pool of that id: an id has 1 to %d printable characters", WEIR_ID_MAX - 1);
	memcpy(raw->id, id, strlen(id) + 1);
	uint32_t home = weir_read_partition_of(weir_slice_of(id), reader->partitions);
	for (uint32_t i = 0; i < reader->partitions && !raw->found && answer == WEIR_READ_OK; i++) {
		struct id_lookup want = {
		    .partition = (home + i) % reader->partitions, .tag = 'q', .id = raw->id, .out = &raw->pool};
		answer = id_index_find(reader, &want, 1, err);
		raw->found = want.found;
		raw->partition = want.found ? want.partition : home;
		raw->slot = want.found ? want.slot : 0;
	}
	if (!raw->found)
		raw->pool = (struct weir_pool_slot){.threshold_bytes = WEIR_NO_LIMIT, .effective_total = UINT64_MAX};
	if (answer == WEIR_READ_OK)
		answer = pools_load(reader, raw, 1, err);
	if (answer == WEIR_READ_OK && !raw->found && raw->pool_local_count == 0)
		return read_fail(err, WEIR_READ_MISSING, "no pool %s", id);
	return answer;
}

const struct partition_carrier *
pool_carrier(const struct weir_reader *reader, const struct pool_raw *raw)
{
	const struct partition_carrier *carrier = partition_carrier(reader, raw->partition, raw->pool.carrier);
	for (uint32_t i = 0; carrier == NULL && i < raw->pool_local_count; i++)
		carrier =
		    partition_carrier(reader, raw->pool_locals[i].partition, pool_local_carrier(&raw->pool_locals[i].slot));
	return carrier;
}

/* ---- the view ---- */

static void
view_definition(struct weir_reader *reader, const struct pool_raw *raw, struct weir_pool_view *view)
{
	json_t *json = raw->json[0] == '\0' ? NULL : json_loads(raw->json, 0, NULL);
	const json_t *name = json_object_get(json, "name");
	json_t *batches = json_object_get(json, "batches");
	const char **texts = arena_take(&reader->arena, json_array_size(batches) + 1, sizeof(*texts));
	if (json_is_string(name))
		view->name = arena_text(&reader->arena, json_string_value(name), json_string_length(name));
	for (size_t i = 0; i < json_array_size(batches); i++) {
		const json_t *batch = json_array_get(batches, i);
		if (json_is_string(batch))
			texts[view->batch_count++] =
			    arena_text(&reader->arena, json_string_value(batch), json_string_length(batch));
	}
	view->batches = texts;
	json_decref(json);
}

static void
view_cycle(struct weir_reader *reader, const struct pool_raw *raw, struct weir_pool_view *view)
{
	const struct partition_carrier *carrier = pool_carrier(reader, raw);
	int32_t cycle = cycle_of(raw);
	view->zone = "";
	view->mb_bytes = carrier != NULL && carrier->defined ? carrier->ref.mb_bytes : 0;
	view->cycle = (struct weir_window){0, 0, cycle};
	if (carrier == NULL || carrier->zone == NULL || cycle == 0)
		return;
	view->zone = arena_text(&reader->arena, carrier->ref.zone, strlen(carrier->ref.zone));
	view->cycle = weir_zone_cycle_by_number(carrier->zone, carrier->ref.cycle_day, carrier->ref.named_after_end, cycle);
}

/* total - used, cut to what 64 bits with a sign hold. */
static int64_t
remaining_of(uint64_t total, uint64_t used)
{
	uint64_t gap = total >= used ? total - used : used - total;
	if (gap > INT64_MAX)
		gap = INT64_MAX;
	return total >= used ? (int64_t)gap : -(int64_t)gap;
}

static void
view_sums(const struct pool_raw *raw, struct weir_pool_view *view)
{
	const struct weir_pool_slot *pool = &raw->pool;
	uint32_t cards = 0, active = 0;
	for (uint32_t i = 0; i < raw->pool_local_count; i++) {
		struct weir_volume volume = pool_local_volume(&raw->pool_locals[i].slot, view->cycle.number);
		volume_add(&view->used, &volume);
		cards += raw->pool_locals[i].slot.members;
		active += raw->pool_locals[i].slot.active;
	}
	view->cards = raw->found ? pool->members : cards;
	view->effective_cards = raw->found ? pool->active : active;
	view->used_evaluated = pool->used;
	view->effective_total = pool->effective_total;
	view->has_remaining = pool->effective_total != UINT64_MAX;
	if (view->has_remaining)
		view->remaining = remaining_of(pool->effective_total, weir_volume_bytes(&view->used));
	view->addons = pool->addon_cycle == pool->cycle ? pool->addon_bytes : 0;
}

void
pool_view_make(struct weir_reader *reader, const struct pool_raw *raw, struct weir_pool_view *view)
{
	static const char *const statuses[] = {"in_use", "suspended", "disabled"};
	const struct weir_pool_slot *pool = &raw->pool;
	const struct partition_carrier *carrier = pool_carrier(reader, raw);
	const struct partition_plan *plan = partition_plan(reader, raw->partition, pool->plan);
	*view = (struct weir_pool_view){.partition = raw->partition, .slot = raw->slot};
	memcpy(view->id, raw->id, sizeof(view->id));
	view->defined = (pool->flags & WEIR_POOL_DEFINED) != 0;
	view->name = arena_text(&reader->arena, raw->id, strlen(raw->id));
	view_definition(reader, raw, view);
	view->carrier = carrier != NULL ? arena_text(&reader->arena, carrier->id, strlen(carrier->id)) : "";
	view->plan = plan != NULL ? arena_text(&reader->arena, plan->id, strlen(plan->id)) : "";
	view->kind = (enum weir_plan_kind)(pool->kind <= WEIR_PLAN_METERED ? pool->kind : 0);
	view->status_code = (enum weir_pool_status)(pool->status <= WEIR_POOL_DISABLED ? pool->status : 0);
	view->status = view->defined ? statuses[view->status_code] : "undefined";
	view->plan_allowance = plan != NULL && plan->defined ? plan->ref.allowance_bytes : 0;
	view->threshold = view->defined ? pool->threshold_bytes : WEIR_NO_LIMIT;
	view->threshold_suspends = (pool->flags & WEIR_POOL_SUSPENDS) != 0;
	view->reasons = pool->reasons;
	view->frozen = (pool->flags & WEIR_POOL_FROZEN) != 0;
	view->arrears_us = (int64_t)pool->arrears_s * 1000000;
	view->disabled_us = (int64_t)pool->disabled_s * 1000000;
	view->retention_days = pool->retention_days;
	view->changed_us = pool->changed_us;
	view_cycle(reader, raw, view);
	view_sums(raw, view);
}

enum weir_read
weir_read_pool(struct weir_reader *reader, const char *id, const struct weir_pool_view **pool_out, struct weir_error *err)
{
	struct pool_raw raw;
	enum weir_read answer = pool_find(reader, id, &raw, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_pool_view *view = arena_take(&reader->arena, 1, sizeof(*view));
	pool_view_make(reader, &raw, view);
	*pool_out = view;
	return WEIR_READ_OK;
}
