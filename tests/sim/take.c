/*
 * The group's word on who owns a partition, and the store's thread: it carries out requests in their order, holds the fence
 * (as pipeline/store/store_flush.c does) and answers later.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

struct sim_owner *
sim_owner_of(struct sim *sim, uint32_t partition)
{
	for (uint32_t i = 0; i < SIM_OWNERS; i++) {
		struct sim_owner *owner = &sim->owners[i];
		if (owner->used && !owner->fenced_owner && !owner->gone && owner->partition == partition)
			return owner;
	}
	return NULL;
}

/* ---- the group ---- */

void
sim_owner_take(struct sim *sim, uint32_t partition, uint32_t process)
{
	for (uint32_t i = 0; i < SIM_OWNERS; i++) {
		struct sim_owner *owner = &sim->owners[i];
		if (owner->used)
			continue;
		*owner = (struct sim_owner){
		    .used = true, .partition = partition, .process = process, .sim = sim, .starts = true};
		sim->rules.core = sim->opts;
		owner->o = owner_new(&sim->rules, partition, &SIM_IO, owner);
		owner_take(owner->o, sim_now(sim), true);
		return;
	}
	sim_fail(sim, "no place for another owner");
}

static void
request_free(struct sim_request *request)
{
	for (uint32_t i = 0; i < request->fetch_request_count; i++)
		weir_buf_free(&request->values[i]);
	weir_buf_free(&request->body);
	free(request);
}

/* What the producer held: a part of it arrives later, the rest never. */
static void
orphan_outbox(struct sim *sim, struct sim_owner *owner)
{
	struct sim_outbox *to = &sim->orphans[sim_below(&sim->rng, 4)];
	uint32_t arrive = (uint32_t)sim_below(&sim->rng, owner->outbox.n + 1);
	for (uint32_t i = 0; i < owner->outbox.n; i++) {
		if (i < arrive) {
			sim_outbox_push(to, &owner->outbox.v[i]);
			continue;
		}
		weir_buf_free(&owner->outbox.v[i].key);
		weir_buf_free(&owner->outbox.v[i].value);
	}
	owner->outbox.n = 0;
	sim_outbox_free(&owner->outbox);
}

static void
owner_end(struct sim_owner *owner)
{
	for (uint32_t i = 0; i < owner->queue_count; i++)
		request_free(owner->queue[i]);
	if (owner->flush != NULL)
		request_free(owner->flush);
	free(owner->queue);
	owner_free(owner->o);
	*owner = (struct sim_owner){0};
}

void
sim_owner_drop(struct sim *sim, struct sim_owner *owner)
{
	SIM_TRACE(sim, "%u/%u dropped%s", owner->process, owner->partition, owner->fenced_owner ? " (zombie)" : "");
	orphan_outbox(sim, owner);
	owner_end(owner);
}

void
sim_owner_sweep(struct sim *sim, struct sim_owner *owner)
{
	if (!owner_is_done(owner->o) || owner->outbox.n > 0)
		return;
	SIM_TRACE(sim, "%u/%u is over", owner->process, owner->partition);
	sim_outbox_free(&owner->outbox);
	owner_end(owner);
}

/* A take that was cancelled ends by itself. */
static void
go(struct sim *sim, struct sim_owner *owner, bool lost)
{
	if (owner->o->state != OWNER_GONE)
		owner_gone(owner->o, sim_now(sim), lost);
	owner->gone = true;
	owner->leaves = false;
}

void
sim_owner_lose(struct sim *sim, struct sim_owner *owner)
{
	go(sim, owner, true);
}

void
sim_owner_leave(struct sim *sim, struct sim_owner *owner, uint32_t to)
{
	owner->leaves = true;
	owner->to = to;
	SIM_TRACE(sim, "%u/%u is to leave", owner->process, owner->partition);
}

/* Who gives back in time has stored all that it had read. */
static void
check_left(struct sim *sim, const struct sim_owner *owner)
{
	const struct owner *o = owner->o;
	if (o->state != OWNER_RUNNING || sim->now_us >= o->leave_until_us)
		return;
	if (memcmp(o->stored, o->next_offset, SIM_TOPICS * sizeof(o->stored[0])) != 0 || o->changed)
		sim_fail(sim, "%u/%u leaves without its last flush", owner->process, owner->partition);
}

