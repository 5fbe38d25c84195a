/*
 * Metrics: one table of them (name, type, labels, help, whose they are, and where the figure lies), from which the
 * Prometheus exposition, `weir run --list-metrics` and docs/metrics.md come. The engine and the HTTP API show what is
 * theirs; a process that runs both (the demo) shows all.
 *
 * Figures are gathered into plain data first and written from there, so that what is written can be tested without an
 * engine. Nothing here is on the record path: gathering reads relaxed atomics that lanes publish ten times a second.
 */
#ifndef WEIR_PIPELINE_METRICS_H
#define WEIR_PIPELINE_METRICS_H

#include <stdio.h>

#include "config/base/log.h"
#include "config/base/slice.h"
#include "pipeline/carriers/types.h"
#include "pipeline/engine/run.h"
#include "pipeline/http/api_counters.h"

#define WEIR_METRICS_LANES_MAX 64
#define WEIR_METRICS_CARRIERS_MAX (WEIR_CARRIERS_MAX + 2)

/* Of the process, from the kernel. */
struct weir_metrics_process {
	uint64_t started_us; /* microseconds UTC */
	uint64_t cpu_us;
	uint64_t open_fds;
	uint64_t resident_bytes;
};

/* What runs in this process; run and api may be NULL. */
struct weir_metrics_of {
	struct weir_run *run;
	struct weir_api *api;
	weir_api_counters_fn api_counters; /* asked for the API's figures */
};

struct weir_metrics_figures {
	bool has_run, has_api; /* whether what follows of each is there */
	struct weir_run_counters run;
	struct weir_api_counters api;
	struct weir_run_lane lanes[WEIR_METRICS_LANES_MAX];
	uint32_t lane_count;
	struct weir_run_partition *partitions; /* owned; made by the first gathering */
	uint32_t partition_count;
	struct weir_carrier_counters carriers[WEIR_METRICS_CARRIERS_MAX];
	uint32_t carrier_count;
	const char *const *topics; /* of lag_messages; borrowed from the run */
	uint32_t topic_count;
	uint64_t topic_partitions; /* of each topic, whoever owns them */
	struct weir_log_counters log;
	struct weir_metrics_process process;
	bool ready;
};

/* Reads all figures. Any thread, until what is asked is stopped; one thread a struct. */
void weir_metrics_gather(struct weir_metrics_of of, struct weir_metrics_figures *figures_out);
void weir_metrics_figures_free(struct weir_metrics_figures *figures);

/* Appends the exposition in Prometheus' text format, version 0.0.4. */
void weir_metrics_write(const struct weir_metrics_figures *figures, struct weir_buf *out);

/* The table as Markdown (docs/metrics.md). */
void weir_metrics_print_table(FILE *out);

#endif
