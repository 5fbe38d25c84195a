/*
 * Device lock (SUS-5): a card is bound to the first device that it is seen in, by 14 digits of its IMEI.
 *
 * The bound IMEI lies in the lifecycle slot, which the fold has in cache anyway; another one that was seen lies in the
 * overrides, which few cards have. Only a record that is not older than the card's newest says in which device the card is
 * now: a record of the old device that comes after a rebind must not cut the card off again.
 */
#include "aggregators/enforcement/device_lock.h"

#include <inttypes.h>

#include "aggregators/enforcement/rollover.h"
#include "config/base/timetext.h"

static void
bind_imei(struct weir_partition *p, uint32_t slot, uint64_t imei14)
{
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	lifecycle->imei_low = (uint32_t)imei14;
	lifecycle->imei_high = (uint16_t)(imei14 >> 32);
	weir_slab_dirty(&p->tables.lifecycles, slot);
}

static void
alert_change(struct weir_partition *p, uint32_t slot, uint64_t bound, uint64_t seen, const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	char iccid[WEIR_ICCID_TEXT_MAX], at[WEIR_TIME_TEXT_MAX], carrier[WEIR_JSON_ID_MAX];
	(void)weir_iccid_format(card->iccid, iccid);
	(void)weir_time_format_ms(p->clock.now_us, at);
	weir_json_id(weir_partition_carrier_name(p, card->carrier), carrier);
	weir_partition_alert(p, iccid,
	    "{\"type\":\"alert\",\"kind\":\"device_change\",\"card\":\"%s\",\"carrier\":\"%s\","
	    "\"bound\":\"%014" PRIu64 "\",\"seen\":\"%014" PRIu64
	    "\",\"at\":\"%s\",\"input\":%d,\"partition\":%u,\"offset\":%" PRId64 "}",
	    iccid, carrier, bound, seen, at, cause->input == UINT32_MAX ? -1 : (int)cause->input, p->opts.number,
	    cause->offset);
}

void
weir_device_record_slow(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	uint64_t bound = weir_lifecycle_imei(weir_lifecycle_at(p, slot));
	enum weir_device_lock lock = p->registry.carriers[card->carrier - 1].ref.device_lock;
	if (bound == 0) {
		bind_imei(p, slot, imei14);
		return;
	}
	if (lock == WEIR_DEVICE_LOCK_NONE || cause->record_us / 1000000 < card->last_s)
		return;
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	bool raised = (card->reasons & WEIR_REASON_BIT(WEIR_REASON_DEVICE_CHANGE)) != 0;
	bool seen = overrides != NULL && overrides->seen_imei14 == imei14;
	if (!seen)
		weir_partition_card_overrides(p, slot)->seen_imei14 = imei14;
	if (lock == WEIR_DEVICE_LOCK_SUSPEND && !raised)
		weir_partition_change_reasons(p, slot, WEIR_REASON_BIT(WEIR_REASON_DEVICE_CHANGE), 0, cause);
	else if (lock == WEIR_DEVICE_LOCK_ALERT && !seen)
		alert_change(p, slot, bound, imei14, cause);
}

void
weir_device_bind(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause)
{
	if (weir_lifecycle_imei(weir_lifecycle_at(p, slot)) == imei14)
		return;
	bind_imei(p, slot, imei14);
	if (weir_card_at(p, slot)->overrides != 0)
		weir_partition_card_overrides(p, slot)->seen_imei14 = 0;
	weir_partition_change_reasons(p, slot, 0, WEIR_REASON_BIT(WEIR_REASON_DEVICE_CHANGE), cause);
}

enum weir_class
weir_device_rebind(
    struct weir_partition *p, uint32_t slot, const struct weir_cause *cause, const char **reply_out, struct weir_error *err)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_carrier_entry *carrier = &p->registry.carriers[card->carrier - 1];
	if (carrier->ref.device_lock == WEIR_DEVICE_LOCK_NONE) {
		weir_device_bind(p, slot, 0, cause);
		*reply_out = "the carrier locks no devices: the next record binds";
		return WEIR_OK;
	}
	const struct weir_card_overrides_slot *known = weir_card_overrides_of(p, card);
	if (known == NULL || known->seen_imei14 == 0)
		return weir_error_set(err, WEIR_POISON, "no other device was seen since the card was bound (SUS-5)");
	struct weir_card_overrides_slot *overrides = weir_partition_card_overrides(p, slot);
	uint16_t month =
	    (uint16_t)weir_zone_month(carrier->zone, cause->arrived_us != 0 ? cause->arrived_us : p->clock.now_us);
	uint32_t before = overrides->rebind_month == month ? overrides->rebinds : 0;
	if (carrier->ref.rebinds_per_month != 0 && before >= carrier->ref.rebinds_per_month)
		return weir_error_set(err, WEIR_POISON,
		    "rebound %u times this month already, which is all that %s allows (SUS-5)", before, carrier->ref.id);
	overrides->rebind_month = month;
	overrides->rebinds = (uint8_t)(before < UINT8_MAX ? before + 1 : UINT8_MAX);
	weir_device_bind(p, slot, overrides->seen_imei14, cause);
	return WEIR_OK;
}
