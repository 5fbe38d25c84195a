/*
 * The dispatcher's thread against the carrier simulator over real HTTP: what the core promises, with sockets, timeouts and
 * a server that lies about nothing but answers badly. Delays are short; deadlines are generous.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "config/base/check.h"
#include "config/base/random.h"
#include "config/settings/settings.h"
#include "pipeline/demo/carrier_simulator.h"
#include "pipeline/dispatch/dispatch.h"

#define CARDS_MAX 256u
#define DEADLINE_S 60

struct bench {
	struct weir_carrier_sim *sim;
	struct weir_settings settings;
	char url[64];
	struct weir_dispatch *dispatch;
	_Atomic uint32_t bells;
	_Atomic uint32_t intents;
	/* the owner's knowledge */
	struct weir_pending_command cards[CARDS_MAX];
	uint8_t state[CARDS_MAX];
	uint32_t by_state[8];
	struct weir_command_result last;
	struct weir_command_result last_queued;
};

static struct weir_carrier_sim_opts
sim_opts(void)
{
	return (struct weir_carrier_sim_opts){.seed = 7, .user = "me", .api_key = "top-secret", .accept_ms = 300};
}

static void
ring_bell(void *ctx, uint32_t lane)
{
	struct bench *bench = ctx;
	assert_int_equal(lane, 0);
	atomic_fetch_add(&bench->bells, 1);
}

static void
note_intents(void *ctx, const struct weir_pending_command *pending_commands, uint32_t count)
{
	struct bench *bench = ctx;
	for (uint32_t i = 0; i < count; i++)
		WEIR_CHECK(pending_commands[i].desired != WEIR_DESIRED_UNKNOWN);
	atomic_fetch_add(&bench->intents, count);
}

static void
bench_begin(struct bench *bench, const struct weir_carrier_sim_opts *opts)
{
	struct weir_error err = {0};
	memset(bench, 0, sizeof(*bench));
	bench->sim = weir_carrier_sim_start(opts, &err);
	assert_non_null(bench->sim);
	(void)snprintf(bench->url, sizeof(bench->url), "http://127.0.0.1:%u", weir_carrier_sim_port(bench->sim));
	bench->settings.carrier_count = 1;
	bench->settings.carriers[0] = (struct weir_carrier_settings){.id = "ov",
	    .adapter = "cisco",
	    .url = bench->url,
	    .user = "me",
	    .api_key = "top-secret",
	    .rate_per_s = 1000,
	    .concurrency = 8,
	    .timeout_ms = 5000,
	    .retry_min_ms = 20,
	    .retry_max_ms = 400,
	    .breaker_failures = 5,
	    .breaker_open_ms = 200,
	    .confirm_ms = 50,
	    .confirm_max_s = 259200};
}

static void
bench_start(struct bench *bench)
{
	struct weir_error err = {0};
	struct weir_dispatch_opts opts = {.settings = &bench->settings,
	    .lanes = 1,
	    .bell = ring_bell,
	    .bell_ctx = bench,
	    .intent = note_intents,
	    .intent_ctx = bench,
	    .seed = 11};
	bench->dispatch = weir_dispatch_start(&opts, &err);
	if (bench->dispatch == NULL)
		fail_msg("%s", err.text);
}

static void
bench_end(struct bench *bench)
{
	weir_dispatch_free(bench->dispatch);
	weir_carrier_sim_stop(bench->sim);
}

static struct weir_iccid
iccid_of(uint32_t slot)
{
	char text[32];
	struct weir_iccid iccid;
	(void)snprintf(text, sizeof(text), "8944500000000%07u", slot);
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	return iccid;
}

static void
bench_command(struct bench *bench, uint32_t slot, uint8_t desired, uint8_t confirmed)
{
	struct weir_pending_command *card = &bench->cards[slot];
	*card = (struct weir_pending_command){
	    .iccid = iccid_of(slot), .slot = slot, .desired = desired, .confirmed = confirmed};
	memcpy(card->carrier, "ov", 3);
	assert_true(weir_dispatch_enqueue(bench->dispatch, 0, card));
}

