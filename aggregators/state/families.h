/* Families of smart cards (POOL-8): the sub-cards of a card, known before the card itself may be. */
#ifndef WEIR_AGGREGATORS_STATE_FAMILIES_H
#define WEIR_AGGREGATORS_STATE_FAMILIES_H

#include "aggregators/state/state.h"

#define WEIR_CHILDREN_MAX 16

struct weir_family {
	struct weir_iccid parent;
	uint32_t count;
	struct weir_iccid child[WEIR_CHILDREN_MAX];
};

/* The family of a parent: NULL, or made, when there is none. Valid until the next is made. */
struct weir_family *weir_family_find(const struct weir_partition *p, struct weir_iccid parent);
struct weir_family *weir_family_get(struct weir_partition *p, struct weir_iccid parent);
/* Says in the parent's card, if there is one, whether it has children. */
void weir_family_flag_parent(struct weir_partition *p, const struct weir_family *family);
/* A card was made: its sub-cards may have been announced before it. */
void weir_family_card_made(struct weir_partition *p, struct weir_iccid iccid);
void weir_families_free(struct weir_partition *p);

#endif
