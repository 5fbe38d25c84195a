/*
 * The world of an owner (pipeline/engine/owner.h) in the simulator: batches from the logs, requests for the store's thread
 * (take.c), messages for the producer (sim_kafka.c), commands for the process' dispatcher (sim_carrier.c). Everything that
 * is handed over is checked on the way; nothing is decided here.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

struct owner_now
sim_now(const struct sim *sim)
{
	return (struct owner_now){.wall_us = sim->now_us, .steady_us = sim->now_us};
}

struct weir_partition *
sim_core(const struct sim_owner *owner)
{
	bool whole = owner->o->state == OWNER_RUNNING || owner->o->state == OWNER_FENCED;
	return whole ? owner->o->core : NULL;
}

/* ---- log ---- */

static void
trace_report(struct sim *sim, const struct sim_owner *owner, int64_t offset, struct weir_slice value)
{
	struct weir_usage_report usage_report;
	struct weir_usage_report_hour window;
	if (value.len == sizeof(usage_report)) {
		memcpy(&usage_report, value.data, sizeof(usage_report));
		sim_trace(sim, "%u/%u partial %lld: %s from %u epoch %llu cycle %u flags %u members %u active %u used %llu",
		    owner->process, owner->partition, (long long)offset, usage_report.pool, usage_report.source,
		    (unsigned long long)usage_report.epoch, usage_report.cycle, usage_report.flags, usage_report.members,
		    usage_report.active, (unsigned long long)(usage_report.up + usage_report.down));
	} else if (value.len == sizeof(window)) {
		memcpy(&window, value.data, sizeof(window));
		sim_trace(sim, "%u/%u partial %lld: %s from %u epoch %llu hour %d: %llu+%llu in %u", owner->process,
		    owner->partition, (long long)offset, window.pool, window.source, (unsigned long long)window.epoch,
		    window.hour, (unsigned long long)window.up, (unsigned long long)window.down, window.records);
	}
}

static void
trace_message(struct sim *sim, const struct sim_owner *owner, uint32_t topic, const struct weir_message *message)
{
	if (topic == SIM_CARDS)
		sim_trace(sim, "%u/%u cards %lld: %.*s", owner->process, owner->partition, (long long)message->offset,
		    (int)message->value.len, (const char *)message->value.data);
	else if (topic == SIM_REPORTS)
		trace_report(sim, owner, message->offset, message->value);
}

/* The source's place is no longer one of the log, as a source finds it: see log_verdict_of. */
static enum weir_class
say_verdict(struct sim_owner *owner, uint32_t topic, enum log_verdict verdict, const struct log_evidence *evidence,
    struct weir_batch *batch_out, struct weir_error *err)
{
	*batch_out = (struct weir_batch){.verdict = verdict,
	    .topic = topic,
	    .log = {evidence->id, LOG_EPOCH_UNKNOWN},
	    .next_offset = log_resume_offset(verdict, owner->read[topic], evidence)};
	return log_verdict_error(err, verdict, owner->sim->rules.topics[topic], owner->partition, &owner->read_logs[topic],
	    owner->read[topic], evidence);
}

