/*
 * A partition's segments, and the walk through them.
 *
 * The walk stands in the partition, so that a lane may take a few thousand messages and come again. Plain batches are
 * walked where they were received; packed ones are unpacked one behind the other into memory of the partition, as many as
 * fit.
 */
#include <stdlib.h>

#include "config/base/log.h"
#include "consumers/direct/direct_priv.h"

#define PLAIN_LEAST (256u << 10)
#define PLAIN_MOST (128u << 20) /* of one batch, unpacked */
#define DAMAGES_MOST 3u

static void
segment_unref(struct direct_segment *segment)
{
	segment->response->refs--;
}

void
direct_part_take(struct direct_source *s, struct direct_part *part, const struct direct_segment *segment)
{
	(void)s;
	WEIR_CHECK(part->segment_count < SEGMENTS);
	part->segments[part->segment_count++] = *segment;
	segment->response->refs++;
	part->end_reported = false;
}

/* Forgets what was received and not delivered: it will be asked for again. */
void
direct_part_discard(struct direct_part *part)
{
	for (uint32_t i = 0; i < part->segment_count; i++)
		segment_unref(&part->segments[i]);
	part->segment_count = part->spent = 0;
	part->in_batch = part->checking = part->flying = false; /* what is under way is of the old generation */
	part->plain.len = 0;
	part->fetch_offset = part->next_offset;
	part->old = false;
	part->generation++;
}

void
direct_part_spend(struct direct_part *part)
{
	for (uint32_t i = 0; i < part->spent; i++)
		segment_unref(&part->segments[i]);
	for (uint32_t i = part->spent; i < part->segment_count; i++)
		part->segments[i - part->spent] = part->segments[i];
	part->segment_count -= part->spent;
	part->spent = 0;
	if (!part->in_batch)
		part->plain.len = 0;
	if (part->plain.cap > 8 * PLAIN_LEAST && part->segment_count == 0)
		weir_buf_free(&part->plain);
}

/* ---- aborted transactions ---- */

static void
begin_segment(struct direct_part *part, struct direct_segment *segment)
{
	struct wire_reader r = segment->aborted;
	segment->begun = true;
	part->aborted_count = 0;
	if (segment->aborted_count > part->aborted_cap) {
		part->aborted = weir_realloc(part->aborted, segment->aborted_count * sizeof(*part->aborted));
		part->aborted_cap = segment->aborted_count;
	}
	for (uint32_t i = 0; i < segment->aborted_count; i++) {
		struct protocol_aborted one = protocol_aborted_next(&r, segment->version);
		part->aborted[part->aborted_count++] = (struct direct_aborted){one.producer_id, one.first_offset, false};
	}
}

/* Is the batch of a transaction that was aborted? */
static bool
is_aborted(const struct direct_part *part, const struct record_batch *batch)
{
	for (uint32_t i = 0; i < part->aborted_count && batch->transactional; i++) {
		const struct direct_aborted *one = &part->aborted[i];
		if (!one->over && one->producer_id == batch->producer_id && one->first_offset <= batch->last_offset)
			return true;
	}
	return false;
}

/* A control batch: an abort marker ends what was aborted of its producer so far. */
static enum records_fault
take_marker(struct direct_part *part, const struct record_batch *batch)
{
	bool aborts = false;
	if (part->aborted_count == 0)
		return RECORDS_OK;
	enum records_fault fault = records_marker(batch, &aborts);
	for (uint32_t i = 0; i < part->aborted_count && fault == RECORDS_OK && aborts; i++) {
		struct direct_aborted *one = &part->aborted[i];
		if (one->producer_id == batch->producer_id && one->first_offset <= batch->base_offset)
			one->over = true;
	}
	return fault;
}

/* ---- batches ---- */

/*
 * Unpacks behind what is there already. RECORDS_ROOM: not with messages out that point into the memory, which would have to
 * move.
 */
