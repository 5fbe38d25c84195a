/* Stored positions over time, against what was sent; see latency_watch.h. */
#include "bench/latency_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/servers.h"
#include "config/base/check.h"
#include "config/base/clock.h"
#include "pipeline/redis/client.h"

enum { PIECES = 8, AWAY_US = 10000 };

struct mark {
	int64_t at_us; /* wall clock */
	int64_t stored;
};

struct track {
	struct mark *marks;
	uint64_t mark_count, mark_cap;
	struct raw_written *batches; /* by offset */
	uint64_t batch_count, batch_cap;
};

struct watch {
	struct watch_opts opts;
	pthread_t thread;
	pthread_mutex_t lock; /* of the tracks: two threads append, anyone reads */
	atomic_bool stop;
	struct track *tracks; /* by partition */
};

static void
note_marks(struct watch *w, const int64_t *offsets, int64_t at_us)
{
	(void)pthread_mutex_lock(&w->lock);
	for (uint32_t p = 0; p < w->opts.partitions; p++) {
		struct track *t = &w->tracks[p];
		if (t->mark_count > 0 && t->marks[t->mark_count - 1].stored == offsets[p])
			continue;
		if (t->mark_count == t->mark_cap) {
			t->mark_cap = t->mark_cap == 0 ? 256 : t->mark_cap * 2;
			t->marks = weir_realloc(t->marks, t->mark_cap * sizeof(*t->marks));
		}
		t->marks[t->mark_count++] = (struct mark){at_us, offsets[p]};
	}
	(void)pthread_mutex_unlock(&w->lock);
}

static void *
watch_run(void *arg)
{
	struct watch *w = arg;
	struct weir_error err;
	struct weir_redis *redis = weir_redis_new(&(struct weir_redis_opts){.settings = w->opts.settings});
	int64_t *offsets = weir_calloc(w->opts.partitions, sizeof(*offsets));
	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) { /* nothing hangs on when it is seen */
		bool read =
		    bench_redis_offsets(redis, w->opts.prefix, w->opts.topic, w->opts.partitions, offsets, &err) == WEIR_OK;
		if (read)
			note_marks(w, offsets, weir_wall_now().us);
		bench_sleep_us(read ? w->opts.poll_us : AWAY_US);
	}
	weir_redis_free(redis);
	free(offsets);
	return NULL;
}

enum weir_class
watch_start(const struct watch_opts *opts, struct watch **watch_out, struct weir_error *err)
{
	struct watch *w = weir_calloc(1, sizeof(*w));
	w->opts = *opts;
	w->tracks = weir_calloc(opts->partitions, sizeof(*w->tracks));
	(void)pthread_mutex_init(&w->lock, NULL);
	if (pthread_create(&w->thread, NULL, watch_run, w) != 0) {
		free(w->tracks);
		free(w);
		return weir_error_set(err, WEIR_FATAL, "no thread");
	}
	*watch_out = w;
	return WEIR_OK;
}

void
watch_stop(struct watch *w)
{
	if (w == NULL)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_relaxed);
	(void)pthread_join(w->thread, NULL);
	for (uint32_t p = 0; p < w->opts.partitions; p++) {
		free(w->tracks[p].marks);
		free(w->tracks[p].batches);
	}
	(void)pthread_mutex_destroy(&w->lock);
	free(w->tracks);
	free(w);
}

void
watch_written(void *ctx, const struct raw_written *written)
{
	struct watch *w = ctx;
	if (written->partition < 0 || (uint32_t)written->partition >= w->opts.partitions)
		return;
	(void)pthread_mutex_lock(&w->lock);
	struct track *t = &w->tracks[written->partition];
	if (t->batch_count == t->batch_cap) {
		t->batch_cap = t->batch_cap == 0 ? 1024 : t->batch_cap * 2;
		t->batches = weir_realloc(t->batches, t->batch_cap * sizeof(*t->batches));
	}
	t->batches[t->batch_count++] = *written;
	(void)pthread_mutex_unlock(&w->lock);
}

/* When a position was first seen stored. Begins at mark *from, which moves along. 0 = not yet. */
static int64_t
stored_at(const struct track *t, int64_t position, uint64_t *from)
{
	while (*from < t->mark_count && t->marks[*from].stored < position)
		(*from)++;
	return *from < t->mark_count ? t->marks[*from].at_us : 0;
}

bool
watch_fresh(struct watch *w, int64_t after_us, int64_t *first_us_out)
{
	bool all = true;
	(void)pthread_mutex_lock(&w->lock);
	for (uint32_t p = 0; p < w->opts.partitions; p++) {
		const struct track *t = &w->tracks[p];
		uint64_t b = 0, mark = 0;
		while (b < t->batch_count && t->batches[b].first_ms * 1000 < after_us)
			b++;
		while (mark < t->mark_count && t->marks[mark].at_us < after_us)
			mark++;
		first_us_out[p] = b < t->batch_count ? stored_at(t, t->batches[b].offset + 1, &mark) : 0;
		all &= first_us_out[p] != 0;
	}
	(void)pthread_mutex_unlock(&w->lock);
	return all;
}

/* A batch's records were due evenly from its first timestamp to its last. */
static void
batch_samples(const struct raw_written *b, int64_t visible_us, struct samples *samples)
{
	uint32_t pieces = b->records < PIECES ? b->records : PIECES;
	for (uint32_t i = 0; i < pieces; i++) {
		int64_t due_us = b->first_ms * 1000 + (b->last_ms - b->first_ms) * 1000 * (int64_t)i / (int64_t)pieces;
		samples_add(samples, visible_us - due_us, b->records * (i + 1) / pieces - b->records * i / pieces);
	}
}

void
watch_samples(struct watch *w, int64_t from_us, int64_t to_us, struct samples *samples)
{
	(void)pthread_mutex_lock(&w->lock);
	for (uint32_t p = 0; p < w->opts.partitions; p++) {
		const struct track *t = &w->tracks[p];
		uint64_t mark = 0;
		for (uint64_t i = 0; i < t->batch_count; i++) {
			const struct raw_written *b = &t->batches[i];
			int64_t visible_us = stored_at(t, b->offset + b->records, &mark);
			if (visible_us != 0 && b->first_ms * 1000 >= from_us && b->first_ms * 1000 < to_us)
				batch_samples(b, visible_us, samples);
		}
	}
	(void)pthread_mutex_unlock(&w->lock);
}
