/*
 * What the dispatcher's thread and the functions that lanes call share. Inside pipeline/dispatch only.
 *
 * Memory seen by both sides: the rings, `asleep`, `joined`, `stop_at_us`, and the rows of counters behind a mutex. The rest
 * is the thread's alone between start and join.
 */
#ifndef WEIR_PIPELINE_THREAD_PRIV_H
#define WEIR_PIPELINE_THREAD_PRIV_H

#include <pthread.h>

#include "config/base/clock.h"
#include "config/base/ring.h"
#include "pipeline/dispatch/dispatch.h"
#include "pipeline/dispatch/dispatch_core.h"
#include "pipeline/dispatch/http_priv.h"

#define DISPATCH_MAGIC 0x64697370u
#define COMMANDS_RING 65536u
#define RESULTS_RING 16384u
#define CALLS_A_TURN 256u

struct dispatch_message {
	bool forget; /* the pending command's partition only */
	struct weir_pending_command pending_command;
};

struct dispatch_lane {
	struct weir_ring pending_commands;
	struct weir_ring results;
	struct weir_buf backlog; /* results that found the ring full */
	size_t backlog_read;     /* bytes of it handed on */
	bool rings;              /* its bell is due this turn */
};

struct dispatch_carrier {
	const struct weir_carrier_settings *settings;
	const struct weir_carrier_adapter *adapter;
	char name[24];
	char last_trouble[80]; /* for the log */
	bool was_open;         /* the breaker, as last logged */
};

struct weir_dispatch {
	uint32_t magic;
	struct weir_dispatch_opts opts;
	struct dispatch_carrier carriers[WEIR_CARRIERS_MAX + 1]; /* the last: log, for carriers without settings */
	uint32_t carrier_count;
	uint32_t fallback; /* index for carriers not named: "default" or log */
	struct dispatch_lane *lanes;
	struct weir_dispatch_core *core;
	struct weir_http *http;
	int64_t utc_offset_us; /* UTC minus the core's axis */
	bool holding;          /* results wait in the backlog for intents to be written */
	pthread_t thread;
	bool started;
	_Atomic bool asleep;
	_Atomic bool joined;
	_Atomic int64_t stop_at_us; /* 0 = run */
	pthread_mutex_t rows_lock;
	struct weir_carrier_counters rows[WEIR_CARRIERS_MAX + 1];
};

/* The thread's function; arg is the struct weir_dispatch. */
void *weir_dispatch_main(void *arg);
/* The core's result callback; ctx is the struct weir_dispatch. */
void weir_dispatch_result(void *ctx, uint32_t lane_index, const struct weir_command_result *core_result);

#endif
