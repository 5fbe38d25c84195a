/*
 * A partition's whole state and the pure functions over it: the core of both stages, cards and pools.
 *
 * (state, records, time) -> (state, effects). No I/O, no clock, no randomness, no thread: time is set by the owner before
 * each batch, what must be fetched is asked for in `fetch_requests`, what must be told to others lies in
 * `pending_commands`, `audits` and `rejects` until the owner has taken it. The same code runs in the lane, under the
 * simulator and in the benchmarks.
 *
 * Owned by one lane. Rules: REC-2 to REC-7 (fold.c, sessions.c), CYC-1 to CYC-4 (rollover.c), SUS (evaluate.c), LIFE
 * (lifecycle.c, timers.c), SUS-5 (device_lock.c), reference data (apply.c) and operators' requests (requests.c), POOL on
 * the cards' side (pool_local.c) and on the pool's (pools.c), ALR (ladders.c), CMD-5 (guard.c), commands' state
 * (command_state.c), ROL (window_usage.c, feed_….c), pages and marks to bytes (encode.c), and back (load.c). docs/pools.md,
 * docs/life.md and docs/rollups.md are the designs.
 */
#ifndef WEIR_AGGREGATORS_PARTITION_H
#define WEIR_AGGREGATORS_PARTITION_H

#include "aggregators/tables/closed_cycles.h"
#include "aggregators/tables/dedupe_keys.h"
#include "aggregators/tables/record.h"
#include "aggregators/tables/slab.h"
#include "aggregators/tables/slots.h"
#include "aggregators/tables/windows.h"
#include "config/base/slice.h"
#include "config/calendar/calendar.h"
#include "config/reference/reference.h"

/* Limits and rules that the owner takes from the settings. */
struct weir_partition_opts {
	uint32_t number;
	uint32_t dedupe_horizon_h;
	uint32_t dedupe_fresh_h;
	uint32_t session_retention_h;
	uint32_t future_skew_s;
	uint32_t parked_max;
	bool auto_register;
	const char *auto_register_carrier; /* borrowed */
	uint32_t partitions;               /* of the topics: pools' slack is shared by that many */
	uint64_t epoch;                    /* of this ownership: orders partials and words */
	uint64_t unreported_floor_bytes;
	uint32_t pool_tick_ms;
	uint32_t
	    guard_percent; /* CMD-5: share of the partition's cards suspended in guard_window_s that trips; 0 = no guard */
	uint32_t guard_cards_min; /* fewer never trip */
	uint32_t guard_window_s;
	uint32_t feed_grace_s; /* a window is told this long after the watermark has passed its end */
	uint32_t
	    feed_wait_s; /* then rows of pools wait this long for partitions that are behind; later ones are not complete */
	bool feed_pool_hourly, feed_pool_daily, feed_card_daily; /* which rows are told (ROL-3) */
	uint32_t card_hours_days, pool_hours_days;               /* how long hours are kept (ROL-1) */
	uint32_t day_cycles;                                     /* past cycles whose days are kept, at least 1 (ROL-1) */
};

/* A carrier as this partition knows it, with the current cycle's window. */
struct weir_carrier_entry {
	struct weir_ref_carrier ref;
	struct weir_zone *zone;
	struct weir_window current;               /* by the enforcement clock */
	struct weir_window other;                 /* last window of another cycle that was asked for */
	struct weir_window hour, day;             /* the newest that a record was in (window_usage.c); empty at first */
	struct weir_window hour_other, day_other; /* the last older one that was asked for */
	uint32_t hour_s, hour_len_s;              /* `hour` in seconds: what the fold compares with */
	bool known;                               /* false: named by a card or plan, not yet defined */
};

struct weir_plan_entry {
	struct weir_ref_plan ref;
	bool known;
	bool changed;    /* its cards wait for the re-evaluation scan */
	uint16_t alerts; /* number of its cards' ladder + 1; 0 = default */
};

/* A ladder of alerts (ALR-1) by number; number 0 is "default" (ALR-2). */
struct weir_ladder_entry {
	struct weir_ref_alerts ref;
	bool known;
};

