/*
 * What Redis' error replies mean to the request in hand (the words are in redis/refusal.c). What no table lists is fatal:
 * an unknown refusal of a write must stop a partition loudly, never be retried for ever in silence. Store thread; replies
 * are input from outside, so no asserts on them.
 */
#include <stdio.h>

#include "pipeline/store/store_priv.h"

enum weir_step
weir_store_refuse(struct weir_store *store, struct weir_store_request *request, const struct weir_reply *error)
{
	WEIR_CHECK(error->type == WEIR_REPLY_ERROR);
	weir_store_count(&store->refusals, 1);
	(void)weir_error_set(&store->why, WEIR_RETRY, "Redis refuses: %.300s", error->str);
	switch (weir_refusal_of(error)) {
	case WEIR_REFUSAL_MOVED:
		if (weir_cluster_moved(store->cluster, store->node, store->slot, error))
			return WEIR_STEP_MOVED;
		store->why_elsewhere = true; /* it names no place: perhaps another node knows better */
		return WEIR_STEP_LATER;
	case WEIR_REFUSAL_ASK: /* a slot on its way: MOVED follows when it has arrived */
	case WEIR_REFUSAL_LATER:
		store->why_elsewhere = false;
		return WEIR_STEP_LATER;
	case WEIR_REFUSAL_ELSEWHERE:
		store->why_elsewhere = true;
		return WEIR_STEP_LATER;
	case WEIR_REFUSAL_NONE:
	case WEIR_REFUSAL_FINAL:
		break;
	}
	return weir_store_fail(
	    request, WEIR_FATAL, "Redis refuses partition %u for good: %.300s", request->partition, error->str);
}

enum weir_step
weir_store_fail(struct weir_store_request *request, enum weir_class class, const char *fmt, ...)
{
	va_list args;
	WEIR_CHECK(class == WEIR_FATAL || class == WEIR_POISON);
	va_start(args, fmt);
	request->error.class = class;
	(void)vsnprintf(request->error.text, sizeof(request->error.text), fmt, args);
	va_end(args);
	request->result = WEIR_STORE_FAILED;
	return WEIR_STEP_ANSWERED;
}

enum weir_step
weir_store_nonsense(struct weir_store *store, const char *command, const struct weir_reply *reply)
{
	(void)weir_error_set(
	    &store->why, WEIR_RETRY, "the answer to %s has type %d, which no Redis gives", command, (int)reply->type);
	return WEIR_STEP_LOST;
}
