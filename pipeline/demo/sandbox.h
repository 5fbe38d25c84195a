/*
 * What the demo needs around the engine, in a temporary folder: a broker inside the process, a redis-server on a unix
 * socket, a carrier's API on loopback, and a settings file that names them. All of it goes away with
 * weir_demo_sandbox_close, also when opening broke off half-way; redis-server also ends when this process is killed. Main
 * thread.
 */
#ifndef WEIR_PIPELINE_DEMO_SANDBOX_H
#define WEIR_PIPELINE_DEMO_SANDBOX_H

#include <sys/types.h>

#include "config/settings/settings.h"
#include "pipeline/demo/carrier_simulator.h"

#define WEIR_DEMO_PARTITIONS 8

struct weir_demo_sandbox {
	char folder[64];
	pid_t redis_pid;
	struct weir_producer *kafka; /* the generator's producer; the broker lives in it */
	struct weir_carrier_sim *carrier;
	struct weir_settings *settings;
};

/* Opens all of it; the caller closes also after a failure. */
enum weir_class weir_demo_sandbox_open(uint64_t seed, struct weir_demo_sandbox *sandbox_out, struct weir_error *err);
/* The path of its settings file. */
void weir_demo_sandbox_config(const struct weir_demo_sandbox *sandbox, char out[128]);
void weir_demo_sandbox_close(struct weir_demo_sandbox *sandbox);

#endif
