/*
 * The owner of a partition: the state machine that makes "exactly once" of a core, a log, a store and an outbox.
 *
 * Pure: no thread, socket, clock or random number. The time comes in with each call; what the owner wants done goes out
 * through struct owner_io. The lane (lane.c, lane_io.c) stands behind it with Kafka, Redis and the dispatcher, the
 * simulator (tests/sim/owner.c) with logs, keys and faults drawn from a seed; both run this code. What is decided, and why
 * it is exact: owner.c.
 *
 * Thread: the one that owns the partition. Between owner_io.store_take and owner_taken the core, and nothing else, belongs
 * to whoever loads it.
 */
#ifndef WEIR_PIPELINE_OWNER_H
#define WEIR_PIPELINE_OWNER_H

#include "aggregators/partition.h"
#include "consumers/source/source.h"
#include "pipeline/dispatch/dispatch.h"
#include "pipeline/engine/outbox.h"
#include "pipeline/store/store.h"

/*
 * Wall time says what to show, to align and to compare with timestamps of records; steady time never jumps. Microseconds.
 */
struct owner_now {
	int64_t wall_us;
	int64_t steady_us;
};

enum owner_state {
	OWNER_NEW,
	OWNER_TAKING,  /* the store raises the epoch and loads the core */
	OWNER_RUNNING, /* reads, decides, flushes */
	OWNER_FENCED,  /* another owner was seen; waits for the group to agree, else takes the partition again */
	OWNER_STOPPED, /* cannot go on exactly; said so */
	OWNER_GONE,    /* given back; kept until its last request has come back */
};

/* What an owner is told once. All times in microseconds. */
struct owner_rules {
	struct weir_partition_opts core;                /* without epoch */
	const char *topics[WEIR_TOPICS_MAX];            /* inputs, then cards, then usage reports; borrowed */
	uint32_t topic_count, cards, reports;           /* places in topics; what lies before `cards` are inputs */
	uint32_t records_max, cards_max, reports_max;   /* messages of one batch */
	uint32_t tick_slots;                            /* background work of one round */
	uint32_t sparse_slots;                          /* see weir_partition_encode */
	uint32_t fetch_max, fetching_max;               /* strings in one request; requests at one time */
	uint32_t cycles_kept;                           /* past cycles (CYC-3) */
	uint64_t unflushed_max;                         /* bytes above which nothing is read */
	int64_t flush_interval_us, backlog_interval_us; /* the second while old records are read */
	int64_t retake_us;                              /* from fenced to taking again */
	bool read_new_logs; /* a log that was replaced or cut off is read on; false: the partition stops (REC-9) */
	int64_t leave_us;   /* longest that a give-back waits for its last flush */
};

enum owner_flush_phase {
	OWNER_FLUSH_NONE,
	OWNER_FLUSH_ENCODED, /* in memory; waits for the outbox */
	OWNER_FLUSH_SENT,    /* with the store */
};

/* The one flush that may be under way. */
struct owner_flush {
	enum owner_flush_phase phase;
	bool probe; /* changes nothing: that is how a Redis that lost writes is noticed at rest */
	uint64_t epoch;
	int64_t number;                              /* rises with each: tells two flushes at one position apart */
	int64_t before[WEIR_CHECKPOINT_OFFSETS_MAX]; /* by topic, then the flush number: what the store must hold */
	int64_t after[WEIR_CHECKPOINT_OFFSETS_MAX];  /* and holds then */
	struct log_name logs[WEIR_TOPICS_MAX];       /* that the offsets after it are places in */
	uint64_t bytes;                              /* of its body */
};

/* State of the messages that a flush waits for: those produced before it was encoded. */
enum owner_window {
	OWNER_WINDOW_OPEN,         /* some are not acknowledged yet */
	OWNER_WINDOW_ACKNOWLEDGED, /* all are */
	OWNER_WINDOW_REFUSED,      /* one was refused for good */
};

enum owner_note {
	OWNER_NOTE_TAKEN,
	OWNER_NOTE_FENCED,
	OWNER_NOTE_LOST_WRITES,
	OWNER_NOTE_NEW_LOG,
	OWNER_NOTE_UNPROVEN, /* leaders changed: what was read since the last flush is read again */
	OWNER_NOTE_STOPPED,
	OWNER_NOTE_GIVEN_BACK,
	OWNER_NOTE_LOST, /* taken away without a last flush */
};

/* The world, as an owner needs it. ctx is the owner's `ctx`. Nothing here may call the owner back, but for drain_results
 * and, from store_take, answers of requests sent before. */