enum weir_audit_event {
	WEIR_AUDIT_DECIDED, /* the desired state changed */
	WEIR_AUDIT_REASON,  /* the set of reasons changed, the desired state did not */
	WEIR_AUDIT_REQUEST, /* an operator's request was applied */
	WEIR_AUDIT_SENT,
	WEIR_AUDIT_ACCEPTED,
	WEIR_AUDIT_CONFIRMED,
	WEIR_AUDIT_FAILED,
	WEIR_AUDIT_REFUSED, /* an operator's request could not be applied: text says why, and by which rule */
};

/* One line of the audit (CMD-4): plain data, taken by the owner. */
struct weir_audit {
	struct weir_iccid iccid;
	uint32_t slot;
	uint8_t event;   /* enum weir_audit_event */
	uint8_t action;  /* enum weir_desired: 1 resume, 2 suspend */
	uint8_t reason;  /* that caused it; WEIR_REASON_NONE */
	uint8_t carrier; /* number + 1 */
	uint16_t reasons_before;
	uint16_t reasons;
	uint32_t input;
	int64_t offset;
	int64_t record_us, decided_us, sent_us, confirmed_us, at_us;
	uint64_t limit, usage_before, usage_after, overshoot;
	char ticket[48];
	char text[192]; /* request's action and reply, or the carrier's words */
	/*
	 * Of a pool, not of a card: iccid is zero and slot UINT32_MAX (its history is in `jp:<pool>`; the key is the pool's
	 * id), usage is the pool's of `cycle`, event is decided, request or refused. Empty for a card's, where cycle is not
	 * set.
	 */
	char pool[WEIR_ID_MAX];
	uint16_t cycle;
};

/* What is told to other partitions or to everybody: a message for Kafka, which a flush must wait for. */
enum weir_outbox_topic {
	WEIR_OUTBOX_USAGE_REPORTS,
	WEIR_OUTBOX_CARDS,
	WEIR_OUTBOX_ALERTS,
	WEIR_OUTBOX_POOL_HOURLY, /* rows of the feeds (docs/rollups.md) */
	WEIR_OUTBOX_POOL_DAILY,
	WEIR_OUTBOX_CARD_DAILY
};
#define WEIR_OUTBOX_BY_KEY UINT32_MAX
struct weir_outbox_message {
	uint8_t topic;      /* enum weir_outbox_topic */
	uint32_t partition; /* WEIR_OUTBOX_BY_KEY: by the key, as records are */
	uint32_t at;        /* key, then value, in weir_partition.outbox_bytes */
	uint16_t key_len;
	uint32_t value_len;
};

/* What made something happen: coordinates of the record or request. */
struct weir_cause {
	uint32_t input;
	int64_t offset;
	int64_t record_us;  /* the record's end time, or the request's time */
	int64_t arrived_us; /* Kafka timestamp of the message; 0 = none (clock) */
	uint64_t usage_before;
};

/* A string that a parked record, or a feed, waits for. */
enum weir_fetch_kind { WEIR_FETCH_DEDUPE_KEYS, WEIR_FETCH_CLOSED_CYCLE, WEIR_FETCH_WINDOW };
struct weir_fetch_request {
	uint8_t kind;   /* enum weir_fetch_kind */
	uint8_t window; /* of WEIR_FETCH_WINDOW: enum weir_window_kind */
	int64_t number; /* marks: hour; past: cycle; else the window's */
	uint32_t place; /* marks: bucket; past: card's slot; else the page */
};
#define WEIR_FETCH_KEY_MAX 64
/* Its key's name after the partition tag, and which bytes of it are wanted: *len_out 0 = all. */
void weir_fetch_key(
    const struct weir_fetch_request *fetch, char name_out[WEIR_FETCH_KEY_MAX], uint32_t *from_out, uint32_t *len_out);

struct weir_partition_stats {
	uint64_t records, counted, duplicates, stale, late, parked, up, down, cards_made;
	uint64_t suspends, resumes, decisions, gaps_lost;
	uint64_t activations, expiries, alerts, unsupported, reports_published, pool_states_published, pool_states_applied,
	    reports_applied, members_scanned;
	uint64_t guarded; /* suspends held back by a tripped guard */
	uint64_t
	    unattributed; /* counted in their card but too old for its pool's account; never with a horizon up to 25 days */
	uint64_t windows_published, windows_taken; /* of accounts to pools */
	uint64_t
	    windows_old; /* taken and left out: of a time whose windows are gone; never by what sources tell by the rules */
	uint64_t rows_published; /* of the feeds */
	uint64_t rows_again;     /* of them because a window changed that had ended (ROL-3) */
	uint64_t rejected[WEIR_REJECT_COUNT];
};