static void
bench_drain(struct bench *bench)
{
	struct weir_command_result result;
	while (weir_dispatch_next(bench->dispatch, 0, &result)) {
		assert_true(result.slot < CARDS_MAX);
		assert_true(weir_iccid_equal(result.iccid, iccid_of(result.slot)));
		assert_null(strstr(result.text, "secret"));
		bench->state[result.slot] = result.state;
		bench->by_state[result.state]++;
		bench->last = result;
		if (result.state == WEIR_COMMAND_CONFIRMED)
			bench->cards[result.slot].confirmed = result.target;
		if (result.state == WEIR_COMMAND_QUEUED)
			bench->last_queued = result;
	}
}

static void
nap_ms(uint32_t ms)
{
	struct timespec nap = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	(void)nanosleep(&nap, NULL);
}

/* Until `count` results of that state have come. */
static void
bench_wait(struct bench *bench, enum weir_command_state state, uint32_t count)
{
	time_t begin = time(NULL);
	for (;;) {
		bench_drain(bench);
		if (bench->by_state[state] >= count)
			return;
		if (time(NULL) - begin > DEADLINE_S)
			fail_msg("state %d: %u of %u", state, bench->by_state[state], count);
		nap_ms(2);
	}
}

/* Every card 0..count-1 is confirmed in its desired state, and so is the carrier's. */
static void
bench_wait_all(struct bench *bench, uint32_t count)
{
	time_t begin = time(NULL);
	for (uint32_t right = 0; right < count;) {
		bench_drain(bench);
		right = 0;
		for (uint32_t slot = 0; slot < count; slot++)
			right += bench->cards[slot].confirmed == bench->cards[slot].desired;
		if (time(NULL) - begin > DEADLINE_S)
			fail_msg("%u of %u cards right", right, count);
		nap_ms(2);
	}
	for (uint32_t slot = 0; slot < count; slot++) {
		struct weir_carrier_sim_card card;
		weir_carrier_sim_card_get(bench->sim, iccid_of(slot), &card);
		assert_int_equal(card.state, bench->cards[slot].desired);
	}
}

static struct weir_carrier_counters
bench_row(struct bench *bench)
{
	struct weir_carrier_counters rows[2];
	assert_int_equal(weir_dispatch_counters(bench->dispatch, rows, 2), 2);
	return rows[0];
}

/* ---- tests ---- */

static void
test_dispatch_suspends_and_resumes(void **state)
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.latency_ms_min = 1;
	opts.latency_ms_max = 10;
	bench_begin(&bench, &opts);
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 100; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait_all(&bench, 100);
	assert_int_equal(bench.by_state[WEIR_COMMAND_SENT], 100);
	assert_true(bench.last.at_us > (int64_t)1600000000 * 1000000); /* UTC, not the thread's own axis */
	for (uint32_t slot = 0; slot < 100; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_ACTIVE, WEIR_DESIRED_SUSPENDED);
	bench_wait_all(&bench, 100);
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_int_equal(counters.puts, 200);
	assert_int_equal(counters.changed, 200);
	assert_int_equal(counters.gets, 0);
	assert_in_range(counters.open_max, 2, 8);
	assert_int_equal(atomic_load(&bench.intents), 200);
	assert_true(atomic_load(&bench.bells) > 0);
	assert_int_equal(bench_row(&bench).confirmed, 200);
	bench_end(&bench);
}

