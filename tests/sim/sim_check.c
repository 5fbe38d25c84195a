/* What must hold: at any time, and at quiet points against the model. Each check names the rule it holds. */
#include "tests/sim/sim_check.h"

#include <inttypes.h>

#include "aggregators/snapshot/check.h"

/* The model's bits to weir's. */
uint16_t
sim_weir_reasons(unsigned reasons)
{
	static const struct {
		unsigned model;
		unsigned weir;
	} TABLE[] = {{MODEL_PLAN_EXHAUSTED, WEIR_REASON_PLAN_EXHAUSTED}, {MODEL_USAGE_LIMIT, WEIR_REASON_USAGE_LIMIT},
	    {MODEL_POOL_EXHAUSTED, WEIR_REASON_POOL_EXHAUSTED}, {MODEL_POOL_THRESHOLD, WEIR_REASON_POOL_THRESHOLD},
	    {MODEL_POOL_FROZEN, WEIR_REASON_POOL_FROZEN}, {MODEL_PLAN_EXPIRED, WEIR_REASON_PLAN_EXPIRED},
	    {MODEL_MANUAL, WEIR_REASON_MANUAL}, {MODEL_DEVICE_CHANGE, WEIR_REASON_DEVICE_CHANGE},
	    {MODEL_ID_VERIFICATION, WEIR_REASON_ID_VERIFICATION}, {MODEL_VIOLATION, WEIR_REASON_VIOLATION},
	    {MODEL_ABNORMAL, WEIR_REASON_ABNORMAL}, {MODEL_RESET, WEIR_REASON_RESET}};
	uint16_t out = 0;
	for (unsigned i = 0; i < sizeof(TABLE) / sizeof(TABLE[0]); i++)
		if ((reasons & TABLE[i].model) != 0)
			out |= WEIR_REASON_BIT(TABLE[i].weir);
	return out;
}

const char *
sim_reasons_text(uint16_t reasons, char out[256])
{
	size_t n = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			n += (size_t)snprintf(out + n, 256 - n, "%s%s", n > 0 ? "+" : "", weir_reason_name(i));
	return n > 0 ? out : "none";
}

/* ---- at any time ---- */

void
sim_check_step(struct sim *sim, struct sim_owner *owner)
{
	const struct weir_partition *p = owner->o->core;
	weir_partition_check(p);
	for (int i = 0; i < sim->cards; i++) {
		uint32_t slot;
		if (sim->card[i].partition != owner->partition ||
		    weir_partition_find(p, sim->card[i].packed, &slot) == NULL)
			continue;
		sim_check_member(sim, owner, i, slot);
		if (weir_partition_enforced(p, slot) != 0)
			sim->card[i].at_carrier.suspend_wanted = true;
	}
}

/* rule CMD-1: what is desired follows from the reasons that are enforced. */
void
sim_check_command(struct sim *sim, const struct sim_owner *owner, const struct weir_pending_command *pending_command)
{
	int card = sim_card_of(sim, pending_command->iccid);
	bool wanted = weir_partition_enforced(owner->o->core, pending_command->slot) != 0;
	bool withdrawn = pending_command->desired == WEIR_DESIRED_UNKNOWN;
	if (card < 0 || (!withdrawn && wanted != (pending_command->desired == WEIR_DESIRED_SUSPENDED)))
		sim_fail(sim, "card %d: offered as desired %u, %s reason", card, pending_command->desired,
		    wanted ? "with a" : "without");
	if (wanted)
		sim->card[card].at_carrier.suspend_wanted = true;
}

/* What was wanted before the carrier confirmed a state counts no more. */
void
sim_check_confirmed(struct sim *sim, int card)
{
	const struct sim_owner *owner = sim_owner_of(sim, sim->card[card].partition);
	const struct weir_partition *core = sim_core(owner);
	uint32_t slot;
	if (core == NULL || sim_dispatch_is_ordered(sim, owner->process, sim->card[card].packed))
		return; /* nobody can say; or an older word is on its way */
	sim->card[card].at_carrier.suspend_wanted =
	    weir_partition_find(core, sim->card[card].packed, &slot) != NULL && weir_partition_enforced(core, slot) != 0;
}

/* The owner's newest word on a card has found no room in the queue yet. */
static bool
is_pending(const struct weir_partition *core, uint32_t slot)
{
	for (uint32_t i = 0; i < core->effects.pending_commands.n; i++)
		if (core->effects.pending_commands.v[i] == slot)
			return true;
	return false;
}

