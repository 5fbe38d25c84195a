/*
 * The naive model: what weir must answer, worked out from the rules alone (DOMAIN.md) and from nothing of weir.
 *
 * It includes no header of the product and keeps every input it was ever given. An answer is found by looking through all
 * inputs again: no next threshold, no dedupe key, no page, no usage report; slow and plain on purpose. Cards, plans, pools
 * and carriers are small numbers that the caller gives out. It gets inputs in the order in which they were produced and
 * gives answers for quiet points, when everything produced has been taken in.
 *
 * Amounts are bytes, times microseconds UTC, cycles months since January 1970.
 */
#ifndef WEIR_SIM_MODEL_H
#define WEIR_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define MODEL_NONE UINT64_MAX
#define MODEL_CARDS 64
#define MODEL_PLANS 12
#define MODEL_POOLS 8
#define MODEL_CARRIERS 8
#define MODEL_ADDONS 64

enum model_zone { MODEL_SHANGHAI, MODEL_UTC, MODEL_BERLIN };
enum model_kind { MODEL_SINGLE, MODEL_ACCUMULATIVE, MODEL_FIXED, MODEL_METERED };
enum model_status {
	MODEL_TESTABLE,
	MODEL_INACTIVE,
	MODEL_IN_USE,
	MODEL_SUSPENDED,
	MODEL_DEACTIVATED,
	MODEL_CANCELLED,
};
enum model_lock { MODEL_LOCK_NONE, MODEL_LOCK_ALERT, MODEL_LOCK_SUSPEND };

/* A set of reasons, in the order of the table SUS. */
enum {
	MODEL_PLAN_EXHAUSTED = 1,
	MODEL_USAGE_LIMIT = 2,
	MODEL_POOL_EXHAUSTED = 4,
	MODEL_POOL_THRESHOLD = 8,
	MODEL_POOL_FROZEN = 16,
	MODEL_PLAN_EXPIRED = 32,
	MODEL_MANUAL = 64,
	MODEL_DEVICE_CHANGE = 128,
	MODEL_ID_VERIFICATION = 256,
	MODEL_VIOLATION = 512,
	MODEL_ABNORMAL = 1024,
	MODEL_RESET = 2048, /* SUS-6, for its 15 minutes */
};

struct model_carrier {
	enum model_zone zone;
	int day;
	bool named_after_end;
	unsigned unsupported_single, unsupported_pooled; /* SUS-4 */
	enum model_lock lock;                            /* SUS-5 */
	int rebinds;                                     /* a calendar month, 0 = any number */
	uint64_t test_quota;
	int test_months, silent_months, cancel_months; /* 0 = none */
};

struct model_plan {
	int carrier;
	enum model_kind kind;
	uint64_t allowance;
	uint64_t limit; /* MODEL_NONE = none */
	int term_months;
};

struct model_addon {
	int cycle;
	int id; /* 0 = none */
	uint64_t bytes;
};

struct model_card {
	bool known;
	int carrier, plan, pool; /* plan, pool: -1 = none */
	enum model_status status;
	uint64_t limit; /* its own, MODEL_NONE = none */
	bool auto_restore;
	bool held;        /* usage_limit held over from an earlier cycle */
	int lifted_cycle; /* SUS-1, -1 = not */
	int seen_cycle;   /* cycle in which the clock was last looked at */
	unsigned given;   /* reasons that somebody set, not usage */
	struct model_addon addons[MODEL_ADDONS];
	int addon_count;
	int64_t activated_us, expires_us; /* 0 = not, never */
	int64_t since_us;                 /* of its status */
	uint64_t test_used;
	int64_t reset_until_us;
	uint64_t imei; /* bound one, 0 = none */
	uint64_t seen_imei;
	int rebind_month, rebinds;
	int renew_id;
	bool renewed; /* its expiry is a renewal's */
};

struct model_pool {
	bool known;
	enum model_kind kind;
	int carrier, plan;
	uint64_t total, threshold;
	bool suspends;
	int64_t arrears_us, disabled_us; /* since when, 0 = not (POOL-5) */
	int retention_days;
	int known_cycle; /* in which it was defined first */
	struct model_addon addons[MODEL_ADDONS];
	int addon_count;
};

/* How a record says how much, and who it is. */
struct model_record {
	int card; /* -1 = nobody's */
	int partition;
	int64_t arrived_us;
	int64_t end_us, start_us;
	uint64_t id;      /* 0 = none */
	uint64_t session; /* 0 = none */
	uint64_t seq;
	bool has_seq, totals, start;
	uint64_t up, down;
	uint64_t imei;
};

enum model_verdict { MODEL_COUNTED, MODEL_DUPLICATE, MODEL_FUTURE, MODEL_TOO_LATE, MODEL_UNKNOWN };

