/*
 * Kafka's requests and responses that a reader of partitions needs, as pure functions over bytes: no I/O, no state.
 *
 * Requests are appended to a buffer as whole frames. Responses are read from one frame's bytes behind the response header
 * (protocol_response); lists come one element at a time from an iterator, so nothing is allocated for them. A response that
 * contradicts itself gives false, and nothing read from it is to be used.
 */
#ifndef WEIR_CONSUMERS_PROTOCOL_H
#define WEIR_CONSUMERS_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/log_place.h"
#include "config/base/slice.h"
#include "consumers/wire/wire.h"

enum protocol_api {
	API_FETCH,
	API_LIST_OFFSETS,
	API_METADATA,
	API_SASL_HANDSHAKE,
	API_VERSIONS,
	API_EPOCH_END, /* OffsetForLeaderEpoch */
	API_SASL_AUTHENTICATE,
	API_COUNT,
};

/* The error codes that are told apart here. */
enum protocol_error {
	KAFKA_OK = 0,
	KAFKA_OFFSET_OUT_OF_RANGE = 1,
	KAFKA_CORRUPT_MESSAGE = 2,
	KAFKA_UNKNOWN_TOPIC = 3,
	KAFKA_LEADER_NOT_AVAILABLE = 5,
	KAFKA_NOT_LEADER = 6,
	KAFKA_REPLICA_NOT_AVAILABLE = 9,
	KAFKA_UNSUPPORTED_SASL = 33,
	KAFKA_UNSUPPORTED_VERSION = 35,
	KAFKA_STORAGE_ERROR = 56,
	KAFKA_SASL_FAILED = 58,
	KAFKA_FENCED_EPOCH = 74,
	KAFKA_UNKNOWN_EPOCH = 75,
	KAFKA_OFFSET_NOT_AVAILABLE = 78,
	KAFKA_UNKNOWN_TOPIC_ID = 100,
	KAFKA_INCONSISTENT_TOPIC_ID = 103,
};

struct protocol_versions { /* as negotiated; -1: the broker does not have the request in a version known here */
	int16_t of[API_COUNT];
};

/* A request's frame is between protocol_begin and protocol_end; correlation comes back in the response. */
size_t protocol_begin(struct weir_buf *out, enum protocol_api api, int16_t version, int32_t correlation);
void protocol_end(struct weir_buf *out, size_t from);
/* Reads the response header of a frame; false when the correlation is another one's. */
bool protocol_response(struct wire_reader *r, enum protocol_api api, int16_t version, int32_t correlation);

/* ApiVersions: version 3, or 0 for brokers that do not know it. */
void protocol_request_versions(struct weir_buf *out, int16_t version, int32_t correlation);
bool protocol_read_versions(struct wire_reader *r, int16_t version, int16_t *error_out, struct protocol_versions *out);

void protocol_request_metadata(
    struct weir_buf *out, int16_t version, int32_t correlation, const char *const *topics, uint32_t topic_count);

struct protocol_metadata {
	struct wire_reader r;
	int16_t version;
	uint32_t brokers, topics, partitions; /* that are still to come */
};
struct protocol_broker {
	int32_t id, port;
	struct weir_slice host;
};
struct protocol_topic {
	int16_t error;
	struct weir_slice name;
	struct log_id id;
};
struct protocol_leader {
	int16_t error;
	int32_t partition, leader, epoch; /* epoch -1: not known */
};
/* In this order: begin, all brokers, then each topic with all its partitions. False: no more, or bad (r.bad). */
void protocol_metadata_begin(struct protocol_metadata *m, struct wire_reader r, int16_t version);
bool protocol_metadata_broker(struct protocol_metadata *m, struct protocol_broker *out);
bool protocol_metadata_topic(struct protocol_metadata *m, struct protocol_topic *out);
bool protocol_metadata_partition(struct protocol_metadata *m, struct protocol_leader *out);

struct protocol_fetch_request {
	int32_t wait_ms, min_bytes, max_bytes;
	bool committed; /* read_committed */
	struct weir_slice rack;
};
struct protocol_fetch_part {
	int32_t partition, epoch, max_bytes;
	int64_t offset;
};
/* A topic's parts follow one another: topic (with its number of parts), then the parts. */
void protocol_fetch_begin(
    struct weir_buf *out, int16_t version, const struct protocol_fetch_request *request, uint32_t topic_count);
