/* Drains by `weir run` processes, and the fleet that they begin with; see drain.h. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/drain.h"
#include "bench/memory.h"
#include "config/base/check.h"
#include "config/base/clock.h"

enum { PROCESSES_MAX = 16, READY_MS = 300000, DRAIN_MS = 900000, BEGIN_US = 3000 };
#define PUBLISHED_S 0.1 /* lanes tell their figures so often */

struct group {
	struct bench_weir weirs[PROCESSES_MAX];
	uint32_t count;
};

uint64_t
drain_broker_ns(const struct bench_site *site)
{
	struct bench_cpu cpu = {0};
	bench_cpu_add(&cpu, site->kafka_pid);
	return bench_cpu_total(&cpu);
}

static void
name_of(const struct bench_site *site, const char *end, char out[BENCH_NAME_MAX])
{
	(void)snprintf(out, BENCH_NAME_MAX, "%s%s", site->name, end);
}

static enum weir_class
start_all(
    struct bench_site *site, struct group *g, uint32_t count, const struct bench_weir_opts *opts, struct weir_error *err)
{
	WEIR_CHECK(count <= PROCESSES_MAX);
	for (g->count = 0; g->count < count; g->count++)
		if (bench_weir_start(site, opts, &g->weirs[g->count], err) != WEIR_OK)
			return WEIR_FATAL;
	return WEIR_OK;
}

/* Stops them one after the other; the first failure is told. */
static enum weir_class
stop_all(struct group *g, struct weir_error *err)
{
	struct weir_error later;
	enum weir_class class = WEIR_OK;
	for (uint32_t i = 0; i < g->count; i++)
		if (bench_weir_stop(&g->weirs[i], class == WEIR_OK ? err : &later) != WEIR_OK)
			class = WEIR_FATAL;
	return class;
}

static void
kill_all(struct group *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		(void)bench_child_stop(&g->weirs[i].child, SIGKILL, 1000);
}

static struct bench_cpu
cpu_of(const struct group *g)
{
	struct bench_cpu cpu = {0};
	for (uint32_t i = 0; i < g->count; i++)
		bench_cpu_add(&cpu, g->weirs[i].child.pid);
	return cpu;
}

static double
rss_of(const struct group *g)
{
	double sum = 0;
	for (uint32_t i = 0; i < g->count; i++)
		sum += (double)bench_rss_bytes(g->weirs[i].child.pid);
	return sum;
}

/* ---- the fleet ---- */

static enum weir_class
load_cards(struct bench_site *site, const struct workload *workload, struct group *g, const char *prefix,
    struct drain_base *base, struct weir_error *err)
{
	uint32_t partitions = site->opts.partitions;
	struct weir_steady begun = weir_steady_now();
	int64_t *ends = weir_calloc(partitions, sizeof(*ends));
	enum weir_class class = bench_fill_cards(site, workload, err);
	if (class == WEIR_OK)
		class = bench_topic_ends(site, site->settings->topic_cards, partitions, ends, err);
	if (class == WEIR_OK)
		class =
		    bench_redis_reach(site, prefix, site->settings->topic_cards, ends, g->weirs, g->count, READY_MS, err);
	base->load_seconds = (double)weir_steady_since_us(begun) / 1e6;
	free(ends);
	return class;
}

/* Empty, then with cards; the stop flushes. */
static enum weir_class
load_first(struct bench_site *site, const struct workload *workload, const struct bench_weir_opts *opts,
    struct drain_base *base, struct weir_error *err)
{
	struct group g = {0};
	enum weir_class class = start_all(site, &g, 1, opts, err);
	if (class == WEIR_OK)
		class = bench_weir_ready(&g.weirs[0], READY_MS, err);
	base->rss_empty = rss_of(&g);
	if (class == WEIR_OK)
		class = load_cards(site, workload, &g, opts->prefix, base, err);
	if (class == WEIR_OK)
		class = stop_all(&g, err);
	kill_all(&g);
	return class;
}

/* Once more from Redis: what the fleet takes without what loading it left behind. */
static enum weir_class
load_again(struct bench_site *site, const struct bench_weir_opts *opts, struct drain_base *base, struct weir_error *err)
{
	struct group g = {0};
	struct weir_steady begun = weir_steady_now();
	enum weir_class class = start_all(site, &g, 1, opts, err);
	if (class == WEIR_OK)
		class = bench_weir_ready(&g.weirs[0], READY_MS, err);
	base->start_seconds = (double)weir_steady_since_us(begun) / 1e6;
	base->rss_loaded = rss_of(&g);
	if (class == WEIR_OK)
		class = stop_all(&g, err);
	kill_all(&g);
	return class;
}

enum weir_class
drain_load(struct bench_site *site, const struct workload *workload, uint32_t lanes, struct drain_base *base,
    struct weir_error *err)
{
	char prefix[BENCH_NAME_MAX], topic[BENCH_NAME_MAX], group[BENCH_NAME_MAX];
	double before = 0, after = 0;
	name_of(site, BENCH_BASE, prefix);
	name_of(site, ".none", topic);
	name_of(site, ".load", group);
	const struct bench_topic none = {topic, site->opts.partitions};
	const struct bench_weir_opts opts = {.records = topic, .prefix = prefix, .group = group, .lanes = lanes};
	*base = (struct drain_base){0};
	enum weir_class class = bench_topics_create(site, &none, 1, err);
	if (class != WEIR_OK)
		return class;
	class = bench_redis_info(site, "memory", "used_memory", &before, err);
	if (class == WEIR_OK)
		class = load_first(site, workload, &opts, base, err);
	if (class == WEIR_OK)
		class = bench_redis_info(site, "memory", "used_memory", &after, err);
	base->redis_bytes = after - before;
	if (class == WEIR_OK)
		class = load_again(site, &opts, base, err);
	bench_topics_delete(site, &none.name, 1);
	bench_group_delete(site, group);
	return class;
}

