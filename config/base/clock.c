/* The only callers of clock_gettime; see clock.h. */
#include "config/base/clock.h"

static int64_t
clock_read_ns(clockid_t clock)
{
	struct timespec now;
	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct weir_wall
weir_wall_now(void)
{
	return (struct weir_wall){clock_read_ns(CLOCK_REALTIME) / 1000};
}

struct weir_wall
weir_wall_boot(void)
{
	return (struct weir_wall){(clock_read_ns(CLOCK_REALTIME) - clock_read_ns(CLOCK_BOOTTIME)) / 1000};
}

struct weir_steady
weir_steady_now(void)
{
	return (struct weir_steady){clock_read_ns(CLOCK_MONOTONIC) / 1000};
}

struct weir_steady
weir_steady_in_us(int64_t us)
{
	return (struct weir_steady){weir_steady_now().us + us};
}

struct weir_steady
weir_steady_in_ms(int64_t ms)
{
	return weir_steady_in_us(ms * 1000);
}

bool
weir_steady_reached(struct weir_steady deadline)
{
	return weir_steady_left_us(deadline) <= 0;
}

int64_t
weir_steady_left_us(struct weir_steady deadline)
{
	return deadline.us - weir_steady_now().us;
}

struct timespec
weir_steady_timespec(struct weir_steady deadline)
{
	return (struct timespec){(time_t)(deadline.us / 1000000), (long)(deadline.us % 1000000) * 1000};
}

int64_t
weir_steady_since_us(struct weir_steady then)
{
	return weir_steady_now().us - then.us;
}

bool
weir_steady_is_past(struct weir_steady then, int64_t us)
{
	return then.us == 0 || weir_steady_since_us(then) >= us;
}

int64_t
weir_clock_steady_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

int64_t
weir_clock_thread_ns(void)
{
	return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}