static void
test_dispatch_survives_errors_timeouts_and_tickets(void **state) /* rules CMD-1, CMD-2 */
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.error_rate = 0.2;
	opts.timeout_rate = 0.05;
	opts.accept_rate = 0.3;
	opts.hang_ms = 2000;
	opts.latency_ms_max = 20;
	bench_begin(&bench, &opts);
	bench.settings.carriers[0].timeout_ms = 150;
	bench.settings.carriers[0].breaker_failures = 50;
	bench_start(&bench);
	struct weir_random random = {3};
	for (uint32_t i = 0; i < 400; i++) { /* minds change while commands are on their way */
		uint32_t slot = i < 60 ? i : (uint32_t)weir_random_below(&random, 60);
		uint8_t known = bench.cards[slot].confirmed == 0 ? WEIR_DESIRED_ACTIVE : bench.cards[slot].confirmed;
		bench_command(
		    &bench, slot, weir_random_below(&random, 2) != 0 ? WEIR_DESIRED_ACTIVE : WEIR_DESIRED_SUSPENDED, known);
		if (i % 10 == 0) {
			nap_ms(5);
			bench_drain(&bench);
		}
	}
	nap_ms(300);
	weir_carrier_sim_moods(bench.sim, 0, 0, 0.2);
	time_t begin = time(NULL);
	for (uint32_t right = 0; right < 60;) { /* the owner's sweep */
		bench_drain(&bench);
		right = 0;
		for (uint32_t slot = 0; slot < 60; slot++) {
			struct weir_carrier_sim_card card;
			weir_carrier_sim_card_get(bench.sim, bench.cards[slot].iccid, &card);
			right += card.state == bench.cards[slot].desired &&
				 bench.cards[slot].confirmed == bench.cards[slot].desired;
			if (bench.cards[slot].confirmed != bench.cards[slot].desired)
				(void)weir_dispatch_enqueue(bench.dispatch, 0, &bench.cards[slot]);
		}
		assert_true(time(NULL) - begin < DEADLINE_S);
		nap_ms(20);
	}
	bench_end(&bench);
}

static void
test_dispatch_asks_before_repeating(void **state) /* rule CMD-2 */
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.timeout_rate = 1;
	opts.hang_ms = 1000;
	bench_begin(&bench, &opts);
	bench.settings.carriers[0].timeout_ms = 200;
	bench.settings.carriers[0].concurrency = 32;
	bench.settings.carriers[0].breaker_failures = 1000;
	bench.settings.carriers[0].retry_min_ms = bench.settings.carriers[0].retry_max_ms = 500;
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 20; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_QUEUED, 20);
	weir_carrier_sim_moods(bench.sim, 0, 0, 0);
	bench_wait_all(&bench, 20);
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_true(counters.changed == 20);
	assert_int_equal(counters.repeated, 0); /* those that were done were asked, not repeated */
	assert_in_range(counters.puts, 21, 39); /* and some of each kind there were */
	assert_true(counters.gets >= 20);
	assert_true(bench_row(&bench).timeouts >= 20);
	bench_end(&bench);
}

static void
test_dispatch_outage_and_recovery(void **state) /* rule CMD-3 */
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	bench_begin(&bench, &opts);
	bench_start(&bench);
	weir_carrier_sim_outage(bench.sim, true);
	for (uint32_t slot = 0; slot < 50; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	nap_ms(1000);
	assert_true(bench_row(&bench).breaker_open);
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_in_range(counters.requests, 5, 30); /* the breaker spares the carrier: 5 + those in flight + trials */
	weir_carrier_sim_outage(bench.sim, false);
	bench_wait_all(&bench, 50);
	nap_ms(20);
	assert_false(bench_row(&bench).breaker_open);
	bench_end(&bench);
}

static void
test_dispatch_carrier_unreachable_then_there(void **state)
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	bench_begin(&bench, &opts);
	opts.port = weir_carrier_sim_port(bench.sim);
	weir_carrier_sim_stop(bench.sim);
	bench_start(&bench);
	bench_command(&bench, 0, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_QUEUED, 1);
	/* It surely was not sent, so it is withdrawn when no longer wanted (CMD-1). */
	bench_command(&bench, 0, WEIR_DESIRED_ACTIVE, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_IDLE, 1);
	bench_command(&bench, 1, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	struct weir_error err = {0};
	bench.sim = weir_carrier_sim_start(&opts, &err);
	assert_non_null(bench.sim);
	bench_wait_all(&bench, 2);
	struct weir_carrier_sim_card card;
	weir_carrier_sim_card_get(bench.sim, iccid_of(0), &card);
	assert_int_equal(card.puts, 0);
	bench_end(&bench);
}

