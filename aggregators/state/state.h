/*
 * A partition's whole state, split by owner. What several rooms of rules touch lies here; what one room alone touches is
 * that room's type, behind a pointer.
 */
#ifndef WEIR_AGGREGATORS_STATE_STATE_H
#define WEIR_AGGREGATORS_STATE_STATE_H

#include "aggregators/state/clock.h"
#include "aggregators/state/effects.h"
#include "aggregators/state/opts.h"
#include "aggregators/state/registry.h"
#include "aggregators/state/stats.h"
#include "aggregators/state/tables.h"
#include "config/base/check.h"

#define WEIR_PARTITION_MAGIC 0x57504152u
#define WEIR_PARKED_WORDS 64 /* of 64 cards each */

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
	struct weir_u64_list publish_queue; /* pool locals with something unpublished (slots) */
	struct weir_u64_list urgent;        /* those of them that are published with the round */
	struct weir_u64_list pool_states;   /* pools with a state update due (slots) */
	struct weir_u64_list scans; /* pool locals whose members are to be checked (slots), the first is being scanned */
	uint32_t scans_head;        /* how many of `scans` are done */
	int64_t published_us;       /* last tick of usage reports, clock */
	struct {                    /* scan of every pool: boundaries, arrears, retention */
		bool running;
		uint32_t next;  /* slot */
		int64_t due_us; /* when the next look begins; while it runs, what it has found so far */
	} scan;
	bool cards_caught_up; /* the card stage has caught up: usage reports are caught up ones */
	bool pools_caught_up; /* the pool stage has: pool states are published */
};

/* Places of the background scans over slots, a bounded number a tick. */
struct weir_scans {
	uint32_t scan_slot;     /* re-evaluation of cards after a plan, a carrier or a ladder changed: next slot */
	uint32_t boundary_slot; /* enforcement slots left to look at after a cycle ended */
	uint32_t session_sweep; /* next session slot to look at for expiry */
	bool scan_running;
	bool scan_all; /* all cards, not only those of changed plans */
	bool boundary_running;
};

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
	struct weir_guard *guard;       /* CMD-5: how many suspends were decided of late */
	struct weir_feeds *feeds;       /* what of the windows was published, and what is to be */
	struct weir_families *families; /* smart cards' children */
	struct weir_timers *timers;     /* cards' events that are near */
	struct weir_partition_stats stats;
};

static inline uint64_t
weir_add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t
weir_sub_saturating(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

#endif
