/* Inside of metrics: the table's rows. */
#ifndef WEIR_PIPELINE_METRICS_PRIV_H
#define WEIR_PIPELINE_METRICS_PRIV_H

#include "pipeline/http/metrics/metrics.h"

enum weir_metric_type { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE, WEIR_METRIC_HISTOGRAM };

/* Who shows it. */
enum weir_metric_by { WEIR_METRIC_BY_RUN = 1, WEIR_METRIC_BY_API = 2, WEIR_METRIC_BY_BOTH = 3 };

/* What a metric has a sample for, and in which struct its offset counts. */
enum weir_metric_of {
	WEIR_METRIC_OF_PROCESS,   /* one; struct weir_metrics_figures */
	WEIR_METRIC_OF_LANE,      /* struct weir_run_lane */
	WEIR_METRIC_OF_PARTITION, /* struct weir_run_partition */
	WEIR_METRIC_OF_CARRIER,   /* struct weir_carrier_counters */
	WEIR_METRIC_OF_BUCKETS,   /* buckets at offset of struct weir_metrics_figures, their sum at offset_of_sum */
	WEIR_METRIC_OF_ITSELF,    /* its function */
};

/* How the figure lies there, and in what it is shown. */
enum weir_metric_as {
	WEIR_METRIC_AS_U64,
	WEIR_METRIC_AS_U32,
	WEIR_METRIC_AS_BOOL,
	WEIR_METRIC_AS_US, /* 64 bits of microseconds, shown in seconds */
};

struct weir_metric;
typedef void (*weir_metric_fn)(
    const struct weir_metric *metric, const struct weir_metrics_figures *figures, struct weir_buf *out);

struct weir_metric {
	const char *name;
	enum weir_metric_type type;
	const char *labels; /* names with commas between; "" = none */
	const char *help;
	enum weir_metric_by by;
	enum weir_metric_of of;
	enum weir_metric_as as;
	size_t offset, offset_of_sum;
	/* OF_BUCKETS: upper bounds 2^first, 2^(first + step) … 2^last, before AS_US makes seconds of them */
	uint8_t first, last, step;
	weir_metric_fn write;
};

const struct weir_metric *weir_metrics_table(uint32_t *count_out);

/* One sample: `name{labels} value`. labels: as they stand between the braces, NULL or "" = none. */
void weir_metric_sample(
    struct weir_buf *out, const char *name, const char *labels, enum weir_metric_as as, const void *value);
void weir_metric_sample_u64(struct weir_buf *out, const char *name, const char *labels, uint64_t value);
/* The value alone, as it is shown. */
void weir_metric_value(struct weir_buf *out, enum weir_metric_as as, uint64_t value);
/* Writes name="value" with what the format wants escaped; room for all of it is the caller's: 2 * strlen + name + 4. */
void weir_metric_label(char *out, size_t size, const char *name, const char *value);

#endif
