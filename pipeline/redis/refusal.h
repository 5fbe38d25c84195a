/*
 * What Redis' error replies mean. One table for all who talk to Redis: which words mean "not now", and which of those say
 * that this node is the wrong one to wait at. Everything not listed is final: an unknown refusal of a write must stop its
 * caller loudly, never be retried for ever in silence. Pure, any thread; texts are input from outside.
 */
#ifndef WEIR_PIPELINE_REDIS_REFUSAL_H
#define WEIR_PIPELINE_REDIS_REFUSAL_H

#include "pipeline/redis/reply.h"

enum weir_refusal {
	WEIR_REFUSAL_NONE = 0,
	WEIR_REFUSAL_MOVED,     /* the slot belongs to the node that it names */
	WEIR_REFUSAL_ASK,       /* the slot is on its way: this key is asked for at the node that it names, this once */
	WEIR_REFUSAL_LATER,     /* the same node, after a while */
	WEIR_REFUSAL_ELSEWHERE, /* after a while, and redis.url may lead to a better node by then */
	WEIR_REFUSAL_FINAL,
};

/* NONE for a reply that is no error. */
enum weir_refusal weir_refusal_of(const struct weir_reply *reply);
/* Does the text begin with this word? */
bool weir_refusal_says(const struct weir_reply *error, const char *word);

#endif
