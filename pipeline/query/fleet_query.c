/*
 * The fleet in numbers. Counts by status, reason and carrier come from a scan of every card, which is spread over calls, a
 * bounded number of pages each; a finished scan is shown until the next one is. What headers say is asked with each call.
 */
#include <stdlib.h>
#include <string.h>

#include "pipeline/query/query_priv.h"

#define PAGES_A_CALL 1024u
#define PAGES_A_ROUND 32u
#define SCAN_EVERY_US 5000000
#define CARD_BYTES ((uint32_t)sizeof(struct weir_card_slot))
#define LIFECYCLE_BYTES ((uint32_t)sizeof(struct weir_lifecycle_slot))
#define CARDS_A_PAGE (WEIR_SLAB_PAGE_BYTES / CARD_BYTES)

struct carrier_count {
	char id[WEIR_ID_MAX];
	uint64_t count;
};
struct counts {
	uint64_t cards, done;
	uint64_t by_status[WEIR_STATUS_CANCELLED + 1];
	uint64_t by_reason[WEIR_REASON_COUNT];
	uint64_t with_reason, not_enforced, used;
	struct carrier_count *carriers;
	uint32_t carrier_count;
	struct weir_near_pool nearest[WEIR_NEAR_POOLS];
	uint32_t nearest_count;
};
struct fleet {
	struct counts complete, making;
	int64_t as_of_us; /* of `complete`; 0 = there is none */
	struct weir_steady finished;
	bool running;
	uint32_t partition, page; /* next of the look that runs */
	bool at_pools;            /* of that partition: its cards are done */
};

static void
counts_clear(struct counts *counts)
{
	free(counts->carriers);
	*counts = (struct counts){0};
}

void
fleet_free(struct fleet *fleet)
{
	if (fleet == NULL)
		return;
	counts_clear(&fleet->complete);
	counts_clear(&fleet->making);
	free(fleet);
}

static void
count_carrier(struct counts *counts, const char *id)
{
	for (uint32_t i = 0; i < counts->carrier_count; i++) {
		if (strcmp(counts->carriers[i].id, id) == 0) {
			counts->carriers[i].count++;
			return;
		}
	}
	counts->carriers = weir_realloc(counts->carriers, (counts->carrier_count + 1) * sizeof(*counts->carriers));
	struct carrier_count *carrier = &counts->carriers[counts->carrier_count++];
	carrier->count = 1;
	(void)snprintf(carrier->id, sizeof(carrier->id), "%s", id);
}

static void
count_card(struct weir_reader *reader, struct counts *counts, uint32_t partition, const struct weir_card_slot *card,
    bool pooled, const int32_t *cycles)
{
	const struct partition_carrier *carrier = partition_carrier(reader, partition, card->carrier);
	uint16_t not_enforced = card->reasons & unsupported_reasons(&reader->partition_metas[partition],
						    carrier != NULL ? carrier->id : "", pooled);
	uint32_t status = card_status_bit(card->flags & WEIR_CARD_STATUS_MASK, card->reasons, not_enforced);
	counts->done++;
	if (status != 0)
		counts->by_status[__builtin_ctz(status)]++;
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		counts->by_reason[i] += card->reasons >> i & 1;
	counts->with_reason += card->reasons != 0;
	counts->not_enforced += not_enforced != 0;
	if (card->carrier != 0 && card->cycle >= cycles[card->carrier]) {
		const struct weir_volume volume = {card->up, card->down, 0, 0};
		uint64_t bytes = weir_volume_bytes(&volume);
		counts->used = counts->used > UINT64_MAX - bytes ? UINT64_MAX : counts->used + bytes;
	}
	if (carrier != NULL)
		count_carrier(counts, carrier->id);
}

/* Current cycle of each of the partition's carriers, by number. */
static enum weir_read
current_cycles(struct weir_reader *reader, uint32_t partition, int32_t cycles[256], struct weir_error *err)
{
	uint32_t count = reader->partition_metas[partition].carrier_count;
	query_clear(reader);
	for (uint32_t i = 1; i <= count; i++)
		want_carrier(reader, partition, i);
	definitions_query(reader);
	enum weir_read answer = query_count(reader) > 0 ? query_send(reader, err) : WEIR_READ_OK;
	if (answer != WEIR_READ_OK)
		return answer;
	definitions_take(reader);
	for (uint32_t i = 0; i < 256; i++)
		cycles[i] =
		    i >= 1 && i <= count ? card_cycle_now(reader, partition_carrier(reader, partition, i), 0).number : 0;
	return WEIR_READ_OK;
}

