/* Life and readiness; see health.h. */
#include "pipeline/http/metrics/health.h"

void
weir_health_begin(struct weir_health *health, uint32_t lane_count, struct weir_steady now)
{
	health->lane_count = lane_count < WEIR_METRICS_LANES_MAX ? lane_count : WEIR_METRICS_LANES_MAX;
	for (uint32_t i = 0; i < health->lane_count; i++) {
		health->rounds[i] = 0;
		atomic_store_explicit(&health->moved_us[i], now.us, memory_order_relaxed);
	}
}

void
weir_health_observe(struct weir_health *health, const struct weir_run_lane *lanes, struct weir_steady now)
{
	for (uint32_t i = 0; i < health->lane_count; i++) {
		if (lanes[i].rounds == health->rounds[i])
			continue;
		health->rounds[i] = lanes[i].rounds;
		atomic_store_explicit(&health->moved_us[i], now.us, memory_order_relaxed);
	}
}

bool
weir_health_is_live(const struct weir_health *health, struct weir_steady now, struct weir_buf *words)
{
	bool live = true;
	for (uint32_t i = 0; i < health->lane_count; i++) {
		int64_t still_us = now.us - atomic_load_explicit(&health->moved_us[i], memory_order_relaxed);
		if (still_us < WEIR_HEALTH_STALL_US)
			continue;
		live = false;
		if (words != NULL)
			weir_buf_printf(words, "lane %u: no round for %lld s\n", i, (long long)(still_us / 1000000));
	}
	return live;
}

bool
weir_health_is_ready(const struct weir_metrics_figures *figures, struct weir_buf *words)
{
	size_t before = words->len;
	if (figures->partition_count == 0)
		weir_buf_printf(words, "no partition is taken\n");
	for (uint32_t i = 0; i < figures->partition_count; i++) {
		const struct weir_run_partition *row = &figures->partitions[i];
		if (row->state != WEIR_RUN_RUNNING && row->state != WEIR_RUN_CATCHING_UP)
			weir_buf_printf(words, "partition %u: %s\n", row->number, weir_run_state_name(row->state));
	}
	for (uint32_t i = 0; i < figures->lane_count; i++)
		if (figures->lanes[i].redis_away)
			weir_buf_printf(words, "lane %u: Redis is away\n", i);
	if (words->len == before && !figures->ready)
		weir_buf_printf(words, "reference data is being read\n");
	return words->len == before;
}
