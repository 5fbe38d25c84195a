/*
 * Shares: what each source partition last told of a pool, and the sums over them (POOL-1, POOL-3, CYC-3).
 *
 * A partial is absolute, so a share takes the newest and forgets the rest: repeated and lost-and-repeated ones change
 * nothing. Two things can make a partial say less than an earlier one did without anything having been given back: its
 * source was overthrown (lower epoch: ignored), or it replays (unsettled: the larger of each number is kept). So sums fall
 * only when a source that has caught up says so.
 *
 * A pool's shares are a list, one a source, in the order in which they came; sums are made by walking it. An index by
 * source and sums kept up by differences were rejected: a list is as long as there are partitions, and a sum that is made
 * anew cannot drift.
 */
#include "aggregators/pools/pools.h"
#include "aggregators/rollups/feeds.h"

struct sums {
	uint64_t members, active, up, down, before_up, before_down, before_records, before_sessions;
	uint16_t newest; /* cycle of the newest share */
};

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint32_t
weir_share_get(struct weir_partition *p, uint32_t pool_slot, uint32_t source)
{
	struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	for (uint32_t at = pool->first_share; at != 0; at = weir_share_at(p, at - 1)->next)
		if (weir_share_at(p, at - 1)->source == source)
			return at - 1;
	uint32_t slot = weir_slab_new(&p->tables.shares);
	struct weir_share_slot *share = weir_share_at(p, slot);
	share->pool = pool_slot + 1;
	share->source = source;
	share->next = pool->first_share;
	share->flags = WEIR_SHARE_NEW;
	pool->first_share = slot + 1;
	return slot;
}

/* ---- partials ---- */

static void
replace(struct weir_share_slot *share, const struct weir_partial *partial)
{
	share->members = partial->members;
	share->active = partial->active;
	share->cycle = partial->cycle;
	share->up = partial->up;
	share->down = partial->down;
	share->before_up = partial->before_up;
	share->before_down = partial->before_down;
	share->records = partial->records;
	share->sessions = partial->sessions;
	share->before_records = partial->before_records;
	share->before_sessions = partial->before_sessions;
}

/* A cycle that the share has not seen yet has begun at the source. */
static void
roll_share(struct weir_share_slot *share, uint16_t cycle)
{
	bool next = share->cycle != 0 && cycle == share->cycle + 1;
	share->before_up = next ? share->up : 0;
	share->before_down = next ? share->down : 0;
	share->before_records = next ? share->records : 0;
	share->before_sessions = next ? share->sessions : 0;
	share->up = share->down = 0;
	share->records = share->sessions = 0;
	share->cycle = cycle;
}

static void
keep_larger(struct weir_share_slot *share, const struct weir_partial *partial)
{
	share->members = (uint32_t)larger(share->members, partial->members);
	share->active = (uint32_t)larger(share->active, partial->active);
	if (partial->cycle > share->cycle)
		roll_share(share, partial->cycle);
	if (partial->cycle == share->cycle) {
		share->up = larger(share->up, partial->up);
		share->down = larger(share->down, partial->down);
		share->records = (uint32_t)larger(share->records, partial->records);
		share->sessions = (uint32_t)larger(share->sessions, partial->sessions);
		share->before_up = larger(share->before_up, partial->before_up);
		share->before_down = larger(share->before_down, partial->before_down);
		share->before_records = (uint32_t)larger(share->before_records, partial->before_records);
		share->before_sessions = (uint32_t)larger(share->before_sessions, partial->before_sessions);
	} else if (partial->cycle == share->cycle - 1) {
		share->before_up = larger(share->before_up, partial->up);
		share->before_down = larger(share->before_down, partial->down);
		share->before_records = (uint32_t)larger(share->before_records, partial->records);
		share->before_sessions = (uint32_t)larger(share->before_sessions, partial->sessions);
	}
}

bool
weir_is_text_of_id(const char id[WEIR_ID_MAX])
{
	size_t len = strnlen(id, WEIR_ID_MAX);
	for (size_t i = 0; i < WEIR_ID_MAX; i++)
		if (i < len ? id[i] <= 0x20 || id[i] >= 0x7f || strchr("{}\"'", id[i]) != NULL : id[i] != '\0')
			return false;
	return len > 0 && len < WEIR_ID_MAX;
}