/* Pages first..last of cards, with the pages of lives that go with them. */
static enum weir_read
scan_pages(struct weir_reader *reader, struct counts *counts, uint32_t partition, uint32_t first, uint32_t last,
    struct weir_error *err)
{
	const uint32_t lifecycles_a_page = slots_a_page(LIFECYCLE_BYTES);
	uint32_t first_lifecycle = first * CARDS_A_PAGE / lifecycles_a_page;
	uint32_t last_lifecycle = ((last + 1) * CARDS_A_PAGE - 1) / lifecycles_a_page;
	int32_t cycles[256];
	enum weir_read answer = current_cycles(reader, partition, cycles, err);
	if (answer != WEIR_READ_OK)
		return answer;
	query_clear(reader);
	for (uint32_t page = first; page <= last; page++)
		(void)query_get(reader, partition, "c:%u", page);
	for (uint32_t page = first_lifecycle; page <= last_lifecycle; page++)
		(void)query_get(reader, partition, "l:%u", page);
	answer = query_send(reader, err);
	for (uint32_t slot = first * CARDS_A_PAGE; answer == WEIR_READ_OK && slot < (last + 1) * CARDS_A_PAGE; slot++) {
		struct weir_card_slot card;
		struct weir_lifecycle_slot lifecycle;
		if (!slot_of_page(query_bytes(reader, slot / CARDS_A_PAGE - first), slot, CARD_BYTES, &card) ||
		    weir_iccid_is_zero(card.iccid))
			continue;
		(void)slot_of_page(query_bytes(reader, last - first + 1 + slot / lifecycles_a_page - first_lifecycle), slot,
		    LIFECYCLE_BYTES, &lifecycle);
		count_card(reader, counts, partition, &card, lifecycle.pool_local != 0, cycles);
	}
	return answer;
}

/* Is a's share of its limit larger than b's? Exactly, without dividing. */
static bool
is_nearer(const struct weir_near_pool *a, const struct weir_near_pool *b)
{
	return (unsigned __int128)a->used * b->limit > (unsigned __int128)b->used * a->limit;
}

static void
note_pool(struct counts *counts, const struct weir_pool_slot *pool)
{
	uint64_t limit = pool->kind == WEIR_PLAN_METERED ? pool->threshold_bytes : pool->effective_total;
	if (pool->id[0] == '\0' || strnlen(pool->id, WEIR_ID_MAX) == WEIR_ID_MAX ||
	    (pool->flags & WEIR_POOL_DEFINED) == 0 || limit == WEIR_NO_LIMIT || limit == 0 ||
	    pool->kind > WEIR_PLAN_METERED || pool->status > WEIR_POOL_DISABLED)
		return;
	struct weir_near_pool near = {.kind = (enum weir_plan_kind)pool->kind,
	    .status = (enum weir_pool_status)pool->status,
	    .used = pool->used,
	    .limit = limit,
	    .cards = pool->members};
	memcpy(near.id, pool->id, sizeof(near.id));
	uint32_t at = counts->nearest_count;
	while (at > 0 && is_nearer(&near, &counts->nearest[at - 1]))
		at--;
	if (at == WEIR_NEAR_POOLS)
		return;
	if (counts->nearest_count < WEIR_NEAR_POOLS)
		counts->nearest_count++;
	memmove(
	    &counts->nearest[at + 1], &counts->nearest[at], (counts->nearest_count - 1 - at) * sizeof(counts->nearest[0]));
	counts->nearest[at] = near;
}

static enum weir_read
scan_pools(struct weir_reader *reader, struct counts *counts, uint32_t partition, uint32_t first, uint32_t last,
    struct weir_error *err)
{
	const uint32_t a_page = slots_a_page(sizeof(struct weir_pool_slot));
	query_clear(reader);
	for (uint32_t page = first; page <= last; page++)
		(void)query_get(reader, partition, "q:%u", page);
	enum weir_read answer = query_send(reader, err);
	for (uint32_t slot = first * a_page; answer == WEIR_READ_OK && slot < (last + 1) * a_page; slot++) {
		struct weir_pool_slot pool;
		if (slot_of_page(query_bytes(reader, slot / a_page - first), slot, sizeof(pool), &pool))
			note_pool(counts, &pool);
	}
	return answer;
}

/* Pages left of what is being scanned; 0: on to the next. */
static uint32_t
pages_of(const struct weir_reader *reader, const struct fleet *fleet)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[fleet->partition];
	uint32_t slots = partition_meta->slots[fleet->at_pools ? WEIR_SLAB_POOLS : WEIR_SLAB_CARDS];
	uint32_t a_page = fleet->at_pools ? slots_a_page(sizeof(struct weir_pool_slot)) : CARDS_A_PAGE;
	return (slots + a_page - 1) / a_page;
}

