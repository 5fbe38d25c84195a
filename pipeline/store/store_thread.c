/*
 * The store's thread: takes requests in order, makes attempts until one decides the request, and waits in between. All
 * sleeping, reconnecting and following of MOVED is here, so that the files of the single requests stay straight lines.
 *
 * A connection whose attempt ended otherwise than in an answer is closed: what it still holds (a watch, an open
 * transaction, answers on their way) ends with it, which is simpler to be sure of than to undo. Refusals are rare and
 * delayed anyway. Which node has a partition's slot, the cluster knows (redis/cluster.h); it hears of nodes that fail,
 * and asked for a new map of slots between attempts.
 */
#include <poll.h>
#include <signal.h>

#include "config/base/backoff.h"
#include "config/base/log.h"
#include "pipeline/store/store_priv.h"

#define DELAY_MIN_MS 10
#define DELAY_MAX_MS 1000
#define SAY_EVERY_US 1000000
#define HOPS_MAX 5 /* MOVED in a row before it is treated as a refusal */

/* ---- delays ---- */

static void
sleep_delay(struct weir_store *store)
{
	uint64_t delay_ms = weir_backoff_grow(DELAY_MIN_MS, DELAY_MAX_MS, store->attempts++);
	WEIR_CHECK(delay_ms >= DELAY_MIN_MS && delay_ms <= DELAY_MAX_MS);
	struct weir_steady until =
	    weir_steady_in_ms((int64_t)weir_backoff_jitter(delay_ms, weir_random_next(&store->jitter)));
	while (!weir_queue_interrupted(&store->queue)) {
		int64_t left_us = weir_steady_left_us(until);
		if (left_us <= 0)
			return;
		struct pollfd wake = {.fd = store->queue.wake_fd, .events = POLLIN};
		if (poll(&wake, 1, (int)(left_us / 1000) + 1) > 0)
			weir_queue_drain_wake(&store->queue);
	}
}

/* ---- attempts ---- */

/* The connection to the node that has the partition's slot, as far as it is known. */
static enum weir_step
choose_node(struct weir_store *store, uint32_t partition)
{
	if (weir_cluster_refresh(store->cluster) == WEIR_EXCHANGE_CANCELLED)
		return WEIR_STEP_CANCELLED;
	store->slot = weir_slot_of_partition(store->prefix, partition);
	store->node = weir_cluster_node_of(store->cluster, store->slot);
	store->connection = weir_cluster_connection(store->cluster, store->node);
	WEIR_CHECK(store->connection != NULL);
	return WEIR_STEP_OK;
}

static enum weir_step
attempt(struct weir_store *store, struct weir_store_request *request)
{
	if (weir_queue_interrupted(&store->queue))
		return WEIR_STEP_CANCELLED;
	enum weir_step step = choose_node(store, request->partition);
	if (step != WEIR_STEP_OK)
		return step;
	store->why_elsewhere = false;
	store->out.len = 0;
	store->out_commands = 0;
	request->error = (struct weir_error){0};
	step = weir_store_open(store, request);
	if (step != WEIR_STEP_OK)
		return step;
	switch (request->kind) {
	case WEIR_STORE_TAKE:
		return weir_store_take(store, request);
	case WEIR_STORE_FLUSH:
		return weir_store_flush(store, request);
	case WEIR_STORE_FETCH:
		return weir_store_fetch_all(store, request);
	}
	return weir_store_fail(request, WEIR_FATAL, "unknown kind of request");
}

/* Once a second at most: Redis may be away for hours. */
static void
say_why(struct weir_store *store, const struct weir_store_request *request, enum weir_step step)
{
	if (!weir_steady_is_past(store->said, SAY_EVERY_US))
		return;
	store->said = weir_steady_now();
	const char *event = step == WEIR_STEP_MOVED   ? "redis_moved"
			    : step == WEIR_STEP_LATER ? "redis_refused"
						      : "redis_lost";
	weir_log(step == WEIR_STEP_MOVED ? WEIR_LOG_INFO : WEIR_LOG_WARN, event, "partition %u waits: %s",
	    request->partition, store->why.text);
}

