/*
 * What of the windows was told to whom, and what is to be (ROL-3; docs/rollups.md): shared by the files feed_….c.
 *
 * Two sides, as everywhere in a partition. The cards' side tells its accounts' hours to their pools and emits cards' days.
 * It tells only what is stored: messages are made when a flush is encoded ("sealed"), and given out when that flush is in
 * the store. So what others know is always the usage of a state that will not be taken back, whichever account a replay
 * finds a record's card in. What was sealed and not yet acknowledged when an owner died is made again by the next one: the
 * walks' places and the list of restated windows are part of the state, as of the last flush whose messages were all given.
 *
 * The pools' side is a function of the log of weir.partials, so it emits its rows at once: a replay emits them again.
 */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEEDS_H
#define WEIR_AGGREGATORS_ROLLUPS_FEEDS_H

#include "aggregators/partition_priv.h"

/* All zones' hours end at quarters of an hour: watermarks are told in whole ones. */
#define WEIR_FEED_STEP_US (900 * 1000000ll)

/* Windows to be told (again): a set that keeps the order in which they came. */
struct weir_feed_pairs {
	struct weir_u64_list list; /* slot << 32 | window */
	struct weir_shard seen;
};
void weir_feed_pairs_add(struct weir_feed_pairs *pairs, uint32_t slot, int32_t window);
void weir_feed_pairs_clear(struct weir_feed_pairs *pairs);
void weir_feed_pairs_free(struct weir_feed_pairs *pairs);

/* A walk over all slots, for windows that end after from_us and up to to_us. */
struct weir_feed_scan {
	int64_t from_us, to_us;
	uint32_t next;
	bool running;
};

/* Where a side of cards is: accounts' hours, or cards' days. */
struct weir_feed_place {
	int64_t published_us; /* windows that end up to here were told */
	struct weir_feed_scan scan;
};
struct weir_feed_source {
	struct weir_feed_place now, safe; /* safe: as of the last flush whose messages were all given */
	struct weir_feed_pairs again;     /* restated, to be sealed */
	struct weir_u64_list sealing;     /* restated, sealed and not yet all given */
};

/* An account's hour of a cycle that the account has forgotten before it could be told. */
struct weir_feed_kept {
	uint32_t pool_local;
	int32_t hour, day;
	struct weir_counts usage;
};

struct weir_feed_message {    /* of weir.partials, waits for pages */
	int64_t published_us; /* a mark's; 0 = a window */
	bool begins;          /* a mark: its owner's first word */
	struct weir_usage_report_hour window;
	uint32_t source;
	bool fenced; /* who told it */
};

/* A pool's texts that were loaded before the pools were. */
struct weir_feed_text {
	char pool[WEIR_ID_MAX];
	char *text;
};

struct weir_feeds {
	int64_t watermark_us;

	/* cards' side */
	struct weir_feed_source hours, days;
	struct weir_feed_kept *kept;
	uint32_t kept_count, kept_cap, kept_sealed; /* the first kept_sealed are in the sealed messages */
	struct weir_outbox_message *sealed;
	uint32_t sealed_count, sealed_cap, given;
	struct weir_buf sealed_bytes;
	bool stored; /* the flush that sealed them is */
	bool placed; /* the owner has said from where on it tells hours */

	/* pools' side */
	int64_t *watermarks; /* by source: its hours up to here are told; 0 = not known */
	uint64_t *epochs;    /* by source: of the newest owner that was heard of */
	int64_t whole_us;    /* rows of windows that end up to here were emitted as complete */
	int64_t fed_us;      /* or at all */
	int64_t early_us;    /* before the first complete ones: start of the oldest window that was told; 0 = none */
	struct weir_feed_scan scan;
	bool scan_whole, scan_first; /* it emits complete rows; it is the first and leaves windows without traffic out */
	struct weir_feed_pairs hour_rows, day_rows; /* restated in this round */
	struct weir_feed_message *waiting;
	uint32_t waiting_count, waiting_cap;
	uint64_t revision; /* of the newest row */
	char **texts;      /* by pool slot: JSON members `"name":…,"batches":…` of its definition, NULL = none */
	uint32_t text_cap;
	struct weir_feed_text *early;
	uint32_t early_count, early_cap;

