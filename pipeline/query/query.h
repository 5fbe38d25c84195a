/*
 * The reader: cards, pools, usage and history as Redis has them. The face of the HTTP API, the command line and the
 * console.
 *
 * Redis only (docs/rollups.md "Reading"): a reader asks no lane and no Kafka, so that any number of processes may read, and
 * what it shows is no older than one flush (ROL-4). Nothing that counts is kept longer than a second; names of carriers and
 * plans and carriers' zones are kept ten, and the place of a pool's slot for good, but is checked with every use.
 *
 * One reader is one thread's: it holds one connection (and, in Redis Cluster, one more for each node that MOVED named),
 * which is opened by the first question and again after it was lost. A question is a few pipelined round trips, each
 * bounded by redis.timeout_ms. Everything that comes from Redis is input: lengths, references and lists are checked, and
 * what contradicts itself is an answer (WEIR_READ_BROKEN), never an assert.
 *
 * Ownership: texts and arrays of an answer belong to the reader and hold until its next question.
 * Amounts are bytes. Times are microseconds since 1970, 0 = none. Texts are never NULL; "" = none.
 *
 * Rejected: the functions weir_card and weir_pool (weir.lua), which search all partitions and run on Redis' one thread:
 * fine for a person, not for two thousand questions a second.
 */
#ifndef WEIR_PIPELINE_READ_H
#define WEIR_PIPELINE_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregators/tables/slots.h"
#include "config/base/error.h"
#include "config/base/iccid.h"
#include "config/calendar/calendar.h"
#include "config/reference/reference.h"
#include "config/settings/settings.h"

struct weir_reader;

/* How a question ended; all but OK fill err with words. In brackets what HTTP makes of it. */
enum weir_read {
	WEIR_READ_OK = 0,
	WEIR_READ_MISSING, /* there is no such card or pool (404) */
	WEIR_READ_REFUSED, /* the question is wrong; err names the parameter (400) */
	WEIR_READ_AWAY,    /* Redis is not reachable, is loading, or weir has not run yet: later perhaps (503) */
	WEIR_READ_BROKEN,  /* Redis refuses for good (password, rights), or what it has contradicts itself (500) */
};

/* ---- the reader ---- */

struct weir_reader_opts {
	const struct weir_settings *settings; /* borrowed for the reader's life */
	int64_t (*clock_us)(void *ctx);       /* NULL = the system's clock; decides which cycle is the current one */
	void *clock_ctx;
};

/* Connects nothing yet. */
struct weir_reader *weir_reader_new(const struct weir_reader_opts *opts);
void weir_reader_free(struct weir_reader *reader); /* NULL is fine */

/*
 * Asks Redis whether it answers and how many partitions there are: for readiness. The other questions do so by themselves.
 */
enum weir_read weir_reader_check(struct weir_reader *reader, uint32_t *partitions_out, struct weir_error *err);

/* Partition of a key by weir's partitioner (murmur2, as Java's and librdkafka's murmur2_random for keys). Any thread. */
uint32_t weir_read_partition_of(struct weir_slice key, uint32_t partitions);

/* ---- volumes and windows ---- */

struct weir_volume {
	uint64_t up, down;
	uint64_t records, sessions;
};
#define WEIR_VOLUME_NOT_KEPT UINT64_MAX /* sessions of a window that is no longer kept, or was never: nothing is known */
static inline bool
weir_volume_is_kept(const struct weir_volume *volume)
{
	return volume->sessions != WEIR_VOLUME_NOT_KEPT;
}
/* up + down, 2^64-1 when that is more. */
uint64_t weir_volume_bytes(const struct weir_volume *volume);

enum weir_span { WEIR_SPAN_HOUR, WEIR_SPAN_DAY, WEIR_SPAN_CYCLE };
/* "hour", "day", "cycle" and back; false for another word. */
bool weir_span_parse(const char *text, enum weir_span *span_out);
const char *weir_span_name(enum weir_span span);

