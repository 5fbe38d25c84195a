/*
 * The store's thread: takes requests in order, makes attempts until one decides the request, and waits in between. All
 * sleeping, reconnecting and following of MOVED is here, so that the files of the single requests stay straight lines.
 *
 * A connection whose attempt ended otherwise than in an answer is closed: what it still holds (a watch, an open
 * transaction, answers on their way) ends with it, which is simpler to be sure of than to undo. Refusals are rare and
 * delayed anyway. In Redis Cluster each partition remembers the node that MOVED named; a node that fails is forgotten and
 * the one of redis.url asked again.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/base/log.h"
#include "pipeline/store/store_priv.h"

#define DELAY_MIN_MS 10
#define DELAY_MAX_MS 1000
#define SAY_EVERY_US 1000000
#define HOPS_MAX 5 /* MOVED in a row before it is treated as a refusal */

void
weir_store_drain_wake(struct weir_store *store)
{
	uint64_t rings;
	ssize_t got = read(store->wake_fd, &rings, sizeof(rings));
	(void)got; /* non-blocking: nothing to read is fine */
}

static struct weir_store_slot *
slot_in_hand(struct weir_store *store)
{
	uint64_t answered = atomic_load_explicit(&store->answered, memory_order_relaxed); /* own counter */
	return &store->slots[answered % WEIR_STORE_RING];
}

bool
weir_store_interrupted(struct weir_store *store)
{
	/* Relaxed: the flags carry no data, and the wake descriptor orders them well enough to be seen at once. */
	return atomic_load_explicit(&store->stopping, memory_order_relaxed) ||
	       atomic_load_explicit(&slot_in_hand(store)->cancelled, memory_order_relaxed);
}

/* Equal jitter: between half and the whole of a delay that doubles. */
static void
grow_delay(struct weir_store *store)
{
	store->delay_ms = store->delay_ms == 0 ? DELAY_MIN_MS : store->delay_ms * 2;
	if (store->delay_ms > DELAY_MAX_MS)
		store->delay_ms = DELAY_MAX_MS;
}

static void
sleep_delay(struct weir_store *store)
{
	store->jitter = store->jitter * 6364136223846793005u + 1442695040888963407u;
	uint32_t half = store->delay_ms / 2;
	struct weir_steady until = weir_steady_in_ms(half + (int64_t)((store->jitter >> 33) % (half + 1)));
	while (!weir_store_interrupted(store)) {
		int64_t left_us = weir_steady_left_us(until);
		if (left_us <= 0)
			return;
		struct pollfd wake = {.fd = store->wake_fd, .events = POLLIN};
		if (poll(&wake, 1, (int)(left_us / 1000) + 1) > 0)
			weir_store_drain_wake(store);
	}
}

static uint8_t
node_index(const struct weir_store *store, uint32_t partition)
{
	return partition < store->node_of_count ? store->node_of[partition] : 0;
}

static void
node_remember(struct weir_store *store, uint32_t partition, uint8_t index)
{
	if (partition >= store->node_of_count) {
		if (index == 0)
			return;
		uint32_t count = partition + 64;
		store->node_of = weir_realloc(store->node_of, count);
		memset(store->node_of + store->node_of_count, 0, count - store->node_of_count);
		store->node_of_count = count;
	}
	store->node_of[partition] = index;
}

