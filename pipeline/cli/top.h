/*
 * `weir top`, in two parts: what is shown (top_data.c: the fleet, rates, lag, newest commands) and how (top.c: a screen, or
 * JSON once). Main thread.
 */
#ifndef WEIR_PIPELINE_CLI_TOP_H
#define WEIR_PIPELINE_CLI_TOP_H

#include "pipeline/cli/reading.h"

#define WEIR_TOP_COMMANDS 20

/* A line of the audit topic that tells of a command or decision. */
struct weir_top_command {
	int64_t at_us;
	char subject[WEIR_ID_MAX]; /* ICCID or pool */
	char event[12], action[12], reason[24], carrier[24];
	uint64_t overshoot;
};

struct weir_top_data {
	const struct weir_fleet_view *fleet; /* the reader's, until the next look */
	bool has_rate;
	double messages_per_s; /* over the last ten seconds at most */
	bool has_lag;
	int64_t lag;                                         /* messages of the inputs that are not stored yet */
	uint32_t owners;                                     /* processes that own partitions, by name */
	struct weir_top_command commands[WEIR_TOP_COMMANDS]; /* newest first */
	uint32_t command_count;
	char kafka_says[128]; /* why there is no lag; "" = it answers */
};

struct weir_top_source;

/* Kafka need not be reachable: what only it knows is then left out. */
struct weir_top_source *weir_top_open(struct weir_reading *reading);
void weir_top_close(struct weir_top_source *source);
enum weir_read weir_top_sample(struct weir_top_source *source, struct weir_top_data *data_out, struct weir_error *err);

#endif
