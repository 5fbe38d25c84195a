/* See messages.h. */
#include "bench/messages.h"

#include <stdlib.h>

enum { RECORDS_MAX = 1000, MESSAGES_MAX = MESSAGES_BATCHES * ENGINE_BATCH };

struct messages {
	struct workload workload;
	struct workload_generator *generator;
	struct weir_buf bytes;
	uint32_t count;
	size_t end[MESSAGES_MAX]; /* of each message in `bytes` */
	struct weir_slice slices[MESSAGES_MAX];
	int64_t arrived_us[MESSAGES_MAX];
	struct workload_record records[RECORDS_MAX]; /* of one message */
};

struct messages *
messages_new(const struct workload *w, uint64_t seed)
{
	struct messages *m = weir_calloc(1, sizeof(*m));
	m->workload = *w;
	m->generator = workload_generator_new(w, seed);
	return m;
}

void
messages_free(struct messages *m)
{
	if (m == NULL)
		return;
	workload_generator_free(m->generator);
	weir_buf_free(&m->bytes);
	free(m);
}

uint64_t
messages_next(struct messages *m, uint64_t records_max)
{
	uint64_t records = 0;
	m->bytes.len = 0;
	for (m->count = 0; m->count < MESSAGES_MAX && records < records_max; m->count++) {
		uint64_t rest = records_max - records;
		uint32_t batch = (uint32_t)(m->workload.batch < rest ? m->workload.batch : rest);
		for (uint32_t i = 0; i < batch; i++)
			workload_next(m->generator, &m->records[i]);
		workload_message(&m->workload, m->records, batch, &m->bytes);
		m->end[m->count] = m->bytes.len;
		m->arrived_us[m->count] = m->records[batch - 1].arrived_us;
		records += batch;
	}
	for (uint32_t i = 0; i < m->count; i++) { /* the buffer moves no more */
		size_t from = i == 0 ? 0 : m->end[i - 1];
		m->slices[i] = (struct weir_slice){m->bytes.data + from, m->end[i] - from};
	}
	return records;
}

bool
messages_batch(const struct messages *m, uint32_t at, struct engine_batch *batch_out)
{
	uint32_t first = at * ENGINE_BATCH;
	if (first >= m->count)
		return false;
	uint32_t rest = m->count - first;
	*batch_out = (struct engine_batch){
	    m->slices + first, m->arrived_us + first, rest < ENGINE_BATCH ? rest : (uint32_t)ENGINE_BATCH};
	return true;
}
