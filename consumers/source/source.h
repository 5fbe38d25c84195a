/*
 * A source of records: Kafka, seen from a lane. Kinds of source stand behind these functions, and kafka.source chooses
 * among those that the caller knows (consumers/kinds.h): librdkafka's consumer (source_rdkafka.c), and the direct one,
 * which reads record batches where they were received (consumers/direct/).
 *
 * One source per lane, used by the lane's thread alone. It owns group membership and positions in the log; the lane owns
 * what the records mean. Batches are runs of messages of one topic and partition, slices into memory that stays valid until
 * the batch is released; nothing in the interface assumes one allocated object per message.
 *
 * A partition here is a number: partition p of every topic together (they are co-partitioned). Assignment comes through
 * weir_source_poll as callbacks: on_assign must fill where to start for each topic; on_revoke is called before the
 * partitions go (lost: they are gone already). Positions are never taken from Kafka's committed offsets; commits are for
 * lag monitoring.
 */
#ifndef WEIR_CONSUMERS_SOURCE_H
#define WEIR_CONSUMERS_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/log_place.h"
#include "config/base/slice.h"
#include "config/settings/settings.h"

#define WEIR_TOPICS_MAX (WEIR_INPUTS_MAX + 2) /* inputs in settings order, then topics.cards and topics.partials */
#define WEIR_OFFSET_START (-1)                /* from the log's beginning */

struct weir_message {
	struct weir_slice key;
	struct weir_slice value;
	int64_t offset;
	int64_t timestamp_us; /* Kafka's timestamp; 0 = none */
};

struct weir_batch {
	const struct weir_message *messages; /* owned by the source until released */
	uint32_t count;      /* may be 0: only records that are none (control batches, aborted transactions) were passed */
	int64_t next_offset; /* where reading goes on: behind the messages and what was passed after them; -1: not known */
	bool end;            /* after these messages the partition's end was reached */
	/* Of FATAL, where a log is no longer the one that was read; otherwise LOG_SAME: */
	enum log_verdict verdict;
	uint32_t topic;      /* whose log; it may be another one than was asked for */
	struct log_name log; /* that is there now */
	void *priv;
};

/* One partition's start offsets, by topic; filled by on_assign. */
struct weir_start {
	uint32_t partition;
	int64_t offsets[WEIR_TOPICS_MAX];
	struct log_name logs[WEIR_TOPICS_MAX]; /* that the offsets are places in; all zero: whichever is there */
};

struct weir_source_kind;

struct weir_source_opts {
	const struct weir_source_kind *const *kinds; /* to choose from, ended by NULL */
	const struct weir_settings *settings;
	const char *const *topics; /* borrowed for the source's life */
	uint32_t topic_count;
	uint32_t partitions; /* every topic must have so many, or the source fails; 0: not known */
	uint32_t lane;       /* names the member: <instance>-<lane> */
	int bell_fd;         /* eventfd written when messages or events arrive */
	void *ctx;
	/* false: could not get ready; the source takes none of them. */
	bool (*on_assign)(void *ctx, struct weir_start *starts, uint32_t count);
	void (*on_revoke)(void *ctx, const uint32_t *partitions, uint32_t count, bool lost);
};

struct weir_source;

enum weir_class weir_source_open(
    const struct weir_source_opts *opts, struct weir_source **source_out, struct weir_error *err);
/* Leaves the group (on_revoke is called for what is owned) and frees. */
void weir_source_close(struct weir_source *source);

/* Serves group events; may call on_assign and on_revoke. Fatal errors are returned. */
enum weir_class weir_source_poll(struct weir_source *source, struct weir_error *err);
/*
 * Lets the source do its own input and output, without waiting; each round, and once more before the lane sleeps. Returns
 * after how many us it wants to be called again at the latest (INT64_MAX: whenever). Calls nothing back.
 */
int64_t weir_source_serve(struct weir_source *source);
/* A descriptor that is readable when weir_source_serve has something to do; -1: the bell says so. */
int weir_source_fd(struct weir_source *source);
/*
 * Next batch of one topic and partition, at most max messages, without waiting. WEIR_RETRY: nothing there now. WEIR_FATAL:
 * the place asked for is no longer in the log (err says why): batch_out->verdict says how, batch_out->log which log is
 * there now, and batch_out->next_offset where reading it could go on. On WEIR_OK the batch must be released before the next
 * call for the same source.
 */
enum weir_class weir_source_next(struct weir_source *source, uint32_t topic, uint32_t partition, uint32_t max,
    struct weir_batch *batch_out, struct weir_error *err);
void weir_source_release(struct weir_source *source, struct weir_batch *batch);

enum weir_proof {
	WEIR_PROOF_GOOD,    /* all that was delivered came from the logs named */
	WEIR_PROOF_PENDING, /* brokers are being asked; the source's descriptor or the bell says when to ask again */
	WEIR_PROOF_AGAIN,   /* what was delivered since the last proof may be of a log that was cut off: rewind to read it
			       again */
	WEIR_PROOF_NONE,    /* it came from another log: weir_source_next says which */
};
/*
 * Before a partition's offsets are stored: in which logs are they places? GOOD fills logs_out, by topic, for what was
 * delivered up to this call; until then nothing more should be read, or it would have to be proven too. Never waits.
 */
enum weir_proof weir_source_prove(
    struct weir_source *source, uint32_t partition, struct log_name logs_out[WEIR_TOPICS_MAX]);
/* Goes back: the partition's topics continue at these offsets; messages of before are never delivered afterwards. */
enum weir_class weir_source_rewind(struct weir_source *source, const struct weir_start *start, struct weir_error *err);
/* Stops fetching a partition that is still assigned (fenced, or stopped). */
void weir_source_drop(struct weir_source *source, uint32_t partition);
/* Tells Kafka how far a partition is, for lag monitoring. Never waits. */
void weir_source_commit(struct weir_source *source, const struct weir_start *start);
/* Messages between the position given and the log's end as last known; 0 when not known. */
int64_t weir_source_lag(struct weir_source *source, uint32_t topic, uint32_t partition, int64_t offset);

/*
 * Partition counts of topics, asked of the cluster; FATAL naming what is missing or unequal and how to create it, RETRY
 * when it cannot be reached in timeout_ms. `topics` must have equal counts, the first one's is the measure; `others` only
 * exist.
 */
enum weir_class weir_source_check_topics(const struct weir_settings *settings, const char *const *topics,
    uint32_t topic_count, const char *const *others, uint32_t other_count, uint32_t timeout_ms, uint32_t *partitions_out,
    struct weir_error *err);

/*
 * Offsets that the group of the settings has committed, by topic, then partition (topic_count * partitions of them); -1:
 * none. RETRY when the group's coordinator does not answer in timeout_ms. Joins no group. Waits.
 */
enum weir_class weir_source_committed(const struct weir_settings *settings, const char *const *topics, uint32_t topic_count,
    uint32_t partitions, uint32_t timeout_ms, int64_t *offsets_out, struct weir_error *err);

/* A librdkafka configuration made of the settings (brokers, properties) for consumers and producers alike; opaque to
 * others. */
struct rd_kafka_conf_s;
struct rd_kafka_conf_s *weir_kafka_conf(const struct weir_settings *settings, struct weir_error *err);

#endif
