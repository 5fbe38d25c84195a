/*
 * The decisions of the dispatcher; dispatch_core.h says what they are. Here: the one place where an entry's next
 * step is chosen (weir_card_reschedule) and the two where facts change (a pending command; the outcome of a call, in
 * dispatch_outcome.c).
 */
#include "pipeline/dispatch/core_priv.h"

#include <stdlib.h>

/* ---- small questions ---- */

bool
weir_card_needs_call(const struct weir_card_entry *card)
{
	if (card->accepted || card->ask_first)
		return true;
	return card->desired != WEIR_DESIRED_UNKNOWN && card->desired != card->confirmed && card->desired != card->refused;
}

/* Nothing is wanted any more, but what was sent may have been done. */
bool
weir_card_is_left_unknown(const struct weir_card_entry *card)
{
	return card->desired == WEIR_DESIRED_UNKNOWN && card->confirmed == WEIR_DESIRED_UNKNOWN && card->attempts > 0;
}

static int64_t
card_cooled_at(const struct weir_dispatch_core *core, const struct weir_card_entry *card)
{
	if (!card->commanded)
		return INT64_MIN;
	return card->command_us + (int64_t)core->carriers[card->carrier].limiter.limits.cooldown_ms * 1000;
}

void
weir_card_report(struct weir_dispatch_core *core, const struct weir_card_entry *card, enum weir_command_state state,
    uint8_t target, int64_t now_us, int64_t next_us, const char *text)
{
	struct weir_command_result result = {.iccid = card->iccid,
	    .partition = card->partition,
	    .slot = card->slot,
	    .state = (uint8_t)state,
	    .target = target,
	    .pending = card->pending,
	    .attempts = card->attempts,
	    .token = card->token,
	    .at_us = now_us,
	    .next_us = next_us};
	if (card->ticket != NULL)
		memcpy(result.ticket, card->ticket, strlen(card->ticket) + 1);
	if (text != NULL)
		memcpy(result.text, text, strnlen(text, sizeof(result.text) - 1));
	core->result(core->result_ctx, card->lane, &result);
}

void
weir_card_set_ticket(struct weir_card_entry *card, const char *ticket)
{
	free(card->ticket);
	size_t len = strnlen(ticket, WEIR_TICKET_MAX - 1);
	card->ticket = len > 0 ? weir_strndup(ticket, len) : NULL;
}

/* ---- places ---- */

static struct weir_card_list *
place_list(struct weir_dispatch_core *core, const struct weir_card_entry *card)
{
	struct weir_core_carrier *carrier = &core->carriers[card->carrier];
	switch ((enum weir_place)card->place) {
	case WEIR_PLACE_SUSPENDS:
		return &carrier->suspends;
	case WEIR_PLACE_RESUMES:
		return &carrier->resumes;
	case WEIR_PLACE_RETRY:
		return &carrier->retries;
	default:
		return NULL;
	}
}

/* Takes an entry out of where it waits. */
static void
card_take(struct weir_dispatch_core *core, struct weir_card_entry *card)
{
	struct weir_card_list *list = place_list(core, card);
	WEIR_CHECK(card->place != WEIR_PLACE_FREE && card->place != WEIR_PLACE_FLIGHT && card->place != WEIR_PLACE_MOVING);
	if (list != NULL)
		weir_list_remove(&core->cards, list, card);
	if (card->place == WEIR_PLACE_HEAP || card->place == WEIR_PLACE_RETRY)
		weir_heap_remove(&core->cards, card);
	card->place = WEIR_PLACE_MOVING;
}

static void
card_wait(struct weir_dispatch_core *core, struct weir_card_entry *card, enum weir_place place, int64_t due_us)
{
	WEIR_CHECK(card->place == WEIR_PLACE_MOVING);
	card->place = (uint8_t)place;
	weir_heap_push(&core->cards, card, due_us);
	struct weir_card_list *list = place_list(core, card);
	if (list != NULL)
		weir_list_push(&core->cards, list, card, false);
}

/*
 * Nothing to do: remembered for a while if we ever called for it, else dropped. The intent goes: how this ended is
 * reported, and the owner's next flush deletes it; another command for the same state needs one of its own.
 */
