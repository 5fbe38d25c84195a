/*
 * What an owner's world is in production: Kafka's batches and their decoders, the outbox, the dispatcher, the log. The
 * store's part is in lane_store.c, figures in lane_figures.c. Nothing here decides anything (owner.h).
 */
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/engine/lane_priv.h"

static struct lane_partition *
of(void *ctx)
{
	return ctx;
}

/* ---- log ---- */

static enum weir_class
next_batch(void *ctx, uint32_t topic, uint32_t max, struct weir_batch *batch_out, struct weir_error *err)
{
	return weir_source_next(of(ctx)->lane->source, topic, of(ctx)->owner->number, max, batch_out, err);
}

static void
release_batch(void *ctx, struct weir_batch *batch)
{
	weir_source_release(of(ctx)->lane->source, batch);
}

static uint32_t
decode(void *ctx, uint32_t input, const struct weir_batch *batch, const struct weir_record **records_out)
{
	struct weir_lane *lane = of(ctx)->lane;
	lane->records.n = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct weir_message *message = &batch->messages[i];
		uint32_t from = lane->records.n;
		(void)weir_decode(lane->decoders[input], message->key, message->value, i, &lane->records);
		for (uint32_t k = from; k < lane->records.n; k++) {
			struct weir_record *r = &lane->records.v[k];
			r->offset = message->offset;
			r->input = (uint8_t)input;
			r->arrived_us = message->timestamp_us;
		}
	}
	lane->messages += batch->count;
	*records_out = lane->records.v;
	return lane->records.n;
}

static void
source_drop(void *ctx)
{
	weir_source_drop(of(ctx)->lane->source, of(ctx)->owner->number);
}

static struct weir_start
start_at(const struct lane_partition *lp, const int64_t *offsets)
{
	struct weir_start start = {.partition = lp->owner->number};
	memcpy(start.offsets, offsets, sizeof(start.offsets));
	return start;
}

static enum weir_class
source_rewind(void *ctx, const int64_t *offsets, const struct log_name *logs, struct weir_error *err)
{
	struct weir_start start = start_at(ctx, offsets);
	memcpy(start.logs, logs, sizeof(start.logs));
	return weir_source_rewind(of(ctx)->lane->source, &start, err);
}

static enum weir_proof
prove(void *ctx, struct log_name *logs_out)
{
	return weir_source_prove(of(ctx)->lane->source, of(ctx)->owner->number, logs_out);
}

static int64_t
source_lag(void *ctx, uint32_t topic, int64_t offset)
{
	return weir_source_lag(of(ctx)->lane->source, topic, of(ctx)->owner->number, offset);
}

static void
source_commit(void *ctx, const int64_t *offsets)
{
	const struct weir_start start = start_at(ctx, offsets);
	weir_source_commit(of(ctx)->lane->source, &start);
}

/* ---- outbox ---- */

static void
dead_letter(void *ctx, const struct weir_dead_letter *dead_letter)
{
	weir_outbox_produce_dead_letter(of(ctx)->lane->shared->outbox_producer, of(ctx)->ack_window, dead_letter);
}

static void
audit(void *ctx, const struct weir_audit *audit, const char *key, struct weir_slice json)
{
	weir_outbox_produce_audit(of(ctx)->lane->shared->outbox_producer, of(ctx)->ack_window, key, json);
	lane_count_audit(ctx, audit);
}

static const char *
topic_name(const struct weir_lane_shared *shared, enum weir_outbox_topic topic)
{
	switch (topic) {
	case WEIR_OUTBOX_USAGE_REPORTS:
		return shared->topics[shared->reports];
	case WEIR_OUTBOX_CARDS:
		return shared->topics[shared->cards];
	case WEIR_OUTBOX_ALERTS:
		break;
	case WEIR_OUTBOX_POOL_HOURLY:
		return shared->settings->topic_pool_hourly;
	case WEIR_OUTBOX_POOL_DAILY:
		return shared->settings->topic_pool_daily;
	case WEIR_OUTBOX_CARD_DAILY:
		return shared->settings->topic_card_daily;
	}
	return shared->settings->topic_alerts;
}

static void
publish(void *ctx, enum weir_outbox_topic topic, uint32_t partition, struct weir_slice key, struct weir_slice value)
{
	struct lane_partition *lp = ctx;
	const struct weir_lane_shared *shared = lp->lane->shared;
	const char *name = topic_name(shared, topic);
	if (topic >= WEIR_OUTBOX_POOL_HOURLY) {
		weir_outbox_produce_row(shared->outbox_producer, lp->ack_window, name, key, value);
		lp->lane->feed_rows[topic - WEIR_OUTBOX_POOL_HOURLY]++;
	} else {
		weir_outbox_produce(shared->outbox_producer, lp->ack_window, name, partition, key, value);
	}
}

