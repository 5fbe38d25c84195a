/*
 * What a lane does with a partition, in the lane's order (pipeline/engine/lane.c, lane_effects.c, lane_flush.c): reference
 * data first, then partials, then records; background work; what is to be told; effects; the flush, when nothing is parked
 * and when every message posted before it is in Kafka.
 *
 * Rejected: driving the lane itself. It is a thread with sockets; what decides is here in a tenth of its lines, and what it
 * does with Kafka and Redis is tested end to end.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

/* ---- effects ---- */

static void
fill_command(const struct sim_owner *owner, uint32_t slot, struct weir_pending_command *pending_command)
{
	const struct weir_partition *p = owner->core;
	const struct weir_card_slot *card = weir_slab_at(&p->tables.cards, slot);
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	*pending_command = (struct weir_pending_command){.iccid = card->iccid,
	    .partition = owner->partition,
	    .slot = slot,
	    .desired = e != NULL ? e->desired : WEIR_CARD_ACTIVE,
	    .confirmed = e != NULL ? e->confirmed : WEIR_CARD_ACTIVE};
	(void)snprintf(pending_command->carrier, sizeof(pending_command->carrier), "%s",
	    weir_partition_carrier_name(p, card->carrier));
	if (!weir_partition_may_send(owner->core, slot)) {
		pending_command->desired = WEIR_CARD_UNKNOWN;
		return;
	}
	pending_command->pending = e != NULL ? e->pending : 0;
	if (e == NULL || !owner->restart_commands)
		return;
	pending_command->resumed_state = e->command;
	pending_command->resumed_desired = e->target;
	pending_command->resumed_attempts = e->attempts;
	memcpy(pending_command->ticket, e->ticket, sizeof(pending_command->ticket));
}

static void
enqueue_commands(struct sim *sim, struct sim_owner *owner)
{
	struct weir_u64_list *pending_commands = &owner->core->effects.pending_commands;
	for (uint32_t i = 0; i < pending_commands->n && !owner->fenced_owner; i++) {
		struct weir_pending_command pending_command;
		fill_command(owner, (uint32_t)pending_commands->v[i], &pending_command);
		sim_check_command(sim, owner, &pending_command);
		sim_dispatch_enqueue(sim, owner, &pending_command);
	}
	pending_commands->n = 0;
	owner->restart_commands = false;
}

/* Dead letters: remembered with their message, to be compared with the model's verdict. */
static void
give_rejects(struct sim *sim, struct sim_owner *owner)
{
	struct weir_records *rejects = &owner->core->effects.dead_letters;
	for (uint32_t i = 0; i < rejects->n; i++) {
		const struct weir_record *r = &rejects->v[i];
		struct sim_log *log = &sim->logs[SIM_RECORDS][owner->partition];
		if (r->offset < 0 || r->offset >= log->n)
			sim_fail(sim, "a dead letter of no record: offset %lld", (long long)r->offset);
		if (owner->fenced_owner) /* it may not have heard of the card; or Redis forgot who overthrew it */
			log->v[r->offset].rejected_aside |= 1u << r->reject;
		else
			log->v[r->offset].rejected |= 1u << r->reject;
	}
	rejects->n = 0;
}

static void
publish_outbox(struct sim *sim, struct sim_owner *owner)
{
	struct weir_partition *p = owner->core;
	for (uint32_t i = 0; i < p->effects.outbox.n; i++) {
		const struct weir_outbox_message *outgoing = &p->effects.outbox.v[i];
		if (outgoing->topic == WEIR_OUTBOX_ALERTS)
			sim_check_alert(sim, owner,
			    (struct weir_slice){
				p->effects.outbox.bytes.data + outgoing->at + outgoing->key_len, outgoing->value_len});
		struct sim_outgoing held = {
		    .topic = (enum weir_outbox_topic)outgoing->topic, .partition = outgoing->partition};
		weir_buf_append(&held.key, p->effects.outbox.bytes.data + outgoing->at, outgoing->key_len);
		weir_buf_append(
		    &held.value, p->effects.outbox.bytes.data + outgoing->at + outgoing->key_len, outgoing->value_len);
		sim_outbox_push(&owner->outbox, &held);
	}
	p->effects.outbox.n = 0;
	p->effects.outbox.bytes.len = 0;
}

