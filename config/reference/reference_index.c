/*
 * What a reference file has said so far: ids of carriers, ladders, plans and pools, each ICCID once, and who is whose
 * sub-card. Definitions are few; ICCIDs may be tens of millions, at some 40 bytes each. A file may leave things to others:
 * what it does not name at all is not missed.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "config/base/map.h"
#include "config/base/vec.h"
#include "config/reference/reference_priv.h"

struct entry {
	char id[WEIR_ID_MAX];
	char carrier[WEIR_ID_MAX]; /* of a plan or pool */
	char plan[WEIR_ID_MAX];    /* of a pool */
	enum weir_plan_kind kind;  /* likewise */
};

struct id_table {
	struct entry *entries;
	uint32_t count;
	uint32_t cap;
	struct weir_map places; /* by the id's hash: index of the entry */
};

struct card_table {
	struct weir_iccid *cards;
	uint32_t count;
	uint32_t cap;
	struct weir_map places; /* by the ICCID's hash: index of the card */
};

struct child {
	struct weir_iccid iccid;
	struct weir_iccid parent;
	uint32_t line;
};

struct weir_reference_index {
	struct id_table carriers;
	struct id_table ladders;
	struct id_table plans;
	struct id_table pools;
	struct id_table implied; /* pools that only members name: as the first of them is */
	struct card_table cards;
	struct card_table parents; /* cards that others name as theirs */
	struct child *children;
	uint32_t child_count;
	uint32_t child_cap;
};

static uint64_t
id_hash(const char *id)
{
	return XXH3_64bits(id, strlen(id));
}

static const struct entry *
id_find(const struct id_table *table, const char *id)
{
	uint64_t hash = id_hash(id);
	uint32_t at, i = weir_map_first(&table->places, hash, &at);
	while (i != WEIR_MAP_NONE && strcmp(table->entries[i].id, id) != 0)
		i = weir_map_next(&table->places, hash, &at);
	return i != WEIR_MAP_NONE ? &table->entries[i] : NULL;
}

/* The new entry, zeroed but for its id; NULL when the id is there already. */
static struct entry *
id_add(struct id_table *table, const char *id)
{
	if (id_find(table, id) != NULL)
		return NULL;
	WEIR_VEC_ROOM(table->entries, table->count, table->cap, 32);
	weir_map_add(&table->places, id_hash(id), table->count);
	struct entry *entry = &table->entries[table->count++];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->id, id, strlen(id));
	return entry;
}

static bool
card_has(const struct card_table *table, struct weir_iccid iccid)
{
	uint64_t hash = weir_iccid_hash(iccid);
	uint32_t at, i = weir_map_first(&table->places, hash, &at);
	while (i != WEIR_MAP_NONE && !weir_iccid_equal(table->cards[i], iccid))
		i = weir_map_next(&table->places, hash, &at);
	return i != WEIR_MAP_NONE;
}

/* False when it is there already. */
static bool
card_add(struct card_table *table, struct weir_iccid iccid)
{
	if (card_has(table, iccid))
		return false;
	WEIR_VEC_ROOM(table->cards, table->count, table->cap, 512);
	weir_map_add(&table->places, weir_iccid_hash(iccid), table->count);
	table->cards[table->count++] = iccid;
	return true;
}

struct weir_reference_index *
weir_reference_index_new(void)
{
	return weir_calloc(1, sizeof(struct weir_reference_index));
}

void
weir_reference_index_free(struct weir_reference_index *index)
{
	struct id_table *tables[] = {&index->carriers, &index->ladders, &index->plans, &index->pools, &index->implied};
	for (uint32_t i = 0; i < 5; i++) {
		free(tables[i]->entries);
		weir_map_free(&tables[i]->places);
	}
	free(index->cards.cards);
	free(index->parents.cards);
	weir_map_free(&index->cards.places);
	weir_map_free(&index->parents.places);
	free(index->children);
	free(index);
}

/* A file that names no carriers leaves them to others; one that does must name, or mean a shipped one. */
static bool
carrier_is_known(const struct weir_reference_index *index, const char *id)
{
	uint32_t count;
	const struct weir_ref_carrier *shipped = weir_reference_shipped_carriers(&count);
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(shipped[i].id, id) == 0)
			return true;
	return index->carriers.count == 0 || id_find(&index->carriers, id) != NULL;
}

static void
check_common(struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const char *what,
    const char *carrier, const char *ladder)
{
	if (!carrier_is_known(index, carrier))
		weir_mistake_add(mistakes, line, "%s: carrier %s is not in this file", what, carrier);
	if (ladder[0] != '\0' && strcmp(ladder, "default") != 0 && index->ladders.count > 0 &&
	    id_find(&index->ladders, ladder) == NULL)
		weir_mistake_add(mistakes, line, "%s: alerts %s is not in this file (ALR-1)", what, ladder);
}

static void
add_plan(
    struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const struct weir_ref_plan *plan)
{
	char what[WEIR_ID_MAX + 8];
	(void)snprintf(what, sizeof(what), "plan %s", plan->id);
	check_common(index, mistakes, line, what, plan->carrier, plan->alerts);
	struct entry *entry = id_add(&index->plans, plan->id);
	if (entry == NULL) {
		weir_mistake_add(mistakes, line, "%s: given twice", what);
		return;
	}
	memcpy(entry->carrier, plan->carrier, sizeof(entry->carrier));
	entry->kind = plan->kind;
}

