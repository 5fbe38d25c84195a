/*
 * The dispatcher's decisions under a clock that the test turns: directed cases of CMD-1 to CMD-3, then seeded runs against
 * a model carrier that loses answers, accepts, refuses to be hurried and breaks down, with everything checked that must
 * hold at each call. A failing run prints its seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/base/random.h"
#include "pipeline/dispatch/dispatch_core.h"

#define SECOND 1000000
#define ACTIVE WEIR_DESIRED_ACTIVE
#define SUSPENDED WEIR_DESIRED_SUSPENDED

static const struct weir_dispatch_limits LIMITS = {.rate_per_s = 0,
    .concurrency = 4,
    .retry_min_ms = 500,
    .retry_max_ms = 8000,
    .breaker_failures = 1000,
    .breaker_open_ms = 5000,
    .confirm_ms = 1000,
    .confirm_max_s = 259200,
    .can_ask = true};

struct fixture {
	struct weir_dispatch_core *core;
	struct weir_command_result last; /* newest result */
	uint32_t results;
	uint32_t by_state[8];
	int64_t now_us;
};

static void
keep_result(void *ctx, uint32_t lane, const struct weir_command_result *result)
{
	struct fixture *fix = ctx;
	(void)lane;
	fix->last = *result;
	fix->results++;
	fix->by_state[result->state]++;
}

static void
fixture_begin(struct fixture *fix, struct weir_dispatch_limits limits)
{
	*fix = (struct fixture){.now_us = 1000 * (int64_t)SECOND};
	fix->core = weir_dispatch_core_new(&limits, 1, 1, keep_result, fix);
}

static struct weir_pending_command
command_of(uint32_t slot, uint8_t desired, uint8_t confirmed)
{
	return (struct weir_pending_command){
	    .iccid = {.hi = slot}, .partition = 3, .slot = slot, .desired = desired, .confirmed = confirmed};
}

static void
pending_command(struct fixture *fix, uint32_t slot, uint8_t desired, uint8_t confirmed)
{
	struct weir_pending_command word = command_of(slot, desired, confirmed);
	weir_dispatch_core_enqueue(fix->core, 0, 0, &word, fix->now_us);
}

/* Starts at most one call; slot NONE if there was none. */
static struct weir_dispatch_call
start_call(struct fixture *fix)
{
	struct weir_dispatch_call call = {.slot = UINT32_MAX};
	(void)weir_dispatch_core_start(fix->core, fix->now_us, &call, 1);
	return call;
}

static void
finish_call(struct fixture *fix, struct weir_dispatch_call call, struct weir_outcome outcome)
{
	weir_dispatch_core_finish(fix->core, call.card, &outcome, fix->now_us);
}

static struct weir_outcome
outcome(enum weir_outcome_kind kind)
{
	return (struct weir_outcome){.kind = kind};
}

static struct weir_outcome
outcome_state(uint8_t state)
{
	return (struct weir_outcome){.kind = WEIR_OUTCOME_STATE, .state = state};
}

static struct weir_outcome
outcome_timeout(void)
{
	return (struct weir_outcome){.kind = WEIR_OUTCOME_RETRY, .maybe_done = true, .timed_out = true};
}

static void
wait_until_due(struct fixture *fix)
{
	int64_t due_us = weir_dispatch_core_next_due(fix->core, fix->now_us);
	assert_true(due_us != WEIR_DISPATCH_NEVER);
	if (due_us > fix->now_us)
		fix->now_us = due_us;
}

/* ---- directed cases ---- */

