/* The two clocks: they move on, deadlines are reached, wall time is of this century. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/base/clock.h"

static void
wall_time_is_since_1970(void **state)
{
	(void)state;
	int64_t now_us = weir_wall_now().us, system_us = (int64_t)time(NULL) * 1000000;
	assert_true(now_us > system_us - 2000000 && now_us < system_us + 2000000);
	assert_true(weir_wall_boot().us < now_us);
	assert_true(weir_wall_boot().us > 0);
}

static void
steady_time_only_grows(void **state)
{
	(void)state;
	struct weir_steady last = weir_steady_now();
	for (int i = 0; i < 10000; i++) {
		struct weir_steady now = weir_steady_now();
		assert_true(now.us >= last.us);
		last = now;
	}
	int64_t before_ns = weir_clock_steady_ns(), cpu_ns = weir_clock_thread_ns();
	(void)usleep(20000);
	assert_true(weir_clock_steady_ns() - before_ns >= 20000000);
	assert_true(weir_clock_thread_ns() - cpu_ns < 20000000); /* sleeping costs no CPU time */
	assert_true(weir_steady_since_us(last) >= 20000);
}

static void
deadlines_are_reached(void **state)
{
	(void)state;
	struct weir_steady soon = weir_steady_in_ms(20), far = weir_steady_in_ms(60000);
	assert_false(weir_steady_reached(far));
	assert_true(weir_steady_left_us(far) > 50000000 && weir_steady_left_us(far) <= 60000000);
	assert_true(weir_steady_reached(weir_steady_in_us(0)));
	assert_true(weir_steady_reached(weir_steady_in_us(-1)));
	while (!weir_steady_reached(soon))
		(void)usleep(1000);
	assert_true(weir_steady_left_us(soon) <= 0);
	assert_true(weir_steady_since_us(soon) >= 0);
}

static void
never_is_past(void **state)
{
	(void)state;
	struct weir_steady never = {0}, now = weir_steady_now();
	assert_true(weir_steady_is_past(never, INT64_MAX));
	assert_true(weir_steady_is_past(now, 0));
	assert_false(weir_steady_is_past(now, 60000000));
	assert_true(weir_steady_is_past(weir_steady_in_ms(-61000), 60000000));
}

static void
a_deadline_as_a_timespec(void **state)
{
	(void)state;
	struct timespec at = weir_steady_timespec((struct weir_steady){12 * 1000000 + 345678});
	assert_int_equal(at.tv_sec, 12);
	assert_int_equal(at.tv_nsec, 345678000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(wall_time_is_since_1970),
	    cmocka_unit_test(steady_time_only_grows),
	    cmocka_unit_test(deadlines_are_reached),
	    cmocka_unit_test(never_is_past),
	    cmocka_unit_test(a_deadline_as_a_timespec),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
