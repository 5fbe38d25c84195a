/*
 * The dispatcher's core, second half: what the outcome of a call does to its card, and the core's life. One function per
 * outcome; docs/enforcement.md has the same table in words.
 */
#include "pipeline/dispatch/core_priv.h"

#include <stdlib.h>

/* ---- outcomes; each gets a card in place MOVING and settles it ---- */

/* The card is in `state`, the carrier says. */
static void
outcome_confirmed(struct weir_dispatch_core *core, struct weir_card_entry *card, uint8_t state,
    const struct weir_outcome *outcome, int64_t now_us)
{
	card->confirmed = state;
	card->accepted = card->ask_first = false;
	card->fails = card->polls = 0;
	card->refused = 0;
	core->carriers[card->carrier].confirmed++;
	weir_card_report(core, card, WEIR_COMMAND_CONFIRMED, state, now_us, 0, outcome->text);
	weir_card_set_ticket(card, "");
	weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK);
}

/* Ask again later: confirm_ms apart at first, then growing, as a carrier's minutes may become days. */
static int64_t
poll_delay_us(struct weir_dispatch_core *core, const struct weir_card_entry *card)
{
	const struct weir_dispatch_limits *limits = &core->carriers[card->carrier].limiter.limits;
	uint32_t step = card->polls < 10 ? 0 : card->polls - 9;
	uint32_t max_ms = limits->retry_max_ms > limits->confirm_ms ? limits->retry_max_ms : limits->confirm_ms;
	return weir_carrier_limiter_backoff_us(limits->confirm_ms, max_ms, step, weir_random_next(&core->random));
}

static void
outcome_accepted(
    struct weir_dispatch_core *core, struct weir_card_entry *card, const struct weir_outcome *outcome, int64_t now_us)
{
	if (!core->carriers[card->carrier].limiter.limits.can_ask) {
		outcome_confirmed(core, card, card->target, outcome, now_us); /* nobody will ever say more */
		return;
	}
	bool is_new = !card->accepted;
	if (is_new)
		card->accepted_us = now_us;
	card->accepted = true;
	card->ask_first = false;
	card->confirmed = WEIR_DESIRED_UNKNOWN;
	card->fails = 0;
	card->polls = is_new ? 0 : (uint16_t)(card->polls + (card->polls < UINT16_MAX));
	if (outcome->ticket[0] != '\0')
		weir_card_set_ticket(card, outcome->ticket);
	int64_t next_us = now_us + poll_delay_us(core, card);
	if (is_new)
		weir_card_report(core, card, WEIR_COMMAND_ACCEPTED, card->target, now_us, next_us, outcome->text);
	weir_card_reschedule(core, card, now_us, next_us, WEIR_RESCHEDULE_BACK);
}

/* The answer to an ASK. */
static void
outcome_state(
    struct weir_dispatch_core *core, struct weir_card_entry *card, const struct weir_outcome *outcome, int64_t now_us)
{
	uint8_t state = outcome->state;
	/* While the opposite may still come, the state answered is one of before: only a SET says in which the card ends.
	 */
	bool final = (card->pending & ~card->target) == 0;
	if (state == card->target && state != WEIR_DESIRED_UNKNOWN && final) {
		outcome_confirmed(core, card, state, outcome, now_us);
		return;
	}
	card->fails = 0;
	int64_t patience_us = (int64_t)core->carriers[card->carrier].limiter.limits.confirm_max_s * 1000000;
	if (card->accepted && state != card->target && now_us - card->accepted_us < patience_us) {
		card->polls += card->polls < UINT16_MAX;
		/* Not yet. Also when the card is wanted in this very state again: what was accepted will still happen. */
		weir_card_reschedule(core, card, now_us, now_us + poll_delay_us(core, card), WEIR_RESCHEDULE_BACK);
		return;
	}
	/*
	 * Not done, as far as the carrier knows now; what was sent may still be on its way inside. So even if the card is
	 * in the state desired by now, that state is commanded: it comes last, and the last command counts.
	 */
	card->accepted = card->ask_first = false;
	card->polls = 0;
	card->confirmed = WEIR_DESIRED_UNKNOWN;
	weir_card_set_ticket(card, "");
	weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK);
}

