/* Changes of reference data and requests, each sent to weir and told to the model. */
#include "tests/sim/phases.h"

#include <inttypes.h>

static int
any_card(struct sim *sim)
{
	return (int)sim_below(&sim->rng, (uint64_t)sim->cards);
}

static uint64_t
draw_limit(struct sim *sim)
{
	uint64_t bytes = sim_below(&sim->rng, 40000);
	return 500 + bytes - bytes % sim->grain;
}

/* ---- such as commute with records ---- */

static void
change_limit(struct sim *sim, int card)
{
	uint64_t limit = sim_chance(&sim->rng, 200) ? MODEL_NONE : draw_limit(sim);
	char text[32] = "null";
	if (limit != MODEL_NONE)
		(void)snprintf(text, sizeof(text), "%" PRIu64, limit);
	if (sim_chance(&sim->rng, 500))
		sim_send_card(sim, card, ",\"limit\":%s", text);
	else
		sim_send_request(sim, card, "limit", ",\"limit\":%s", text);
	model_limit(&sim->model, card, limit);
}

static void
change_plan(struct sim *sim)
{
	int at = (int)sim_below(&sim->rng, (uint64_t)sim->plans);
	struct model_plan *plan = &sim->model.plans[at];
	plan->allowance = draw_limit(sim);
	sim_send_plan(sim, at);
}

static void
change_flag(struct sim *sim, int card)
{
	static const struct {
		const char *name;
		unsigned bit;
	} FLAGS[] = {
	    {"id_verification", MODEL_ID_VERIFICATION}, {"violation", MODEL_VIOLATION}, {"abnormal", MODEL_ABNORMAL}};
	uint64_t at = sim_below(&sim->rng, 3);
	bool set = sim_chance(&sim->rng, 500);
	sim_send_request(sim, card, "flag", ",\"reason\":\"%s\",\"set\":%s", FLAGS[at].name, set ? "true" : "false");
	model_give(&sim->model, card, set ? FLAGS[at].bit : 0, set ? 0 : FLAGS[at].bit);
}

static void
suspend(struct sim *sim, int card)
{
	sim_send_request(sim, card, "suspend", "%s", "");
	model_give(&sim->model, card, MODEL_MANUAL, 0);
}

static int
any_pool(struct sim *sim)
{
	return (int)sim_below(&sim->rng, (uint64_t)sim->pools);
}

static void
change_pool(struct sim *sim)
{
	int at = any_pool(sim);
	struct model_pool *pool = &sim->model.pools[at];
	if (pool->kind == MODEL_FIXED && sim_chance(&sim->rng, 700))
		pool->total = 2 * draw_limit(sim);
	if (pool->kind == MODEL_METERED && sim_chance(&sim->rng, 700)) {
		pool->threshold = sim_chance(&sim->rng, 150) ? MODEL_NONE : 2 * draw_limit(sim);
		pool->suspends = pool->threshold != MODEL_NONE && sim_chance(&sim->rng, 700);
	}
	sim_phase_pool(sim, at);
}

static void
change_arrears(struct sim *sim)
{
	int at = any_pool(sim);
	if (!sim->model.pools[at].known)
		return;
	bool freeze = sim_chance(&sim->rng, 500);
	sim_send_pool_request(sim, at, freeze ? "freeze" : "paid", "%s", "");
	if (freeze)
		model_freeze(&sim->model, at);
	else
		model_paid(&sim->model, at);
}

/* ---- such as belong to a cycle ---- */

static void
pool_addon(struct sim *sim)
{
	int at = any_pool(sim), id = (int)++sim->next_id;
	uint64_t bytes = draw_limit(sim);
	if (!sim->model.pools[at].known)
		return;
	for (int n = sim_chance(&sim->rng, 300) ? 2 : 1; n > 0; n--) {
		sim_send_pool_request(sim, at, "addon", ",\"bytes\":%" PRIu64 ",\"id\":\"a%d\"", bytes, id);
		model_pool_addon(&sim->model, at, id, bytes);
	}
}

static void
resume_card(struct sim *sim, int card)
{
	sim_send_request(sim, card, "resume", "%s", "");
	model_resume(&sim->model, card);
}

static void
buy_addon(struct sim *sim, int card)
{
	uint64_t bytes = draw_limit(sim);
	int id = sim_chance(&sim->rng, 700) ? (int)++sim->next_id : 0;
	for (int n = id != 0 && sim_chance(&sim->rng, 300) ? 2 : 1; n > 0; n--) { /* once more by mistake */
		if (id != 0)
			sim_send_request(sim, card, "addon", ",\"bytes\":%" PRIu64 ",\"id\":\"a%d\"", bytes, id);
		else
			sim_send_request(sim, card, "addon", ",\"bytes\":%" PRIu64, bytes);
		model_addon(&sim->model, card, id, bytes);
	}
}

