/*
 * Trouble: a process dies, a partition is taken away with or without its owner knowing, Redis goes back in time, carriers
 * are out. Never more than the design promises to bear.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

void
sim_snapshot(struct sim *sim, uint32_t partition)
{
	struct sim_store **place = &sim->snapshots[partition][sim_below(&sim->rng, SIM_SNAPSHOTS)];
	if (*place != NULL) {
		sim_store_free(*place);
		free(*place);
	}
	*place = sim_store_copy(&sim->store[partition]);
}

void
sim_snapshots_forget(struct sim *sim)
{
	for (uint32_t p = 0; p < SIM_PARTITIONS; p++)
		for (uint32_t i = 0; i < SIM_SNAPSHOTS; i++)
			if (sim->snapshots[p][i] != NULL) {
				sim_store_free(sim->snapshots[p][i]);
				free(sim->snapshots[p][i]);
				sim->snapshots[p][i] = NULL;
			}
}

/* Redis restarts from an older copy: what was flushed since is gone. Later copies are of a time that never was. */
static void
roll_back(struct sim *sim, uint32_t partition)
{
	struct sim_store *from = sim->snapshots[partition][sim_below(&sim->rng, SIM_SNAPSHOTS)];
	if (from == NULL)
		return;
	SIM_TRACE(sim, "redis of %u goes back: flush %lld to %lld", partition,
	    (long long)sim->store[partition].flush_number, (long long)from->flush_number);
	sim->rolled_back[partition] = true;
	struct sim_store *copy = sim_store_copy(from);
	sim_store_free(&sim->store[partition]);
	sim->store[partition] = *copy;
	free(copy);
	for (uint32_t i = 0; i < SIM_SNAPSHOTS; i++) {
		struct sim_store *other = sim->snapshots[partition][i];
		if (other != NULL && other->flush_number > sim->store[partition].flush_number) {
			sim_store_free(other);
			free(other);
			sim->snapshots[partition][i] = NULL;
		}
	}
}

static bool
has_room(const struct sim *sim)
{
	uint32_t fenced_owners = 0;
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		fenced_owners += sim->owners[i].used && sim->owners[i].fenced_owner;
	return fenced_owners < 4;
}

/* The group gives the partition to another process; the old owner may not have heard of it. */
static void
rebalance(struct sim *sim, uint32_t partition)
{
	struct sim_owner *owner = sim_owner_of(sim, partition);
	uint32_t to = (uint32_t)sim_below(&sim->rng, sim->processes);
	if (owner == NULL)
		return;
	bool heard = sim->heard || !has_room(sim) || to == owner->process || sim_chance(&sim->rng, 300);
	SIM_TRACE(
	    sim, "partition %u moves from process %u to %u%s", partition, owner->process, to, heard ? "" : ", unheard");
	if (to != owner->process)
		sim_calls_abandon(sim, owner->process, partition);
	if (heard) {
		sim_owner_drop(sim, owner);
	} else {
		weir_dispatch_core_forget(sim->process[owner->process].dispatch, owner->process, partition);
		owner->fenced_owner = true;
		sim->two_owners[partition] = true;
	}
	sim_owner_take(sim, partition, to);
}

static void
crash(struct sim *sim)
{
	uint32_t process = (uint32_t)sim_below(&sim->rng, sim->processes);
	bool held[SIM_PARTITIONS] = {false};
	for (uint32_t p = 0; p < sim->partitions; p++) {
		const struct sim_owner *owner = sim_owner_of(sim, p);
		held[p] = owner != NULL && owner->process == process;
	}
	sim_process_die(sim, process);
	for (uint32_t p = 0; p < sim->partitions; p++)
		if (held[p])
			sim_owner_take(sim, p, (uint32_t)sim_below(&sim->rng, sim->processes));
}

void
sim_fault(struct sim *sim)
{
	uint32_t partition = (uint32_t)sim_below(&sim->rng, sim->partitions);
	switch (sim_below(&sim->rng, 8)) {
	case 0:
	case 1:
	case 2:
		crash(sim);
		break;
	case 3:
	case 4:
		rebalance(sim, partition);
		break;
	case 5:
		roll_back(sim, partition);
		break;
	case 6:
		sim_snapshot(sim, partition);
		break;
	default:
		sim->outage_until_us[sim_below(&sim->rng, (uint64_t)sim->carriers)] =
		    sim->now_us + sim_between(&sim->rng, SIM_SECOND, 60 * SIM_SECOND);
		break;
	}
}
