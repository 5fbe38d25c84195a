/* Taking partitions, losing them, and the fence, as pipeline/engine/lane_take.c and pipeline/store/store_flush.c have it.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

struct sim_owner *
sim_owner_of(struct sim *sim, uint32_t partition)
{
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		if (sim->owners[i].used && !sim->owners[i].fenced_owner && sim->owners[i].partition == partition)
			return &sim->owners[i];
	return NULL;
}

/* Raises the epoch and loads what is stored, in one go: no flush of an older owner can come between. */
static void
take_over(struct sim *sim, struct sim_owner *owner, uint64_t floor, struct weir_unconfirmed_list *known)
{
	struct sim_store *store = &sim->store[owner->partition];
	uint64_t epoch = (store->epoch > floor ? store->epoch : floor) + 1;
	if (epoch < (uint64_t)sim->now_us)
		epoch = (uint64_t)sim->now_us;
	store->epoch = owner->epoch = epoch;
	struct weir_partition_opts opts = sim->opts;
	opts.number = owner->partition;
	opts.epoch = epoch;
	owner->core = weir_partition_new(&opts);
	weir_partition_set_time(owner->core, sim->now_us, store->stream_time_us);
	if (!sim_store_load(store, owner->core))
		sim_fail(sim, "partition %u: what was stored cannot be loaded", owner->partition);
	if (known != NULL)
		weir_partition_load_known(owner->core, known);
	memcpy(owner->stored, store->offsets, sizeof(owner->stored));
	memcpy(owner->next_offset, store->offsets, sizeof(owner->next_offset));
	owner->flush_number = store->flush_number;
	owner->flush_due_us = sim->now_us + (int64_t)sim_below(&sim->rng, (uint64_t)sim->flush_interval_us);
	owner->flushed_us = sim->now_us;
	sim->rolled_back[owner->partition] = false;
	for (int i = 0; i < sim->cards; i++)
		if (sim->card[i].partition == owner->partition)
			sim->card[i].at_carrier.known_by = 0;
	sim_watch_begin(sim, owner);
	weir_partition_enqueue_all(owner->core, false);
	owner->restart_commands = true;
	SIM_TRACE(sim, "%u/%u taken: epoch %llu cards %lld partials %lld records %lld", owner->process, owner->partition,
	    (unsigned long long)epoch, (long long)owner->next_offset[SIM_CARDS], (long long)owner->next_offset[SIM_REPORTS],
	    (long long)owner->next_offset[SIM_RECORDS]);
}

static void
forget_requests(struct sim_owner *owner)
{
	bool queued = false;
	for (uint32_t i = 0; i < owner->queue_count; i++) {
		struct sim_request *request = owner->queue[i];
		queued |= request == owner->flush;
		weir_buf_free(&request->value);
		weir_buf_free(&request->body);
		free(request);
	}
	if (!queued && owner->flush != NULL) {
		weir_buf_free(&owner->flush->body);
		free(owner->flush);
	}
	owner->flush = NULL;
	owner->queue_count = 0;
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
let_go(struct sim *sim, struct sim_owner *owner)
{
	if (!owner->fenced_owner)
		weir_dispatch_core_forget(sim->process[owner->process].dispatch, owner->process, owner->partition);
	forget_requests(owner);
	orphan_outbox(sim, owner);
	weir_partition_free(owner->core);
	free(owner->queue);
}

void
sim_owner_drop(struct sim *sim, struct sim_owner *owner)
{
	SIM_TRACE(sim, "%u/%u dropped%s", owner->process, owner->partition, owner->fenced_owner ? " (zombie)" : "");
	let_go(sim, owner);
	*owner = (struct sim_owner){0};
}

void
sim_owner_take(struct sim *sim, uint32_t partition, uint32_t process)
{
	for (uint32_t i = 0; i < SIM_OWNERS; i++) {
		struct sim_owner *owner = &sim->owners[i];
		if (owner->used)
			continue;
		*owner = (struct sim_owner){.used = true, .partition = partition, .process = process};
		/* Redis went back, and who knew what it forgot is gone. */
		bool lost = sim->rolled_back[partition] || sim->noticed[partition];
		for (int k = 0; k < sim->cards && lost; k++)
			if (sim->card[k].partition == partition)
				sim_carrier_unconfirmed(sim, k);
		sim->noticed[partition] = false;
		take_over(sim, owner, 0, NULL);
		return;
	}
	sim_fail(sim, "no place for another owner");
}

void
sim_owner_take_again(struct sim *sim, struct sim_owner *owner)
{
	uint32_t partition = owner->partition, process = owner->process;
	uint64_t epoch = owner->epoch;
	if (owner->fenced_owner) { /* it learns at last that it is none */
		sim_owner_drop(sim, owner);
		return;
	}
	SIM_TRACE(sim, "%u/%u takes again", process, partition);
	struct weir_unconfirmed_list known = {0};
	sim_owner_results(sim, process);
	weir_partition_known(owner->core, &known);
	let_go(sim, owner);
	*owner = (struct sim_owner){.used = true, .partition = partition, .process = process};
	take_over(sim, owner, epoch, &known);
	sim->noticed[partition] = true;
}

/* The comparison inside the fence. */
void
sim_store_decide(struct sim *sim, struct sim_owner *owner, struct sim_request *request)
{
	struct sim_store *store = &sim->store[owner->partition];
	bool before = memcmp(store->offsets, request->offsets_before, sizeof(store->offsets)) == 0 &&
		      store->flush_number == request->offsets_before[SIM_TOPICS];
	bool after = memcmp(store->offsets, request->offsets_after, sizeof(store->offsets)) == 0 &&
		     store->flush_number == request->offsets_after[SIM_TOPICS];
	if (store->epoch > owner->epoch) {
		request->result = SIM_STORE_FENCED;
		return;
	}
	if (store->epoch < owner->epoch || (!before && !after)) {
		request->result = SIM_STORE_LOST_WRITES;
		return;
	}
	request->result = SIM_STORE_DONE;
	sim->rolled_back[owner->partition] = sim->noticed[owner->partition] = false;
	if (!before)
		return; /* applied by an attempt whose answer was lost */
	for (int i = 0; i < sim->cards; i++) {
		struct sim_subscriber *s = &sim->card[i].at_carrier;
		if (sim->card[i].partition != owner->partition || s->known_by == 0 ||
		    s->known_by > request->offsets_after[SIM_TOPICS])
			continue;
		s->is_unconfirmed = false;
		s->known_by = 0;
	}
	sim_store_apply(store, &request->body);
	store->exists = true;
	store->stream_time_us = request->stream_time_us;
	memcpy(store->offsets, request->offsets_after, sizeof(store->offsets));
	store->flush_number = request->offsets_after[SIM_TOPICS];
	memcpy(store->slots, request->slots, sizeof(store->slots));
	if (sim->faults && sim_chance(&sim->rng, 60))
		request->done = false; /* the answer is lost: it is asked again */
	if (sim->faults && sim_chance(&sim->rng, 150))
		sim_snapshot(sim, owner->partition);
}