static enum weir_class
read_partial(const struct weir_partition *p, struct weir_slice value, struct weir_partial *out, struct weir_error *err)
{
	if (value.len != sizeof(*out))
		return weir_error_set(
		    err, WEIR_POISON, "a partial is %zu bytes long, this one %zu", sizeof(*out), value.len);
	memcpy(out, value.data, sizeof(*out));
	if (memcmp(out->magic, "WPA1", sizeof(out->magic)) != 0)
		return weir_error_set(err, WEIR_POISON, "no partial: it does not begin with WPA1");
	if (!weir_is_text_of_id(out->pool))
		return weir_error_set(err, WEIR_POISON, "a partial without a pool's id");
	if (out->source >= p->opts.partitions)
		return weir_error_set(
		    err, WEIR_POISON, "a partial of partition %u, but there are %u", out->source, p->opts.partitions);
	if (out->active > out->members)
		return weir_error_set(
		    err, WEIR_POISON, "a partial of %u activated members, but %u members", out->active, out->members);
	return WEIR_OK;
}

enum weir_class
weir_partition_partial(struct weir_partition *p, struct weir_slice value, int64_t arrived_us, struct weir_error *err)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	struct weir_partial_window window;
	struct weir_partial_mark mark;
	struct weir_partial partial;
	if (value.len == sizeof(window) && memcmp(value.data, "WPH1", sizeof(window.magic)) == 0) {
		memcpy(&window, value.data, sizeof(window));
		return weir_feeds_window(p, &window, err);
	}
	if (value.len == sizeof(mark) &&
	    (memcmp(value.data, "WPM1", sizeof(mark.magic)) == 0 || memcmp(value.data, "WPB1", sizeof(mark.magic)) == 0)) {
		memcpy(&mark, value.data, sizeof(mark));
		return weir_feeds_mark(p, &mark, err);
	}
	enum weir_class class = read_partial(p, value, &partial, err);
	if (class != WEIR_OK)
		return class;
	(void)weir_feeds_is_of_owner(p, partial.source, partial.epoch);
	uint32_t pool_slot = weir_pool_get(p, partial.pool);
	uint32_t slot = weir_share_get(p, pool_slot, partial.source);
	struct weir_share_slot *share = weir_share_at(p, slot);
	if (partial.epoch < share->epoch)
		return WEIR_OK; /* of an owner that was overthrown */
	bool settled = (partial.flags & WEIR_PARTIAL_SETTLED) != 0;
	if (settled)
		replace(share, &partial);
	else
		keep_larger(share, &partial);
	share->epoch = partial.epoch;
	share->at_us = arrived_us;
	share->flags &= (uint8_t)~WEIR_SHARE_SETTLED;
	share->flags |=
	    (uint8_t)((settled ? WEIR_SHARE_SETTLED : 0) | ((partial.flags & WEIR_PARTIAL_ASKS) != 0 ? WEIR_SHARE_NEW : 0));
	struct weir_pool_slot *pool = weir_pool_at(p, pool_slot);
	if (partial.crossed_us != 0) {
		share->crossed_us = partial.crossed_us;
		pool->newest_us = partial.crossed_us;
	}
	pool->changed_us = p->clock.now_us;
	weir_slab_dirty(&p->tables.shares, slot);
	weir_pool_sum(p, pool_slot);
	weir_pool_touch(p, pool_slot);
	p->stats.partials_taken++;
	return WEIR_OK;
}

/* ---- sums ---- */

static void
add_share(struct sums *sums, const struct weir_share_slot *share, uint16_t cycle)
{
	bool now = share->cycle == cycle, ahead = share->cycle == cycle + 1, behind = share->cycle + 1 == cycle;
	sums->members += share->members;
	sums->active += share->active;
	sums->up = weir_add_saturating(sums->up, now ? share->up : ahead ? share->before_up : 0);
	sums->down = weir_add_saturating(sums->down, now ? share->down : ahead ? share->before_down : 0);
	sums->before_up = weir_add_saturating(sums->before_up, now ? share->before_up : behind ? share->up : 0);
	sums->before_down = weir_add_saturating(sums->before_down, now ? share->before_down : behind ? share->down : 0);
	sums->before_records += now ? share->before_records : behind ? share->records : 0;
	sums->before_sessions += now ? share->before_sessions : behind ? share->sessions : 0;
}

/* For a pool without a definition, and so without a clock: the newest cycle that any source counts in. */
static uint16_t
cycle_of(const struct weir_partition *p, const struct weir_pool_slot *pool, uint16_t *newest_out)
{
	uint16_t newest = 0;
	for (uint32_t at = pool->first_share; at != 0; at = weir_share_at(p, at - 1)->next)
		if (weir_share_at(p, at - 1)->cycle > newest)
			newest = weir_share_at(p, at - 1)->cycle;
	*newest_out = newest;
	return pool->cycle != 0 ? pool->cycle : newest;
}

/*
 * The cycle before, as far as the shares tell it: restated by late records (REC-6). A source that is a cycle ahead of the
 * pool's clock no longer tells it; that lasts a moment around a boundary, when nothing can be late by a whole cycle.
 */