/* A card of which is told what it may be in at its carrier: an intent, or what an owner knew (unconfirmed.c). */
struct weir_unconfirmed_card {
	struct weir_iccid iccid;
	uint64_t token; /* of the intent, and of no other; 0 = it is none */
	uint8_t state;  /* enum weir_desired: what the command is for, or what was confirmed */
};

struct weir_unconfirmed_list {
	struct weir_unconfirmed_card *v;
	uint32_t n, cap;
};

#define WEIR_CARRIER_NUMBERS 255
#define WEIR_PARTITION_MAGIC 0x57504152u
#define WEIR_GUARD_SLICES 16
#define WEIR_PARKED_WORDS 64 /* of 64 cards each */

/* The enforcement clock and what follows from it (REC-3, REC-7): set by the owner before each batch and tick. */
struct weir_clock {
	int64_t now_us;            /* enforcement clock */
	int64_t stream_time_us;    /* highest Kafka timestamp, never above the clock */
	int64_t stream_hour_us;    /* start of its UTC hour; derived */
	int64_t too_late_us;       /* records before this are too late (REC-3); derived */
	int64_t future_us;         /* records after this are in the future (REC-7); derived */
	int64_t published_edge_us; /* a record before this may restate a window that was published; set by the feeds */
};

/* All that is stored by slot, hour or window, with its indexes. */
struct weir_tables {
	struct weir_slab cards, overrides, enforcements, sessions;
	struct weir_slab lifecycles; /* by the card's slot number */
	struct weir_slab pool_locals, pools, pool_sources;
	struct weir_shards card_index;
	struct weir_shards session_index;
	struct weir_shards pool_local_index, pool_index; /* by hash of the id */
	struct weir_dedupe_keys dedupe_keys;
	struct weir_closed_cycles closed_cycles;
	struct weir_closed_cycles pool_closed_cycles; /* by pool slot */
	struct weir_windows windows[WEIR_WINDOW_KINDS];
	struct weir_u64_list new_cards; /* directory entries to store: tag << 32 | slot */
};

/* Carriers, plans and ladders by number, and what of them the next flush stores. */
struct weir_registry {
	struct weir_carrier_entry *carriers;
	uint32_t carrier_count;
	struct weir_plan_entry *plans;
	uint32_t plan_count;
	struct weir_ladder_entry *ladders;
	uint32_t ladder_count;
	struct weir_buf new_names; /* names given since the last flush: lines "c:cm\n", "p:x\n" */
	uint32_t new_name_count;
	struct weir_buf new_references; /* field\0json\0 pairs to store */
	uint32_t new_reference_count;
};

/*
 * What a partition wants done outside. Rules append, the owner takes: weir_effects_drain gives each list to its handler and
 * empties it. Lists keep their memory, so that a round allocates nothing after warm-up.
 */
struct weir_effects {
	struct weir_records dead_letters; /* rejected records; their raw bytes are with the batch */
	struct {
		struct weir_audit *v;
		uint32_t n, cap;
	} audits;
	struct {
		struct weir_outbox_message *v;
		uint32_t n, cap;
		struct weir_buf bytes; /* keys and values */
	} outbox;
	struct weir_u64_list pending_commands; /* card slots whose desired or confirmed state changed */
	struct {
		struct weir_fetch_request *v;
		uint32_t n, cap;
	} fetch_requests;
};

/* Who does what a partition wants done; a handler that is NULL drops what it would get. */
struct weir_effects_handler {
	void *ctx;
	void (*dead_letter)(void *ctx, const struct weir_record *record);
	bool (*command)(void *ctx, uint32_t card_slot); /* false: no room, this one and those after it stay */
	void (*audit)(void *ctx, const struct weir_audit *audit);
	void (*publish)(
	    void *ctx, const struct weir_outbox_message *message, struct weir_slice key, struct weir_slice value);
	uint32_t (*fetch)(
	    void *ctx, const struct weir_fetch_request *requests, uint32_t count); /* how many of the first it took */
};
/* Empties the lists in this order: dead letters, commands, audits, outbox, fetches. Handlers must not change the partition.
 */