static struct sim_request *
submit_request(struct sim_owner *owner, struct sim_request *request)
{
	if (owner->queue_count == owner->queue_cap) {
		owner->queue_cap = owner->queue_cap == 0 ? 8 : owner->queue_cap * 2;
		owner->queue = weir_realloc(owner->queue, owner->queue_cap * sizeof(struct sim_request *));
	}
	return owner->queue[owner->queue_count++] = request;
}

static void
submit_fetches(struct sim_owner *owner)
{
	struct weir_partition *p = owner->core;
	if (owner->flush != NULL && !owner->flush_sent)
		return; /* a look-up must not overtake what was encoded before it */
	for (uint32_t i = 0; i < p->effects.fetch_requests.n; i++) {
		struct sim_request *request = weir_calloc(1, sizeof(*request));
		request->kind = SIM_FETCH;
		request->fetch = p->effects.fetch_requests.v[i];
		(void)submit_request(owner, request);
	}
	p->effects.fetch_requests.n = 0;
}

static void
effects(struct sim *sim, struct sim_owner *owner)
{
	give_rejects(sim, owner);
	publish_outbox(sim, owner);
	enqueue_commands(sim, owner);
	owner->changed |= owner->core->effects.audits.n > 0;
	owner->core->effects.audits.n = 0;
	submit_fetches(owner);
}

/* ---- inputs ---- */

/* As many messages as the consumer happens to have; false when there is none. */
static uint32_t
next_batch(struct sim *sim, struct sim_owner *owner, enum sim_topic topic, uint32_t max)
{
	const struct sim_log *log = &sim->logs[topic][owner->partition];
	int64_t left = log->n - owner->next_offset[topic];
	uint32_t count = left < (int64_t)max ? (uint32_t)left : max;
	if (owner->next_offset[topic] + count == log->n)
		owner->at_end[topic] = true;
	owner->changed |= count > 0;
	return count;
}

static void
apply_message(struct sim *sim, struct sim_owner *owner, const struct sim_message *message, int64_t offset)
{
	struct weir_reference reference = {.type = WEIR_REF_CARD};
	struct weir_error err = {0};
	struct weir_cause cause = {SIM_CARDS, offset, message->arrived_us, message->arrived_us, 0};
	struct weir_slice value = {message->value.data, message->value.len};
	weir_partition_set_time(owner->core, owner->core->clock.now_us, 0);
	enum weir_class class = weir_reference_parse(value, &reference, &err);
	if (class == WEIR_OK)
		class = weir_partition_apply(owner->core, &reference, value, &cause, &err);
	if (class != WEIR_OK) {
		SIM_TRACE(sim, "%u/%u rejects %.*s: %s", owner->process, owner->partition, (int)value.len,
		    (const char *)value.data, err.text);
		sim->logs[SIM_CARDS][owner->partition].v[offset].rejected |= 1;
	}
}

static void
read_cards(struct sim *sim, struct sim_owner *owner, uint32_t max)
{
	uint32_t count = next_batch(sim, owner, SIM_CARDS, max);
	for (uint32_t i = 0; i < count; i++) {
		int64_t offset = owner->next_offset[SIM_CARDS]++;
		const struct sim_message *message = &sim->logs[SIM_CARDS][owner->partition].v[offset];
		SIM_TRACE(sim, "%u/%u cards %lld: %.*s", owner->process, owner->partition, (long long)offset,
		    (int)message->value.len, (const char *)message->value.data);
		apply_message(sim, owner, message, offset);
	}
	if (count > 0)
		effects(sim, owner);
}

