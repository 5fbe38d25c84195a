/* Pools: what their words may say at any time, and their sums at quiet points. */
#include "tests/sim/sim_check.h"

#include <inttypes.h>

/* ---- at any time ---- */

static int
pool_of(const char *id)
{
	return id[0] == 'q' && id[1] >= '0' && id[1] <= '9' ? id[1] - '0' : -1;
}

/* What is given to a pool for its cycle, leaving out its members' part; MODEL_NONE = nothing to compare with. */
static uint64_t
given_of(const struct sim *sim, int at)
{
	const struct model_pool *pool = &sim->model.pools[at];
	if (!pool->known)
		return MODEL_NONE;
	if (pool->kind == MODEL_METERED)
		return pool->suspends ? pool->threshold : MODEL_NONE;
	uint64_t total = model_pool_total(&sim->model, at);
	if (pool->kind == MODEL_ACCUMULATIVE && total != MODEL_NONE)
		total -= (uint64_t)model_activated_members(&sim->model, at) * sim->model.plans[pool->plan].allowance;
	return total;
}

static struct sim_pool_seen
seen_now(const struct sim *sim, int at)
{
	const struct model_pool *pool = &sim->model.pools[at];
	struct sim_pool_seen seen = {given_of(sim, at), 0, 0};
	if (pool->kind == MODEL_ACCUMULATIVE && pool->plan >= 0) {
		seen.active = model_activated_members(&sim->model, at);
		seen.allowance = sim->model.plans[pool->plan].allowance;
	}
	return seen;
}

static uint64_t
bound_of(const struct sim_pool_seen *seen)
{
	return seen->given == MODEL_NONE ? MODEL_NONE
					 : seen->given + (uint64_t)(seen->active > 0 ? seen->active : 0) * seen->allowance;
}

static uint64_t
lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Between two quiet points partitions know different moments: a cut-off is correct if it is so with the least that was
 * given in between, and with all members gone that left, before any came.
 */
void
sim_check_input(struct sim *sim)
{
	for (int i = 0; i < sim->pools; i++) {
		struct sim_pool_seen now = seen_now(sim, i), *last = &sim->pool_last[i], *least = &sim->pool_least[i];
		/* Also when it was lowered: an overthrown owner may know of that before its successor does. */
		sim->pool_raised[i] |=
		    now.given != last->given || now.active != last->active || now.allowance != last->allowance;
		if (now.active < last->active)
			least->active -= last->active - now.active;
		least->given = lesser(least->given, now.given);
		least->allowance = lesser(least->allowance, now.allowance);
		*last = now;
	}
}

void
sim_states_forget(struct sim *sim)
{
	for (int i = 0; i < sim->pools; i++) {
		sim->pool_last[i] = sim->pool_least[i] = seen_now(sim, i);
		sim->pool_raised[i] = false;
	}
	memset(sim->two_owners, 0, sizeof(sim->two_owners));
	for (int i = 0; i < SIM_OWNERS; i++)
		if (sim->owners[i].used && sim->owners[i].fenced_owner)
			sim->two_owners[sim->owners[i].partition] = true;
}

static const uint16_t CUT_OFF = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD);

static struct sim_pool_watch
watch_of(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_slab_at(&p->tables.cards, slot);
	const struct weir_lifecycle_slot *lifecycle = weir_slab_at(&p->tables.lifecycles, slot);
	const struct weir_pool_local_slot *pool_local =
	    lifecycle->pool_local == 0 ? NULL : weir_slab_at(&p->tables.pool_locals, lifecycle->pool_local - 1);
	struct sim_pool_watch watch = {.pool = pool_local == NULL ? -1 : pool_of(pool_local->pool),
	    .reasons = card->reasons & CUT_OFF,
	    .cycle = card->cycle,
	    .active = (card->flags & WEIR_CARD_MEMBER_ACTIVE) != 0};
	return watch;
}

/* What an overthrown owner told may have been ahead of what its successor has read: of the pool's partition, or a source's.
 */
static bool
had_two_owners(const struct sim *sim)
{
	for (uint32_t p = 0; p < sim->partitions; p++)
		if (sim->two_owners[p])
			return true;
	return false;
}