/* What comes between two attempts. */
static void
between(struct weir_store *store, const struct weir_store_request *request, enum weir_step step, uint32_t *hops)
{
	bool had_worked = weir_connection_is_open(store->connection);
	WEIR_CHECK(step == WEIR_STEP_LOST || step == WEIR_STEP_LATER || step == WEIR_STEP_MOVED);
	say_why(store, request, step);
	if (step == WEIR_STEP_LOST)
		store->lost[store->node] = true;
	weir_store_close(store);
	if (step == WEIR_STEP_MOVED && ++*hops <= HOPS_MAX)
		return;
	if (step == WEIR_STEP_LOST || store->why_elsewhere)
		weir_cluster_failed(store->cluster, store->node);
	/* A connection that died while idle is worth one attempt at once. */
	if (step == WEIR_STEP_LOST && had_worked && !store->failing)
		store->failing = true;
	else
		sleep_delay(store);
}

static void
work_on(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_steady started = weir_steady_now();
	uint32_t hops = 0;
	enum weir_step step;
	WEIR_CHECK(request->state == WEIR_REQUEST_SUBMITTED);
	request->result = WEIR_STORE_PENDING;
	while ((step = attempt(store, request)) != WEIR_STEP_ANSWERED && step != WEIR_STEP_CANCELLED)
		if (step != WEIR_STEP_AGAIN)
			between(store, request, step, &hops);
	if (step == WEIR_STEP_CANCELLED) {
		request->result = WEIR_STORE_CANCELLED;
		(void)weir_error_set(&request->error, WEIR_RETRY, "cancelled; before that: %.400s", store->why.text);
	}
	if (store->connection != NULL && (step == WEIR_STEP_CANCELLED || request->result == WEIR_STORE_FAILED))
		weir_store_close(store); /* whatever it was in the middle of */
	if (step == WEIR_STEP_ANSWERED) {
		store->attempts = 0;
		store->failing = false;
	}
	request->took_us = weir_steady_since_us(started);
}

/* ---- the thread ---- */

/* Nothing to do: sleeps until rung; a connection that says something now has been closed by Redis. */
static void
idle(struct weir_store *store)
{
	struct pollfd fds[1 + WEIR_NODES_MAX] = {{.fd = store->queue.wake_fd, .events = POLLIN}};
	uint32_t nodes = weir_cluster_node_end(store->cluster);
	for (uint32_t i = 0; i < nodes; i++) {
		const struct weir_connection *connection = weir_cluster_connection(store->cluster, i);
		fds[1 + i] =
		    (struct pollfd){.fd = connection != NULL ? weir_connection_fd(connection) : -1, .events = POLLIN};
	}
	if (poll(fds, 1 + nodes, -1) <= 0)
		return;
	if (fds[0].revents != 0)
		weir_queue_drain_wake(&store->queue);
	for (uint32_t i = 0; i < nodes; i++) {
		if (fds[1 + i].revents == 0)
			continue;
		store->lost[i] = true;
		weir_connection_close(weir_cluster_connection(store->cluster, i));
		atomic_store_explicit(&store->connected, false, memory_order_relaxed);
	}
}

void *
weir_store_thread(void *arg)
{
	struct weir_store *store = arg;
	WEIR_CHECK_MAGIC(store, WEIR_STORE_MAGIC);
	sigset_t all; /* signals are the main thread's; SIGPIPE of a TLS write is nobody's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)pthread_setname_np(pthread_self(), "weir-store");
	for (;;) {
		struct weir_store_request *request = weir_queue_in_hand(&store->queue);
		if (request == NULL) {
			if (weir_queue_is_stopping(&store->queue))
				return NULL;
			idle(store);
			continue;
		}
		work_on(store, request);
		weir_queue_answer(&store->queue);
		if (store->opts.bell != NULL)
			store->opts.bell(store->opts.bell_ctx);
	}
}