/* ---- a drain ---- */

/* Until the first figures that tell of records; how many were folded by then. */
static enum weir_class
wait_begin(struct group *g, uint64_t *folded_out, struct weir_error *err)
{
	struct weir_steady until = weir_steady_in_ms(READY_MS);
	double folded = 0, one;
	while (folded == 0 && !weir_steady_reached(until)) {
		bench_sleep_us(BEGIN_US);
		for (uint32_t i = 0; i < g->count; i++) {
			if (bench_child_alive(&g->weirs[i].child, err) != WEIR_OK)
				return WEIR_FATAL;
			if (bench_weir_metric(&g->weirs[i], "weir_records_total", &one))
				folded += one;
		}
	}
	*folded_out = (uint64_t)folded;
	return folded > 0 ? WEIR_OK
			  : weir_error_set(err, WEIR_FATAL, "weir run reads no records; see %s", g->weirs[0].child.log);
}

static enum weir_class
measure(struct bench_site *site, const struct drain_topic *topic, const char *prefix, struct group *g,
    struct bench_memory *held, struct drain_result *result, struct weir_error *err)
{
	double redis_before, redis_after;
	uint64_t folded;
	if (wait_begin(g, &folded, err) != WEIR_OK)
		return WEIR_FATAL;
	bench_memory_let_go(held);
	struct weir_steady begun = weir_steady_now();
	struct bench_cpu before = cpu_of(g);
	uint64_t broker = drain_broker_ns(site);
	if (bench_redis_cpu(site, &redis_before, err) != WEIR_OK ||
	    bench_redis_reach(site, prefix, topic->name, topic->ends, g->weirs, g->count, DRAIN_MS, err) != WEIR_OK)
		return WEIR_FATAL;
	result->seconds = (double)weir_steady_since_us(begun) / 1e6;
	struct bench_cpu after = cpu_of(g);
	result->cpu = bench_cpu_between(&before, &after);
	result->broker_ns = site->kafka_pid != 0 ? drain_broker_ns(site) - broker : 0;
	if (bench_redis_cpu(site, &redis_after, err) != WEIR_OK)
		return WEIR_FATAL;
	result->redis_ns = (uint64_t)((redis_after - redis_before) * 1e9);
	result->records = topic->filled.records > folded ? topic->filled.records - folded : 0;
	if (folded >
	    topic->filled.records / 2) { /* over before it could be seen: all of it, within what may have been missed */
		result->records = topic->filled.records;
		result->seconds += PUBLISHED_S;
	}
	result->messages =
	    (uint64_t)((double)result->records * (double)topic->filled.messages / (double)topic->filled.records);
	result->rss_bytes = (uint64_t)rss_of(g);
	return WEIR_OK;
}

static enum weir_class
check_exact(struct bench_site *site, const struct drain_topic *topic, const char *prefix, struct weir_error *err)
{
	uint64_t hash, records, cards;
	if (bench_redis_usage(site, prefix, UINT64_MAX, &hash, &records, &cards, err) != WEIR_OK)
		return WEIR_FATAL;
	if (hash == topic->filled.hash && records == topic->filled.counted)
		return WEIR_OK;
	return weir_error_set(err, WEIR_FATAL,
	    "NOT EXACT: Redis has %" PRIu64 " records of %" PRIu64 " that were sent once (hash %016" PRIx64
	    ", sent %016" PRIx64 "); if a billing cycle ended during the run, repeat it",
	    records, topic->filled.counted, hash, topic->filled.hash);
}

static enum weir_class
drain_copy(struct bench_site *site, const struct drain_topic *topic, struct group *g, uint32_t processes,
    const struct bench_weir_opts *opts, struct drain_result *result, struct weir_error *err)
{
	double before = 0, after = 0;
	struct bench_memory held = bench_memory_hold(topic->filled.records * DRAIN_RECORD_BYTES);
	enum weir_class class = bench_redis_info(site, "memory", "used_memory", &before, err);
	if (class == WEIR_OK)
		class = start_all(site, g, processes, opts, err);
	if (class == WEIR_OK)
		class = measure(site, topic, opts->prefix, g, &held, result, err);
	bench_memory_let_go(&held);
	if (class == WEIR_OK)
		class = stop_all(g, err);
	kill_all(g);
	if (class == WEIR_OK)
		class = bench_redis_info(site, "memory", "used_memory", &after, err);
	result->redis_bytes = after - before;
	return class == WEIR_OK ? check_exact(site, topic, opts->prefix, err) : class;
}

enum weir_class
drain_weir(struct bench_site *site, const struct drain_topic *topic, const struct drain_setup *setup,
    struct drain_result *result, struct weir_error *err)
{
	char base[BENCH_NAME_MAX], prefix[BENCH_NAME_MAX], group[BENCH_NAME_MAX];
	struct group g = {0};
	struct weir_error later;
	name_of(site, BENCH_BASE, base);
	name_of(site, BENCH_RUN, prefix);
	name_of(site, ".drain", group);
	const struct bench_weir_opts opts = {
	    .records = topic->name, .prefix = prefix, .group = group, .lanes = setup->lanes, .source = setup->source};
	*result = (struct drain_result){0};
	enum weir_class class = bench_redis_copy(site, base, prefix, err);
	if (class == WEIR_OK)
		class = drain_copy(site, topic, &g, setup->processes, &opts, result, err);
	bench_group_delete(site, group);
	if (bench_redis_delete(site, prefix, &later) != WEIR_OK && class == WEIR_OK) {
		*err = later;
		class = WEIR_FATAL;
	}
	return class;
}