/* One hour, day or cycle of a card or pool. Windows without traffic are there, with zeros. */
struct weir_usage_row {
	struct weir_window window; /* in the carrier's zone */
	int32_t cycle;             /* that the window belongs to */
	bool open;                 /* has not ended yet, by the clock */
	struct weir_volume volume;
};

struct weir_usage_rows {
	enum weir_span span;
	const char *zone;            /* IANA name */
	struct weir_usage_row *rows; /* oldest first */
	uint32_t count;
};
#define WEIR_USAGE_ROWS_MAX 2000u

/* ---- cards ---- */

#define WEIR_TAGS_MAX 3
#define WEIR_READ_CHILDREN_MAX 64

struct weir_command_view { /* the newest decision and how far its command has come; from the enforcement slot */
	bool exists;       /* false: active, and nothing was ever decided or all is done */
	enum weir_desired desired, confirmed;
	const char *state;  /* idle queued sent accepted confirmed failed */
	const char *action; /* suspend or resume: what the command is for; "" when idle */
	uint16_t attempts;
	uint8_t reason; /* enum weir_reason that caused the decision; WEIR_REASON_NONE */
	const char *ticket;
	const char *topic; /* of the record or request that caused it; "" = the clock or unknown */
	int64_t offset;
	int64_t record_us, arrived_us, decided_us, sent_us, confirmed_us, next_us;
	uint64_t limit; /* 0 = none */
	uint64_t usage_before, usage_after, overshoot;
};

struct weir_child_view { /* a smart card's sub-card (POOL-8) */
	struct weir_iccid iccid;
	bool known; /* false: no such card yet; the rest is zero */
	const char *carrier;
	const char *status; /* as shown */
	uint64_t used;
};

struct weir_card_view {
	struct weir_iccid iccid;
	char text[WEIR_ICCID_TEXT_MAX]; /* of the ICCID */
	uint32_t partition, slot;
	const char *carrier, *plan, *pool;
	bool plan_known; /* its definition has arrived: kind and allowance hold */
	enum weir_plan_kind plan_kind;
	uint64_t plan_allowance;
	enum weir_card_status stored_status; /* LIFE-1 as stored */
	const char *status; /* as shown: `suspended` while an enforced reason holds, `partially_in_use` (POOL-8) */
	bool auto_registered, expired;
	int64_t activated_us;
	int64_t expires_us; /* INT64_MAX: never; 0: not known */
	uint64_t test_used; /* while testable (LIFE-3) */
	uint64_t imei14;    /* 0 = none bound */
	/* usage of the current cycle */
	struct weir_window cycle; /* zeros when its carrier is not known */
	const char *zone;
	uint64_t mb_bytes;       /* its carrier's MB, in which people read amounts; 0 = not known */
	struct weir_volume used; /* what was counted */
	uint64_t metered;        /* what limits are compared with: bytes less test traffic */
	int64_t last_record_us;  /* end time of the newest record */
	/* limits */
	uint64_t limit; /* usage limit in force, its own or its plan's; WEIR_NO_LIMIT = none */
	bool limit_own;
	bool limit_lifted; /* SUS-1: for this cycle */
	bool auto_restore;
	uint64_t addons;    /* bytes, of this cycle */
	uint64_t total;     /* single plan's allowance and add-ons; WEIR_NO_LIMIT: a pool's card, or nothing known */
	uint64_t remaining; /* of the lower of total and limit, 0 when passed; WEIR_NO_LIMIT = no bound */
	/* cut-off */
	uint16_t reasons;      /* bits, WEIR_REASON_BIT */
	uint16_t not_enforced; /* those of them that the carrier does not enforce (SUS-4) */
	struct weir_command_view command;
	/* for people */
	const char *tags[WEIR_TAGS_MAX];
	uint32_t tag_count;
	const char *remark;
	/* smart cards (POOL-8) */
	bool has_parent;
	char parent[WEIR_ICCID_TEXT_MAX];       /* "" = none */
	const struct weir_child_view *children; /* weir_read_card only */
	uint32_t child_count;
	uint64_t children_used; /* sum, current cycle of each */
};