static void
test_core_sends_and_confirms(void **state) /* rule CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 7, SUSPENDED, ACTIVE);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.slot, 7);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, SUSPENDED);
	assert_true(call.wants_intent);
	assert_int_equal(fix.last.state, WEIR_COMMAND_SENT);
	assert_int_equal(fix.last.attempts, 1);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	assert_int_equal(fix.last.target, SUSPENDED);
	/* The owner's word that crossed the result repeats nothing; the entry goes after a while. */
	pending_command(&fix, 7, SUSPENDED, ACTIVE);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us += WEIR_DISPATCH_LINGER_US;
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	assert_int_equal(weir_dispatch_core_cards(fix.core), 0);
	assert_true(weir_dispatch_core_next_due(fix.core, fix.now_us) == WEIR_DISPATCH_NEVER);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_withdraws_what_was_not_sent(void **state) /* rule CMD-1 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	assert_int_equal(fix.last.state, WEIR_COMMAND_IDLE);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	assert_int_equal(weir_dispatch_core_cards(fix.core), 0);
	/* Sent, and surely without effect: likewise. */
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_RETRY));
	assert_int_equal(fix.last.state, WEIR_COMMAND_QUEUED);
	assert_true(fix.last.next_us > fix.now_us);
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	assert_int_equal(fix.last.state, WEIR_COMMAND_IDLE);
	fix.now_us += 60 * SECOND;
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	weir_dispatch_core_free(fix.core);
}

/*
 * rule CMD-1: what was withdrawn is over for its owner, whose next flush deletes the intent and stores an idle card. Wanted
 * again while its entry is remembered, the command has an intent of its own: a crash would else find nothing of it.
 */
static void
test_core_a_withdrawn_command_is_intended_anew(void **state)
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	struct weir_dispatch_call call = start_call(&fix);
	assert_true(call.wants_intent);
	uint64_t token = call.token;
	finish_call(&fix, call, outcome(WEIR_OUTCOME_RETRY));
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	assert_int_equal(fix.last.state, WEIR_COMMAND_IDLE);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	wait_until_due(&fix);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, SUSPENDED);
	assert_true(call.wants_intent && call.token != token);
	weir_dispatch_core_free(fix.core);
}

/* rule LIFE-6: nothing may be sent any more: what waits is withdrawn, and an older state is not commanded instead. */
static void
test_core_nothing_desired_sends_nothing(void **state)
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 7, WEIR_DESIRED_UNKNOWN, ACTIVE);
	assert_int_equal(weir_dispatch_core_cards(fix.core), 0);
	pending_command(&fix, 7, SUSPENDED, ACTIVE);
	pending_command(&fix, 7, WEIR_DESIRED_UNKNOWN, ACTIVE);
	assert_int_equal(fix.last.state, WEIR_COMMAND_IDLE);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	/* Confirmed as active here, while the owner still thinks that it is suspended. */
	pending_command(&fix, 7, ACTIVE, SUSPENDED);
	finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_DONE));
	pending_command(&fix, 7, WEIR_DESIRED_UNKNOWN, SUSPENDED);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	/* One that may have reached the carrier is asked after, not repeated. */
	pending_command(&fix, 8, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome_timeout());
	pending_command(&fix, 8, WEIR_DESIRED_UNKNOWN, ACTIVE);
	wait_until_due(&fix);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(ACTIVE));
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_reverses_what_may_have_been_done(void **state) /* rule CMD-1 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), (struct weir_outcome){.kind = WEIR_OUTCOME_RETRY, .maybe_done = true});
	pending_command(&fix, 1, ACTIVE, ACTIVE); /* the owner cannot know better */
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, ACTIVE);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_ALREADY));
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	assert_int_equal(fix.last.target, ACTIVE);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_one_in_flight_then_the_newest_command(void **state) /* rule CMD-1 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	struct weir_dispatch_call call = start_call(&fix);
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
	call = start_call(&fix);
	assert_int_equal(call.target, ACTIVE);
	assert_int_equal(fix.last.attempts, 1);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
	assert_int_equal(fix.last.target, ACTIVE);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_asks_after_a_timeout(void **state) /* rule CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome_timeout());
	wait_until_due(&fix);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(ACTIVE)); /* not done: repeat */
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(fix.last.attempts, 2);
	assert_false(call.wants_intent);
	finish_call(&fix, call, outcome_timeout());
	wait_until_due(&fix);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(SUSPENDED)); /* done after all */
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	weir_dispatch_core_free(fix.core);
}

