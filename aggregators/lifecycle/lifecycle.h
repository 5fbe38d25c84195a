/*
 * A card's lifecycle (LIFE-1 to LIFE-7, SUS-6). Every change of status or expiry goes through here: it keeps pool locals,
 * timers and reasons in line.
 */
#ifndef WEIR_AGGREGATORS_LIFECYCLE_LIFECYCLE_H
#define WEIR_AGGREGATORS_LIFECYCLE_LIFECYCLE_H

#include "aggregators/state/card_table.h"

/* Before a record's usage is counted: what its card's status makes of it. */
enum weir_lifecycle_answer { WEIR_LIFECYCLE_COUNT, WEIR_LIFECYCLE_EXEMPT /* counted, but by no threshold and no pool */ };
enum weir_lifecycle_answer weir_lifecycle_record_slow(
    struct weir_partition *p, uint32_t slot, const struct weir_record *r, uint64_t bytes, const struct weir_cause *cause);
static inline enum weir_lifecycle_answer
weir_lifecycle_record(
    struct weir_partition *p, uint32_t slot, const struct weir_record *r, uint64_t bytes, const struct weir_cause *cause)
{
	if (__builtin_expect(weir_card_status_of(weir_card_at(p, slot)) <= WEIR_STATUS_INACTIVE, 0))
		return weir_lifecycle_record_slow(p, slot, r, bytes, cause);
	return WEIR_LIFECYCLE_COUNT;
}

/* Does its life let the card (NULL = a new one) take what the message says? POISON for what LIFE-7 forbids. */
enum weir_class weir_lifecycle_admits(
    const struct weir_card_slot *card, const struct weir_ref_card *ref, struct weir_error *err);
/* From reference data that was admitted: status, since, activated, expires as given. Evaluation is the caller's. */
void weir_lifecycle_apply(
    struct weir_partition *p, uint32_t slot, const struct weir_ref_card *ref, const struct weir_cause *cause);
/* The card has got another plan: expiry by activation and the new term. Evaluation is the caller's. */
void weir_lifecycle_plan_changed(struct weir_partition *p, uint32_t slot);
/* The card's plan may have been defined since the card was activated: it then gets its expiry. Likewise. */
void weir_lifecycle_term_known(struct weir_partition *p, uint32_t slot);
/* What the card's timer stands for has come. */
void weir_lifecycle_due(struct weir_partition *p, uint32_t slot);

/* ---- for requests ---- */

#define WEIR_LIFECYCLE_S_US INT64_C(1000000) /* microseconds a second */

/* Seconds as slots hold them: 0 means "none", so that the year 1970 begins at 1; the last are those of 2106. */
uint32_t weir_lifecycle_seconds(int64_t at_us);
uint32_t weir_lifecycle_now(const struct weir_partition *p);
/* When a message acts: its Kafka time. */
int64_t weir_lifecycle_cause_us(const struct weir_partition *p, const struct weir_cause *cause);
/* By the calendar of the card's carrier. */
uint32_t weir_lifecycle_add_months(const struct weir_partition *p, uint32_t slot, uint32_t from_s, uint32_t months);
/* Has it been activated, so that its lifecycle slot holds dates. */
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
 * ceased to be one (was_active: before the change), its pool local. Evaluation is the caller's.
 */
void weir_lifecycle_changed(struct weir_partition *p, uint32_t slot, bool was_active);

#endif
