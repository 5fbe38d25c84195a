/*
 * The two clocks, as two types that do not mix.
 *
 * Wall time (struct weir_wall) is microseconds since 1970, UTC: for what is stored or shown. It jumps when the clock is
 * set. Steady time (struct weir_steady) is microseconds of a clock that never jumps: for deadlines and durations; it means
 * nothing outside this machine's uptime. The compiler refuses to add or compare the two. Timestamps of records and other
 * stored data are wall time as plain int64_t `..._us`: take them with weir_wall_now().us.
 *
 * Pure state machines (aggregators, dispatch core, a direct connection) take their time as a parameter, so that a test
 * replays it; only their threads read a clock. Any thread; cannot fail.
 */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct weir_wall {
	int64_t us;
};

struct weir_steady {
	int64_t us;
};

struct weir_wall weir_wall_now(void);
/* When this machine was started. */
struct weir_wall weir_wall_boot(void);
struct weir_steady weir_steady_now(void);

/* A deadline so far from now; a negative time lies in the past. */
struct weir_steady weir_steady_in_us(int64_t us);
struct weir_steady weir_steady_in_ms(int64_t ms);
/* True once the deadline has been reached. */
bool weir_steady_reached(struct weir_steady deadline);
/* Microseconds until the deadline; 0 or less once it is reached. */
int64_t weir_steady_left_us(struct weir_steady deadline);
/* The deadline as pthread_cond_timedwait takes it, for a condition whose clock is CLOCK_MONOTONIC. */
struct timespec weir_steady_timespec(struct weir_steady deadline);
/* Microseconds since then. */
int64_t weir_steady_since_us(struct weir_steady then);
/* True when that was `us` ago or longer, or never (us == 0): a thing kept for so long is to be fetched again. */
bool weir_steady_is_past(struct weir_steady then, int64_t us);

/* Stopwatches for benchmarks, nanoseconds: the steady clock, and the CPU time of the calling thread. */
int64_t weir_clock_steady_ns(void);
int64_t weir_clock_thread_ns(void);

#endif
