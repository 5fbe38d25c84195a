/*
 * The store's face to its lane: start, submit, take answers, cancel, stop. Everything here but start, stop and the
 * counters runs on the lane's thread and never waits; the other side is store_thread.c. See store_priv.h for the ring.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pipeline/store/store_priv.h"

static void
wake_thread(struct weir_store *store)
{
	uint64_t one = 1;
	ssize_t put = write(store->wake_fd, &one, sizeof(one));
	(void)put; /* a full counter has woken the thread already */
}

static void
free_parts(struct weir_store *store)
{
	for (uint32_t i = 0; i < store->link_count; i++) {
		weir_link_close(&store->links[i]);
		weir_redis_url_free(store->links[i].url);
	}
	if (store->wake_fd >= 0)
		(void)close(store->wake_fd);
	weir_buf_free(&store->header_fields);
	weir_buf_free(&store->out);
	free(store->node_of);
	free(store);
}

struct weir_store *
weir_store_start(const struct weir_store_opts *opts, struct weir_error *err)
{
	WEIR_CHECK(opts->topic_count <= WEIR_CHECKPOINT_OFFSETS_MAX);
	struct weir_redis_url *url = NULL;
	if (weir_redis_url_parse(opts->settings, &url, err) != WEIR_OK)
		return NULL;
	struct weir_store *store = weir_calloc(1, sizeof(*store));
	store->magic = WEIR_STORE_MAGIC;
	store->opts = *opts;
	store->prefix = opts->settings->redis_prefix != NULL ? opts->settings->redis_prefix : "weir";
	store->timeout_ms = opts->settings->redis_timeout_ms != 0 ? opts->settings->redis_timeout_ms : 2000;
	store->links[0] = (struct weir_link){.store = store, .url = url};
	store->link_count = 1;
	store->jitter = (uint64_t)weir_steady_now().us ^ (uintptr_t)store;
	weir_header_init(store);
	store->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int error = store->wake_fd < 0 ? errno : pthread_create(&store->thread, NULL, weir_store_thread, store);
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
	uint64_t submitted = atomic_load_explicit(&store->submitted, memory_order_relaxed); /* own counter */
	if (submitted - store->taken >= WEIR_STORE_RING || store->joined)
		return false;
	struct weir_store_slot *slot = &store->slots[submitted % WEIR_STORE_RING];
	slot->request = request;
	atomic_store_explicit(&slot->cancelled, false, memory_order_relaxed); /* published by the next line */
	/* Release: the thread that sees the counter sees the request. */
	atomic_store_explicit(&store->submitted, submitted + 1, memory_order_release);
	wake_thread(store);
	return true;
}

struct weir_store_request *
weir_store_next(struct weir_store *store)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	/* Acquire: the answer written before `answered` was raised. */
	if (store->taken == atomic_load_explicit(&store->answered, memory_order_acquire))
		return NULL;
	struct weir_store_request *request;
	WEIR_TAKE(request, store->slots[store->taken % WEIR_STORE_RING].request);
	store->taken++;
	return request;
}

void
weir_store_cancel(struct weir_store *store, uint32_t partition)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	uint64_t submitted = atomic_load_explicit(&store->submitted, memory_order_relaxed); /* own counter */
	for (uint64_t i = store->taken; i < submitted; i++) {
		struct weir_store_slot *slot = &store->slots[i % WEIR_STORE_RING];
		if (slot->request->partition == partition) /* never written by the store thread */
			atomic_store_explicit(&slot->cancelled, true, memory_order_relaxed); /* carries no data */
	}
	wake_thread(store);
}

void
weir_store_stop(struct weir_store *store)
{
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	if (store->joined)
		return;
	/* Release: requests submitted before are seen, and answered, by the thread that sees the flag. */
	atomic_store_explicit(&store->stopping, true, memory_order_release);
	wake_thread(store);
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