void weir_effects_drain(struct weir_effects *effects, const struct weir_effects_handler *to);

/* Records that wait for fetch requests, in order. */
struct weir_parked {
	struct weir_records records;
	/* Cards with parked ones, by the low bits of their slots; and with one of another device (SUS-5). */
	uint64_t cards[WEIR_PARKED_WORDS], devices[WEIR_PARKED_WORDS];
};

/* Commands whose outcome nobody knows: what intents and earlier owners said (unconfirmed.c). */
struct weir_unconfirmed {
	struct weir_unconfirmed_list intents_done; /* the next flush may delete them */
	struct weir_unconfirmed_list loaded;       /* while loading */
	struct weir_unconfirmed_list early;        /* of cards not made yet, sorted: they were new when the owner died */
};

/* Queues of both sides of the pools, in memory only. */
struct weir_pools_work {
	struct weir_u64_list publish_queue; /* accounts with something untold (slots) */
	struct weir_u64_list urgent;        /* those of them that are told with the round */
	struct weir_u64_list pool_states;   /* pools with a word due (slots) */
	struct weir_u64_list scans; /* accounts whose members are to be looked at (slots), the first is being walked */
	uint32_t scans_head;        /* how many of `scans` are done */
	int64_t published_us;       /* last tick of partials, clock */
	struct {                    /* look at every pool: boundaries, arrears, retention */
		bool running;
		uint32_t next;  /* slot */
		int64_t due_us; /* when the next look begins; while it runs, what it has found so far */
	} scan;
	bool cards_caught_up; /* the card stage has caught up: partials are settled ones */
	bool pools_caught_up; /* the pool stage has: words are told */
};

/* Places of the background scans over slots, a bounded number a tick. */
struct weir_scans {
	uint32_t scan_slot; /* re-evaluation of cards after a plan, a carrier or a ladder changed: next slot */
	bool scan_running;
	bool scan_all;          /* all cards, not only those of changed plans */
	uint32_t boundary_slot; /* enforcement slots left to look at after a cycle ended */
	bool boundary_running;
	uint32_t session_sweep; /* next session slot to look at for expiry */
};

/* CMD-5: how many suspends were decided of late. */
struct weir_guard {
	bool tripped;
	int64_t slice;                        /* newest slice of time that is counted (guard.c) */
	uint32_t suspends[WEIR_GUARD_SLICES]; /* by slice, modulo */
};

/* Split by owner: a room of rules changes its own part, the tables' slots, and adds to the effects. */
struct weir_partition {
	uint32_t magic;
	struct weir_partition_opts opts;
	struct weir_clock clock;
	struct weir_tables tables;
	struct weir_registry registry;
	struct weir_effects effects;
	struct weir_parked parked;
	struct weir_unconfirmed unconfirmed;
	struct weir_pools_work pools_work;
	struct weir_scans scans;
	struct weir_guard guard;
	struct weir_feeds *feeds;       /* what of the windows was told, and what is to be */
	struct weir_families *families; /* smart cards' children */
	struct weir_timers *timers;     /* cards' events that are near */
	struct weir_partition_stats stats;
};

/* Slabs by number, as pages and the header name them; letters of their keys. */
enum { WEIR_SLABS = 8 };
#define WEIR_SLAB_TAGS "cteslaqh" /* cards terms enforcements sessions lives accounts pools (q) shares (h) */
struct weir_slab *weir_partition_slab(struct weir_partition *partition, uint32_t number);

struct weir_partition *weir_partition_new(const struct weir_partition_opts *opts);
void weir_partition_free(struct weir_partition *partition);

/* Time, before each batch and tick. now_us: the clock. stream_us: highest Kafka timestamp seen, 0 = none new. */
void weir_partition_set_time(struct weir_partition *partition, int64_t now_us, int64_t stream_us);

/*
 * Folds decoded records in order. Rejected and parked ones are left in `rejects` and `parked`. Nothing is allocated once
 * tables have their size. Cost: docs/performance.md.
 */
void weir_partition_fold(struct weir_partition *partition, const struct weir_record *records, uint32_t count);

/* Applies one message of weir.cards. POISON with err when it cannot be applied (the owner dead-letters it). */
enum weir_class weir_partition_apply(struct weir_partition *partition, const struct weir_reference *reference,
    struct weir_slice json, const struct weir_cause *cause, struct weir_error *err);

