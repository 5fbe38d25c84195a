/*
 * What of the windows was published to whom, and what is to be (ROL-3; docs/rollups.md).
 *
 * Two sides, as everywhere in a partition. The cards' side publishes its pool locals' hours to their pools and emits cards'
 * days. It publishes only what is stored: messages are made when a flush is encoded ("sealed"), and given out when that
 * flush is in the store. So what others know is always the usage of a state that will not be taken back, whichever pool
 * local a replay finds a record's card in. What was sealed and not yet acknowledged when an owner died is made again by the
 * next one: the scans' places and the list of restated windows are part of the state, as of the last flush whose messages
 * were all given.
 *
 * The pools' side is a function of the log of weir.partials, so it emits its rows at once: a replay emits them again.
 */
#ifndef WEIR_AGGREGATORS_ROLLUPS_FEEDS_H
#define WEIR_AGGREGATORS_ROLLUPS_FEEDS_H

#include "aggregators/state/state.h"

/* All zones' hours end at quarters of an hour: watermarks are published in whole ones. */
#define WEIR_FEED_STEP_US (900 * 1000000ll)

/* Windows to be published (again): a set that keeps the order in which they came. */
struct weir_feed_pairs {
	struct weir_u64_list list; /* slot << 32 | window */
	struct weir_shard seen;
};

/* A scan over all slots, for windows that end after from_us and up to to_us. */
struct weir_feed_scan {
	int64_t from_us, to_us;
	uint32_t next;
	bool running;
};

/* Where a side of cards is: pool locals' hours, or cards' days. */
struct weir_feed_place {
	int64_t published_us; /* windows that end up to here were published */
	struct weir_feed_scan scan;
};
struct weir_feed_source {
	struct weir_feed_place now, safe; /* safe: as of the last flush whose messages were all given */
	struct weir_feed_pairs again;     /* restated, to be sealed */
	struct weir_u64_list sealing;     /* restated, sealed and not yet all given */
};

/* A pool local's hour of a cycle that the pool local has forgotten before it could be published. */
struct weir_feed_kept {
	uint32_t pool_local;
	int32_t hour, day;
	struct weir_counts usage;
};

struct weir_feed_message {    /* of weir.partials, waits for pages */
	int64_t published_us; /* a watermark's; 0 = a window */
	bool begins;          /* a watermark: its owner's first message */
	struct weir_usage_report_hour window;
	uint32_t source;
	bool fenced; /* who published it */
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
	bool placed; /* the owner has said from where on it publishes hours */

	/* pools' side */
	int64_t *watermarks; /* by source: its hours up to here are published; 0 = not known */
	uint64_t *epochs;    /* by source: of the newest owner that was heard of */
	int64_t whole_us;    /* rows of windows that end up to here were emitted as complete */
	int64_t fed_us;      /* or at all */
	int64_t early_us;    /* before the first complete ones: start of the oldest window that was published; 0 = none */
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

void weir_feeds_init(struct weir_partition *p);
void weir_feeds_free(struct weir_partition *p);

/* Messages that wait for pages. */
uint32_t weir_feeds_waiting(const struct weir_partition *p);

/* Before tables are encoded: makes messages of what is due, and writes down where it is. */
void weir_feeds_encode(struct weir_partition *p);

/* Of the sealed messages of a stored flush, at most max go to the outbox; true when more are left. */
bool weir_feeds_give(struct weir_partition *p, uint32_t max);

/* ---- for the owner ---- */

/*
 * Watermark of the partition's records (docs/rollups.md): the newest Kafka timestamp of the input that is furthest behind,
 * or the clock when all were read to their end. Never goes back. What it makes due is published with the next flushes.
 */
void weir_partition_watermark(struct weir_partition *partition, int64_t at_us);
/* Is there something that only a flush brings on: windows or rows due, and not sealed yet? */
bool weir_partition_feeds_due(const struct weir_partition *partition);
/* Which windows have ended for it, and up to where the rows of its pools are complete; 0 = not known yet. */
int64_t weir_partition_watermark_us(const struct weir_partition *partition);
int64_t weir_partition_complete_us(const struct weir_partition *partition);
/* The flush that was encoded last is in the store: windows and rows of it may be published. */
void weir_partition_stored(struct weir_partition *partition);

#endif