/* In the group's callback: nothing is read any more. */
static void
leave(struct sim *sim, struct sim_owner *owner)
{
	uint32_t partition = owner->partition, to = owner->to;
	if (!owner_leave(owner->o, sim_now(sim)))
		return;
	check_left(sim, owner);
	if (owner->to != owner->process)
		sim_calls_abandon(sim, owner->process, partition);
	go(sim, owner, false);
	sim_owner_take(sim, partition, to);
}

/* Enforcement goes on while Redis is away, until memory's bound. */
static void
check_reading(struct sim *sim, const struct sim_owner *owner, bool full, bool held, int64_t next_offset)
{
	const struct owner *o = owner->o;
	bool moved = o->next_offset[SIM_RECORDS] != next_offset;
	if (o->state != OWNER_RUNNING)
		return;
	if (full && moved)
		sim_fail(sim, "%u/%u reads on with its memory full", owner->process, owner->partition);
	if (!full && !held && !moved && sim->away_until_us[owner->partition] > sim->now_us && !o->proving &&
	    next_offset < sim_log_end(&sim->logs[SIM_RECORDS][owner->partition]))
		sim_fail(sim, "%u/%u reads nothing while Redis is away", owner->process, owner->partition);
}

static void
round_of(struct sim *sim, struct sim_owner *owner)
{
	struct owner *o = owner->o;
	bool runs = o->state == OWNER_RUNNING;
	bool full = runs && owner_unflushed(o) >= sim->rules.unflushed_max;
	bool held = !runs || o->proving || o->reload_due || !o->at_end[SIM_CARDS] ||
		    weir_partition_parked(o->core) >= sim->opts.parked_max;
	int64_t next_offset = o->next_offset[SIM_RECORDS];
	(void)owner_round(o, sim_now(sim));
	if (runs)
		check_reading(sim, owner, full, held, next_offset);
	if (o->state != OWNER_RUNNING)
		return;
	sim->unattributed |= o->core->stats.unattributed > 0;
	if (!owner->fenced_owner)
		sim_check_step(sim, owner);
}

void
sim_owner_round(struct sim *sim, struct sim_owner *owner, uint32_t batch_max)
{
	owner->batch_max = batch_max;
	if (owner->leaves)
		leave(sim, owner);
	else
		round_of(sim, owner);
}

bool
sim_owner_is_idle(const struct sim *sim, const struct sim_owner *owner)
{
	const struct owner *o = owner->o;
	if (o->state != OWNER_RUNNING || owner->leaves || owner->outbox.n > 0 || !o->caught_up)
		return false;
	for (int t = 0; t < SIM_TOPICS; t++)
		if (o->stored[t] != sim_log_end(&sim->logs[t][owner->partition]))
			return false;
	bool flushes = o->flush.phase != OWNER_FLUSH_NONE && !o->flush.probe;
	bool probes = o->flush.phase != OWNER_FLUSH_NONE && o->flush.probe;
	return !o->changed && !flushes && (owner->queue_count == 0 || probes) && o->core->effects.pending_commands.n == 0 &&
	       weir_partition_parked(o->core) == 0 && !weir_partition_feeds_due(o->core) &&
	       o->core->pools_work.scans.n == 0;
}

/* ---- the store's thread ---- */

/* Who knew what the store forgot is gone. */
static void
doubt_all(struct sim *sim, uint32_t partition)
{
	for (int k = 0; k < sim->cards; k++)
		if (sim->card[k].partition == partition)
			sim_carrier_unconfirmed(sim, k);
}

