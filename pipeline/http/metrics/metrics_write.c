/* The exposition and the documentation, both from the table. */
#include <inttypes.h>
#include <string.h>

#include "pipeline/http/metrics/metrics_priv.h"

/*
 * Bounds are edges of the buckets kept, every step-th octave. They count what is below the bound; a size of exactly the
 * bound lies in the next bucket, which only whole microseconds and bytes can tell apart.
 */
static void
write_buckets(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	const uint8_t *base = (const uint8_t *)figures;
	uint64_t bucket[WEIR_LATENCY_BUCKETS], seen = 0;
	uint32_t next = 0;
	memcpy(bucket, base + metric->offset, sizeof(bucket));
	for (uint32_t octave = metric->first; octave <= metric->last; octave += metric->step) {
		while (next < 4 * octave && next < WEIR_LATENCY_BUCKETS - 1)
			seen += bucket[next++];
		weir_buf_printf(out, "%s_bucket{le=\"", metric->name);
		weir_metric_value(out, metric->as, (uint64_t)1 << octave);
		weir_buf_printf(out, "\"} %" PRIu64 "\n", seen);
	}
	while (next < WEIR_LATENCY_BUCKETS)
		seen += bucket[next++];
	weir_buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", metric->name, seen, metric->name);
	uint64_t sum;
	memcpy(&sum, base + metric->offset_of_sum, sizeof(sum));
	weir_metric_value(out, metric->as, sum);
	weir_buf_printf(out, "\n%s_count %" PRIu64 "\n", metric->name, seen);
}

static void
write_samples(const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	char label[160];
	uint32_t i;
	switch (metric->of) {
	case WEIR_METRIC_OF_PROCESS:
		weir_metric_sample(out, metric->name, NULL, metric->as, (const uint8_t *)figures + metric->offset);
		break;
	case WEIR_METRIC_OF_LANE:
		for (i = 0; i < figures->lane_count; i++) {
			(void)snprintf(label, sizeof(label), "lane=\"%u\"", i);
			weir_metric_sample(
			    out, metric->name, label, metric->as, (const uint8_t *)&figures->lanes[i] + metric->offset);
		}
		break;
	case WEIR_METRIC_OF_PARTITION:
		for (i = 0; i < figures->partition_count; i++) {
			const struct weir_run_partition *row = &figures->partitions[i];
			(void)snprintf(label, sizeof(label), "partition=\"%u\"", row->number);
			weir_metric_sample(out, metric->name, label, metric->as, (const uint8_t *)row + metric->offset);
		}
		break;
	case WEIR_METRIC_OF_CARRIER:
		for (i = 0; i < figures->carrier_count; i++) {
			const struct weir_carrier_counters *row = &figures->carriers[i];
			weir_metric_label(label, sizeof(label), "carrier", row->carrier);
			weir_metric_sample(out, metric->name, label, metric->as, (const uint8_t *)row + metric->offset);
		}
		break;
	case WEIR_METRIC_OF_BUCKETS:
		write_buckets(metric, figures, out);
		break;
	case WEIR_METRIC_OF_ITSELF:
		metric->write(metric, figures, out);
		break;
	}
}

static const char *const TYPE_NAMES[] = {"counter", "gauge", "histogram"};
static const char *const BY_NAMES[] = {"", "run", "serve", "run, serve"};

void
weir_metrics_write(const struct weir_metrics_figures *figures, struct weir_buf *out)
{
	uint32_t count;
	const struct weir_metric *table = weir_metrics_table(&count);
	unsigned by = (figures->has_run ? WEIR_METRIC_BY_RUN : 0u) | (figures->has_api ? WEIR_METRIC_BY_API : 0u);
	for (uint32_t i = 0; i < count; i++) {
		if ((table[i].by & by) == 0)
			continue;
		weir_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", table[i].name, table[i].help, table[i].name,
		    TYPE_NAMES[table[i].type]);
		write_samples(&table[i], figures, out);
	}
}

void
weir_metrics_print_table(FILE *out)
{
	uint32_t count;
	const struct weir_metric *table = weir_metrics_table(&count);
	for (uint32_t i = 0; i < count; i++) {
		(void)fprintf(out, "- `%s` (%s; %s", table[i].name, BY_NAMES[table[i].by], TYPE_NAMES[table[i].type]);
		if (table[i].labels[0] != '\0')
			(void)fprintf(out, "; labels `%s`", table[i].labels);
		(void)fprintf(out, "):\n  %s\n", table[i].help);
	}
}
