/* The world's life, and its steps: what happens next is drawn from the seed. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "aggregators/snapshot/check.h"

void
sim_fail(struct sim *sim, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(sim->failure, sizeof(sim->failure), fmt, args);
	va_end(args);
	longjmp(sim->failed, 1);
}

void
sim_trace(struct sim *sim, const char *fmt, ...)
{
	int year, month, day, second;
	model_date(sim->now_us / SIM_SECOND, &year, &month, &day, &second);
	(void)printf("%6llu %04d-%02d-%02dT%02d:%02d:%02d.%06lldZ ", (unsigned long long)sim->steps, year, month, day,
	    second / 3600, second / 60 % 60, second % 60, (long long)(sim->now_us % SIM_SECOND));
	va_list args;
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	(void)putchar('\n');
}

int
sim_carrier_of(const struct sim *sim, const char *id)
{
	for (int i = 0; i < sim->carriers; i++)
		if (strcmp(sim->carrier_ids[i], id) == 0)
			return i;
	return -1;
}

int
sim_card_of(const struct sim *sim, struct weir_iccid iccid)
{
	for (int i = 0; i < sim->cards; i++)
		if (weir_iccid_equal(sim->card[i].packed, iccid))
			return i;
	return -1;
}

/* ---- steps ---- */

static void
pass_time(struct sim *sim, int64_t by_us)
{
	int64_t to_us = sim->now_us + by_us;
	if (sim->clock_cap_us != 0 && to_us > sim->clock_cap_us)
		to_us = sim->clock_cap_us > sim->now_us ? sim->clock_cap_us : sim->now_us + 1;
	sim->now_us = to_us;
}

static struct sim_owner *
any_owner(struct sim *sim)
{
	uint32_t from = (uint32_t)sim_below(&sim->rng, SIM_OWNERS);
	for (uint32_t i = 0; i < SIM_OWNERS; i++) {
		struct sim_owner *owner = &sim->owners[(from + i) % SIM_OWNERS];
		if (owner->used)
			return owner;
	}
	return NULL;
}

void
sim_step(struct sim *sim)
{
	sim->steps++;
	pass_time(sim, sim_between(&sim->rng, 0, sim_chance(&sim->rng, 100) ? 2 * SIM_SECOND : SIM_SECOND / 20));
	if (sim->faults && sim_chance(&sim->rng, 12)) {
		sim_fault(sim);
		return;
	}
	struct sim_owner *owner = any_owner(sim);
	uint32_t process = (uint32_t)sim_below(&sim->rng, sim->processes);
	switch (sim_below(&sim->rng, 10)) {
	case 0:
	case 1:
	case 2:
	case 3:
		sim_owner_round(sim, owner, 1 + (uint32_t)sim_below(&sim->rng, sim->batch_max));
		break;
	case 4:
	case 5:
		if (sim_chance(&sim->rng, 200))
			(void)sim_outbox_deliver(sim, &sim->orphans[sim_below(&sim->rng, 4)]);
		else if (!sim_outbox_deliver(sim, &owner->outbox))
			sim_outbox_acknowledge(&owner->outbox);
		break;
	case 6:
		sim_owner_store(sim, owner);
		break;
	case 7:
		sim_owner_answers(sim, owner);
		if (owner->used && owner->gone)
			sim_owner_sweep(sim, owner);
		break;
	case 8:
		sim_owner_results(sim, process);
		sim_dispatch_start(sim, process);
		break;
	default:
		(void)sim_carriers_answer(sim);
		break;
	}
	if (owner->used && owner->o->state == OWNER_RUNNING)
		weir_partition_check(owner->o->core);
}

/* An owner's part of a turn; true when nothing is left for it to do. */
static bool
turn_owner(struct sim *sim, struct sim_owner *owner)
{
	bool delivered = false;
	if (owner->o->state == OWNER_STOPPED && !owner->gone) { /* somebody looks, and starts the process again */
		sim_crash(sim, owner->process);
		return false;
	}
	sim_owner_round(sim, owner, 64);
	while (sim_outbox_deliver(sim, &owner->outbox))
		delivered = true;
	sim_outbox_acknowledge(&owner->outbox);
	sim_owner_store(sim, owner);
	sim_owner_answers(sim, owner);
	if (owner->used && owner->gone)
		sim_owner_sweep(sim, owner);
	return owner->used && !owner->gone && !delivered && sim_owner_is_idle(sim, owner) &&
	       !sim->rolled_back[owner->partition];
}

/* Everything once. */
static bool
turn(struct sim *sim)
{
	bool idle = true;
	for (uint32_t i = 0; i < 4; i++)
		while (sim_outbox_deliver(sim, &sim->orphans[i]))
			idle = false;
	for (uint32_t i = 0; i < sim->processes; i++) {
		sim_owner_results(sim, i);
		sim_dispatch_start(sim, i);
	}
	(void)sim_carriers_answer(sim);
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		if (sim->owners[i].used && !sim->owners[i].fenced_owner)
			idle &= turn_owner(sim, &sim->owners[i]);
	return idle;
}

