/*
 * A carrier's limiter: may a call start now, and if not, when? Inside pipeline/dispatch only.
 *
 * Four conditions, each cheap: concurrency; a token bucket; a pause that the carrier asked for (429, Retry-After); the
 * circuit breaker. The bucket holds 1 + rate/50 tokens and is refilled at rate - rate/50 a second, so that full bucket plus
 * refill never exceed the rate in any second, wherever the second begins; the burst makes up for a thread that
 * cannot wake up ten thousand times a second. Integers throughout: micro-tokens.
 *
 * Breaker: closed; after N consecutive failures open for breaker_open_ms; then one trial call at a time (half open), whose
 * success closes it and whose failure opens it again. An answer of any use, even a refusal or "wait", is a success.
 */
#ifndef WEIR_PIPELINE_CARRIER_LIMITER_PRIV_H
#define WEIR_PIPELINE_CARRIER_LIMITER_PRIV_H

#include "pipeline/dispatch/dispatch_core.h"

enum weir_breaker { WEIR_BREAKER_CLOSED = 0, WEIR_BREAKER_OPEN, WEIR_BREAKER_TRIAL };

struct weir_carrier_limiter {
	struct weir_dispatch_limits limits;
	int64_t tokens_micro;
	int64_t filled_us; /* when tokens_micro was right */
	int64_t pause_until_us;
	int64_t breaker_until_us;
	uint32_t in_flight;
	uint32_t failures; /* consecutive */
	uint32_t pauses;   /* consecutive, without a Retry-After */
	uint8_t breaker;   /* enum weir_breaker */
};

void weir_carrier_limiter_init(struct weir_carrier_limiter *limiter, const struct weir_dispatch_limits *limits);
/* When a call may start: <= now_us = now; WEIR_DISPATCH_NEVER = not before a call in flight ends. */
int64_t weir_carrier_limiter_ready_at(const struct weir_carrier_limiter *limiter, int64_t now_us);
/* A call starts; only when ready. */
void weir_carrier_limiter_begin(struct weir_carrier_limiter *limiter, int64_t now_us);
/* A call ended. True when that closed the breaker. */
bool weir_carrier_limiter_end(struct weir_carrier_limiter *limiter, const struct weir_outcome *outcome, int64_t now_us);
/* Delay number `step` (0 = first) between min_ms and max_ms: see backoff.h. Microseconds. */
int64_t weir_carrier_limiter_backoff_us(uint32_t min_ms, uint32_t max_ms, uint32_t step, uint64_t draw);

#endif
