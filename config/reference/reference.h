/*
 * Reference data and operator requests: the messages of weir.cards (docs/formats.md), parsed and validated.
 *
 * Control plane: jansson, a few microseconds a message. A message either parses whole into one struct weir_reference
 * or is rejected with a text for people that names the member. Any thread; no global state.
 */
#ifndef WEIR_CONFIG_REFERENCE_H
#define WEIR_CONFIG_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/iccid.h"
#include "config/base/slice.h"

#define WEIR_ID_MAX 64 /* bytes of an id, with terminator: printable ASCII without spaces, braces or quotes */

enum weir_reference_type {
	WEIR_REF_CARRIER,
	WEIR_REF_PLAN,
	WEIR_REF_CARD,
	WEIR_REF_REQUEST,    /* an operator's, on a card or a pool */
	WEIR_REF_POOL,       /* a pool's definition; goes to the pool's partition */
	WEIR_REF_POOL_STATE, /* a pool's word to the partitions of its cards (docs/pools.md); weir's own */
	WEIR_REF_CHILD,      /* a sub-card to the partition of its parent (POOL-8); weir's own */
	WEIR_REF_ALERTS,     /* a ladder of alert levels (ALR-1), broadcast */
	WEIR_REF_GUARD,      /* an operator lets a tripped guard go (CMD-5), broadcast */
};
/* A pool's kinds are the plan's, less single. */
enum weir_plan_kind { WEIR_PLAN_SINGLE, WEIR_PLAN_ACCUMULATIVE, WEIR_PLAN_FIXED, WEIR_PLAN_METERED };
enum weir_card_status { /* LIFE-1 */
	WEIR_STATUS_TESTABLE,
	WEIR_STATUS_INACTIVE,
	WEIR_STATUS_IN_USE,
	WEIR_STATUS_SUSPENDED,
	WEIR_STATUS_DEACTIVATED,
	WEIR_STATUS_CANCELLED
};
enum weir_action {
	/* on a card */
	WEIR_ACTION_SUSPEND,
	WEIR_ACTION_RESUME,
	WEIR_ACTION_LIMIT,
	WEIR_ACTION_ADDON, /* also on a pool */
	WEIR_ACTION_ACTIVATE,
	WEIR_ACTION_DEACTIVATE,
	WEIR_ACTION_CANCEL,
	WEIR_ACTION_RENEW,
	WEIR_ACTION_REBIND,
	WEIR_ACTION_RESET,
	WEIR_ACTION_FLAG, /* upstream or carrier says so: id_verification, violation, abnormal */
	/* on a pool */
	WEIR_ACTION_FREEZE, /* account in arrears */
	WEIR_ACTION_PAID,   /* account paid */
	WEIR_ACTION_ENABLE, /* a disabled metered pool comes back (POOL-5) */
};
enum weir_device_lock { WEIR_DEVICE_LOCK_NONE, WEIR_DEVICE_LOCK_ALERT, WEIR_DEVICE_LOCK_SUSPEND };

/* Reasons to be cut off (SUS): bit numbers of a card's set. */
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
	WEIR_REASON_RESET, /* SUS-6: for its 15 minutes */
	WEIR_REASON_COUNT,
	WEIR_REASON_NONE = 255
};
#define WEIR_REASON_BIT(reason) ((uint16_t)(1u << (reason)))
/* As in JSON; "none" for what is no reason. */
const char *weir_reason_name(unsigned reason);

#define WEIR_NO_LIMIT UINT64_MAX
#define WEIR_ALERT_LEVELS_MAX 16

struct weir_ref_carrier {
	char id[WEIR_ID_MAX];
	char zone[64];
	uint32_t cycle_day; /* 1-28 */
	bool named_after_end;
	uint64_t mb_bytes;
	/* What it can do, as data (SUS-4): reasons it cannot enforce on cards outside and inside pools. */
	uint16_t unsupported_single;
	uint16_t unsupported_pooled;
	enum weir_device_lock device_lock; /* SUS-5 */
	uint32_t rebinds_per_month;        /* calendar month in its zone; 0 = no bound */
	uint64_t test_quota_bytes;         /* LIFE-3, default 6 of its MB */
	uint32_t test_months;              /* default 6; 0 = no end */
	uint32_t silent_months;            /* LIFE-4, default 6; 0 = no silent period */
	uint32_t cancel_months;            /* LIFE-7, default 3 */
};

