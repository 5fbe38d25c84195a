/*
 * What carriers, the dispatcher and those who watch them share: a card's state at its carrier (enum weir_desired), and
 * counters by carrier.
 */
#ifndef WEIR_PIPELINE_CARRIERS_TYPES_H
#define WEIR_PIPELINE_CARRIERS_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/card_state.h"

#define WEIR_TICKET_MAX 48 /* bytes of a carrier's name for a command it accepted, with the closing 0 */

struct weir_carrier_counters { /* per carrier; relaxed snapshots */
	char carrier[24];
	uint64_t sent, confirmed, failed, retries, rate_limited, timeouts, withdrawn;
	uint32_t queued_suspends, queued_resumes, in_flight;
	bool breaker_open;
};

#endif