static void
card_rest(struct weir_dispatch_core *core, struct weir_card_entry *card, int64_t now_us)
{
	if (weir_card_is_left_unknown(card))
		weir_card_report(core, card, WEIR_COMMAND_QUEUED, card->target, now_us, 0, NULL);
	card->target = card->intent = 0;
	card->attempts = card->fails = card->polls = 0;
	int64_t until_us = now_us + WEIR_DISPATCH_LINGER_US, cooled_us = card_cooled_at(core, card);
	if (card->touched)
		card_wait(core, card, WEIR_PLACE_HEAP, until_us > cooled_us ? until_us : cooled_us);
	else
		weir_cards_drop(&core->cards, card);
}

void
weir_card_reschedule(
    struct weir_dispatch_core *core, struct weir_card_entry *card, int64_t now_us, int64_t due_us, enum weir_reschedule how)
{
	WEIR_CHECK(card->place == WEIR_PLACE_MOVING);
	if (!weir_card_needs_call(card)) {
		card_rest(core, card, now_us);
		return;
	}
	if (!card->accepted && !card->ask_first && card_cooled_at(core, card) > due_us)
		due_us = card_cooled_at(core, card);
	if (due_us > now_us) {
		card_wait(core, card, how == WEIR_RESCHEDULE_RETRY ? WEIR_PLACE_RETRY : WEIR_PLACE_HEAP, due_us);
		return;
	}
	card->place = card->desired == WEIR_DESIRED_SUSPENDED ? WEIR_PLACE_SUSPENDS : WEIR_PLACE_RESUMES;
	weir_list_push(&core->cards, place_list(core, card), card, how == WEIR_RESCHEDULE_FRONT);
}

void
weir_core_release_retries(struct weir_dispatch_core *core, uint32_t carrier, int64_t now_us)
{
	struct weir_card_list *retries = &core->carriers[carrier].retries;
	while (retries->first != WEIR_NONE) {
		struct weir_card_entry *card = weir_cards_at(&core->cards, retries->first);
		card_take(core, card);
		weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK);
	}
}

/* ---- pending commands ---- */

/* A command of an earlier run that may have reached the carrier: its ticket, or else the card's state, comes first. */
static void
card_resume(const struct weir_dispatch_core *core, struct weir_card_entry *card,
    const struct weir_pending_command *pending_command, int64_t now_us)
{
	bool in_motion = pending_command->resumed_state == WEIR_COMMAND_ACCEPTED ||
			 pending_command->resumed_state == WEIR_COMMAND_SENT ||
			 (pending_command->resumed_state == WEIR_COMMAND_QUEUED && pending_command->resumed_attempts > 0);
	if (!in_motion || (pending_command->resumed_desired != WEIR_DESIRED_ACTIVE &&
			      pending_command->resumed_desired != WEIR_DESIRED_SUSPENDED))
		return;
	card->target = pending_command->resumed_desired;
	card->attempts = pending_command->resumed_attempts;
	card->confirmed = WEIR_DESIRED_UNKNOWN;
	card->pending |= card->target;
	card->touched = true;
	if (!core->carriers[card->carrier].limiter.limits.can_ask)
		return;
	/* What was accepted is waited for, unless its opposite was sent after it. */
	card->accepted = pending_command->resumed_state == WEIR_COMMAND_ACCEPTED && card->pending == card->target;
	card->accepted_us = now_us;
	card->ask_first = !card->accepted;
	weir_card_set_ticket(card, pending_command->ticket);
}

static void
enqueue_new(struct weir_dispatch_core *core, uint32_t lane, uint32_t carrier,
    const struct weir_pending_command *pending_command, int64_t now_us)
{
	struct weir_card_entry *card = weir_cards_add(&core->cards, pending_command->partition, pending_command->slot);
	card->iccid = pending_command->iccid;
	card->lane = lane;
	card->carrier = card->carrier_next = (uint16_t)carrier;
	card->desired = pending_command->desired;
	card->confirmed = pending_command->confirmed;
	card->pending = pending_command->pending;
	card_resume(core, card, pending_command, now_us);
	weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK); /* drops it when there is nothing to do */
}

void
weir_card_switch_carrier(struct weir_card_entry *card)
{
	card->carrier = card->carrier_next;
	card->accepted = card->ask_first = false;
	card->confirmed = WEIR_DESIRED_UNKNOWN; /* what one carrier did says nothing of another's card */
	card->fails = card->polls = 0;
	card->refused = card->intent = card->pending = 0;
	weir_card_set_ticket(card, "");
}

