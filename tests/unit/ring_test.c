/*
 * The ring between two threads: order, refusal when full, wrap of slots, and a long two-threaded run whose point is to be
 * watched by the thread sanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config/base/ring.h"

#define TRANSFER 300000u

struct item {
	uint64_t number;
	uint64_t square;
	uint8_t tail[5]; /* an odd size on purpose */
};

static struct item
item_of(uint64_t number)
{
	struct item item;
	memset(&item, 0, sizeof(item));
	item.number = number;
	item.square = number * number;
	item.tail[4] = (uint8_t)number;
	return item;
}

static void
test_ring_keeps_order_and_refuses_when_full(void **state)
{
	(void)state;
	struct weir_ring ring;
	weir_ring_init(&ring, 5, sizeof(struct item));
	assert_int_equal(ring.capacity, 8);
	uint64_t pushed = 0, popped = 0;
	struct item item;
	for (unsigned round = 0; round < 100; round++) {
		for (item = item_of(pushed); weir_ring_push(&ring, &item); item = item_of(++pushed))
			;
		assert_int_equal(weir_ring_count(&ring), 8);
		for (unsigned i = 0; i < 1 + round % 8; i++) {
			assert_true(weir_ring_pop(&ring, &item));
			assert_int_equal(item.number, popped++);
			assert_int_equal(item.tail[4], (uint8_t)item.number);
		}
	}
	while (weir_ring_pop(&ring, &item))
		assert_int_equal(item.number, popped++);
	assert_int_equal(pushed, popped);
	assert_int_equal(weir_ring_count(&ring), 0);
	weir_ring_free(&ring);
}

static void
test_ring_survives_wrap_of_its_counts(void **state)
{
	(void)state;
	struct weir_ring ring;
	weir_ring_init(&ring, 4, sizeof(uint32_t));
	atomic_store(&ring.head, UINT32_MAX - 1);
	atomic_store(&ring.tail, UINT32_MAX - 1);
	ring.head_seen = ring.tail_seen = UINT32_MAX - 1;
	for (uint32_t i = 0; i < 4; i++)
		assert_true(weir_ring_push(&ring, &i));
	uint32_t item = 9;
	assert_false(weir_ring_push(&ring, &item));
	for (uint32_t i = 0; i < 4; i++) {
		assert_true(weir_ring_pop(&ring, &item));
		assert_int_equal(item, i);
	}
	assert_false(weir_ring_pop(&ring, &item));
	weir_ring_free(&ring);
}

static void *
push_all(void *arg)
{
	struct weir_ring *ring = arg;
	for (uint64_t number = 0; number < TRANSFER;) {
		struct item item = item_of(number);
		if (weir_ring_push(ring, &item))
			number++;
		else
			(void)sched_yield();
	}
	return NULL;
}

static void
test_ring_carries_everything_between_threads(void **state)
{
	(void)state;
	struct weir_ring ring;
	weir_ring_init(&ring, 64, sizeof(struct item));
	pthread_t pusher;
	assert_int_equal(pthread_create(&pusher, NULL, push_all, &ring), 0);
	for (uint64_t number = 0; number < TRANSFER;) {
		struct item item;
		if (!weir_ring_pop(&ring, &item)) {
			(void)sched_yield();
			continue;
		}
		assert_int_equal(item.number, number);
		assert_int_equal(item.square, number * number);
		number++;
	}
	assert_int_equal(pthread_join(pusher, NULL), 0);
	weir_ring_free(&ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ring_keeps_order_and_refuses_when_full),
	    cmocka_unit_test(test_ring_survives_wrap_of_its_counts),
	    cmocka_unit_test(test_ring_carries_everything_between_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
