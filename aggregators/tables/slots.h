/*
 * The slots' layouts: what lies in a slab's slot, in memory and in Redis alike (docs/formats.md gives the same byte by
 * byte).
 *
 * Little-endian, naturally aligned, sizes and offsets asserted. References between slots are slot + 1, so that a zeroed
 * slot refers to nothing.
 */
#ifndef WEIR_AGGREGATORS_TABLES_SLOTS_H
#define WEIR_AGGREGATORS_TABLES_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "config/base/card_state.h"
#include "config/base/iccid.h"
#include "config/reference/reference.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "slots are stored as they lie in memory: little-endian machines only"
#endif

struct weir_card_slot {
	struct weir_iccid iccid;
	uint64_t up; /* bytes of `cycle` */
	uint64_t down;
	uint64_t next_threshold; /* usage at which evaluation is due; UINT64_MAX = never. Derived */
	uint32_t records;
	uint32_t sessions;
	uint32_t last_s; /* end time of the newest record, seconds */
	uint16_t cycle;
	uint16_t reasons;
	uint16_t plan;      /* plan number + 1 */
	uint8_t carrier;    /* carrier number + 1 */
	uint8_t flags;      /* bits 0-2 enum weir_card_status, then WEIR_CARD_… */
	uint32_t overrides; /* terms slot + 1 */
};
_Static_assert(sizeof(struct weir_card_slot) == 64, "one cache line");
_Static_assert(
    offsetof(struct weir_card_slot, next_threshold) == 32 && offsetof(struct weir_card_slot, cycle) == 52, "as documented");
_Static_assert(offsetof(struct weir_card_slot, overrides) == 60, "as documented");

#define WEIR_CARD_STATUS_MASK 7u
#define WEIR_CARD_AUTO_REGISTERED 8u
#define WEIR_CARD_EXPIRED 16u      /* expiry has passed: plan_expired, and not an activated member (POOL-2) */
#define WEIR_CARD_HAS_CHILDREN 32u /* a smart card (POOL-8) */
#define WEIR_CARD_HAS_PARENT 64u
#define WEIR_CARD_MEMBER_ACTIVE 128u /* counted in its pool local's `active` */

/*
 * A card's lifecycle and its place in its pool: slab `l`, under the card's own slot number, so that nothing refers to it
 * and the fold can prefetch it beside the card.
 */
struct weir_lifecycle_slot {
	uint32_t pool_local; /* pool's pool local + 1; 0 = in no pool */
	uint32_t next;       /* member of the same pool local, card slot + 1 */
	uint32_t prev;
	uint32_t due_s; /* next event of its life, seconds UTC; 0 = none (docs/lifecycle.md) */
	union {
		struct {
			uint32_t activated_s; /* 0 = not yet */
			uint32_t expires_s;   /* 0 = no term is known; WEIR_LIFECYCLE_NEVER = does not expire */
		};
		uint64_t test_used; /* while testable: bytes counted against the quota (LIFE-3) */
	};
	uint32_t imei_low; /* bound IMEI's first 14 digits as a number: 32 bits, and 15 more */
	uint16_t imei_high;
	uint16_t ladder; /* alert levels of the card's cycle that were reached (ALR-1) */
};
_Static_assert(sizeof(struct weir_lifecycle_slot) == 32, "two a cache line");

#define WEIR_LIFECYCLE_NEVER UINT32_MAX

static inline uint64_t
weir_lifecycle_imei(const struct weir_lifecycle_slot *lifecycle)
{
	return (uint64_t)lifecycle->imei_high << 32 | lifecycle->imei_low;
}

