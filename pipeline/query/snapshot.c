/*
 * A partition as of one flush. Its pages are read without a transaction, which would hold Redis up for as long as it takes
 * to send them all; instead the header is read before and after, and all of it again when a flush came in between.
 */
#include <string.h>

#include "pipeline/query/query_priv.h"

#define TRIES 40
#define PAGES_A_ROUND 256u
#define CARD_BYTES ((uint32_t)sizeof(struct weir_card_slot))
#define CLOSED_CYCLE_BYTES ((uint32_t)sizeof(struct weir_closed_cycle_slot))

/* Pages of a key's name each into `slots`: count slots of `size` bytes. */
static enum weir_read
read_pages(struct weir_reader *reader, uint32_t partition, const char *name, uint8_t *slots, uint32_t count, uint32_t size,
    struct weir_error *err)
{
	uint32_t a_page = slots_a_page(size), pages = (count + a_page - 1) / a_page;
	for (uint32_t from = 0; from < pages; from += PAGES_A_ROUND) {
		uint32_t to = pages - from < PAGES_A_ROUND ? pages : from + PAGES_A_ROUND;
		query_clear(reader);
		for (uint32_t page = from; page < to; page++)
			(void)query_get(reader, partition, "%s:%u", name, page);
		enum weir_read answer = query_send(reader, err);
		if (answer != WEIR_READ_OK)
			return answer;
		for (uint32_t slot = from * a_page; slot < count && slot < to * a_page; slot++)
			(void)slot_of_page(
			    query_bytes(reader, slot / a_page - from), slot, size, slots + (size_t)slot * size);
	}
	return WEIR_READ_OK;
}

static enum weir_read
read_cards(struct weir_reader *reader, uint32_t partition, struct weir_snapshot *snapshot, struct weir_error *err)
{
	snapshot->card_slots = reader->partition_metas[partition].slots[WEIR_SLAB_CARDS];
	struct weir_card_slot *cards = arena_take(&reader->arena, snapshot->card_slots + 1, sizeof(*cards));
	snapshot->cards = cards;
	return read_pages(reader, partition, "c", (uint8_t *)cards, snapshot->card_slots, CARD_BYTES, err);
}

/* Cycles from the newest card's back, as many as are kept. */
static enum weir_read
read_closed_cycle(struct weir_reader *reader, uint32_t partition, struct weir_snapshot *snapshot, struct weir_error *err)
{
	int32_t newest = 0, kept = (int32_t)reader->opts.settings->cycles_kept + 1;
	for (uint32_t i = 0; i < snapshot->card_slots; i++)
		if (!weir_iccid_is_zero(snapshot->cards[i].iccid) && snapshot->cards[i].cycle > newest)
			newest = snapshot->cards[i].cycle;
	if (newest == 0)
		return WEIR_READ_OK;
	struct weir_closed_cycle_page *closed_cycles = arena_take(&reader->arena, (size_t)kept + 1, sizeof(*closed_cycles));
	snapshot->closed_cycles = closed_cycles;
	for (int32_t cycle = newest > kept ? newest - kept : 1; cycle <= newest; cycle++) {
		char name[24];
		struct weir_closed_cycle_slot *slots = arena_take(&reader->arena, snapshot->card_slots + 1, sizeof(*slots));
		(void)snprintf(name, sizeof(name), "y:%d", cycle);
		enum weir_read answer =
		    read_pages(reader, partition, name, (uint8_t *)slots, snapshot->card_slots, CLOSED_CYCLE_BYTES, err);
		if (answer != WEIR_READ_OK)
			return answer;
		closed_cycles[snapshot->closed_cycle_count++] = (struct weir_closed_cycle_page){cycle, slots};
	}
	return WEIR_READ_OK;
}

static enum weir_read
read_carriers(struct weir_reader *reader, uint32_t partition, struct weir_snapshot *snapshot, struct weir_error *err)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[partition];
	struct weir_snapshot_carrier *carriers =
	    arena_take(&reader->arena, partition_meta->carrier_count + 1, sizeof(*carriers));
	query_clear(reader);
	for (uint32_t i = 0; i < partition_meta->carrier_count; i++)
		want_carrier(reader, partition, i + 1);
	definitions_query(reader);
	enum weir_read answer = query_count(reader) > 0 ? query_send(reader, err) : WEIR_READ_OK;
	if (answer != WEIR_READ_OK)
		return answer;
	definitions_take(reader);
	for (uint32_t i = 0; i < partition_meta->carrier_count; i++)
		carriers[i] = (struct weir_snapshot_carrier){
		    arena_text(&reader->arena, partition_meta->carriers[i].id, strlen(partition_meta->carriers[i].id)),
		    partition_meta->carriers[i].defined, partition_meta->carriers[i].ref};
	snapshot->carriers = carriers;
	snapshot->carrier_count = partition_meta->carrier_count;
	return WEIR_READ_OK;
}

static enum weir_read
read_header(struct weir_reader *reader, uint32_t partition, struct weir_error *err)
{
	part_forget(&reader->partition_metas[partition]);
	return partition_refresh(reader, partition, err);
}

static enum weir_read
read_once(
    struct weir_reader *reader, uint32_t partition, struct weir_snapshot *snapshot, bool *whole_out, struct weir_error *err)
{
	const struct partition_meta *partition_meta = &reader->partition_metas[partition];
	*snapshot = (struct weir_snapshot){0};
	enum weir_read answer = read_header(reader, partition, err);
	if (answer != WEIR_READ_OK)
		return answer;
	partition_view_make(reader, partition, &snapshot->partition);
	answer = read_carriers(reader, partition, snapshot, err);
	if (answer == WEIR_READ_OK)
		answer = read_cards(reader, partition, snapshot, err);
	if (answer == WEIR_READ_OK)
		answer = read_closed_cycle(reader, partition, snapshot, err);
	if (answer == WEIR_READ_OK)
		answer = read_header(reader, partition, err);
	*whole_out =
	    partition_meta->flush == snapshot->partition.flush && partition_meta->epoch == snapshot->partition.epoch;
	return answer;
}

enum weir_read
weir_read_snapshot(
    struct weir_reader *reader, uint32_t partition, const struct weir_snapshot **snapshot_out, struct weir_error *err)
{
	for (int try = 0; try < TRIES; try++) {
		bool whole = false;
		enum weir_read answer = read_begin(reader, err);
		if (answer != WEIR_READ_OK)
			return answer;
		if (partition >= reader->partitions)
			return read_fail(
			    err, WEIR_READ_MISSING, "no partition %u; there are %u", partition, reader->partitions);
		struct weir_snapshot *snapshot = arena_take(&reader->arena, 1, sizeof(*snapshot));
		answer = read_once(reader, partition, snapshot, &whole, err);
		if (answer != WEIR_READ_OK)
			return answer;
		*snapshot_out = snapshot;
		if (whole)
			return WEIR_READ_OK;
	}
	return read_fail(err, WEIR_READ_AWAY,
	    "partition %u is flushed more often than it can be read; try again when there is less to do", partition);
}