/* ---- such as race with records ---- */

static void
change_restore(struct sim *sim, int card)
{
	bool restore = sim_chance(&sim->rng, 400);
	sim_send_card(sim, card, ",\"auto_restore\":%s", restore ? "true" : "false");
	model_auto_restore(&sim->model, card, restore);
}

/* rule POOL-3, rule SUS-3: into a pool, out of one, or from one to another of the same carrier. */
static void
move_pool(struct sim *sim, int at)
{
	struct sim_card *card = &sim->card[at];
	int to = any_pool(sim);
	if (card->pool >= 0 && sim_chance(&sim->rng, 400)) {
		card->pool = -1;
		card->plan = sim_phase_single_plan(sim, card->carrier);
	} else if (sim->model.pools[to].carrier == card->carrier) {
		card->pool = to;
		card->plan = sim->model.pools[to].plan;
	}
	char plan[16] = "null", pool[16] = "null";
	if (card->plan >= 0)
		(void)snprintf(plan, sizeof(plan), "\"p%d\"", card->plan);
	if (card->pool >= 0)
		(void)snprintf(pool, sizeof(pool), "\"q%d\"", card->pool);
	sim_send_card(sim, at, ",\"plan\":%s,\"pool\":%s", plan, pool);
	model_plan(&sim->model, at, card->plan);
	sim->model.cards[at].pool = card->pool;
}

static void
enable_pool(struct sim *sim)
{
	int at = any_pool(sim);
	if (!sim->model.pools[at].known)
		return;
	sim_send_pool_request(sim, at, "enable", "%s", "");
	(void)model_enable(&sim->model, at);
}

static void
move_plan(struct sim *sim, int at)
{
	struct sim_card *card = &sim->card[at];
	if (card->pool >= 0)
		return;
	for (int i = 0; i < sim->plans; i++) {
		int plan = (int)((weir_random_next(&sim->rng) + (uint64_t)i) % (uint64_t)sim->plans);
		if (sim->model.plans[plan].carrier != card->carrier || sim->model.plans[plan].kind != MODEL_SINGLE)
			continue;
		card->plan = plan;
		sim_send_card(sim, at, ",\"plan\":\"p%d\"", plan);
		model_plan(&sim->model, at, plan);
		return;
	}
}

static void
commuting_change_of_pool(struct sim *sim)
{
	switch (sim_below(&sim->rng, sim->ordered ? 4 : 2)) {
	case 0:
		change_pool(sim);
		break;
	case 1:
		change_plan(sim);
		break;
	case 2:
		pool_addon(sim);
		break;
	default:
		change_arrears(sim);
		break;
	}
}

static void
commuting_change(struct sim *sim, int card)
{
	if (sim->pools > 0 && sim_chance(&sim->rng, 400)) {
		commuting_change_of_pool(sim);
		return;
	}
	uint64_t kinds = sim->ordered ? 8 : 5;
	switch (sim_below(&sim->rng, kinds)) {
	case 0:
		change_plan(sim);
		break;
	case 1:
	case 2:
		change_limit(sim, card);
		break;
	case 3:
		change_flag(sim, card);
		break;
	case 4:
		suspend(sim, card);
		break;
	case 5:
	case 6:
		resume_card(sim, card);
		break;
	default:
		buy_addon(sim, card);
		break;
	}
}

void
sim_phase_change(struct sim *sim, bool commuting)
{
	int card = any_card(sim);
	if (!sim->model.cards[card].known) {
		if (!commuting)
			sim_phase_card(sim, card);
		return;
	}
	if (!commuting && !sim->options.cards_only && sim_chance(&sim->rng, sim->devices ? 800 : 350)) {
		sim_phase_lifecycle(sim, card);
		return;
	}
	if (commuting || sim_chance(&sim->rng, 500)) {
		commuting_change(sim, card);
		return;
	}
	if (sim->pools > 0 && sim_chance(&sim->rng, 600)) {
		if (sim_chance(&sim->rng, 800))
			move_pool(sim, card);
		else
			enable_pool(sim);
		return;
	}
	switch (sim_below(&sim->rng, 2)) {
	case 0:
		change_restore(sim, card);
		break;
	default:
		move_plan(sim, card);
		break;
	}
}
