/*
 * Worked examples of the rules, each in a world of its own, with crashes and rebalances while it runs. What must come out
 * is written here as numbers; the model is compared at every quiet point besides.
 */
#include "tests/sim/phases.h"

#include <inttypes.h>
#include <stdio.h>

#define MB UINT64_C(1048576)
#define SEEDS 25 /* of each example */

/* ---- small words ---- */

static int64_t
local_time(enum model_zone zone, int year, int month, int day, int hour, int minute, int second)
{
	return model_instant(zone, model_civil(year, month, day, (hour * 60 + minute) * 60 + second));
}

/* A world of one carrier and no cards yet, at some instant. */
static void
begin_world(struct sim *sim, enum model_zone zone, int day, bool named_after_end, int64_t now_us)
{
	sim->ordered = true;
	sim->now_us = now_us;
	sim->cards = 8;
	sim_name_cards(sim);
	sim->carriers = 1;
	(void)snprintf(sim->carrier_ids[0], sizeof(sim->carrier_ids[0]), "k0");
	sim->opts.guard_percent = 0;
	sim->model.carriers[0] = (struct model_carrier){.zone = zone,
	    .day = day,
	    .named_after_end = named_after_end,
	    .test_quota = 6 * MB,
	    .silent_months = 6,
	    .cancel_months = 3};
	sim->limits[0] = (struct weir_dispatch_limits){.concurrency = 4,
	    .retry_min_ms = 100,
	    .retry_max_ms = 5000,
	    .breaker_failures = 5,
	    .breaker_open_ms = 2000,
	    .confirm_ms = 500,
	    .confirm_max_s = 30,
	    .can_ask = true};
	for (int i = 0; i < sim->cards; i++)
		sim->card[i].at_carrier.refuses = false;
	for (uint32_t i = 0; i < sim->processes; i++)
		sim_dispatch_new(sim, i);
	for (uint32_t p = 0; p < sim->partitions; p++)
		sim_owner_take(sim, p, (uint32_t)sim_below(&sim->rng, sim->processes));
	sim_send_carrier(sim, 0);
}

static int
add_plan(struct sim *sim, enum model_kind kind, uint64_t allowance, int term_months)
{
	sim->model.plans[sim->plans] =
	    (struct model_plan){.kind = kind, .allowance = allowance, .limit = MODEL_NONE, .term_months = term_months};
	sim_send_plan(sim, sim->plans);
	return sim->plans++;
}

static void
add_card(struct sim *sim, int number, int plan_number, int pool, const char *more)
{
	struct model_card *model = &sim->model.cards[number];
	char in[32] = "";
	model->known = true;
	model->carrier = 0;
	model->plan = plan_number;
	model->pool = pool;
	model->since_us = sim->now_us;
	model_clock(&sim->model, sim->now_us);
	if (pool >= 0)
		(void)snprintf(in, sizeof(in), ",\"pool\":\"q%d\"", pool);
	sim_send_card(sim, number, ",\"carrier\":\"k0\",\"plan\":\"p%d\"%s%s", plan_number, in, more);
}

static int
add_pool(struct sim *sim, enum model_kind kind, int plan_number, uint64_t total)
{
	sim->model.pools[sim->pools] = (struct model_pool){
	    .kind = kind, .plan = plan_number, .total = total, .threshold = MODEL_NONE, .retention_days = 30};
	model_clock(&sim->model, sim->now_us);
	sim_phase_pool(sim, sim->pools);
	return sim->pools++;
}

static void
use_bytes(struct sim *sim, int number, uint64_t bytes, int64_t end_us)
{
	struct model_record record = {.card = number, .id = ++sim->next_id, .down = bytes, .end_us = end_us};
	model_clock(&sim->model, sim->now_us);
	sim_send_record(sim, &record);
	sim_check_input(sim);
}

/* Goes on for a while, with faults, then to a quiet point. */
static void
run_until_quiet(struct sim *sim)
{
	sim->clock_cap_us = 0;
	sim->faults = true;
	for (int i = 0; i < 60; i++)
		sim_step(sim);
	sim->faults = false;
	sim_quiet(sim, true);
}

static void
clock_to(struct sim *sim, int64_t now_us)
{
	sim->now_us = now_us > sim->now_us ? now_us : sim->now_us;
	model_clock(&sim->model, sim->now_us);
	sim_check_input(sim);
	run_until_quiet(sim);
}

static void
expect_reasons(struct sim *sim, int number, uint16_t reasons)
{
	uint32_t slot;
	const struct sim_owner *owner = sim_owner_of(sim, sim->card[number].partition);
	const struct weir_card_slot *found = weir_partition_find(owner->o->core, sim->card[number].packed, &slot);
	if (found == NULL || found->reasons != reasons)
		sim_fail(sim, "card %d: reasons %x, should be %x", number, found == NULL ? 0 : found->reasons, reasons);
	uint8_t state = sim_carrier_state(sim, number);
	if ((state == WEIR_DESIRED_SUSPENDED) != (reasons != 0) && !sim->card[number].at_carrier.is_unconfirmed)
		sim_fail(sim, "card %d: at its carrier in state %u", number, state);
}