/*
 * Takes one message of weir.partials: arrived_us its Kafka time. POISON with err for bytes that are no partial. Afterwards,
 * with the round's others, weir_partition_publish.
 */
enum weir_class weir_partition_apply_report(
    struct weir_partition *partition, struct weir_slice value, int64_t arrived_us, struct weir_error *err);

/* A stage has reached the end of its inputs since the take-over (docs/pools.md "Epochs"): what the replay touched is told.
 */
void weir_partition_caught_up(struct weir_partition *partition, bool cards, bool pools);

/* End of a round: partials and words that are due become `outbox`. Call after folding and ticking, before taking effects.
 */
void weir_partition_publish(struct weir_partition *partition);

/*
 * May the card's desired state be sent? False while its guard is tripped and it would be suspended (CMD-5), and for states
 * that take no commands (LIFE-6). The owner asks for each offer.
 */
bool weir_partition_may_send(struct weir_partition *partition, uint32_t card_slot);

/* Bounded background work (timers, cycle boundary, walks over pools' members, plan scan, session expiry); true when more is
 * due. */
bool weir_partition_tick(struct weir_partition *partition, uint32_t slots_max);

/* Answers of wishes; when all that were asked for are in, call weir_partition_unpark. */
bool weir_partition_fetched(
    struct weir_partition *partition, const struct weir_fetch_request *fetch, struct weir_slice value);
void weir_partition_unpark(struct weir_partition *partition);
/* Records or pools' windows that wait for wishes: no encode until there are none. */
uint32_t weir_partition_parked(const struct weir_partition *partition);

/*
 * Watermark of the partition's records (docs/rollups.md): the newest Kafka timestamp of the input that is furthest behind,
 * or the clock when all were read to their end. Never goes back. What it makes due is told with the next flushes.
 */
void weir_partition_watermark(struct weir_partition *partition, int64_t at_us);
/* Is there something that only a flush brings on: windows or rows due, and not sealed yet? */
bool weir_partition_feeds_due(const struct weir_partition *partition);
/* Which windows have ended for it, and up to where the rows of its pools are complete; 0 = not known yet. */
int64_t weir_partition_watermark_us(const struct weir_partition *partition);
int64_t weir_partition_complete_us(const struct weir_partition *partition);
/* The flush that was encoded last is in the store: windows and rows of it may be told. */
void weir_partition_stored(struct weir_partition *partition);
/*
 * The first window of a kind that is kept (ROL-1): what lies before it may be deleted. Rises with stream time (windows of
 * shares: with the sources' watermarks). WEIR_WINDOW_NONE: nothing is known to be deletable.
 */
int32_t weir_partition_windows_from(const struct weir_partition *partition, enum weir_window_kind kind);
/* Pages of a window of that kind: 0 .. count - 1. */
uint32_t weir_partition_window_pages(const struct weir_partition *partition, enum weir_window_kind kind);
/*
 * Usage of a card's or an account's window (kinds CARD_… and ACCOUNT_…): false while bases of it are not in memory (wishes
 * say which). A window without traffic is zero.
 */
bool weir_partition_usage(struct weir_partition *partition, enum weir_window_kind kind, uint32_t slot, int32_t number,
    struct weir_counts *usage_out);

/* A command's progress, as the dispatcher reported it. */
struct weir_command_report {
	uint32_t slot;
	uint8_t state; /* enum weir_command_state */
	uint8_t target;
	uint16_t attempts;
	int64_t at_us, next_us;
	const char *ticket, *text; /* borrowed */
	uint64_t token;            /* of the card's newest intent, 0 = none */
	uint8_t pending;           /* states for which commands may be on their way, as a set */
};
void weir_partition_command(struct weir_partition *partition, const struct weir_command_report *report);
/*
 * Offers every card whose desired state is not its confirmed one, or that a command in motion may take out of it;
 * unknown_too also those that an intent made unknown.
 */
void weir_partition_enqueue_all(struct weir_partition *partition, bool unknown_too);

/* The enforcement slot of a card, or NULL. */
struct weir_enforcement_slot *weir_partition_enforcement(const struct weir_partition *partition, uint32_t card_slot);
const char *weir_partition_carrier_name(const struct weir_partition *partition, uint32_t number_plus_1);
struct weir_card_slot *weir_partition_find(
    const struct weir_partition *partition, struct weir_iccid iccid, uint32_t *slot_out);
