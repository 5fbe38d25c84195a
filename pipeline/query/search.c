/*
 * Searches over cards: the pages of all partitions in order, a bounded number of them a call. A partition's cards are found
 * by nothing but their slots, so this is a scan; a pool's members (member_scan.c) and tagged cards (tagged.c) have shorter
 * ways.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define PAGES_A_CALL 512u /* of cards: 65,000 */
#define PAGES_A_ROUND 16u
#define CARD_BYTES ((uint32_t)sizeof(struct weir_card_slot))
#define LIFECYCLE_BYTES ((uint32_t)sizeof(struct weir_lifecycle_slot))
#define CARDS_A_PAGE (WEIR_SLAB_PAGE_BYTES / CARD_BYTES)

/* ---- the scan ---- */

struct scanned {
	struct weir_card_slot card;
	struct weir_lifecycle_slot lifecycle;
};

/* Slots from..to - 1, zeros for what is not stored. The caller's array holds them. */
static enum weir_read
read_slots(struct weir_reader *reader, uint32_t partition, uint32_t from, uint32_t to, struct scanned *slots,
    struct weir_error *err)
{
	const uint32_t lifecycles_a_page = slots_a_page(LIFECYCLE_BYTES);
	uint32_t first = from / CARDS_A_PAGE, last = (to - 1) / CARDS_A_PAGE;
	uint32_t first_lifecycle = from / lifecycles_a_page, last_lifecycle = (to - 1) / lifecycles_a_page;
	query_clear(reader);
	for (uint32_t page = first; page <= last; page++)
		(void)query_get(reader, partition, "c:%u", page);
	for (uint32_t page = first_lifecycle; page <= last_lifecycle; page++)
		(void)query_get(reader, partition, "l:%u", page);
	enum weir_read answer = query_send(reader, err);
	for (uint32_t slot = from; slot < to && answer == WEIR_READ_OK; slot++) {
		struct scanned *s = &slots[slot - from];
		(void)slot_of_page(query_bytes(reader, slot / CARDS_A_PAGE - first), slot, CARD_BYTES, &s->card);
		(void)slot_of_page(query_bytes(reader, last - first + 1 + slot / lifecycles_a_page - first_lifecycle), slot,
		    LIFECYCLE_BYTES, &s->lifecycle);
	}
	return answer;
}

/* Slots that the place has before it in this round; 0 when its partition is done. */
static uint32_t
round_slots(const struct search *search)
{
	uint32_t cards = search->reader->partition_metas[search->at.partition].slots[WEIR_SLAB_CARDS];
	if (search->at.a >= cards)
		return 0;
	uint32_t from = (uint32_t)search->at.a, end = (from / CARDS_A_PAGE + PAGES_A_ROUND) * CARDS_A_PAGE;
	return (end < cards ? end : cards) - from;
}

static enum weir_read
scan_round(struct search *search, struct scanned *slots, uint32_t count, struct weir_error *err)
{
	uint32_t partition = search->at.partition, from = (uint32_t)search->at.a;
	enum weir_read answer = read_slots(search->reader, partition, from, from + count, slots, err);
	uint32_t carrier = 0, plan = 0;
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK; i++) {
		carrier = slots[i].card.carrier > carrier ? slots[i].card.carrier : carrier;
		plan = slots[i].card.plan > plan ? slots[i].card.plan : plan;
	}
	if (answer == WEIR_READ_OK)
		answer = search_names(search->reader, partition, carrier, plan, err);
	for (uint32_t i = 0; i < count && answer == WEIR_READ_OK && search->count < search->max; i++) {
		search->at.a = from + i + 1;
		search->examined += !weir_iccid_is_zero(slots[i].card.iccid);
		if (search_matches(search, partition, &slots[i].card, &slots[i].lifecycle))
			search_push(search, partition, from + i, slots[i].card.iccid);
	}
	return answer;
}

static enum weir_read
search_scan(struct search *search, struct weir_error *err)
{
	struct scanned *slots = weir_calloc((PAGES_A_ROUND + 1) * CARDS_A_PAGE, sizeof(*slots));
	enum weir_read answer = WEIR_READ_OK;
	for (uint32_t pages = 0; pages < PAGES_A_CALL && search->count < search->max && answer == WEIR_READ_OK;) {
		if (search->at.partition >= search->reader->partitions) {
			search->done = true;
			break;
		}
		uint32_t count = round_slots(search);
		if (count == 0) {
			search->at = (struct cursor){.partition = search->at.partition + 1};
			continue;
		}
		answer = scan_round(search, slots, count, err);
		pages += PAGES_A_ROUND;
	}
	free(slots);
	return answer;
}

