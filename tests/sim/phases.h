/* What the files of the generator share. */
#ifndef WEIR_SIM_PHASES_H
#define WEIR_SIM_PHASES_H

#include "tests/sim/sim.h"

/* phases.c */
void sim_set_cap(struct sim *sim);
void sim_phase_card(struct sim *sim, int card); /* a new card, or one defined anew */
void sim_phase_pool(struct sim *sim, int pool); /* likewise */
int sim_phase_single_plan(struct sim *sim, int carrier);

/* sim_records.c: one record, new, repeated, or out of order */
void sim_phase_record(struct sim *sim);
/* Sessions and repeats do not go on over a long time. */
void sim_records_forget(struct sim *sim);

/* changes.c: one change of reference data, or a request; commuting: only such as commute with records and with time */
void sim_phase_change(struct sim *sim, bool commuting);

/* lifecycle_phase.c */
void sim_phase_lifecycle(struct sim *sim, int card);
const char *sim_phase_status(struct sim *sim, int card); /* of a new card, as a member of its message */

#endif
