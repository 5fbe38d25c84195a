/*
 * What the files of the direct source share: its partitions, its brokers, and the memory that responses lie in.
 *
 * A response's bytes stay where they were received. Each partition that has whole batches in it holds a segment, and a
 * response is free again when no segment refers to it. A broker's connection has two: one is received while the other is
 * walked.
 */
#ifndef WEIR_CONSUMERS_DIRECT_PRIV_H
#define WEIR_CONSUMERS_DIRECT_PRIV_H

#include "consumers/direct/records.h"
#include "consumers/source/source_kind.h"
#include "consumers/wire/conn.h"

#define RESPONSES 3u /* of a connection: one is walked, one waits, one is being received */
#define SEGMENTS 3u  /* of a partition: no more than one in each response */
#define PART_BYTES (1u << 20)
#define PART_BYTES_MAX (1u << 30)
#define FETCH_BYTES (4u << 20)
#define WAIT_MS_LEAST 5u

struct direct_response {
	uint8_t *bytes;
	size_t cap;
	uint32_t refs;
	bool filling;
};

/* Whole batches of one partition within a response. */
struct direct_segment {
	struct direct_response *response;
	const uint8_t *at, *end;
	struct wire_reader aborted;
	uint32_t aborted_count;
	int16_t version;
	bool begun;
};

enum direct_need {
	NEED_NOTHING,
	NEED_FIRST,     /* where the log begins: to start there */
	NEED_LOW,       /* an offset was out of range: does the log still hold the position? */
	NEED_HIGH,      /* and does it reach that far? */
	NEED_EPOCH_END, /* another leader: does its log agree up to the position? */
};

struct direct_aborted {
	int64_t producer_id, first_offset;
	bool over; /* its marker has passed */
};

/* A topic's partition. */
struct direct_part {
	uint32_t topic, number;
	bool assigned; /* ours, and not dropped */
	bool handed;   /* librdkafka reads it: an older message format */
	bool old;      /* what comes next is of an older format */
	bool flying;   /* in a fetch that is under way */
	bool checking; /* what it needs was asked */
	bool asked;    /* the lane came for messages since the last fetch that had it */
	bool end_known, end_reported;
	bool failed;
	enum direct_need need;
	struct log_id id; /* of the topic that is read; unknown until metadata named it, or with old brokers for ever */
	enum log_verdict verdict;     /* failed: because the log is no longer the one that was read */
	struct log_evidence evidence; /* for it */
	int64_t mismatch_us;          /* since when metadata names another id; 0: it does not */
	uint32_t generation;          /* answers to what was asked in an earlier one mean nothing */
	uint64_t asked_round;
	int32_t leader, epoch;   /* as metadata has it; -1: none known */
	int32_t read_epoch;      /* of the last batch delivered; -1: none */
	int64_t next_offset;     /* next offset to deliver */
	int64_t offset_reported; /* as the lane was told it */
	int64_t fetch_offset;    /* next offset to ask for */
	int64_t low, high, end;
	int64_t retry_us;
	uint32_t max_bytes, damages;
	struct direct_segment segments[SEGMENTS];
	uint32_t segment_count;
	uint32_t spent; /* of the segments: walked, kept until release */
	bool in_batch;
	struct record_batch batch;
	struct records_walk walk;
	struct weir_buf plain; /* unpacked batches */
	struct direct_aborted *aborted;
	uint32_t aborted_count, aborted_cap;
};

struct direct_flight {
	uint32_t topic, number, generation;
};

struct direct_node {
	struct conn conn; /* first: connections are nodes */
	int32_t id;       /* -1: of the settings, for metadata */
	struct direct_response responses[RESPONSES];
	struct direct_response *filling;
	struct direct_flight *flights;
	uint32_t flight_count, flight_cap;
	bool fetching;
	uint32_t turn, wait_ms;
	int64_t retry_us; /* throttled until then */
};

struct direct_topic {
	struct log_id id;
	bool known;
	int16_t error; /* of the last metadata, logged once */
};

struct direct_source {
	struct weir_source base;
	struct weir_source *group; /* librdkafka: membership, commits, older formats */
	struct weir_source_opts opts;
	struct security security;
	struct conn_opts conn_opts;
	int epoll_fd;
	int64_t now_us; /* of the last serve */
	uint64_t round;
	struct weir_random random;
	bool committed;
	int32_t min_bytes;
	uint32_t wait_ms_most, part_bytes, fetch_bytes;
	struct direct_part *parts; /* by partition, then topic */
	uint32_t part_cap;         /* partitions */
	struct direct_topic topics[WEIR_TOPICS_MAX];
	struct direct_node **nodes;
	uint32_t node_count;
	struct direct_node *meta_node; /* that was asked for metadata */
	int64_t meta_due_us;
	uint32_t meta_tries;
	uint32_t active;    /* parts assigned */
	bool repartitioned; /* a topic has another number of partitions than it must have; see error */
	struct weir_message *messages;
	struct direct_part *open; /* whose batch is out */
	struct records_codecs *codecs;
	struct weir_error error; /* of a part that failed: one at a time is told */
};

static inline struct direct_part *
direct_part(struct direct_source *s, uint32_t topic, uint32_t number)
{
	return number < s->part_cap && topic < s->opts.topic_count ? &s->parts[number * s->opts.topic_count + topic] : NULL;
}

/* Metadata names the topic that the part reads; old brokers name none. */
static inline bool
direct_part_has_log(const struct direct_source *s, const struct direct_part *part)
{
	const struct log_id *id = &s->topics[part->topic].id;
	return !log_id_is_known(id) || log_id_equals(&part->id, id);
}

static inline struct direct_node *
direct_node_of(struct conn *conn)
{
	return (struct direct_node *)conn;
}

/* direct_parts.c: a partition's segments */
void direct_part_take(struct direct_source *s, struct direct_part *part, const struct direct_segment *segment);
void direct_part_discard(struct direct_part *part);
void direct_part_spend(struct direct_part *part);
enum weir_class direct_part_next(
    struct direct_source *s, struct direct_part *part, uint32_t max, uint32_t *count_out, struct weir_error *err);

/* direct_fetch.c: asking for records, and what comes */
void direct_fetch_send(struct direct_source *s, struct direct_node *node);
bool direct_fetch_take(struct direct_source *s, struct direct_node *node, int16_t version, struct wire_reader r);
void direct_fetch_lost(struct direct_source *s, struct direct_node *node);
uint8_t *direct_fetch_room(struct direct_node *node, uint32_t len);

/* direct_meta.c: brokers and leaders */
void direct_meta_open(struct direct_source *s);
void direct_meta_want(struct direct_source *s, int64_t in_us);
void direct_meta_serve(struct direct_source *s);
bool direct_meta_take(struct direct_source *s, int16_t version, struct wire_reader r);
struct direct_node *direct_node(struct direct_source *s, int32_t id);

/* direct_check.c: offsets and epochs */
/* Stops reading the part: its log is no longer the one that was read. */
void direct_check_stop(struct direct_part *part, enum log_verdict verdict);
/* What the lane hears of a part that failed. */
enum weir_class direct_check_error(
    const struct direct_source *s, const struct direct_part *part, struct weir_batch *batch, struct weir_error *err);
void direct_check_send(struct direct_source *s, struct direct_part *part);
bool direct_check_take(struct direct_source *s, const struct conn_request *request, struct wire_reader r);

#endif