/* A record and the verdict on it. */
struct model_fact {
	struct model_record record;
	enum model_verdict verdict;
	int cycle;
	int hour, day;   /* REC-5: hours since 1970, local days since 1970 */
	int pool;        /* POOL-3, -1 = none */
	bool pool_known; /* it was defined by then */
	bool exempt;     /* test traffic: counted, compared with nothing */
	uint64_t up, down;
};

struct model_usage {
	uint64_t up, down, records;
};

struct model {
	int64_t horizon_us, skew_us;
	int64_t now_us;
	int64_t stream_us[8]; /* by partition */
	struct model_carrier carriers[MODEL_CARRIERS];
	struct model_plan plans[MODEL_PLANS];
	bool plan_known[MODEL_PLANS];
	struct model_card cards[MODEL_CARDS];
	struct model_pool pools[MODEL_POOLS];
	struct model_fact *facts;
	int fact_count, fact_cap;
};

/* model_calendar.c: civil time without any library of zones. */
int64_t model_civil(int year, int month, int day, int second); /* of a wall clock that never changes, in seconds */
void model_date(int64_t civil_s, int *year, int *month, int *day, int *second);
int64_t model_offset_s(enum model_zone zone, int64_t at_us);
/* The instant at which a wall clock of the zone shows this civil second (first one, if there are two). */
int64_t model_instant(enum model_zone zone, int64_t civil_s);
int model_cycle(const struct model_carrier *carrier, int64_t at_us);
int model_day(enum model_zone zone, int64_t at_us);
int64_t model_cycle_start(const struct model_carrier *carrier, int cycle);
/* So many months later by the calendar: last day of the month where there is no such day. */
int64_t model_months_later(enum model_zone zone, int64_t at_us, int months);
int64_t model_next_month(enum model_zone zone, int64_t at_us); /* its first day, 00:00 */
int model_month(enum model_zone zone, int64_t at_us);

void model_init(struct model *model, int64_t horizon_us, int64_t skew_us);
void model_free(struct model *model);

/* The clock has reached now_us: cycles end, dates come. To be called before every input and before every question. */
void model_clock(struct model *model, int64_t now_us);
enum model_verdict model_record(struct model *model, const struct model_record *record);
/* The card's limit is set to this (MODEL_NONE = removed). */
void model_limit(struct model *model, int card, uint64_t limit);
void model_auto_restore(struct model *model, int card, bool auto_restore);
void model_resume(struct model *model, int card);
void model_addon(struct model *model, int card, int id, uint64_t bytes);
void model_pool_addon(struct model *model, int pool, int id, uint64_t bytes);
void model_freeze(struct model *model, int pool);
void model_paid(struct model *model, int pool);
bool model_enable(struct model *model, int pool);
void model_give(struct model *model, int card, unsigned set, unsigned clear);
void model_enter(struct model *model, int card, enum model_status status, int64_t since_us);
void model_plan(struct model *model, int card, int plan);
void model_activate(struct model *model, int card); /* by request */
void model_deactivate(struct model *model, int card);
void model_cancel(struct model *model, int card);
void model_renew(struct model *model, int card, int months, int id);
void model_bind(struct model *model, int card, uint64_t imei);
void model_rebind(struct model *model, int card);
void model_reset(struct model *model, int card);
/* When the clock brings something next; INT64_MAX = never. */
int64_t model_next_event(const struct model *model);

int model_card_cycle(const struct model *model, int card); /* by the clock */
struct model_usage model_usage(const struct model *model, int card, int cycle);
/* Of one hour or day (hour -1, or day -1, for any); card or pool -1 for any. */
struct model_usage model_window_usage(const struct model *model, int card, int pool, int hour, int day);
struct model_usage model_pool_usage(const struct model *model, int pool, int cycle);
int model_pool_cycle(const struct model *model, int pool);
int model_members(const struct model *model, int pool);
int model_activated_members(const struct model *model, int pool);
bool model_is_activated(const struct model *model, int card);
/* What is bought for the pool's current cycle; MODEL_NONE = no total. */
uint64_t model_pool_total(const struct model *model, int pool);
unsigned model_pool_reasons(const struct model *model, int pool);
/* What percents of the card's and the pool's ladder are of, 0 = nothing; and what is compared with it. */
uint64_t model_card_base(const struct model *model, int card);
uint64_t model_card_metered(const struct model *model, int card);
uint64_t model_pool_base(const struct model *model, int pool);
unsigned model_reasons(const struct model *model, int card);
/* Those that the card's carrier can act on; the card should be cut off while there is one (SUS-4). */
unsigned model_enforced(const struct model *model, int card);
/* LIFE-6: commands may be sent. */
bool model_commands(const struct model *model, int card);

#endif
