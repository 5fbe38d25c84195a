/*
 * Does the process live, and is it of use? Two different questions: a process whose Redis is away lives and must not be
 * killed for it (enforcement goes on), but is not ready.
 *
 * Lanes count their rounds; the supervising thread looks at the counts and remembers when each last moved. So a lane that
 * hangs is seen, and so is a supervisor that hangs, with no clock read by the lanes. Rejected: a time stamp of the lane's
 * own, which would be one more clock reading a round, and would jump with a wall clock.
 */
#ifndef WEIR_PIPELINE_HEALTH_H
#define WEIR_PIPELINE_HEALTH_H

#include "config/base/clock.h"
#include "pipeline/http/metrics/metrics.h"

#define WEIR_HEALTH_STALL_US 15000000 /* a lane without a round for so long does not live; a round takes milliseconds */

struct weir_health {
	uint32_t lane_count;
	uint64_t rounds[WEIR_METRICS_LANES_MAX]; /* as last seen; the supervisor's alone */
	/* Of a struct weir_steady. Relaxed: each is a figure by itself. */
	_Atomic int64_t moved_us[WEIR_METRICS_LANES_MAX];
};

void weir_health_begin(struct weir_health *health, uint32_t lane_count, struct weir_steady now);
/* Supervising thread, at least every second. */
void weir_health_observe(struct weir_health *health, const struct weir_run_lane *lanes, struct weir_steady now);
/* Do all lanes live? Appends a line for each that does not to `words` (may be NULL). Any thread. */
bool weir_health_is_live(const struct weir_health *health, struct weir_steady now, struct weir_buf *words);
/* Are all partitions taken, reference data read, and Redis there? Appends a line for each thing that is missing. Pure. */
bool weir_health_is_ready(const struct weir_metrics_figures *figures, struct weir_buf *words);

#endif
