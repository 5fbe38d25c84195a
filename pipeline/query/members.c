/*
 * A pool's members: the account's list in each partition, card by card along the life slots (docs/pools.md). Pages of life
 * slots are kept while one question runs, because members that came together lie together.
 *
 * The list may change under the walk. A card that is no longer in the account ends this way: the walk goes back to the last
 * card it told, and from there on; if that one left as well, it begins the partition again. So a card that is a member all
 * the time is told, and one may be told twice. A bound on steps ends a list that has become a ring between two flushes.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/read_priv.h"

#define STEPS_A_CALL 65536u
#define BATCH 256u
#define PAGES_KEPT 32u
#define RESTARTS_MAX 3
#define LIFE_BYTES ((uint32_t)sizeof(struct weir_life_slot))

struct life_page {
	bool kept;
	uint32_t page;
	uint8_t bytes[WEIR_PAGE_BYTES];
	size_t len;
};
struct walk {
	struct search *search;
	const struct account_raw *account;
	struct life_page *pages; /* by page number, modulo */
	uint32_t steps, restarts;
};

static enum weir_read
life_at(struct walk *walk, uint32_t slot, struct weir_life_slot *life, struct weir_error *err)
{
	uint32_t page = slot / slots_a_page(LIFE_BYTES);
	struct life_page *kept = &walk->pages[page % PAGES_KEPT];
	if (!kept->kept || kept->page != page) {
		struct weir_reader *reader = walk->search->reader;
		ask_clear(reader);
		uint32_t ask = ask_get(reader, walk->account->partition, "l:%u", page);
		enum weir_read answer = ask_send(reader, err);
		if (answer != WEIR_READ_OK)
			return answer;
		struct weir_slice bytes = ask_bytes(reader, ask);
		kept->kept = true;
		kept->page = page;
		kept->len = bytes.len < sizeof(kept->bytes) ? bytes.len : sizeof(kept->bytes);
		memcpy(kept->bytes, bytes.data, kept->len);
	}
	(void)slot_of_page((struct weir_slice){kept->bytes, kept->len}, slot, LIFE_BYTES, life);
	return WEIR_READ_OK;
}

static void
forget_pages(struct walk *walk)
{
	for (uint32_t i = 0; i < PAGES_KEPT; i++)
		walk->pages[i].kept = false;
}

static bool
is_member(const struct walk *walk, const struct weir_life_slot *life)
{
	return life->account == walk->account->index + 1;
}

/* The place is no longer in the list: on from the last card told, else from the beginning. Places are slots + 1. */
static enum weir_read
find_way_back(struct walk *walk, struct weir_error *err)
{
	struct cursor *at = &walk->search->at;
	struct weir_life_slot life;
	forget_pages(walk);
	if (at->b != 0 && at->b <= UINT32_MAX) {
		enum weir_read answer = life_at(walk, (uint32_t)at->b - 1, &life, err);
		if (answer != WEIR_READ_OK)
			return answer;
		if (is_member(walk, &life) && life.next != at->a) {
			at->a = life.next;
			return WEIR_READ_OK;
		}
	}
	if (++walk->restarts > RESTARTS_MAX)
		return read_fail(err, WEIR_READ_AWAY, "the pool's members change faster than they can be read");
	at->a = walk->account->slot.first;
	at->b = 0;
	return WEIR_READ_OK;
}

/* Up to `room` places along the list into slots; *count_out 0: the partition's list is at its end. */
static enum weir_read
walk_some(struct walk *walk, uint32_t *slots, uint32_t room, uint32_t *count_out, struct weir_error *err)
{
	struct cursor *at = &walk->search->at;
	*count_out = 0;
	while (at->a != 0 && *count_out < room) {
		struct weir_life_slot life;
		bool bad = at->a > UINT32_MAX;
		enum weir_read answer = bad ? WEIR_READ_OK : life_at(walk, (uint32_t)at->a - 1, &life, err);
		if (answer == WEIR_READ_OK && (bad || !is_member(walk, &life)))
			answer = find_way_back(walk, err);
		else if (answer == WEIR_READ_OK) {
			slots[(*count_out)++] = (uint32_t)at->a - 1;
			at->b = at->a;
			at->a = life.next;
			at->c++;
			walk->steps++;
		}
		if (answer != WEIR_READ_OK)
			return answer;
	}
	return WEIR_READ_OK;
}

static enum weir_read
take_some(struct walk *walk, const uint32_t *slots, uint32_t count, struct weir_error *err)
{
	struct search *search = walk->search;
	struct slot_want wants[BATCH * 2];
	struct weir_card_slot cards[BATCH];
	struct weir_life_slot lives[BATCH];
	uint32_t partition = walk->account->partition, carrier = 0, plan = 0;
	for (uint32_t i = 0; i < count; i++) {
		wants[2 * i] = (struct slot_want){partition, 'c', slots[i], sizeof(cards[i]), &cards[i]};
		wants[2 * i + 1] = (struct slot_want){partition, 'l', slots[i], sizeof(lives[i]), &lives[i]};
	}
	enum weir_read answer = slots_fetch(search->reader, wants, 2 * count, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		carrier = cards[i].carrier > carrier ? cards[i].carrier : carrier;
		plan = cards[i].plan > plan ? cards[i].plan : plan;
	}
	if (answer == WEIR_READ_OK)
		answer = search_names(search->reader, partition, carrier, plan, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		search->looked_at++;
		if (search_matches(search, partition, &cards[i], &lives[i]))
			search_push(search, partition, slots[i], cards[i].iccid);
	}
	return answer;
}

/* Where the partition's walk begins, or goes on. */
static enum weir_read
walk_partition(struct walk *walk, struct weir_error *err)
{
	struct search *search = walk->search;
	struct cursor *at = &search->at;
	uint64_t most = 2 * (uint64_t)walk->account->slot.members + 1000;
	uint32_t slots[BATCH], count;
	enum weir_read answer = WEIR_READ_OK;
	if (at->a == 0)
		at->a = walk->account->slot.first;
	while (search->count < search->max && walk->steps < STEPS_A_CALL && answer == WEIR_READ_OK) {
		uint32_t room = search->max - search->count < BATCH ? search->max - search->count : BATCH;
		answer = walk_some(walk, slots, room, &count, err);
		if (answer == WEIR_READ_OK && count > 0)
			answer = take_some(walk, slots, count, err);
		if (answer == WEIR_READ_OK && (at->a == 0 || at->c > most)) {
			*at = (struct cursor){.partition = walk->account->partition + 1};
			break;
		}
	}
	return answer;
}

enum weir_read
search_members(struct search *search, const struct pool_raw *pool, struct weir_error *err)
{
	struct walk walk = {.search = search};
	enum weir_read answer = WEIR_READ_OK;
	walk.pages = weir_calloc(PAGES_KEPT, sizeof(*walk.pages));
	uint32_t i = 0;
	for (; i < pool->account_count && answer == WEIR_READ_OK; i++) {
		walk.account = &pool->accounts[i];
		if (walk.account->partition < search->at.partition)
			continue;
		if (search->count == search->max || walk.steps >= STEPS_A_CALL)
			break;
		if (walk.account->partition > search->at.partition)
			search->at = (struct cursor){.partition = walk.account->partition};
		forget_pages(&walk);
		answer = walk_partition(&walk, err);
		if (search->at.partition <= walk.account->partition)
			break; /* the page is full in the middle of it */
	}
	search->done = i == pool->account_count;
	free(walk.pages);
	return answer;
}