/* ---- the face ---- */

static void
hash_text(struct weir_buf *buf, const char *text)
{
	weir_buf_append(buf, search_any(text) ? "" : text, search_any(text) ? 1 : strlen(text) + 1);
}

static uint64_t
query_hash(const struct weir_card_query *q)
{
	struct weir_buf buf = {0};
	weir_buf_printf(&buf, "cards %u %u ", q->reasons, q->statuses);
	weir_buf_append(&buf, &q->from, sizeof(q->from));
	weir_buf_append(&buf, &q->to, sizeof(q->to));
	hash_text(&buf, q->carrier);
	hash_text(&buf, q->plan);
	hash_text(&buf, q->pool);
	hash_text(&buf, q->tag);
	uint64_t hash = cursor_query((struct weir_slice){buf.data, buf.len});
	weir_buf_free(&buf);
	return hash;
}

static bool
has_tag(const struct weir_card_view *view, const char *tag)
{
	for (uint32_t i = 0; i < view->tag_count; i++)
		if (strcmp(view->tags[i], tag) == 0)
			return true;
	return false;
}

/* Slots to views. A card that has left its place or no longer matches meanwhile is left out. */
static enum weir_read
make_page(struct search *search, struct weir_card_page *page, struct weir_error *err)
{
	struct weir_reader *reader = search->reader;
	enum weir_read answer = cards_load(reader, search->cards, search->count, err);
	struct weir_card_view *views = arena_take(&reader->arena, search->count + 1, sizeof(*views));
	for (uint32_t i = 0; i < search->count && answer == WEIR_READ_OK; i++) {
		const struct card_raw *card = &search->cards[i];
		if (!card->found || !search_matches(search, card->partition, &card->card, &card->lifecycle))
			continue;
		if (!search_any(search->query->pool) && strcmp(card->pool, search->query->pool) != 0)
			continue;
		card_view_make(reader, card, &views[page->count]);
		page->count += search_any(search->query->tag) || has_tag(&views[page->count], search->query->tag);
	}
	page->cards = views;
	page->examined = search->examined;
	return answer;
}

static enum weir_read
find_some(struct search *search, struct weir_error *err)
{
	const struct weir_card_query *q = search->query;
	struct pool_raw pool;
	if (search_any(q->pool))
		return search_any(q->tag) ? search_scan(search, err) : search_tagged(search, err);
	enum weir_read answer = pool_find(search->reader, q->pool, &pool, err);
	if (answer != WEIR_READ_OK)
		return answer;
	search->cards = arena_take(&search->reader->arena, search->max + 1, sizeof(*search->cards));
	return search_members(search, &pool, err);
}

enum weir_read
weir_read_search(struct weir_reader *reader, const struct weir_card_query *query, const char *cursor, uint32_t max,
    struct weir_card_page *page_out, struct weir_error *err)
{
	struct search search = {.reader = reader, .query = query, .max = max};
	uint64_t hash = query_hash(query);
	enum weir_read answer = cursor_read(cursor, hash, &search.at, err); /* it may be the page's own `next` */
	*page_out = (struct weir_card_page){0};
	if (answer == WEIR_READ_OK)
		answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK && (max == 0 || max > WEIR_PAGE_MAX))
		answer = read_fail(err, WEIR_READ_REFUSED, "limit: must be from 1 to %u", WEIR_PAGE_MAX);
	if (answer == WEIR_READ_OK)
		answer = partitions_refresh(reader, NULL, err);
	if (answer != WEIR_READ_OK)
		return answer;
	search.cards = arena_take(&reader->arena, max + 1, sizeof(*search.cards));
	answer = find_some(&search, err);
	if (answer == WEIR_READ_OK)
		answer = make_page(&search, page_out, err);
	if (answer != WEIR_READ_OK)
		return answer;
	if (!search.done)
		cursor_write(&search.at, hash, page_out->next);
	return WEIR_READ_OK;
}

enum weir_read
weir_read_members(struct weir_reader *reader, const char *pool, const char *cursor, uint32_t max,
    struct weir_card_page *page_out, struct weir_error *err)
{
	const struct weir_card_query query = {.pool = pool};
	if (pool[0] == '\0')
		return read_fail(err, WEIR_READ_MISSING, "a pool's id has 1 to %d characters", WEIR_ID_MAX - 1);
	return weir_read_search(reader, &query, cursor, max, page_out, err);
}