static bool
same_place(const struct weir_redis_url *a, const struct weir_redis_url *b)
{
	return a->host != NULL && b->host != NULL && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Follows store->moved_to; false when it is no address. */
static bool
follow_moved(struct weir_store *store, uint32_t partition)
{
	struct weir_redis_url *url = weir_redis_url_at(store->link->url, store->moved_to);
	if (url == NULL)
		return false;
	uint32_t index = 0;
	while (index < store->link_count && !same_place(store->links[index].url, url))
		index++;
	if (index == WEIR_STORE_NODES) { /* more nodes than connections: the last one is lent on */
		index--;
		weir_link_close(&store->links[index]);
		weir_redis_url_free(store->links[index].url);
		store->links[index].url = url;
	} else if (index == store->link_count) {
		store->links[store->link_count++] = (struct weir_link){.store = store, .url = url};
	} else {
		weir_redis_url_free(url);
	}
	node_remember(store, partition, (uint8_t)index);
	return true;
}

static enum weir_step
attempt(struct weir_store *store, struct weir_store_request *request)
{
	if (weir_store_interrupted(store))
		return WEIR_STEP_CANCELLED;
	store->link = &store->links[node_index(store, request->partition)];
	store->why_reconnect = false;
	request->error = (struct weir_error){0};
	enum weir_step step = store->link->redis != NULL ? WEIR_STEP_OK : weir_link_open(store->link, request);
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
	bool had_worked = store->link->redis != NULL;
	say_why(store, request, step);
	if (step == WEIR_STEP_LOST)
		store->link->was_lost = true;
	weir_link_close(store->link);
	if (step == WEIR_STEP_MOVED && ++*hops <= HOPS_MAX && follow_moved(store, request->partition))
		return;
	if (step != WEIR_STEP_LATER || store->why_reconnect)
		node_remember(store, request->partition, 0);
	/* A connection that died while idle is worth one attempt at once. */
	if (step != WEIR_STEP_LOST || !had_worked || store->delay_ms != 0) {
		grow_delay(store);
		sleep_delay(store);
	} else {
		store->delay_ms = 1;
	}
}

static void
work_on(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_steady started = weir_steady_now();
	uint32_t hops = 0;
	enum weir_step step;
	request->result = WEIR_STORE_PENDING;
	while ((step = attempt(store, request)) != WEIR_STEP_ANSWERED && step != WEIR_STEP_CANCELLED)
		if (step != WEIR_STEP_AGAIN)
			between(store, request, step, &hops);
	if (step == WEIR_STEP_CANCELLED) {
		request->result = WEIR_STORE_CANCELLED;
		(void)weir_error_set(&request->error, WEIR_RETRY, "cancelled; before that: %.400s", store->why.text);
	}
	if (store->link != NULL && (step == WEIR_STEP_CANCELLED || request->result == WEIR_STORE_FAILED))
		weir_link_close(store->link); /* whatever it was in the middle of */
	if (step == WEIR_STEP_ANSWERED)
		store->delay_ms = 0;
	request->took_us = weir_steady_since_us(started);
}

/* Nothing to do: sleeps until rung; a connection that says something now has been closed by Redis. */
static void
idle(struct weir_store *store)
{
	struct pollfd fds[1 + WEIR_STORE_NODES] = {{.fd = store->wake_fd, .events = POLLIN}};
	for (uint32_t i = 0; i < store->link_count; i++) {
		struct redisContext *redis = store->links[i].redis;
		fds[1 + i] = (struct pollfd){.fd = redis != NULL ? redis->fd : -1, .events = POLLIN};
	}
	if (poll(fds, 1 + store->link_count, -1) <= 0)
		return;
	if (fds[0].revents != 0)
		weir_store_drain_wake(store);
	for (uint32_t i = 0; i < store->link_count; i++) {
		if (fds[1 + i].revents == 0)
			continue;
		store->links[i].was_lost = true;
		weir_link_close(&store->links[i]);
	}
}

void *
weir_store_thread(void *arg)
{
	struct weir_store *store = arg;
	sigset_t all; /* signals are the main thread's; SIGPIPE of a TLS write is nobody's */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)pthread_setname_np(pthread_self(), "weir-store");
	for (;;) {
		uint64_t answered = atomic_load_explicit(&store->answered, memory_order_relaxed); /* own counter */
		/* Acquire: the request written before `submitted` was raised. */
		if (answered == atomic_load_explicit(&store->submitted, memory_order_acquire)) {
			if (atomic_load_explicit(&store->stopping, memory_order_acquire))
				return NULL;
			idle(store);
			continue;
		}
		work_on(store, store->slots[answered % WEIR_STORE_RING].request);
		/* Release: the lane that sees the counter sees the answer. */
		atomic_store_explicit(&store->answered, answered + 1, memory_order_release);
		if (store->opts.bell != NULL)
			store->opts.bell(store->opts.bell_ctx);
	}
}