/* As many messages as the consumer happens to have. */
static enum weir_class
next_batch(void *ctx, uint32_t topic, uint32_t max, struct weir_batch *batch_out, struct weir_error *err)
{
	struct sim_owner *owner = ctx;
	struct sim *sim = owner->sim;
	const struct sim_log *log = &sim->logs[topic][owner->partition];
	if (!owner->reads)
		return WEIR_RETRY;
	const struct log_evidence evidence = sim_log_evidence(log, owner->read_logs[topic].epoch);
	enum log_verdict verdict = log_verdict_of(&owner->read_logs[topic], owner->read[topic], &evidence);
	if (verdict != LOG_SAME)
		return say_verdict(owner, topic, verdict, &evidence, batch_out, err);
	if (owner->read[topic] < 0 && sim->faults && sim_chance(&sim->rng, 700))
		return WEIR_RETRY; /* where the log begins is being asked */
	if (owner->read[topic] < 0)
		owner->read[topic] = 0;
	int64_t left = sim_log_end(log) - owner->read[topic];
	uint32_t count = max < owner->batch_max ? max : owner->batch_max;
	count = left < (int64_t)count ? (uint32_t)left : count;
	if (count == 0 && owner->o->at_end[topic])
		return WEIR_RETRY;
	if (count > 0 || !log_id_is_known(&owner->read_logs[topic].id))
		owner->read_logs[topic].epoch = log->epoch;
	owner->read_logs[topic].id = log->id;
	for (uint32_t i = 0; i < count; i++) {
		const struct sim_message *from = sim_log_at(log, owner->read[topic]);
		owner->messages[i] = (struct weir_message){.key = {from->key.data, from->key.len},
		    .value = {from->value.data, from->value.len},
		    .offset = owner->read[topic]++,
		    .timestamp_us = from->arrived_us};
		if (sim->options.trace)
			trace_message(sim, owner, topic, &owner->messages[i]);
	}
	*batch_out = (struct weir_batch){.messages = owner->messages,
	    .count = count,
	    .next_offset = owner->read[topic],
	    .end = owner->read[topic] == sim_log_end(log)};
	return WEIR_OK;
}

static void
release_batch(void *ctx, struct weir_batch *batch)
{
	(void)ctx, (void)batch;
}

static uint32_t
decode(void *ctx, uint32_t input, const struct weir_batch *batch, const struct weir_record **records_out)
{
	struct sim_owner *owner = ctx;
	struct sim *sim = owner->sim;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct weir_record *r = &owner->records[i];
		*r = sim_log_at(&sim->logs[input][owner->partition], batch->messages[i].offset)->record;
		r->offset = batch->messages[i].offset;
		r->arrived_us = batch->messages[i].timestamp_us;
		r->input = (uint8_t)input;
		r->message = i;
		SIM_TRACE(sim, "%u/%u record %lld: card %d end %lld up %llu down %llu imei %llu, %u parked", owner->process,
		    owner->partition, (long long)r->offset, sim_card_of(sim, r->iccid), (long long)r->end_us,
		    (unsigned long long)r->up, (unsigned long long)r->down, (unsigned long long)r->imei14,
		    owner->o->core->parked.records.n);
	}
	*records_out = owner->records;
	return batch->count;
}

static void
source_drop(void *ctx)
{
	((struct sim_owner *)ctx)->reads = false;
}

void
sim_source_start(struct sim_owner *owner, const int64_t *offsets, const struct log_name *logs)
{
	memcpy(owner->read, offsets, sizeof(owner->read));
	memcpy(owner->read_logs, logs, sizeof(owner->read_logs));
	owner->reads = true;
}

static enum weir_class
source_rewind(void *ctx, const int64_t *offsets, const struct log_name *logs, struct weir_error *err)
{
	(void)err;
	sim_source_start(ctx, offsets, logs);
	return WEIR_OK;
}

/* A source that must ask first takes a while, and now and then cannot prove it. */
static enum weir_proof
prove(void *ctx, struct log_name *logs_out)
{
	struct sim_owner *owner = ctx;
	for (uint32_t t = 0; t < SIM_TOPICS; t++)
		logs_out[t] = owner->read_logs[t];
	if (!owner->sim->faults || !owner->sim->asks)
		return WEIR_PROOF_GOOD;
	if (sim_chance(&owner->sim->rng, 10))
		return WEIR_PROOF_AGAIN;
	return sim_chance(&owner->sim->rng, 300) ? WEIR_PROOF_PENDING : WEIR_PROOF_GOOD;
}

static int64_t
source_lag(void *ctx, uint32_t topic, int64_t offset)
{
	const struct sim_owner *owner = ctx;
	return sim_log_end(&owner->sim->logs[topic][owner->partition]) - offset;
}