enum weir_read weir_read_card(
    struct weir_reader *reader, struct weir_iccid iccid, const struct weir_card_view **card_out, struct weir_error *err);

/* Several at once, an array in the order asked for; found_out[i] false: no such card. Children are not added up. At most
 * WEIR_PAGE_MAX. */
enum weir_read weir_read_cards(struct weir_reader *reader, const struct weir_iccid *iccids, uint32_t count,
    const struct weir_card_view **cards_out, bool *found_out, struct weir_error *err);

/*
 * Usage by window, for windows that overlap [from_us, to_us); 0, 0 = all that is kept, or for hours the last 24. REFUSED
 * for more than WEIR_USAGE_ROWS_MAX windows, for from_us >= to_us, and for a range that ends before what is kept
 * (`rollups.*`). A range that begins before it is cut to what is kept.
 */
enum weir_read weir_read_card_usage(struct weir_reader *reader, struct weir_iccid iccid, enum weir_span span,
    int64_t from_us, int64_t to_us, struct weir_usage_rows *rows_out, struct weir_error *err);

/* An entry of the audit (CMD-4), of a card or a pool. */
struct weir_history_entry {
	const char *event;  /* decided reason request sent accepted confirmed failed */
	const char *action; /* suspend resume */
	uint16_t reasons;   /* that held afterwards */
	uint8_t reason;     /* that caused it; WEIR_REASON_NONE */
	const char *rule;
	uint64_t limit, usage_before, usage_after, overshoot;
	const char *topic; /* "" = the clock */
	int64_t partition, offset;
	int64_t at_us, record_us, decided_us, sent_us, confirmed_us;
	const char *carrier, *ticket, *reply;
};
struct weir_history {
	const struct weir_history_entry *entries; /* newest first */
	uint32_t count;
	uint32_t unreadable; /* entries that were left out */
};
/* The last entries that Redis keeps (audit.history). Entries that cannot be read are left out. */
enum weir_read weir_read_card_history(
    struct weir_reader *reader, struct weir_iccid iccid, struct weir_history *history_out, struct weir_error *err);
enum weir_read weir_read_pool_history(
    struct weir_reader *reader, const char *pool, struct weir_history *history_out, struct weir_error *err);

/* Commands of a card out of its history: what belongs to one decision put together, newest first. */
struct weir_command_entry {
	const char *action;
	const char *state; /* decided sent accepted confirmed failed */
	uint8_t reason;
	const char *carrier, *ticket, *reply, *topic;
	int64_t partition, offset;
	uint64_t limit, usage_before, usage_after, overshoot;
	int64_t record_us, decided_us, sent_us, accepted_us, confirmed_us, failed_us;
};
struct weir_commands {
	const struct weir_command_entry *commands;
	uint32_t count;
};
enum weir_read weir_read_card_commands(
    struct weir_reader *reader, struct weir_iccid iccid, struct weir_commands *commands_out, struct weir_error *err);

/* ---- pools ---- */

