/*
 * The dispatcher's decisions, without a clock, a thread or I/O.
 *
 * In: pending commands, outcomes of calls, the time. Out: calls to start, results for the lanes. The same inputs at the
 * same times with the same seed give the same outputs, so a simulator on one thread can drive it and a failing run can be
 * replayed.
 *
 * A card has an entry only while something is going on. What decides is four facts of the entry:
 *   desired    the owner's newest word
 *   confirmed  what the carrier's card is in, as far as known: the owner's word until the first call, ours afterwards;
 *              unknown once a call may or may not have taken effect
 *   accepted   the carrier has taken a command and not finished it
 *   ask_first  a call's answer was lost (CMD-2)
 *   pending    for which states commands may be on their way inside the carrier; it does a card's commands in order, so
 *              that an answer to a SET settles all before it, and the answer to an ASK says nothing while one for the
 *              opposite may still come
 * A card needs a call exactly while accepted, ask_first or desired != confirmed; which call follows from the same facts.
 * So a command whose state is no longer desired vanishes by itself unless it may have reached the carrier (CMD-1).
 *
 * Entries wait in one of two queues of their carrier (suspends first, CMD-3), or in a heap of due times, or are in flight;
 * never in two places. Each operation is O(1) or O(log cards waiting). One carrier's trouble holds only its own cards.
 *
 * Time: microseconds on any axis that never goes back. Thread: one at a time.
 */
#ifndef WEIR_PIPELINE_DISPATCH_CORE_H
#define WEIR_PIPELINE_DISPATCH_CORE_H

#include "pipeline/carriers/carrier.h"
#include "pipeline/dispatch/dispatch.h"

/* How long a finished card is remembered, so that a pending command that crossed our result repeats nothing. */
#define WEIR_DISPATCH_LINGER_US 2000000
#define WEIR_DISPATCH_NEVER INT64_MAX

/* One carrier's limits (CMD-3); fields as in struct weir_carrier_settings. */
struct weir_dispatch_limits {
	uint32_t rate_per_s; /* never more calls than this start in any second; 0 = no limit */
	uint32_t concurrency;
	uint32_t cooldown_ms;
	uint32_t retry_min_ms, retry_max_ms;
	uint32_t breaker_failures, breaker_open_ms;
	uint32_t confirm_ms;
	uint32_t confirm_max_s; /* an accepted command is waited for that long, from when this process knows of it */
	bool can_ask;
};

/* A call to start now. Its outcome is handed back with `card`. */
struct weir_dispatch_call {
	uint32_t card; /* handle, valid until weir_dispatch_core_finish */
	struct weir_iccid iccid;
	uint32_t partition, slot;
	uint32_t carrier; /* index of the limits */
	uint32_t lane;
	enum weir_call_kind kind;
	uint8_t target;
	uint8_t confirmed;
	bool wants_intent; /* first call for this target: the intent goes before it */
	uint64_t token;    /* of that intent; no other has it */
	char ticket[WEIR_TICKET_MAX];
};

/* A change of a command's state for its owner; times on the core's axis. Called inside the core's functions. */
typedef void (*weir_dispatch_result_fn)(void *ctx, uint32_t lane, const struct weir_command_result *result);

struct weir_dispatch_core;

/* limits[0..count-1] are copied. The seed feeds the jitter of delays. */
struct weir_dispatch_core *weir_dispatch_core_new(const struct weir_dispatch_limits *limits, uint32_t count, uint64_t seed,
    weir_dispatch_result_fn result, void *result_ctx);
void weir_dispatch_core_free(struct weir_dispatch_core *core);

/* What the owner wants of one card, to be commanded through carrier index `carrier`. A pending command of desired state
 * unknown withdraws what was not sent, whatever state that leaves the card in; a command that may have reached the carrier
 * is still asked after, but not repeated. */
void weir_dispatch_core_enqueue(struct weir_dispatch_core *core, uint32_t lane, uint32_t carrier,
    const struct weir_pending_command *pending_command, int64_t now_us);
/* Drops the cards of a partition that `lane` enqueued; calls in flight end unreported. O(its cards). */
void weir_dispatch_core_forget(struct weir_dispatch_core *core, uint32_t lane, uint32_t partition);
/* Calls that may start now, at most max; they count as started. SENT is reported for each SET. */
uint32_t weir_dispatch_core_start(
    struct weir_dispatch_core *core, int64_t now_us, struct weir_dispatch_call *calls, uint32_t max);
/* What came of a started call. */
void weir_dispatch_core_finish(
    struct weir_dispatch_core *core, uint32_t card, const struct weir_outcome *outcome, int64_t now_us);
/* When weir_dispatch_core_start could have something to do next; <= now_us: at once; NEVER: only after an input. */
int64_t weir_dispatch_core_next_due(const struct weir_dispatch_core *core, int64_t now_us);

/* Fills all but the name. */
void weir_dispatch_core_counters(
    const struct weir_dispatch_core *core, uint32_t carrier, struct weir_carrier_counters *row_out);
/* Entries held, in any place. */
uint32_t weir_dispatch_core_cards(const struct weir_dispatch_core *core);

#endif