static void
read_reports(struct sim *sim, struct sim_owner *owner, uint32_t max)
{
	uint32_t count = next_batch(sim, owner, SIM_REPORTS, max);
	for (uint32_t i = 0; i < count; i++) {
		int64_t offset = owner->next_offset[SIM_REPORTS]++;
		const struct sim_message *message = &sim->logs[SIM_REPORTS][owner->partition].v[offset];
		struct weir_slice value = {message->value.data, message->value.len};
		struct weir_error err = {0};
		if (sim->options.trace && value.len == sizeof(struct weir_usage_report)) {
			struct weir_usage_report usage_report;
			memcpy(&usage_report, value.data, sizeof(usage_report));
			SIM_TRACE(sim,
			    "%u/%u partial %lld: %s from %u epoch %llu cycle %u flags %u members %u active %u used %llu",
			    owner->process, owner->partition, (long long)offset, usage_report.pool, usage_report.source,
			    (unsigned long long)usage_report.epoch, usage_report.cycle, usage_report.flags,
			    usage_report.members, usage_report.active,
			    (unsigned long long)(usage_report.up + usage_report.down));
		}
		if (sim->options.trace && value.len == sizeof(struct weir_usage_report_hour)) {
			struct weir_usage_report_hour window;
			memcpy(&window, value.data, sizeof(window));
			SIM_TRACE(sim, "%u/%u partial %lld: %s from %u epoch %llu hour %d: %llu+%llu in %u", owner->process,
			    owner->partition, (long long)offset, window.pool, window.source,
			    (unsigned long long)window.epoch, window.hour, (unsigned long long)window.up,
			    (unsigned long long)window.down, window.records);
		}
		if (sim->options.trace && value.len == sizeof(struct weir_source_watermark)) {
			struct weir_source_watermark source_watermark;
			memcpy(&source_watermark, value.data, sizeof(source_watermark));
			SIM_TRACE(sim, "%u/%u partial %lld: %.4s from %u epoch %llu %lld", owner->process, owner->partition,
			    (long long)offset, source_watermark.magic, source_watermark.source,
			    (unsigned long long)source_watermark.epoch, (long long)source_watermark.published_us);
		}
		if (weir_partition_apply_report(owner->core, value, message->arrived_us, &err) != WEIR_OK)
			sim_fail(sim, "a partial is refused: %s", err.text);
	}
}

static void
read_records(struct sim *sim, struct sim_owner *owner, uint32_t max)
{
	struct weir_record batch[64];
	uint32_t count = next_batch(sim, owner, SIM_RECORDS, max < 64 ? max : 64);
	for (uint32_t i = 0; i < count; i++) {
		int64_t offset = owner->next_offset[SIM_RECORDS]++;
		const struct sim_message *message = &sim->logs[SIM_RECORDS][owner->partition].v[offset];
		batch[i] = message->record;
		batch[i].offset = offset;
		batch[i].arrived_us = message->arrived_us;
		batch[i].input = SIM_RECORDS;
		SIM_TRACE(sim, "%u/%u record %lld: card %d end %lld up %llu down %llu imei %llu, %u parked", owner->process,
		    owner->partition, (long long)offset, sim_card_of(sim, batch[i].iccid), (long long)batch[i].end_us,
		    (unsigned long long)batch[i].up, (unsigned long long)batch[i].down, (unsigned long long)batch[i].imei14,
		    owner->core->parked.records.n);
	}
	if (count == 0)
		return;
	weir_partition_fold(owner->core, batch, count);
	effects(sim, owner);
}

/* ---- flushes ---- */

static void
encode_flush(struct sim *sim, struct sim_owner *owner)
{
	struct sim_request *request = weir_calloc(1, sizeof(*request));
	request->kind = SIM_FLUSH;
	memcpy(request->offsets_before, owner->stored, sizeof(owner->stored));
	memcpy(request->offsets_after, owner->next_offset, sizeof(owner->next_offset));
	request->offsets_before[SIM_TOPICS] = owner->flush_number;
	request->offsets_after[SIM_TOPICS] = ++owner->flush_number;
	request->stream_time_us = owner->core->clock.stream_time_us;
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		request->slots[i] = weir_partition_slab(owner->core, i)->used;
	sim_store_encode(owner, &request->body, sim->seed % 2 == 0 ? 2 : 64);
	owner->check_only = !owner->changed;
	owner->changed = false;
	owner->flush = request;
	owner->flush_sent = false;
	owner->outbox.closed = owner->outbox.n;
	SIM_TRACE(sim, "%u/%u encodes flush %lld: cards %lld partials %lld records %lld", owner->process, owner->partition,
	    (long long)owner->flush_number, (long long)owner->next_offset[SIM_CARDS],
	    (long long)owner->next_offset[SIM_REPORTS], (long long)owner->next_offset[SIM_RECORDS]);
}

static bool
has_dirt(const struct weir_partition *p)
{
	for (uint32_t i = 0; i < WEIR_SLABS; i++)
		if (weir_partition_slab((struct weir_partition *)p, i)->dirty_count > 0)
			return true;
	for (unsigned i = 0; i < WEIR_WINDOW_KINDS; i++)
		if (p->tables.windows[i].dirty > 0)
			return true;
	return p->tables.closed_cycles.dirty > 0 || p->tables.pool_closed_cycles.dirty > 0 ||
	       p->registry.new_name_count > 0 || p->registry.new_reference_count > 0 || weir_partition_feeds_due(p);
}

