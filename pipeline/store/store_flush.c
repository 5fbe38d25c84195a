/*
 * A flush: the lane's body inside the fence. What the header says decides, and it is read on every attempt, so that a lost
 * acknowledgement, a second owner and a Redis that lost writes are told apart by the same comparison. A body whose first
 * connection died may still be waiting in Redis' socket when the second one asks: whichever transaction comes second has
 * its watch broken by the first, so it is never applied twice. The lane gives each flush a number among its positions, so
 * that one which moves no topic's offset can be recognised too. Store thread only.
 */
#include <string.h>

#include "pipeline/store/store_priv.h"

static bool
offsets_equal(const struct weir_store *store, const int64_t *a, const int64_t *b)
{
	return memcmp(a, b, store->opts.topic_count * sizeof(*a)) == 0;
}

/* PENDING = send it. */
static enum weir_store_result
decide_result(
    const struct weir_store *store, const struct weir_store_request *request, const struct weir_store_header *stored)
{
	if (stored->epoch > request->epoch)
		return WEIR_STORE_FENCED;
	if (stored->epoch < request->epoch)
		return WEIR_STORE_LOST_WRITES;
	if (offsets_equal(store, stored->offsets, request->offsets_before))
		return WEIR_STORE_PENDING;
	if (offsets_equal(store, stored->offsets, request->offsets_after))
		return WEIR_STORE_DONE;
	return WEIR_STORE_LOST_WRITES;
}

static void
describe(const struct weir_store *store, struct weir_store_request *request)
{
	const struct weir_store_header *stored = &request->header;
	if (request->result == WEIR_STORE_FENCED)
		(void)weir_error_set(&request->error, WEIR_FATAL,
		    "partition %u has another owner: epoch %llu is stored, ours is %llu", request->partition,
		    (unsigned long long)stored->epoch, (unsigned long long)request->epoch);
	else
		(void)weir_error_set(&request->error, WEIR_RETRY,
		    "Redis lost writes of partition %u: stored epoch %llu (ours %llu), stored offset of %s %lld (ours "
		    "%lld)",
		    request->partition, (unsigned long long)stored->epoch, (unsigned long long)request->epoch,
		    store->opts.topic_count > 0 ? store->opts.topics[0] : "-", (long long)stored->offsets[0],
		    (long long)request->offsets_before[0]);
}

static void
count(struct weir_store *store, const struct weir_store_request *request, struct weir_steady started)
{
	if (request->result == WEIR_STORE_FENCED)
		weir_store_count(&store->fenced, 1);
	if (request->result == WEIR_STORE_LOST_WRITES)
		weir_store_count(&store->lost_writes, 1);
	if (request->result != WEIR_STORE_DONE)
		return;
	weir_store_count(&store->flushes, 1);
	weir_store_count(&store->flush_bytes, request->body.len);
	weir_store_count(&store->flush_us, (uint64_t)weir_steady_since_us(started));
}

enum weir_step
weir_store_flush(struct weir_store *store, struct weir_store_request *request)
{
	WEIR_CHECK(request->epoch > 0 && request->commands > 0 && request->body.len > 0);
	struct weir_steady started = weir_steady_now();
	enum weir_step step = weir_header_watch(store, request, &request->header);
	if (step != WEIR_STEP_OK)
		return step;
	request->result = decide_result(store, request, &request->header);
	if (request->result == WEIR_STORE_PENDING) {
		step = weir_header_exec(store, request, &request->body, request->commands);
		if (step != WEIR_STEP_OK)
			return step;
		request->result = WEIR_STORE_DONE;
	} else {
		weir_header_leave(store);
		if (request->result != WEIR_STORE_DONE)
			describe(store, request);
	}
	WEIR_CHECK(request->result != WEIR_STORE_DONE || request->header.epoch == request->epoch);
	count(store, request, started);
	return WEIR_STEP_ANSWERED;
}
