/* Inside `weir bench latency` and `recover`: a fleet under `weir run`, with an open-loop load beside it. Main thread. */
#ifndef WEIR_BENCH_LATENCY_H
#define WEIR_BENCH_LATENCY_H

#include "bench/drain.h"
#include "bench/latency_watch.h"
#include "bench/pace.h"

/* What both measure: a loaded fleet's copy, a topic of records, a generator for all of the run's records. */
struct rig {
	struct bench_site *site;
	struct workload workload;
	struct workload_generator *generator;
	char prefix[BENCH_NAME_MAX], topic[BENCH_NAME_MAX], group[BENCH_NAME_MAX];
	struct bench_totals *totals; /* by card */
	struct drain_base base;
	uint32_t lanes;
};

enum weir_class rig_open(struct bench_site *site, const struct workload *workload, uint64_t seed, uint32_t lanes,
    struct rig *rig, struct weir_error *err);
void rig_close(struct rig *rig);
/* `instance`: of static membership; NULL = dynamic. */
enum weir_class rig_weir_start(struct rig *rig, const char *instance, struct bench_weir *weir, struct weir_error *err);
/* Waits until all that lies in the topic is stored. */
enum weir_class rig_wait_quiet(
    struct rig *rig, struct bench_weir *weirs, uint32_t count, uint32_t timeout_ms, struct weir_error *err);
/* FATAL when Redis does not hold what was sent (cards of the workload only). */
enum weir_class rig_check(struct rig *rig, uint64_t *records_out, uint64_t *hash_out, struct weir_error *err);

int bench_latency(int argc, char **argv);
int bench_recover(int argc, char **argv);

#endif