void protocol_fetch_topic(
    struct weir_buf *out, int16_t version, struct weir_slice name, const struct log_id *id, uint32_t part_count);
void protocol_fetch_part(struct weir_buf *out, int16_t version, const struct protocol_fetch_part *part, bool last);
void protocol_fetch_end(struct weir_buf *out, int16_t version, const struct protocol_fetch_request *request);

struct protocol_fetch {
	struct wire_reader r;
	int16_t version;
	int32_t throttle_ms;
	int16_t error;
	uint32_t topics, parts;
	struct weir_slice name;
	struct log_id id;
};
struct protocol_fetched {
	struct weir_slice name; /* of the topic; up to version 12 */
	struct log_id id;       /* from version 13 on */
	int32_t partition;
	int16_t error;
	int64_t high, stable, low;  /* offsets: after the last replicated and the last decided one, the log's first */
	struct wire_reader aborted; /* protocol_aborted_next; empty: none */
	uint32_t aborted_count;
	int32_t preferred; /* replica to read from; -1: the leader */
	struct weir_slice records;
};
void protocol_fetched_begin(struct protocol_fetch *f, struct wire_reader r, int16_t version);
bool protocol_fetched_next(struct protocol_fetch *f, struct protocol_fetched *out);
struct protocol_aborted {
	int64_t producer_id, first_offset;
};
struct protocol_aborted protocol_aborted_next(struct wire_reader *r, int16_t version);

/*
 * ListOffsets and OffsetForLeaderEpoch: partitions of one topic, one answer for each. leader_epoch is the leader's as the
 * asker knows it, -1: not known; a leader of another epoch refuses.
 */
struct protocol_offset_part {
	int32_t partition, leader_epoch;
	int32_t epoch; /* OffsetForLeaderEpoch: whose end */
};
/* at: -2 the log's first offset, -1 its end. */
void protocol_request_offsets(struct weir_buf *out, int16_t version, int32_t correlation, bool committed,
    struct weir_slice topic, const struct protocol_offset_part *parts, uint32_t part_count, int64_t at);
/* Where the log of an epoch ends, as the leader has it. */
void protocol_request_epoch_ends(struct weir_buf *out, int16_t version, int32_t correlation, struct weir_slice topic,
    const struct protocol_offset_part *parts, uint32_t part_count);

struct protocol_offset {
	int32_t partition;
	int16_t error;
	int32_t epoch;  /* OffsetForLeaderEpoch: the largest that is not above the one asked for; -1: none */
	int64_t offset; /* -1: not known */
};
struct protocol_offsets {
	struct wire_reader r;
	enum protocol_api api;
	int16_t version;
	uint32_t parts; /* that are still to come */
	struct weir_slice topic;
};
/* False from either: no more, or bad (r.bad). An answer has one topic: another number of them is bad. */
bool protocol_offsets_begin(struct protocol_offsets *o, struct wire_reader r, enum protocol_api api, int16_t version);
bool protocol_offsets_next(struct protocol_offsets *o, struct protocol_offset *out);

/* The same for one partition. */
void protocol_request_offset(struct weir_buf *out, int16_t version, int32_t correlation, bool committed,
    struct weir_slice topic, int32_t partition, int32_t epoch, int64_t at);
bool protocol_read_offset(struct wire_reader *r, int16_t version, int16_t *error_out, int64_t *offset_out);
void protocol_request_epoch_end(struct weir_buf *out, int16_t version, int32_t correlation, struct weir_slice topic,
    int32_t partition, int32_t leader_epoch, int32_t epoch);
bool protocol_read_epoch_end(
    struct wire_reader *r, int16_t version, int16_t *error_out, int32_t *epoch_out, int64_t *end_out);

void protocol_request_sasl(struct weir_buf *out, int32_t correlation, const char *mechanism);
bool protocol_read_sasl(struct wire_reader *r, int16_t *error_out, struct weir_slice *first_mechanism_out);
void protocol_request_authenticate(struct weir_buf *out, int16_t version, int32_t correlation, struct weir_slice bytes);
bool protocol_read_authenticate(struct wire_reader *r, int16_t version, int16_t *error_out, struct weir_slice *text_out,
    struct weir_slice *bytes_out, int64_t *lifetime_ms_out);

#endif