/* The lost command may still be on its way inside the carrier: the opposite is commanded, not assumed. */
static void
test_core_overrides_a_lost_command_no_longer_wanted(void **state) /* rules CMD-1, CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome_timeout());
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(ACTIVE));
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, ACTIVE);
	weir_dispatch_core_free(fix.core);
}

/*
 * A suspend whose answer was lost waits inside the carrier; the resume after it never arrived. The carrier tells the state
 * of before both: taken for the resume's success, the card would be cut off when the suspend is done at last.
 */
static void
test_core_trusts_no_state_while_the_opposite_may_come(void **state) /* rules CMD-1, CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	struct weir_dispatch_call call = start_call(&fix);
	uint64_t token = call.token;
	finish_call(&fix, call, outcome_timeout());
	assert_int_equal(fix.last.pending, SUSPENDED);
	assert_true(fix.last.token == token && token != 0);
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome_state(ACTIVE));
	call = start_call(&fix);
	assert_true(call.wants_intent && call.token != token);
	finish_call(&fix, call, outcome_timeout());
	assert_int_equal(fix.last.pending, ACTIVE | SUSPENDED);
	wait_until_due(&fix);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(ACTIVE));
	assert_int_not_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, ACTIVE);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_ALREADY)); /* in order: the suspend is done as well */
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	assert_int_equal(fix.last.pending, 0);
	weir_dispatch_core_free(fix.core);
}

