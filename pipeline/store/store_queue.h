/*
 * The ring between a lane and its store thread. One array of 256 slots is both directions: the lane writes slot
 * `submitted`, the store thread works on slot `answered`, the lane takes slot `taken` back; answers come back in order, so
 * that two counters with release and acquire are all the synchronisation there is. taken <= answered <= submitted <= taken
 * + 256.
 *
 * A cancel is a flag in a slot, so that it reaches just the requests that were waiting when it was called, and not those of
 * a later ownership of the same partition. Inside pipeline/store only.
 */
#ifndef WEIR_PIPELINE_STORE_QUEUE_H
#define WEIR_PIPELINE_STORE_QUEUE_H

#include <stdatomic.h>

#include "pipeline/store/store.h"

#define WEIR_STORE_RING 256u

struct weir_store_slot {
	struct weir_store_request *request; /* NULL = not in use; the lane's until submitted, and again once answered */
	atomic_bool cancelled;
};

struct weir_store_queue {
	int wake_fd; /* eventfd: rung by submit, cancel and stop */
	struct weir_store_slot slots[WEIR_STORE_RING];
	_Atomic uint64_t submitted; /* written by the lane, release: the slot's request is readable */
	_Atomic uint64_t answered;  /* written by the store thread, release: the request's answer is readable */
	uint64_t taken;             /* lane only */
	atomic_bool stopping;
};

/* 0, or errno. */
int weir_queue_open(struct weir_store_queue *queue);
/* What is still in it stays its owners'. */
void weir_queue_close(struct weir_store_queue *queue);

/* ---- the lane ---- */

/* false when it is full. */
bool weir_queue_submit(struct weir_store_queue *queue, struct weir_store_request *request);
struct weir_store_request *weir_queue_take(struct weir_store_queue *queue);
void weir_queue_cancel(struct weir_store_queue *queue, uint32_t partition);
void weir_queue_stop(struct weir_store_queue *queue);

/* ---- the store thread ---- */

/* The oldest request that has no answer yet; NULL when there is none. */
struct weir_store_request *weir_queue_in_hand(const struct weir_store_queue *queue);
/* The request in hand has its answer: the lane may take it. */
void weir_queue_answer(struct weir_store_queue *queue);
/* The request in hand shall be given up: the store stops or its partition was cancelled. Also while nothing is in hand. */
bool weir_queue_interrupted(void *queue);
bool weir_queue_is_stopping(const struct weir_store_queue *queue);
/* Takes the rings off the wake descriptor. */
void weir_queue_drain_wake(const struct weir_store_queue *queue);

#endif
