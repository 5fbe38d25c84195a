/* The simulated carrier's cards, moods and counts; no I/O. See carrier_simulator.h. Any thread: one lock around everything.
 */
#include "pipeline/demo/carrier_simulator_priv.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/base/clock.h"
#include "config/base/random.h"

/* Draw number `which` of request `number`: 0..1. */
static double
sim_draw(const struct sim_world *world, uint64_t number, uint32_t which)
{
	return weir_random_unit(weir_random_mix(world->opts.seed + (number * 8 + which) * WEIR_RANDOM_STEP));
}

void
sim_world_init(struct sim_world *world, const struct weir_carrier_sim_opts *opts)
{
	memset(world, 0, sizeof(*world));
	(void)pthread_mutex_init(&world->lock, NULL);
	world->opts = *opts;
	world->opts.user = opts->user != NULL ? weir_strdup(opts->user) : NULL;
	world->opts.api_key = opts->api_key != NULL ? weir_strdup(opts->api_key) : NULL;
	world->opts.missing_prefix = opts->missing_prefix != NULL ? weir_strdup(opts->missing_prefix) : NULL;
	if (world->opts.hang_ms == 0)
		world->opts.hang_ms = 30000;
	world->buckets = weir_calloc(SIM_BUCKETS, sizeof(struct sim_card *));
}

void
sim_world_free(struct sim_world *world)
{
	for (uint32_t i = 0; i < SIM_BUCKETS; i++) {
		for (struct sim_card *card = world->buckets[i], *next; card != NULL; card = next) {
			next = card->next;
			free(card);
		}
	}
	free(world->buckets);
	free((char *)(uintptr_t)world->opts.user);
	free((char *)(uintptr_t)world->opts.api_key);
	free((char *)(uintptr_t)world->opts.missing_prefix);
	(void)pthread_mutex_destroy(&world->lock);
}

static void
card_finish_pending(struct sim_card *card, int64_t now_us)
{
	if (card->pending != 0 && card->pending_us <= now_us) {
		card->seen.state = card->pending;
		card->pending = 0;
	}
}

static struct sim_card *
world_card(struct sim_world *world, struct weir_iccid iccid, bool make)
{
	struct sim_card **bucket = &world->buckets[weir_iccid_hash(iccid) % SIM_BUCKETS];
	for (struct sim_card *card = *bucket; card != NULL; card = card->next) {
		if (weir_iccid_equal(card->iccid, iccid)) {
			card_finish_pending(card, weir_steady_now().us);
			return card;
		}
	}
	if (!make)
		return NULL;
	struct sim_card *card = weir_calloc(1, sizeof(*card));
	card->iccid = iccid;
	card->seen.state = WEIR_DESIRED_ACTIVE;
	card->next = *bucket;
	*bucket = card;
	return card;
}

static bool
world_over_rate(struct sim_world *world)
{
	int64_t second = weir_steady_now().us / 1000000;
	if (second != world->second) {
		world->second = second;
		world->second_calls = 0;
	}
	world->second_calls++;
	return world->opts.rate_limit_per_s > 0 && world->second_calls > world->opts.rate_limit_per_s;
}

/* A PUT takes effect. */
static struct sim_answer
world_put(struct sim_world *world, struct sim_card *card, uint8_t target, bool accept)
{
	uint8_t heading = card->pending != 0 ? card->pending : card->seen.state;
	if (heading == target) {
		card->seen.repeated++;
		world->counters.repeated++;
		return (struct sim_answer){
		    .status = 400, .error_code = "10030000", .error_text = "The device is already in that state"};
	}
	card->seen.changed++;
	world->counters.changed++;
	if (!accept) {
		card->pending = 0;
		card->seen.state = target;
		return (struct sim_answer){.status = 200};
	}
	card->pending = target;
	card->pending_us = weir_steady_now().us + (int64_t)world->opts.accept_ms * 1000;
	world->counters.accepted++;
	return (struct sim_answer){.status = 202};
}

/* The call once it is let in: moods first, then effect. */
static struct sim_answer
world_act(struct sim_world *world, struct sim_card *card, uint8_t target, uint64_t number)
{
	double mood = sim_draw(world, number, 0);
	bool hangs = mood < world->opts.timeout_rate;
	bool errs = !hangs && mood < world->opts.timeout_rate + world->opts.error_rate;
	bool acts = target != 0 && ((!hangs && !errs) || sim_draw(world, number, 1) < 0.5);
	struct sim_answer answer = {.status = 200};
	if (acts)
		answer = world_put(world, card, target, sim_draw(world, number, 2) < world->opts.accept_rate);
	if (hangs) {
		world->counters.hung++;
		return (struct sim_answer){.status = 0};
	}
	if (errs) {
		world->counters.errors++;
		return (struct sim_answer){.status = 500, .error_code = "30000001", .error_text = "Internal error"};
	}
	answer.state = card->seen.state;
	return answer;
}

