/* Latencies and their quantiles; see latency_samples.h. */
#include "bench/latency_samples.h"

#include <stdlib.h>

#include "config/base/check.h"
#include "config/base/vec.h"

void
samples_add(struct samples *s, int64_t us, uint64_t weight)
{
	WEIR_VEC_ROOM(s->v, s->n, s->cap, 1024);
	s->v[s->n++] = (struct sample){us, weight};
	s->weight += weight;
	s->sorted = false;
}

static int
by_us(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;
	return x->us < y->us ? -1 : x->us > y->us;
}

int64_t
samples_quantile(struct samples *s, double q)
{
	if (s->n == 0)
		return 0;
	if (!s->sorted)
		qsort(s->v, s->n, sizeof(*s->v), by_us);
	s->sorted = true;
	uint64_t wanted = (uint64_t)(q * (double)s->weight), passed = 0;
	for (uint64_t i = 0; i < s->n; i++) {
		passed += s->v[i].weight;
		if (passed > wanted)
			return s->v[i].us;
	}
	return s->v[s->n - 1].us;
}

void
samples_free(struct samples *s)
{
	free(s->v);
	*s = (struct samples){0};
}
