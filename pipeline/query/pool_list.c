/* Pools page by page: the slots of all partitions in order, a bounded number a call; see query.h. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define PAGES_A_CALL 256u /* of pools: 7,900 */
#define POOL_BYTES ((uint32_t)sizeof(struct weir_pool_slot))
#define POOLS_A_PAGE (WEIR_SLAB_PAGE_BYTES / POOL_BYTES)

struct pool_search {
	struct weir_reader *reader;
	const struct weir_pool_query *query;
	struct cursor at;
	uint32_t max;
	struct pool_raw *pools;
	uint32_t count;
	uint64_t examined;
};

static bool
pool_matches(const struct pool_search *search, const struct weir_pool_slot *pool)
{
	const struct weir_pool_query *q = search->query;
	uint32_t partition = search->at.partition;
	const struct partition_carrier *carrier = partition_carrier(search->reader, partition, pool->carrier);
	const struct partition_plan *plan = partition_plan(search->reader, partition, pool->plan);
	bool defined = (pool->flags & WEIR_POOL_DEFINED) != 0;
	if (q->reasons != 0 && (pool->reasons & q->reasons) == 0)
		return false;
	if (q->statuses != 0 && (!defined || pool->status > WEIR_POOL_DISABLED || (q->statuses >> pool->status & 1) == 0))
		return false;
	if (q->kinds != 0 && (!defined || pool->kind > WEIR_PLAN_METERED || (q->kinds >> pool->kind & 1) == 0))
		return false;
	if (!search_any(q->carrier) && (carrier == NULL || strcmp(carrier->id, q->carrier) != 0))
		return false;
	return search_any(q->plan) || (plan != NULL && strcmp(plan->id, q->plan) == 0);
}

static bool
contains(const char *text, const char *partition_meta)
{
	size_t len = strlen(partition_meta);
	for (; *text != '\0'; text++)
		if (strncasecmp(text, partition_meta, len) == 0)
			return true;
	return false;
}

/* Candidates of a page whose id does not match by name: their definitions tell. */
static enum weir_read
keep_named(struct pool_search *search, struct pool_raw *candidates, uint32_t *count, struct weir_error *err)
{
	struct weir_reader *reader = search->reader;
	uint32_t kept = 0;
	query_clear(reader);
	for (uint32_t i = 0; i < *count; i++)
		(void)query_field(reader, candidates[i].partition, "r", "pool:%s", candidates[i].id);
	enum weir_read answer = *count > 0 ? query_send(reader, err) : WEIR_READ_OK;
	for (uint32_t i = 0; i < *count && answer == WEIR_READ_OK; i++) {
		struct weir_slice bytes = query_bytes(reader, i);
		json_t *json = bytes.len > 0 ? json_loadb((const char *)bytes.data, bytes.len, 0, NULL) : NULL;
		const char *name = json_string_value(json_object_get(json, "name"));
		if (contains(candidates[i].id, search->query->name) ||
		    (name != NULL && contains(name, search->query->name)))
			candidates[kept++] = candidates[i];
		json_decref(json);
	}
	*count = kept;
	return answer;
}

static uint32_t
take_page(struct pool_search *search, struct weir_slice page, uint32_t from, uint32_t to, struct pool_raw *candidates)
{
	uint32_t count = 0;
	for (uint32_t slot = from; slot < to; slot++) {
		struct pool_raw raw = {.found = true, .partition = search->at.partition, .slot = slot};
		if (!slot_of_page(page, slot, POOL_BYTES, &raw.pool) || raw.pool.id[0] == '\0' ||
		    strnlen(raw.pool.id, WEIR_ID_MAX) == WEIR_ID_MAX)
			continue;
		search->examined++;
		memcpy(raw.id, raw.pool.id, sizeof(raw.id));
		if (pool_matches(search, &raw.pool))
			candidates[count++] = raw;
	}
	return count;
}