static enum records_fault
unpack_batch(struct direct_source *s, struct direct_part *part, const struct record_batch *batch, struct weir_slice *plain)
{
	struct weir_buf *to = &part->plain;
	if (to->cap == 0)
		weir_buf_reserve(to, PLAIN_LEAST);
	for (;;) {
		size_t got = 0;
		enum records_fault fault =
		    records_unpack(s->codecs, batch->codec, batch->records, to->data + to->len, to->cap - to->len, &got);
		if (fault == RECORDS_ROOM && to->len > 0)
			return RECORDS_ROOM;
		if (fault == RECORDS_ROOM && to->cap >= PLAIN_MOST)
			return RECORDS_BOMB;
		if (fault == RECORDS_ROOM) {
			weir_buf_reserve(to, to->cap * 2);
			continue;
		}
		*plain = (struct weir_slice){to->data + to->len, got};
		to->len += got;
		return fault;
	}
}

/* Comes to the next batch with something to deliver. */
static enum records_fault
next_batch(struct direct_source *s, struct direct_part *part, struct direct_segment *segment)
{
	for (;;) {
		const uint8_t *from = segment->at;
		struct record_batch *batch = &part->batch;
		enum records_fault fault = records_batch(&segment->at, segment->end, batch);
		if (fault != RECORDS_OK)
			return fault;
		if (batch->last_offset < part->next_offset)
			continue;
		fault = records_checksum(batch);
		if (fault == RECORDS_OK && batch->control)
			fault = take_marker(part, batch);
		if (fault != RECORDS_OK) {
			segment->at = from; /* found again when what comes before it was delivered */
			return fault;
		}
		part->read_epoch = batch->leader_epoch;
		if (batch->control || batch->count == 0 || (s->committed && is_aborted(part, batch))) {
			part->next_offset = batch->last_offset + 1;
			continue;
		}
		struct weir_slice plain = batch->records;
		if (batch->codec != RECORDS_PLAIN)
			fault = unpack_batch(s, part, batch, &plain);
		if (fault != RECORDS_OK) {
			segment->at = from;
			return fault;
		}
		records_walk_begin(&part->walk, batch, plain);
		part->in_batch = true;
		return RECORDS_OK;
	}
}

static enum weir_class
damaged(struct direct_source *s, struct direct_part *part, enum records_fault fault, struct weir_error *err)
{
	part->damages++;
	enum weir_class class = weir_error_set(err, part->damages < DAMAGES_MOST ? WEIR_RETRY : WEIR_FATAL,
	    "%s [%u]: the record batch at offset %lld is %s", s->opts.topics[part->topic], part->number,
	    (long long)part->next_offset, records_fault_text(fault));
	part->failed = class == WEIR_FATAL;
	return class;
}

/* Walks on in the batch; false when no more messages can be had now. */
static enum records_fault
walk(struct direct_part *part, struct weir_message *messages, uint32_t max, uint32_t *count)
{
	uint32_t got;
	enum records_fault fault = records_walk_next(&part->walk, part->next_offset, messages + *count, max - *count, &got);
	*count += got;
	if (got > 0)
		part->next_offset = messages[*count - 1].offset + 1;
	if (fault == RECORDS_END) {
		part->in_batch = false;
		part->next_offset = part->batch.last_offset + 1;
		part->damages = 0;
		return RECORDS_OK;
	}
	return fault;
}

/*
 * Up to max messages into s->messages. Damage is told only when nothing before it is left to deliver; the segments it was
 * found in are then gone, to be fetched again a few times before the partition stops.
 */
enum weir_class
direct_part_next(
    struct direct_source *s, struct direct_part *part, uint32_t max, uint32_t *count_out, struct weir_error *err)
{
	uint32_t count = 0;
	enum records_fault fault = RECORDS_OK;
	while (count < max && part->spent < part->segment_count && fault == RECORDS_OK) {
		struct direct_segment *segment = &part->segments[part->spent];
		if (!segment->begun)
			begin_segment(part, segment);
		if (part->in_batch) {
			fault = walk(part, s->messages, max, &count);
			continue;
		}
		if (count == 0)
			part->plain.len = 0; /* nothing that is out points there */
		fault = next_batch(s, part, segment);
		if (fault == RECORDS_END || fault == RECORDS_CUT) {
			part->spent++;
			fault = RECORDS_OK;
		}
	}
	*count_out = count;
	if (fault == RECORDS_OK || count > 0)
		return WEIR_OK;
	enum weir_class class = damaged(s, part, fault, err);
	direct_part_discard(part);
	part->retry_us = s->now_us + conn_spread_us(&s->random, 200000);
	if (class == WEIR_RETRY)
		weir_log(WEIR_LOG_WARN, "kafka_batch", "%s: fetching it again", err->text);
	return class;
}