/* An owner before us had a resume accepted; an intent says that it sent a suspend after it. The ticket says nothing now. */
static void
test_core_resumes_with_an_intent_on_top(void **state) /* rules CMD-1, CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	struct weir_pending_command word = command_of(1, ACTIVE, 0);
	word.resumed_state = WEIR_COMMAND_ACCEPTED;
	word.resumed_desired = ACTIVE;
	word.resumed_attempts = 1;
	word.pending = ACTIVE | SUSPENDED;
	weir_dispatch_core_enqueue(fix.core, 0, 0, &word, fix.now_us);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(ACTIVE));
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, ACTIVE);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_polls_an_accepted_command(void **state) /* rule CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), (struct weir_outcome){.kind = WEIR_OUTCOME_ACCEPTED, .ticket = "T-1"});
	assert_int_equal(fix.last.state, WEIR_COMMAND_ACCEPTED);
	assert_string_equal(fix.last.ticket, "T-1");
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	wait_until_due(&fix);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	assert_string_equal(call.ticket, "T-1");
	/* Wanted active again: what was accepted still has to happen first, in order. */
	pending_command(&fix, 1, ACTIVE, ACTIVE);
	finish_call(&fix, call, outcome_state(ACTIVE));
	wait_until_due(&fix);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(SUSPENDED));
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	assert_int_equal(fix.last.target, SUSPENDED);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, ACTIVE);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_sends_again_what_was_accepted_and_lost(void **state)
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_ACCEPTED));
	/* Tickets may take days (rule CMD-2): asked ever more rarely, and not repeated before confirm_max_s. */
	int64_t accepted_us = fix.now_us;
	uint32_t asked = 0;
	struct weir_dispatch_call call;
	for (;;) {
		wait_until_due(&fix);
		call = start_call(&fix);
		if (call.kind == WEIR_CALL_SET)
			break;
		asked++;
		finish_call(&fix, call, outcome_state(ACTIVE));
		if (fix.now_us - accepted_us >= (int64_t)LIMITS.confirm_max_s * 1000000)
			call = start_call(&fix);
		if (call.kind == WEIR_CALL_SET)
			break;
	}
	assert_true(fix.now_us - accepted_us >= (int64_t)LIMITS.confirm_max_s * 1000000);
	assert_in_range(asked, 100, 100000);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_resumes_after_a_restart(void **state) /* rule CMD-2 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	struct weir_pending_command word = command_of(1, SUSPENDED, ACTIVE);
	word.resumed_state = WEIR_COMMAND_ACCEPTED;
	word.resumed_desired = SUSPENDED;
	word.resumed_attempts = 2;
	memcpy(word.ticket, "T-9", 4);
	weir_dispatch_core_enqueue(fix.core, 0, 0, &word, fix.now_us);
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	assert_string_equal(call.ticket, "T-9");
	finish_call(&fix, call, outcome_state(SUSPENDED));
	assert_int_equal(fix.last.state, WEIR_COMMAND_CONFIRMED);
	assert_int_equal(fix.last.attempts, 2);
	/* Sent before the crash, answer unknown, no longer wanted: asked, then put right. */
	word = command_of(2, ACTIVE, ACTIVE);
	word.resumed_state = WEIR_COMMAND_SENT;
	word.resumed_desired = SUSPENDED;
	word.resumed_attempts = 1;
	weir_dispatch_core_enqueue(fix.core, 0, 0, &word, fix.now_us);
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_ASK);
	finish_call(&fix, call, outcome_state(SUSPENDED));
	call = start_call(&fix);
	assert_int_equal(call.kind, WEIR_CALL_SET);
	assert_int_equal(call.target, ACTIVE);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_suspends_before_resumes(void **state) /* rule CMD-3 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, ACTIVE, SUSPENDED);
	pending_command(&fix, 2, ACTIVE, SUSPENDED);
	pending_command(&fix, 3, SUSPENDED, ACTIVE);
	pending_command(&fix, 4, SUSPENDED, ACTIVE);
	assert_int_equal(start_call(&fix).slot, 3);
	assert_int_equal(start_call(&fix).slot, 4);
	assert_int_equal(start_call(&fix).slot, 1);
	assert_int_equal(start_call(&fix).slot, 2);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_obeys_concurrency_and_cooldown(void **state) /* rule CMD-3 */
{
	(void)state;
	struct weir_dispatch_limits limits = LIMITS;
	limits.concurrency = 1;
	limits.cooldown_ms = 10000;
	struct fixture fix;
	fixture_begin(&fix, limits);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	pending_command(&fix, 2, SUSPENDED, ACTIVE);
	int64_t begun_us = fix.now_us;
	struct weir_dispatch_call call = start_call(&fix);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
	finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_DONE));
	pending_command(&fix, 1, ACTIVE, SUSPENDED);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	wait_until_due(&fix);
	assert_true(fix.now_us == begun_us + 10 * SECOND);
	assert_int_equal(start_call(&fix).slot, 1);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_breaker_opens_tries_one_and_closes(void **state) /* rule CMD-3 */
{
	(void)state;
	struct weir_dispatch_limits limits = LIMITS;
	limits.breaker_failures = 3;
	struct fixture fix;
	fixture_begin(&fix, limits);
	struct weir_carrier_counters row = {0};
	for (uint32_t slot = 0; slot < 8; slot++)
		pending_command(&fix, slot, SUSPENDED, ACTIVE);
	for (uint32_t i = 0; i < 3; i++)
		finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_RETRY));
	weir_dispatch_core_counters(fix.core, 0, &row);
	assert_true(row.breaker_open);
	int64_t opened_us = fix.now_us;
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us = opened_us + 5 * SECOND - 1;
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us++;
	struct weir_dispatch_call trial = start_call(&fix);
	assert_int_not_equal(trial.slot, UINT32_MAX);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX); /* one trial only */
	finish_call(&fix, trial, outcome(WEIR_OUTCOME_RETRY));
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us += 5 * SECOND;
	finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_DONE));
	/* All others go at once, also those whose own delay is not over. */
	for (uint32_t i = 0; i < 7; i++)
		finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_DONE));
	assert_int_equal(fix.by_state[WEIR_COMMAND_CONFIRMED], 8);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_bad_credentials_hold_the_carrier_not_the_card(void **state)
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	pending_command(&fix, 2, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), outcome(WEIR_OUTCOME_CARRIER_DOWN));
	assert_int_equal(fix.last.state, WEIR_COMMAND_QUEUED);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us += 5 * SECOND;
	assert_int_equal(start_call(&fix).slot, 1);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_waits_when_rate_limited(void **state) /* rule CMD-3 */
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	pending_command(&fix, 2, SUSPENDED, ACTIVE);
	finish_call(&fix, start_call(&fix), (struct weir_outcome){.kind = WEIR_OUTCOME_RATE_LIMITED, .after_ms = 3000});
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us += 3 * SECOND - 1;
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us++;
	assert_int_equal(start_call(&fix).slot, 1);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_refusal_is_final_for_that_command(void **state)
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	struct weir_outcome refused = outcome(WEIR_OUTCOME_REFUSED);
	memcpy(refused.text, "no such card", 13);
	finish_call(&fix, start_call(&fix), refused);
	assert_int_equal(fix.last.state, WEIR_COMMAND_FAILED);
	assert_string_equal(fix.last.text, "no such card");
	pending_command(&fix, 1, SUSPENDED, ACTIVE);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	fix.now_us += WEIR_DISPATCH_LINGER_US;
	(void)start_call(&fix);
	pending_command(&fix, 1, SUSPENDED, ACTIVE); /* later the owner may try again */
	assert_int_equal(start_call(&fix).slot, 1);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_forgets_a_partition(void **state)
{
	(void)state;
	struct fixture fix;
	fixture_begin(&fix, LIMITS);
	for (uint32_t slot = 0; slot < 100; slot++)
		pending_command(&fix, slot, SUSPENDED, ACTIVE);
	struct weir_dispatch_call call = start_call(&fix);
	uint32_t results = fix.results;
	weir_dispatch_core_forget(fix.core, 1, 3); /* not that lane's */
	assert_int_equal(weir_dispatch_core_cards(fix.core), 100);
	weir_dispatch_core_forget(fix.core, 0, 3);
	assert_int_equal(weir_dispatch_core_cards(fix.core), 1);
	/* Offered again while its old call is open: still one at a time. */
	pending_command(&fix, call.slot, ACTIVE, WEIR_DESIRED_UNKNOWN);
	assert_int_equal(start_call(&fix).slot, UINT32_MAX);
	weir_dispatch_core_forget(fix.core, 0, 3);
	finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
	assert_int_equal(fix.results, results);
	assert_int_equal(weir_dispatch_core_cards(fix.core), 0);
	weir_dispatch_core_free(fix.core);
}

