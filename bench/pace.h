/*
 * The open-loop load of `weir bench latency` and `recover`: records go out when they are due, however late the last ones
 * were answered; see pace.c. Owned by one thread.
 */
#ifndef WEIR_BENCH_PACE_H
#define WEIR_BENCH_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/raw_produce.h"
#include "bench/servers_fill.h"

struct pace_opts {
	const struct weir_settings *settings;
	const struct workload *workload;
	struct workload_generator *generator; /* gives cards and volumes, one record after the other; borrowed */
	const char *topic;
	uint32_t connections; /* to each broker */
	uint64_t linger_us;   /* records due within this are sent together */
	void (*on_written)(void *ctx, const struct raw_written *written);
	void *ctx;
	struct bench_totals *totals; /* by card: what was sent of the generator's records; NULL = nobody asks */
};

struct pace_part {
	uint64_t rate, records;  /* a second; to send */
	const atomic_bool *stop; /* ends it early; NULL = never */
	/* One record in card_every exhausts the next victim's plan, one in pool_every the next victims' pool; 0 = none. */
	uint64_t card_every, pool_every;
	const struct bench_victims *victims;
	int64_t *card_due_us, *pool_due_us; /* out: wall clock by victim; 0 = was not sent */
};

struct pace_sent {
	uint64_t records;
	double per_second, cpu_s;
	int64_t begun_us, ended_us; /* wall clock: the first one was due, the last one went out */
	int64_t late_us_max;
	uint64_t unanswered_max;
	bool valid; /* the generator kept up */
};

struct pace;
enum weir_class pace_open(const struct pace_opts *opts, struct pace **pace_out, struct weir_error *err);
/* Sends one part, from now on; parts follow each other. */
enum weir_class pace_send(
    struct pace *pace, const struct pace_part *part, struct pace_sent *sent_out, struct weir_error *err);
/* Waits until the broker has answered all. */
enum weir_class pace_finish(struct pace *pace, struct weir_error *err);
void pace_close(struct pace *pace);

#endif
