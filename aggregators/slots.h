/*
 * The slots' layouts: what lies in a slab's slot, in memory and in Redis alike (docs/formats.md gives the same byte by
 * byte).
 *
 * Little-endian, naturally aligned, sizes and offsets asserted. References between slots are slot + 1, so that a zeroed
 * slot refers to nothing.
 */
#ifndef WEIR_AGGREGATORS_SLOTS_H
#define WEIR_AGGREGATORS_SLOTS_H

#include <stddef.h>
#include <stdint.h>

#include "config/base/iccid.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "slots are stored as they lie in memory: little-endian machines only"
#endif

/* Reasons to be cut off (SUS): bit numbers of weir_card_slot.reasons. */
enum weir_reason {
	WEIR_REASON_PLAN_EXHAUSTED = 0,
	WEIR_REASON_USAGE_LIMIT,
	WEIR_REASON_POOL_EXHAUSTED,
	WEIR_REASON_POOL_THRESHOLD,
	WEIR_REASON_POOL_FROZEN,
	WEIR_REASON_PLAN_EXPIRED,
	WEIR_REASON_MANUAL,
	WEIR_REASON_DEVICE_CHANGE,
	WEIR_REASON_ID_VERIFICATION,
	WEIR_REASON_VIOLATION,
	WEIR_REASON_ABNORMAL,
	WEIR_REASON_COUNT,
	WEIR_REASON_NONE = 255
};
#define WEIR_REASON_BIT(reason) ((uint16_t)(1u << (reason)))

struct weir_card_slot {
	struct weir_iccid iccid;
	uint64_t up; /* bytes of `cycle` */
	uint64_t down;
	uint64_t gate; /* usage at which evaluation is due; UINT64_MAX = never. Derived */
	uint32_t records;
	uint32_t sessions;
	uint32_t last_s; /* end time of the newest record, seconds */
	uint16_t cycle;
	uint16_t reasons;
	uint16_t plan;   /* plan number + 1 */
	uint8_t carrier; /* carrier number + 1 */
	uint8_t flags;   /* bits 0-2 enum weir_card_status; bit 3 auto-registered */
	uint32_t terms;  /* terms slot + 1 */
};
_Static_assert(sizeof(struct weir_card_slot) == 64, "one cache line");
_Static_assert(
    offsetof(struct weir_card_slot, gate) == 32 && offsetof(struct weir_card_slot, cycle) == 52, "as documented");
_Static_assert(offsetof(struct weir_card_slot, terms) == 60, "as documented");

#define WEIR_CARD_STATUS_MASK 7u
#define WEIR_CARD_AUTO_REGISTERED 8u

struct weir_terms_slot {
	uint32_t card;        /* + 1; 0 = free */
	uint32_t enforcement; /* + 1 */
	uint64_t limit;       /* bytes, UINT64_MAX = none of its own */
	uint64_t addon_bytes;
	uint64_t addon_id;     /* hash of the newest add-on's id in addon_cycle */
	uint16_t addon_cycle;  /* cycle for which addon_bytes hold */
	uint16_t lifted_cycle; /* cycle in which the limit is lifted (SUS-1), 0 = not */
	uint8_t flags;         /* WEIR_TERMS_… */
	uint8_t pad[3];
	uint64_t imei14;
	uint64_t addon_id_before[2]; /* of the two add-ons before it */
};
_Static_assert(sizeof(struct weir_terms_slot) == 64, "one cache line");

enum {
	WEIR_TERMS_NO_AUTO_RESTORE = 1, /* usage_limit is not cleared by the cycle */
	WEIR_TERMS_LIMIT_HELD = 2,      /* usage_limit holds over from an earlier cycle */
};

struct weir_enforcement_slot {
	uint32_t card;     /* + 1; 0 = free */
	uint8_t desired;   /* enum weir_desired */
	uint8_t confirmed; /* likewise, 0 = unknown */
	uint8_t command;   /* enum weir_command_state (dispatch.h) */
	uint8_t target;    /* the state that command was for */
	uint16_t attempts;
	uint8_t reason; /* enum weir_reason that caused the decision */
	uint8_t pad;
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

enum weir_desired { WEIR_DESIRED_UNKNOWN = 0, WEIR_DESIRED_ACTIVE = 1, WEIR_DESIRED_SUSPENDED = 2 };

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

/* A past cycle's totals of one card, as stored in pages y:<cycle>:<page>. */
struct weir_past_slot {
	uint64_t up;
	uint64_t down;
	uint32_t records;
	uint32_t sessions;
	uint64_t spare;
};
_Static_assert(sizeof(struct weir_past_slot) == 32, "256 a page");

const char *weir_reason_name(unsigned reason);

#endif