/* Raises the epoch and loads what is stored, in one go: no flush of an older owner can come between. */
static void
decide_take(struct sim *sim, struct sim_owner *owner, struct sim_request *request)
{
	uint32_t partition = owner->partition;
	struct sim_store *store = &sim->store[partition];
	uint64_t least = store->epoch > request->epoch_floor ? store->epoch : request->epoch_floor;
	store->epoch = least + 1 > (uint64_t)sim->now_us ? least + 1 : (uint64_t)sim->now_us;
	struct weir_store_header *header = &request->header;
	*header = (struct weir_store_header){
	    .exists = store->exists, .epoch = store->epoch, .stream_time_us = store->stream_time_us};
	memcpy(header->slots, store->slots, sizeof(header->slots));
	memcpy(header->offsets, store->offsets, sizeof(store->offsets));
	memcpy(header->logs, store->logs, sizeof(store->logs));
	header->offsets[SIM_TOPICS] = store->flush_number;
	if (!owner_load_begin(owner->o, header, sim->now_us) || !sim_store_load(store, owner->o->core))
		sim_fail(sim, "partition %u: what was stored cannot be loaded", partition);
	request->result = WEIR_STORE_DONE;
	if (owner->fenced_owner || owner->gone)
		return;
	if (!owner->o->lost_writes && (sim->rolled_back[partition] || sim->noticed[partition])) {
		doubt_all(sim, partition);
		sim->noticed[partition] = false;
	}
	sim->rolled_back[partition] = false;
	for (int i = 0; i < sim->cards; i++)
		if (sim->card[i].partition == partition)
			sim->card[i].at_carrier.known_by = 0;
}

/* What the carriers confirmed by then is known from here on. */
static void
known_to_store(struct sim *sim, uint32_t partition, int64_t flush_number)
{
	for (int i = 0; i < sim->cards; i++) {
		struct sim_subscriber *s = &sim->card[i].at_carrier;
		if (sim->card[i].partition != partition || s->known_by == 0 || s->known_by > flush_number)
			continue;
		s->is_unconfirmed = false;
		s->known_by = 0;
	}
}

/* The comparison inside the fence. */
static enum weir_store_result
compare(const struct sim_store *store, const struct owner_flush *flush, bool *again_out)
{
	bool before = memcmp(store->offsets, flush->before, sizeof(store->offsets)) == 0 &&
		      store->flush_number == flush->before[SIM_TOPICS];
	*again_out = memcmp(store->offsets, flush->after, sizeof(store->offsets)) == 0 &&
		     store->flush_number == flush->after[SIM_TOPICS];
	if (store->epoch > flush->epoch)
		return WEIR_STORE_FENCED;
	return store->epoch < flush->epoch || (!before && !*again_out) ? WEIR_STORE_LOST_WRITES : WEIR_STORE_DONE;
}

static void
decide_flush(struct sim *sim, struct sim_owner *owner, struct sim_request *request)
{
	struct sim_store *store = &sim->store[owner->partition];
	bool again;
	request->result = compare(store, &request->flush, &again);
	request->header.epoch = store->epoch;
	if (request->result != WEIR_STORE_DONE)
		return;
	sim->rolled_back[owner->partition] = sim->noticed[owner->partition] = false;
	if (again)
		return; /* applied by an attempt whose answer was lost */
	for (int t = 0; t < SIM_TOPICS; t++)
		if (request->flush.after[t] < 0 && request->flush.before[t] >= 0)
			sim_fail(
			    sim, "%u/%u stores the start of a log, which is no offset", owner->process, owner->partition);
	known_to_store(sim, owner->partition, request->flush.number);
	sim_store_apply(store, &request->body);
	store->exists = true;
	store->stream_time_us = request->stream_time_us;
	memcpy(store->offsets, request->flush.after, sizeof(store->offsets));
	memcpy(store->logs, request->flush.logs, sizeof(store->logs));
	store->flush_number = request->flush.number;
	memcpy(store->slots, request->slots, sizeof(store->slots));
	if (sim->faults && sim_chance(&sim->rng, 60))
		request->done = false; /* the answer is lost: it is asked again */
	if (sim->faults && sim_chance(&sim->rng, 150))
		sim_snapshot(sim, owner->partition);
}

/* A refusal for good (WRONGTYPE, NOPERM) is rare, and changes nothing. */
static void
carry_out(struct sim *sim, struct sim_owner *owner, struct sim_request *request)
{
	request->done = true;
	if (sim->faults && sim_chance(&sim->rng, request->kind == WEIR_STORE_TAKE ? 15 : 2)) {
		request->result = WEIR_STORE_FAILED;
	} else if (request->kind == WEIR_STORE_TAKE) {
		decide_take(sim, owner, request);
	} else if (request->kind == WEIR_STORE_FLUSH) {
		decide_flush(sim, owner, request);
	} else {
		request->result = WEIR_STORE_DONE;
		for (uint32_t i = 0; i < request->fetch_request_count; i++)
			sim_store_fetch(&sim->store[owner->partition], &request->fetch_requests[i], &request->values[i]);
	}
}