static void
add_pool(
    struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const struct weir_ref_pool *pool)
{
	char what[WEIR_ID_MAX + 8];
	(void)snprintf(what, sizeof(what), "pool %s", pool->id);
	check_common(index, mistakes, line, what, pool->carrier, pool->alerts);
	const struct entry *plan = id_find(&index->plans, pool->plan);
	if (plan != NULL && strcmp(plan->carrier, pool->carrier) != 0)
		weir_mistake_add(mistakes, line, "%s: carrier %s, but its plan %s is of carrier %s (POOL-1)", what,
		    pool->carrier, plan->id, plan->carrier);
	if (plan != NULL && plan->kind != pool->kind)
		weir_mistake_add(mistakes, line, "%s: kind %s, but its plan %s is %s (POOL-1)", what,
		    weir_plan_kind_name(pool->kind), plan->id, weir_plan_kind_name(plan->kind));
	struct entry *entry = id_add(&index->pools, pool->id);
	if (entry == NULL) {
		weir_mistake_add(mistakes, line, "%s: given twice", what);
		return;
	}
	memcpy(entry->carrier, pool->carrier, sizeof(entry->carrier));
	memcpy(entry->plan, pool->plan, sizeof(entry->plan));
	entry->kind = pool->kind;
}

/* A pool that is defined elsewhere is as its first member here, whose plan binds the others when it is accumulative. */
static const struct entry *
implied_pool(struct weir_reference_index *index, const struct weir_ref_card *card)
{
	const struct entry *known = id_find(&index->implied, card->pool);
	if (known != NULL || !card->has_carrier)
		return known;
	struct entry *entry = id_add(&index->implied, card->pool);
	WEIR_CHECK(entry != NULL); /* it was not found above */
	const struct entry *plan = id_find(&index->plans, card->plan);
	memcpy(entry->carrier, card->carrier, sizeof(entry->carrier));
	if (plan != NULL && plan->kind == WEIR_PLAN_ACCUMULATIVE)
		memcpy(entry->plan, card->plan, sizeof(entry->plan));
	return entry;
}

/* POOL-1: members share carrier and plan. A pool without a plan takes any of its carrier. */
static void
check_member(struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const char *iccid,
    const struct weir_ref_card *card)
{
	if (index->pools.count > 0 && id_find(&index->pools, card->pool) == NULL)
		weir_mistake_add(mistakes, line, "card %s: pool %s is not in this file", iccid, card->pool);
	const struct entry *pool = index->pools.count > 0 ? id_find(&index->pools, card->pool) : implied_pool(index, card);
	if (pool == NULL)
		return;
	if (card->has_carrier && strcmp(card->carrier, pool->carrier) != 0)
		weir_mistake_add(mistakes, line, "card %s: carrier %s, but its pool %s is of carrier %s (POOL-1)", iccid,
		    card->carrier, pool->id, pool->carrier);
	if (card->has_plan && pool->plan[0] != '\0' && strcmp(card->plan, pool->plan) != 0)
		weir_mistake_add(mistakes, line, "card %s: plan %s, but its pool %s has plan %s (POOL-1)", iccid,
		    card->plan[0] != '\0' ? card->plan : "null", pool->id, pool->plan);
}

static void
add_child(struct weir_reference_index *index, uint32_t line, const struct weir_ref_card *card)
{
	WEIR_VEC_ROOM(index->children, index->child_count, index->child_cap, 64);
	index->children[index->child_count++] = (struct child){card->iccid, card->parent, line};
	(void)card_add(&index->parents, card->parent);
}

static void
add_card(
    struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const struct weir_ref_card *card)
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	if (!card_add(&index->cards, card->iccid))
		weir_mistake_add(mistakes, line, "card %s: given twice", iccid);
	if (card->has_carrier && !carrier_is_known(index, card->carrier))
		weir_mistake_add(mistakes, line, "card %s: carrier %s is not in this file", iccid, card->carrier);
	const struct entry *plan = card->has_plan ? id_find(&index->plans, card->plan) : NULL;
	if (plan != NULL && card->has_carrier && strcmp(plan->carrier, card->carrier) != 0)
		weir_mistake_add(mistakes, line, "card %s: carrier %s, but its plan %s is of carrier %s", iccid,
		    card->carrier, plan->id, plan->carrier);
	if (card->has_pool && card->pool[0] != '\0')
		check_member(index, mistakes, line, iccid, card);
	if (card->has_parent && weir_iccid_equal(card->parent, card->iccid))
		weir_mistake_add(mistakes, line, "card %s: parent: a card cannot be its own parent (POOL-8)", iccid);
	else if (card->has_parent && !weir_iccid_is_zero(card->parent))
		add_child(index, line, card);
}

void
weir_reference_index_add(struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line,
    const struct weir_reference *reference)
{
	if (reference->type == WEIR_REF_PLAN)
		add_plan(index, mistakes, line, &reference->plan);
	else if (reference->type == WEIR_REF_POOL)
		add_pool(index, mistakes, line, &reference->pool);
	else if (reference->type == WEIR_REF_CARD)
		add_card(index, mistakes, line, &reference->card);
	else if (reference->type == WEIR_REF_CARRIER && id_add(&index->carriers, reference->carrier.id) == NULL)
		weir_mistake_add(mistakes, line, "carrier %s: given twice", reference->carrier.id);
	else if (reference->type == WEIR_REF_ALERTS && id_add(&index->ladders, reference->alerts.id) == NULL)
		weir_mistake_add(mistakes, line, "alerts %s: given twice", reference->alerts.id);
}

void
weir_reference_index_finish(struct weir_reference_index *index, struct weir_mistakes *mistakes)
{
	for (uint32_t i = 0; i < index->child_count && mistakes->count < 100; i++) {
		const struct child *child = &index->children[i];
		char iccid[WEIR_ICCID_TEXT_MAX];
		(void)weir_iccid_format(child->iccid, iccid);
		if (card_has(&index->parents, child->iccid))
			weir_mistake_add(mistakes, child->line,
			    "card %s: parent: it is a parent itself; smart cards have one level (POOL-8)", iccid);
	}
}
