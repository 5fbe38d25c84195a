/* What the files of the checks share. */
#ifndef WEIR_SIM_CHECK_H
#define WEIR_SIM_CHECK_H

#include "tests/sim/sim.h"

/* The model's set of reasons as weir's; a set in words. */
uint16_t sim_weir_reasons(unsigned reasons);
const char *sim_reasons_text(uint16_t reasons, char out[256]);

/* check_pools.c */
void sim_check_member(struct sim *sim, const struct sim_owner *owner, int card, uint32_t slot);
void sim_states_forget(struct sim *sim);
void sim_check_pool(struct sim *sim, int pool);

/* check_windows.c */
/* rule ROL-1, rule ROL-2: hours and days of cards and pools, as Redis has them; rule ROL-3: rows that were emitted. */
void sim_check_windows(struct sim *sim);

/* check_alerts.c */
/* rule ALR-2: every level of the default ladder that is reached was told. */
void sim_check_levels(struct sim *sim, const char *subject, int cycle, uint64_t used, uint64_t base);
void sim_check_card_alerts(struct sim *sim, int card);

#endif