struct weir_card_overrides_slot {
	uint32_t card;        /* + 1; 0 = free */
	uint32_t enforcement; /* + 1 */
	uint64_t limit;       /* bytes, UINT64_MAX = none of its own */
	uint64_t addon_bytes;
	uint64_t addon_id;     /* hash of the newest add-on's id in addon_cycle */
	uint16_t addon_cycle;  /* cycle for which addon_bytes hold */
	uint16_t lifted_cycle; /* cycle in which the limit is lifted (SUS-1), 0 = not */
	uint8_t flags;         /* WEIR_TERMS_… */
	uint8_t pad[3];
	uint32_t reset_s;            /* network reset ends (SUS-6), seconds UTC; 0 = none */
	uint16_t rebind_month;       /* calendar month number of `rebinds` */
	uint16_t exempt_cycle;       /* cycle for which exempt_bytes hold */
	uint64_t addon_id_before[2]; /* of the two add-ons before it */
	uint64_t exempt_bytes;       /* test traffic: counted, not compared with thresholds (LIFE-3) */
	uint64_t seen_imei14;        /* newest IMEI that is not the bound one */
	struct weir_iccid parent;    /* smart card it belongs to (POOL-8); zero = none */
	uint16_t alerts;             /* number of its own ladder + 1 */
	uint8_t rebinds;             /* in rebind_month */
	uint8_t pad2;
	uint32_t status_due_s; /* while reset_s is set: what the lifecycle slot's due_s stands for otherwise */
	uint64_t renew_id;     /* hash of the newest renewal's id */
	uint8_t spare[16];
};
_Static_assert(sizeof(struct weir_card_overrides_slot) == 128, "two cache lines");
_Static_assert(offsetof(struct weir_card_overrides_slot, renew_id) == 104, "as documented");

enum {
	WEIR_OVERRIDES_NO_AUTO_RESTORE = 1, /* usage_limit is not cleared by the cycle */
	WEIR_OVERRIDES_LIMIT_HELD = 2,      /* usage_limit holds over from an earlier cycle */
	WEIR_OVERRIDES_RENEWED = 4,         /* expiry is a renewal's: a change of plan does not bring it forward */
};

struct weir_enforcement_slot {
	uint32_t card;     /* + 1; 0 = free */
	uint8_t desired;   /* enum weir_desired */
	uint8_t confirmed; /* likewise, 0 = unknown */
	uint8_t command;   /* enum weir_command_state (state/command.h) */
	uint8_t target;    /* the state that command was for */
	uint16_t attempts;
	uint8_t reason; /* enum weir_reason that caused the decision */
	uint8_t
	    pending; /* states for which commands may be on their way inside the carrier, as a set: 1 active, 2 suspended */
	uint32_t input; /* topic of the causing record or request */
	int64_t offset; /* of it */
	int64_t record_us;
	int64_t decided_us;
	int64_t sent_us;
	int64_t confirmed_us;
	uint64_t limit;
	uint64_t usage_before;
	uint64_t usage_after;
	uint64_t overshoot; /* usage at confirmation above the limit */
	int64_t next_us;
	char ticket[48];
	int64_t arrived_us; /* Kafka timestamp of the causing message */
	uint8_t spare[104];
};
_Static_assert(sizeof(struct weir_enforcement_slot) == 256, "four cache lines");
_Static_assert(offsetof(struct weir_enforcement_slot, ticket) == 96, "as documented");

struct weir_session_slot {
	uint64_t key;  /* session hash; 0 = free */
	uint32_t card; /* + 1; WEIR_SESSION_GAPS marks a slot of missing ranges */
	uint32_t last_s;
	uint64_t seq_high;
	uint64_t seq_bits; /* bit i: seq_high - i was counted */
	uint64_t up_total;
	uint64_t down_total;
	uint16_t cycle; /* last counted in */
	uint8_t flags;  /* WEIR_SESSION_… */
	uint8_t spare;
	uint32_t gaps; /* slot + 1 of its missing ranges */
	int64_t last_us;
};
_Static_assert(sizeof(struct weir_session_slot) == 64, "one cache line");

#define WEIR_SESSION_GAPS UINT32_MAX
enum { WEIR_SESSION_LOST = 1 /* a missing range was given up: numbers below the window cannot be proven new */ };

/* Ranges of sequence numbers not seen, below a session's window: a slot of the sessions' slab. */
struct weir_session_gaps {
	uint64_t key;  /* not 0 */
	uint32_t card; /* WEIR_SESSION_GAPS */
	uint32_t count;
	struct {
		uint64_t from; /* first missing */
		uint64_t to;   /* last missing */
	} range[3];
};
_Static_assert(sizeof(struct weir_session_gaps) == 64, "as a session slot");

/*
 * A pool as one partition of the card stage sees it: slab `a` (docs/pools.md). The second line is what counting a record
 * takes, so that a pooled record costs one line more than any other.
 */
