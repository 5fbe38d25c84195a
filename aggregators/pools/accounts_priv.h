/* What the files of pools on the cards' side share: accounts.c, account_words.c. */
#ifndef WEIR_AGGREGATORS_POOLS_ACCOUNTS_PRIV_H
#define WEIR_AGGREGATORS_POOLS_ACCOUNTS_PRIV_H

#include "aggregators/partition_priv.h"

static inline uint64_t
weir_account_used(const struct weir_account_slot *a)
{
	return weir_add_saturating(a->up, a->down);
}

/* Wants an answer whatever the pool thinks: it has no word, or one whose total does not count all its activated members. */
static inline bool
weir_account_asks(const struct weir_account_slot *a)
{
	bool exhausted = (a->reasons & WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED)) != 0;
	return (a->flags & WEIR_ACCOUNT_ASKS) != 0 || (exhausted && a->active > a->word_active);
}

/* account_words.c: all members are to be looked at, from the first. */
void weir_account_begin_walk(struct weir_partition *p, uint32_t account);

#endif
