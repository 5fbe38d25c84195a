/*
 * Delays between attempts: they double up to a bound and are jittered, so that many who failed together do not come back
 * together.
 *
 * A delay has any unit. A draw is 64 random bits (weir_random_next). Pure functions; any thread.
 */
#ifndef WEIR_BASE_BACKOFF_H
#define WEIR_BASE_BACKOFF_H

#include <stdint.h>

/* `min`, doubled `step` times, at most `max`. min >= 1, max < 2^62. */
static inline uint64_t
weir_backoff_grow(uint64_t min, uint64_t max, uint32_t step)
{
	uint64_t delay = min;
	while (step-- > 0 && delay < max)
		delay *= 2;
	return delay < max ? delay : max;
}

/* Between half of the delay and the whole of it: after a failure. */
static inline uint64_t
weir_backoff_jitter(uint64_t delay, uint64_t draw)
{
	uint64_t half = delay / 2;
	return half + draw % (delay - half + 1);
}

/* Between four and six fifths of the interval: for what is due regularly, but not for all at once. */
static inline uint64_t
weir_backoff_spread(uint64_t interval, uint64_t draw)
{
	return interval * 4 / 5 + draw % (interval * 2 / 5 + 1);
}

#endif
