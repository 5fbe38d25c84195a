/*
 * Taking a partition: raise the epoch under WATCH, so that no flush of an older owner can slip between the header read here
 * and the new epoch, then read everything (store_load.c) and look at the epoch once more: a newer owner may have raised it
 * and flushed meanwhile, and a mixture of two owners' pages must not be handed to anybody. Store thread only.
 *
 * The epoch is at least the clock's microseconds: usage reports and pool states in Kafka carry epochs of owners that a
 * Redis which lost writes knows nothing of, and a later owner's must be higher than theirs (docs/pools.md "Epochs").
 */
#include <stdio.h>

#include "pipeline/store/store_priv.h"

static uint64_t
clock_us(void)
{
	int64_t now_us = weir_wall_now().us;
	return now_us <= 0 ? 1 : (uint64_t)now_us;
}

static void
write_raise(struct weir_store *store, const struct weir_store_request *request, uint64_t epoch, struct weir_buf *body)
{
	char digits[24];
	weir_resp_command(body, 8);
	weir_resp_text(body, "HSET");
	weir_resp_key(body, store->prefix, request->partition, "h");
	weir_resp_text(body, "format");
	weir_resp_i64(body, WEIR_STORE_FORMAT);
	weir_resp_text(body, "epoch");
	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)epoch);
	weir_resp_text(body, digits);
	weir_resp_text(body, "owner");
	weir_resp_text(body, store->opts.owner_name != NULL ? store->opts.owner_name : "");
}

static enum weir_step
raise_epoch(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_store_header *header = &request->header;
	enum weir_step step = weir_header_watch(store, request, header);
	if (step != WEIR_STEP_OK)
		return step;
	if (header->partitions != 0 && store->opts.partitions != 0 && header->partitions != store->opts.partitions) {
		weir_header_leave(store);
		return weir_store_fail(request, WEIR_POISON,
		    "%s:{%u}:h was made with %u partitions and the topics have %u: a card's records would come to two of "
		    "them; give the topics %u partitions again",
		    store->prefix, request->partition, header->partitions, store->opts.partitions, header->partitions);
	}
	uint64_t base = clock_us() - 1;
	if (base < request->epoch_floor)
		base = request->epoch_floor;
	if (base < header->epoch)
		base = header->epoch;
	if (base == UINT64_MAX) {
		weir_header_leave(store);
		return weir_store_fail(
		    request, WEIR_POISON, "the epoch of partition %u cannot rise any more", request->partition);
	}
	struct weir_buf body = {0};
	WEIR_CHECK(base + 1 > header->epoch); /* an epoch never comes twice */
	write_raise(store, request, base + 1, &body);
	step = weir_header_exec(store, request, &body, 1);
	weir_buf_free(&body);
	if (step == WEIR_STEP_OK)
		header->epoch = base + 1;
	return step;
}

/* After loading: is the partition still ours? A load that failed because of another's flush is that, and not poison. */
static enum weir_step
check_epoch_again(struct weir_store *store, struct weir_store_request *request)
{
	struct weir_store_header now;
	uint64_t ours = request->header.epoch;
	enum weir_step step = weir_header_watch(store, request, &now);
	if (step != WEIR_STEP_OK)
		return step;
	weir_header_leave(store);
	if (now.epoch < ours) {
		(void)weir_error_set(
		    &store->why, WEIR_RETRY, "Redis lost the new epoch of partition %u", request->partition);
		return WEIR_STEP_LATER;
	}
	if (now.epoch == ours)
		return WEIR_STEP_OK;
	request->header = now;
	request->result = WEIR_STORE_FENCED;
	weir_store_count(&store->fenced, 1);
	(void)weir_error_set(
	    &request->error, WEIR_FATAL, "partition %u was taken by another owner while it was loaded", request->partition);
	return WEIR_STEP_ANSWERED;
}

enum weir_step
weir_store_take(struct weir_store *store, struct weir_store_request *request)
{
	enum weir_step step = raise_epoch(store, request);
	if (step != WEIR_STEP_OK)
		return step;
	enum weir_step loaded = weir_store_load(store, request);
	if (loaded != WEIR_STEP_OK && loaded != WEIR_STEP_ANSWERED)
		return loaded;
	struct weir_error load_error = request->error;
	WEIR_CHECK(loaded != WEIR_STEP_ANSWERED || request->result == WEIR_STORE_FAILED);
	step = check_epoch_again(store, request);
	if (step != WEIR_STEP_OK)
		return step;
	if (loaded == WEIR_STEP_ANSWERED) { /* still ours, and it cannot be read */
		request->error = load_error;
		return loaded;
	}
	weir_store_count(&store->takes, 1);
	request->result = WEIR_STORE_DONE;
	return WEIR_STEP_ANSWERED;
}
