/*
 * Slots by number, in one pipeline: a page is read whole when several of its slots are wanted, else slot by slot. A page or
 * slot that is not stored, or too short, reads as zeros, which no slot in use is.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define WHOLE_FROM 6u    /* slots of one page that are wanted: a GET of 8 KiB costs about as much as so many GETRANGEs */
#define QUERIES_MAX 512u /* questions a round trip: bounds the memory that answers take */

static int
want_order(const void *a, const void *b)
{
	const struct slot_want *x = *(const struct slot_want *const *)a, *y = *(const struct slot_want *const *)b;
	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static bool
same_page(const struct slot_want *a, const struct slot_want *b)
{
	return a->partition == b->partition && a->tag == b->tag &&
	       a->slot / slots_a_page(a->size) == b->slot / slots_a_page(b->size);
}

bool
slot_of_page(struct weir_slice page, uint32_t slot, uint32_t size, void *out)
{
	size_t from = (size_t)(slot % slots_a_page(size)) * size;
	memset(out, 0, size);
	if (page.len < from + size)
		return false;
	memcpy(out, page.data + from, size);
	return true;
}

/* One page's wants become one question or several. */
static void
query_page(struct weir_reader *reader, struct slot_want *const *wants, uint32_t count, uint32_t *queries)
{
	uint32_t page = wants[0]->slot / slots_a_page(wants[0]->size);
	if (count >= WHOLE_FROM) {
		uint32_t command = query_get(reader, wants[0]->partition, "%c:%u", wants[0]->tag, page);
		for (uint32_t i = 0; i < count; i++)
			queries[i] = command;
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		queries[i] =
		    query_range(reader, wants[i]->partition, wants[i]->slot % slots_a_page(wants[i]->size) * wants[i]->size,
			wants[i]->size, "%c:%u", wants[i]->tag, page);
}

static void
take_page(struct weir_reader *reader, struct slot_want *const *wants, uint32_t count, const uint32_t *queries)
{
	for (uint32_t i = 0; i < count; i++) {
		struct weir_slice bytes = query_bytes(reader, queries[i]);
		uint32_t slot = count >= WHOLE_FROM ? wants[i]->slot : 0;
		(void)slot_of_page(bytes, slot, wants[i]->size, wants[i]->out);
	}
}

static uint32_t
page_end(struct slot_want *const *sorted, uint32_t from, uint32_t count)
{
	uint32_t to = from + 1;
	while (to < count && same_page(sorted[from], sorted[to]))
		to++;
	return to;
}

/* As many whole pages' wants as one round trip takes. */
static uint32_t
round_end(struct slot_want *const *sorted, uint32_t from, uint32_t count)
{
	uint32_t questions = 0, to = from;
	while (to < count && questions < QUERIES_MAX) {
		uint32_t end = page_end(sorted, to, count);
		questions += end - to >= WHOLE_FROM ? 1 : end - to;
		to = end;
	}
	return to;
}

enum weir_read
slots_fetch(struct weir_reader *reader, struct slot_want *wants, uint32_t count, struct weir_error *err)
{
	if (count == 0)
		return WEIR_READ_OK;
	struct slot_want **sorted = weir_calloc(count + 1, sizeof(struct slot_want *));
	uint32_t *queries = weir_calloc(count + 1, sizeof(*queries));
	enum weir_read answer = WEIR_READ_OK;
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &wants[i];
	qsort(sorted, count, sizeof(*sorted), want_order);
	for (uint32_t from = 0, to; from < count && answer == WEIR_READ_OK; from = to) {
		to = round_end(sorted, from, count);
		query_clear(reader);
		for (uint32_t i = from, end; i < to; i = end) {
			end = page_end(sorted, i, to);
			query_page(reader, sorted + i, end - i, queries + i);
		}
		answer = query_send(reader, err);
		for (uint32_t i = from, end; i < to && answer == WEIR_READ_OK; i = end) {
			end = page_end(sorted, i, to);
			take_page(reader, sorted + i, end - i, queries + i);
		}
	}
	free(sorted);
	free(queries);
	return answer;
}
