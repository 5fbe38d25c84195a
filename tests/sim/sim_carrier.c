/*
 * Processes' dispatchers and the carriers' ends: calls are answered later, wrongly, or not at all; commands are done at
 * once, later, or never; what a carrier took in is done in order, so that the last command counts.
 */
#include "tests/sim/sim.h"

#include <stdlib.h>

/* ---- dispatchers ---- */

static void
on_result(void *ctx, uint32_t lane, const struct weir_command_result *result)
{
	struct sim *sim = ctx;
	struct sim_process *process = &sim->process[lane];
	if (process->result_count == process->result_cap) {
		process->result_cap = process->result_cap == 0 ? 16 : process->result_cap * 2;
		process->results = weir_realloc(process->results, process->result_cap * sizeof(*process->results));
	}
	process->results[process->result_count++] = *result;
}

void
sim_dispatch_new(struct sim *sim, uint32_t process)
{
	sim->process[process].dispatch =
	    weir_dispatch_core_new(sim->limits, (uint32_t)sim->carriers, weir_random_next(&sim->rng), on_result, sim);
}

static struct sim_order *
order(struct sim_process *process)
{
	if (process->order_count == process->order_cap) {
		process->order_cap = process->order_cap == 0 ? 16 : process->order_cap * 2;
		process->orders = weir_realloc(process->orders, process->order_cap * sizeof(*process->orders));
	}
	return &process->orders[process->order_count++];
}

void
sim_dispatch_enqueue(struct sim *sim, const struct sim_owner *owner, const struct weir_pending_command *pending_command)
{
	int carrier = sim_carrier_of(sim, pending_command->carrier);
	if (carrier < 0)
		sim_fail(sim, "an offer to no carrier: '%s'", pending_command->carrier);
	SIM_TRACE(sim, "%u/%u offers card %d: desired %u confirmed %u resumed %u", owner->process, owner->partition,
	    sim_card_of(sim, pending_command->iccid), pending_command->desired, pending_command->confirmed,
	    pending_command->resumed_state);
	*order(&sim->process[owner->process]) =
	    (struct sim_order){.carrier = (uint32_t)carrier, .pending_command = *pending_command};
}

void
sim_dispatch_forget(struct sim *sim, uint32_t process, uint32_t partition)
{
	*order(&sim->process[process]) = (struct sim_order){.forget = true, .pending_command = {.partition = partition}};
}

bool
sim_dispatch_is_ordered(const struct sim *sim, uint32_t process, struct weir_iccid iccid)
{
	const struct sim_process *p = &sim->process[process];
	for (uint32_t i = 0; i < p->order_count; i++)
		if (!p->orders[i].forget && weir_iccid_equal(p->orders[i].pending_command.iccid, iccid))
			return true;
	return false;
}

/* The dispatcher's thread takes in what its lanes said. */
static void
hear(struct sim *sim, uint32_t number)
{
	struct sim_process *process = &sim->process[number];
	for (uint32_t i = 0; i < process->order_count; i++) {
		const struct sim_order *o = &process->orders[i];
		if (o->forget)
			weir_dispatch_core_forget(process->dispatch, number, o->pending_command.partition);
		else
			weir_dispatch_core_enqueue(process->dispatch, number, o->carrier, &o->pending_command, sim->now_us);
	}
	process->order_count = 0;
}

/* ---- a card at its carrier ---- */

static void
do_pending(struct sim *sim, struct sim_subscriber *s)
{
	if (s->pending != 0 && s->pending_us <= sim->now_us) {
		s->state = s->pending;
		s->pending = 0;
	}
}

uint8_t
sim_carrier_state(struct sim *sim, int card)
{
	do_pending(sim, &sim->card[card].at_carrier);
	return sim->card[card].at_carrier.state;
}

/* A command arrives: what came before it is done before it. */
static void
act_on_card(struct sim *sim, int card, uint8_t target, int64_t delay_us)
{
	struct sim_subscriber *s = &sim->card[card].at_carrier;
	do_pending(sim, s);
	if (s->pending != 0)
		s->state = s->pending;
	s->pending = target;
	s->pending_us = sim->now_us + delay_us;
	do_pending(sim, s);
	SIM_TRACE(sim, "carrier: card %d %s%s", card, target == WEIR_DESIRED_SUSPENDED ? "suspended" : "active",
	    s->pending != 0 ? " soon" : "");
}

/* ---- calls ---- */

static void
lost_answer(struct sim *sim, struct sim_call *call, int card)
{
	call->outcome.kind = WEIR_OUTCOME_RETRY;
	call->outcome.timed_out = call->outcome.maybe_done = call->call.kind == WEIR_CALL_SET;
	call->answer_us = sim->now_us + sim_between(&sim->rng, SIM_SECOND, 5 * SIM_SECOND);
	if (call->call.kind != WEIR_CALL_SET)
		return;
	switch (sim_below(&sim->rng, 3)) {
	case 0: /* never arrived */
		break;
	case 1:
		act_on_card(sim, card, call->call.target, 0);
		break;
	default:
		act_on_card(sim, card, call->call.target, sim_between(&sim->rng, 0, 20 * SIM_SECOND));
		break;
	}
}

