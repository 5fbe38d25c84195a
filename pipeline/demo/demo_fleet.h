/*
 * The demo's fleet and its oracle: what each card used and what should be held against it, kept by the generator itself.
 *
 * Written apart from the engine on purpose and sharing none of its code: cycles come from gmtime and a fixed offset (China
 * has had no daylight saving since 1991, the overseas carrier is in UTC), sums are plain additions, reasons are computed
 * from scratch when asked for. One thread at a time: the generator while it runs, then the one that compares.
 */
#ifndef WEIR_PIPELINE_DEMO_FLEET_H
#define WEIR_PIPELINE_DEMO_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/base/random.h"

#define WEIR_DEMO_NO_LIMIT UINT64_MAX
#define WEIR_DEMO_CYCLES 4
#define WEIR_DEMO_ICCID_LEN 20

struct weir_demo_carrier {
	const char *id;
	const char *zone;
	int32_t offset_s;   /* of the zone, east of UTC */
	uint32_t cycle_day; /* 0 = today's: the cycle began today, so that late records reach the one before */
	bool named_after_end;
};

struct weir_demo_plan {
	const char *id;
	uint32_t carrier;
	const char *kind;
	uint64_t allowance; /* bytes; only a single plan's is a threshold of a card */
	uint64_t limit;     /* default usage limit, or WEIR_DEMO_NO_LIMIT */
	bool single;
};

/* How a card's records look; fixed for a card, as a device's carrier is. */
enum weir_demo_style {
	WEIR_DEMO_CANONICAL_ID,     /* record ids */
	WEIR_DEMO_CANONICAL_SEQ,    /* session and sequence number */
	WEIR_DEMO_CANONICAL_TOTALS, /* session totals so far */
	WEIR_DEMO_KORE,
	WEIR_DEMO_EMNIFY,
};

struct weir_demo_cycle { /* one cycle's sums; number = months since January 1970 */
	int32_t number;
	uint32_t records;
	uint64_t up, down;
};

struct weir_demo_card {
	char iccid[WEIR_DEMO_ICCID_LEN + 1];
	uint8_t carrier, plan, style;
	uint16_t pool;    /* index + 1; 0 = in none */
	bool deactivated; /* LIFE-6: counted, never commanded */
	bool manual;      /* an operator's suspend stands */
	uint64_t limit;   /* of its own, or WEIR_DEMO_NO_LIMIT */
	uint64_t addon_bytes;
	int32_t addon_cycle;
	uint64_t mean_bytes; /* of one record */
	uint64_t seq;        /* records sent, also the session's sequence number */
	uint64_t up_total, down_total;
	int64_t over_us; /* when it was first seen over a threshold; 0 = it is not */
	uint32_t cycle_count;
	struct weir_demo_cycle cycles[WEIR_DEMO_CYCLES];
};

/* Up to WEIR_DEMO_POOL_CARDS cards of one pooled plan. What its members used is kept here as well, record by record. */
struct weir_demo_pool {
	char id[32];
	uint8_t carrier, plan;
	uint32_t members, active; /* deactivated ones are members too */
	uint64_t mean_bytes;      /* of one record of each member, added up */
	uint64_t total;           /* fixed: bought for a cycle */
	uint64_t threshold;       /* metered */
	bool suspends;            /* at the threshold */
	bool frozen;              /* its account is in arrears */
	uint64_t addon_bytes;
	int32_t addon_cycle;
	int64_t over_us; /* when the operator first saw it cut off; 0 = it is not */
	uint32_t cycle_count;
	struct weir_demo_cycle cycles[WEIR_DEMO_CYCLES];
};

struct weir_demo_fleet {
	struct weir_demo_card *cards;
	uint32_t count;
	struct weir_demo_pool *pools;
	uint32_t pool_count;
	uint32_t cycle_days[8]; /* by carrier */
};

extern const struct weir_demo_carrier weir_demo_carriers[];
extern const uint32_t weir_demo_carrier_count;
extern const struct weir_demo_plan weir_demo_plans[];
extern const uint32_t weir_demo_plan_count;

/* A fleet over all carriers and plans. rate: records a second of the whole fleet, so that some cards run over in seconds.
 */
struct weir_demo_fleet *weir_demo_fleet_new(uint32_t cards, uint32_t rate, struct weir_random *rng, int64_t now_us);
void weir_demo_fleet_free(struct weir_demo_fleet *fleet);

/* The number of the billing cycle that holds an instant, for a zone with a fixed offset. */
int32_t weir_demo_cycle_number(int64_t at_us, int32_t offset_s, uint32_t cycle_day, bool named_after_end);
int weir_demo_day_of_month(int64_t at_us, int32_t offset_s); /* 1 to 31 */
int32_t weir_demo_card_cycle(const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, int64_t at_us);

/* Adds one record to the sums of its cycle, of the card and of its pool. False when it saw more cycles than there is room.
 */
bool weir_demo_card_count(
    struct weir_demo_fleet *fleet, struct weir_demo_card *card, int32_t cycle, uint64_t up, uint64_t down);
/* Sums of a cycle; zeros when nothing was counted. */
struct weir_demo_cycle weir_demo_card_sums(const struct weir_demo_card *card, int32_t cycle);

/* Reasons a card should hold in `cycle`, as in `weir card`: "plan_exhausted,usage_limit,pool_exhausted,…,manual" in this
 * order, or "none". */
#define WEIR_DEMO_REASONS_MAX 128
void weir_demo_card_reasons(
    const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, int32_t cycle, char out[WEIR_DEMO_REASONS_MAX]);
/* Whether the carrier should have cut it off. */
bool weir_demo_card_suspended(const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, int32_t cycle);

/* demo_pools.c: puts the fleet's cards with pooled plans into pools, some of which run over in seconds. */
#define WEIR_DEMO_POOL_CARDS 25
#define WEIR_DEMO_NO_TOTAL UINT64_MAX
void weir_demo_pools_make(struct weir_demo_fleet *fleet, double card_records_per_s, struct weir_random *rng);
bool weir_demo_pool_is(const struct weir_demo_pool *pool, const char *kind);
int32_t weir_demo_pool_cycle(const struct weir_demo_fleet *fleet, const struct weir_demo_pool *pool, int64_t at_us);
struct weir_demo_cycle weir_demo_pool_sums(const struct weir_demo_pool *pool, int32_t cycle);
/* Its total in a cycle, or WEIR_DEMO_NO_TOTAL. */
uint64_t weir_demo_pool_total(const struct weir_demo_pool *pool, int32_t cycle);
/* Reasons it gives its activated members, each with a comma before it. */
#define WEIR_DEMO_POOL_REASONS_MAX 64
void weir_demo_pool_reasons(const struct weir_demo_pool *pool, int32_t cycle, char out[WEIR_DEMO_POOL_REASONS_MAX]);

/* Messages of weir.cards as JSON; return the length. */
size_t weir_demo_carrier_json(const struct weir_demo_fleet *fleet, uint32_t carrier, char *out, size_t size);
size_t weir_demo_plan_json(uint32_t plan, char *out, size_t size);
size_t weir_demo_card_json(const struct weir_demo_fleet *fleet, const struct weir_demo_card *card, char *out, size_t size);
size_t weir_demo_pool_json(const struct weir_demo_pool *pool, char *out, size_t size);

#endif