struct weir_ref_plan {
	char id[WEIR_ID_MAX];
	char carrier[WEIR_ID_MAX];
	enum weir_plan_kind kind;
	uint64_t allowance_bytes; /* a card and cycle */
	uint64_t limit_bytes;     /* default usage limit, WEIR_NO_LIMIT = none */
	uint32_t term_months;     /* 0 = does not expire */
	bool directional;
	char alerts[WEIR_ID_MAX]; /* ladder of its cards, empty = "default" */
};

/* Optional members carry has_…: absent leaves what is stored. */
struct weir_ref_card {
	struct weir_iccid iccid;
	bool has_carrier, has_plan, has_status, has_limit, has_auto_restore, has_imei, has_pool, has_parent;
	bool has_since, has_activated, has_expires, has_tags, has_remark;
	char carrier[WEIR_ID_MAX];
	char plan[WEIR_ID_MAX]; /* empty = removed (null) */
	enum weir_card_status status;
	uint64_t limit_bytes; /* WEIR_NO_LIMIT = removed (null) */
	bool auto_restore;
	uint64_t imei14;          /* 0 = unbound */
	char pool[WEIR_ID_MAX];   /* empty = in no pool (null) */
	struct weir_iccid parent; /* zero = none (null); never the card itself */
	int64_t since_us;         /* when its status began; 0 = null */
	int64_t activated_us;     /* 0 = null */
	int64_t expires_us;       /* 0 = null: does not expire */
};

struct weir_ref_request {
	struct weir_iccid iccid; /* of the card; zero for a pool's */
	char pool[WEIR_ID_MAX];  /* of the pool; empty for a card's */
	enum weir_action action;
	uint64_t id_hash; /* XXH3 of id, 0 = none */
	char id[WEIR_ID_MAX];
	char by[WEIR_ID_MAX];
	int64_t time_us; /* as the request says; 0 = not given */
	uint64_t bytes;  /* limit or addon */
	bool has_auto_restore;
	bool auto_restore;
	int32_t cycle;    /* addon: cycle number it is for, -1 = the current one */
	uint32_t months;  /* renew; 0 = the plan's term */
	int64_t until_us; /* renew: new expiry instead of months, 0 = not given */
	uint8_t reason;   /* flag: enum weir_reason */
	bool set;         /* flag: raised or cleared */
};

struct weir_ref_pool {
	char id[WEIR_ID_MAX];
	char name[128]; /* UTF-8, for people */
	char carrier[WEIR_ID_MAX];
	char plan[WEIR_ID_MAX]; /* of its members; empty only for fixed and metered pools without one */
	enum weir_plan_kind kind;
	uint64_t total_bytes;     /* fixed: what was bought for a cycle */
	uint64_t threshold_bytes; /* > 0; WEIR_NO_LIMIT = none */
	bool threshold_suspends;  /* metered only; otherwise an alert */
	uint32_t retention_days;  /* arrears longer than this disable a metered pool (POOL-5), default 30 */
	char alerts[WEIR_ID_MAX]; /* ladder, empty = "default" */
};

struct weir_ref_pool_state {
	char pool[WEIR_ID_MAX];
	uint64_t epoch, version; /* later words have a higher pair */
	bool defined;            /* carrier, plan and kind are known */
	char carrier[WEIR_ID_MAX];
	char plan[WEIR_ID_MAX];
	enum weir_plan_kind kind;
	uint16_t cycle;                /* that reasons of the cycle hold for */
	uint16_t reasons;              /* pool_exhausted, pool_threshold, pool_frozen */
	uint64_t unreported_allowance; /* bytes an account's usage may move untold */
	uint64_t limit;                /* total or threshold that was met; 0 = none */
	uint64_t used;
	uint32_t active;    /* activated members of the addressed partition that the total counts (docs/pools.md) */
	int64_t crossed_us; /* arrival of the record that met it; 0 = none */
};

