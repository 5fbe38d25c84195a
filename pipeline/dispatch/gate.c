/* Rate, concurrency, pause and breaker of one carrier; see gate_priv.h. */
#include "config/base/backoff.h"
#include "pipeline/dispatch/gate_priv.h"

#define TOKEN 1000000 /* micro-tokens of one call */

static int64_t
bucket_capacity(const struct weir_gate *gate)
{
	return (1 + (int64_t)gate->limits.rate_per_s / 50) * TOKEN;
}

/* Micro-tokens a microsecond. */
static int64_t
bucket_speed(const struct weir_gate *gate)
{
	return (int64_t)gate->limits.rate_per_s - gate->limits.rate_per_s / 50;
}

static int64_t
bucket_tokens(const struct weir_gate *gate, int64_t now_us)
{
	int64_t elapsed_us = now_us - gate->filled_us;
	if (elapsed_us > 2 * TOKEN)
		elapsed_us = 2 * TOKEN; /* full by then at any rate */
	int64_t tokens = gate->tokens_micro + elapsed_us * bucket_speed(gate);
	return tokens < bucket_capacity(gate) ? tokens : bucket_capacity(gate);
}

void
weir_gate_init(struct weir_gate *gate, const struct weir_dispatch_limits *limits)
{
	*gate = (struct weir_gate){.limits = *limits, .pause_until_us = INT64_MIN};
	gate->filled_us = INT64_MIN / 2; /* long ago: the first call finds a full bucket */
	if (gate->limits.concurrency == 0)
		gate->limits.concurrency = 1;
	if (gate->limits.breaker_failures == 0)
		gate->limits.breaker_failures = 1;
}

int64_t
weir_gate_ready_at(const struct weir_gate *gate, int64_t now_us)
{
	if (gate->in_flight >= gate->limits.concurrency || gate->breaker == WEIR_BREAKER_TRIAL)
		return WEIR_DISPATCH_NEVER;
	int64_t ready_us = gate->pause_until_us;
	if (gate->breaker == WEIR_BREAKER_OPEN && gate->breaker_until_us > ready_us)
		ready_us = gate->breaker_until_us;
	if (gate->limits.rate_per_s > 0) {
		int64_t missing = TOKEN - bucket_tokens(gate, now_us), speed = bucket_speed(gate);
		int64_t token_us = missing <= 0 ? now_us : now_us + (missing + speed - 1) / speed;
		ready_us = token_us > ready_us ? token_us : ready_us;
	}
	return ready_us;
}

void
weir_gate_begin(struct weir_gate *gate, int64_t now_us)
{
	WEIR_CHECK(weir_gate_ready_at(gate, now_us) <= now_us);
	if (gate->limits.rate_per_s > 0) {
		gate->tokens_micro = bucket_tokens(gate, now_us) - TOKEN;
		gate->filled_us = now_us;
	}
	if (gate->breaker == WEIR_BREAKER_OPEN)
		gate->breaker = WEIR_BREAKER_TRIAL;
	gate->in_flight++;
}

static void
gate_open(struct weir_gate *gate, int64_t now_us)
{
	gate->breaker = WEIR_BREAKER_OPEN;
	gate->breaker_until_us = now_us + (int64_t)gate->limits.breaker_open_ms * 1000;
}

static void
gate_pause(struct weir_gate *gate, uint32_t after_ms, int64_t now_us)
{
	int64_t wait_us = (int64_t)after_ms * 1000;
	if (after_ms == 0)
		wait_us =
		    weir_gate_backoff_us(gate->limits.retry_min_ms, gate->limits.retry_max_ms, gate->pauses++, UINT64_MAX);
	if (now_us + wait_us > gate->pause_until_us)
		gate->pause_until_us = now_us + wait_us;
}

bool
weir_gate_end(struct weir_gate *gate, const struct weir_outcome *outcome, int64_t now_us)
{
	WEIR_CHECK(gate->in_flight > 0);
	gate->in_flight--;
	if (outcome->kind == WEIR_OUTCOME_CARRIER_DOWN || outcome->kind == WEIR_OUTCOME_RETRY) {
		gate->failures++;
		bool trips = outcome->kind == WEIR_OUTCOME_CARRIER_DOWN || gate->breaker == WEIR_BREAKER_TRIAL ||
			     gate->failures >= gate->limits.breaker_failures;
		if (trips)
			gate_open(gate, now_us);
		return false;
	}
	if (outcome->kind == WEIR_OUTCOME_RATE_LIMITED)
		gate_pause(gate, outcome->after_ms, now_us);
	else
		gate->pauses = 0;
	gate->failures = 0;
	bool closes = gate->breaker != WEIR_BREAKER_CLOSED;
	gate->breaker = WEIR_BREAKER_CLOSED;
	return closes;
}

int64_t
weir_gate_backoff_us(uint32_t min_ms, uint32_t max_ms, uint32_t step, uint64_t draw)
{
	uint64_t min_us = (uint64_t)(min_ms > 0 ? min_ms : 1) * 1000,
		 max_us = max_ms > 0 ? (uint64_t)max_ms * 1000 : min_us;
	return (int64_t)weir_backoff_jitter(weir_backoff_grow(min_us, max_us, step), draw);
}
