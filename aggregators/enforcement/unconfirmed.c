/*
 * What may have happened at a carrier and is not stored: after a crash by the intents that the dispatcher wrote before its
 * calls (docs/ARCHITECTURE.md "Commands against a crash"), after a loss of Redis' newest writes by what the owner knew
 * before it loads again. Either way the card's confirmed state counts as unknown, so that its desired state is asserted
 * whatever the replay decides.
 *
 * Identified by ICCID, not by slot: what was not stored may be replayed in another order, and slots are given in that
 * order. A card that is not there yet is doubted when it is made.
 */
#include "aggregators/enforcement/unconfirmed.h"

#include <stdlib.h>

static int
compare(struct weir_iccid a, struct weir_iccid b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}

static int
unconfirmed_order(const void *a, const void *b)
{
	return compare(((const struct weir_unconfirmed_card *)a)->iccid, ((const struct weir_unconfirmed_card *)b)->iccid);
}

static void
sort_by_card(struct weir_unconfirmed_list *list)
{
	if (list->n > 1)
		qsort(list->v, list->n, sizeof(*list->v), unconfirmed_order);
}

/* The first of a sorted list that is of this card or of one behind it. */
static uint32_t
first_of(const struct weir_unconfirmed_list *list, struct weir_iccid iccid)
{
	uint32_t from = 0, to = list->n;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		if (compare(list->v[middle].iccid, iccid) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Nobody knows what the card is in: commands for these states may be on their way. */
static void
unconfirmed_card_at(struct weir_partition *p, uint32_t slot, uint8_t pending)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	WEIR_CHECK(pending <= (WEIR_DESIRED_ACTIVE | WEIR_DESIRED_SUSPENDED));
	struct weir_enforcement_slot *e = weir_partition_enforce(p, slot);
	e->confirmed = WEIR_DESIRED_UNKNOWN;
	e->pending |= pending;
	e->desired = weir_partition_enforced(p, slot) != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
}

static uint8_t
pending_of(const struct weir_unconfirmed_card *unconfirmed_card)
{
	return unconfirmed_card->token != 0 ? unconfirmed_card->state : WEIR_DESIRED_ACTIVE | WEIR_DESIRED_SUSPENDED;
}

/* Now, or when the card is made. */
static void
apply_unconfirmed(struct weir_partition *p, const struct weir_unconfirmed_card *unconfirmed_card)
{
	uint32_t slot;
	if (weir_partition_find(p, unconfirmed_card->iccid, &slot) == NULL) {
		weir_unconfirmed_push(&p->unconfirmed.early, unconfirmed_card);
		return;
	}
	unconfirmed_card_at(p, slot, pending_of(unconfirmed_card));
	if (unconfirmed_card->token != 0)
		weir_unconfirmed_push(
		    &p->unconfirmed.intents_done, unconfirmed_card); /* the first flush stores that it is unknown */
}

bool
weir_partition_load_intent(struct weir_partition *p, const struct weir_unconfirmed_card *intent)
{
	if (weir_iccid_is_zero(intent->iccid) || intent->token == 0 || intent->state == WEIR_DESIRED_UNKNOWN ||
	    intent->state > WEIR_DESIRED_SUSPENDED)
		return false;
	weir_unconfirmed_push(&p->unconfirmed.loaded, intent);
	return true;
}

void
weir_unconfirmed_loaded(struct weir_partition *p)
{
	for (uint32_t i = 0; i < p->unconfirmed.loaded.n; i++)
		apply_unconfirmed(p, &p->unconfirmed.loaded.v[i]);
	weir_unconfirmed_free(&p->unconfirmed.loaded);
	sort_by_card(&p->unconfirmed.early);
}

void
weir_unconfirmed_card_made_slow(struct weir_partition *p, uint32_t slot)
{
	struct weir_iccid iccid = weir_card_at(p, slot)->iccid;
	struct weir_unconfirmed_list *early = &p->unconfirmed.early;
	for (uint32_t i = first_of(early, iccid); i < early->n && weir_iccid_equal(early->v[i].iccid, iccid); i++)
		apply_unconfirmed(p, &early->v[i]);
}

void
weir_partition_unconfirmed(struct weir_partition *p, struct weir_iccid iccid)
{
	const struct weir_unconfirmed_card unconfirmed_card = {.iccid = iccid, .state = WEIR_DESIRED_UNKNOWN};
	apply_unconfirmed(p, &unconfirmed_card);
	sort_by_card(&p->unconfirmed.early);
}

/* ---- what an owner knows, against what it finds stored ---- */

void
weir_partition_known(const struct weir_partition *p, struct weir_unconfirmed_list *known)
{
	for (uint32_t i = 0; i < p->tables.enforcements.used; i++) {
		const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, i);
		if (weir_slab_is_filler(&p->tables.enforcements, i) || e->card == 0)
			continue;
		struct weir_unconfirmed_card unconfirmed_card = {.iccid = weir_card_at(p, e->card - 1)->iccid,
		    .state = weir_command_in_motion(e) ? WEIR_DESIRED_UNKNOWN : e->confirmed};
		weir_unconfirmed_push(known, &unconfirmed_card);
	}
}

/* Cards without an enforcement slot are active, and confirmed to be. */
static uint8_t
confirmed_of(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	return e == NULL ? WEIR_DESIRED_ACTIVE : e->confirmed;
}

void
weir_partition_load_known(struct weir_partition *p, struct weir_unconfirmed_list *known)
{
	WEIR_CHECK(p->unconfirmed.loaded.n == 0 /* after load_finish */);
	sort_by_card(known);
	for (uint32_t i = 0; i < p->tables.enforcements.used; i++) { /* stored as suspended, known to be active */
		const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, i);
		if (weir_slab_is_filler(&p->tables.enforcements, i) || e->card == 0 || e->confirmed == WEIR_DESIRED_ACTIVE)
			continue;
		struct weir_iccid iccid = weir_card_at(p, e->card - 1)->iccid;
		uint32_t at = first_of(known, iccid);
		if (at == known->n || !weir_iccid_equal(known->v[at].iccid, iccid))
			unconfirmed_card_at(p, e->card - 1, WEIR_DESIRED_ACTIVE | WEIR_DESIRED_SUSPENDED);
	}
	for (uint32_t i = 0; i < known->n; i++) {
		uint32_t slot;
		bool is_there = weir_partition_find(p, known->v[i].iccid, &slot) != NULL;
		uint8_t stored = is_there ? confirmed_of(p, slot) : WEIR_DESIRED_ACTIVE;
		if (known->v[i].state == WEIR_DESIRED_UNKNOWN || known->v[i].state != stored)
			apply_unconfirmed(p, &known->v[i]);
	}
	sort_by_card(&p->unconfirmed.early);
	weir_unconfirmed_free(known);
}
