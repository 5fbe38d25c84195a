/* The ring between lane and store thread; see store_queue.h. */
#include "pipeline/store/store_queue.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A counter read by the thread that alone writes it. */
static uint64_t
own(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
wake(const struct weir_store_queue *queue)
{
	uint64_t one = 1;
	ssize_t put = write(queue->wake_fd, &one, sizeof(one));
	(void)put; /* a full counter has woken the thread already */
}

int
weir_queue_open(struct weir_store_queue *queue)
{
	queue->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return queue->wake_fd < 0 ? errno : 0;
}

void
weir_queue_close(struct weir_store_queue *queue)
{
	if (queue->wake_fd >= 0)
		(void)close(queue->wake_fd);
	queue->wake_fd = -1;
}

/* ---- the lane ---- */

bool
weir_queue_submit(struct weir_store_queue *queue, struct weir_store_request *request)
{
	uint64_t submitted = own(&queue->submitted);
	WEIR_CHECK(queue->taken <= submitted && submitted - queue->taken <= WEIR_STORE_RING);
	if (submitted - queue->taken == WEIR_STORE_RING)
		return false;
	struct weir_store_slot *slot = &queue->slots[submitted % WEIR_STORE_RING];
	WEIR_CHECK(request->state == WEIR_REQUEST_IDLE && slot->request == NULL);
	request->state = WEIR_REQUEST_SUBMITTED;
	slot->request = request;
	atomic_store_explicit(&slot->cancelled, false, memory_order_relaxed); /* published by the next line */
	/* Release: the thread that sees the counter sees the request. */
	atomic_store_explicit(&queue->submitted, submitted + 1, memory_order_release);
	wake(queue);
	return true;
}

struct weir_store_request *
weir_queue_take(struct weir_store_queue *queue)
{
	/* Acquire: the answer written before `answered` was raised. */
	uint64_t answered = atomic_load_explicit(&queue->answered, memory_order_acquire);
	WEIR_CHECK(queue->taken <= answered && answered <= own(&queue->submitted));
	if (queue->taken == answered)
		return NULL;
	struct weir_store_request *request;
	WEIR_TAKE(request, queue->slots[queue->taken % WEIR_STORE_RING].request);
	WEIR_CHECK(request != NULL && request->state == WEIR_REQUEST_ANSWERED);
	request->state = WEIR_REQUEST_IDLE;
	queue->taken++;
	return request;
}

void
weir_queue_cancel(struct weir_store_queue *queue, uint32_t partition)
{
	uint64_t submitted = own(&queue->submitted);
	for (uint64_t i = queue->taken; i < submitted; i++) {
		struct weir_store_slot *slot = &queue->slots[i % WEIR_STORE_RING];
		WEIR_CHECK(slot->request != NULL);
		if (slot->request->partition == partition) /* never written by the store thread */
			atomic_store_explicit(&slot->cancelled, true, memory_order_relaxed); /* carries no data */
	}
	wake(queue);
}

void
weir_queue_stop(struct weir_store_queue *queue)
{
	/* Release: requests submitted before are seen, and answered, by the thread that sees the flag. */
	atomic_store_explicit(&queue->stopping, true, memory_order_release);
	wake(queue);
}

/* ---- the store thread ---- */

struct weir_store_request *
weir_queue_in_hand(const struct weir_store_queue *queue)
{
	uint64_t answered = own(&queue->answered);
	/* Acquire: the request written before `submitted` was raised. */
	uint64_t submitted = atomic_load_explicit(&queue->submitted, memory_order_acquire);
	WEIR_CHECK(answered <= submitted && submitted - answered <= WEIR_STORE_RING);
	if (answered == submitted)
		return NULL;
	struct weir_store_request *request = queue->slots[answered % WEIR_STORE_RING].request;
	WEIR_CHECK(request != NULL && request->state == WEIR_REQUEST_SUBMITTED);
	return request;
}

void
weir_queue_answer(struct weir_store_queue *queue)
{
	struct weir_store_request *request = weir_queue_in_hand(queue);
	WEIR_CHECK(request != NULL && request->result != WEIR_STORE_PENDING);
	request->state = WEIR_REQUEST_ANSWERED;
	/* Release: the lane that sees the counter sees the answer. */
	atomic_store_explicit(&queue->answered, own(&queue->answered) + 1, memory_order_release);
}

bool
weir_queue_interrupted(void *ctx)
{
	const struct weir_store_queue *queue = ctx;
	const struct weir_store_slot *slot = &queue->slots[own(&queue->answered) % WEIR_STORE_RING];
	/* Relaxed: the flags carry no data, and the wake descriptor orders them well enough to be seen at once. */
	return atomic_load_explicit(&queue->stopping, memory_order_relaxed) ||
	       atomic_load_explicit(&slot->cancelled, memory_order_relaxed);
}

bool
weir_queue_is_stopping(const struct weir_store_queue *queue)
{
	return atomic_load_explicit(&queue->stopping, memory_order_acquire); /* as weir_queue_stop says */
}

void
weir_queue_drain_wake(const struct weir_store_queue *queue)
{
	uint64_t rings;
	ssize_t got = read(queue->wake_fd, &rings, sizeof(rings));
	(void)got; /* non-blocking: nothing to read is fine */
}