static void
source_commit(void *ctx, const int64_t *offsets)
{
	(void)ctx, (void)offsets;
}

/* ---- store ---- */

static void
submit_request(struct sim_owner *owner, struct sim_request *request)
{
	if (owner->queue_count == owner->queue_cap) {
		owner->queue_cap = owner->queue_cap == 0 ? 8 : owner->queue_cap * 2;
		owner->queue = weir_realloc(owner->queue, owner->queue_cap * sizeof(struct sim_request *));
	}
	owner->queue[owner->queue_count++] = request;
}

/* The ring to the store is full now and then. */
static bool
has_room(struct sim_owner *owner)
{
	return !owner->sim->faults || !sim_chance(&owner->sim->rng, 20);
}

static bool
store_connected(void *ctx)
{
	const struct sim_owner *owner = ctx;
	return owner->sim->away_until_us[owner->partition] <= owner->sim->now_us;
}

static bool
store_take(void *ctx, uint64_t epoch_floor)
{
	if (!has_room(ctx))
		return false;
	struct sim_request *request = weir_calloc(1, sizeof(*request));
	request->kind = WEIR_STORE_TAKE;
	request->epoch_floor = epoch_floor;
	submit_request(ctx, request);
	return true;
}

static void
flush_begin(void *ctx, uint64_t bytes, struct weir_writer *writer_out)
{
	struct sim_owner *owner = ctx;
	const struct owner *o = owner->o;
	struct sim_request *request = weir_calloc(1, sizeof(*request));
	(void)bytes;
	WEIR_CHECK(owner->flush == NULL && o->flush.phase == OWNER_FLUSH_ENCODED);
	request->kind = WEIR_STORE_FLUSH;
	request->flush = o->flush;
	request->stream_time_us = o->core->clock.stream_time_us;
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		request->slots[i] = weir_partition_slab(o->core, i)->used;
	owner->flush = request;
	*writer_out = sim_store_writer(&request->body);
	SIM_TRACE(owner->sim, "%u/%u encodes flush %lld: cards %lld partials %lld records %lld", owner->process,
	    owner->partition, (long long)o->flush.number, (long long)o->next_offset[SIM_CARDS],
	    (long long)o->next_offset[SIM_REPORTS], (long long)o->next_offset[SIM_RECORDS]);
}

static void
purge_dedupe_keys(void *ctx, int64_t hour)
{
	sim_store_purge(&((struct sim_owner *)ctx)->flush->body, 'm', hour);
}

static void
purge_past(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages)
{
	struct weir_buf *body = &((struct sim_owner *)ctx)->flush->body;
	WEIR_CHECK(card_pages + pool_pages > 0);
	sim_store_purge(body, 'y', cycle);
	sim_store_purge(body, 'z', cycle);
}

static void
purge_window(void *ctx, unsigned kind, int32_t window, uint32_t first_page, uint32_t pages)
{
	WEIR_CHECK(pages > 0);
	if (first_page == 0) /* there is one at most in a world of so few cards */
		sim_store_purge(&((struct sim_owner *)ctx)->flush->body, (char)SIM_WINDOW(kind), window);
}

static uint64_t
flush_end(void *ctx, const struct weir_buf *history, uint32_t history_commands)
{
	(void)history_commands;
	return ((struct sim_owner *)ctx)->flush->body.len + history->len;
}

static bool
store_flush(void *ctx)
{
	struct sim_owner *owner = ctx;
	if (owner->outbox.closed > 0 || owner->outbox.late_closed > 0 || owner->outbox.refused)
		sim_fail(owner->sim, "%u/%u sends flush %lld before its messages are acknowledged", owner->process,
		    owner->partition, (long long)owner->flush->flush.number);
	if (!has_room(owner))
		return false;
	submit_request(owner, owner->flush);
	owner->flush = NULL;
	return true;
}