/* rule LIFE-6, rule CMD-5: a card that may be sent nothing, as its owner knows and has said. */
static bool
is_silent(struct sim *sim, const struct sim_call *call)
{
	const struct weir_partition *core = sim_core(sim_owner_of(sim, call->call.partition));
	if (core == NULL || call->call.slot >= core->tables.cards.used || is_pending(core, call->call.slot))
		return false;
	const struct weir_card_slot *slot = weir_slab_at(&core->tables.cards, call->call.slot);
	bool silent = (slot->flags & WEIR_CARD_STATUS_MASK) >= WEIR_STATUS_DEACTIVATED ||
		      (core->guard->tripped && call->call.target == WEIR_DESIRED_SUSPENDED);
	/* A result that was on its way when the partition was taken again settled the card: what is queued says the same.
	 */
	bool again = call->call.target == WEIR_DESIRED_ACTIVE && weir_partition_enforcement(core, call->call.slot) == NULL;
	return silent && !again && weir_iccid_equal(slot->iccid, call->call.iccid);
}

/* rule CMD-1: one call in flight a card, and no suspend of a card that has had no reason since it was last settled. */
void
sim_check_call(struct sim *sim, const struct sim_call *call)
{
	int card = sim_card_of(sim, call->call.iccid);
	if (card < 0)
		sim_fail(sim, "a call for no card");
	for (uint32_t i = 0; i < sim->call_count; i++)
		if (sim->calls[i].used && !sim->calls[i].abandoned &&
		    weir_iccid_equal(sim->calls[i].call.iccid, call->call.iccid))
			sim_fail(sim, "card %d: two calls in flight", card);
	if (call->call.kind == WEIR_CALL_SET && is_silent(sim, call))
		sim_fail(sim, "card %d: a command though none may be sent", card);
	if (call->call.kind == WEIR_CALL_SET && call->call.target == WEIR_DESIRED_SUSPENDED &&
	    !sim->card[card].at_carrier.suspend_wanted)
		sim_fail(sim, "card %d: suspended without a reason", card);
}

/* ---- at quiet points ---- */

static struct weir_closed_cycle_slot
closed_cycle_of(const struct sim *sim, uint32_t partition, int cycle, uint32_t slot)
{
	struct weir_closed_cycle_slot closed_cycles = {0};
	const struct sim_blob *blob = sim_blob_find(&sim->store[partition], 'y', cycle, slot / 256);
	uint32_t from = slot % 256 * (uint32_t)sizeof(closed_cycles);
	if (blob != NULL && from + sizeof(closed_cycles) <= blob->len)
		memcpy(&closed_cycles, blob->data + from, sizeof(closed_cycles));
	return closed_cycles;
}

/* rule REC-3, rule REC-5, rule REC-6, rule CYC-3: each record once, in its cycle, past cycles readable. */
static void
check_usage(struct sim *sim, int card, const struct weir_card_slot *slot, uint32_t number)
{
	int now = model_card_cycle(&sim->model, card);
	for (int cycle = now - 8; cycle <= now + 1; cycle++) {
		struct model_usage right = model_usage(&sim->model, card, cycle);
		struct weir_closed_cycle_slot held = closed_cycle_of(sim, sim->card[card].partition, cycle, number);
		if (cycle == slot->cycle)
			held =
			    (struct weir_closed_cycle_slot){.up = slot->up, .down = slot->down, .records = slot->records};
		if (held.up != right.up || held.down != right.down || held.records != right.records)
			sim_fail(sim,
			    "card %d cycle %d: up %" PRIu64 " down %" PRIu64 " records %u; right are %" PRIu64 " %" PRIu64
			    " %" PRIu64,
			    card, cycle, held.up, held.down, held.records, right.up, right.down, right.records);
		sim->hash = (sim->hash ^ right.up ^ right.down << 1) * 0x9e3779b97f4a7c15u;
	}
}

