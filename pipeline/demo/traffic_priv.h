/* The generator's own: its state, shared by traffic.c (thread), demo_records.c (what is sent) and send.c. */
#ifndef WEIR_PIPELINE_DEMO_TRAFFIC_PRIV_H
#define WEIR_PIPELINE_DEMO_TRAFFIC_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "pipeline/demo/demo_feeds.h"
#include "pipeline/demo/traffic.h"

#define WEIR_DEMO_RING 512 /* messages remembered for repeating */
/*
 * Messages held back for reordering: every twentieth waits for so many others that were held. A card then falls back by few
 * records even in a small fleet: a session remembers 64 sequence numbers and a few ranges below.
 */
#define WEIR_DEMO_HELD 16

struct weir_demo_message {
	struct weir_buf value;
	const char *topic;
	char key[WEIR_DEMO_ICCID_LEN + 1];
	uint32_t records;
	uint32_t filtered;
	bool in_order; /* session totals: their order is their meaning */
};

struct weir_demo_traffic {
	struct weir_demo_traffic_opts opts;
	pthread_t thread;
	_Atomic bool stopping;
	struct weir_random rng;
	uint64_t next_id;
	struct weir_demo_message sent[WEIR_DEMO_RING]; /* last ones sent, to be repeated */
	struct weir_demo_message held[WEIR_DEMO_HELD]; /* to be sent after others; records == 0: free */
	uint32_t held_next;
	struct weir_demo_message now; /* the one being made */
	/* Written by the thread alone, read by any: relaxed, they are only shown until the thread has been joined. */
	struct {
		_Atomic uint64_t messages, records, unique, repeated, bad, late, before_cycle, filtered, requests,
		    undelivered;
	} totals;
};

#define WEIR_DEMO_ADD(traffic, field, n) (void)atomic_fetch_add_explicit(&(traffic)->totals.field, n, memory_order_relaxed)

/* Makes the next message in traffic->now and counts its records in the fleet's sums. False: the drawn card is silent. */
bool weir_demo_message_make(struct weir_demo_traffic *traffic, int64_t now_us);
/* Sends bytes; waits while the producer's queue is full. */
void weir_demo_send(struct weir_demo_traffic *traffic, const char *topic, const char *key, const void *value, size_t len);
/* Requests of the operator that are due. */
void weir_demo_operator_act(struct weir_demo_traffic *traffic, int64_t now_us);

#endif
