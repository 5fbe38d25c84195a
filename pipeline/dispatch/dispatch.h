/*
 * The dispatcher: turns "card X is desired in state S" into carrier commands (CMD-1 to CMD-3).
 *
 * One thread per process. Lanes tell it the desired state of a card (level-triggered: the newest word replaces the older
 * one, and a command not yet sent for a state no longer desired is never sent); it keeps at most one command in flight
 * per card, obeys each carrier's limits, retries with growing jittered delay, polls tickets, asks the carrier for the
 * state after a timeout, and reports each change of a command's state to the lane that owns the card. It keeps
 * nothing on disk: the owner stores what it reports in the card's enforcement slot and enqueues unfinished cards
 * again after a restart.
 *
 * Thread: weir_dispatch_enqueue and weir_dispatch_next are for lane `lane`'s thread alone (SPSC rings inside).
 */
#ifndef WEIR_PIPELINE_DISPATCH_H
#define WEIR_PIPELINE_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "aggregators/state/command.h"
#include "config/base/error.h"
#include "config/base/iccid.h"
#include "pipeline/carriers/types.h"

/* What a lane wants: the desired and last confirmed state of one card. */
struct weir_pending_command {
	struct weir_iccid iccid;
	uint32_t partition;
	uint32_t slot;           /* card's slot; (partition, slot) identifies the card */
	uint8_t desired;         /* enum weir_desired; unknown: nothing is to be sent for the card (LIFE-6, CMD-5) */
	uint8_t confirmed;       /* as last known; equal to desired withdraws a command not yet sent */
	uint8_t resumed_state;   /* on restart: command state stored (ACCEPTED: poll the ticket first), else IDLE */
	uint8_t resumed_desired; /* the state that stored command was for */
	uint16_t resumed_attempts;
	uint8_t pending;  /* states that commands sent before are for which the carrier may not have done yet, as a set */
	uint64_t token;   /* of the intent; for the hook alone */
	char carrier[24]; /* carrier id; picks adapter and limits */
	char ticket[WEIR_TICKET_MAX];
};

/* What it reports back. */
struct weir_command_result {
	struct weir_iccid iccid;
	uint32_t partition;
	uint32_t slot;
	uint8_t state;     /* enum weir_command_state */
	uint8_t target;    /* enum weir_desired the command was for */
	uint8_t pending;   /* as in the pending command, as far as known now */
	uint16_t attempts; /* calls made for this target */
	uint64_t token;    /* of the card's newest intent, 0 = none was asked for */
	int64_t at_us;     /* when it happened, microseconds UTC */
	int64_t next_us;   /* when it will try again, 0 = no more tries due */
	char ticket[WEIR_TICKET_MAX];
	char text[80]; /* the carrier's words for FAILED or a retry, without secrets */
};

struct weir_dispatch;
struct weir_settings;

/*
 * Optional hook: called on the dispatcher's thread, once a batch, before the first call for each new target; writes
 * intents. Of the pending commands only iccid, partition, slot, desired, confirmed, token and carrier are filled. It may
 * block for a bounded time.
 */
typedef void (*weir_intent_fn)(void *ctx, const struct weir_pending_command *pending_commands, uint32_t count);
/* Rings lane `lane`'s bell after results were queued for it; any-thread-safe. */
typedef void (*weir_bell_fn)(void *ctx, uint32_t lane);

struct weir_dispatch_opts {
	const struct weir_settings *settings; /* carriers section; borrowed for the dispatcher's life */
	uint32_t lanes;
	weir_bell_fn bell;
	void *bell_ctx;
	weir_intent_fn intent; /* NULL = none */
	void *intent_ctx;
	uint64_t seed; /* of the delays' jitter; 0 = drawn at start */
};

/*
 * What an owner may rely on:
 * - Enqueueing means queued; QUEUED is reported only for a retry, with next_us and the carrier's words; with next_us 0
 * there will be none, because nothing is desired any more, and nobody knows what became of the last attempt.
 * - IDLE: the command was withdrawn before it could reach the carrier. No further result for it.
 * - After CONFIRMED, FAILED or IDLE compare desired with confirmed anew and enqueue it again if they differ.
 * CONFIRMED's target is the state the carrier's card is in.
 * - A card that FAILED is tried again when it is enqueued again; how often is the owner's choice.
 * - A pending command repeated unchanged changes nothing: place in the queue, delays and attempts stay.
 * - SENT counts attempts; asking for a state or a ticket is no attempt and is not reported.
 * - SENT is heard of after its intent was written, or could not be: what its owner then deletes by the token is there.
 */
/* Starts the thread. NULL with err filled when a carrier's settings are unusable. */
struct weir_dispatch *weir_dispatch_start(const struct weir_dispatch_opts *opts, struct weir_error *err);
/* Stops: finishes calls in flight for at most grace_ms, reports them, joins. The caller still drains results after. */
void weir_dispatch_stop(struct weir_dispatch *dispatch, uint32_t grace_ms);
void weir_dispatch_free(struct weir_dispatch *dispatch);

/* False when the ring is full: keep the card dirty and enqueue it again later. */
bool weir_dispatch_enqueue(
    struct weir_dispatch *dispatch, uint32_t lane, const struct weir_pending_command *pending_command);
/* Forget all cards of a partition that the lane gave up (commands not sent are dropped, answers discarded). */
bool weir_dispatch_forget(struct weir_dispatch *dispatch, uint32_t lane, uint32_t partition);
/* Next result for this lane; false when there is none. */
bool weir_dispatch_next(struct weir_dispatch *dispatch, uint32_t lane, struct weir_command_result *result_out);

/* Copies up to max rows; returns the number of carriers. Any thread. */
uint32_t weir_dispatch_counters(struct weir_dispatch *dispatch, struct weir_carrier_counters *rows, uint32_t max);

#endif