static void
check_card(struct sim *sim, int card, bool caught_up)
{
	struct sim_owner *owner = sim_owner_of(sim, sim->card[card].partition);
	uint32_t number;
	const struct weir_card_slot *slot = weir_partition_find(owner->o->core, sim->card[card].packed, &number);
	if (slot == NULL || !sim->model.cards[card].known) {
		if ((slot != NULL) != sim->model.cards[card].known)
			sim_fail(sim, "card %d: %s", card, slot != NULL ? "is there and should not be" : "is not there");
		return;
	}
	if ((slot->flags & WEIR_CARD_STATUS_MASK) != (unsigned)sim->model.cards[card].status)
		sim_fail(sim, "card %d: status %s, right is %s", card,
		    weir_status_name((enum weir_card_status)(slot->flags & WEIR_CARD_STATUS_MASK)),
		    weir_status_name((enum weir_card_status)sim->model.cards[card].status));
	check_usage(sim, card, slot, number);
	sim_check_card_alerts(sim, card);
	char is[256], should[256];
	uint16_t right = sim_weir_reasons(model_reasons(&sim->model, card));
	/* A card that nothing has touched since the boundary rolls over when something does; it has no reasons to clear. */
	uint16_t reasons = slot->reasons;
	/* Of a card that takes no command nobody asks when its plan expires. */
	uint16_t asked =
	    model_commands(&sim->model, card) ? UINT16_MAX : (uint16_t)~WEIR_REASON_BIT(WEIR_REASON_PLAN_EXPIRED);
	reasons &= asked;
	right &= asked;
	if (reasons != right)
		sim_fail(sim, "card %d: reasons are %s, right is %s", card, sim_reasons_text(reasons, is),
		    sim_reasons_text(right, should));
	unsigned enforced = model_enforced(&sim->model, card);
	const struct weir_enforcement_slot *e = weir_partition_enforcement(owner->o->core, number);
	uint8_t desired = e == NULL ? WEIR_DESIRED_ACTIVE : e->desired;
	uint8_t wanted = enforced != 0 ? WEIR_DESIRED_SUSPENDED : WEIR_DESIRED_ACTIVE;
	if (!model_commands(&sim->model, card))
		return;
	if (desired != wanted)
		sim_fail(sim, "card %d: desired %u, right is %u (reasons %s)", card, desired, wanted,
		    sim_reasons_text(right, should));
	const struct sim_subscriber *s = &sim->card[card].at_carrier;
	bool held = owner->o->core->guard->tripped && wanted == WEIR_DESIRED_SUSPENDED;
	if (caught_up && !held && !s->refuses && !s->is_unconfirmed && sim_carrier_state(sim, card) != wanted)
		sim_fail(sim, "card %d: at its carrier in state %u, should be in %u (confirmed %u)", card,
		    sim_carrier_state(sim, card), wanted, e == NULL ? WEIR_DESIRED_ACTIVE : e->confirmed);
}

/* rule REC-7: each record that was not counted has its dead letter, with the right reason; none that was has one. */
static void
check_dead_letters(struct sim *sim)
{
	static const uint32_t RIGHT[] = {[MODEL_COUNTED] = 0,
	    [MODEL_DUPLICATE] = 0,
	    [MODEL_FUTURE] = 1u << WEIR_REJECT_FUTURE,
	    [MODEL_TOO_LATE] = 1u << WEIR_REJECT_TOO_LATE,
	    [MODEL_UNKNOWN] = 1u << WEIR_REJECT_UNKNOWN_CARD};
	for (uint32_t p = 0; p < sim->partitions; p++)
		for (int64_t i = 0; i < sim->logs[SIM_RECORDS][p].n; i++) {
			const struct sim_message *message = &sim->logs[SIM_RECORDS][p].v[i];
			/* A sequence of which too much was missing gives ranges up: what is below it cannot be proven new.
			 */
			uint32_t given_up =
			    message->verdict == MODEL_DUPLICATE && (message->record.flags & WEIR_RECORD_HAS_SEQ) != 0
				? 1u << WEIR_REJECT_TOO_LATE
				: 0;
			uint32_t right = RIGHT[message->verdict],
				 published = message->rejected | (message->rejected_aside & right);
			if ((published & ~given_up) != right)
				sim_fail(sim, "record %u/%lld: dead letters %x, right are %x", p, (long long)i, published,
				    right);
		}
}

void
sim_check_quiet(struct sim *sim, bool caught_up)
{
	model_clock(&sim->model, sim->now_us);
	check_dead_letters(sim);
	for (int i = 0; i < sim->cards; i++)
		check_card(sim, i, caught_up);
	for (int i = 0; i < sim->pools; i++)
		sim_check_pool(sim, i);
	sim_check_windows(sim);
}

void
sim_quiet_point(struct sim *sim)
{
	if (sim->ordered)
		sim_snapshots_forget(sim);
	sim_states_forget(sim);
}