struct weir_pool_view { /* POOL-6, and what it follows from */
	char id[WEIR_ID_MAX];
	uint32_t partition, slot;
	bool defined; /* false: cards name it, its definition has not arrived */
	const char *name, *carrier, *plan;
	enum weir_plan_kind kind;
	enum weir_pool_status status_code;
	const char *status; /* in_use suspended disabled; "undefined" */
	uint32_t cards;     /* members */
	uint32_t effective_cards;
	uint64_t plan_allowance;  /* 0 = not known */
	uint64_t effective_total; /* WEIR_NO_LIMIT = none (metered), or not known */
	struct weir_volume used;  /* of the cycle: sum over its pool locals of all partitions, no older than a flush */
	uint64_t used_evaluated;  /* as the pool's own partition knows it, by which it is judged (docs/pools.md) */
	bool has_remaining;
	int64_t remaining;          /* effective_total - used, may be negative */
	uint64_t addons, threshold; /* threshold: WEIR_NO_LIMIT = none */
	bool threshold_suspends;
	uint16_t reasons;
	bool frozen;
	int64_t arrears_us, disabled_us; /* since */
	uint32_t retention_days;
	struct weir_window cycle; /* zeros while undefined */
	const char *zone;
	uint64_t mb_bytes; /* its carrier's MB; 0 = not known */
	int64_t changed_us;
	const char *const *batches; /* batch numbers */
	uint32_t batch_count;
};

enum weir_read weir_read_pool(
    struct weir_reader *reader, const char *id, const struct weir_pool_view **pool_out, struct weir_error *err);
/* As of a card; hours are kept longer. Late news may be under way for one flush. */
enum weir_read weir_read_pool_usage(struct weir_reader *reader, const char *id, enum weir_span span, int64_t from_us,
    int64_t to_us, struct weir_usage_rows *rows_out, struct weir_error *err);

/* ---- lists, page by page ---- */

/*
 * A cursor is text of letters, digits, - and _; it is bound to its query: given with another one it is REFUSED, and so is
 * text that is no cursor. It does not expire. "" begins, and as `next` it says that there is no more.
 *
 * A page's work is bounded: it may hold fewer entries than `max`, even none, and still have a `next`.
 */
#define WEIR_CURSOR_MAX 96
#define WEIR_PAGE_MAX 1000u

struct weir_card_query {                         /* zero-initialised = every card; what is set must all hold */
	uint16_t reasons;                        /* any of these bits */
	uint32_t statuses;                       /* any of these: 1 << enum weir_card_status, as shown */
	const char *carrier, *plan, *pool, *tag; /* NULL or "" = any */
	struct weir_iccid from, to;              /* ICCID range, both inclusive; zero = open */
};

struct weir_card_page {
	const struct weir_card_view *cards;
	uint32_t count;
	uint64_t examined; /* cards that were read for it */
	char next[WEIR_CURSOR_MAX];
};
/*
 * Cards that match, in order of their place (partition, slot); cards that come or change meanwhile may be missed, cards
 * that stay are listed once. With `pool` the pool's members are scanned (MISSING when there is no such pool), with `tag`
 * the tagged cards. max 1..WEIR_PAGE_MAX.
 */
enum weir_read weir_read_search(struct weir_reader *reader, const struct weir_card_query *query, const char *cursor,
    uint32_t max, struct weir_card_page *page_out, struct weir_error *err);

/*
 * A pool's members with their usage: weir_read_search by pool alone. A card that is a member all the time is listed; one
 * may be listed twice when members leave while pages are taken.
 */
enum weir_read weir_read_members(struct weir_reader *reader, const char *pool, const char *cursor, uint32_t max,
    struct weir_card_page *page_out, struct weir_error *err);

struct weir_pool_query { /* zero-initialised = every pool */
	uint16_t reasons;
	uint32_t statuses; /* 1 << enum weir_pool_status */
	uint32_t kinds;    /* 1 << enum weir_plan_kind */
	const char *carrier, *plan;
	const char *name; /* part of id or name, letter case of ASCII aside */
};
struct weir_pool_page {
	const struct weir_pool_view *pools;
	uint32_t count;
	uint64_t examined;
	char next[WEIR_CURSOR_MAX];
};
enum weir_read weir_read_pools(struct weir_reader *reader, const struct weir_pool_query *query, const char *cursor,
    uint32_t max, struct weir_pool_page *page_out, struct weir_error *err);

