/* Records as producers make them: three kinds of identity, repeats, late and early ones, out of order. */
#include "tests/sim/phases.h"

/* ---- time ---- */

static int64_t
draw_end(struct sim *sim, int card)
{
	int64_t horizon_us = sim->model.horizon_us;
	int64_t end_us = sim->now_us - sim_between(&sim->rng, 0, 3600) * SIM_SECOND;
	/* Of a card that waits for traffic, late enough to be looked up after a take-over; those in order stay in order. */
	if (card >= 0 && sim->model.cards[card].status <= MODEL_INACTIVE) {
		const struct model_carrier *carrier = &sim->model.carriers[sim->model.cards[card].carrier];
		end_us = sim->now_us - sim_between(&sim->rng, 0, 5400) * SIM_SECOND;
		return model_cycle(carrier, end_us) == model_cycle(carrier, sim->now_us) ? end_us : sim->now_us;
	}
	uint64_t kind = sim_below(&sim->rng, 100);
	if (kind < 15)
		end_us = sim->now_us - sim_between(&sim->rng, 0, horizon_us / SIM_SECOND) * SIM_SECOND;
	else if (kind < 18) /* around the horizon */
		end_us = sim->now_us - horizon_us + sim_between(&sim->rng, -5, 5) * SIM_SECOND;
	else if (kind < 20)
		end_us = sim->now_us - horizon_us - sim_between(&sim->rng, 0, 1000) * SIM_SECOND;
	else if (kind < 23)
		end_us = sim->now_us + sim_between(&sim->rng, 0, 600) * SIM_SECOND;
	else if (kind < 30 && card >= 0) { /* around the boundary that began the cycle */
		const struct model_carrier *carrier = &sim->model.carriers[sim->model.cards[card].carrier];
		int64_t start_us = model_cycle_start(carrier, model_cycle(carrier, sim->now_us));
		if (sim->now_us - start_us < horizon_us)
			end_us = start_us + sim_between(&sim->rng, -2, 2) * (sim_chance(&sim->rng, 500) ? 1 : SIM_SECOND);
	}
	/* One that is ahead of the clock by less than the skew begins its card's next cycle: a tolerance, not a rule. */
	if (card >= 0) {
		const struct model_carrier *carrier = &sim->model.carriers[sim->model.cards[card].carrier];
		if (model_cycle(carrier, end_us) > model_cycle(carrier, sim->now_us))
			end_us = sim->now_us;
	}
	return end_us;
}

/* ---- identities ---- */

static uint64_t
draw_volume(struct sim *sim)
{
	uint64_t kind = sim_below(&sim->rng, 20);
	uint64_t bytes = kind == 0 ? 0 : kind == 1 ? sim_below(&sim->rng, 50000) : sim_below(&sim->rng, 3000);
	return bytes - bytes % sim->grain;
}

/* A new record of a card, by what the card's source is like. */
static struct model_record
draw_record(struct sim *sim, int at)
{
	struct sim_source *source = &sim->source[at];
	struct model_record r = {.card = at, .end_us = draw_end(sim, at)};
	/* A number that is never counted stays missing for ever, and only so many can be: see sessions.c. */
	if (source->kind == SIM_SOURCE_SEQUENCE && r.end_us < sim->now_us - sim->model.horizon_us * 9 / 10)
		r.end_us = sim->now_us;
	r.up = draw_volume(sim);
	r.down = draw_volume(sim);
	if (source->imei != 0 && sim->ordered && sim_chance(&sim->rng, sim->devices ? 700 : 300)) {
		if (sim_chance(&sim->rng, sim->devices ? 500 : 150))
			source->imei = 86000000000000 + sim_below(&sim->rng, 1000);
		r.imei = source->imei;
		r.end_us = sim->now_us;
	}
	if (source->kind == SIM_SOURCE_IDS) {
		r.id = ++sim->next_id;
		return r;
	}
	if (source->session == 0 || sim_chance(&sim->rng, 60)) {
		source->session = ++sim->next_id;
		source->seq = sim_below(&sim->rng, 3);
		source->skipped = false;
		source->up = source->down = 0;
	}
	r.session = source->session;
	if (source->kind == SIM_SOURCE_SEQUENCE) {
		r.seq = source->seq;
		r.has_seq = true;
		source->seq++;
		if (!source->skipped && r.seq < 3 &&
		    sim_chance(&sim->rng, 50)) { /* more than one gap a session could be given up */
			source->skipped = true;
			source->seq += sim_below(&sim->rng, 100);
		}
		return r;
	}
	source->up += r.up;
	source->down += r.down;
	r.up = source->up;
	r.down = source->down;
	r.totals = true;
	if (source->kind == SIM_SOURCE_TOTALS_IDS)
		r.id = ++sim->next_id;
	return r;
}

static void
remember(struct sim *sim, const struct model_record *record)
{
	sim->recent[sim->recent_next++ % SIM_RECENT] = *record;
	if (sim->recent_count < SIM_RECENT)
		sim->recent_count++;
}

void
sim_records_forget(struct sim *sim)
{
	sim->recent_count = sim->recent_next = sim->held_count = 0;
	for (int i = 0; i < sim->cards; i++)
		sim->source[i].session = 0;
}

void
sim_phase_record(struct sim *sim)
{
	if (sim->recent_count > 0 && sim_chance(&sim->rng, 120)) { /* again */
		sim_send_record(sim, &sim->recent[sim_below(&sim->rng, sim->recent_count)]);
		return;
	}
	if (sim->held_count > 0 && sim_chance(&sim->rng, 150)) { /* one that took longer */
		uint32_t at = (uint32_t)sim_below(&sim->rng, sim->held_count);
		struct model_record record = sim->held[at];
		sim->held[at] = sim->held[--sim->held_count];
		if (record.imei != 0 || (record.card >= 0 && sim->model.cards[record.card].status <= MODEL_INACTIVE))
			return;
		remember(sim, &record);
		sim_send_record(sim, &record);
		return;
	}
	int card = sim_chance(&sim->rng, 20) ? -1 : (int)sim_below(&sim->rng, (uint64_t)sim->cards);
	if (card >= 0 && !sim->model.cards[card].known)
		card = -1;
	struct model_record record = {.card = -1, .id = sim->next_id + 1, .up = 5, .down = 5, .end_us = sim->now_us};
	if (card >= 0)
		record = draw_record(sim, card);
	else
		sim->next_id++;
	uint32_t of_card = 0;
	for (uint32_t i = 0; i < sim->held_count; i++)
		of_card += sim->held[i].card == record.card;
	if (sim->held_count < SIM_HELD && of_card < 2 && sim_chance(&sim->rng, 120)) {
		sim->held[sim->held_count++] = record;
		return;
	}
	remember(sim, &record);
	sim_send_record(sim, &record);
}
