/* Pools: what their words may say at any time, and their sums at quiet points. */
#include "tests/sim/check.h"

#include <inttypes.h>

/* ---- at any time ---- */

static int
pool_of(const char *id)
{
	return id[0] == 'q' && id[1] >= '0' && id[1] <= '9' ? id[1] - '0' : -1;
}

/* What a pool's usage is compared with: its total, or the threshold that suspends. */
static uint64_t
pool_bound(const struct sim *sim, int at)
{
	const struct model_pool *pool = &sim->model.pools[at];
	if (!pool->known)
		return MODEL_NONE;
	if (pool->kind == MODEL_METERED)
		return pool->suspends ? pool->threshold : MODEL_NONE;
	return model_pool_total(&sim->model, at);
}

/* Between two quiet points different partitions know different moments: a cut-off is right if it was at one of them. */
void
sim_check_input(struct sim *sim)
{
	for (int i = 0; i < sim->pools; i++) {
		uint64_t bound = pool_bound(sim, i);
		sim->pool_raised[i] |= bound > sim->pool_bound[i];
		sim->pool_floor[i] = bound < sim->pool_floor[i] ? bound : sim->pool_floor[i];
		sim->pool_bound[i] = bound;
	}
}

void
sim_words_forget(struct sim *sim)
{
	for (int i = 0; i < sim->pools; i++) {
		sim->pool_bound[i] = sim->pool_floor[i] = pool_bound(sim, i);
		sim->pool_raised[i] = false;
	}
}

static const uint16_t CUT_OFF =
    WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD);

/* rule POOL-7: no false cut-off ever; nor is one taken back while nothing was given. */
static void
check_word(struct sim *sim, uint32_t partition, int pool, const struct weir_account_slot *account)
{
	struct sim_pool_watch *watch = &sim->watch[partition][pool];
	uint16_t reasons = account->reasons & CUT_OFF;
	bool was = watch->reasons != 0 && watch->cycle == account->reasons_cycle;
	if (reasons != 0 && !was) {
		struct model_usage used = model_pool_usage(&sim->model, pool, account->reasons_cycle);
		if (used.up + used.down < sim->pool_floor[pool])
			sim_fail(sim, "pool q%d is cut off in partition %u at %" PRIu64 " of %" PRIu64 " bytes", pool, partition,
			    used.up + used.down, sim->pool_floor[pool]);
	}
	if (reasons == 0 && was && !sim->pool_raised[pool])
		sim_fail(sim, "pool q%d is brought back in partition %u though nothing was given", pool, partition);
	watch->reasons = reasons;
	watch->cycle = account->reasons_cycle;
}

void
sim_check_words(struct sim *sim, const struct sim_owner *owner)
{
	const struct weir_partition *p = owner->core;
	for (uint32_t i = 0; i < p->accounts.used; i++) {
		const struct weir_account_slot *account = weir_slab_at(&p->accounts, i);
		int pool = weir_slab_is_filler(&p->accounts, i) ? -1 : pool_of(account->pool);
		if (pool >= 0)
			check_word(sim, owner->partition, pool, account);
	}
}

void
sim_watch_begin(struct sim *sim, const struct sim_owner *owner)
{
	const struct weir_partition *p = owner->core;
	memset(sim->watch[owner->partition], 0, sizeof(sim->watch[0]));
	for (uint32_t i = 0; i < p->accounts.used; i++) {
		const struct weir_account_slot *account = weir_slab_at(&p->accounts, i);
		int pool = weir_slab_is_filler(&p->accounts, i) ? -1 : pool_of(account->pool);
		if (pool >= 0)
			sim->watch[owner->partition][pool] =
			    (struct sim_pool_watch){account->reasons & CUT_OFF, account->reasons_cycle};
	}
}

/* ---- at quiet points ---- */

/* rule CYC-3: a cycle's total stays readable. */
static struct weir_past_slot
pool_past_of(const struct sim *sim, uint32_t partition, int cycle, uint32_t slot)
{
	struct weir_past_slot past = {0};
	const struct sim_blob *blob = sim_blob_find(&sim->store[partition], 'z', cycle, slot / 256);
	uint32_t from = slot % 256 * (uint32_t)sizeof(past);
	if (blob != NULL && from + sizeof(past) <= blob->len)
		memcpy(&past, blob->data + from, sizeof(past));
	return past;
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
	const struct weir_pool_slot *pool = weir_partition_find_pool(owner->core, id, &slot);
	if (pool == NULL) {
		if (model->known || model_members(&sim->model, at) > 0)
			sim_fail(sim, "pool %s is not there", id);
		return;
	}
	uint32_t members = (uint32_t)model_members(&sim->model, at), active = (uint32_t)model_activated_members(&sim->model, at);
	if (pool->members != members || pool->active != active)
		sim_fail(sim, "pool %s: %u members, %u activated; right are %u, %u", id, pool->members, pool->active, members,
		    active);
	if (!model->known)
		return;
	int cycle = model_pool_cycle(&sim->model, at);
	struct model_usage used = model_pool_usage(&sim->model, at, cycle);
	if (pool->cycle != cycle || pool->used != used.up + used.down)
		sim_fail(sim, "pool %s: cycle %u used %" PRIu64 "; right are %d %" PRIu64, id, pool->cycle, pool->used, cycle,
		    used.up + used.down);
	uint64_t total = model_pool_total(&sim->model, at);
	if (pool->effective_total != total)
		sim_fail(sim, "pool %s: total %" PRIu64 "; right is %" PRIu64, id, pool->effective_total, total);
	uint16_t right = sim_weir_reasons(model_pool_reasons(&sim->model, at));
	if (pool->reasons != right)
		sim_fail(sim, "pool %s: reasons are %s, right is %s", id, sim_reasons_text(pool->reasons, is),
		    sim_reasons_text(right, should));
	for (int past = cycle - 5; past < cycle; past++) {
		struct model_usage was = model_pool_usage(&sim->model, at, past);
		struct weir_past_slot held = pool_past_of(sim, partition, past, slot);
		if (held.up != was.up || held.down != was.down || held.records != was.records)
			sim_fail(sim, "pool %s cycle %d: %" PRIu64 "+%" PRIu64 " in %u; right are %" PRIu64 "+%" PRIu64 " in %" PRIu64,
			    id, past, held.up, held.down, held.records, was.up, was.down, was.records);
	}
	sim_check_levels(sim, id, cycle, used.up + used.down, model_pool_base(&sim->model, at));
}