static void
window_close(void *ctx)
{
	WEIR_CHECK(weir_ack_window_closed_empty(of(ctx)->ack_window));
	of(ctx)->ack_window->open_side ^= 1;
}

static enum owner_window
window(void *ctx)
{
	const struct weir_ack_window *ack_window = of(ctx)->ack_window;
	if (!weir_ack_window_closed_empty(ack_window))
		return OWNER_WINDOW_OPEN;
	bool failed = atomic_load_explicit(&ack_window->failed, memory_order_relaxed);
	return failed ? OWNER_WINDOW_REFUSED : OWNER_WINDOW_ACKNOWLEDGED;
}

/* ---- dispatcher ---- */

static bool
enqueue(void *ctx, const struct weir_pending_command *pending_command)
{
	return weir_dispatch_enqueue(of(ctx)->lane->shared->dispatch, of(ctx)->lane->number, pending_command);
}

/* A word that was lost here would leave commands of a partition that is another's: it waits for room, which the
 * dispatcher's thread makes without us. */
static void
forget_commands(void *ctx)
{
	struct weir_lane *lane = of(ctx)->lane;
	while (!weir_dispatch_forget(lane->shared->dispatch, lane->number, of(ctx)->owner->number)) {
		lane_heartbeat(lane);
		(void)usleep(1000);
	}
}

bool
lane_dispatch_results(struct weir_lane *lane)
{
	struct weir_command_result result;
	bool any = false;
	while (weir_dispatch_next(lane->shared->dispatch, lane->number, &result)) {
		struct lane_partition *lp = lane_find(lane, result.partition);
		if (lp != NULL)
			owner_command_result(lp->owner, lane_now(), &result);
		any = true;
	}
	return any;
}

static void
drain_results(void *ctx)
{
	(void)lane_dispatch_results(of(ctx)->lane);
}

/* ---- words for the log ---- */

static void
note(void *ctx, enum owner_note note, const char *text)
{
	static const struct {
		enum weir_log_level level;
		const char *name;
	} NOTES[] = {[OWNER_NOTE_TAKEN] = {WEIR_LOG_INFO, "taken"},
	    [OWNER_NOTE_FENCED] = {WEIR_LOG_WARN, "fenced"},
	    [OWNER_NOTE_LOST_WRITES] = {WEIR_LOG_WARN, "redis_forgot"},
	    [OWNER_NOTE_NEW_LOG] = {WEIR_LOG_WARN, "log_replaced"},
	    [OWNER_NOTE_UNPROVEN] = {WEIR_LOG_INFO, "log_unproven"},
	    [OWNER_NOTE_STOPPED] = {WEIR_LOG_ERROR, "partition_stopped"},
	    [OWNER_NOTE_GIVEN_BACK] = {WEIR_LOG_INFO, "given_back"},
	    [OWNER_NOTE_LOST] = {WEIR_LOG_WARN, "lost"}};
	weir_log(NOTES[note].level, NOTES[note].name, "partition=%u %s", of(ctx)->owner->number, text);
}

const struct owner_io LANE_IO = {.next_batch = next_batch,
    .release_batch = release_batch,
    .prove = prove,
    .decode = decode,
    .source_drop = source_drop,
    .source_rewind = source_rewind,
    .source_lag = source_lag,
    .source_commit = source_commit,
    .store_connected = lane_store_connected,
    .store_take = lane_store_take,
    .flush_begin = lane_flush_begin,
    .purge_dedupe_keys = lane_purge_marks,
    .purge_past = lane_purge_past,
    .purge_window = lane_purge_window,
    .flush_end = lane_flush_end,
    .store_flush = lane_store_flush,
    .store_fetch = lane_store_fetch,
    .store_cancel = lane_store_cancel,
    .keep_history = lane_keep_history,
    .dead_letter = dead_letter,
    .audit = audit,
    .publish = publish,
    .window_close = window_close,
    .window = window,
    .enqueue = enqueue,
    .forget_commands = forget_commands,
    .drain_results = drain_results,
    .commanded = lane_count_command,
    .flushed = lane_count_flush,
    .core_ends = lane_core_ends,
    .note = note};