static void
test_core_million_cards(void **state)
{
	(void)state;
	struct weir_dispatch_limits limits = LIMITS;
	limits.concurrency = 256;
	struct fixture fix;
	fixture_begin(&fix, limits);
	const uint32_t cards = 1000000;
	for (uint32_t slot = 0; slot < cards; slot++)
		pending_command(&fix, slot, slot % 2 ? ACTIVE : SUSPENDED, WEIR_DESIRED_UNKNOWN);
	static struct weir_dispatch_call calls[256];
	for (uint32_t count; (count = weir_dispatch_core_start(fix.core, fix.now_us, calls, 256)) > 0;) {
		for (uint32_t i = 0; i < count; i++)
			finish_call(&fix, calls[i], outcome(WEIR_OUTCOME_DONE));
		fix.now_us += 100;
	}
	assert_int_equal(fix.by_state[WEIR_COMMAND_CONFIRMED], cards);
	fix.now_us += WEIR_DISPATCH_LINGER_US;
	(void)start_call(&fix);
	assert_int_equal(weir_dispatch_core_cards(fix.core), 0);
	weir_dispatch_core_free(fix.core);
}

/* ---- seeded runs against a model ---- */

#define CARDS 60u
#define CARRIERS 3u
#define CALLS_KEPT 20000u

struct model_call {
	struct weir_dispatch_call call;
	int64_t end_us;
	bool open;
};

struct model {
	struct weir_dispatch_core *core;
	struct weir_random random;
	int64_t now_us;
	bool calm; /* no more faults, no more changes of mind */
	uint8_t desired[CARDS];
	uint8_t believed[CARDS]; /* the owner's confirmed */
	bool failed[CARDS];
	uint8_t actual[CARDS]; /* at the carrier */
	uint8_t pending[CARDS];
	int64_t pending_us[CARDS];
	bool lost[CARDS]; /* the last SET's answer was lost: an ASK has to come next */
	int64_t command_us[CARDS];
	struct model_call open[CARDS];
	struct weir_dispatch_limits limits[CARRIERS];
	int64_t *started[CARRIERS];
	uint32_t started_count[CARRIERS];
	uint32_t open_count[CARRIERS];
};