static void
trouble(struct sim *sim, struct sim_call *call, int card)
{
	bool set = call->call.kind == WEIR_CALL_SET;
	switch (sim_below(&sim->rng, 6)) {
	case 0:
		call->outcome.kind = WEIR_OUTCOME_RETRY; /* no connection */
		break;
	case 1: /* 5xx */
		call->outcome.kind = WEIR_OUTCOME_RETRY;
		call->outcome.maybe_done = set;
		if (set && sim_chance(&sim->rng, 500))
			act_on_card(sim, card, call->call.target, 0);
		break;
	case 2:
	case 3:
		lost_answer(sim, call, card);
		break;
	case 4:
		call->outcome.kind = WEIR_OUTCOME_RATE_LIMITED;
		call->outcome.after_ms = (uint32_t)sim_below(&sim->rng, 2000);
		break;
	default:
		call->outcome.kind = WEIR_OUTCOME_CARRIER_DOWN;
		break;
	}
}

/* As it should be: done, or accepted and done later, or the state that was asked for. */
static void
serve_call(struct sim *sim, struct sim_call *call, int card)
{
	struct sim_subscriber *s = &sim->card[card].at_carrier;
	do_pending(sim, s);
	if (call->call.kind == WEIR_CALL_ASK) {
		call->outcome.kind = WEIR_OUTCOME_STATE;
		call->outcome.state = s->state;
	} else if (s->refuses) {
		call->outcome.kind = WEIR_OUTCOME_REFUSED;
	} else if (s->state == call->call.target && s->pending == 0) {
		call->outcome.kind = sim_chance(&sim->rng, 500) ? WEIR_OUTCOME_ALREADY : WEIR_OUTCOME_DONE;
	} else if (sim_chance(&sim->rng, 300)) {
		call->outcome.kind = WEIR_OUTCOME_ACCEPTED;
		if (sim_chance(&sim->rng, 500))
			(void)snprintf(call->outcome.ticket, sizeof(call->outcome.ticket), "T%d", card);
		act_on_card(sim, card, call->call.target, sim_between(&sim->rng, 0, 30 * SIM_SECOND));
	} else {
		call->acts = true;
		call->outcome.kind = WEIR_OUTCOME_DONE;
	}
}

static void
begin(struct sim *sim, uint32_t process, const struct weir_dispatch_call *from)
{
	uint32_t at = 0;
	while (at < sim->call_count && sim->calls[at].used)
		at++;
	if (at == sim->call_cap) {
		sim->call_cap = sim->call_cap == 0 ? 16 : sim->call_cap * 2;
		sim->calls = weir_realloc(sim->calls, sim->call_cap * sizeof(*sim->calls));
	}
	sim->call_count = at == sim->call_count ? at + 1 : sim->call_count;
	struct sim_call *call = &sim->calls[at];
	*call = (struct sim_call){.used = false, .process = process, .call = *from};
	sim_check_call(sim, call);
	call->used = true;
	struct weir_unconfirmed_card intent = {from->iccid, from->token, from->target};
	if (from->wants_intent)
		sim_store_intent(&sim->store[from->partition], &intent);
	call->answer_us = sim->now_us + sim_between(&sim->rng, 1000, 2 * SIM_SECOND);
	int card = sim_card_of(sim, from->iccid);
	bool out = sim->outage_until_us[from->carrier] > sim->now_us;
	if (out && sim_chance(&sim->rng, 500))
		lost_answer(sim, call, card);
	else if (out)
		call->outcome.kind = WEIR_OUTCOME_RETRY;
	else if (sim_chance(&sim->rng, sim->carrier_trouble))
		trouble(sim, call, card);
	else
		serve_call(sim, call, card);
	SIM_TRACE(sim, "process %u calls: card %d %s %s, to be answered %d", process, card,
	    from->kind == WEIR_CALL_SET ? "set" : "ask", from->target == WEIR_DESIRED_SUSPENDED ? "suspended" : "active",
	    call->outcome.kind);
}

void
sim_dispatch_start(struct sim *sim, uint32_t process)
{
	struct weir_dispatch_call calls[8];
	hear(sim, process);
	uint32_t count = weir_dispatch_core_start(sim->process[process].dispatch, sim->now_us, calls, 8);
	for (uint32_t i = 0; i < count; i++) {
		/* rule CMD-3: suspends go before resumes */
		struct weir_carrier_counters row;
		weir_dispatch_core_counters(sim->process[process].dispatch, calls[i].carrier, &row);
		if (calls[i].kind == WEIR_CALL_SET && calls[i].target == WEIR_DESIRED_ACTIVE && row.queued_suspends > 0)
			sim_fail(
			    sim, "carrier %u: a resume goes before %u suspends", calls[i].carrier, row.queued_suspends);
		begin(sim, process, &calls[i]);
	}
}