#define QUIET_US (3 * SIM_SECOND)
#define STOOD_MAX 10000 /* turns, in which the clock waits before an event that came closer than rest takes */

void
sim_quiesce(struct sim *sim, bool carriers_too)
{
	int64_t quiet_from_us = sim->now_us;
	for (int i = 0; i < 20000; i++) {
		sim->steps++;
		int64_t due_us;
		bool idle = turn(sim);
		bool at_rest = !carriers_too || sim_carriers_idle(sim, &due_us);
		if (!idle)
			quiet_from_us = sim->now_us;
		if (idle && at_rest && sim->now_us - quiet_from_us >= QUIET_US)
			return;
		if (i >= STOOD_MAX && sim->clock_cap_us != 0 && sim->now_us > sim->clock_cap_us)
			sim->clock_cap_us = 0; /* all has been read: what is left, flushes and commands, takes time */
		int64_t by_us = sim_between(&sim->rng, 1000, 300000);
		if (idle && !at_rest && sim->now_us - quiet_from_us >= QUIET_US && due_us > sim->now_us + by_us)
			by_us = due_us - sim->now_us; /* nothing happens before */
		pass_time(sim, by_us);
	}
	char what[512] = "";
	for (uint32_t p = 0; p < sim->partitions; p++) {
		const struct sim_owner *owner = sim_owner_of(sim, p);
		const struct owner *o = owner->o;
		const struct weir_partition *core = sim_core(owner);
		size_t n = strlen(what);
		(void)snprintf(what + n, sizeof(what) - n,
		    " %u: state %d changed %d flush %d queue %u outbox %u commands %u parked %u caught up %d stored "
		    "%lld/%lld "
		    "%lld/%lld %lld/%lld;",
		    p, o->state, o->changed, o->flush.phase, owner->queue_count, owner->outbox.n,
		    core != NULL ? core->effects.pending_commands.n : 0, core != NULL ? weir_partition_parked(core) : 0,
		    o->caught_up, (long long)o->stored[0], (long long)sim_log_end(&sim->logs[0][p]),
		    (long long)o->stored[1], (long long)sim_log_end(&sim->logs[1][p]), (long long)o->stored[2],
		    (long long)sim_log_end(&sim->logs[2][p]));
	}
	sim_fail(sim, "it does not come to rest:%s", what);
}

/* ---- life ---- */

void
sim_name_cards(struct sim *sim)
{
	for (int i = 0; i < sim->cards; i++) {
		struct sim_card *card = &sim->card[i];
		/* 19 or 20 characters, some with a letter */
		char text[32];
		(void)snprintf(text, sizeof(text), "898604%010llu%02d%c%s",
		    (unsigned long long)(weir_random_next(&sim->rng) % 10000000000ull), i,
		    sim_chance(&sim->rng, 300) ? 'S' : '7', sim_chance(&sim->rng, 500) ? "3" : "");
		(void)snprintf(card->iccid, sizeof(card->iccid), "%.20s", text);
		WEIR_CHECK(weir_iccid_parse((const uint8_t *)card->iccid, strlen(card->iccid), &card->packed));
		card->partition = sim_partition_of(sim, card->iccid);
		card->carrier = card->plan = card->pool = -1;
		card->at_carrier.state = WEIR_DESIRED_ACTIVE;
		card->at_carrier.refuses = sim_chance(&sim->rng, 30);
		uint64_t kind = sim_below(&sim->rng, 10);
		sim->source[i].imei =
		    sim->devices || sim_chance(&sim->rng, 400) ? 86000000000000 + sim_below(&sim->rng, 1000) : 0;
		sim->source[i].kind = kind < 6   ? SIM_SOURCE_IDS
				      : kind < 8 ? SIM_SOURCE_SEQUENCE
				      : kind < 9 ? SIM_SOURCE_TOTALS
						 : SIM_SOURCE_TOTALS_IDS;
	}
}

/* How owners go about it: short and long intervals, small and large batches, bounds that are met now and then. */
static void
draw_rules(struct sim *sim)
{
	struct owner_rules *rules = &sim->rules;
	*rules = (struct owner_rules){.topics = {"records", "cards", "partials"},
	    .topic_count = SIM_TOPICS,
	    .cards = SIM_CARDS,
	    .reports = SIM_REPORTS,
	    .records_max = 64,
	    .cards_max = 64,
	    .reports_max = 64,
	    .tick_slots = 1 + (uint32_t)sim_below(&sim->rng, 64),
	    .sparse_slots = sim->seed % 2 == 0 ? 2 : 64,
	    .fetch_max = 1 + (uint32_t)sim_below(&sim->rng, SIM_FETCHES),
	    .fetching_max = 1 + (uint32_t)sim_below(&sim->rng, 2),
	    .cycles_kept = 12,
	    .unflushed_max = sim_chance(&sim->rng, 150) ? 2000 + sim_below(&sim->rng, 20000) : 1u << 28,
	    .retake_us = sim_between(&sim->rng, SIM_SECOND, 20 * SIM_SECOND),
	    .leave_us = 5 * SIM_SECOND,
	    .read_new_logs = true};
	sim->batch_max = 1 + (uint32_t)sim_below(&sim->rng, 16);
	rules->flush_interval_us = sim_between(&sim->rng, SIM_SECOND / 10, 2 * SIM_SECOND);
	sim->heard = sim_chance(&sim->rng, 400);
	if (sim_chance(&sim->rng, 250)) { /* long replays in small steps */
		rules->flush_interval_us = sim_between(&sim->rng, 5 * SIM_SECOND, 60 * SIM_SECOND);
		sim->batch_max = 1 + (uint32_t)sim_below(&sim->rng, 2);
	}
	rules->backlog_interval_us = rules->flush_interval_us * (int64_t)sim_below(&sim->rng, 4);
	sim->forgetful = sim_chance(&sim->rng, 150);
}

