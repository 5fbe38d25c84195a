/* The one way in which a card comes to be; see card_register.h. */
#include "aggregators/lifecycle/card_register.h"

#include "aggregators/enforcement/unconfirmed.h"
#include "aggregators/state/families.h"

uint32_t
weir_card_register(struct weir_partition *p, struct weir_iccid iccid, uint32_t carrier_number)
{
	WEIR_CHECK(p->tables.lifecycles.used == p->tables.cards.used);
	uint32_t slot = weir_partition_new_card(p, iccid, carrier_number);
	if (p->families != NULL)
		weir_family_card_made(p, iccid);
	weir_unconfirmed_card_created(p, slot);
	return slot;
}
