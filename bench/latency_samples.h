/* Latencies as they came, sorted when asked: exact quantiles, no buckets. One thread. */
#ifndef WEIR_BENCH_LATENCY_SAMPLES_H
#define WEIR_BENCH_LATENCY_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

struct sample {
	int64_t us;
	uint64_t weight; /* records that it stands for */
};

/* Zero-initialised; freed by samples_free. */
struct samples {
	struct sample *v;
	uint64_t n, cap, weight;
	bool sorted;
};

void samples_add(struct samples *samples, int64_t us, uint64_t weight);
/* q in 0..1, 1 = the largest; 0 when there are none. */
int64_t samples_quantile(struct samples *samples, double q);
void samples_free(struct samples *samples);

#endif