static void
test_dispatch_waits_when_told_to(void **state) /* rule CMD-3 */
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.rate_limit_per_s = 20;
	bench_begin(&bench, &opts);
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 50; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait_all(&bench, 50);
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_in_range(counters.rate_limited, 1, 40); /* the pause holds: no hammering */
	assert_int_equal(counters.repeated, 0);
	assert_true(bench_row(&bench).rate_limited == counters.rate_limited);
	assert_false(bench_row(&bench).breaker_open);
	bench_end(&bench);
}

static void
test_dispatch_bad_key_is_loud_and_harmless(void **state)
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.api_key = "another";
	bench_begin(&bench, &opts);
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 50; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_QUEUED, 1);
	nap_ms(500);
	bench_drain(&bench);
	assert_true(bench_row(&bench).breaker_open);
	assert_string_equal(bench.last_queued.text, "HTTP 401: Invalid user or API key");
	assert_int_equal(bench.by_state[WEIR_COMMAND_FAILED], 0); /* the cards are not to blame */
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_in_range(counters.unauthorized, 1, 20);
	bench_end(&bench);
}

static void
test_dispatch_unknown_card_fails_alone(void **state)
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.missing_prefix = "89445000000000000007";
	bench_begin(&bench, &opts);
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 10; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_CONFIRMED, 9);
	bench_wait(&bench, WEIR_COMMAND_FAILED, 1);
	assert_int_equal(bench.state[7], WEIR_COMMAND_FAILED);
	assert_int_equal(bench_row(&bench).failed, 1);
	bench_end(&bench);
}

static void
test_dispatch_restart_goes_on_with_what_was_accepted(void **state) /* rule CMD-2 */
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.accept_rate = 1;
	opts.accept_ms = 500;
	bench_begin(&bench, &opts);
	bench_start(&bench);
	bench_command(&bench, 0, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_ACCEPTED, 1);
	weir_dispatch_stop(bench.dispatch, 1000);
	bench_drain(&bench);
	weir_dispatch_free(bench.dispatch);
	bench_start(&bench);
	struct weir_pending_command *card = &bench.cards[0];
	card->resumed_state = bench.last.state;
	card->resumed_desired = bench.last.target;
	card->resumed_attempts = bench.last.attempts;
	memcpy(card->ticket, bench.last.ticket, sizeof(card->ticket));
	assert_true(weir_dispatch_enqueue(bench.dispatch, 0, card));
	bench_wait_all(&bench, 1);
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_int_equal(counters.puts, 1); /* never sent a second time */
	assert_int_equal(bench.last.attempts, 1);
	bench_end(&bench);
}

static void
test_dispatch_stop_waits_for_calls_in_flight(void **state)
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	opts.latency_ms_min = opts.latency_ms_max = 200;
	bench_begin(&bench, &opts);
	bench.settings.carriers[0].concurrency = 1;
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 10; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_SENT, 1);
	weir_dispatch_stop(bench.dispatch, 5000);
	bench_drain(&bench);
	assert_int_equal(bench.by_state[WEIR_COMMAND_CONFIRMED], bench.by_state[WEIR_COMMAND_SENT]);
	assert_true(bench.by_state[WEIR_COMMAND_SENT] < 10);
	bench_end(&bench);
}