static bool
store_fetch(void *ctx, const struct weir_fetch_request *requests, uint32_t count)
{
	struct sim_owner *owner = ctx;
	WEIR_CHECK(count > 0 && count <= SIM_FETCHES);
	if (owner->flush != NULL)
		sim_fail(owner->sim, "%u/%u: a fetch overtakes flush %lld", owner->process, owner->partition,
		    (long long)owner->flush->flush.number);
	if (!has_room(owner))
		return false;
	struct sim_request *request = weir_calloc(1, sizeof(*request));
	request->kind = WEIR_STORE_FETCH;
	request->fetch_request_count = count;
	memcpy(request->fetch_requests, requests, count * sizeof(*requests));
	submit_request(owner, request);
	return true;
}

/* What waits for a Redis that is away comes back; what is under way does not. */
static void
store_cancel(void *ctx)
{
	struct sim_owner *owner = ctx;
	for (uint32_t i = 0; i < owner->queue_count && !store_connected(ctx); i++) {
		struct sim_request *request = owner->queue[i];
		if (request->done)
			continue;
		request->done = true;
		request->result = WEIR_STORE_CANCELLED;
	}
}

static uint32_t
keep_history(void *ctx, struct weir_buf *out, const char *list, struct weir_slice json)
{
	(void)ctx, (void)list;
	weir_buf_append(out, json.data, json.len);
	return 1;
}

/* ---- outbox ---- */

/* Remembered with their message, to be compared with the model's verdict. */
static void
dead_letter(void *ctx, const struct weir_dead_letter *tag)
{
	struct sim_owner *owner = ctx;
	struct sim *sim = owner->sim;
	uint32_t topic = 0;
	while (topic < SIM_TOPICS && strcmp(sim->rules.topics[topic], tag->topic) != 0)
		topic++;
	if (topic >= SIM_REPORTS || tag->offset < 0 || tag->offset >= sim_log_end(&sim->logs[topic][owner->partition]))
		sim_fail(
		    sim, "a dead letter of no record: %s, offset %lld: %s", tag->topic, (long long)tag->offset, tag->text);
	struct sim_message *message = sim_log_at(&sim->logs[topic][owner->partition], tag->offset);
	if (topic == SIM_CARDS)
		SIM_TRACE(sim, "%u/%u rejects %.*s: %s", owner->process, owner->partition, (int)message->value.len,
		    (const char *)message->value.data, tag->text);
	if (owner->fenced_owner) /* it may not have heard of the card; or Redis forgot who overthrew it */
		message->rejected_aside |= 1u << tag->reject;
	else
		message->rejected |= 1u << tag->reject;
}

static void
audit(void *ctx, const struct weir_audit *audit, const char *key, struct weir_slice json)
{
	struct sim_owner *owner = ctx;
	SIM_TRACE(owner->sim, "%u/%u audit %s %s: %.*s", owner->process, owner->partition, owner_event_name(audit->event),
	    key, (int)json.len, (const char *)json.data);
}

static void
publish(void *ctx, enum weir_outbox_topic topic, uint32_t partition, struct weir_slice key, struct weir_slice value)
{
	struct sim_owner *owner = ctx;
	if (topic == WEIR_OUTBOX_ALERTS)
		sim_check_alert(owner->sim, owner, value);
	struct sim_outgoing held = {.topic = topic, .partition = partition};
	weir_buf_append(&held.key, key.data, key.len);
	weir_buf_append(&held.value, value.data, value.len);
	sim_outbox_push(&owner->outbox, &held);
}

static void
window_close(void *ctx)
{
	struct sim_outbox *outbox = &((struct sim_owner *)ctx)->outbox;
	WEIR_CHECK(outbox->closed == 0 && outbox->late_closed == 0);
	outbox->closed = outbox->n;
	outbox->late_closed = outbox->late_open;
	outbox->late_open = 0;
}

