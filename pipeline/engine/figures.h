/*
 * What a running engine shows of itself, for views, metrics and tests. Any thread, until the run is stopped; nobody is held
 * up: lanes publish their counters ten times a second.
 */
#ifndef WEIR_PIPELINE_ENGINE_FIGURES_H
#define WEIR_PIPELINE_ENGINE_FIGURES_H

#include "pipeline/engine/run.h"

const char *weir_run_state_name(enum weir_run_state state);
/* True once every lane has its partitions and read its reference data. */
bool weir_run_is_ready(struct weir_run *run);
void weir_run_counters_get(struct weir_run *run, struct weir_run_counters *counters_out);
/* Copies up to max rows; returns how many there are. Any thread, until the run is stopped. */
uint32_t weir_run_lanes(struct weir_run *run, struct weir_run_lane *rows, uint32_t max);
/* Partitions owned now, by number. */
uint32_t weir_run_partitions(struct weir_run *run, struct weir_run_partition *rows, uint32_t max);
struct weir_carrier_counters;
uint32_t weir_run_carriers(struct weir_run *run, struct weir_carrier_counters *rows, uint32_t max);
/* Names of the topics that lag_messages tells of, in its order; returns their number. */
uint32_t weir_run_topics(const struct weir_run *run, const char *const **topics_out);
/* Number of partitions of each topic: there is never a row more. */
uint32_t weir_run_partition_count(const struct weir_run *run);
/* Copies up to max newest events, newest first; returns their number. */
uint32_t weir_run_events(struct weir_run *run, struct weir_run_event *events, uint32_t max);
/* Rows of all feeds. */
uint64_t weir_run_feed_rows(const struct weir_run_counters *counters);
/* p in 0..1 of the latency histogram, in microseconds; 0 when empty. */
uint64_t weir_latency_quantile(const uint64_t *buckets, double p);

#endif