/* Nothing came of the call. Says so, and when it is tried again; or that there is nothing left to try. */
static void
card_postpone(struct weir_dispatch_core *core, struct weir_card_entry *card, const struct weir_outcome *outcome,
    int64_t now_us, int64_t due_us, enum weir_reschedule how)
{
	enum weir_command_state state = card->accepted ? WEIR_COMMAND_ACCEPTED : WEIR_COMMAND_QUEUED;
	if (!weir_card_needs_call(card)) {
		core->carriers[card->carrier].withdrawn++;
		state = WEIR_COMMAND_IDLE;
	}
	if (state != WEIR_COMMAND_IDLE || !weir_card_is_left_unknown(card))
		weir_card_report(
		    core, card, state, card->target, now_us, state == WEIR_COMMAND_IDLE ? 0 : due_us, outcome->text);
	weir_card_reschedule(core, card, now_us, how == WEIR_RESCHEDULE_FRONT ? now_us : due_us, how);
}

static void
outcome_retry(
    struct weir_dispatch_core *core, struct weir_card_entry *card, const struct weir_outcome *outcome, int64_t now_us)
{
	struct weir_core_carrier *carrier = &core->carriers[card->carrier];
	const struct weir_dispatch_limits *limits = &carrier->limiter.limits;
	carrier->retried++;
	if (!card->asking && outcome->maybe_done)
		card->confirmed = WEIR_DESIRED_UNKNOWN;
	if (!card->asking && outcome->timed_out)
		card->ask_first = limits->can_ask;
	int64_t delay_us = weir_carrier_limiter_backoff_us(
	    limits->retry_min_ms, limits->retry_max_ms, card->fails, weir_random_next(&core->random));
	card->fails += card->fails < UINT16_MAX;
	if (delay_us < (int64_t)outcome->after_ms * 1000)
		delay_us = (int64_t)outcome->after_ms * 1000;
	card_postpone(core, card, outcome, now_us, now_us + delay_us, WEIR_RESCHEDULE_RETRY);
}

static void
outcome_refused(
    struct weir_dispatch_core *core, struct weir_card_entry *card, const struct weir_outcome *outcome, int64_t now_us)
{
	card->refused = card->target;
	card->accepted = card->ask_first = false;
	card->fails = card->polls = 0;
	core->carriers[card->carrier].failed++;
	weir_card_report(core, card, WEIR_COMMAND_FAILED, card->target, now_us, 0, outcome->text);
	weir_card_set_ticket(card, "");
	weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK);
}

/* Which commands the carrier may still have to do, after the answer to a SET: it does a card's commands in order. */
static uint8_t
pending_after(const struct weir_card_entry *card, const struct weir_outcome *outcome)
{
	switch (outcome->kind) {
	case WEIR_OUTCOME_DONE:
	case WEIR_OUTCOME_ALREADY:
		return 0;
	case WEIR_OUTCOME_ACCEPTED:
		return card->target;
	case WEIR_OUTCOME_RETRY:
		return outcome->maybe_done || outcome->timed_out ? card->pending : card->pending_before;
	default: /* it was turned away */
		return card->pending_before;
	}
}

static void
card_apply(
    struct weir_dispatch_core *core, struct weir_card_entry *card, const struct weir_outcome *outcome, int64_t now_us)
{
	const struct weir_carrier_limiter *limiter = &core->carriers[card->carrier].limiter;
	if (!card->asking)
		card->pending = pending_after(card, outcome);
	switch (outcome->kind) {
	case WEIR_OUTCOME_DONE:
	case WEIR_OUTCOME_ALREADY:
		outcome_confirmed(core, card, card->target, outcome, now_us);
		break;
	case WEIR_OUTCOME_ACCEPTED:
		outcome_accepted(core, card, outcome, now_us);
		break;
	case WEIR_OUTCOME_STATE:
		outcome_state(core, card, outcome, now_us);
		break;
	case WEIR_OUTCOME_RETRY:
		outcome_retry(core, card, outcome, now_us);
		break;
	case WEIR_OUTCOME_RATE_LIMITED:
		core->carriers[card->carrier].rate_limited++;
		card_postpone(core, card, outcome, now_us, limiter->pause_until_us, WEIR_RESCHEDULE_FRONT);
		break;
	case WEIR_OUTCOME_CARRIER_DOWN:
		card_postpone(core, card, outcome, now_us, limiter->breaker_until_us, WEIR_RESCHEDULE_FRONT);
		break;
	case WEIR_OUTCOME_REFUSED:
		outcome_refused(core, card, outcome, now_us);
		break;
	}
}

