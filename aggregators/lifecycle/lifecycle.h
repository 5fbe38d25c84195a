/* What lifecycle.c and life_requests.c share; not for other files. */
#ifndef WEIR_AGGREGATORS_LIFECYCLE_PRIV_H
#define WEIR_AGGREGATORS_LIFECYCLE_PRIV_H

#include "aggregators/partition_priv.h"

#define S_US INT64_C(1000000)

/* Seconds as slots hold them: 0 means "none", so that the year 1970 begins at 1; the last are those of 2106. */
uint32_t weir_lifecycle_seconds(int64_t at_us);
uint32_t weir_lifecycle_now(const struct weir_partition *p);
/* When a message acts: its Kafka time. */
int64_t weir_lifecycle_cause_us(const struct weir_partition *p, const struct weir_cause *cause);
/* By the calendar of the card's carrier. */
uint32_t weir_lifecycle_add_months(const struct weir_partition *p, uint32_t slot, uint32_t from_s, uint32_t months);
/* Has it been activated, so that its life slot holds dates. */
bool weir_lifecycle_has_dates(const struct weir_card_slot *card);
/* LIFE-5: is the card's expiry a renewal's? */
void weir_lifecycle_set_renewed(struct weir_partition *p, uint32_t slot, bool renewed);
/* SUS-6: from now to end_s the card is cut off; 0 ends it. The status's deadline goes on beneath. */
void weir_lifecycle_set_reset(struct weir_partition *p, uint32_t slot, uint32_t end_s);
/*
 * Enters another status at since_us. Leaving a status before activation forgets what it kept; dates of an activated card
 * stay with it until it is testable or inactive again.
 */
void weir_lifecycle_enter(struct weir_partition *p, uint32_t slot, unsigned status, int64_t since_us);
/*
 * The last step of every change: the flag, the timer of those in use, and, when the card has become an activated member or
 * ceased to be one (was_active: before the change), its account. Evaluation is the caller's.
 */
void weir_lifecycle_changed(struct weir_partition *p, uint32_t slot, bool was_active);

#endif
