/* The drains of one topic, round by round, and how they are told; see drain.h. */
#ifndef WEIR_BENCH_DRAIN_REPORT_H
#define WEIR_BENCH_DRAIN_REPORT_H

#include "bench/drain.h"

#define DRAIN_KINDS_MAX 32
#define DRAIN_ROUNDS_MAX 100

/* All rounds of one kind of drain, such as "bare, 2". */
struct drain_kind {
	char what[64];
	bool bare, headline; /* headline: its ratio is one to quote */
	struct drain_result rounds[DRAIN_ROUNDS_MAX];
	uint32_t count;
};

struct drain_set {
	struct workload workload;
	struct drain_base base;
	struct drain_kind *kinds;
	uint32_t count, rounds;
};

struct drain_set *drain_set_new(const struct workload *workload, const struct drain_base *base);
void drain_set_free(struct drain_set *set);
void drain_set_add(struct drain_set *set, const char *what, bool bare, bool headline, const struct drain_result *result);
void drain_set_round(struct drain_set *set);

struct drain_report {
	struct report *report;
	bool too_short;
	json_t *ratios; /* table over all topics */
};

void drain_report_set(struct drain_report *drains, struct drain_set *set, const struct bench_filled *filled);
void drain_report_end(struct drain_report *drains);

#endif