/*
 * Usage of a page's cards at once, for exports: windows `first` to `first` + count - 1 by number (weir_window.number: local
 * days, cycles; no hours), at most 366. (*volumes_out)[i * count + w] is card i's; of windows that
 * are not kept weir_volume_is_kept is false. The page stays valid.
 */
enum weir_read weir_read_page_usage(struct weir_reader *reader, const struct weir_card_page *page, enum weir_span span,
    int32_t first, uint32_t count, const struct weir_volume **volumes_out, struct weir_error *err);

/* ---- the fleet ---- */

struct weir_name_count {
	const char *name;
	uint64_t count;
};
/* A pool that is near to what cuts it off: its total, or a metered pool's threshold. By what its own partition knows. */
struct weir_near_pool {
	char id[WEIR_ID_MAX];
	enum weir_plan_kind kind;
	enum weir_pool_status status;
	uint64_t used, limit;
	uint32_t cards;
};
#define WEIR_NEAR_POOLS 10

struct weir_fleet_view {
	uint64_t cards, pools;
	/* Out of a whole scan of all cards and pools, which ended at as_of_us; 0: the first one is still under way (done of
	 * cards).
	 */
	int64_t as_of_us;
	uint64_t done;
	uint64_t by_status[WEIR_STATUS_CANCELLED + 1]; /* as shown */
	uint64_t by_reason[WEIR_REASON_COUNT];         /* enforced or not */
	uint64_t with_reason, not_enforced;            /* cards with any; cards with one that is not enforced */
	uint64_t used;                                 /* bytes of current cycles */
	const struct weir_near_pool *nearest;          /* the largest share used first */
	uint32_t nearest_count;
	const struct weir_name_count *carriers;
	uint32_t carrier_count;
	/* of the headers, each asked now */
	uint32_t partitions;
	uint64_t records_read;  /* sum of next offsets of the input topics: its growth is the rate */
	int64_t stream_time_us; /* oldest of the partitions' */
};
/*
 * Bounded work: each call goes on with the scan of all cards by at most 1,024 pages (130,000 cards), and begins a new one
 * when the last is five seconds old. Call it again while as_of_us is 0 or too old.
 */
enum weir_read weir_read_fleet(
    struct weir_reader *reader, const struct weir_fleet_view **fleet_out, struct weir_error *err);

/* A partition's header, for operators. */
struct weir_partition_view {
	uint32_t partition;
	bool exists;
	uint64_t epoch, flush;
	const char *owner;
	int64_t stream_time_us;
	uint64_t cards, pools, enforcements, sessions; /* slots given out, less those never used */
	const char *const *topics;                     /* with a next offset each */
	const int64_t *offsets;
	uint32_t topic_count;
};
enum weir_read weir_read_partitions(struct weir_reader *reader, const struct weir_partition_view **partitions_out,
    uint32_t *count_out, struct weir_error *err);

/*
 * A partition as of one flush: its positions and every card's counters, for whoever counts anew what weir counted
 * (`weir verify`). Large: 64 bytes a card and 32 a card and closed cycle.
 */
struct weir_closed_cycle_page {
	int32_t cycle;
	const struct weir_closed_cycle_slot *slots; /* by card slot, card_slots of them; zeros where nothing is stored */
};
struct weir_snapshot_carrier {
	const char *id;
	bool defined; /* ref holds */
	struct weir_ref_carrier ref;
};
struct weir_snapshot {
	struct weir_partition_view partition;
	const struct weir_card_slot *cards; /* by slot; a zero ICCID is no card */
	uint32_t card_slots;
	const struct weir_closed_cycle_page *closed_cycles; /* oldest cycle first, those that are kept */
	uint32_t closed_cycle_count;
	const struct weir_snapshot_carrier *carriers; /* by number */
	uint32_t carrier_count;
};
/* AWAY when the partition was flushed again and again while it was read. */
enum weir_read weir_read_snapshot(
    struct weir_reader *reader, uint32_t partition, const struct weir_snapshot **snapshot_out, struct weir_error *err);

#endif