struct owner_io {
	/* ---- log: one partition of each topic ---- */
	/* As weir_source_next. OK: release before the next. */
	enum weir_class (*next_batch)(
	    void *ctx, uint32_t topic, uint32_t max, struct weir_batch *batch_out, struct weir_error *err);
	void (*release_batch)(void *ctx, struct weir_batch *batch);
	/* The records of an input's batch, valid until the next call; returns their number. */
	uint32_t (*decode)(
	    void *ctx, uint32_t input, const struct weir_batch *batch, const struct weir_record **records_out);
	void (*source_drop)(void *ctx); /* no more batches until the rewind */
	enum weir_class (*source_rewind)(
	    void *ctx, const int64_t *offsets, const struct log_name *logs, struct weir_error *err);
	enum weir_proof (*prove)(void *ctx, struct log_name *logs_out); /* as weir_source_prove */
	int64_t (*source_lag)(void *ctx, uint32_t topic, int64_t offset);
	void (*source_commit)(void *ctx, const int64_t *offsets); /* what Kafka shows as lag; decides nothing */

	/* ---- store: requests are carried out in order; each is answered once ---- */
	bool (*store_connected)(void *ctx);
	/* Raises the epoch above the floor and loads; calls owner_load_begin, then loads the core. false: no room, later.
	 * Answer: owner_taken.
	 */
	bool (*store_take)(void *ctx, uint64_t epoch_floor);
	/* Opens the flush that o->flush describes, with room for bytes; then the writer, the purges and flush_end. */
	void (*flush_begin)(void *ctx, uint64_t bytes, struct weir_writer *writer_out);
	void (*purge_dedupe_keys)(void *ctx, int64_t hour);
	void (*purge_past)(void *ctx, int32_t cycle, uint32_t card_pages, uint32_t pool_pages);
	void (*purge_window)(void *ctx, unsigned kind, int32_t window, uint32_t first_page, uint32_t pages);
	/* Closes it with what keep_history made; returns its length. */
	uint64_t (*flush_end)(void *ctx, const struct weir_buf *history, uint32_t history_commands);
	bool (*store_flush)(void *ctx); /* false: no room, later. Answer: owner_flushed */
	/* false: no room, later. Answer: owner_fetched */
	bool (*store_fetch)(void *ctx, const struct weir_fetch_request *requests, uint32_t count);
	void (*store_cancel)(void *ctx); /* what waits for an unreachable store is answered CANCELLED */
	/* Appends an audit entry for a list in the store, in the store's own form; returns its commands. */
	uint32_t (*keep_history)(void *ctx, struct weir_buf *out, const char *list, struct weir_slice json);

	/* ---- outbox: at least once, in order, into the open window ---- */
	void (*dead_letter)(void *ctx, const struct weir_dead_letter *letter);
	void (*audit)(void *ctx, const struct weir_audit *audit, const char *key, struct weir_slice json);
	void (*publish)(
	    void *ctx, enum weir_outbox_topic topic, uint32_t partition, struct weir_slice key, struct weir_slice value);
	void (*window_close)(void *ctx);        /* the open one becomes the closed one, which must be acknowledged by now */
	enum owner_window (*window)(void *ctx); /* the closed one */

	/* ---- dispatcher ---- */
	bool (*enqueue)(void *ctx, const struct weir_pending_command *pending_command); /* false: no room, later */
	void (*forget_commands)(void *ctx); /* of this partition, whatever was enqueued */
	void (*drain_results)(void *ctx);   /* hands in those that wait */

	/* ---- figures ---- */
	/* A command's progress, before the core hears of it; state is the card's enforcement, or NULL. */
	void (*commanded)(void *ctx, const struct weir_command_result *result, const struct weir_enforcement_slot *state);
	void (*flushed)(void *ctx, int64_t took_us);
	void (*core_ends)(
	    void *ctx, const struct weir_partition_stats *stats); /* its figures are over, but for their sum */
	void (*note)(void *ctx, enum owner_note note, const char *text);
};

/* A topic's log that was replaced or cut off, to be read on once the stored state is loaded again. */
struct owner_new_log {
	enum log_verdict verdict; /* LOG_SAME: none */
	struct log_name log;
	int64_t next_offset; /* negative: from its start */
};

#define OWNER_MAGIC 0x4f574e52u

/* Others read; the files owner*.c write. */
struct owner {
	uint32_t magic;
	const struct owner_rules *rules; /* borrowed */
	const struct owner_io *io;       /* borrowed */
	void *ctx;
	uint32_t number;
	struct owner_now now; /* of the call that is under way */
	enum owner_state state;
	struct weir_partition *core; /* the loader's while taking */
	uint64_t epoch;
	uint32_t requests; /* with the store, of all kinds */
	uint32_t fetching; /* of them FETCH */
	bool take_due;     /* being taken, and the store has not heard of it */
	bool from_group;   /* being taken with the group's word: the source is started by whoever got it */
	bool rewind_due;   /* taken; the source does not deliver yet */
	bool drop_due;     /* stopped; the source still delivers */