	struct weir_buf remembered; /* state as last written */
	struct weir_buf json;       /* scratch */
};

/* feeds.c */
void weir_feeds_init(struct weir_partition *p);
void weir_feeds_free(struct weir_partition *p);
/* A restated window of a card or an account; nothing when it was not told yet. */
void weir_feeds_card_changed(struct weir_partition *p, uint32_t slot, const struct weir_window *day);
void weir_feeds_pool_local_changed(struct weir_partition *p, uint32_t pool_local, const struct weir_window *hour);
/*
 * The first that is known of time, by a record or a watermark: no record is older than the horizon, so telling begins
 * there. Not by the watermark alone: it may already be the clock when a backlog of days was read at once.
 */
void weir_feeds_begin(struct weir_partition *p, int64_t at_us);
/* Puts in order up to where a record restates what was told (published_edge_us), after any change of it. */
void weir_feeds_edge(struct weir_partition *p);
/* Messages that wait for pages. */
uint32_t weir_feeds_waiting(const struct weir_partition *p);
void weir_feeds_unpark(struct weir_partition *p);
/* Before tables are encoded: makes messages of what is due, and writes down where it is. */
void weir_feeds_encode(struct weir_partition *p);
/* Of the sealed messages of a stored flush, at most max become tells; true when more are left. */
bool weir_feeds_give(struct weir_partition *p, uint32_t max);
int64_t weir_feeds_quarter(int64_t at_us);

/* feed_state.c: the state as a line of the reference data. */
void weir_feeds_remember(struct weir_partition *p);
/* False when it is none. */
bool weir_feeds_load(struct weir_partition *p, struct weir_slice json);
/* After the pages: false when it names slots that do not exist. */
bool weir_feeds_load_finish(struct weir_partition *p);

/* feed_cards.c */
void weir_feeds_seal(struct weir_partition *p);
/*
 * The account is about to count in `cycle`, and will hold no totals of those before the one before it: what is untold of
 * them is kept. False when bases must be fetched for that.
 */
bool weir_feeds_keep_cycles(struct weir_partition *p, uint32_t pool_local, int32_t cycle);

/* feed_pools.c */
enum weir_class weir_feeds_window(
    struct weir_partition *p, const struct weir_usage_report_hour *window, struct weir_error *err);
enum weir_class weir_feeds_watermark_of_source(
    struct weir_partition *p, const struct weir_source_watermark *watermark, struct weir_error *err);
/* Hears of a source's owner; false when a later one was heard of. */
bool weir_feeds_is_of_owner(struct weir_partition *p, uint32_t source, uint64_t epoch);
/* The pool is defined at last, and had traffic before: rows of what was told of late are due. */
void weir_feeds_pool_defined(struct weir_partition *p, uint32_t pool_slot);
/* Walks over pools; bounded; true when more is due. */
bool weir_feeds_tick(struct weir_partition *p, uint32_t max);
/* Rows of windows restated in this round become tells. */
void weir_feeds_publish_rows(struct weir_partition *p);
/* Windows up to here have been told by all sources; 0 = not all have told. */
int64_t weir_feeds_whole_us(const struct weir_partition *p);

/* feed_rows.c: rows as JSON, with their keys, into a list of messages. */
struct weir_feed_row {
	bool daily;
	struct weir_window window;
	struct weir_counts usage;
	bool complete;
	uint64_t revision;
};
#define WEIR_FEED_KEY_MAX (WEIR_ID_MAX + 40)
void weir_feed_pool_row(const struct weir_partition *p, uint32_t pool, const struct weir_feed_row *row,
    char key_out[WEIR_FEED_KEY_MAX], struct weir_buf *json);
/* The pool's texts for people, from its definition. Before the pools are loaded they are kept by id, until place_texts. */
void weir_feeds_pool_text(struct weir_partition *p, const char *pool, struct weir_slice json);
void weir_feeds_place_texts(struct weir_partition *p);
void weir_feed_card_row(const struct weir_partition *p, uint32_t slot, const struct weir_feed_row *row,
    char key_out[WEIR_FEED_KEY_MAX], struct weir_buf *json);

#endif