static void
end(struct sim *sim, struct sim_call *call)
{
	int card = sim_card_of(sim, call->call.iccid);
	if (call->acts)
		act_on_card(sim, card, call->call.target, 0);
	call->used = false;
}

bool
sim_carriers_answer(struct sim *sim)
{
	bool any = false;
	for (int i = 0; i < sim->cards; i++)
		do_pending(sim, &sim->card[i].at_carrier);
	for (uint32_t i = 0; i < sim->call_count; i++) {
		struct sim_call *call = &sim->calls[i];
		if (!call->used || call->answer_us > sim->now_us)
			continue;
		end(sim, call);
		bool confirms = call->outcome.kind == WEIR_OUTCOME_DONE || call->outcome.kind == WEIR_OUTCOME_ALREADY ||
				(call->outcome.kind == WEIR_OUTCOME_STATE && call->outcome.state == call->call.target);
		if (confirms && !call->abandoned)
			sim_check_confirmed(sim, sim_card_of(sim, call->call.iccid));
		weir_dispatch_core_finish(
		    sim->process[call->process].dispatch, call->call.card, &call->outcome, sim->now_us);
		any = true;
	}
	return any;
}

/* The owner is gone, and nobody waits for its open calls any more: they had arrived at the carrier, or never do. */
void
sim_calls_abandon(struct sim *sim, uint32_t process, uint32_t partition)
{
	for (uint32_t i = 0; i < sim->call_count; i++) {
		struct sim_call *call = &sim->calls[i];
		if (!call->used || call->abandoned || call->process != process || call->call.partition != partition)
			continue;
		if (call->acts && sim_chance(&sim->rng, 500))
			act_on_card(sim, sim_card_of(sim, call->call.iccid), call->call.target, 0);
		call->acts = false;
		call->abandoned = true;
		call->outcome = (struct weir_outcome){.kind = WEIR_OUTCOME_RETRY};
		call->outcome.timed_out = call->outcome.maybe_done = call->call.kind == WEIR_CALL_SET;
	}
}

/* Its owner knows what the carrier confirmed; Redis does with that flush. */
void
sim_carrier_reported(struct sim *sim, int card, int64_t at_us, int64_t flush_number)
{
	struct sim_subscriber *s = &sim->card[card].at_carrier;
	if (!sim->rolled_back[sim->card[card].partition] && at_us > s->unconfirmed_us)
		s->known_by = flush_number;
}

void
sim_carrier_unconfirmed(struct sim *sim, int card)
{
	struct sim_subscriber *s = &sim->card[card].at_carrier;
	s->is_unconfirmed |= !sim->options.strict;
	s->unconfirmed_us = sim->now_us;
	s->known_by = 0;
}

/* A process and all it knows are gone. */
void
sim_process_die(struct sim *sim, uint32_t process)
{
	SIM_TRACE(sim, "process %u dies", process);
	for (uint32_t p = 0; p < sim->partitions; p++)
		sim_calls_abandon(sim, process, p);
	for (uint32_t i = 0; i < sim->call_count; i++)
		if (sim->calls[i].process == process)
			sim->calls[i].used = false;
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		if (sim->owners[i].used && sim->owners[i].process == process)
			sim_owner_drop(sim, &sim->owners[i]);
	weir_dispatch_core_free(sim->process[process].dispatch);
	sim->process[process].result_count = sim->process[process].order_count = 0;
	sim_dispatch_new(sim, process);
}

bool
sim_carriers_idle(const struct sim *sim, int64_t *due_us_out)
{
	bool idle = true;
	*due_us_out = INT64_MAX;
	for (uint32_t i = 0; i < sim->call_count; i++)
		if (sim->calls[i].used) {
			idle = false;
			*due_us_out = sim->calls[i].answer_us < *due_us_out ? sim->calls[i].answer_us : *due_us_out;
		}
	for (uint32_t i = 0; i < sim->processes; i++) {
		idle &= sim->process[i].result_count == 0 && sim->process[i].order_count == 0;
		int64_t due_us = weir_dispatch_core_next_due(sim->process[i].dispatch, sim->now_us);
		*due_us_out = due_us < *due_us_out ? due_us : *due_us_out;
		idle &= due_us == WEIR_DISPATCH_NEVER;
	}
	for (int i = 0; i < sim->cards; i++) {
		const struct sim_subscriber *s = &sim->card[i].at_carrier;
		if (s->pending == 0)
			continue;
		idle = false;
		*due_us_out = s->pending_us < *due_us_out ? s->pending_us : *due_us_out;
	}
	return idle;
}