static void
expect_used(struct sim *sim, int number, int year, int month, uint64_t bytes)
{
	struct model_usage usage = model_usage(&sim->model, number, (year - 1970) * 12 + month - 1);
	if (usage.up + usage.down != bytes) /* weir's own is compared with the model's at the quiet point */
		sim_fail(sim, "card %d in %d-%02d: %" PRIu64 " bytes, should be %" PRIu64, number, year, month,
		    usage.up + usage.down, bytes);
}

#define REASON(name) WEIR_REASON_BIT(WEIR_REASON_##name)

/* ---- the examples ---- */

/* rule CYC-1: China Unicom's cycle ends with the 26th and is named after the month in which it ends. */
static void
unicom_world(struct sim *sim)
{
	int64_t boundary_us = local_time(MODEL_SHANGHAI, 2026, 3, 27, 0, 0, 0);
	begin_world(sim, MODEL_SHANGHAI, 27, true, boundary_us - 600 * SIM_SECOND);
	add_card(sim, 0, add_plan(sim, MODEL_SINGLE, 10 * MB, 0), -1, "");
	use_bytes(sim, 0, 10 * MB, boundary_us - 600 * SIM_SECOND);
	run_until_quiet(sim);
	expect_reasons(sim, 0, REASON(PLAN_EXHAUSTED));
	clock_to(sim, boundary_us + 5 * SIM_SECOND);
	expect_reasons(sim, 0, 0);
	use_bytes(sim, 0, 1 * MB, boundary_us - 1); /* late: the 26th, 23:59:59.999999 */
	use_bytes(sim, 0, 2 * MB, boundary_us);
	run_until_quiet(sim);
	expect_reasons(sim, 0, 0);
	expect_used(sim, 0, 2026, 3, 11 * MB);
	expect_used(sim, 0, 2026, 4, 2 * MB);
}

/* rule LIFE-2, rule LIFE-5: a month after 31 January is the 29th of February in a leap year. */
static void
leap_day(struct sim *sim)
{
	int64_t activated_us = local_time(MODEL_SHANGHAI, 2028, 1, 31, 9, 30, 0);
	begin_world(sim, MODEL_SHANGHAI, 1, false, activated_us);
	int term = add_plan(sim, MODEL_SINGLE, 100 * MB, 1);
	add_card(sim, 0, term, -1, ",\"status\":\"inactive\"");
	model_enter(&sim->model, 0, MODEL_INACTIVE, sim->now_us);
	run_until_quiet(sim);
	use_bytes(sim, 0, 1 * MB, activated_us);
	run_until_quiet(sim);
	clock_to(sim, local_time(MODEL_SHANGHAI, 2028, 2, 29, 9, 0, 0));
	expect_reasons(sim, 0, 0);
	clock_to(sim, local_time(MODEL_SHANGHAI, 2028, 2, 29, 9, 30, 0));
	expect_reasons(sim, 0, REASON(PLAN_EXPIRED));
	sim_send_request(sim, 0, "renew", ",\"months\":%d", 1);
	model_renew(&sim->model, 0, 1, 0);
	run_until_quiet(sim);
	expect_reasons(sim, 0, 0);
}

/* rule CYC-4: a manual stop is no reason of the cycle, an exhausted plan is. */
static void
manual_stop(struct sim *sim)
{
	begin_world(sim, MODEL_SHANGHAI, 1, false, local_time(MODEL_SHANGHAI, 2026, 6, 30, 20, 0, 0));
	add_card(sim, 0, add_plan(sim, MODEL_SINGLE, 5 * MB, 0), -1, "");
	use_bytes(sim, 0, 6 * MB, sim->now_us);
	sim_send_request(sim, 0, "suspend", "%s", "");
	model_give(&sim->model, 0, MODEL_MANUAL, 0);
	run_until_quiet(sim);
	expect_reasons(sim, 0, REASON(PLAN_EXHAUSTED) | REASON(MANUAL));
	clock_to(sim, local_time(MODEL_SHANGHAI, 2026, 7, 1, 0, 0, 1));
	expect_reasons(sim, 0, REASON(MANUAL));
}

/* rule SUS-1: a resume by the operator over a usage limit lasts until the cycle ends. */
static void
resumed_over_limit(struct sim *sim)
{
	begin_world(sim, MODEL_UTC, 1, false, local_time(MODEL_UTC, 2026, 2, 20, 12, 0, 0));
	add_card(sim, 0, add_plan(sim, MODEL_SINGLE, 1000 * MB, 0), -1, ",\"limit\":1000000");
	model_limit(&sim->model, 0, 1000000);
	use_bytes(sim, 0, 1000000, sim->now_us);
	run_until_quiet(sim);
	expect_reasons(sim, 0, REASON(USAGE_LIMIT));
	sim_send_request(sim, 0, "resume", "%s", "");
	model_resume(&sim->model, 0);
	run_until_quiet(sim);
	expect_reasons(sim, 0, 0);
	use_bytes(sim, 0, 5000000, sim->now_us);
	run_until_quiet(sim);
	expect_reasons(sim, 0, 0);
	clock_to(sim, local_time(MODEL_UTC, 2026, 3, 1, 0, 0, 0));
	use_bytes(sim, 0, 999999, sim->now_us);
	run_until_quiet(sim);
	expect_reasons(sim, 0, 0);
	use_bytes(sim, 0, 1, sim->now_us);
	run_until_quiet(sim);
	expect_reasons(sim, 0, REASON(USAGE_LIMIT));
}

