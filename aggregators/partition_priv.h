/* What the files of the partition share among themselves; not for other folders. */
#ifndef WEIR_AGGREGATORS_PARTITION_PRIV_H
#define WEIR_AGGREGATORS_PARTITION_PRIV_H

#include "aggregators/partition.h"

static inline struct weir_card_slot *
weir_card_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->cards, slot);
}

static inline struct weir_terms_slot *
weir_terms_of(const struct weir_partition *p, const struct weir_card_slot *card)
{
	return card->terms == 0 ? NULL : weir_slab_at(&p->terms, card->terms - 1);
}

/* names.c: numbers of carriers and plans; new ones get the next number. UINT32_MAX when there is no room. */
uint32_t weir_partition_carrier_number(struct weir_partition *p, const char *id);
uint32_t weir_partition_plan_number(struct weir_partition *p, const char *id);
enum weir_class weir_partition_define_carrier(
    struct weir_partition *p, const struct weir_ref_carrier *carrier, struct weir_error *err);
void weir_partition_define_plan(struct weir_partition *p, const struct weir_ref_plan *plan);

/* cards.c */
uint32_t weir_partition_new_card(struct weir_partition *p, struct weir_iccid iccid, uint32_t carrier_number);
/* The card's terms, made when it has none. */
struct weir_terms_slot *weir_partition_terms(struct weir_partition *p, uint32_t slot);
/* The card's enforcement slot, made (active, confirmed) when it has none. */
struct weir_enforcement_slot *weir_partition_enforce(struct weir_partition *p, uint32_t slot);

/* cycle.c: the number of the cycle of an instant for a carrier; the common case is one comparison. */
int32_t weir_partition_cycle_slow(struct weir_carrier_entry *carrier, int64_t at_us);
static inline int32_t
weir_partition_cycle_of(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us >= carrier->current.start_us && at_us < carrier->current.end_us)
		return carrier->current.number;
	return weir_partition_cycle_slow(carrier, at_us);
}
/* Ends the card's cycle: its totals go to the past, counting starts anew in `cycle` (CYC-3, CYC-4). */
void weir_partition_roll(struct weir_partition *p, uint32_t slot, int32_t cycle, const struct weir_cause *cause);

/* evaluate.c: brings reasons, desired state and gate in line with the card's usage and terms (SUS-2). */
void weir_partition_evaluate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause);
/* Gives the card's enforcement slot back when it holds nothing more to do or to know. */
void weir_partition_release_idle(struct weir_partition *p, uint32_t slot);
/* Sets and clears reasons that are not derived from usage, then evaluates. */
void weir_partition_change_reasons(
    struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause);

/* sessions.c: REC-2 and sequence dedupe. */
enum weir_session_answer { WEIR_SESSION_COUNT, WEIR_SESSION_SEEN, WEIR_SESSION_STALE, WEIR_SESSION_TOO_LATE };
enum weir_session_answer weir_partition_session(struct weir_partition *p, uint32_t card_slot, uint16_t cycle,
    const struct weir_record *r, uint64_t *up_out, uint64_t *down_out, bool *first_in_cycle_out);
void weir_partition_session_sweep(struct weir_partition *p, uint32_t slots_max);
void weir_partition_session_index(struct weir_partition *p, uint32_t slot);

struct weir_audit *weir_partition_add_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause);
void weir_partition_reject(struct weir_partition *p, const struct weir_record *record, enum weir_reject reject);

#endif