void
sim_owner_store(struct sim *sim, struct sim_owner *owner)
{
	uint32_t at = 0;
	while (at < owner->queue_count && owner->queue[at]->done)
		at++;
	if (at < owner->queue_count && sim->away_until_us[owner->partition] <= sim->now_us)
		carry_out(sim, owner, owner->queue[at]);
}

/* ---- answers ---- */

/* The source starts where the partition was loaded; rewinds are the owner's matter. */
static void
answer_take(struct sim *sim, struct sim_owner *owner, const struct owner_answer *answer)
{
	owner_taken(owner->o, sim_now(sim), answer);
	if (owner->o->state != OWNER_RUNNING)
		return;
	if (owner->starts)
		sim_source_start(owner, owner->o->next_offset, owner->o->logs);
	owner->starts = false;
	if (!owner->fenced_owner)
		sim_watch_begin(sim, owner);
}

static void
answer_flush(struct sim *sim, struct sim_owner *owner, const struct sim_request *request, const struct owner_answer *answer)
{
	SIM_TRACE(sim, "%u/%u flush %lld: %s", owner->process, owner->partition, (long long)request->flush.number,
	    answer->result == WEIR_STORE_DONE          ? "stored"
	    : answer->result == WEIR_STORE_FENCED      ? "fenced"
	    : answer->result == WEIR_STORE_LOST_WRITES ? "forgotten"
						       : "cancelled");
	if (answer->result == WEIR_STORE_LOST_WRITES && owner->o->state == OWNER_RUNNING)
		sim->noticed[owner->partition] = true;
	owner_flushed(owner->o, sim_now(sim), request->flush.number, answer);
}

static void
answer_fetch(struct sim *sim, struct sim_owner *owner, struct sim_request *request, const struct owner_answer *answer)
{
	struct weir_slice values[SIM_FETCHES];
	for (uint32_t i = 0; i < request->fetch_request_count; i++)
		values[i] = (struct weir_slice){request->values[i].data, request->values[i].len};
	owner_fetched(owner->o, sim_now(sim), answer, request->fetch_requests, values, request->fetch_request_count);
}

static void
one_answer(struct sim *sim, struct sim_owner *owner, struct sim_request *request)
{
	const struct owner_answer answer = {request->result, &request->header, "WRONGTYPE", 1};
	if (request->kind == WEIR_STORE_TAKE)
		answer_take(sim, owner, &answer);
	else if (request->kind == WEIR_STORE_FLUSH)
		answer_flush(sim, owner, request, &answer);
	else
		answer_fetch(sim, owner, request, &answer);
}

void
sim_owner_answers(struct sim *sim, struct sim_owner *owner)
{
	while (owner->queue_count > 0 && owner->queue[0]->done) {
		struct sim_request *request = owner->queue[0];
		owner->queue_count--;
		memmove(owner->queue, owner->queue + 1, owner->queue_count * sizeof(struct sim_request *));
		bool over = owner->fenced_owner && request->kind == WEIR_STORE_FLUSH && request->result != WEIR_STORE_DONE;
		if (!over)
			one_answer(sim, owner, request);
		request_free(request);
		if (over) { /* it learns at last that it is none */
			sim_owner_drop(sim, owner);
			return;
		}
	}
}

/* ---- the dispatcher's results ---- */

void
sim_owner_results(struct sim *sim, uint32_t process)
{
	struct sim_process *from = &sim->process[process];
	for (uint32_t i = 0; i < from->result_count; i++) {
		const struct weir_command_result *result = &from->results[i];
		struct sim_owner *owner = sim_owner_of(sim, result->partition);
		if (owner != NULL && owner->process == process)
			owner_command_result(owner->o, sim_now(sim), result);
	}
	from->result_count = 0;
}