/* The newest word replaces the older one. */
static void
replace_command(struct weir_card_entry *card, uint32_t lane, const struct weir_pending_command *pending_command)
{
	card->iccid = pending_command->iccid;
	card->lane = lane;
	card->forgotten = false;
	if (card->desired != pending_command->desired) {
		card->desired = pending_command->desired;
		card->fails = 0;
		card->refused = 0;
	}
	if (!card->touched) {
		card->confirmed = pending_command->confirmed;
		card->pending = pending_command->pending;
	}
}

static void
enqueue_known(struct weir_dispatch_core *core, struct weir_card_entry *card, uint32_t lane, uint32_t carrier,
    const struct weir_pending_command *pending_command, int64_t now_us)
{
	bool needed = weir_card_needs_call(card), same_lane = card->lane == lane;
	uint8_t desired_before = card->desired;
	card->carrier_next = (uint16_t)carrier;
	if (card->place == WEIR_PLACE_FLIGHT) {
		replace_command(card, lane, pending_command);
		return;
	}
	bool switched = card->carrier != card->carrier_next, polling = card->accepted && card->place == WEIR_PLACE_HEAP;
	int64_t due_us = polling && !switched ? card->due_us : now_us;
	if (!switched && same_lane && card->desired == pending_command->desired && card->touched)
		return; /* said before: its place in the queue, its delay and its linger stay */
	if (!switched && needed && card->desired == pending_command->desired &&
	    pending_command->desired != pending_command->confirmed) {
		replace_command(card, lane, pending_command);
		return;
	}
	card_take(core, card);
	if (switched)
		weir_card_switch_carrier(card);
	replace_command(card, lane, pending_command);
	bool needs = weir_card_needs_call(card);
	if (needed && !needs) {
		core->carriers[card->carrier].withdrawn++;
		if (!weir_card_is_left_unknown(card))
			weir_card_report(core, card, WEIR_COMMAND_IDLE, desired_before, now_us, 0, NULL);
	} else if (!needs && pending_command->desired != WEIR_DESIRED_UNKNOWN &&
		   pending_command->desired != pending_command->confirmed) {
		/* Finished before this owner came: it does not know. */
		enum weir_command_state reported =
		    card->desired == card->refused ? WEIR_COMMAND_FAILED : WEIR_COMMAND_CONFIRMED;
		weir_card_report(core, card, reported, card->desired, now_us, 0, NULL);
	}
	weir_card_reschedule(core, card, now_us, due_us, WEIR_RESCHEDULE_BACK);
}

void
weir_dispatch_core_enqueue(struct weir_dispatch_core *core, uint32_t lane, uint32_t carrier,
    const struct weir_pending_command *pending_command, int64_t now_us)
{
	WEIR_CHECK(carrier < core->carrier_count);
	if (pending_command->desired > WEIR_DESIRED_SUSPENDED)
		return;
	struct weir_card_entry *card = weir_cards_find(&core->cards, pending_command->partition, pending_command->slot);
	if (card == NULL && pending_command->desired != WEIR_DESIRED_UNKNOWN)
		enqueue_new(core, lane, carrier, pending_command, now_us);
	else if (card != NULL)
		enqueue_known(core, card, lane, carrier, pending_command, now_us);
}

void
weir_dispatch_core_forget(struct weir_dispatch_core *core, uint32_t lane, uint32_t partition)
{
	uint32_t at = weir_cards_first_of(&core->cards, partition);
	while (at != WEIR_NONE) {
		struct weir_card_entry *card = weir_cards_at(&core->cards, at);
		at = card->peers.next;
		if (card->lane != lane)
			continue; /* another lane of this process took the partition already */
		if (card->place == WEIR_PLACE_FLIGHT) {
			card->forgotten = true;
			continue;
		}
		card_take(core, card);
		weir_cards_drop(&core->cards, card);
	}
}

/* ---- calls ---- */

