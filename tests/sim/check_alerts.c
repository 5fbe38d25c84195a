/* Alerts as they are told: each level once a cycle, none forgotten, and what a carrier cannot enforce. */
#include "tests/sim/sim_check.h"

#include <inttypes.h>

static bool
text_after(struct weir_slice json, const char *name, char *out, size_t size)
{
	char pattern[32];
	int len = snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	const char *at = memmem(json.data, json.len, pattern, (size_t)len);
	if (at == NULL)
		return false;
	at += len;
	size_t n = 0;
	while (n + 1 < size && at + n < (const char *)json.data + json.len && at[n] != '"') {
		out[n] = at[n];
		n++;
	}
	out[n] = '\0';
	return true;
}

static bool
is_published(const struct sim *sim, const struct sim_alert *alert, bool by_the_same)
{
	for (uint32_t i = 0; i < sim->published_count; i++) {
		const struct sim_alert *published = &sim->published[i];
		if ((!by_the_same || published->epoch == alert->epoch) && published->level == alert->level &&
		    strcmp(published->subject, alert->subject) == 0 && strcmp(published->cycle, alert->cycle) == 0)
			return true;
	}
	return false;
}

static void
remember_alert(struct sim *sim, const struct sim_alert *alert)
{
	if (sim->published_count == sim->published_cap) {
		sim->published_cap = sim->published_cap == 0 ? 64 : sim->published_cap * 2;
		sim->published = weir_realloc(sim->published, sim->published_cap * sizeof(*sim->published));
	}
	sim->published[sim->published_count++] = *alert;
}

/* rule ALR-1: each level once a cycle; a replay may tell again what the run before it told. */
void
sim_check_alert(struct sim *sim, const struct sim_owner *owner, struct weir_slice json)
{
	struct sim_alert alert = {.epoch = owner->o->epoch};
	char kind[32], reason[32];
	if (!text_after(json, "kind", kind, sizeof(kind)))
		sim_fail(sim, "an alert without kind: %.*s", (int)json.len, (const char *)json.data);
	if (!text_after(json, "card", alert.subject, sizeof(alert.subject)))
		(void)text_after(json, "pool", alert.subject, sizeof(alert.subject));
	SIM_TRACE(sim, "%u/%u alerts %.*s", owner->process, owner->partition, (int)json.len, (const char *)json.data);
	if (strcmp(kind, "enforcement_unsupported") == 0 && text_after(json, "reason", reason, sizeof(reason))) {
		for (unsigned i = 0; i < WEIR_REASON_COUNT; i++)
			if (strcmp(weir_reason_name(i), reason) == 0)
				alert.level = 1000 + i;
		remember_alert(sim, &alert);
	}
	if (strcmp(kind, "usage") != 0 || !text_after(json, "cycle", alert.cycle, sizeof(alert.cycle)))
		return;
	static const unsigned LEVELS[] = {50, 70, 90, 100};
	for (unsigned i = 0; i < 4; i++) {
		char level[32];
		int len = snprintf(level, sizeof(level), "{\"percent\":%u}", LEVELS[i]);
		if (memmem(json.data, json.len, level, (size_t)len) == NULL)
			continue;
		alert.level = LEVELS[i];
		if (is_published(sim, &alert, true))
			sim_fail(sim, "%s: level %u %% of %s is told twice", alert.subject, alert.level, alert.cycle);
		remember_alert(sim, &alert);
	}
}

void
sim_check_levels(struct sim *sim, const char *subject, int cycle, uint64_t used, uint64_t base)
{
	static const unsigned LEVELS[] = {50, 70, 90, 100};
	struct sim_alert alert = {0};
	(void)snprintf(alert.subject, sizeof(alert.subject), "%s", subject);
	(void)snprintf(alert.cycle, sizeof(alert.cycle), "%04d-%02d", 1970 + cycle / 12, cycle % 12 + 1);
	for (unsigned i = 0; i < 4 && base > 0; i++) {
		alert.level = LEVELS[i];
		if (used * 100 >= base * LEVELS[i] && !is_published(sim, &alert, false))
			sim_fail(sim, "%s: %" PRIu64 " of %" PRIu64 " bytes, but level %u %% was not told", subject, used,
			    base, LEVELS[i]);
	}
}

void
sim_check_card_alerts(struct sim *sim, int card)
{
	struct sim_alert alert = {0};
	(void)snprintf(alert.subject, sizeof(alert.subject), "%s", sim->card[card].iccid);
	sim_check_levels(sim, alert.subject, model_card_cycle(&sim->model, card), model_card_metered(&sim->model, card),
	    model_card_base(&sim->model, card));
	if (!model_commands(&sim->model, card) || sim->card[card].moved)
		return;
	/* rule SUS-4: told when it is raised; a reason that was enforced until its card moved is not raised again. */
	uint16_t unsupported = sim_weir_reasons(model_reasons(&sim->model, card) & ~model_enforced(&sim->model, card));
	for (unsigned i = 0; i < WEIR_REASON_COUNT; i++) {
		alert.level = 1000 + i;
		if ((unsupported & WEIR_REASON_BIT(i)) != 0 && !is_published(sim, &alert, false))
			sim_fail(sim, "card %d: nobody was told that %s is not enforced", card, weir_reason_name(i));
	}
}
