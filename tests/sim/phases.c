/*
 * What a seed's world goes through: definitions, then phases of records, of changes, or of both, with steps and faults in
 * between and a quiet point after each, where everything is compared with the model. Inputs whose order matters by the
 * rules (POOL-3, SUS-1 against the end of a cycle, activation) never share a phase in an ordered world. An unordered world
 * has only inputs that commute, and no quiet point before its end, so that trouble may reach back as far as it likes.
 */
#include "tests/sim/phases.h"

#include <inttypes.h>

/* ---- definitions ---- */

static void
draw_carriers(struct sim *sim)
{
	sim->carriers = 1 + (int)sim_below(&sim->rng, 4);
	for (int i = 0; i < sim->carriers; i++) {
		struct model_carrier *c = &sim->model.carriers[i];
		static const struct {
			enum model_zone zone;
			int day;
			bool end;
		} KINDS[] = {{MODEL_SHANGHAI, 1, false}, {MODEL_SHANGHAI, 27, true}, {MODEL_UTC, 1, false},
		    {MODEL_BERLIN, 1, false}, {MODEL_BERLIN, 28, true}};
		uint64_t kind = sim_below(&sim->rng, 5);
		*c = (struct model_carrier){
		    .zone = KINDS[kind].zone, .day = KINDS[kind].day, .named_after_end = KINDS[kind].end};
		c->lock = (enum model_lock)sim_below(&sim->rng, 3);
		c->rebinds = (int)sim_below(&sim->rng, 3);
		c->test_quota = 1000 * (1 + sim_below(&sim->rng, 6));
		c->test_months = (int)sim_below(&sim->rng, 3);
		c->silent_months = (int)sim_below(&sim->rng, 3);
		c->cancel_months = 1 + (int)sim_below(&sim->rng, 3);
		if (sim_chance(&sim->rng, 300))
			c->unsupported_single = MODEL_USAGE_LIMIT;
		if (sim_chance(&sim->rng, 150))
			c->unsupported_pooled = MODEL_POOL_THRESHOLD | MODEL_MANUAL;
		(void)snprintf(sim->carrier_ids[i], sizeof(sim->carrier_ids[i]), "k%d", i);
		struct weir_dispatch_limits *limits = &sim->limits[i];
		*limits = (struct weir_dispatch_limits){.rate_per_s = sim_chance(&sim->rng, 500) ? 0 : 5,
		    .concurrency = 1 + (uint32_t)sim_below(&sim->rng, 4),
		    .cooldown_ms = (uint32_t)sim_below(&sim->rng, 3) * 500,
		    .retry_min_ms = 100,
		    .retry_max_ms = 5000,
		    .breaker_failures = 3,
		    .breaker_open_ms = 2000,
		    .confirm_ms = 500,
		    .confirm_max_s = 30,
		    .can_ask = sim_chance(&sim->rng, 750)};
	}
}

static uint64_t
draw_bytes(struct sim *sim, uint64_t about)
{
	uint64_t bytes = sim_below(&sim->rng, 2 * about);
	return bytes - bytes % sim->grain + sim->grain;
}

static int
draw_plan(struct sim *sim, int carrier)
{
	struct model_plan *plan = &sim->model.plans[sim->plans];
	*plan = (struct model_plan){.carrier = carrier,
	    .kind = MODEL_SINGLE,
	    .allowance = 1000 + draw_bytes(sim, 30000),
	    .limit = sim_chance(&sim->rng, 300) ? 1000 + draw_bytes(sim, 30000) : MODEL_NONE,
	    .term_months = (int)sim_below(&sim->rng, 4)};
	return sim->plans++;
}

static void
draw_pool(struct sim *sim, int at)
{
	struct model_pool *pool = &sim->model.pools[at];
	struct model_plan *plan = &sim->model.plans[sim->plans];
	*plan = (struct model_plan){.carrier = (int)sim_below(&sim->rng, (uint64_t)sim->carriers),
	    .kind = (enum model_kind)(1 + sim_below(&sim->rng, 3)),
	    .allowance = 1000 + draw_bytes(sim, 15000),
	    .limit = sim_chance(&sim->rng, 150) ? 1000 + draw_bytes(sim, 40000) : MODEL_NONE,
	    .term_months = (int)sim_below(&sim->rng, 4)};
	pool->kind = plan->kind;
	pool->carrier = plan->carrier;
	pool->plan = sim->plans++;
	pool->total = 5000 + draw_bytes(sim, 60000);
	pool->retention_days = 1 + (int)sim_below(&sim->rng, 30);
	if (pool->kind == MODEL_METERED && sim_chance(&sim->rng, 800)) {
		pool->threshold = 5000 + draw_bytes(sim, 60000);
		pool->suspends = sim_chance(&sim->rng, 750);
	}
}