static enum owner_window
window(void *ctx)
{
	const struct sim_outbox *outbox = &((struct sim_owner *)ctx)->outbox;
	if (outbox->closed > 0 || outbox->late_closed > 0)
		return OWNER_WINDOW_OPEN;
	return outbox->refused ? OWNER_WINDOW_REFUSED : OWNER_WINDOW_ACKNOWLEDGED;
}

/* ---- dispatcher ---- */

/* The queue is full now and then. A zombie's process stands still: its commands go nowhere. */
static bool
enqueue(void *ctx, const struct weir_pending_command *pending_command)
{
	struct sim_owner *owner = ctx;
	if (owner->fenced_owner)
		return true;
	sim_check_command(owner->sim, owner, pending_command);
	if (owner->sim->faults && sim_chance(&owner->sim->rng, 30))
		return false;
	sim_dispatch_enqueue(owner->sim, owner, pending_command);
	return true;
}

static void
forget_commands(void *ctx)
{
	const struct sim_owner *owner = ctx;
	if (!owner->fenced_owner)
		sim_dispatch_forget(owner->sim, owner->process, owner->partition);
}

static void
drain_results(void *ctx)
{
	sim_owner_results(((struct sim_owner *)ctx)->sim, ((struct sim_owner *)ctx)->process);
}

static void
commanded(void *ctx, const struct weir_command_result *result, const struct weir_enforcement_slot *state)
{
	struct sim_owner *owner = ctx;
	(void)state;
	if (result->state == WEIR_COMMAND_CONFIRMED && !owner->sim->rolled_back[owner->partition])
		sim_carrier_reported(
		    owner->sim, sim_card_of(owner->sim, result->iccid), result->at_us, owner->o->flush_number + 1);
}

static void
flushed(void *ctx, int64_t took_us)
{
	(void)ctx, (void)took_us;
}

static void
core_ends(void *ctx, const struct weir_partition_stats *stats)
{
	((struct sim_owner *)ctx)->sim->unattributed |= stats->unattributed > 0;
}

static void
note(void *ctx, enum owner_note note, const char *text)
{
	static const char *const NAMES[] = {[OWNER_NOTE_TAKEN] = "taken",
	    [OWNER_NOTE_FENCED] = "fenced",
	    [OWNER_NOTE_LOST_WRITES] = "lost writes",
	    [OWNER_NOTE_NEW_LOG] = "new log",
	    [OWNER_NOTE_UNPROVEN] = "unproven",
	    [OWNER_NOTE_STOPPED] = "stopped",
	    [OWNER_NOTE_GIVEN_BACK] = "given back",
	    [OWNER_NOTE_LOST] = "lost"};
	struct sim_owner *owner = ctx;
	SIM_TRACE(owner->sim, "%u/%u %s: %s", owner->process, owner->partition, NAMES[note], text);
}

const struct owner_io SIM_IO = {.next_batch = next_batch,
    .release_batch = release_batch,
    .decode = decode,
    .source_drop = source_drop,
    .source_rewind = source_rewind,
    .prove = prove,
    .source_lag = source_lag,
    .source_commit = source_commit,
    .store_connected = store_connected,
    .store_take = store_take,
    .flush_begin = flush_begin,
    .purge_dedupe_keys = purge_dedupe_keys,
    .purge_past = purge_past,
    .purge_window = purge_window,
    .flush_end = flush_end,
    .store_flush = store_flush,
    .store_fetch = store_fetch,
    .store_cancel = store_cancel,
    .keep_history = keep_history,
    .dead_letter = dead_letter,
    .audit = audit,
    .publish = publish,
    .window_close = window_close,
    .window = window,
    .enqueue = enqueue,
    .forget_commands = forget_commands,
    .drain_results = drain_results,
    .commanded = commanded,
    .flushed = flushed,
    .core_ends = core_ends,
    .note = note};
