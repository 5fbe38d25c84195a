/*
 * Inside of the client: a batch of commands, kept as bytes until each has its reply, so that one that another node has is
 * simply sent again. client.c collects and decides about retries; round.c does one round over the nodes.
 */
#ifndef WEIR_PIPELINE_REDIS_BATCH_H
#define WEIR_PIPELINE_REDIS_BATCH_H

#include "config/base/clock.h"
#include "pipeline/redis/client.h"
#include "pipeline/redis/cluster.h"

#define NODE_BY_SLOT UINT32_MAX

struct batch_command {
	uint16_t slot;
	uint32_t asked_node; /* ASK named it for the next round; else NODE_BY_SLOT */
	uint32_t sent_to;    /* node of this round */
	bool given_up;       /* its node failed, or its transaction was refused: it gets no reply in this send */
	size_t at, len;      /* of the command in bytes */
	struct weir_reply *reply;
};

struct batch {
	struct weir_buf bytes;
	struct batch_command *commands;
	uint32_t count, cap;
};

struct weir_redis {
	uint32_t magic;
	struct weir_redis_opts opts;
	struct weir_cluster *cluster; /* NULL: redis.url is wrong, see url_error */
	struct weir_error url_error;
	struct batch batch;
	struct weir_steady rest_until[WEIR_NODES_MAX];
	bool used[WEIR_NODES_MAX]; /* of this round: the node has something to answer */
};

/* A send: its rounds, and what they came to. */
struct round {
	bool together;
	bool idle_allowed; /* a connection that was open before may have died while idle: its commands may go out once more
			    */
	bool idle_lost;    /* one did */
	bool waits;        /* some command was told to try again in a moment */
	enum weir_class class;  /* the worst so far; FATAL: no retry helps */
	struct weir_error *err; /* of the last that was not OK */
};

/* Has it neither a reply nor given up? */
static inline bool
batch_command_waits(const struct batch_command *command)
{
	return command->reply == NULL && !command->given_up;
}

/* Sends what waits and reads what comes. Leaves every connection at rest or closed. */
void weir_redis_round(struct weir_redis *redis, struct round *round);
/* Does a transaction begin (step -1) or end (+1) at command i? */
bool weir_redis_is_edge(const struct batch *batch, uint32_t i, int step);

#endif