/* A plan for a card that is in no pool, or -1. */
int
sim_phase_single_plan(struct sim *sim, int carrier)
{
	int fitting[MODEL_PLANS], count = 0;
	for (int i = 0; i < sim->plans; i++)
		if (sim->model.plans[i].carrier == carrier && sim->model.plans[i].kind == MODEL_SINGLE)
			fitting[count++] = i;
	return count == 0 || sim_chance(&sim->rng, 100) ? -1 : fitting[sim_below(&sim->rng, (uint64_t)count)];
}

/* Carrier, plan and pool of a card, as it is when it comes: half of the cards are in pools. */
static void
place_card(struct sim *sim, int at)
{
	struct sim_card *card = &sim->card[at];
	struct model_card *model = &sim->model.cards[at];
	card->carrier = (int)sim_below(&sim->rng, (uint64_t)sim->carriers);
	card->plan = sim_phase_single_plan(sim, card->carrier);
	card->pool = -1;
	if (sim->pools > 0 && sim_chance(&sim->rng, 650)) {
		card->pool = (int)sim_below(&sim->rng, (uint64_t)sim->pools);
		card->carrier = sim->model.pools[card->pool].carrier;
		card->plan = sim->model.pools[card->pool].plan;
	}
	model->carrier = card->carrier;
	model->plan = card->plan;
	model->pool = card->pool;
}

void
sim_phase_card(struct sim *sim, int at)
{
	struct sim_card *card = &sim->card[at];
	struct model_card *model = &sim->model.cards[at];
	place_card(sim, at);
	model->known = true;
	model->since_us = sim->now_us;
	model->seen_cycle = model_card_cycle(&sim->model, at);
	char plan[32] = "", pool[32] = "";
	if (card->plan >= 0)
		(void)snprintf(plan, sizeof(plan), ",\"plan\":\"p%d\"", card->plan);
	if (card->pool >= 0)
		(void)snprintf(pool, sizeof(pool), ",\"pool\":\"q%d\"", card->pool);
	const char *status = sim_phase_status(sim, at);
	sim_send_card(sim, at, ",\"carrier\":\"%s\"%s%s%s", sim->carrier_ids[card->carrier], plan, pool, status);
	card->sent = true;
}

void
sim_phase_pool(struct sim *sim, int pool)
{
	if (!sim->model.pools[pool].known)
		sim->model.pools[pool].known_cycle = model_pool_cycle(&sim->model, pool);
	sim->model.pools[pool].known = true;
	sim_send_pool(sim, pool);
}

static void
define_world(struct sim *sim)
{
	model_clock(&sim->model, sim->now_us);
	for (int i = 0; i < sim->carriers; i++)
		sim_send_carrier(sim, i);
	for (int i = 0; i < sim->carriers; i++)
		for (uint64_t n = 1 + sim_below(&sim->rng, 2); n > 0; n--)
			(void)draw_plan(sim, i);
	sim->pools = sim->options.cards_only ? 0 : (int)sim_below(&sim->rng, 5);
	for (int i = 0; i < sim->pools && sim->plans < MODEL_PLANS; i++)
		draw_pool(sim, i);
	for (int i = 0; i < sim->plans; i++)
		sim_send_plan(sim, i);
	/* Pools before their cards, after them, or much later. */
	uint64_t when = sim_below(&sim->rng, 3);
	for (int i = 0; i < sim->pools && when == 0; i++)
		sim_phase_pool(sim, i);
	for (int i = 0; i < sim->cards; i++)
		if (!sim->ordered || !sim_chance(&sim->rng, 100)) /* some come later */
			sim_phase_card(sim, i);
	for (int i = 0; i < sim->pools && when == 1; i++)
		sim_phase_pool(sim, i);
}

/* ---- time between phases ---- */

/* The nearest boundary of any carrier after now. */
static int64_t
next_boundary(const struct sim *sim)
{
	int64_t nearest_us = INT64_MAX;
	for (int i = 0; i < sim->carriers; i++) {
		const struct model_carrier *carrier = &sim->model.carriers[i];
		int64_t start_us = model_cycle_start(carrier, model_cycle(carrier, sim->now_us) + 1);
		nearest_us = start_us < nearest_us ? start_us : nearest_us;
	}
	return nearest_us;
}

/* When the clock changes something: a cycle ends, a date of a card or a pool comes. */
static int64_t
next_event(const struct sim *sim)
{
	int64_t event_us = model_next_event(&sim->model), boundary_us = next_boundary(sim);
	return event_us < boundary_us ? event_us : boundary_us;
}

/* In an ordered world nothing of the kind happens while inputs are under way: the clock waits before it. */
void
sim_set_cap(struct sim *sim)
{
	if (sim->ordered)
		sim->clock_cap_us = next_event(sim) - 1;
}