/* rule POOL-7: no false cut-off ever; nor is one taken back while nothing was given. */
void
sim_check_member(struct sim *sim, const struct sim_owner *owner, int card, uint32_t slot)
{
	struct sim_pool_watch now = watch_of(owner->o->core, slot), was = sim->watch[card];
	sim->watch[card] = now;
	if (now.pool < 0 || now.reasons == was.reasons)
		return;
	bool same = was.pool == now.pool && was.cycle == now.cycle;
	if ((now.reasons & (uint16_t)~was.reasons) != 0 || !same) {
		struct model_usage used = model_pool_usage(&sim->model, now.pool, now.cycle);
		uint64_t least = bound_of(&sim->pool_least[now.pool]);
		if (now.reasons != 0 && used.up + used.down < least)
			sim_fail(sim, "card %d is cut off by pool q%d at %" PRIu64 " of %" PRIu64 " bytes", card, now.pool,
			    used.up + used.down, least);
	} else if (was.active && now.active && !sim->pool_raised[now.pool] && !had_two_owners(sim)) {
		sim_fail(sim, "card %d is brought back by pool q%d though nothing was given", card, now.pool);
	}
}

void
sim_watch_begin(struct sim *sim, const struct sim_owner *owner)
{
	uint32_t slot;
	for (int i = 0; i < sim->cards; i++)
		if (sim->card[i].partition == owner->partition)
			sim->watch[i] = weir_partition_find(owner->o->core, sim->card[i].packed, &slot) == NULL
					    ? (struct sim_pool_watch){.pool = -1}
					    : watch_of(owner->o->core, slot);
}

/* ---- at quiet points ---- */

/* rule CYC-3: a cycle's total stays readable. */
static struct weir_closed_cycle_slot
pool_closed_cycle_of(const struct sim *sim, uint32_t partition, int cycle, uint32_t slot)
{
	struct weir_closed_cycle_slot closed_cycles = {0};
	const struct sim_blob *blob = sim_blob_find(&sim->store[partition], 'z', cycle, slot / 256);
	uint32_t from = slot % 256 * (uint32_t)sizeof(closed_cycles);
	if (blob != NULL && from + sizeof(closed_cycles) <= blob->len)
		memcpy(&closed_cycles, blob->data + from, sizeof(closed_cycles));
	return closed_cycles;
}

/* rule POOL-1, rule POOL-2, rule POOL-3: sums are those of the members. */
void
sim_check_pool(struct sim *sim, int at)
{
	const struct model_pool *model = &sim->model.pools[at];
	char id[16], is[256], should[256];
	(void)snprintf(id, sizeof(id), "q%d", at);
	uint32_t partition = sim_partition_of(sim, id), slot;
	const struct sim_owner *owner = sim_owner_of(sim, partition);
	const struct weir_pool_slot *pool = weir_partition_find_pool(owner->o->core, id, &slot);
	if (pool == NULL) {
		if (model->known || model_members(&sim->model, at) > 0)
			sim_fail(sim, "pool %s is not there", id);
		return;
	}
	uint32_t members = (uint32_t)model_members(&sim->model, at),
		 active = (uint32_t)model_activated_members(&sim->model, at);
	if (pool->members != members || pool->active != active)
		sim_fail(sim, "pool %s: %u members, %u activated; right are %u, %u", id, pool->members, pool->active,
		    members, active);
	if (!model->known)
		return;
	int cycle = model_pool_cycle(&sim->model, at);
	struct model_usage used = model_pool_usage(&sim->model, at, cycle);
	if (pool->cycle != cycle || pool->used != used.up + used.down)
		sim_fail(sim, "pool %s: cycle %u used %" PRIu64 "; right are %d %" PRIu64, id, pool->cycle, pool->used,
		    cycle, used.up + used.down);
	uint64_t total = model_pool_total(&sim->model, at);
	if (pool->effective_total != total)
		sim_fail(sim, "pool %s: total %" PRIu64 "; right is %" PRIu64, id, pool->effective_total, total);
	uint16_t right = sim_weir_reasons(model_pool_reasons(&sim->model, at));
	if (pool->reasons != right)
		sim_fail(sim, "pool %s: reasons are %s, right is %s", id, sim_reasons_text(pool->reasons, is),
		    sim_reasons_text(right, should));
	/* A source that was held up over two boundaries tells of one cycle before its own; in an ordered world none is. */
	for (int closed_cycles = cycle - (sim->ordered ? 5 : 1); closed_cycles < cycle; closed_cycles++) {
		if (closed_cycles < model->known_cycle - 1)
			continue; /* before its definition it had no clock */
		struct model_usage was = model_pool_usage(&sim->model, at, closed_cycles);
		struct weir_closed_cycle_slot held = pool_closed_cycle_of(sim, partition, closed_cycles, slot);
		if (held.up != was.up || held.down != was.down || held.records != was.records)
			sim_fail(sim,
			    "pool %s cycle %d: %" PRIu64 "+%" PRIu64 " in %u; right are %" PRIu64 "+%" PRIu64
			    " in %" PRIu64,
			    id, closed_cycles, held.up, held.down, held.records, was.up, was.down, was.records);
	}
	sim_check_levels(sim, id, cycle, used.up + used.down, model_pool_base(&sim->model, at));
}
