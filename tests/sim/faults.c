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

static void
snapshots_forget_of(struct sim *sim, uint32_t partition)
{
	for (uint32_t i = 0; i < SIM_SNAPSHOTS; i++)
		if (sim->snapshots[partition][i] != NULL) {
			sim_store_free(sim->snapshots[partition][i]);
			free(sim->snapshots[partition][i]);
			sim->snapshots[partition][i] = NULL;
		}
}

void
sim_snapshots_forget(struct sim *sim)
{
	for (uint32_t p = 0; p < SIM_PARTITIONS; p++)
		snapshots_forget_of(sim, p);
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
	uint32_t others = 0;
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		others += sim->owners[i].used && (sim->owners[i].fenced_owner || sim->owners[i].gone);
	return others < 6;
}

/*
 * The group gives the partition to another process, or to the same again: its owner gives it back, hears that it was taken
 * away, or hears nothing.
 */
static void
rebalance(struct sim *sim, uint32_t partition)
{
	struct sim_owner *owner = sim_owner_of(sim, partition);
	uint32_t to = (uint32_t)sim_below(&sim->rng, sim->processes), from = owner->process;
	if (owner->leaves || !has_room(sim))
		return;
	bool heard = sim->heard || to == from || owner->o->state != OWNER_RUNNING || sim_chance(&sim->rng, 300);
	SIM_TRACE(sim, "partition %u moves from process %u to %u%s", partition, from, to, heard ? "" : ", unheard");
	if (heard && sim_chance(&sim->rng, 500)) {
		sim_owner_leave(sim, owner, to);
		return;
	}
	if (to != from)
		sim_calls_abandon(sim, from, partition);
	if (heard) {
		sim_owner_lose(sim, owner);
	} else {
		sim_dispatch_forget(sim, from, partition);
		owner->fenced_owner = true;
		sim->two_owners[partition] = true;
	}
	sim_owner_take(sim, partition, to);
}

void
sim_crash(struct sim *sim, uint32_t process)
{
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

/* Its owner cannot reach Redis: requests wait. */
static void
redis_away(struct sim *sim, uint32_t partition)
{
	sim->away_until_us[partition] = sim->now_us + sim_between(&sim->rng, SIM_SECOND / 10, 20 * SIM_SECOND);
	SIM_TRACE(sim, "redis of %u is away for %lld ms", partition,
	    (long long)(sim->away_until_us[partition] - sim->now_us) / 1000);
}

/* Somebody of another group takes the partition, and dies: the owner is fenced, though the group goes on calling it its
 * own. */
static void
intrude(struct sim *sim, uint32_t partition)
{
	struct sim_store *store = &sim->store[partition];
	store->epoch = (store->epoch > (uint64_t)sim->now_us ? store->epoch : (uint64_t)sim->now_us) + 1;
	SIM_TRACE(sim, "redis of %u: epoch %llu of nobody", partition, (unsigned long long)store->epoch);
}

static void
refuse(struct sim *sim, uint32_t partition)
{
	struct sim_owner *owner = sim_owner_of(sim, partition);
	if (owner->outbox.n == 0)
		return;
	SIM_TRACE(sim, "%u/%u: kafka refuses its messages for good", owner->process, partition);
	sim_outbox_refuse(&owner->outbox);
}

/* Somebody looks at what has stopped, and starts the process again. */
static void
restart_stopped(struct sim *sim, uint32_t partition)
{
	const struct sim_owner *owner = sim_owner_of(sim, partition);
	if (owner->o->state == OWNER_STOPPED)
		sim_crash(sim, owner->process);
}

/* Is all of the log in Redis, and nobody there who could read it from an earlier place? */
static bool
is_read(struct sim *sim, enum sim_topic topic, uint32_t partition)
{
	const struct sim_log *log = &sim->logs[topic][partition];
	const struct sim_owner *owner = sim_owner_of(sim, partition);
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		if (sim->owners[i].used && sim->owners[i].partition == partition && &sim->owners[i] != owner)
			return false;
	return owner->o->state == OWNER_RUNNING && owner->o->flush.phase == OWNER_FLUSH_NONE &&
	       !sim->rolled_back[partition] && owner->o->stored[topic] == sim_log_end(log) &&
	       sim->store[partition].offsets[topic] == sim_log_end(log);
}

/*
 * rule REC-9: the topic is deleted and created again, or its log is cut off by an unclean election. What weir has not read
 * by then is lost to everybody, so it happens to what has been read; and Redis does not go back to before it.
 */
static void
change_log(struct sim *sim, uint32_t partition, bool replaced)
{
	enum sim_topic topic = (enum sim_topic)sim_below(&sim->rng, SIM_TOPICS);
	struct sim_log *log = &sim->logs[topic][partition];
	int64_t end = sim_log_end(log);
	if (!is_read(sim, topic, partition) || end == 0)
		return;
	snapshots_forget_of(sim, partition);
	if (replaced)
		sim_log_replace(sim, log);
	else
		sim_log_cut(sim, log, (int64_t)sim_below(&sim->rng, (uint64_t)end));
	SIM_TRACE(sim, "%s of %u %s: it ends at %lld instead of %lld", sim->rules.topics[topic], partition,
	    replaced ? "is created again" : "is cut off", (long long)sim_log_end(log), (long long)end);
}

void
sim_fault(struct sim *sim)
{
	uint32_t partition = (uint32_t)sim_below(&sim->rng, sim->partitions);
	if (sim->forgetful && sim_chance(&sim->rng, 700)) {
		roll_back(sim, partition);
		return;
	}
	switch (sim_below(&sim->rng, 18)) {
	case 0:
	case 1:
	case 2:
		sim_crash(sim, (uint32_t)sim_below(&sim->rng, sim->processes));
		break;
	case 3:
	case 4:
	case 5:
		rebalance(sim, partition);
		break;
	case 6:
	case 7:
	case 8:
		roll_back(sim, partition);
		break;
	case 9:
		sim_snapshot(sim, partition);
		break;
	case 10:
	case 11:
		redis_away(sim, partition);
		break;
	case 12:
		intrude(sim, partition);
		break;
	case 13:
		refuse(sim, partition);
		break;
	case 14:
		restart_stopped(sim, partition);
		break;
	case 15:
	case 16:
		change_log(sim, partition, sim_chance(&sim->rng, 500));
		break;
	default:
		sim->outage_until_us[sim_below(&sim->rng, (uint64_t)sim->carriers)] =
		    sim->now_us + sim_between(&sim->rng, SIM_SECOND, 60 * SIM_SECOND);
		break;
	}
}
