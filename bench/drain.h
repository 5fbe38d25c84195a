/*
 * Inside `weir bench drain`: what one drain gives, and the two kinds of drain (drain_weir.c, drain_bare.c).
 *
 * A drain's time runs from its first record to its last: of a bare reader as it sees them, of weir from the first
 * publication that tells of records (which says how many were folded by then: they are left out) to the moment when Redis
 * holds the positions behind the last. CPU time is taken over the same span.
 */
#ifndef WEIR_BENCH_DRAIN_H
#define WEIR_BENCH_DRAIN_H

#include "bench/report.h"
#include "bench/servers_fill.h"

#define DRAIN_LIST_MAX 8
#define DRAIN_RECORD_BYTES 200u /* of memory held before a drain (memory.h), for each record of its topic */

struct drain_result {
	double seconds;
	uint64_t records, messages; /* within the span */
	struct bench_cpu cpu;       /* of the process that drains, within the span */
	uint64_t broker_ns, redis_ns;
	uint64_t rss_bytes;
	double redis_bytes; /* that Redis grew by */
};

/* A loaded fleet under the prefix of BENCH_BASE, and what it cost. */
struct drain_base {
	double redis_bytes, rss_empty, rss_loaded, load_seconds, start_seconds;
};

/* What a topic holds, and what may be done with it. */
struct drain_topic {
	char name[BENCH_NAME_MAX];
	struct bench_filled filled;
	int64_t *ends; /* by partition */
};

/* Loads the fleet through `weir run` processes, from the cards topic. */
enum weir_class drain_load(struct bench_site *site, const struct workload *workload, uint32_t lanes,
    struct drain_base *base_out, struct weir_error *err);

/* How weir is run. */
struct drain_setup {
	uint32_t processes, lanes; /* lanes of each process */
	const char *source;        /* kafka.source */
};

/* Drains the topic with `weir run` processes; FATAL when what Redis holds afterwards is not exact. */
enum weir_class drain_weir(struct bench_site *site, const struct drain_topic *topic, const struct drain_setup *setup,
    struct drain_result *result_out, struct weir_error *err);

/* Drains the topic with so many plain consumers in a process of its own. */
enum weir_class drain_bare(struct bench_site *site, const struct drain_topic *topic, uint32_t instances,
    struct drain_result *result_out, struct weir_error *err);
/* That process: a hidden subcommand. */
int bench_bare(int argc, char **argv);

/* CPU time of the broker so far in ns; 0 when it is not known. */
uint64_t drain_broker_ns(const struct bench_site *site);

int bench_drain(int argc, char **argv);

#endif
