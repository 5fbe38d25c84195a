/*
 * Topics filled from a workload: its reference data into the run's cards topic, its records into a topic of their own. Main
 * thread.
 */
#ifndef WEIR_BENCH_SERVERS_FILL_H
#define WEIR_BENCH_SERVERS_FILL_H

#include "bench/servers.h"
#include "bench/workload.h"

/* Plans, pools and cards; every LIMIT_EVERY-th card gets a usage limit of its own, so that its terms exist. */
enum weir_class bench_fill_cards(struct bench_site *site, const struct workload *workload, struct weir_error *err);

/* What was sent of a card. */
struct bench_totals {
	uint64_t up, down, records;
};
static inline void
bench_totals_add(struct bench_totals *totals, const struct workload_record *r)
{
	if (r->duplicate)
		return;
	totals->up += r->up;
	totals->down += r->down;
	totals->records++;
}
/* The hash that bench_redis_usage gives when Redis holds that, and the number of records. */
uint64_t bench_totals_hash(const struct bench_totals *totals, uint64_t cards, uint64_t *records_out);

/* What came out of filling: what the state must say once all of it is counted. */
struct bench_filled {
	uint64_t records, messages, bytes, hash; /* hash as bench_redis_usage gives it; duplicates not in it */
	uint64_t counted;                        /* records that are no duplicates */
};
/*
 * The workload's records, in its format and message size, so that the last of them arrives now in virtual time; messages
 * hold records of one partition only.
 */
enum weir_class bench_fill_records(struct bench_site *site, const struct workload *workload, uint64_t seed,
    const char *topic, struct bench_filled *filled_out, struct weir_error *err);

/*
 * Cards for measuring latency: `count` cards from number `first` on, each with a plan of BENCH_VICTIM_BYTES of its own, and
 * `pools` pools of `members` cards, from number `pool_first` on, with a bought total of BENCH_VICTIM_BYTES each.
 */
#define BENCH_VICTIM_BYTES 1000000000ull
struct bench_victims {
	uint64_t first, count;
	uint64_t pool_first, pools, members; /* pool k has cards pool_first + k * members and on */
	uint64_t pool_number;                /* in the pools' names */
};
enum weir_class bench_fill_victims(struct bench_site *site, const struct bench_victims *victims, struct weir_error *err);

#endif