struct weir_pool_local_slot {
	char pool[WEIR_ID_MAX];        /* id, zero-padded; empty = free */
	uint64_t up, down;             /* bytes attributed (POOL-3) in `cycle` */
	uint64_t published_used;       /* as last published, of `published_cycle` */
	uint64_t unreported_allowance; /* bytes of usage that may go unpublished */
	int64_t crossed_us; /* arrival of the newest record counted and not reported; for the latency of a cut-off */
	uint32_t records, sessions;
	int32_t hour;   /* newest hour with a baseline (docs/rollups.md), hours since 1970; 0 = none */
	uint16_t cycle; /* 0 = nothing counted yet */
	uint16_t published_cycle;
	uint8_t carrier;      /* of the definition, number + 1; 0 = not known */
	uint8_t kind;         /* enum weir_plan_kind */
	uint8_t flags;        /* WEIR_ACCOUNT_… */
	uint8_t zone;         /* carrier of the card of its newest base, number + 1: whose calendar its windows go by */
	uint16_t plan;        /* of the definition, plan number + 1; 0 = none or not known */
	uint16_t reasons;     /* the pool's last state: pool_exhausted, pool_threshold, pool_frozen */
	uint32_t first;       /* member, card slot + 1 */
	uint32_t members;     /* cards in the pool */
	uint32_t active;      /* activated ones (POOL-2) */
	uint32_t member_scan; /* next member of a scan in progress, card slot + 1 */
	uint64_t before_up, before_down; /* in the cycle before it */
	uint32_t before_records, before_sessions;
	uint64_t published_before;
	uint32_t published_members;
	uint32_t published_active;
	uint32_t state_active;  /* activated members here that the state's total counts */
	uint16_t reasons_cycle; /* cycle for which the first two hold */
	uint16_t pad;
	uint64_t state_epoch, state_version;
	uint64_t cut_limit; /* for the audit of its members: what was met, and the pool's usage then */
	uint64_t cut_used;
	int64_t cut_us; /* arrival of the record that made the pool's state */
	uint64_t spare[3];
};
_Static_assert(sizeof(struct weir_pool_local_slot) == 256, "four cache lines");
_Static_assert(offsetof(struct weir_pool_local_slot, up) == 64 && offsetof(struct weir_pool_local_slot, first) == 128,
    "a line to count in");

enum {
	WEIR_POOL_LOCAL_SCAN = 1,      /* members are to be checked: from the start after a load */
	WEIR_POOL_LOCAL_QUEUED = 2,    /* in the list of pool locals with something to tell; memory only */
	WEIR_POOL_LOCAL_URGENT = 4,    /* to be published with the round, not with the tick; memory only */
	WEIR_POOL_LOCAL_PUBLISHED = 8, /* has reported to its pool at least once */
	WEIR_POOL_LOCAL_ASKS = 16,     /* has no state yet, or one whose carrier is not known here */
	WEIR_POOL_LOCAL_RESCAN =
	    32, /* activated members changed while it was exhausted: the next state update is scanned */
};

/* A pool in its own partition: slab `q`. */
struct weir_pool_slot {
	char id[WEIR_ID_MAX];  /* zero-padded; empty = free */
	uint32_t first_source; /* + 1 */
	uint32_t members;
	uint32_t active;
	uint16_t cycle; /* current one, by the clock; 0 = not defined yet */
	uint16_t plan;  /* plan number + 1 */
	uint8_t kind;
	uint8_t carrier; /* number + 1; 0 = not defined yet: sums, cuts nothing */
	uint8_t status;  /* enum weir_pool_status */
	uint8_t flags;   /* WEIR_POOL_… */
	uint16_t reasons;
	uint16_t ladder;          /* alert levels of `cycle` that were reached (ALR-1) */
	uint64_t total_bytes;     /* fixed */
	uint64_t threshold_bytes; /* WEIR_NO_LIMIT = none */
	uint64_t addon_bytes;     /* of addon_cycle */
	uint64_t addon_id[3];     /* hashes of its newest add-ons' ids */
	uint16_t addon_cycle;
	uint16_t retention_days;
	uint16_t published_reasons; /* as last published */
	uint16_t published_cycle;
	uint64_t published_allowance;
	uint64_t used; /* of `cycle`, sum over source totals */
	uint64_t state_version;
	int64_t changed_us;  /* POOL-6: last change */
	uint32_t arrears_s;  /* arrears since; 0 = none */
	uint32_t disabled_s; /* disabled since; 0 = not */
	uint16_t alerts;     /* number of its ladder + 1; 0 = default */
	uint16_t pad;
	uint32_t pad2;
	uint64_t effective_total; /* as last computed; UINT64_MAX = none or not known */
	int64_t crossed_us;       /* arrival of the record that made the last state */
	int64_t newest_us;        /* arrival of the newest record that a usage report counted */
	uint64_t evaluated_used;  /* `used` when reasons were last evaluated */
	uint64_t before_up;       /* of the cycle before, as last written to the past */
	uint64_t before_down;
	uint64_t before_records;
	uint64_t before_sessions;
};
_Static_assert(sizeof(struct weir_pool_slot) == 256, "four cache lines");

