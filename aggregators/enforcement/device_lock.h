/* Device lock (SUS-5). */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_DEVICE_LOCK_H
#define WEIR_AGGREGATORS_ENFORCEMENT_DEVICE_LOCK_H

#include "aggregators/state/card_table.h"

/* For a record that carries an IMEI. */
void weir_device_record_slow(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause);
static inline void
weir_device_record(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause)
{
	if (imei14 != 0 && __builtin_expect(weir_lifecycle_imei(weir_lifecycle_at(p, slot)) != imei14, 0))
		weir_device_record_slow(p, slot, imei14, cause);
}

/* Reference data says which device it is; 0 = none, the next record binds. Clears device_change if that is another one. */
void weir_device_bind(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause);

/* An operator binds the device that was seen. */
enum weir_class weir_device_rebind(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause,
    const char **reply_out, struct weir_error *err);

#endif
