/*
 * What the HTTP API counts. The API fills it and the metrics show it; neither knows the other.
 */
#ifndef WEIR_PIPELINE_HTTP_API_COUNTERS_H
#define WEIR_PIPELINE_HTTP_API_COUNTERS_H

#include <stdint.h>

#include "config/base/histogram.h"

/* Since the start; gauges last. */
struct weir_api_counters {
	uint64_t requests;        /* answered */
	uint64_t by_class[6];     /* of them 1xx.. 5xx by the first digit */
	uint64_t refused_token;   /* 401 */
	uint64_t refused_role;    /* 403 */
	uint64_t refused_rate;    /* 429 */
	uint64_t cut_slow;        /* connections closed because they took too long */
	uint64_t produced;        /* messages that Kafka took */
	uint64_t produce_failed;  /* that it did not */
	uint64_t answer_us_total; /* from a request's last byte to its answer's first */
	uint64_t answer_bucket[WEIR_LATENCY_BUCKETS];
	uint64_t connections;  /* open now */
	uint64_t exports;      /* running now */
	uint64_t slow_waiting; /* jobs that wait for a slow thread now */
};

struct weir_api;
/* Any thread, until the API is freed. */
typedef void (*weir_api_counters_fn)(struct weir_api *api, struct weir_api_counters *counters_out);

#endif