static enum weir_read
go_on(struct weir_reader *reader, struct fleet *fleet, struct weir_error *err)
{
	for (uint32_t pages = 0; pages < PAGES_A_CALL && fleet->partition < reader->partitions;) {
		uint32_t count = pages_of(reader, fleet);
		if (fleet->page >= count) {
			fleet->partition += fleet->at_pools;
			fleet->at_pools = !fleet->at_pools;
			fleet->page = 0;
			continue;
		}
		uint32_t last = fleet->page + PAGES_A_ROUND - 1 < count ? fleet->page + PAGES_A_ROUND - 1 : count - 1;
		enum weir_read answer = (fleet->at_pools ? scan_pools : scan_pages)(
		    reader, &fleet->making, fleet->partition, fleet->page, last, err);
		if (answer != WEIR_READ_OK)
			return answer;
		pages += last - fleet->page + 1;
		fleet->page = last + 1;
	}
	if (fleet->partition < reader->partitions)
		return WEIR_READ_OK;
	counts_clear(&fleet->complete);
	fleet->complete = fleet->making;
	fleet->making = (struct counts){0};
	fleet->running = false;
	fleet->as_of_us = read_now_us(reader);
	fleet->finished = weir_steady_now();
	return WEIR_READ_OK;
}

static void
view_headers(struct weir_reader *reader, struct weir_fleet_view *view)
{
	const struct weir_settings *settings = reader->opts.settings;
	view->partitions = reader->partitions;
	for (uint32_t p = 0; p < reader->partitions; p++) {
		const struct partition_meta *partition_meta = &reader->partition_metas[p];
		if (!partition_meta->exists)
			continue;
		view->cards += slots_given(partition_meta, WEIR_SLAB_CARDS, CARD_BYTES);
		view->pools += slots_given(partition_meta, WEIR_SLAB_POOLS, sizeof(struct weir_pool_slot));
		if (partition_meta->stream_time_us != 0 &&
		    (view->stream_time_us == 0 || partition_meta->stream_time_us < view->stream_time_us))
			view->stream_time_us = partition_meta->stream_time_us;
		for (uint32_t k = 0; k < partition_meta->checkpoint_offset_count; k++)
			for (uint32_t i = 0; i < settings->input_count; i++)
				if (strcmp(settings->inputs[i].topic, partition_meta->checkpoint_offsets[k].topic) == 0)
					view->records_read += (uint64_t)partition_meta->checkpoint_offsets[k].offset;
	}
}

static void
view_counts(struct weir_reader *reader, const struct fleet *fleet, struct weir_fleet_view *view)
{
	const struct counts *counts = fleet->as_of_us != 0 ? &fleet->complete : &fleet->making;
	struct weir_name_count *carriers = arena_take(&reader->arena, counts->carrier_count + 1, sizeof(*carriers));
	for (uint32_t i = 0; i < counts->carrier_count; i++)
		carriers[i] = (struct weir_name_count){
		    arena_text(&reader->arena, counts->carriers[i].id, strlen(counts->carriers[i].id)),
		    counts->carriers[i].count};
	view->as_of_us = fleet->as_of_us;
	view->done = counts->done;
	memcpy(view->by_status, counts->by_status, sizeof(view->by_status));
	memcpy(view->by_reason, counts->by_reason, sizeof(view->by_reason));
	view->with_reason = counts->with_reason;
	view->not_enforced = counts->not_enforced;
	view->used = counts->used;
	struct weir_near_pool *nearest = arena_take(&reader->arena, WEIR_NEAR_POOLS, sizeof(*nearest));
	memcpy(nearest, counts->nearest, sizeof(counts->nearest));
	view->nearest = nearest;
	view->nearest_count = counts->nearest_count;
	view->carriers = carriers;
	view->carrier_count = counts->carrier_count;
}

enum weir_read
weir_read_fleet(struct weir_reader *reader, const struct weir_fleet_view **fleet_out, struct weir_error *err)
{
	enum weir_read answer = read_begin(reader, err);
	if (answer == WEIR_READ_OK)
		answer = partitions_refresh(reader, NULL, err);
	if (answer != WEIR_READ_OK)
		return answer;
	if (reader->fleet == NULL)
		reader->fleet = weir_calloc(1, sizeof(*reader->fleet));
	struct fleet *fleet = reader->fleet;
	if (!fleet->running && (fleet->as_of_us == 0 || weir_steady_is_past(fleet->finished, SCAN_EVERY_US))) {
		counts_clear(&fleet->making);
		fleet->running = true;
		fleet->partition = fleet->page = 0;
		fleet->at_pools = false;
	}
	if (fleet->running)
		answer = go_on(reader, fleet, err);
	if (answer != WEIR_READ_OK) {
		fleet->running = false;
		return answer;
	}
	struct weir_fleet_view *view = arena_take(&reader->arena, 1, sizeof(*view));
	view_counts(reader, fleet, view);
	view_headers(reader, view);
	*fleet_out = view;
	return WEIR_READ_OK;
}