static void
keep_past(struct weir_partition *p, uint32_t slot, const struct sums *sums)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	if (pool->cycle == 0 || sums->newest > pool->cycle)
		return;
	if (pool->before_up == sums->before_up && pool->before_down == sums->before_down &&
	    pool->before_records == sums->before_records && pool->before_sessions == sums->before_sessions)
		return;
	pool->before_up = sums->before_up;
	pool->before_down = sums->before_down;
	pool->before_records = sums->before_records;
	pool->before_sessions = sums->before_sessions;
	bool created;
	struct weir_past_entry *entry = weir_past_get(&p->tables.pool_past, (uint16_t)(pool->cycle - 1), slot, &created);
	uint64_t records = sums->before_records > UINT32_MAX ? UINT32_MAX : sums->before_records;
	uint64_t sessions = sums->before_sessions > UINT32_MAX ? UINT32_MAX : sums->before_sessions;
	entry->value =
	    (struct weir_past_slot){sums->before_up, sums->before_down, (uint32_t)records, (uint32_t)sessions, 0};
	entry->loaded = true;
	weir_past_mark_dirty(&p->tables.pool_past, entry);
}

/* POOL-1; UINT64_MAX = none, or its plan is not known yet. */
static uint64_t
total_of(const struct weir_partition *p, const struct weir_pool_slot *pool)
{
	uint64_t total = pool->total_bytes;
	if ((pool->flags & WEIR_POOL_DEFINED) == 0 || pool->kind == WEIR_PLAN_METERED)
		return UINT64_MAX;
	if (pool->kind == WEIR_PLAN_ACCUMULATIVE) {
		if (pool->plan == 0 || !p->registry.plans[pool->plan - 1].known)
			return UINT64_MAX;
		if (__builtin_mul_overflow(
			(uint64_t)pool->active, p->registry.plans[pool->plan - 1].ref.allowance_bytes, &total))
			total = UINT64_MAX;
	}
	return pool->addon_cycle == pool->cycle ? weir_add_saturating(total, pool->addon_bytes) : total;
}

void
weir_pool_sum(struct weir_partition *p, uint32_t slot)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	struct sums sums = {0};
	uint16_t cycle = cycle_of(p, pool, &sums.newest);
	for (uint32_t at = pool->first_share; at != 0; at = weir_share_at(p, at - 1)->next)
		add_share(&sums, weir_share_at(p, at - 1), cycle);
	pool->members = sums.members > UINT32_MAX ? UINT32_MAX : (uint32_t)sums.members;
	pool->active = sums.active > UINT32_MAX ? UINT32_MAX : (uint32_t)sums.active;
	pool->used = weir_add_saturating(sums.up, sums.down);
	pool->effective_total = total_of(p, pool);
	keep_past(p, slot, &sums);
	weir_slab_dirty(&p->tables.pools, slot);
}

#define ROLLS_MAX 12 /* after a stop of a year, what lies before that is where the shares left it */

void
weir_pool_roll(struct weir_partition *p, uint32_t slot, int32_t cycle)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	for (int i = 0; pool->cycle < cycle; i++) {
		pool->cycle = (uint16_t)(i < ROLLS_MAX ? pool->cycle + 1 : cycle);
		pool->before_up = pool->before_down = pool->before_records = pool->before_sessions = 0;
		weir_pool_sum(p, slot);
	}
	pool->ladder = 0;
	pool->flags &= (uint8_t)~WEIR_POOL_ALERTED;
	pool->judged_used = 0;
	pool->changed_us = p->clock.now_us;
}

/* ---- loading ---- */

/* The pool's list: its own shares, one a source; visited_io counts them, so that a loop ends. */
static bool
check_list(const struct weir_partition *p, uint32_t pool_slot, uint32_t *visited_io)
{
	for (uint32_t at = weir_pool_at(p, pool_slot)->first_share; at != 0; at = weir_share_at(p, at - 1)->next) {
		if (at > p->tables.shares.used || weir_slab_is_filler(&p->tables.shares, at - 1) ||
		    ++*visited_io > p->tables.shares.used)
			return false;
		const struct weir_share_slot *share = weir_share_at(p, at - 1);
		if (share->pool != pool_slot + 1 || share->active > share->members)
			return false;
	}
	return true;
}

bool
weir_shares_load(struct weir_partition *p)
{
	uint32_t visited = 0, used = 0;
	for (uint32_t slot = 0; slot < p->tables.pools.used; slot++)
		if (!weir_pool_is_free(p, slot) && !check_list(p, slot, &visited))
			return false;
	for (uint32_t slot = 0; slot < p->tables.shares.used; slot++) {
		if (weir_slab_is_filler(&p->tables.shares, slot))
			continue;
		if (weir_share_at(p, slot)->pool == 0)
			weir_slab_push_free(&p->tables.shares, slot);
		else
			used++;
	}
	return visited == used;
}
