/*
 * An owner's inputs: batches of reference data, usage reports and records, folded in the order of their log; and how far
 * they have been read in time. The position moves with the batch, so that no flush can come between the two.
 */
#include "config/reference/reference.h"
#include "pipeline/engine/owner_priv.h"

#define CHECK_EVERY_US 100000ll /* between two looks at the inputs' ends */

/* How far the source is: behind the messages, and behind what it passed after them that is no message (REC-9). */
static void
move_offset(struct owner *o, uint32_t topic, int64_t next_offset)
{
	if (next_offset <= o->next_offset[topic])
		return;
	o->next_offset[topic] = next_offset;
	o->changed = true;
}

/* Takes one batch of a topic; false when there was none. Of a log that was cut short nothing is guessed. */
static bool
next_batch(struct owner *o, uint32_t topic, uint32_t max, struct weir_batch *batch)
{
	struct weir_error err;
	enum weir_class class = o->io->next_batch(o->ctx, topic, max, batch, &err);
	if (class == WEIR_FATAL)
		owner_log_changed(o, batch, err.text);
	if (class != WEIR_OK)
		return false;
	WEIR_CHECK(!o->rewind_due);
	if (batch->end)
		o->at_end[topic] = true;
	if (batch->count == 0) {
		move_offset(o, topic, batch->next_offset);
		return true;
	}
	const struct weir_message *first = batch->messages, *last = first + batch->count - 1;
	WEIR_CHECK(first->offset >= o->next_offset[topic] && last->offset >= first->offset);
	WEIR_CHECK(batch->count <= max);
	move_offset(o, topic, last->offset + 1);
	move_offset(o, topic, batch->next_offset);
	o->newest_us[topic] = last->timestamp_us > o->newest_us[topic] ? last->timestamp_us : o->newest_us[topic];
	return true;
}

/* ---- reference data, requests and pool states ---- */

static void
apply_message(struct owner *o, const struct weir_message *message)
{
	uint32_t topic = o->rules->cards;
	struct weir_reference reference = {.type = WEIR_REF_CARD}; /* the parser sets it before it finds fault */
	struct weir_error err;
	struct weir_cause cause = {topic, message->offset, message->timestamp_us, message->timestamp_us, 0};
	weir_partition_set_time(o->core, o->core->clock.now_us, 0);
	enum weir_class class = weir_reference_parse(message->value, &reference, &err);
	if (class == WEIR_OK)
		class = weir_partition_apply(o->core, &reference, message->value, &cause, &err);
	if (class == WEIR_OK)
		return;
	owner_reject(o, topic, message,
	    reference.type == WEIR_REF_REQUEST ? WEIR_REJECT_BAD_REQUEST : WEIR_REJECT_BAD_REFERENCE, err.text);
}

static bool
read_cards(struct owner *o)
{
	struct weir_batch batch;
	if (!next_batch(o, o->rules->cards, o->rules->cards_max, &batch))
		return false;
	for (uint32_t i = 0; i < batch.count; i++)
		if (batch.messages[i].value.data != NULL) /* a compacted topic's tombstone tells nothing */
			apply_message(o, &batch.messages[i]);
	owner_effects(o, o->rules->cards, NULL);
	o->io->release_batch(o->ctx, &batch);
	return true;
}

/* ---- pool usage reports ---- */

static bool
read_reports(struct owner *o)
{
	struct weir_batch batch;
	if (!next_batch(o, o->rules->reports, o->rules->reports_max, &batch))
		return false;
	for (uint32_t i = 0; i < batch.count; i++) {
		const struct weir_message *message = &batch.messages[i];
		struct weir_error err;
		if (weir_partition_apply_report(o->core, message->value, message->timestamp_us, &err) != WEIR_OK)
			owner_reject(o, o->rules->reports, message, WEIR_REJECT_MALFORMED, err.text);
	}
	owner_effects(o, o->rules->reports, NULL);
	o->io->release_batch(o->ctx, &batch);
	return true;
}

/* ---- records ---- */

static bool
read_records(struct owner *o, uint32_t input)
{
	struct weir_batch batch;
	const struct weir_record *records;
	if (!next_batch(o, input, o->rules->records_max, &batch))
		return false;
	uint32_t count = o->io->decode(o->ctx, input, &batch, &records);
	weir_partition_fold(o->core, records, count);
	owner_effects(o, input, &batch);
	o->io->release_batch(o->ctx, &batch);
	return true;
}

/* Reference data to its end first; afterwards it goes first in each round. */
bool
owner_read(struct owner *o)
{
	uint32_t cards = o->rules->cards;
	bool worked = read_cards(o);
	if (o->state == OWNER_RUNNING && o->at_end[cards] && !o->reload_due)
		worked |= read_reports(o);
	for (uint32_t i = 0; i < cards && o->at_end[cards] && o->state == OWNER_RUNNING && !o->reload_due; i++)
		worked |= read_records(o, i);
	return worked;
}

/*
 * The newest timestamp of the input that is furthest behind; an input that was read to its end is not behind the clock. An
 * input of which nothing was read yet says nothing: then there is no watermark.
 */
void
owner_watermark(struct owner *o)
{
	int64_t now_us = o->now.wall_us, least_us = now_us;
	if (now_us - o->checked_us < CHECK_EVERY_US && now_us >= o->checked_us)
		return;
	o->checked_us = now_us;
	for (uint32_t t = 0; t < o->rules->cards; t++) {
		bool end = o->at_end[t] && o->io->source_lag(o->ctx, t, o->next_offset[t]) == 0;
		if (!end && o->newest_us[t] < least_us)
			least_us = o->newest_us[t];
	}
	o->behind_us = now_us - least_us;
	if (o->at_end[o->rules->cards] && least_us > 0)
		weir_partition_watermark(o->core, least_us);
}