enum weir_pool_status { WEIR_POOL_IN_USE, WEIR_POOL_SUSPENDED, WEIR_POOL_DISABLED };
enum {
	WEIR_POOL_SUSPENDS = 1, /* threshold's action is suspend */
	WEIR_POOL_FROZEN = 2,
	WEIR_POOL_EVALUATE_DUE = 4, /* to be evaluated at the round's end; memory only */
	WEIR_POOL_DEFINED = 8,
	WEIR_POOL_FORCE = 16,   /* its state goes to every source, whatever was published; memory only */
	WEIR_POOL_ALERTED = 32, /* the threshold's alert of `cycle` was given */
};

/* The last usage report of one source partition: slab `h`. */
struct weir_pool_source_slot {
	uint32_t pool;   /* + 1; 0 = free */
	uint32_t next;   /* source total of the same pool, + 1 */
	uint32_t source; /* partition */
	uint32_t members;
	uint32_t active;
	uint16_t cycle;
	uint8_t flags; /* WEIR_SHARE_… */
	uint8_t pad;
	uint64_t epoch;
	uint64_t up, down, before_up, before_down;
	uint32_t records, sessions, before_records, before_sessions;
	int64_t at_us; /* Kafka time of the usage report */
	int64_t crossed_us;
	uint64_t spare[4];
};
_Static_assert(sizeof(struct weir_pool_source_slot) == 128, "two cache lines");

enum {
	WEIR_POOL_SOURCE_CAUGHT_UP = 1, /* reported by a source that had caught up */
	WEIR_POOL_SOURCE_NEW = 2,       /* asks for the pool's state; memory only */
};

/* A usage report as it travels in weir.partials: little-endian, docs/formats.md. */
struct weir_usage_report {
	char magic[4]; /* "WPA1" */
	uint32_t source;
	uint64_t epoch;
	uint32_t members;
	uint32_t active;
	uint16_t cycle;
	uint8_t flags; /* WEIR_PARTIAL_… */
	uint8_t pad[5];
	uint64_t up, down, before_up, before_down;
	uint32_t records, sessions, before_records, before_sessions;
	int64_t crossed_us;
	char pool[WEIR_ID_MAX];
};
_Static_assert(sizeof(struct weir_usage_report) == 152, "as documented");

/* A pool local's hour as it travels there too: its whole usage, of a state that is stored (docs/rollups.md). */
struct weir_usage_report_hour {
	char magic[4]; /* "WPH1" */
	uint32_t source;
	uint64_t epoch;
	int32_t hour; /* hours since 1970 of its start */
	int32_t day;  /* local days since 1970 */
	uint64_t up, down;
	uint32_t records, sessions;
	char pool[WEIR_ID_MAX];
};
_Static_assert(sizeof(struct weir_usage_report_hour) == 112, "as documented");

/* And how far a source has published its hours; or, its owner's first message about them, from where on it publishes. */
struct weir_source_watermark {
	char magic[4]; /* "WPM1"; an owner's first message "WPB1" */
	uint32_t source;
	uint64_t epoch;
	int64_t published_us; /* hours that end up to here were published before this; "WPB1": later ones are published
				 after it */
};
_Static_assert(sizeof(struct weir_source_watermark) == 24, "as documented");

enum { WEIR_REPORT_CAUGHT_UP = 1, WEIR_REPORT_ASKS = 2 /* wants the pool's state in any case */ };

/* A closed cycle's totals of one card (pages y:<cycle>:<page>) or pool (z:<cycle>:<page>). */
struct weir_closed_cycle_slot {
	uint64_t up;
	uint64_t down;
	uint32_t records;
	uint32_t sessions;
	uint64_t spare;
};
_Static_assert(sizeof(struct weir_closed_cycle_slot) == 32, "256 a page");

#endif
