/* What the two files of the client share: its brokers, and the round that is under way. */
#ifndef WEIR_CONSUMERS_LOG_IDENTITY_PRIV_H
#define WEIR_CONSUMERS_LOG_IDENTITY_PRIV_H

#include "config/base/random.h"
#include "consumers/wire/conn.h"
#include "consumers/wire/log_identity.h"

enum log_phase {
	LOG_IDLE,
	LOG_METADATA, /* a broker is to be asked, or was, who leads what */
	LOG_LEADERS,  /* leaders are being asked */
	LOG_PAUSE,    /* before the next try */
};

/* What a leader is asked, in this order, of each topic; then Metadata. */
enum log_question { ASK_EPOCH_END, ASK_FIRST, ASK_END, LOG_QUESTIONS };

struct log_node {
	struct conn conn; /* first: connections are nodes */
	int32_t id;       /* -1: of the settings */
	bool asked;       /* a leader in this try, not finished yet */
	uint32_t next;    /* topic * LOG_QUESTIONS + question to send; topics' end: the last Metadata; beyond: all sent */
};

/* The answers to one part in this try. */
struct log_try {
	bool open;       /* to be decided in this try */
	bool failed;     /* an error came */
	bool confirmed;  /* the leader named the same id and epoch at last */
	uint8_t missing; /* questions without an answer, a bit each */
};

struct log_identity {
	struct log_identity_opts opts;
	struct security security;
	struct conn_opts conn_opts;
	int epoll_fd;
	int64_t now_us;
	struct weir_random random;
	struct log_node **nodes;
	uint32_t node_count;
	struct log_topic *topics;
	struct log_node *metadata_node; /* that was asked who leads what */
	enum log_phase phase;
	uint32_t attempt; /* tags requests: answers to an earlier one mean nothing */
	uint32_t failed_tries;
	int64_t deadline_us, pause_until_us;
	struct log_part *parts; /* the caller's */
	struct log_try *tries;
	uint32_t part_count, part_cap;
	struct protocol_offset_part *questions; /* scratch, part_cap of them */
};

/* log_identity_net.c: brokers and what they say */
void log_nodes_open(struct log_identity *client);
void log_nodes_close(struct log_identity *client);
/* Sends what a leader is still to be asked, as far as its connection has room. */
void log_node_send(struct log_identity *client, struct log_node *node);
/* Asks whichever broker is ready; opens connections when none is. */
void log_metadata_send(struct log_identity *client);
/* The time from which the round may go on, or INT64_MAX. */
int64_t log_nodes_tick(struct log_identity *client);

/* log_identity.c: the round */
void log_round_took_metadata(struct log_identity *client); /* who leads what is known now */
void log_round_took_leader(struct log_identity *client, struct log_node *node);
void log_round_lost(struct log_identity *client, struct log_node *node);

#endif