static void
test_dispatch_shadow_sends_nothing(void **state) /* rule CMD-5 */
{
	(void)state;
	static struct bench bench;
	struct weir_carrier_sim_opts opts = sim_opts();
	bench_begin(&bench, &opts);
	bench.settings.shadow = true;
	bench_start(&bench);
	for (uint32_t slot = 0; slot < 100; slot++)
		bench_command(&bench, slot, WEIR_DESIRED_SUSPENDED, WEIR_DESIRED_ACTIVE);
	bench_wait(&bench, WEIR_COMMAND_CONFIRMED, 100);
	struct weir_carrier_sim_counters counters;
	weir_carrier_sim_counters_get(bench.sim, &counters);
	assert_int_equal(counters.requests, 0);
	bench_end(&bench);
}

/* More results than the ring holds, and an owner that sleeps: everything comes, in order for each card. */
static void
test_dispatch_slow_owner_loses_nothing(void **state)
{
	(void)state;
	struct weir_settings settings = {0};
	struct weir_dispatch_opts opts = {.settings = &settings, .lanes = 1};
	struct weir_error err = {0};
	struct weir_dispatch *dispatch = weir_dispatch_start(&opts, &err);
	assert_non_null(dispatch);
	const uint32_t cards = 60000;
	for (uint32_t slot = 0; slot < cards; slot++) {
		struct weir_pending_command word = {.iccid = iccid_of(slot),
		    .slot = slot,
		    .desired = WEIR_DESIRED_SUSPENDED,
		    .confirmed = WEIR_DESIRED_ACTIVE};
		while (!weir_dispatch_enqueue(dispatch, 0, &word))
			nap_ms(1);
	}
	nap_ms(300);
	uint8_t *seen = weir_calloc(cards, 1);
	uint32_t confirmed = 0;
	time_t begin = time(NULL);
	while (confirmed < cards && time(NULL) - begin < DEADLINE_S) {
		struct weir_command_result result;
		if (!weir_dispatch_next(dispatch, 0, &result)) {
			nap_ms(1);
			continue;
		}
		bool is_sent = result.state == WEIR_COMMAND_SENT;
		assert_int_equal(seen[result.slot], is_sent ? 0 : WEIR_COMMAND_SENT);
		seen[result.slot] = result.state;
		confirmed += !is_sent;
	}
	assert_int_equal(confirmed, cards);
	free(seen);
	weir_dispatch_free(dispatch);
}

static void
test_dispatch_refuses_unusable_settings(void **state)
{
	(void)state;
	struct weir_settings settings = {.carrier_count = 1};
	struct weir_dispatch_opts opts = {.settings = &settings, .lanes = 1};
	struct weir_error err = {0};
	settings.carriers[0] = (struct weir_carrier_settings){.id = "x", .adapter = "nokia"};
	assert_null(weir_dispatch_start(&opts, &err));
	assert_non_null(strstr(err.text, "nokia"));
	settings.carriers[0] =
	    (struct weir_carrier_settings){.id = "x", .adapter = "cisco", .url = "https://x", .user = "u"};
	assert_null(weir_dispatch_start(&opts, &err));
	assert_non_null(strstr(err.text, "API key"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_dispatch_suspends_and_resumes),
	    cmocka_unit_test(test_dispatch_survives_errors_timeouts_and_tickets),
	    cmocka_unit_test(test_dispatch_asks_before_repeating),
	    cmocka_unit_test(test_dispatch_outage_and_recovery),
	    cmocka_unit_test(test_dispatch_carrier_unreachable_then_there),
	    cmocka_unit_test(test_dispatch_waits_when_told_to),
	    cmocka_unit_test(test_dispatch_bad_key_is_loud_and_harmless),
	    cmocka_unit_test(test_dispatch_unknown_card_fails_alone),
	    cmocka_unit_test(test_dispatch_restart_goes_on_with_what_was_accepted),
	    cmocka_unit_test(test_dispatch_stop_waits_for_calls_in_flight),
	    cmocka_unit_test(test_dispatch_shadow_sends_nothing),
	    cmocka_unit_test(test_dispatch_slow_owner_loses_nothing),
	    cmocka_unit_test(test_dispatch_refuses_unusable_settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