void
sim_init(struct sim *sim, uint64_t seed, const struct sim_options *options)
{
	memset(sim, 0, sizeof(*sim));
	sim->seed = seed;
	sim->options = *options;
	sim->rng.state = seed * 0x2545f4914f6cdd1du + 1;
	(void)weir_random_next(&sim->rng);
	sim->partitions = 1 + (uint32_t)sim_below(&sim->rng, SIM_PARTITIONS);
	sim->processes = 1 + (uint32_t)sim_below(&sim->rng, SIM_PROCESSES);
	static const uint32_t HORIZONS[] = {48, 72, 240};
	sim->opts = (struct weir_partition_opts){.dedupe_horizon_h = HORIZONS[sim_below(&sim->rng, 3)],
	    .dedupe_fresh_h = 1 + (uint32_t)sim_below(&sim->rng, 2),
	    .session_retention_h = 768,
	    .future_skew_s = 300,
	    .parked_max = 1 + (uint32_t)sim_below(&sim->rng, 50),
	    .auto_register_carrier = "k0",
	    .partitions = sim->partitions,
	    .unreported_floor_bytes = 1 + sim_below(&sim->rng, 3) * 1000,
	    .pool_tick_ms = 1000,
	    .card_hours_days = 3660, /* what is compared stays */
	    .pool_hours_days = 3660,
	    .day_cycles = 120};
	if (sim_chance(&sim->rng, 150)) { /* CMD-5 */
		sim->opts.guard_percent = 20 + (uint32_t)sim_below(&sim->rng, 40);
		sim->opts.guard_cards_min = 2 + (uint32_t)sim_below(&sim->rng, 3);
		sim->opts.guard_window_s = 60;
	}
	sim->grain = sim_chance(&sim->rng, 300) ? 500 : 1;
	sim->devices = sim_chance(&sim->rng, 150);
	/* A jump of a month is a thousand rows a pool. */
	sim->opts.feed_pool_hourly = sim->opts.feed_pool_daily = sim->opts.feed_card_daily = sim_chance(&sim->rng, 250);
	sim->opts.feed_grace_s = (uint32_t)sim_below(&sim->rng, 3);
	sim->opts.feed_wait_s = (uint32_t)sim_below(&sim->rng, 20);
	draw_rules(sim);
	/* Some day in six years, the 29th of February 2024 and 2028 among them. */
	sim->now_us = INT64_C(1704067200) * SIM_SECOND + sim_between(&sim->rng, 0, 5 * 365 * 24) * SIM_HOUR;
	sim->carrier_trouble = (uint32_t)sim_below(&sim->rng, 4) * 100;
	model_init(&sim->model, (int64_t)sim->opts.dedupe_horizon_h * SIM_HOUR, sim->opts.future_skew_s * SIM_SECOND);
	sim->cards = 3 + (int)sim_below(&sim->rng, 20);
	sim_name_cards(sim);
	sim->asks = seed % 3 == 0;
	for (unsigned t = 0; t < SIM_TOPICS; t++)
		for (unsigned p = 0; p < SIM_PARTITIONS; p++)
			sim->logs[t][p].id = (struct log_id){{'i', 'd', (uint8_t)t, (uint8_t)p}};
}

void
sim_free(struct sim *sim)
{
	for (uint32_t i = 0; i < SIM_OWNERS; i++)
		if (sim->owners[i].used)
			sim_owner_drop(sim, &sim->owners[i]);
	for (uint32_t i = 0; i < 4; i++)
		sim_outbox_free(&sim->orphans[i]);
	for (uint32_t i = 0; i < SIM_PROCESSES; i++) {
		weir_dispatch_core_free(sim->process[i].dispatch);
		free(sim->process[i].results);
		free(sim->process[i].orders);
	}
	for (uint32_t p = 0; p < SIM_PARTITIONS; p++) {
		for (int t = 0; t < SIM_TOPICS; t++)
			sim_log_free(&sim->logs[t][p]);
		sim_store_free(&sim->store[p]);
	}
	sim_snapshots_forget(sim);
	sim_log_free(&sim->alerts);
	free(sim->rows);
	free(sim->calls);
	free(sim->published);
	model_free(&sim->model);
}