void
weir_dispatch_core_finish(
    struct weir_dispatch_core *core, uint32_t self, const struct weir_outcome *outcome, int64_t now_us)
{
	struct weir_card_entry *card = weir_cards_at(&core->cards, self);
	WEIR_CHECK(card->place == WEIR_PLACE_FLIGHT); /* each call ends once */
	uint32_t carrier = card->carrier;
	WEIR_CHECK(carrier < core->carrier_count && card->carrier_next < core->carrier_count);
	bool recovered = weir_carrier_limiter_end(&core->carriers[carrier].limiter, outcome, now_us);
	core->carriers[carrier].timeouts += outcome->timed_out;
	card->place = WEIR_PLACE_MOVING;
	if (card->forgotten) {
		weir_cards_drop(&core->cards, card);
	} else if (card->carrier != card->carrier_next) {
		weir_card_switch_carrier(card);
		weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK);
	} else {
		card_apply(core, card, outcome, now_us);
	}
	if (recovered)
		weir_core_release_retries(core, carrier, now_us);
}

/* ---- life ---- */

struct weir_dispatch_core *
weir_dispatch_core_new(const struct weir_dispatch_limits *limits, uint32_t count, uint64_t seed,
    weir_dispatch_result_fn result, void *result_ctx)
{
	WEIR_CHECK(count > 0 && count <= UINT16_MAX && result != NULL);
	struct weir_dispatch_core *core = weir_calloc(1, sizeof(*core));
	core->carriers = weir_calloc(count, sizeof(*core->carriers));
	core->carrier_count = count;
	core->random.state = seed;
	core->tokens = weir_random_next(&core->random) | 1;
	core->result = result;
	core->result_ctx = result_ctx;
	weir_cards_init(&core->cards);
	for (uint32_t i = 0; i < count; i++) {
		weir_carrier_limiter_init(&core->carriers[i].limiter, &limits[i]);
		weir_list_init(&core->carriers[i].suspends);
		weir_list_init(&core->carriers[i].resumes);
		weir_list_init(&core->carriers[i].retries);
	}
	return core;
}

void
weir_dispatch_core_free(struct weir_dispatch_core *core)
{
	if (core == NULL)
		return;
	weir_cards_free(&core->cards);
	free(core->carriers);
	free(core);
}

void
weir_dispatch_core_counters(const struct weir_dispatch_core *core, uint32_t index, struct weir_carrier_counters *row_out)
{
	WEIR_CHECK(index < core->carrier_count);
	const struct weir_core_carrier *carrier = &core->carriers[index];
	row_out->sent = carrier->sent;
	row_out->confirmed = carrier->confirmed;
	row_out->failed = carrier->failed;
	row_out->retries = carrier->retried;
	row_out->rate_limited = carrier->rate_limited;
	row_out->timeouts = carrier->timeouts;
	row_out->withdrawn = carrier->withdrawn;
	row_out->queued_suspends = carrier->suspends.count;
	row_out->queued_resumes = carrier->resumes.count;
	row_out->in_flight = carrier->limiter.in_flight;
	WEIR_CHECK(row_out->queued_suspends + row_out->queued_resumes + carrier->retries.count + row_out->in_flight <=
		   core->cards.count); /* each card is in one place */
	row_out->breaker_open = carrier->limiter.breaker != WEIR_BREAKER_CLOSED;
}

uint32_t
weir_dispatch_core_cards(const struct weir_dispatch_core *core)
{
	return core->cards.count;
}
