/*
 * A pool's members: the pool local's list in each partition, card by card along the lifecycle slots (docs/pools.md). Pages
 * of lifecycle slots are kept while one question runs, because members that came together lie together.
 *
 * The list may change under the scan. A card that is no longer in the pool local ends this way: the scan goes back to the
 * last card it listed, and from there on; if that one left as well, it begins the partition again. So a card that is a
 * member all the time is listed, and one may be listed twice. A bound on steps ends a list that has become a ring between
 * two flushes.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define STEPS_A_CALL 65536u
#define BATCH 256u
#define PAGES_KEPT 32u
#define RESTARTS_MAX 3
#define LIFECYCLE_BYTES ((uint32_t)sizeof(struct weir_lifecycle_slot))

struct lifecycle_page {
	bool kept;
	uint32_t page;
	uint8_t bytes[WEIR_SLAB_PAGE_BYTES];
	size_t len;
};
struct member_scan {
	struct search *search;
	const struct pool_local_raw *pool_local;
	struct lifecycle_page *pages; /* by page number, modulo */
	uint32_t steps, restarts;
};

static enum weir_read
lifecycle_at(struct member_scan *member_scan, uint32_t slot, struct weir_lifecycle_slot *lifecycle, struct weir_error *err)
{
	uint32_t page = slot / slots_a_page(LIFECYCLE_BYTES);
	struct lifecycle_page *kept = &member_scan->pages[page % PAGES_KEPT];
	if (!kept->kept || kept->page != page) {
		struct weir_reader *reader = member_scan->search->reader;
		query_clear(reader);
		uint32_t command = query_get(reader, member_scan->pool_local->partition, "l:%u", page);
		enum weir_read answer = query_send(reader, err);
		if (answer != WEIR_READ_OK)
			return answer;
		struct weir_slice bytes = query_bytes(reader, command);
		kept->kept = true;
		kept->page = page;
		kept->len = bytes.len < sizeof(kept->bytes) ? bytes.len : sizeof(kept->bytes);
		memcpy(kept->bytes, bytes.data, kept->len);
	}
	(void)slot_of_page((struct weir_slice){kept->bytes, kept->len}, slot, LIFECYCLE_BYTES, lifecycle);
	return WEIR_READ_OK;
}

static void
forget_pages(struct member_scan *member_scan)
{
	for (uint32_t i = 0; i < PAGES_KEPT; i++)
		member_scan->pages[i].kept = false;
}

static bool
is_member(const struct member_scan *member_scan, const struct weir_lifecycle_slot *lifecycle)
{
	return lifecycle->pool_local == member_scan->pool_local->index + 1;
}

/* The place is no longer in the list: on from the last card listed, else from the beginning. Places are slots + 1. */
static enum weir_read
find_way_back(struct member_scan *member_scan, struct weir_error *err)
{
	struct cursor *at = &member_scan->search->at;
	struct weir_lifecycle_slot lifecycle;
	forget_pages(member_scan);
	if (at->b != 0 && at->b <= UINT32_MAX) {
		enum weir_read answer = lifecycle_at(member_scan, (uint32_t)at->b - 1, &lifecycle, err);
		if (answer != WEIR_READ_OK)
			return answer;
		if (is_member(member_scan, &lifecycle) && lifecycle.next != at->a) {
			at->a = lifecycle.next;
			return WEIR_READ_OK;
		}
	}
	if (++member_scan->restarts > RESTARTS_MAX)
		return read_fail(err, WEIR_READ_AWAY, "the pool's members change faster than they can be read");
	at->a = member_scan->pool_local->slot.first;
	at->b = 0;
	return WEIR_READ_OK;
}

