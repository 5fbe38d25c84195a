/*
 * Asks the brokers which logs they serve: topic ids, numbers of partitions, leader epochs, first and last offsets, and
 * where the log of an epoch ends (docs/logs.md). For either source of records: librdkafka 2.0 says none of the first.
 *
 * A client has connections of its own and belongs to the thread that made it; it never waits. One round of questions runs
 * at a time, within a time limit: Metadata from any broker, then each leader is asked for its partitions, and for Metadata
 * once more at last. That last answer is the leader's own word: where it names the same topic id and leader epoch as the
 * first, all that the leader said between is of one log, and the partition is decided. What is not decided is asked again
 * after a short pause, until the time is up.
 *
 * Rejected: librdkafka's own calls (they tell neither id nor epoch), and one request for all partitions of a cluster in one
 * answer (no such request exists: offsets are the leaders' to tell).
 */
#ifndef WEIR_CONSUMERS_LOG_IDENTITY_H
#define WEIR_CONSUMERS_LOG_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/log_place.h"
#include "config/settings/settings.h"

/* A question about one topic's partition, and its answer. */
struct log_part {
	uint32_t topic, partition;
	int32_t epoch; /* whose end is asked for; LOG_EPOCH_UNKNOWN: no epoch's */
	/* the answer */
	bool decided;  /* false: nothing below is known but the error */
	int16_t error; /* Kafka's, of the last try; 0: no answer came */
	int32_t leader, leader_epoch;
	struct log_evidence evidence;
};

/* What the last Metadata said of a topic. */
struct log_topic {
	bool known;
	int16_t error;
	uint32_t partition_count;
	struct log_id id; /* unknown with brokers before 2.8 */
};

struct log_identity;
struct log_identity_opts {
	const struct weir_settings *settings; /* borrowed, like the topics */
	const char *const *topics;
	uint32_t topic_count;
};

/* Why the client cannot reach the brokers of these settings (a security mode); NULL: it can. */
const char *log_identity_unable(const struct weir_settings *settings, char *text, size_t size);
/* FATAL names what of the settings cannot be used. */
enum weir_class log_identity_open(
    const struct log_identity_opts *opts, struct log_identity **client_out, struct weir_error *err);
void log_identity_close(struct log_identity *client);

/* Begins a round; the parts are the caller's and must stay until it is over. None may be under way. */
void log_identity_begin(struct log_identity *client, struct log_part *parts, uint32_t count, uint32_t timeout_ms);
/* Is a round under way? */
bool log_identity_is_busy(const struct log_identity *client);
/* Does what can be done without waiting; returns after how many us it wants to be called again at the latest. */
int64_t log_identity_serve(struct log_identity *client);
/* Readable when log_identity_serve has something to do. */
int log_identity_fd(const struct log_identity *client);
/* Of the last round. */
const struct log_topic *log_identity_topic(const struct log_identity *client, uint32_t topic);

/* A whole round, waited for. RETRY: not all parts were decided in time; err names the first of them. */
enum weir_class log_identity_ask(
    struct log_identity *client, struct log_part *parts, uint32_t count, uint32_t timeout_ms, struct weir_error *err);

#endif