static void
core_fire_timers(struct weir_dispatch_core *core, int64_t now_us)
{
	struct weir_card_entry *card;
	while ((card = weir_heap_first(&core->cards)) != NULL && card->due_us <= now_us) {
		card_take(core, card);
		if (weir_card_needs_call(card))
			weir_card_reschedule(core, card, now_us, now_us, WEIR_RESCHEDULE_BACK);
		else
			weir_cards_drop(&core->cards, card);
	}
}

static void
card_launch(struct weir_dispatch_core *core, struct weir_card_entry *card, int64_t now_us, struct weir_dispatch_call *call)
{
	struct weir_core_carrier *carrier = &core->carriers[card->carrier];
	WEIR_CHECK(card->place == WEIR_PLACE_SUSPENDS || card->place == WEIR_PLACE_RESUMES); /* so no call is open for it */
	WEIR_CHECK(card->carrier == card->carrier_next && !card->forgotten && weir_card_needs_call(card));
	card_take(core, card);
	card->asking = card->accepted || card->ask_first;
	bool wants_intent = false;
	if (!card->asking) {
		if (card->target != card->desired)
			card->attempts = 0;
		card->target = card->desired;
		WEIR_CHECK(card->target == WEIR_DESIRED_ACTIVE || card->target == WEIR_DESIRED_SUSPENDED);
		card->attempts += card->attempts < UINT16_MAX;
		card->command_us = now_us;
		card->commanded = true;
		card->pending_before = card->pending;
		card->pending |= card->target;
		wants_intent = card->intent != card->target;
		if (wants_intent)
			card->token = core->tokens++;
		card->intent = card->target;
		carrier->sent++;
	}
	card->touched = true;
	card->place = WEIR_PLACE_FLIGHT;
	weir_carrier_limiter_begin(&carrier->limiter, now_us);
	*call = (struct weir_dispatch_call){.card = card->self,
	    .iccid = card->iccid,
	    .partition = card->partition,
	    .slot = card->slot,
	    .carrier = card->carrier,
	    .lane = card->lane,
	    .kind = card->asking ? WEIR_CALL_ASK : WEIR_CALL_SET,
	    .target = card->target,
	    .confirmed = card->confirmed,
	    .wants_intent = wants_intent,
	    .token = card->token};
	if (card->ticket != NULL)
		memcpy(call->ticket, card->ticket, strlen(card->ticket) + 1);
	if (!card->asking)
		weir_card_report(core, card, WEIR_COMMAND_SENT, card->target, now_us, 0, NULL);
}

static uint32_t
carrier_start(struct weir_dispatch_core *core, struct weir_core_carrier *carrier, int64_t now_us,
    struct weir_dispatch_call *calls, uint32_t max)
{
	uint32_t count = 0;
	while (count < max) {
		uint32_t first = carrier->suspends.first != WEIR_NONE ? carrier->suspends.first : carrier->resumes.first;
		if (first == WEIR_NONE || weir_carrier_limiter_ready_at(&carrier->limiter, now_us) > now_us)
			break;
		card_launch(core, weir_cards_at(&core->cards, first), now_us, &calls[count++]);
	}
	return count;
}

uint32_t
weir_dispatch_core_start(struct weir_dispatch_core *core, int64_t now_us, struct weir_dispatch_call *calls, uint32_t max)
{
	core_fire_timers(core, now_us);
	uint32_t count = 0;
	/* Another carrier comes first each time, so that none takes all places of a batch for ever. */
	uint32_t turn = core->turn++ % core->carrier_count;
	for (uint32_t i = 0; i < core->carrier_count && count < max; i++) {
		struct weir_core_carrier *carrier = &core->carriers[(turn + i) % core->carrier_count];
		count += carrier_start(core, carrier, now_us, calls + count, max - count);
	}
	return count;
}

int64_t
weir_dispatch_core_next_due(const struct weir_dispatch_core *core, int64_t now_us)
{
	const struct weir_card_entry *card = weir_heap_first(&core->cards);
	int64_t due_us = card != NULL ? card->due_us : WEIR_DISPATCH_NEVER;
	for (uint32_t i = 0; i < core->carrier_count; i++) {
		const struct weir_core_carrier *carrier = &core->carriers[i];
		if (carrier->suspends.count + carrier->resumes.count == 0)
			continue;
		int64_t ready_us = weir_carrier_limiter_ready_at(&carrier->limiter, now_us);
		due_us = ready_us < due_us ? ready_us : due_us;
	}
	return due_us;
}