static uint64_t model_seed; /* of the run at hand */

static int
print_seed(void **state)
{
	(void)state;
	print_message("           last seed: %llu\n", (unsigned long long)model_seed);
	return 0;
}

static uint32_t
draw_below(struct model *model, uint32_t below)
{
	return (uint32_t)weir_random_below(&model->random, below);
}

static void
model_enqueue(struct model *model, uint32_t slot)
{
	struct weir_pending_command word = command_of(slot, model->desired[slot], model->believed[slot]);
	weir_dispatch_core_enqueue(model->core, slot % 2, slot % CARRIERS, &word, model->now_us);
}

static void
model_result(void *ctx, uint32_t lane, const struct weir_command_result *result)
{
	struct model *model = ctx;
	assert_int_equal(lane, result->slot % 2);
	uint32_t slot = result->slot;
	if (result->state == WEIR_COMMAND_CONFIRMED) {
		model->believed[slot] = result->target;
		model->failed[slot] = false;
	}
	if (result->state == WEIR_COMMAND_FAILED) {
		model->failed[slot] = true;
		model->believed[slot] =
		    WEIR_DESIRED_UNKNOWN; /* as an owner has it: what was lost before may have been done */
	}
}

static void
model_check_rate(struct model *model, uint32_t carrier)
{
	const struct weir_dispatch_limits *limits = &model->limits[carrier];
	uint32_t count = model->started_count[carrier];
	assert_true(count < CALLS_KEPT);
	model->started[carrier][count] = model->now_us;
	model->started_count[carrier] = count + 1;
	if (limits->rate_per_s > 0 && count >= limits->rate_per_s)
		assert_true(model->now_us - model->started[carrier][count - limits->rate_per_s] >= SECOND);
}

/* Everything that must hold when a call starts. */
static void
model_check_call(struct model *model, const struct weir_dispatch_call *call)
{
	uint32_t slot = call->slot, carrier = call->carrier;
	assert_int_equal(carrier, slot % CARRIERS);
	assert_false(model->open[slot].open); /* one in flight per card */
	assert_true(++model->open_count[carrier] <= model->limits[carrier].concurrency);
	model_check_rate(model, carrier);
	if (call->kind == WEIR_CALL_ASK)
		return;
	assert_int_equal(call->target, model->desired[slot]); /* never for a state not desired */
	assert_false(model->lost[slot]);                      /* asked before repeated */
	assert_true(model->pending[slot] == 0);               /* in order: accepted ones end first */
	if (model->command_us[slot] != 0)
		assert_true(model->now_us - model->command_us[slot] >= (int64_t)model->limits[carrier].cooldown_ms * 1000);
	model->command_us[slot] = model->now_us;
}

/* No suspend was ready while a resume went: the queue of suspends must be empty once a resume was started. */
static void
model_check_order(struct model *model, const struct weir_dispatch_call *call)
{
	struct weir_carrier_counters row = {0};
	weir_dispatch_core_counters(model->core, call->carrier, &row);
	if (model->desired[call->slot] == ACTIVE)
		assert_int_equal(row.queued_suspends, 0);
}

