/*
 * A pool's word to its members' partitions (POOL-7).
 *
 * The word says all of the pool that a member's partition needs: definition, reasons and their cycle, slack. It goes to
 * every partition that has a share, each by its own number, when any of it has changed in a way that matters, and to a
 * single one that asked. Versions rise with every word, so that a partition takes them in order whatever the log's order.
 *
 * slack = max(floor, remaining / (2 x partitions)): all partitions together may keep half of what remains to themselves.
 * It is told again when it has halved or doubled, so a pool that is used up evenly costs a word a halving; once the limit
 * is met nothing depends on being told early and the tick is enough.
 */
#include "aggregators/pools/pools.h"

static uint64_t
slack_of(const struct weir_partition *p, const struct weir_pool_slot *pool)
{
	const uint16_t met = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD);
	uint64_t limit = weir_pool_limit(pool);
	if ((pool->flags & WEIR_POOL_DEFINED) == 0 || limit == UINT64_MAX || (pool->reasons & met) != 0)
		return WEIR_SLACK_NONE;
	uint64_t slack = (limit - pool->used) / (2u * (uint64_t)(p->opts.partitions > 0 ? p->opts.partitions : 1));
	uint64_t least = p->opts.slack_floor_bytes > 0 ? p->opts.slack_floor_bytes : 1;
	slack = slack < least ? least : slack;
	return slack < WEIR_SLACK_NONE ? slack : WEIR_SLACK_NONE;
}

static bool
is_due_to_all(const struct weir_pool_slot *pool, uint64_t slack)
{
	return (pool->flags & WEIR_POOL_FORCE) != 0 || pool->reasons != pool->told_reasons ||
	       pool->cycle != pool->told_cycle || slack <= pool->told_slack / 2 || slack / 2 >= pool->told_slack;
}

static struct weir_ref_pool_state
word_of(const struct weir_partition *p, const struct weir_pool_slot *pool, uint64_t slack)
{
	const uint16_t met = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD);
	struct weir_ref_pool_state word = {.epoch = p->opts.epoch,
	    .version = pool->word_version,
	    .defined = (pool->flags & WEIR_POOL_DEFINED) != 0,
	    .kind = (enum weir_plan_kind)pool->kind,
	    .cycle = pool->cycle,
	    .reasons = pool->reasons,
	    .slack = slack,
	    .limit = (pool->reasons & met) != 0 ? weir_pool_limit(pool) : 0,
	    .used = pool->used,
	    .crossed_us = pool->crossed_us};
	memcpy(word.pool, pool->id, sizeof(word.pool));
	if (word.defined)
		memcpy(word.carrier, p->registry.carriers[pool->carrier - 1].ref.id, sizeof(word.carrier));
	if (word.defined && pool->plan != 0)
		memcpy(word.plan, p->registry.plans[pool->plan - 1].ref.id, sizeof(word.plan));
	return word;
}

static void
send(struct weir_partition *p, uint32_t share_slot, struct weir_ref_pool_state *word, struct weir_buf *json)
{
	struct weir_share_slot *share = weir_share_at(p, share_slot);
	word->active = share->active;
	json->len = 0;
	weir_reference_print_pool_state(word, json);
	weir_partition_tell_bytes(p, WEIR_TELL_CARDS, share->source, word->pool, json->data, (uint32_t)json->len);
	if ((share->flags & WEIR_SHARE_NEW) != 0) {
		share->flags &= (uint8_t)~WEIR_SHARE_NEW;
		weir_slab_dirty(&p->tables.shares, share_slot);
	}
	p->stats.words_told++;
}

static bool
is_asked(const struct weir_partition *p, const struct weir_pool_slot *pool)
{
	for (uint32_t at = pool->first_share; at != 0; at = weir_share_at(p, at - 1)->next)
		if ((weir_share_at(p, at - 1)->flags & WEIR_SHARE_NEW) != 0)
			return true;
	return false;
}

static void
tell_pool(struct weir_partition *p, uint32_t slot, struct weir_buf *json)
{
	struct weir_pool_slot *pool = weir_pool_at(p, slot);
	uint64_t slack = slack_of(p, pool);
	bool all = is_due_to_all(pool, slack);
	if (!all && !is_asked(p, pool))
		return;
	pool->word_version++;
	struct weir_ref_pool_state word = word_of(p, pool, slack);
	for (uint32_t at = pool->first_share; at != 0; at = weir_share_at(p, at - 1)->next)
		if (all || (weir_share_at(p, at - 1)->flags & WEIR_SHARE_NEW) != 0)
			send(p, at - 1, &word, json);
	if (all) {
		pool->told_reasons = pool->reasons;
		pool->told_cycle = pool->cycle;
		pool->told_slack = slack;
		pool->flags &= (uint8_t)~WEIR_POOL_FORCE;
	}
	weir_slab_dirty(&p->tables.pools, slot);
}

void
weir_pools_tell(struct weir_partition *p)
{
	if (!p->pools_work.pools_settled || p->pools_work.words.n == 0)
		return;
	struct weir_buf json = {0};
	for (uint32_t i = 0; i < p->pools_work.words.n; i++) {
		uint32_t slot = (uint32_t)p->pools_work.words.v[i];
		weir_pool_at(p, slot)->flags &= (uint8_t)~WEIR_POOL_TELL;
		weir_pool_judge(p, slot);
		tell_pool(p, slot, &json);
	}
	p->pools_work.words.n = 0;
	weir_buf_free(&json);
}