/* One page of slots; the place moves on behind what was taken of it. */
static enum weir_read
scan_page(struct pool_search *search, uint32_t slots, struct weir_error *err)
{
	struct weir_reader *reader = search->reader;
	struct pool_raw candidates[POOLS_A_PAGE];
	uint32_t from = (uint32_t)search->at.a, page = from / POOLS_A_PAGE;
	uint32_t to = (page + 1) * POOLS_A_PAGE < slots ? (page + 1) * POOLS_A_PAGE : slots;
	query_clear(reader);
	uint32_t command = query_get(reader, search->at.partition, "q:%u", page);
	enum weir_read answer = query_send(reader, err);
	if (answer != WEIR_READ_OK)
		return answer;
	uint32_t count = take_page(search, query_bytes(reader, command), from, to, candidates);
	if (!search_any(search->query->name))
		answer = keep_named(search, candidates, &count, err);
	search->at.a = to;
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		if (search->count == search->max) {
			search->at.a = candidates[i].slot;
			break;
		}
		search->pools[search->count++] = candidates[i];
	}
	return answer;
}

static enum weir_read
scan_pools_page(struct pool_search *search, struct weir_error *err)
{
	enum weir_read answer = WEIR_READ_OK;
	for (uint32_t pages = 0; pages < PAGES_A_CALL && search->count < search->max && answer == WEIR_READ_OK;) {
		if (search->at.partition >= search->reader->partitions)
			break;
		uint32_t slots = search->reader->partition_metas[search->at.partition].slots[WEIR_SLAB_POOLS];
		if (search->at.a >= slots) {
			search->at = (struct cursor){.partition = search->at.partition + 1};
			continue;
		}
		answer = scan_page(search, slots, err);
		pages++;
	}
	return answer;
}

static uint64_t
query_hash(const struct weir_pool_query *q)
{
	const char *const texts[] = {q->carrier, q->plan, q->name};
	struct weir_buf buf = {0};
	weir_buf_printf(&buf, "pools %u %u %u ", q->reasons, q->statuses, q->kinds);
	for (size_t i = 0; i < 3; i++)
		weir_buf_append(
		    &buf, search_any(texts[i]) ? "" : texts[i], search_any(texts[i]) ? 1 : strlen(texts[i]) + 1);
	uint64_t hash = cursor_query((struct weir_slice){buf.data, buf.len});
	weir_buf_free(&buf);
	return hash;
}

enum weir_read
weir_read_pools(struct weir_reader *reader, const struct weir_pool_query *query, const char *cursor, uint32_t max,
    struct weir_pool_page *page_out, struct weir_error *err)
{
	struct pool_search search = {.reader = reader, .query = query, .max = max};
	uint64_t hash = query_hash(query);
	enum weir_read answer = cursor_read(cursor, hash, &search.at, err); /* it may be the page's own `next` */
	*page_out = (struct weir_pool_page){0};
	if (answer == WEIR_READ_OK)
		answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK && (max == 0 || max > WEIR_PAGE_MAX))
		answer = read_fail(err, WEIR_READ_REFUSED, "limit: must be from 1 to %u", WEIR_PAGE_MAX);
	if (answer == WEIR_READ_OK)
		answer = partitions_refresh(reader, NULL, err);
	if (answer != WEIR_READ_OK)
		return answer;
	search.pools = arena_take(&reader->arena, max + 1, sizeof(*search.pools));
	answer = scan_pools_page(&search, err);
	if (answer == WEIR_READ_OK && search.count > 0)
		answer = pools_load(reader, search.pools, search.count, err);
	if (answer != WEIR_READ_OK)
		return answer;
	struct weir_pool_view *views = arena_take(&reader->arena, search.count + 1, sizeof(*views));
	for (uint32_t i = 0; i < search.count; i++)
		pool_view_make(reader, &search.pools[i], &views[i]);
	page_out->pools = views;
	page_out->count = search.count;
	page_out->examined = search.examined;
	if (search.at.partition < reader->partitions)
		cursor_write(&search.at, hash, page_out->next);
	return WEIR_READ_OK;
}