static struct weir_outcome
model_set(struct model *model, uint32_t slot, uint8_t target)
{
	uint32_t dice = model->calm ? 0 : draw_below(model, 12);
	if (dice == 9 || dice == 10) { /* lost answer; done or not */
		model->lost[slot] = true;
		if (draw_below(model, 2))
			model->actual[slot] = target;
		return outcome_timeout();
	}
	if (dice == 11)
		return (struct weir_outcome){.kind = WEIR_OUTCOME_RETRY, .maybe_done = true};
	if (dice == 8)
		return (struct weir_outcome){.kind = WEIR_OUTCOME_RATE_LIMITED, .after_ms = draw_below(model, 3) * 500};
	if (dice == 7)
		return outcome(draw_below(model, 4) ? WEIR_OUTCOME_RETRY : WEIR_OUTCOME_CARRIER_DOWN);
	if (dice == 6)
		return outcome(WEIR_OUTCOME_REFUSED);
	if ((dice == 5 || dice == 4) && model->actual[slot] != target) { /* else it is in that state already */
		model->pending[slot] = target;
		model->pending_us[slot] = model->now_us + draw_below(model, 4 * SECOND);
		return outcome(WEIR_OUTCOME_ACCEPTED);
	}
	enum weir_outcome_kind kind = model->actual[slot] == target ? WEIR_OUTCOME_ALREADY : WEIR_OUTCOME_DONE;
	model->actual[slot] = target;
	return outcome(kind);
}

static struct weir_outcome
model_ask(struct model *model, uint32_t slot)
{
	if (!model->calm && draw_below(model, 6) == 0)
		return outcome(WEIR_OUTCOME_RETRY);
	model->lost[slot] = false;
	if (model->pending[slot] != 0 && model->pending_us[slot] <= model->now_us) {
		model->actual[slot] = model->pending[slot];
		model->pending[slot] = 0;
	}
	return outcome_state(model->actual[slot]);
}

static void
model_finish_due(struct model *model)
{
	for (uint32_t slot = 0; slot < CARDS; slot++) {
		struct model_call *open = &model->open[slot];
		if (!open->open || open->end_us > model->now_us)
			continue;
		struct weir_outcome result =
		    open->call.kind == WEIR_CALL_ASK ? model_ask(model, slot) : model_set(model, slot, open->call.target);
		open->open = false;
		model->open_count[open->call.carrier]--;
		weir_dispatch_core_finish(model->core, open->call.card, &result, model->now_us);
		/* A command that the carrier took can still be lost to us; the owner then says it again. */
		if (model->believed[slot] != model->desired[slot] && !model->failed[slot])
			model_enqueue(model, slot);
	}
}

static void
model_start_calls(struct model *model)
{
	struct weir_dispatch_call call;
	while (weir_dispatch_core_start(model->core, model->now_us, &call, 1) > 0) {
		model_check_call(model, &call);
		model_check_order(model, &call);
		model->open[call.slot] =
		    (struct model_call){.call = call, .end_us = model->now_us + draw_below(model, 300000), .open = true};
	}
}

static void
model_change_minds(struct model *model)
{
	for (uint32_t i = draw_below(model, 4); i > 0; i--) {
		uint32_t slot = draw_below(model, CARDS);
		model->desired[slot] = draw_below(model, 2) ? ACTIVE : SUSPENDED;
		model->failed[slot] = false;
		model_enqueue(model, slot);
	}
}

static void
model_run(struct model *model)
{
	for (uint32_t step = 0; step < 1500; step++) {
		model->calm = step > 700;
		if (!model->calm)
			model_change_minds(model);
		if (step > 700 && step % 50 == 0) { /* the owner's sweep */
			for (uint32_t slot = 0; slot < CARDS; slot++) {
				if (model->believed[slot] != model->desired[slot])
					model_enqueue(model, slot);
			}
		}
		model_start_calls(model);
		model->now_us += 1 + draw_below(model, 200000);
		model_finish_due(model);
	}
	for (uint32_t slot = 0; slot < CARDS; slot++) {
		assert_int_equal(model->believed[slot], model->desired[slot]);
		assert_int_equal(model->actual[slot], model->desired[slot]);
	}
}

