/*
 * What a reference file has said so far: ids of carriers and plans, and each ICCID once. Carriers and plans are few and
 * searched one by one through a small sorted-by-arrival list with a hash; ICCIDs may be tens of millions and lie in one
 * open table of 16 bytes an entry, at most half full.
 */
#include <stdlib.h>
#include <xxhash.h>

#include "config/reference/reference_priv.h"

struct entry {
	char id[WEIR_ID_MAX];
	char carrier[WEIR_ID_MAX]; /* of a plan */
};

/* Open table of ids: slots hold an entry's index plus one. */
struct id_table {
	struct entry *entries;
	uint32_t *slots;
	uint32_t count;
	uint32_t cap; /* of slots, a power of two; entries has half of it */
};

struct weir_reference_index {
	struct id_table carriers;
	struct id_table plans;
	struct weir_iccid *cards;
	uint64_t card_count;
	uint64_t card_cap;
};

static uint32_t
id_slot(const struct id_table *table, const char *id)
{
	uint32_t slot = (uint32_t)XXH3_64bits(id, strlen(id)) & (table->cap - 1);
	while (table->slots[slot] != 0 && strcmp(table->entries[table->slots[slot] - 1].id, id) != 0)
		slot = (slot + 1) & (table->cap - 1);
	return slot;
}

static const struct entry *
id_find(const struct id_table *table, const char *id)
{
	uint32_t found = table->cap == 0 ? 0 : table->slots[id_slot(table, id)];
	return found == 0 ? NULL : &table->entries[found - 1];
}

static void
id_table_grow(struct id_table *table)
{
	table->cap = table->cap == 0 ? 64 : table->cap * 2;
	free(table->slots);
	table->slots = weir_calloc(table->cap, sizeof(*table->slots));
	table->entries = weir_realloc(table->entries, table->cap / 2 * sizeof(*table->entries));
	for (uint32_t i = 0; i < table->count; i++)
		table->slots[id_slot(table, table->entries[i].id)] = i + 1;
}

/* False when the id is there already. */
static bool
id_add(struct id_table *table, const char *id, const char *carrier)
{
	if (id_find(table, id) != NULL)
		return false;
	if (table->count == table->cap / 2)
		id_table_grow(table);
	struct entry *entry = &table->entries[table->count];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->id, id, strlen(id));
	memcpy(entry->carrier, carrier, strlen(carrier));
	table->slots[id_slot(table, id)] = ++table->count;
	return true;
}

static bool
card_put(struct weir_iccid *cards, uint64_t cap, struct weir_iccid iccid)
{
	uint64_t slot = weir_iccid_hash(iccid) & (cap - 1);
	for (; !weir_iccid_is_zero(cards[slot]); slot = (slot + 1) & (cap - 1))
		if (weir_iccid_equal(cards[slot], iccid))
			return false;
	cards[slot] = iccid;
	return true;
}

static bool
card_add(struct weir_reference_index *index, struct weir_iccid iccid)
{
	if (index->card_count * 2 >= index->card_cap) {
		uint64_t cap = index->card_cap == 0 ? 1024 : index->card_cap * 2;
		struct weir_iccid *cards = weir_calloc(cap, sizeof(*cards));
		for (uint64_t i = 0; i < index->card_cap; i++)
			if (!weir_iccid_is_zero(index->cards[i]))
				(void)card_put(cards, cap, index->cards[i]);
		free(index->cards);
		index->cards = cards;
		index->card_cap = cap;
	}
	bool added = card_put(index->cards, index->card_cap, iccid);
	index->card_count += added;
	return added;
}

struct weir_reference_index *
weir_reference_index_new(void)
{
	return weir_calloc(1, sizeof(struct weir_reference_index));
}

void
weir_reference_index_free(struct weir_reference_index *index)
{
	free(index->carriers.entries);
	free(index->carriers.slots);
	free(index->plans.entries);
	free(index->plans.slots);
	free(index->cards);
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
add_plan(
    struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const struct weir_ref_plan *plan)
{
	if (!carrier_is_known(index, plan->carrier))
		weir_mistake_add(mistakes, line, "plan %s: carrier %s is not in this file", plan->id, plan->carrier);
	if (!id_add(&index->plans, plan->id, plan->carrier))
		weir_mistake_add(mistakes, line, "plan %s: given twice", plan->id);
}

static void
add_card(
    struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line, const struct weir_ref_card *card)
{
	char iccid[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	if (!card_add(index, card->iccid))
		weir_mistake_add(mistakes, line, "card %s: given twice", iccid);
	if (card->has_carrier && !carrier_is_known(index, card->carrier))
		weir_mistake_add(mistakes, line, "card %s: carrier %s is not in this file", iccid, card->carrier);
	const struct entry *plan = card->has_plan ? id_find(&index->plans, card->plan) : NULL;
	if (plan != NULL && card->has_carrier && strcmp(plan->carrier, card->carrier) != 0)
		weir_mistake_add(mistakes, line, "card %s: carrier %s, but its plan %s is of carrier %s", iccid,
		    card->carrier, plan->id, plan->carrier);
}

void
weir_reference_index_add(struct weir_reference_index *index, struct weir_mistakes *mistakes, uint32_t line,
    const struct weir_reference *reference)
{
	if (reference->type == WEIR_REF_PLAN)
		add_plan(index, mistakes, line, &reference->plan);
	else if (reference->type == WEIR_REF_CARD)
		add_card(index, mistakes, line, &reference->card);
	else if (reference->type == WEIR_REF_CARRIER && !id_add(&index->carriers, reference->carrier.id, ""))
		weir_mistake_add(mistakes, line, "carrier %s: given twice", reference->carrier.id);
}
