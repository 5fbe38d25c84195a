/* What the files of the run share among themselves. */
#ifndef WEIR_PIPELINE_RUN_PRIV_H
#define WEIR_PIPELINE_RUN_PRIV_H

#include <pthread.h>

#include "pipeline/engine/intents.h"
#include "pipeline/engine/lane.h"
#include "pipeline/engine/run.h"

#define EVENTS_KEPT 32u

struct weir_run {
	const struct weir_settings *settings;
	struct weir_lane_shared shared;
	_Atomic(struct weir_lane *)
	    *lanes; /* release when started, acquire in on_bell: the dispatcher runs before the lanes */
	uint32_t lane_count;
	struct weir_intents *intents;
	uint32_t partitions;
	char owner_name[128];
	pthread_mutex_t events_lock; /* a few events a second at most per screen: not the record path */
	struct weir_run_event events[EVENTS_KEPT];
	uint32_t event_count;
};

#endif