static void
test_core_holds_against_a_model(void **state) /* rules CMD-1, CMD-2, CMD-3 */
{
	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		static struct model model;
		memset(&model, 0, sizeof(model));
		model.random.state = seed;
		model.now_us = 5 * SECOND;
		for (uint32_t i = 0; i < CARRIERS; i++) {
			model.limits[i] = LIMITS;
			model.limits[i].rate_per_s = i == 0 ? 5 : 20 + 60 * i;
			model.limits[i].concurrency = 1 + draw_below(&model, 8);
			model.limits[i].cooldown_ms = i == 1 ? 1500 : 0;
			model.limits[i].breaker_failures = 2 + draw_below(&model, 6);
			model.limits[i].breaker_open_ms = 1000;
			model.started[i] = weir_calloc(CALLS_KEPT, sizeof(int64_t));
		}
		for (uint32_t slot = 0; slot < CARDS; slot++)
			model.desired[slot] = model.believed[slot] = model.actual[slot] = ACTIVE;
		model.core = weir_dispatch_core_new(model.limits, CARRIERS, seed, model_result, &model);
		model_seed = seed;
		model_run(&model);
		weir_dispatch_core_free(model.core);
		for (uint32_t i = 0; i < CARRIERS; i++)
			free(model.started[i]);
	}
}

/* At a high rate the bucket's burst must not break the promise either: never more than the rate in any second. */
static void
test_core_rate_holds_in_any_second(void **state) /* rule CMD-3 */
{
	(void)state;
	for (uint32_t rate = 1; rate <= 1000; rate = rate * 3 + 1) {
		struct weir_dispatch_limits limits = LIMITS;
		limits.rate_per_s = rate;
		limits.concurrency = 256;
		struct fixture fix;
		fixture_begin(&fix, limits);
		for (uint32_t slot = 0; slot < rate * 4; slot++)
			pending_command(&fix, slot, SUSPENDED, ACTIVE);
		int64_t *started = weir_calloc(rate * 4, sizeof(*started)), begin_us = fix.now_us;
		for (uint32_t count = 0; count < rate * 4;) {
			struct weir_dispatch_call call = start_call(&fix);
			if (call.slot == UINT32_MAX) {
				fix.now_us += 1 + (fix.now_us * 7919) % 3000;
				continue;
			}
			started[count++] = fix.now_us;
			finish_call(&fix, call, outcome(WEIR_OUTCOME_DONE));
			if (count > rate)
				assert_true(started[count - 1] - started[count - 1 - rate] >= SECOND);
		}
		/* ... and most of it is used. */
		assert_true(fix.now_us - begin_us < 4 * SECOND * 12 / 10);
		free(started);
		weir_dispatch_core_free(fix.core);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_core_sends_and_confirms),
	    cmocka_unit_test(test_core_withdraws_what_was_not_sent),
	    cmocka_unit_test(test_core_a_withdrawn_command_is_intended_anew),
	    cmocka_unit_test(test_core_nothing_desired_sends_nothing),
	    cmocka_unit_test(test_core_reverses_what_may_have_been_done),
	    cmocka_unit_test(test_core_one_in_flight_then_the_newest_command),
	    cmocka_unit_test(test_core_asks_after_a_timeout),
	    cmocka_unit_test(test_core_overrides_a_lost_command_no_longer_wanted),
	    cmocka_unit_test(test_core_trusts_no_state_while_the_opposite_may_come),
	    cmocka_unit_test(test_core_resumes_with_an_intent_on_top),
	    cmocka_unit_test(test_core_polls_an_accepted_command),
	    cmocka_unit_test(test_core_sends_again_what_was_accepted_and_lost),
	    cmocka_unit_test(test_core_resumes_after_a_restart),
	    cmocka_unit_test(test_core_suspends_before_resumes),
	    cmocka_unit_test(test_core_obeys_concurrency_and_cooldown),
	    cmocka_unit_test(test_core_breaker_opens_tries_one_and_closes),
	    cmocka_unit_test(test_core_bad_credentials_hold_the_carrier_not_the_card),
	    cmocka_unit_test(test_core_waits_when_rate_limited),
	    cmocka_unit_test(test_core_refusal_is_final_for_that_command),
	    cmocka_unit_test(test_core_forgets_a_partition),
	    cmocka_unit_test(test_core_million_cards),
	    cmocka_unit_test(test_core_rate_holds_in_any_second),
	    cmocka_unit_test_teardown(test_core_holds_against_a_model, print_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
