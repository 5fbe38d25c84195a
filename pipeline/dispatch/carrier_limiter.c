/* Rate, concurrency, pause and breaker of one carrier; see carrier_limiter_priv.h. */
#include "config/base/backoff.h"
#include "pipeline/dispatch/carrier_limiter_priv.h"

#define TOKEN 1000000 /* micro-tokens of one call */

static int64_t
bucket_capacity(const struct weir_carrier_limiter *limiter)
{
	return (1 + (int64_t)limiter->limits.rate_per_s / 50) * TOKEN;
}

/* Micro-tokens a microsecond. */
static int64_t
bucket_speed(const struct weir_carrier_limiter *limiter)
{
	return (int64_t)limiter->limits.rate_per_s - limiter->limits.rate_per_s / 50;
}

static int64_t
bucket_tokens(const struct weir_carrier_limiter *limiter, int64_t now_us)
{
	int64_t elapsed_us = now_us - limiter->filled_us;
	if (elapsed_us > 2 * TOKEN)
		elapsed_us = 2 * TOKEN; /* full by then at any rate */
	int64_t tokens = limiter->tokens_micro + elapsed_us * bucket_speed(limiter);
	return tokens < bucket_capacity(limiter) ? tokens : bucket_capacity(limiter);
}

void
weir_carrier_limiter_init(struct weir_carrier_limiter *limiter, const struct weir_dispatch_limits *limits)
{
	*limiter = (struct weir_carrier_limiter){.limits = *limits, .pause_until_us = INT64_MIN};
	limiter->filled_us = INT64_MIN / 2; /* long ago: the first call finds a full bucket */
	if (limiter->limits.concurrency == 0)
		limiter->limits.concurrency = 1;
	if (limiter->limits.breaker_failures == 0)
		limiter->limits.breaker_failures = 1;
}

int64_t
weir_carrier_limiter_ready_at(const struct weir_carrier_limiter *limiter, int64_t now_us)
{
	if (limiter->in_flight >= limiter->limits.concurrency || limiter->breaker == WEIR_BREAKER_TRIAL)
		return WEIR_DISPATCH_NEVER;
	int64_t ready_us = limiter->pause_until_us;
	if (limiter->breaker == WEIR_BREAKER_OPEN && limiter->breaker_until_us > ready_us)
		ready_us = limiter->breaker_until_us;
	if (limiter->limits.rate_per_s > 0) {
		int64_t missing = TOKEN - bucket_tokens(limiter, now_us), speed = bucket_speed(limiter);
		int64_t token_us = missing <= 0 ? now_us : now_us + (missing + speed - 1) / speed;
		ready_us = token_us > ready_us ? token_us : ready_us;
	}
	return ready_us;
}

void
weir_carrier_limiter_begin(struct weir_carrier_limiter *limiter, int64_t now_us)
{
	WEIR_CHECK(weir_carrier_limiter_ready_at(limiter, now_us) <= now_us);
	if (limiter->limits.rate_per_s > 0) {
		limiter->tokens_micro = bucket_tokens(limiter, now_us) - TOKEN;
		limiter->filled_us = now_us;
	}
	WEIR_CHECK(limiter->breaker != WEIR_BREAKER_TRIAL); /* one trial at a time */
	if (limiter->breaker == WEIR_BREAKER_OPEN)
		limiter->breaker = WEIR_BREAKER_TRIAL;
	limiter->in_flight++;
	WEIR_CHECK(limiter->in_flight <= limiter->limits.concurrency);
}

static void
breaker_open_now(struct weir_carrier_limiter *limiter, int64_t now_us)
{
	limiter->breaker = WEIR_BREAKER_OPEN;
	limiter->breaker_until_us = now_us + (int64_t)limiter->limits.breaker_open_ms * 1000;
}

static void
limiter_pause(struct weir_carrier_limiter *limiter, uint32_t after_ms, int64_t now_us)
{
	int64_t wait_us = (int64_t)after_ms * 1000;
	if (after_ms == 0)
		wait_us = weir_carrier_limiter_backoff_us(
		    limiter->limits.retry_min_ms, limiter->limits.retry_max_ms, limiter->pauses++, UINT64_MAX);
	if (now_us + wait_us > limiter->pause_until_us)
		limiter->pause_until_us = now_us + wait_us;
}

bool
weir_carrier_limiter_end(struct weir_carrier_limiter *limiter, const struct weir_outcome *outcome, int64_t now_us)
{
	WEIR_CHECK(limiter->in_flight > 0 && limiter->in_flight <= limiter->limits.concurrency);
	WEIR_CHECK(limiter->breaker <= WEIR_BREAKER_TRIAL);
	limiter->in_flight--;
	if (outcome->kind == WEIR_OUTCOME_CARRIER_DOWN || outcome->kind == WEIR_OUTCOME_RETRY) {
		limiter->failures++;
		bool trips = outcome->kind == WEIR_OUTCOME_CARRIER_DOWN || limiter->breaker == WEIR_BREAKER_TRIAL ||
			     limiter->failures >= limiter->limits.breaker_failures;
		if (trips)
			breaker_open_now(limiter, now_us);
		return false;
	}
	if (outcome->kind == WEIR_OUTCOME_RATE_LIMITED)
		limiter_pause(limiter, outcome->after_ms, now_us);
	else
		limiter->pauses = 0;
	limiter->failures = 0;
	bool closes = limiter->breaker != WEIR_BREAKER_CLOSED;
	limiter->breaker = WEIR_BREAKER_CLOSED;
	return closes;
}

int64_t
weir_carrier_limiter_backoff_us(uint32_t min_ms, uint32_t max_ms, uint32_t step, uint64_t draw)
{
	uint64_t min_us = (uint64_t)(min_ms > 0 ? min_ms : 1) * 1000,
		 max_us = max_ms > 0 ? (uint64_t)max_ms * 1000 : min_us;
	return (int64_t)weir_backoff_jitter(weir_backoff_grow(min_us, max_us, step), draw);
}