/* A pool that this partition owns, or its account here; NULL if there is none. */
struct weir_pool_slot *weir_partition_find_pool(const struct weir_partition *partition, const char *id, uint32_t *slot_out);
struct weir_pool_local_slot *weir_partition_find_pool_local(
    const struct weir_partition *partition, const char *id, uint32_t *slot_out);
/* Reasons that the carrier enforces on the card (SUS-4): the desired state is suspended exactly while there is one. */
uint16_t weir_partition_enforced(const struct weir_partition *partition, uint32_t card_slot);
static inline uint64_t
weir_card_used(const struct weir_card_slot *card)
{
	return card->up + card->down;
}
uint64_t weir_partition_bytes(const struct weir_partition *partition);
/* Bytes of state that only a flush lets go of. */
uint64_t weir_partition_unflushed(const struct weir_partition *partition);

/*
 * Where encode writes: the owner turns each call into a store command. Pages and ranges are copied during the call.
 */
struct weir_writer {
	void *ctx;
	void (*page)(void *ctx, char slab, uint32_t page, const uint8_t *data, uint32_t len);
	void (*range)(void *ctx, char slab, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len);
	/* letter: 'y' cards', 'z' pools' past cycles */
	void (*closed_cycles)(
	    void *ctx, char tag, uint32_t cycle, uint32_t page, uint32_t offset, const uint8_t *data, uint32_t len);
	uint8_t *(*dedupe_keys)(
	    void *ctx, int64_t hour, uint32_t bucket, uint32_t len);     /* append: returns where to write len bytes */
	uint8_t *(*directory)(void *ctx, uint32_t bucket, uint32_t len); /* append */
	void (*name)(void *ctx, struct weir_slice name);                 /* push */
	void (*reference)(void *ctx, struct weir_slice field, struct weir_slice json); /* set */
	void (*intent_done)(void *ctx, const struct weir_unconfirmed_card *intent);
	weir_windows_append_fn window; /* append */
};
/*
 * Writes all that changed since the last encode and forgets that it changed. The owner must not encode while records are
 * parked, and must either bring the bytes into the store or reload the partition. sparse_slots: below this many dirty slots
 * a page is written by ranges.
 */
void weir_partition_encode(struct weir_partition *partition, const struct weir_writer *writer, uint32_t sparse_slots);
/* Has anything changed that an encode would write? */
bool weir_partition_has_changed(const struct weir_partition *partition);
/* About how many bytes that will be, rather more than fewer: what to have room for, so that nothing moves as it grows. */
uint64_t weir_partition_encode_bytes(const struct weir_partition *partition);

/* Loading (before any fold): in this order; false = the stored bytes are not valid. */
void weir_partition_load_sizes(struct weir_partition *partition, const uint32_t slots[WEIR_SLABS], int64_t stream_time_us);
bool weir_partition_load_name(struct weir_partition *partition, struct weir_slice name);
bool weir_partition_load_reference(struct weir_partition *partition, struct weir_slice json);
bool weir_partition_load_page(struct weir_partition *partition, uint32_t slab, uint32_t page, struct weir_slice bytes);
bool weir_partition_load_intent(struct weir_partition *partition, const struct weir_unconfirmed_card *intent);
/* Builds indexes and free lists after the pages; false when slots contradict each other. */
bool weir_partition_load_finish(struct weir_partition *partition);

/* Adds what is known of cards' states at their carriers; in motion = unknown. Cards that it does not name are active. */
void weir_partition_known(const struct weir_partition *partition, struct weir_unconfirmed_list *known);
/*
 * After load_finish of a store that has lost its newest writes: cards whose stored state is not the one that was known are
 * unknown. Takes the list.
 */
void weir_partition_load_known(struct weir_partition *partition, struct weir_unconfirmed_list *known);
/* Something was sent for the card of which this partition knows nothing: its state is unknown. */
void weir_partition_unconfirmed(struct weir_partition *partition, struct weir_iccid iccid);
void weir_unconfirmed_push(struct weir_unconfirmed_list *list, const struct weir_unconfirmed_card *unconfirmed_card);
void weir_unconfirmed_free(struct weir_unconfirmed_list *list);

#endif
