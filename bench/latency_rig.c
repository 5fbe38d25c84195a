/* A fleet under load; see latency.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/latency.h"
#include "config/base/check.h"

#define ALLOWANCE (UINT64_C(1) << 50)

enum weir_class
rig_open(struct bench_site *site, const struct workload *workload, uint64_t seed, uint32_t lanes, struct rig *s,
    struct weir_error *err)
{
	char base[BENCH_NAME_MAX];
	*s = (struct rig){.site = site, .workload = *workload, .lanes = lanes};
	s->workload.batch = 1;
	s->workload.allowance = ALLOWANCE; /* only who is meant to runs over */
	s->workload.duplicates_ppm = s->workload.late_ppm = s->workload.late_ms = 0;
	s->workload.surge_ppm = s->workload.surge_at_us = s->workload.surge_ms = 0;
	(void)snprintf(base, sizeof(base), "%s%s", site->name, BENCH_BASE);
	(void)snprintf(s->prefix, sizeof(s->prefix), "%s%s", site->name, BENCH_RUN);
	(void)snprintf(s->topic, sizeof(s->topic), "%s.records", site->name);
	(void)snprintf(s->group, sizeof(s->group), "%s.group", site->name);
	s->generator = workload_generator_new(&s->workload, seed);
	s->totals = weir_calloc(workload->cards, sizeof(*s->totals));
	const struct bench_topic topic = {s->topic, site->opts.partitions};
	if (drain_load(site, &s->workload, lanes, &s->base, err) != WEIR_OK ||
	    bench_redis_copy(site, base, s->prefix, err) != WEIR_OK)
		return WEIR_FATAL;
	return bench_topics_create(site, &topic, 1, err);
}

void
rig_close(struct rig *s)
{
	struct weir_error err;
	const char *topic = s->topic;
	if (s->site != NULL && s->site->kafka != NULL && !s->site->opts.start) {
		bench_topics_delete(s->site, &topic, 1);
		bench_group_delete(s->site, s->group);
	}
	if (s->site != NULL && s->site->redis != NULL && !s->site->opts.start)
		(void)bench_redis_delete(s->site, s->prefix, &err);
	workload_generator_free(s->generator);
	free(s->totals);
}

enum weir_class
rig_weir_start(struct rig *s, const char *instance, struct bench_weir *weir, struct weir_error *err)
{
	const struct bench_weir_opts opts = {
	    .records = s->topic, .prefix = s->prefix, .group = s->group, .instance = instance, .lanes = s->lanes};
	return bench_weir_start(s->site, &opts, weir, err);
}

enum weir_class
rig_wait_quiet(struct rig *s, struct bench_weir *weirs, uint32_t count, uint32_t timeout_ms, struct weir_error *err)
{
	uint32_t partitions = s->site->opts.partitions;
	int64_t *ends = weir_calloc(partitions, sizeof(*ends));
	enum weir_class class = bench_topic_ends(s->site, s->topic, partitions, ends, err);
	if (class == WEIR_OK)
		class = bench_redis_reach(s->site, s->prefix, s->topic, ends, weirs, count, timeout_ms, err);
	free(ends);
	return class;
}

enum weir_class
rig_check(struct rig *s, uint64_t *records_out, uint64_t *hash_out, struct weir_error *err)
{
	uint64_t records, cards, sent;
	uint64_t wanted = bench_totals_hash(s->totals, s->workload.cards, &sent);
	if (bench_redis_usage(s->site, s->prefix, s->workload.cards, hash_out, &records, &cards, err) != WEIR_OK)
		return WEIR_FATAL;
	*records_out = records;
	if (*hash_out == wanted && records == sent)
		return WEIR_OK;
	return weir_error_set(err, WEIR_FATAL,
	    "NOT EXACT: Redis has %" PRIu64 " records of %" PRIu64
	    " that were sent; if a billing cycle ended during the run, "
	    "repeat it",
	    records, sent);
}