struct weir_ref_child {
	struct weir_iccid parent;
	struct weir_iccid child;
	bool removed;
};

/* Levels rise: percents before bytes; step_bytes > 0 instead of levels = every so many bytes. */
struct weir_ref_alerts {
	char id[WEIR_ID_MAX];
	uint32_t level_count;
	struct {
		bool is_percent;
		uint64_t value; /* 1..1000 percent, or bytes */
	} levels[WEIR_ALERT_LEVELS_MAX];
	uint64_t step_bytes;
};

struct weir_reference {
	enum weir_reference_type type;
	union {
		struct weir_ref_carrier carrier;
		struct weir_ref_plan plan;
		struct weir_ref_card card;
		struct weir_ref_request request;
		struct weir_ref_pool pool;
		struct weir_ref_pool_state pool_state;
		struct weir_ref_child child;
		struct weir_ref_alerts alerts;
	};
};

/* Parses one message. Carriers and plans are whole: a missing optional member gets its default. WEIR_POISON with err when
 * it breaks the schema (wrong types, ranges, unknown type or action, contradictions). */
enum weir_class weir_reference_parse(struct weir_slice json, struct weir_reference *reference_out, struct weir_error *err);

/*
 * A plan voucher, `Carrier_Type_Cycle_Version_Tier[/PoolID]` (CM_SF_M_1_30M, types SC SCD SF SFD UP UPG, cycles M Y), into
 * the plan's members that it tells: carrier (lower case), kind, directional. POISON with err for anything else.
 */
enum weir_class weir_voucher_parse(
    const char *text, struct weir_ref_plan *plan_out, char pool_out[WEIR_ID_MAX], struct weir_error *err);

/* Appends what a pool's definition (one that parsed) says for people, as JSON members: `"name":…,"batches":[…]`. Any
 * thread. */
void weir_reference_pool_texts(struct weir_slice json, struct weir_buf *out);

/* Append the JSON that parses back to the same; `defined` false leaves carrier, plan and kind out. Any thread. */
void weir_reference_print_pool_state(const struct weir_ref_pool_state *state, struct weir_buf *out);
void weir_reference_print_child(const struct weir_ref_child *child, struct weir_buf *out);

/* The shipped carriers (CYC-1): cm, cu, ct, al and an overseas example. Static. */
const struct weir_ref_carrier *weir_reference_shipped_carriers(uint32_t *count_out);

/* Names as in JSON. */
const char *weir_status_name(enum weir_card_status status);
const char *weir_plan_kind_name(enum weir_plan_kind kind);
const char *weir_action_name(enum weir_action action);

/*
 * Reads a reference file (YAML by .yaml/.yml, CSV by .csv: header line names the members, one card a row) and calls `emit`
 * for each upsert in an order that puts carriers before plans before cards: key (ICCID text, or empty for broadcasts) and
 * the JSON message. Validates each message and the file against itself (duplicate ids, a plan of an unknown carrier in the
 * same file, card carrier differing from its plan's): POISON with err "file:line: …". `emit` false stops the reading
 * (WEIR_RETRY). Returns WEIR_OK with the number emitted. The file is checked whole before anything is emitted.
 *
 * YAML: top-level lists `carriers`, `plans`, `cards`; a card may stand for a range: {iccid_from: "8986…", count: 1000, …}
 * counts the ICCID's trailing digits up. A carrier that the file does not name is a mistake if it names others, unless
 * shipped.
 */
typedef bool (*weir_reference_emit_fn)(void *ctx, const char *key, const char *json, size_t json_len);
enum weir_class weir_reference_read(
    const char *path, weir_reference_emit_fn emit, void *ctx, uint64_t *count_out, struct weir_error *err);

#endif