	int64_t next_offset[WEIR_TOPICS_MAX];  /* next offset to fold */
	struct log_name logs[WEIR_TOPICS_MAX]; /* that it was last known to be a place in */
	struct owner_new_log new_logs[WEIR_TOPICS_MAX];
	bool reload_due;                    /* to be taken again, when the flush that is out has been answered */
	bool proving;                       /* a flush is due and waits for the source's proof: nothing is read */
	int64_t stored[WEIR_TOPICS_MAX];    /* as the store holds it */
	int64_t newest_us[WEIR_TOPICS_MAX]; /* newest Kafka timestamp read since it was taken; 0 = none */
	bool at_end[WEIR_TOPICS_MAX];       /* reached the end once since it was taken */
	bool cards_caught_up;               /* the card stage has: what it reports is no replay's */
	bool pools_caught_up;               /* the pool stage has: it publishes pool states */
	bool caught_up;                     /* both have, once; unknown states were enqueued */
	bool resumed;                       /* commands to enqueue come from stored state */
	bool changed;                       /* something to flush */

	struct owner_flush flush;
	int64_t flush_number;    /* of the last flush encoded */
	int64_t flush_due_us;    /* without a backlog; otherwise owner_flush_due_us */
	int64_t flushed_us;      /* wall time of the last one stored; 0 = none */
	int64_t checked_us;      /* when the watermark was last looked at */
	int64_t behind_us;       /* how old what was being read was then; 0 = at the end of all inputs */
	struct weir_buf history; /* audit entries since the last encode, in the store's form */
	uint32_t history_commands;
	struct weir_buf json; /* scratch */

	int64_t purge_hour; /* dedupe keys of hours up to here are deleted */
	int32_t purge_cycle;
	int32_t purge_window[WEIR_WINDOW_KINDS]; /* windows before are deleted, and pages of it */
	uint32_t purge_page[WEIR_WINDOW_KINDS];

	int64_t retake_us;
	bool lost_writes;                   /* being taken again because the store lost writes */
	struct weir_unconfirmed_list known; /* what was known of cards' states before that */
	bool leaving; /* being given back: what is published from here on is published again by the next owner */
	int64_t leave_until_us;
};

/* Borrows rules, io and ctx. */
struct owner *owner_new(const struct owner_rules *rules, uint32_t number, const struct owner_io *io, void *ctx);
void owner_free(struct owner *o);

/* Takes the partition: first of all. from_group: the caller starts the source at o->position when it is OWNER_RUNNING. */
void owner_take(struct owner *o, struct owner_now now, bool from_group);
/* Loader's thread: a new core for what is stored; called again when a load begins anew. false: the answer is FAILED. */
bool owner_load_begin(struct owner *o, const struct weir_store_header *header, int64_t wall_us);
/* Answers of the store. header: of DONE, what was loaded; of FENCED and FORGOT, what is stored now. error: of FAILED. */
struct owner_answer {
	enum weir_store_result result;
	const struct weir_store_header *header;
	const char *error;
	int64_t took_us;
};
void owner_taken(struct owner *o, struct owner_now now, const struct owner_answer *answer);
void owner_flushed(struct owner *o, struct owner_now now, int64_t number, const struct owner_answer *answer);
void owner_fetched(struct owner *o, struct owner_now now, const struct owner_answer *answer,
    const struct weir_fetch_request *requests, const struct weir_slice *values, uint32_t count);
/* The dispatcher's word on a command of this partition. */
void owner_command_result(struct owner *o, struct owner_now now, const struct weir_command_result *result);
/* Everything that is due, once; true when there may be more at once. */
bool owner_round(struct owner *o, struct owner_now now);
/* When owner_round is wanted at the latest, wall time; INT64_MAX = after an input. */
int64_t owner_next_due_us(const struct owner *o);
/* One step of giving back: the last flush. True when there is nothing more to wait for, or time is up: owner_gone. */
bool owner_leave(struct owner *o, struct owner_now now);
/* The partition is no longer ours; lost: it was not given back but taken away. */
void owner_gone(struct owner *o, struct owner_now now, bool lost);
/* Gone, and nothing refers to it any more: owner_free. */
bool owner_is_done(const struct owner *o);
/* Nothing that only this owner knows. */
bool owner_is_flushed(const struct owner *o);
/* Bytes that wait for the store. */
uint64_t owner_unflushed(const struct owner *o);

/* Words of the audit (docs/formats.md). */
const char *owner_event_name(uint8_t event);
const char *owner_action_name(uint8_t desired);
/* Whom an entry is of: a card's ICCID or a pool's id; the key of its message. */
void owner_audit_subject(const struct weir_audit *audit, char out[WEIR_ID_MAX]);

#endif
