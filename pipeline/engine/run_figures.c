/* The run's figures: sums of its lanes' and stores' counters, and rows of lanes, partitions and carriers. Any thread. */
#include <stdio.h>
#include <unistd.h>

#include "pipeline/engine/run_priv.h"
#include "pipeline/store/store.h"

static uint64_t
resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#define ADD(field) out->field += atomic_load_explicit(&c->field, memory_order_relaxed)

static void
add_histogram(const struct weir_lane_histogram *c, struct weir_run_histogram *out)
{
	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		ADD(bucket[i]);
	ADD(sum);
}

static void
add_lane(struct weir_lane *lane, struct weir_run_counters *out)
{
	const struct weir_lane_counters *c = weir_lane_counters_of(lane);
	ADD(messages);
#define ADD_STATS(counter) ADD(counter);
	WEIR_STATS_LIST(ADD_STATS)
#undef ADD_STATS
	ADD(filtered);
	ADD(cards);
	ADD(pools);
	ADD(commands_sent);
	ADD(commands_confirmed);
	ADD(commands_failed);
	ADD(partitions);
	out->lag_messages += atomic_load_explicit(&c->lag, memory_order_relaxed);
	for (uint32_t i = 0; i < WEIR_REJECT_COUNT; i++)
		ADD(rejected[i]);
	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		ADD(command_latency[i]);
	ADD(command_latency_us);
	for (uint32_t i = 0; i < WEIR_RUN_FEED_COUNT; i++)
		ADD(feed_rows[i]);
	add_histogram(&c->confirm_latency, &out->confirm_latency);
	add_histogram(&c->flush_latency, &out->flush_latency);
	add_histogram(&c->card_overshoot, &out->card_overshoot);
	add_histogram(&c->pool_overshoot, &out->pool_overshoot);
	struct weir_store *store = weir_lane_store(lane);
	if (store == NULL)
		return;
	struct weir_store_counters s;
	weir_store_counters_get(store, &s);
	out->flushes += s.flushes;
	out->flush_us_total += s.flush_us;
	out->flush_bytes += s.flush_bytes;
	out->fenced += s.fenced;
	out->lost_writes += s.lost_writes;
}

void
weir_run_counters_get(struct weir_run *run, struct weir_run_counters *out)
{
	*out = (struct weir_run_counters){0};
	for (uint32_t i = 0; i < run->lane_count; i++)
		add_lane(run->lanes[i], out);
	out->duplicates += out->stale; /* an old total of a session had been counted before, too */
	out->intents_skipped = weir_intents_skipped(run->intents);
	out->memory_bytes = resident_bytes();
}

/* ---- rows ---- */

static bool
waits_for_redis(const struct weir_run *run, uint32_t lane)
{
	for (uint32_t i = 0; i < run->partitions; i++) {
		const struct weir_lane_row *row = &run->shared.rows[i];
		if (atomic_load_explicit(&row->lane, memory_order_relaxed) == lane + 1 &&
		    atomic_load_explicit(&row->redis_requests, memory_order_relaxed) > 0)
			return true;
	}
	return false;
}

uint32_t
weir_run_lanes(struct weir_run *run, struct weir_run_lane *rows, uint32_t max)
{
	for (uint32_t i = 0; i < run->lane_count && i < max; i++) {
		const struct weir_lane_counters *c = weir_lane_counters_of(run->lanes[i]);
		struct weir_store_counters s;
		weir_store_counters_get(weir_lane_store(run->lanes[i]), &s);
		rows[i] = (struct weir_run_lane){.rounds = atomic_load_explicit(&c->rounds, memory_order_relaxed),
		    .redis_away = !s.connected && waits_for_redis(run, i),
		    .redis_fetches = s.fetches,
		    .redis_takes = s.takes,
		    .redis_reconnects = s.reconnects,
		    .redis_refusals = s.refusals};
	}
	return run->lane_count;
}

#define LOAD(field) .field = atomic_load_explicit(&row->field, memory_order_relaxed)

static struct weir_run_partition
partition_of(const struct weir_lane_row *row, uint32_t number)
{
	struct weir_run_partition out = {.number = number,
	    LOAD(state),
	    LOAD(epoch),
	    LOAD(cards),
	    LOAD(pools),
	    LOAD(memory_bytes),
	    LOAD(unflushed_bytes),
	    LOAD(parked),
	    LOAD(redis_requests),
	    LOAD(unacknowledged),
	    LOAD(scans),
	    LOAD(unreported_bytes),
	    LOAD(guard_tripped),
	    LOAD(stream_us),
	    LOAD(flushed_us),
	    LOAD(watermark_us),
	    LOAD(complete_us)};
	for (uint32_t t = 0; t < WEIR_TOPICS_MAX; t++)
		out.lag_messages[t] = atomic_load_explicit(&row->lag_messages[t], memory_order_relaxed);
	return out;
}

uint32_t
weir_run_partitions(struct weir_run *run, struct weir_run_partition *rows, uint32_t max)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < run->partitions; i++) {
		const struct weir_lane_row *row = &run->shared.rows[i];
		if (atomic_load_explicit(&row->lane, memory_order_relaxed) == 0)
			continue;
		if (count < max)
			rows[count] = partition_of(row, i);
		count++;
	}
	return count;
}

const char *
weir_run_state_name(enum weir_run_state state)
{
	static const char *const names[] = {"away", "taking", "catching_up", "running", "fenced", "stopped"};
	return state < WEIR_RUN_STATE_COUNT ? names[state] : "unknown";
}

uint32_t
weir_run_carriers(struct weir_run *run, struct weir_carrier_counters *rows, uint32_t max)
{
	return weir_dispatch_counters(run->shared.dispatch, rows, max);
}

uint32_t
weir_run_topics(const struct weir_run *run, const char *const **topics_out)
{
	*topics_out = run->shared.topics;
	return run->shared.topic_count;
}

uint32_t
weir_run_partition_count(const struct weir_run *run)
{
	return run->partitions;
}

uint64_t
weir_run_feed_rows(const struct weir_run_counters *counters)
{
	uint64_t rows = 0;
	for (uint32_t i = 0; i < WEIR_RUN_FEED_COUNT; i++)
		rows += counters->feed_rows[i];
	return rows;
}

uint64_t
weir_latency_quantile(const uint64_t *buckets, double p)
{
	uint64_t total = 0, seen = 0;
	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		total += buckets[i];
	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS && total > 0; i++) {
		seen += buckets[i];
		if ((double)seen >= p * (double)total)
			return ((uint64_t)1 << (i / 4)) * (4 + i % 4 + 1) / 4;
	}
	return 0;
}
