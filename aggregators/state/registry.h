/* Carriers, plans and ladders of a partition by number: their definitions and names. */
#ifndef WEIR_AGGREGATORS_STATE_REGISTRY_H
#define WEIR_AGGREGATORS_STATE_REGISTRY_H

#include "config/base/slice.h"
#include "config/calendar/calendar.h"
#include "config/reference/reference.h"

#define WEIR_CARRIER_NUMBERS 255

/* A carrier as this partition knows it, with the current cycle's window. */
struct weir_carrier_entry {
	struct weir_ref_carrier ref;
	struct weir_zone *zone;
	struct weir_window current;               /* by the enforcement clock */
	struct weir_window other;                 /* last window of another cycle that was asked for */
	struct weir_window hour, day;             /* the newest that a record was in (carrier_windows.c); empty at first */
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

struct weir_partition;

/* Numbers of carriers and plans; new ones get the next number. UINT32_MAX when there is no room. */
uint32_t weir_partition_carrier_number(struct weir_partition *p, const char *id);
uint32_t weir_partition_plan_number(struct weir_partition *p, const char *id);
enum weir_class weir_partition_define_carrier(
    struct weir_partition *p, const struct weir_ref_carrier *carrier, struct weir_error *err);
void weir_partition_define_plan(struct weir_partition *p, const struct weir_ref_plan *plan);

/* Names by number + 1; "" for 0. */
const char *weir_partition_carrier_name(const struct weir_partition *partition, uint32_t number_plus_1);
const char *weir_partition_plan_name(const struct weir_partition *partition, uint32_t number_plus_1);

/* All cards are to be evaluated anew, a bounded number a tick. */
void weir_partition_scan_all(struct weir_partition *p);

/* ALR-1, ALR-2. */
/* The ladder's number, given when new; 0 = "default". A name of kind `l` (docs/formats.md). UINT32_MAX: no room. */
uint32_t weir_ladder_number(struct weir_partition *p, const char *id);
void weir_ladder_define(struct weir_partition *p, const struct weir_ref_alerts *ref);
/* The ladder of a card or pool (number + 1, 0 = default). One that is named but not defined yet has no levels. */
const struct weir_ref_alerts *weir_ladder_of(const struct weir_partition *p, uint16_t ladder_plus_1);

/* Loading: the next carrier's, plan's or ladder's name, as it was stored; false when it is none. */
bool weir_partition_load_name(struct weir_partition *partition, struct weir_slice name);

#endif
