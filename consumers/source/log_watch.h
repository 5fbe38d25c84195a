/*
 * Watches the logs behind partitions that are read by a source which cannot tell one log from another (librdkafka 2.0
 * names neither topic id nor leader epoch), by asking the brokers beside it (log_identity.h; docs/logs.md "Proof").
 *
 * A partition is checked before it is read: its places must be in the logs that are there. While it is read, a proof says
 * that all that was delivered came from those logs. It rests on three facts: a round of questions that was begun after the
 * last message was delivered; a topic id that never comes back once it is gone; and a leader epoch that has not risen since
 * the round before. Where the epoch has risen and the new leader's part of the log begins below what was delivered, nobody
 * can tell whose records those were: the partition is to be read again from the last proven place.
 *
 * Belongs to the source's thread; never waits. Topics are numbered as in the source's opts.
 */
#ifndef WEIR_CONSUMERS_LOG_WATCH_H
#define WEIR_CONSUMERS_LOG_WATCH_H

#include "consumers/source/source.h"
#include "consumers/wire/log_identity.h"

enum watch_state {
	WATCH_NONE,     /* not started, or stopped */
	WATCH_CHECKING, /* not to be read yet */
	WATCH_READY,    /* may be read */
	WATCH_FAILED,   /* its log is not the one of its place: log_watch_error */
};

struct log_watch;

/* partitions: how many every topic must have; 0: not known. FATAL as log_identity_open. */
enum weir_class log_watch_open(
    const struct log_identity_opts *opts, uint32_t partitions, struct log_watch **watch_out, struct weir_error *err);
void log_watch_close(struct log_watch *watch);

/* The partition is to be read from these places on, once it is WATCH_READY; what was known of it before is forgotten. */
void log_watch_start(struct log_watch *watch, const struct weir_start *start);
/* One topic's place is in doubt (the brokers said: out of range): checked again, from that offset, before it is read on. */
void log_watch_recheck(struct log_watch *watch, uint32_t partition, uint32_t topic, int64_t next_offset);
void log_watch_stop(struct log_watch *watch, uint32_t partition);
/* A batch of the topic was delivered, up to that offset. */
void log_watch_delivered(struct log_watch *watch, uint32_t partition, uint32_t topic, int64_t next_offset);

enum watch_state log_watch_state(const struct log_watch *watch, uint32_t partition);
/* As weir_source_prove. */
enum weir_proof log_watch_prove(struct log_watch *watch, uint32_t partition, struct log_name logs_out[WEIR_TOPICS_MAX]);
/* What weir_source_next answers for a partition that is WATCH_FAILED. */
enum weir_class log_watch_error(
    const struct log_watch *watch, uint32_t partition, struct weir_batch *batch, struct weir_error *err);
/* FATAL when a topic has another number of partitions than it must have. */
enum weir_class log_watch_partitions(const struct log_watch *watch, struct weir_error *err);

/* Asks, and takes what comes; returns after how many us it wants to be called again at the latest. */
int64_t log_watch_serve(struct log_watch *watch);
/* Readable when log_watch_serve has something to do. */
int log_watch_fd(const struct log_watch *watch);
/* Did a partition become WATCH_READY since this was last asked? */
bool log_watch_took_ready(struct log_watch *watch);

#endif
