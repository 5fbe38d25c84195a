/*
 * Windows of acknowledgements over a partition's takes: a message that was refused for good stops the partition that
 * produced it, not the one that the same lane is given after it.
 *
 * The fault that this is of: the refusal was remembered for the lane's life, so that a partition which was given back and
 * taken again, after its topic's rights were put right, stopped at its first flush.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/engine/outbox.h"

static struct weir_ack_window *windows;
static _Atomic uint64_t rounds;

static struct weir_ack_window *
take(void)
{
	return weir_ack_window_take(&windows, 7, &rounds);
}

/* As the producer does: refused first, then no longer outstanding. */
static void
refuse(struct weir_ack_window *ack_window, uint32_t side)
{
	atomic_store(&ack_window->failed, true);
	atomic_fetch_sub(&ack_window->outstanding[side], 1);
}

static int
free_windows(void **state)
{
	(void)state;
	weir_ack_windows_free(windows);
	windows = NULL;
	return 0;
}

static void
test_a_refusal_ends_with_the_take(void **state)
{
	(void)state;
	struct weir_ack_window *first = take();
	assert_int_equal(first->bell_fd, 7);
	assert_ptr_equal(first->rounds, &rounds);
	atomic_fetch_add(&first->outstanding[0], 1);
	refuse(first, 0);
	assert_true(atomic_load(&first->failed));
	struct weir_ack_window *again = take();
	assert_ptr_equal(again, first); /* nothing refers to it any more: no memory for each take */
	assert_false(atomic_load(&again->failed));
}

/* Messages of the take before, on either side, come back late: their refusal is not the new one's, nor is their number. */
static void
test_late_refusals_are_of_the_take_before(void **state)
{
	(void)state;
	for (uint32_t side = 0; side < 2; side++) {
		struct weir_ack_window *before = take();
		atomic_fetch_add(&before->outstanding[side], 1);
		struct weir_ack_window *now = take();
		assert_ptr_not_equal(now, before);
		assert_true(weir_ack_window_closed_empty(now));
		assert_int_equal(atomic_load(&now->outstanding[now->open_side]), 0);
		refuse(before, side);
		assert_false(atomic_load(&now->failed));
	}
}

/* However often it is taken, there are no more windows than were waited for at one time. */
static void
test_windows_are_used_again(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		struct weir_ack_window *ack_window = take();
		atomic_fetch_add(&ack_window->outstanding[1], 1);
		assert_ptr_not_equal(take(), ack_window);
		refuse(ack_window, 1);
	}
	uint32_t count = 0;
	for (const struct weir_ack_window *w = windows; w != NULL; w = w->earlier)
		count++;
	assert_int_equal(count, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_a_refusal_ends_with_the_take, free_windows),
	    cmocka_unit_test_teardown(test_late_refusals_are_of_the_take_before, free_windows),
	    cmocka_unit_test_teardown(test_windows_are_used_again, free_windows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