/* rule POOL-7: a card uses up all of a shared allowance, and its siblings are over with it, wherever they are. */
static void
sibling(struct sim *sim)
{
	begin_world(sim, MODEL_SHANGHAI, 1, false, local_time(MODEL_SHANGHAI, 2026, 5, 10, 8, 0, 0));
	int shared = add_plan(sim, MODEL_FIXED, 0, 0), q = add_pool(sim, MODEL_FIXED, shared, 100 * MB);
	for (int i = 0; i < 6; i++)
		add_card(sim, i, shared, q, "");
	run_until_quiet(sim);
	use_bytes(sim, 0, 100 * MB - 1, sim->now_us);
	run_until_quiet(sim);
	for (int i = 0; i < 6; i++)
		expect_reasons(sim, i, 0);
	use_bytes(sim, 3, 1, sim->now_us);
	run_until_quiet(sim);
	for (int i = 0; i < 6; i++)
		expect_reasons(sim, i, REASON(POOL_EXHAUSTED));
	clock_to(sim, local_time(MODEL_SHANGHAI, 2026, 6, 1, 0, 0, 0));
	for (int i = 0; i < 6; i++)
		expect_reasons(sim, i, 0);
}

/* rule POOL-1: three cards of 10 MB share 30, whoever of them uses it; a fourth adds 10. */
static void
accumulative(struct sim *sim)
{
	begin_world(sim, MODEL_SHANGHAI, 1, false, local_time(MODEL_SHANGHAI, 2026, 5, 10, 8, 0, 0));
	int shared = add_plan(sim, MODEL_ACCUMULATIVE, 10 * MB, 0), q = add_pool(sim, MODEL_ACCUMULATIVE, shared, 0);
	for (int i = 0; i < 3; i++)
		add_card(sim, i, shared, q, "");
	add_card(sim, 3, shared, q, ",\"status\":\"inactive\"");
	model_enter(&sim->model, 3, MODEL_INACTIVE, sim->now_us);
	run_until_quiet(sim);
	use_bytes(sim, 0, 20 * MB, sim->now_us);
	use_bytes(sim, 1, 2 * MB, sim->now_us);
	use_bytes(sim, 2, 2 * MB, sim->now_us);
	run_until_quiet(sim);
	for (int i = 0; i < 4; i++)
		expect_reasons(sim, i, 0);
	use_bytes(sim, 1, 6 * MB, sim->now_us);
	run_until_quiet(sim);
	for (int i = 0; i < 3; i++)
		expect_reasons(sim, i, REASON(POOL_EXHAUSTED));
	expect_reasons(sim, 3, 0);              /* not activated */
	use_bytes(sim, 3, 1 * MB, sim->now_us); /* its first traffic activates it: 31 of 40 */
	run_until_quiet(sim);
	for (int i = 0; i < 4; i++)
		expect_reasons(sim, i, 0);
}

static const struct {
	const char *name;
	void (*run)(struct sim *sim);
} EXAMPLES[] = {{"China Unicom's 26th and 27th", unicom_world}, {"a month after 31 January", leap_day},
    {"a manual stop over a month's end", manual_stop}, {"resumed over a usage limit", resumed_over_limit},
    {"a shared allowance used up by one", sibling}, {"three times 10 MB, used 20, 2 and 2", accumulative}};

/* True when the example holds under this seed. */
static bool
run_one(struct sim *sim, size_t example, uint64_t seed, const struct sim_options *options)
{
	sim_init(sim, seed, options);
	bool holds = setjmp(sim->failed) == 0;
	if (holds)
		EXAMPLES[example].run(sim);
	else
		(void)printf("%s, seed %llu: %s\n", EXAMPLES[example].name, (unsigned long long)seed, sim->failure);
	return holds;
}

bool
sim_examples(struct sim *sim, const struct sim_options *options)
{
	bool all_hold = true;
	for (size_t i = 0; i < sizeof(EXAMPLES) / sizeof(EXAMPLES[0]); i++) {
		bool holds = true;
		for (uint64_t seed = 1; seed <= SEEDS && holds; seed++) {
			holds = run_one(sim, i, seed, options);
			sim_free(sim);
		}
		(void)printf("%s: %s\n", EXAMPLES[i].name, holds ? "holds" : "does not hold");
		all_hold &= holds;
	}
	return all_hold;
}
