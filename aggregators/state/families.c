/*
 * Families of smart cards (POOL-8): which sub-cards a card has, by the parent's ICCID. A family may be there before its
 * parent is: the two come by different ways.
 */
#include "aggregators/state/families.h"

#include <stdlib.h>

#include "aggregators/state/card_table.h"

struct weir_families {
	struct weir_family *v;
	uint32_t n, cap;
	struct weir_shards index; /* by the parent's ICCID */
};

struct weir_family *
weir_family_find(const struct weir_partition *p, struct weir_iccid parent)
{
	if (p->families == NULL)
		return NULL;
	uint64_t hash = weir_iccid_hash(parent);
	const struct weir_shard *shard = &p->families->index.shard[hash & (WEIR_SHARDS - 1)];
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash), i;
	while (weir_index_candidate(shard, hash, &pos, &i))
		if (weir_iccid_equal(p->families->v[i].parent, parent))
			return &p->families->v[i];
	return NULL;
}

struct weir_family *
weir_family_get(struct weir_partition *p, struct weir_iccid parent)
{
	WEIR_CHECK(!weir_iccid_is_zero(parent));
	struct weir_family *family = weir_family_find(p, parent);
	if (family != NULL)
		return family;
	if (p->families == NULL)
		p->families = weir_calloc(1, sizeof(*p->families));
	struct weir_families *all = p->families;
	if (all->n == all->cap) {
		all->cap = all->cap == 0 ? 16 : all->cap * 2;
		all->v = weir_realloc(all->v, all->cap * sizeof(*all->v));
	}
	uint64_t hash = weir_iccid_hash(parent);
	weir_shard_insert(weir_shards_of(&all->index, hash), weir_index_entry(hash, all->n));
	all->v[all->n] = (struct weir_family){.parent = parent};
	return &all->v[all->n++];
}

void
weir_families_free(struct weir_partition *p)
{
	if (p->families == NULL)
		return;
	weir_shards_free(&p->families->index);
	free(p->families->v);
	free(p->families);
	p->families = NULL;
}

void
weir_family_flag_parent(struct weir_partition *p, const struct weir_family *family)
{
	WEIR_CHECK(family->count <= WEIR_CHILDREN_MAX);
	uint32_t slot;
	struct weir_card_slot *card = weir_partition_find(p, family->parent, &slot);
	if (card == NULL)
		return;
	card->flags &= (uint8_t)~WEIR_CARD_HAS_CHILDREN;
	card->flags |= family->count > 0 ? WEIR_CARD_HAS_CHILDREN : 0;
	weir_slab_dirty(&p->tables.cards, slot);
}

void
weir_family_card_made(struct weir_partition *p, struct weir_iccid iccid)
{
	const struct weir_family *family = weir_family_find(p, iccid);
	if (family != NULL)
		weir_family_flag_parent(p, family);
}
