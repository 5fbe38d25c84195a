/* A page of cards in the making: which cards match, and where they lie. For search.c, member_scan.c and tagged.c. */
#include <string.h>

#include "pipeline/query/query_priv.h"

bool
search_matches(const struct search *search, uint32_t partition, const struct weir_card_slot *card,
    const struct weir_lifecycle_slot *lifecycle)
{
	const struct weir_card_query *q = search->query;
	const struct weir_reader *reader = search->reader;
	if (weir_iccid_is_zero(card->iccid) || (q->reasons != 0 && (card->reasons & q->reasons) == 0))
		return false;
	if (!weir_iccid_is_zero(q->from) && weir_iccid_order(card->iccid, q->from) < 0)
		return false;
	if (!weir_iccid_is_zero(q->to) && weir_iccid_order(card->iccid, q->to) > 0)
		return false;
	const struct partition_carrier *carrier = partition_carrier(reader, partition, card->carrier);
	const struct partition_plan *plan = partition_plan(reader, partition, card->plan);
	if (!search_any(q->carrier) && (carrier == NULL || strcmp(carrier->id, q->carrier) != 0))
		return false;
	if (!search_any(q->plan) && (plan == NULL || strcmp(plan->id, q->plan) != 0))
		return false;
	if (q->statuses == 0)
		return true;
	uint16_t not_enforced = card->reasons & unsupported_reasons(&reader->partition_metas[partition],
						    carrier != NULL ? carrier->id : "", lifecycle->pool_local != 0);
	return (q->statuses & card_status_bit(card->flags & WEIR_CARD_STATUS_MASK, card->reasons, not_enforced)) != 0;
}

void
search_push(struct search *search, uint32_t partition, uint32_t slot, struct weir_iccid iccid)
{
	WEIR_CHECK(search->count < search->max);
	search->cards[search->count++] =
	    (struct card_raw){.found = true, .iccid = iccid, .partition = partition, .slot = slot};
}

enum weir_read
search_names(struct weir_reader *reader, uint32_t partition, uint32_t carrier, uint32_t plan, struct weir_error *err)
{
	struct partition_meta *partition_meta = &reader->partition_metas[partition];
	if (carrier <= partition_meta->carrier_count && plan <= partition_meta->plan_count)
		return WEIR_READ_OK;
	partition_meta->header_at = partition_meta->names_at = (struct weir_steady){0};
	return partition_refresh(reader, partition, err);
}