#define CHECK_EVERY_US (5 * SIM_SECOND) /* as lane_flush.c has it */

static void
flush_round(struct sim *sim, struct sim_owner *owner)
{
	if (owner->flush != NULL) {
		if (!owner->flush_sent && owner->outbox.closed == 0) {
			(void)submit_request(owner, owner->flush);
			owner->flush_sent = true;
		}
		return;
	}
	bool look = sim->now_us - owner->flushed_us >= CHECK_EVERY_US;
	if ((!owner->changed && !look) || sim->now_us < owner->flush_due_us || weir_partition_parked(owner->core) > 0)
		return;
	encode_flush(sim, owner);
	owner->flush_due_us = sim->now_us + sim->flush_interval_us;
}

/* ---- the round ---- */

static void
mark_caught_up(struct sim *sim, struct sim_owner *owner)
{
	bool cards = owner->at_end[SIM_CARDS] && owner->at_end[SIM_RECORDS] && owner->core->parked.records.n == 0;
	bool pools = owner->at_end[SIM_CARDS] && owner->at_end[SIM_REPORTS];
	if ((cards && !owner->cards_caught_up) || (pools && !owner->pools_caught_up))
		weir_partition_caught_up(owner->core, cards, pools);
	owner->cards_caught_up |= cards;
	owner->pools_caught_up |= pools;
	if (owner->caught_up || !cards || !pools)
		return;
	owner->caught_up = true;
	owner->restart_commands = true;
	weir_partition_enqueue_all(owner->core, true);
	SIM_TRACE(sim, "%u/%u has settled", owner->process, owner->partition);
}

static bool
is_held(const struct sim *sim, const struct sim_owner *owner)
{
	return weir_partition_parked(owner->core) > 0 && (owner->core->parked.records.n >= owner->core->opts.parked_max ||
							     (owner->flush == NULL && sim->now_us >= owner->flush_due_us));
}

/* As lane_windows.c has it: the clock when all was read, else the newest record's time. */
static void
watermark(const struct sim *sim, struct sim_owner *owner)
{
	const struct sim_log *log = &sim->logs[SIM_RECORDS][owner->partition];
	int64_t read = owner->next_offset[SIM_RECORDS];
	if (!owner->at_end[SIM_CARDS])
		return;
	if (read == log->n)
		weir_partition_watermark(owner->core, sim->now_us);
	else if (read > 0)
		weir_partition_watermark(owner->core, log->v[read - 1].arrived_us);
}

void
sim_owner_round(struct sim *sim, struct sim_owner *owner, uint32_t batch_max)
{
	weir_partition_set_time(owner->core, sim->now_us, 0);
	if (!is_held(sim, owner)) {
		read_cards(sim, owner, batch_max);
		if (owner->at_end[SIM_CARDS]) {
			read_reports(sim, owner, batch_max);
			read_records(sim, owner, batch_max);
		}
	}
	mark_caught_up(sim, owner);
	sim->unattributed |= owner->core->stats.unattributed > 0;
	watermark(sim, owner);
	(void)weir_partition_tick(owner->core, sim->tick_slots);
	weir_partition_publish(owner->core);
	effects(sim, owner);
	owner->changed |= has_dirt(owner->core);
	if (!owner->fenced_owner)
		sim_check_step(sim, owner);
	flush_round(sim, owner);
}

bool
sim_owner_is_idle(const struct sim *sim, const struct sim_owner *owner)
{
	for (int t = 0; t < SIM_TOPICS; t++)
		if (owner->stored[t] != sim->logs[t][owner->partition].n)
			return false;
	bool flushes = owner->flush != NULL && !owner->check_only;
	return !owner->changed && !flushes && (owner->queue_count == 0 || owner->check_only) && owner->outbox.n == 0 &&
	       owner->core->effects.pending_commands.n == 0 && weir_partition_parked(owner->core) == 0 &&
	       !weir_partition_feeds_due(owner->core) && owner->core->pools_work.scans.n == 0 && owner->caught_up;
}

/* ---- answers ---- */

