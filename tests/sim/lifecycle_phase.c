/* Changes of cards' lives and devices (LIFE, SUS-5, SUS-6): they race with records, so none is under way meanwhile. */
#include "tests/sim/phases.h"

#include <inttypes.h>

static const char *const STATUSES[] = {"testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"};

static void
set_status(struct sim *sim, int card)
{
	static const enum model_status LIKELY[] = {MODEL_TESTABLE, MODEL_INACTIVE, MODEL_INACTIVE, MODEL_IN_USE,
	    MODEL_IN_USE, MODEL_SUSPENDED, MODEL_DEACTIVATED, MODEL_CANCELLED};
	enum model_status status = LIKELY[sim_below(&sim->rng, sim_chance(&sim->rng, 200) ? 8 : 7)];
	sim_send_card(sim, card, ",\"status\":\"%s\"", STATUSES[status]);
	model_enter(&sim->model, card, status, sim->now_us);
}

static void
renew_card(struct sim *sim, int card)
{
	int months = (int)sim_between(&sim->rng, 1, 3), id = (int)++sim->next_id;
	for (int n = sim_chance(&sim->rng, 300) ? 2 : 1; n > 0; n--) {
		sim_send_request(sim, card, "renew", ",\"months\":%d,\"id\":\"n%d\"", months, id);
		model_renew(&sim->model, card, months, id);
	}
}

static void
request_card(struct sim *sim, int card, const char *action, void (*apply_to_model)(struct model *model, int card))
{
	sim_send_request(sim, card, action, "%s", "");
	apply_to_model(&sim->model, card);
}

static void
bind_device(struct sim *sim, int card)
{
	if (sim_chance(&sim->rng, 700)) {
		request_card(sim, card, "rebind", model_rebind);
		return;
	}
	sim->source[card].imei = 86000000000000 + sim_below(&sim->rng, 1000);
	sim_send_card(sim, card, ",\"imei\":\"%014" PRIu64 "\"", sim->source[card].imei);
	model_bind(&sim->model, card, sim->source[card].imei);
}

void
sim_phase_lifecycle(struct sim *sim, int card)
{
	for (int i = 0; sim->devices && i < sim->cards; i++)
		if (sim->model.cards[i].seen_imei != 0 && sim_chance(&sim->rng, 500))
			card = i;
	enum model_status status = sim->model.cards[card].status;
	sim->card[card].moved = true;
	if (sim->model.cards[card].seen_imei != 0 && sim_chance(&sim->rng, sim->devices ? 950 : 500)) {
		request_card(sim, card, "rebind", model_rebind);
		return;
	}
	if (status == MODEL_DEACTIVATED && sim_chance(&sim->rng, 400)) {
		sim_send_card(sim, card, ",\"status\":\"in_use\"");
		model_enter(&sim->model, card, MODEL_IN_USE, sim->now_us);
		return;
	}
	switch (sim_below(&sim->rng, 10)) {
	case 0:
	case 1:
	case 2:
		set_status(sim, card);
		break;
	case 3:
		if (status != MODEL_DEACTIVATED) /* whether it brings such a card back is not said */
			request_card(sim, card, "activate", model_activate);
		break;
	case 4:
		if (sim_chance(&sim->rng, 500)) { /* with a command on its way */
			sim_send_request(sim, card, "suspend", "%s", "");
			model_give(&sim->model, card, MODEL_MANUAL, 0);
		}
		request_card(sim, card, "deactivate", model_deactivate);
		break;
	case 5:
		request_card(sim, card, "cancel", model_cancel);
		break;
	case 6:
		renew_card(sim, card);
		break;
	case 7:
		request_card(sim, card, "reset", model_reset);
		break;
	default:
		bind_device(sim, card);
		break;
	}
}

/* A card may come as it left the factory. */
const char *
sim_phase_status(struct sim *sim, int card)
{
	if (!sim->ordered || sim->options.cards_only || !sim_chance(&sim->rng, 350))
		return "";
	bool testable = sim_chance(&sim->rng, 500);
	model_enter(&sim->model, card, testable ? MODEL_TESTABLE : MODEL_INACTIVE, sim->now_us);
	return testable ? ",\"status\":\"testable\"" : ",\"status\":\"inactive\"";
}