static struct sim_answer
world_admit(struct sim_world *world, const char *iccid_text, uint8_t target, bool authorised, bool well_formed)
{
	struct weir_iccid iccid;
	const char *missing = world->opts.missing_prefix;
	if (!authorised) {
		world->counters.unauthorized++;
		return (struct sim_answer){
		    .status = 401, .authenticate = true, .error_code = "10000001", .error_text = "Invalid user or API key"};
	}
	if (world->outage) {
		world->counters.errors++;
		return (struct sim_answer){.status = 503, .error_code = "30000002", .error_text = "Out of service"};
	}
	if (world_over_rate(world)) {
		world->counters.rate_limited++;
		return (struct sim_answer){
		    .status = 429, .retry_after = true, .error_code = "40000029", .error_text = "Rate limit exceeded"};
	}
	if (!weir_iccid_parse((const uint8_t *)iccid_text, strlen(iccid_text), &iccid) ||
	    (missing != NULL && strncmp(iccid_text, missing, strlen(missing)) == 0)) {
		world->counters.missing++;
		return (struct sim_answer){.status = 404, .error_code = "10000024", .error_text = "No such device"};
	}
	if (!well_formed)
		return (struct sim_answer){.status = 400, .error_code = "10000003", .error_text = "Invalid status"};
	struct sim_card *card = world_card(world, iccid, true);
	card->seen.puts += target != 0;
	card->seen.gets += target == 0;
	return world_act(world, card, target, world->counters.requests);
}

struct sim_answer
sim_world_call(struct sim_world *world, const char *iccid_text, uint8_t target, bool authorised, bool well_formed)
{
	(void)pthread_mutex_lock(&world->lock);
	world->counters.requests++;
	world->counters.puts += target != 0;
	world->counters.gets += target == 0;
	if (++world->counters.open > world->counters.open_max)
		world->counters.open_max = world->counters.open;
	uint32_t spread = world->opts.latency_ms_max > world->opts.latency_ms_min
			      ? world->opts.latency_ms_max - world->opts.latency_ms_min
			      : 0;
	uint32_t latency_ms =
	    world->opts.latency_ms_min + (uint32_t)(sim_draw(world, world->counters.requests, 3) * (spread + 1.0));
	struct sim_answer answer = world_admit(world, iccid_text, target, authorised, well_formed);
	answer.latency_ms = answer.status == 0 ? world->opts.hang_ms : latency_ms;
	(void)pthread_mutex_unlock(&world->lock);
	return answer;
}

void
sim_world_done(struct sim_world *world)
{
	(void)pthread_mutex_lock(&world->lock);
	world->counters.open--;
	(void)pthread_mutex_unlock(&world->lock);
}

void
sim_world_card(struct sim_world *world, struct weir_iccid iccid, struct weir_carrier_sim_card *card_out)
{
	(void)pthread_mutex_lock(&world->lock);
	const struct sim_card *card = world_card(world, iccid, false);
	*card_out = card != NULL ? card->seen : (struct weir_carrier_sim_card){.state = WEIR_DESIRED_ACTIVE};
	(void)pthread_mutex_unlock(&world->lock);
}

json_t *
sim_world_state_json(struct sim_world *world)
{
	json_t *cards = json_object();
	(void)pthread_mutex_lock(&world->lock);
	for (uint32_t i = 0; i < SIM_BUCKETS; i++) {
		for (struct sim_card *card = world->buckets[i]; card != NULL; card = card->next) {
			char iccid[WEIR_ICCID_TEXT_MAX];
			(void)weir_iccid_format(card->iccid, iccid);
			card_finish_pending(card, weir_steady_now().us);
			json_t *row = json_pack("{s:s, s:I, s:I}", "status",
			    card->seen.state == WEIR_DESIRED_SUSPENDED ? "DEACTIVATED" : "ACTIVATED", "changed",
			    (json_int_t)card->seen.changed, "repeated", (json_int_t)card->seen.repeated);
			(void)json_object_set_new(cards, iccid, row);
		}
	}
	(void)pthread_mutex_unlock(&world->lock);
	return json_pack("{s:o}", "cards", cards);
}

json_t *
sim_world_counters_json(struct sim_world *world)
{
	(void)pthread_mutex_lock(&world->lock);
	struct weir_carrier_sim_counters counters = world->counters;
	(void)pthread_mutex_unlock(&world->lock);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
	    (json_int_t)counters.requests, "puts", (json_int_t)counters.puts, "gets", (json_int_t)counters.gets, "changed",
	    (json_int_t)counters.changed, "repeated", (json_int_t)counters.repeated, "accepted",
	    (json_int_t)counters.accepted, "errors", (json_int_t)counters.errors, "hung", (json_int_t)counters.hung,
	    "rate_limited", (json_int_t)counters.rate_limited, "unauthorized", (json_int_t)counters.unauthorized, "missing",
	    (json_int_t)counters.missing, "open", (json_int_t)counters.open, "open_max", (json_int_t)counters.open_max);
}
