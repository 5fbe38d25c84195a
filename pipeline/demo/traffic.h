/*
 * The demo's traffic: a thread that makes records, sends them to Kafka in three formats, and keeps the sums.
 *
 * Of all messages about a tenth are sent twice, some later than those after them, some end 1 to 20 hours ago (of which
 * some in the cycle before). A card over its limit soon stops, as a card that was cut off would; an operator's hand
 * raises limits, sells add-ons, suspends and resumes. What was sent and not yet read stays below a bound: the broker keeps
 * 5 MiB a partition. The fleet belongs to this thread until weir_demo_traffic_stop returned.
 */
#ifndef WEIR_PIPELINE_DEMO_TRAFFIC_H
#define WEIR_PIPELINE_DEMO_TRAFFIC_H

#include "pipeline/demo/demo_fleet.h"
#include "pipeline/engine/run.h"
#include "pipeline/kafka/producer.h"

struct weir_demo_traffic;

struct weir_demo_traffic_opts {
	struct weir_producer *kafka; /* borrowed */
	struct weir_run *run;        /* read for the throttle; borrowed */
	struct weir_demo_fleet *fleet;
	struct weir_random rng;
	uint32_t rate; /* records a second */
	const char *topic_cards;
	uint32_t partitions;
};

struct weir_demo_totals { /* what was sent; relaxed snapshot, exact after the stop */
	uint64_t messages;
	uint64_t records; /* that the engine must have seen: unique, repeated, bad */
	uint64_t unique, repeated, bad;
	uint64_t late, before_cycle; /* of the unique ones: 1-20 h old; of those, in the cycle before */
	uint64_t filtered;           /* elements that are no data */
	uint64_t requests;
	uint64_t undelivered;
};

/* Sends the fleet's reference data and waits until Kafka has it. False when it does not come through. */
bool weir_demo_reference_send(
    struct weir_producer *kafka, const struct weir_demo_fleet *fleet, const char *topic, uint32_t partitions);

struct weir_demo_traffic *weir_demo_traffic_start(const struct weir_demo_traffic_opts *opts);
/* Ends the thread after what it held back has been sent and delivered. */
void weir_demo_traffic_stop(struct weir_demo_traffic *traffic);
void weir_demo_traffic_free(struct weir_demo_traffic *traffic);
void weir_demo_traffic_totals(const struct weir_demo_traffic *traffic, struct weir_demo_totals *totals_out);

#endif
