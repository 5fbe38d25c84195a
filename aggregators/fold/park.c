/*
 * Records that wait: for strings that must be fetched first, or behind one of their card that does. Parked records are
 * folded again, in order, when all answers are in.
 */
#include "aggregators/fold/park.h"

#include <string.h>

#include "aggregators/state/card_table.h"

/* A card's bit among those of parked cards. Cards that share one wait for each other now and then. */
static inline uint64_t
parked_bit(uint32_t slot, uint32_t *word_out)
{
	*word_out = slot / 64 % WEIR_PARKED_WORDS;
	return UINT64_C(1) << slot % 64;
}

/* In a device that the card is not bound to, or not yet. */
static inline bool
is_of_other_device(const struct weir_partition *p, uint32_t slot, const struct weir_record *r)
{
	return r->imei14 != 0 && weir_lifecycle_imei(weir_lifecycle_at(p, slot)) != r->imei14;
}

void
weir_park(struct weir_partition *p, uint32_t slot, const struct weir_record *r)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	uint32_t word;
	uint64_t bit = parked_bit(slot, &word);
	p->parked.cards[word] |= bit;
	if (is_of_other_device(p, slot, r))
		p->parked.devices[word] |= bit;
	*weir_records_add(&p->parked.records) = *r;
	p->stats.parked++;
}

/*
 * SUS-5 goes by which of a card's records is the newest so far: one of another device, overtaken by a newer one, would be
 * taken for late; one that overtakes a newer one would not.
 */
static bool
waits_by_device(const struct weir_partition *p, uint32_t slot, const struct weir_record *r)
{
	uint32_t word;
	uint64_t bit = parked_bit(slot, &word);
	return (p->parked.devices[word] & bit) != 0 ||
	       ((p->parked.cards[word] & bit) != 0 && is_of_other_device(p, slot, r));
}

/*
 * What a record does may depend on those before it: a total counts by them, a test quota is used up in their order and so
 * decides which of them are the pool's (LIFE-3, POOL-3), the first one activates (LIFE-2), the first IMEI is bound (SUS-5).
 * Such a record waits behind whatever is parked, one of a card that was seen in another device behind that card's; all
 * others may overtake.
 */
bool
weir_park_must_wait(const struct weir_partition *p, uint32_t slot, const struct weir_record *r)
{
	return (r->flags & WEIR_RECORD_TOTALS) != 0 || weir_card_status_of(weir_card_at(p, slot)) <= WEIR_STATUS_INACTIVE ||
	       (r->imei14 != 0 && weir_lifecycle_imei(weir_lifecycle_at(p, slot)) == 0) || waits_by_device(p, slot, r);
}

struct weir_records
weir_park_take(struct weir_partition *p)
{
	struct weir_records parked = p->parked.records;
	p->parked.records = (struct weir_records){0};
	memset(p->parked.cards, 0, sizeof(p->parked.cards));
	memset(p->parked.devices, 0, sizeof(p->parked.devices));
	return parked;
}

bool
weir_partition_fetched(struct weir_partition *p, const struct weir_fetch_request *fetch, struct weir_slice value)
{
	if (fetch->kind == WEIR_FETCH_DEDUPE_KEYS) {
		struct weir_dedupe_keys_bucket *bucket =
		    weir_dedupe_keys_bucket_find(&p->tables.dedupe_keys, fetch->number, fetch->place);
		return bucket == NULL || bucket->loaded || weir_dedupe_keys_bucket_load(bucket, value.data, value.len);
	}
	if (fetch->kind == WEIR_FETCH_WINDOW)
		return fetch->window < WEIR_WINDOW_KINDS &&
		       weir_windows_answer(&p->tables.windows[fetch->window], (int32_t)fetch->number, fetch->place, value);
	struct weir_closed_cycle_entry *entry =
	    weir_closed_cycles_find(&p->tables.closed_cycles, (uint16_t)fetch->number, fetch->place);
	if (entry == NULL || entry->loaded)
		return true;
	if (value.len != 0 && value.len != sizeof(entry->value))
		return false;
	if (value.len != 0)
		memcpy(&entry->value, value.data, sizeof(entry->value));
	entry->loaded = true;
	return true;
}