void
sim_owner_store(struct sim *sim, struct sim_owner *owner)
{
	uint32_t at = 0;
	while (at < owner->queue_count && owner->queue[at]->done)
		at++;
	if (at == owner->queue_count)
		return;
	struct sim_request *request = owner->queue[at];
	request->done = true;
	if (request->kind == SIM_FETCH)
		sim_store_fetch(&sim->store[owner->partition], &request->fetch, &request->value);
	else
		sim_store_decide(sim, owner, request);
}

static void
request_free(struct sim_request *request)
{
	weir_buf_free(&request->value);
	weir_buf_free(&request->body);
	free(request);
}

static void
answer_flush(struct sim *sim, struct sim_owner *owner, const struct sim_request *request)
{
	owner->flush = NULL;
	owner->flush_sent = false;
	owner->check_only = false;
	owner->flushed_us = sim->now_us;
	if (request->result == SIM_STORE_DONE)
		weir_partition_stored(owner->core);
	if (request->result == SIM_STORE_DONE)
		memcpy(owner->stored, request->offsets_after, sizeof(owner->stored));
	SIM_TRACE(sim, "%u/%u flush %lld: %s", owner->process, owner->partition,
	    (long long)request->offsets_after[SIM_TOPICS],
	    request->result == SIM_STORE_DONE     ? "stored"
	    : request->result == SIM_STORE_FENCED ? "fenced"
						  : "forgotten");
}

void
sim_owner_answers(struct sim *sim, struct sim_owner *owner)
{
	bool fetched = false;
	while (owner->queue_count > 0 && owner->queue[0]->done) {
		struct sim_request *request = owner->queue[0];
		owner->queue_count--;
		memmove(owner->queue, owner->queue + 1, owner->queue_count * sizeof(struct sim_request *));
		if (request->kind == SIM_FLUSH) {
			answer_flush(sim, owner, request);
			int result = request->result;
			request_free(request);
			if (result == SIM_STORE_FENCED)
				sim_owner_drop(sim, owner);
			else if (result == SIM_STORE_LOST_WRITES)
				sim_owner_take_again(sim, owner);
			if (result != SIM_STORE_DONE)
				return;
			continue;
		}
		fetched = true;
		struct weir_slice value = {request->value.data, request->value.len};
		if (!weir_partition_fetched(owner->core, &request->fetch, value))
			sim_fail(sim, "stored marks or past totals have a wrong size");
		request_free(request);
	}
	bool waiting = owner->core->effects.fetch_requests.n > 0;
	for (uint32_t i = 0; i < owner->queue_count; i++)
		waiting |= owner->queue[i]->kind == SIM_FETCH;
	if (!fetched || waiting)
		return;
	weir_partition_set_time(owner->core, sim->now_us, 0);
	weir_partition_unpark(owner->core);
	owner->changed = true;
	effects(sim, owner);
}

/* ---- the dispatcher's results ---- */

static void
one_result(struct sim *sim, struct sim_owner *owner, const struct weir_command_result *result)
{
	const struct weir_slab *cards = &owner->core->tables.cards;
	const struct weir_card_slot *card = NULL;
	if (result->slot < cards->used && !weir_slab_is_filler(cards, result->slot))
		card = weir_slab_at(cards, result->slot);
	if (card == NULL || !weir_iccid_equal(card->iccid, result->iccid)) {
		weir_partition_unconfirmed(owner->core, result->iccid);
		return;
	}
	struct weir_command_report report = {.slot = result->slot,
	    .state = result->state,
	    .target = result->target,
	    .attempts = result->attempts,
	    .at_us = result->at_us,
	    .next_us = result->next_us,
	    .token = result->token,
	    .pending = result->pending,
	    .ticket = result->ticket,
	    .text = result->text};
	if (result->state == WEIR_COMMAND_CONFIRMED && !sim->rolled_back[owner->partition])
		sim_carrier_reported(sim, sim_card_of(sim, card->iccid), result->at_us, owner->flush_number + 1);
	weir_partition_command(owner->core, &report);
	owner->changed = true;
	effects(sim, owner);
}

void
sim_owner_results(struct sim *sim, uint32_t process)
{
	struct sim_process *from = &sim->process[process];
	for (uint32_t i = 0; i < from->result_count; i++) {
		const struct weir_command_result *result = &from->results[i];
		for (uint32_t k = 0; k < SIM_OWNERS; k++) {
			struct sim_owner *owner = &sim->owners[k];
			if (owner->used && !owner->fenced_owner && owner->process == process &&
			    owner->partition == result->partition)
				one_result(sim, owner, result);
		}
	}
	from->result_count = 0;
}
