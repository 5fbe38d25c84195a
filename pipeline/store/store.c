/*
 * The store's face to its lane: start, submit, take answers, cancel, stop. Everything here but start, stop and the
 * counters runs on the lane's thread and never waits; the other side is store_thread.c. See store_queue.h for the ring.
 */
#include <stdlib.h>

#include "pipeline/store/store_priv.h"

static void
free_parts(struct weir_store *store)
{
	weir_cluster_free(store->cluster);
	weir_queue_close(&store->queue);
	weir_buf_free(&store->header_fields);
	weir_buf_free(&store->out);
	free(store);
}

struct weir_store *
weir_store_start(const struct weir_store_opts *opts, struct weir_error *err)
{
	WEIR_CHECK(opts->topic_count <= WEIR_CHECKPOINT_OFFSETS_MAX);
	struct weir_store *store = weir_calloc(1, sizeof(*store));
	store->magic = WEIR_STORE_MAGIC;
	store->opts = *opts;
	store->prefix = opts->settings->redis_prefix != NULL ? opts->settings->redis_prefix : "weir";
	store->jitter.state = (uint64_t)weir_steady_now().us ^ (uintptr_t)store;
	weir_header_init(store);
	int error = weir_queue_open(&store->queue);
	store->interrupt = (struct weir_interrupt){
	    .wake_fd = store->queue.wake_fd, .wanted = weir_queue_interrupted, .ctx = &store->queue};
	store->cluster = weir_cluster_new(opts->settings, 0, &store->interrupt, err);
	if (store->cluster == NULL) {
		free_parts(store);
		return NULL;
	}
	if (error == 0)
		error = pthread_create(&store->thread, NULL, weir_store_thread, store);
	if (error != 0) {
		(void)weir_error_set(err, WEIR_FATAL, "starting a store thread: %s", strerror(error));
		free_parts(store);
		return NULL;
	}
	return store;
}

bool
weir_store_submit(struct weir_store *store, struct weir_store_request *request)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	return !store->joined && weir_queue_submit(&store->queue, request);
}

struct weir_store_request *
weir_store_next(struct weir_store *store)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	struct weir_store_request *request = weir_queue_take(&store->queue);
	WEIR_CHECK(request == NULL || request->result != WEIR_STORE_PENDING);
	return request;
}

void
weir_store_cancel(struct weir_store *store, uint32_t partition)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	weir_queue_cancel(&store->queue, partition);
}

void
weir_store_stop(struct weir_store *store)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	if (store->joined)
		return;
	weir_queue_stop(&store->queue);
	(void)pthread_join(store->thread, NULL);
	store->joined = true;
}

void
weir_store_free(struct weir_store *store)
{
	if (store == NULL)
		return;
	weir_store_stop(store);
	store->magic = 0;
	free_parts(store);
}

static uint64_t
relaxed(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void
weir_store_counters_get(struct weir_store *store, struct weir_store_counters *counters_out)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	*counters_out = (struct weir_store_counters){
	    .flushes = relaxed(&store->flushes),
	    .flush_bytes = relaxed(&store->flush_bytes),
	    .flush_us = relaxed(&store->flush_us),
	    .fetches = relaxed(&store->fetches),
	    .takes = relaxed(&store->takes),
	    .reconnects = relaxed(&store->reconnects),
	    .refusals = relaxed(&store->refusals),
	    .fenced = relaxed(&store->fenced),
	    .lost_writes = relaxed(&store->lost_writes),
	    .connected = atomic_load_explicit(&store->connected, memory_order_relaxed),
	};
}
