/*
 * Prints an exposition of figures that are all different, for parsers that are not weir's. Each number in weir_run_counters
 * is its own place in the struct plus 1, in weir_api_counters plus 5,000,000, so that a metric wired to a wrong field shows
 * a wrong value.
 */
#include <stdlib.h>

#include "pipeline/http/metrics/metrics.h"

int
main(void)
{
	static const char *const topics[] = {"weir.records", "kore.events", "weir.cards", "weir.partials"};
	static struct weir_run_partition partitions[3];
	struct weir_metrics_figures *f = calloc(1, sizeof(*f));
	f->has_run = f->has_api = true;
	uint64_t *word = (uint64_t *)(void *)&f->run;
	for (size_t i = 0; i < sizeof(f->run) / sizeof(uint64_t); i++)
		word[i] = i + 1;
	f->run.messages = 900001; /* by name: what the test looks up, wherever it lies */
	f->run.records = 900002;
	f->run.filtered = 900003;
	f->run.rejected[WEIR_REJECT_MALFORMED] = 900004;
	for (uint32_t i = 0; i < 3; i++) {
		partitions[i] = (struct weir_run_partition){.number = 5 * i,
		    .state = (enum weir_run_state)(WEIR_RUN_RUNNING + i),
		    .cards = 1000 + i,
		    .memory_bytes = 1 << 20,
		    .stream_us = 1774846800000000 + i,
		    .flushed_us = 1774846801000000,
		    .watermark_us = 1774846802000000,
		    .complete_us = 1774846803000000};
		for (uint32_t t = 0; t < 4; t++)
			partitions[i].lag_messages[t] = 10 * i + t;
	}
	f->partitions = partitions;
	f->partition_count = 3;
	f->topics = topics;
	f->topic_count = 4;
	f->topic_partitions = 16;
	f->lane_count = 2;
	f->lanes[0].rounds = 71;
	f->lanes[1] = (struct weir_run_lane){72, true, 73, 74, 75, 76};
	f->carrier_count = 2;
	f->carriers[0] = (struct weir_carrier_counters){"cm", 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, false};
	f->carriers[1] = (struct weir_carrier_counters){"over\"seas\\", 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, true};
	f->log = (struct weir_log_counters){{1, 2, 3, 4}, 5};
	f->process = (struct weir_metrics_process){1774846800123456, 12345678, 42, 4096};
	word = (uint64_t *)(void *)&f->api;
	for (size_t i = 0; i < sizeof(f->api) / sizeof(uint64_t); i++)
		word[i] = 5000000 + i;
	struct weir_buf out = {0};
	weir_metrics_write(f, &out);
	(void)fwrite(out.data, 1, out.len, stdout);
	weir_buf_free(&out);
	free(f);
	return 0;
}