/* Up to `room` places along the list into slots; *count_out 0: the partition's list is at its end. */
static enum weir_read
scan_some(struct member_scan *member_scan, uint32_t *slots, uint32_t room, uint32_t *count_out, struct weir_error *err)
{
	struct cursor *at = &member_scan->search->at;
	*count_out = 0;
	while (at->a != 0 && *count_out < room) {
		struct weir_lifecycle_slot lifecycle;
		bool bad = at->a > UINT32_MAX;
		enum weir_read answer =
		    bad ? WEIR_READ_OK : lifecycle_at(member_scan, (uint32_t)at->a - 1, &lifecycle, err);
		if (answer == WEIR_READ_OK && (bad || !is_member(member_scan, &lifecycle)))
			answer = find_way_back(member_scan, err);
		else if (answer == WEIR_READ_OK) {
			slots[(*count_out)++] = (uint32_t)at->a - 1;
			at->b = at->a;
			at->a = lifecycle.next;
			at->c++;
			member_scan->steps++;
		}
		if (answer != WEIR_READ_OK)
			return answer;
	}
	return WEIR_READ_OK;
}

static enum weir_read
take_some(struct member_scan *member_scan, const uint32_t *slots, uint32_t count, struct weir_error *err)
{
	struct search *search = member_scan->search;
	struct slot_want wants[BATCH * 2];
	struct weir_card_slot cards[BATCH];
	struct weir_lifecycle_slot lifecycles[BATCH];
	uint32_t partition = member_scan->pool_local->partition, carrier = 0, plan = 0;
	for (uint32_t i = 0; i < count; i++) {
		wants[2 * i] = (struct slot_want){partition, 'c', slots[i], sizeof(cards[i]), &cards[i]};
		wants[2 * i + 1] = (struct slot_want){partition, 'l', slots[i], sizeof(lifecycles[i]), &lifecycles[i]};
	}
	enum weir_read answer = slots_fetch(search->reader, wants, 2 * count, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		carrier = cards[i].carrier > carrier ? cards[i].carrier : carrier;
		plan = cards[i].plan > plan ? cards[i].plan : plan;
	}
	if (answer == WEIR_READ_OK)
		answer = search_names(search->reader, partition, carrier, plan, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		search->examined++;
		if (search_matches(search, partition, &cards[i], &lifecycles[i]))
			search_push(search, partition, slots[i], cards[i].iccid);
	}
	return answer;
}

/* Where the partition's scan begins, or goes on. */
static enum weir_read
scan_partition(struct member_scan *member_scan, struct weir_error *err)
{
	struct search *search = member_scan->search;
	struct cursor *at = &search->at;
	uint64_t most = 2 * (uint64_t)member_scan->pool_local->slot.members + 1000;
	uint32_t slots[BATCH], count;
	enum weir_read answer = WEIR_READ_OK;
	if (at->a == 0)
		at->a = member_scan->pool_local->slot.first;
	while (search->count < search->max && member_scan->steps < STEPS_A_CALL && answer == WEIR_READ_OK) {
		uint32_t room = search->max - search->count < BATCH ? search->max - search->count : BATCH;
		answer = scan_some(member_scan, slots, room, &count, err);
		if (answer == WEIR_READ_OK && count > 0)
			answer = take_some(member_scan, slots, count, err);
		if (answer == WEIR_READ_OK && (at->a == 0 || at->c > most)) {
			*at = (struct cursor){.partition = member_scan->pool_local->partition + 1};
			break;
		}
	}
	return answer;
}

enum weir_read
search_members(struct search *search, const struct pool_raw *pool, struct weir_error *err)
{
	struct member_scan member_scan = {.search = search};
	enum weir_read answer = WEIR_READ_OK;
	member_scan.pages = weir_calloc(PAGES_KEPT, sizeof(*member_scan.pages));
	uint32_t i = 0;
	for (; i < pool->pool_local_count && answer == WEIR_READ_OK; i++) {
		member_scan.pool_local = &pool->pool_locals[i];
		if (member_scan.pool_local->partition < search->at.partition)
			continue;
		if (search->count == search->max || member_scan.steps >= STEPS_A_CALL)
			break;
		if (member_scan.pool_local->partition > search->at.partition)
			search->at = (struct cursor){.partition = member_scan.pool_local->partition};
		forget_pages(&member_scan);
		answer = scan_partition(&member_scan, err);
		if (search->at.partition <= member_scan.pool_local->partition)
			break; /* the page is full in the middle of it */
	}
	search->done = i == pool->pool_local_count;
	free(member_scan.pages);
	return answer;
}