/* So there must be time enough for a phase. */
static void
make_room(struct sim *sim)
{
	while (sim->ordered && next_event(sim) - sim->now_us < 1800 * SIM_SECOND) {
		sim->now_us = next_event(sim);
		model_clock(&sim->model, sim->now_us);
	}
}

static void
jump_clock(struct sim *sim)
{
	int64_t before_us = sim->now_us;
	switch (sim->devices ? 4 : sim_below(&sim->rng, 5)) {
	case 0: /* just past the boundary */
		sim->now_us = next_boundary(sim) + sim_between(&sim->rng, 0, 2) * SIM_SECOND;
		break;
	case 1: /* just before it */
		sim->now_us = next_boundary(sim) - sim_between(&sim->rng, 1800, 9000) * SIM_SECOND;
		break;
	case 2:
		sim->now_us += sim_between(&sim->rng, 1, 45 * 24) * SIM_HOUR;
		break;
	default:
		sim->now_us += sim_between(&sim->rng, 1, 48) * SIM_HOUR / 2;
		break;
	}
	if (sim->now_us < before_us)
		sim->now_us = before_us;
	model_clock(&sim->model, sim->now_us);
	make_room(sim);
	if (sim->now_us - before_us > SIM_DAY)
		sim_records_forget(sim);
	sim_check_input(sim);
	SIM_TRACE(sim, "the clock jumps by %lld s", (long long)((sim->now_us - before_us) / SIM_SECOND));
}

/* ---- the run ---- */

static void
some_steps(struct sim *sim)
{
	for (uint64_t n = sim_below(&sim->rng, 12); n > 0; n--)
		sim_step(sim);
}

static void
one_phase(struct sim *sim)
{
	uint32_t records = 300 + (uint32_t)sim_below(&sim->rng, 701); /* permille of inputs */
	if (sim->ordered && sim_chance(&sim->rng, sim->devices ? 900 : 400))
		records = sim_chance(&sim->rng, 500) ? 1000 : 0;
	bool mixed = records > 0 && records < 1000;
	for (int64_t n = sim_between(&sim->rng, 5, 60); n > 0; n--) {
		model_clock(&sim->model, sim->now_us);
		sim_check_input(sim);
		if (sim_chance(&sim->rng, records))
			sim_phase_record(sim);
		else
			sim_phase_change(sim, mixed || !sim->ordered);
		sim_check_input(sim);
		sim_set_cap(sim);
		some_steps(sim);
		if (!sim->ordered && sim_chance(&sim->rng, 20))
			jump_clock(sim);
	}
}

static bool
any_guard_tripped(struct sim *sim)
{
	for (uint32_t p = 0; p < sim->partitions; p++)
		if (sim_owner_of(sim, p)->o->core->guard->tripped)
			return true;
	return false;
}

void
sim_quiet(struct sim *sim, bool at_end)
{
	bool faults = sim->faults;
	uint32_t trouble = sim->carrier_trouble;
	sim->faults = false;
	memset(sim->away_until_us, 0, sizeof(sim->away_until_us));
	if (at_end) {
		sim->carrier_trouble = 0;
		memset(sim->outage_until_us, 0, sizeof(sim->outage_until_us));
	}
	sim_quiesce(sim, at_end);
	for (int i = 0; i < 5 && at_end && any_guard_tripped(sim); i++) {
		sim_send_release(sim);
		sim_quiesce(sim, at_end);
	}
	SIM_TRACE(sim, "quiet");
	sim_check_quiet(sim, at_end);
	sim_quiet_point(sim);
	sim->faults = faults;
	sim->carrier_trouble = trouble;
}

void
sim_run(struct sim *sim)
{
	sim->ordered = sim_chance(&sim->rng, 600);
	draw_carriers(sim);
	make_room(sim);
	define_world(sim);
	for (uint32_t i = 0; i < sim->processes; i++)
		sim_dispatch_new(sim, i);
	for (uint32_t p = 0; p < sim->partitions; p++)
		sim_owner_take(sim, p, (uint32_t)sim_below(&sim->rng, sim->processes));
	sim_set_cap(sim);
	sim_quiet(sim, false);
	sim->faults = !sim_chance(&sim->rng, 150);
	for (int64_t n = sim_between(&sim->rng, 1, 5) + 3 * sim->devices; n > 0; n--) {
		sim_set_cap(sim);
		one_phase(sim);
		if (sim->ordered) {
			sim_quiet(sim, false);
			jump_clock(sim);
			sim_set_cap(sim);
			sim_quiet(sim, false);
		}
	}
	sim->faults = false;
	sim_quiet(sim, true);
	jump_clock(sim);
	sim_set_cap(sim);
	sim_quiet(sim, true);
}
