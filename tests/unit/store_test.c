/*
 * The fence against a real Redis: taking, flushing, two owners, a Redis that forgot, errors inside a transaction, lost
 * acknowledgements, Redis killed in the middle, cancelling and stopping.
 */
#include "store_lane.h"

static void
taking_raises_the_epoch(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	struct loaded loaded = {0};
	struct weir_store_request request = take_request(1, &loaded);
	uint64_t before = (uint64_t)weir_wall_now().us;
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	uint64_t first = request.header.epoch;
	assert_true(first >= before && first <= (uint64_t)weir_wall_now().us);
	assert_int_equal(loaded.epoch, first); /* the sink knows it before the first page */
	assert_false(request.header.exists);
	assert_int_equal(request.header.offsets[0], -1);
	assert_int_equal(loaded.begins, 1);
	/* At once again, and with a clock that went back: above what is stored, above what the owner had. */
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_true(request.header.epoch > first);
	uint64_t ahead = (uint64_t)weir_wall_now().us + UINT64_C(3600000000);
	request.epoch_floor = ahead;
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_int_equal(request.header.epoch, ahead + 1);
	assert_int_equal(say("HGET weir:{1}:h epoch"), ahead + 1);
	request.epoch_floor = 0;
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_int_equal(request.header.epoch, ahead + 2);
	/* Redis forgot all of it, another process takes: still higher than the first. */
	(void)say("FLUSHALL");
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_true(request.header.epoch > first);
	(void)say("HSET weir:{1}:h epoch 18446744073709551615");
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_POISON);
	assert_true(take(lane, 2) >= before);
	lane_close(lane);
}

static void
flushing_moves_offsets_once(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	assert_int_equal(flush(lane, 1, epoch, -1, 10), WEIR_STORE_DONE);
	assert_int_equal(flush(lane, 1, epoch, 10, 20), WEIR_STORE_DONE);
	assert_int_equal(flush(lane, 1, epoch, 10, 20), WEIR_STORE_DONE); /* already applied */
	assert_int_equal(say("STRLEN weir:{1}:log"), 2);
	struct weir_store_counters counters;
	weir_store_counters_get(lane->store, &counters);
	assert_int_equal(counters.flushes, 3);
	assert_true(counters.connected);
	lane_close(lane);
}

static void
an_older_owner_is_fenced(void **state)
{
	(void)state;
	struct lane *first = lane_open("one"), *second = lane_open("two");
	uint64_t old = take(first, 1);
	assert_int_equal(flush(first, 1, old, -1, 10), WEIR_STORE_DONE);
	uint64_t new = take(second, 1);
	assert_true(new > old);
	assert_int_equal(flush(first, 1, old, 10, 20), WEIR_STORE_FENCED);
	assert_int_equal(flush(second, 1, new, 10, 30), WEIR_STORE_DONE);
	assert_int_equal(flush(first, 1, old, 10, 30), WEIR_STORE_FENCED);
	assert_int_equal(say("STRLEN weir:{1}:log"), 2);
	assert_int_equal(say("HGET weir:{1}:h o:weir.records"), 30);
	lane_close(first);
	lane_close(second);
}

/* Both owners flush as fast as they can while the other takes: each taking must fence all that follows. */
static void
owners_that_race_never_both_write(void **state)
{
	(void)state;
	struct lane *lanes[2] = {lane_open("one"), lane_open("two")};
	int64_t offset = -1, written = 0;
	for (int round = 0; round < 60; round++) {
		struct loaded loaded = {0};
		struct lane *mine = lanes[round & 1], *other = lanes[~round & 1];
		uint64_t epoch = take(mine, 1);
		struct weir_store_request racing = flush_request(1, epoch, offset, offset + 10);
		struct weir_store_request taking = take_request(1, &loaded);
		assert_true(weir_store_submit(mine->store, &racing));
		assert_true(weir_store_submit(other->store, &taking));
		assert_ptr_equal(wait_answer(mine, 20000), &racing);
		assert_ptr_equal(wait_answer(other, 20000), &taking);
		assert_int_equal(taking.result, WEIR_STORE_DONE);
		if (racing.result == WEIR_STORE_DONE) {
			offset += 10;
			written++;
			assert_int_equal(taking.header.offsets[0], offset);
		} else {
			assert_int_equal(racing.result, WEIR_STORE_FENCED);
			assert_int_equal(taking.header.offsets[0], offset);
		}
		weir_buf_free(&racing.body);
	}
	assert_int_equal(say("STRLEN weir:{1}:log"), written);
	lane_close(lanes[0]);
	lane_close(lanes[1]);
}

static void
a_redis_that_lost_writes_is_noticed(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	assert_int_equal(flush(lane, 1, epoch, -1, 10), WEIR_STORE_DONE);
	(void)say("HSET weir:{1}:h o:weir.records 7");
	struct weir_store_request request = flush_request(1, epoch, 10, 20);
	assert_int_equal(run(lane, &request), WEIR_STORE_LOST_WRITES);
	assert_int_equal(request.header.offsets[0], 7);
	(void)say("DEL weir:{1}:h");
	assert_int_equal(run(lane, &request), WEIR_STORE_LOST_WRITES);
	assert_false(request.header.exists);
	weir_buf_free(&request.body);
	(void)say("HSET weir:{1}:h epoch nonsense");
	assert_int_equal(flush(lane, 1, epoch, 10, 20), WEIR_STORE_FAILED);
	lane_close(lane);
}

static void
an_error_inside_the_transaction_is_fatal_and_loud(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	(void)say("LPUSH weir:{1}:log not-a-string");
	struct weir_store_request request = flush_request(1, epoch, -1, 10);
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_FATAL);
	assert_non_null(strstr(request.error.text, "WRONGTYPE"));
	assert_non_null(strstr(request.error.text, "does not roll back"));
	weir_buf_free(&request.body);
	/* and a command that cannot even be queued: nothing of the body is done */
	epoch = take(lane, 2);
	request = flush_request(2, epoch, -1, 10);
	weir_resp_command(&request.body, 1);
	weir_resp_text(&request.body, "NOSUCH");
	request.commands++;
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(say("EXISTS weir:{2}:log"), 0);
	weir_buf_free(&request.body);
	assert_int_equal(flush(lane, 2, epoch, -1, 10), WEIR_STORE_DONE); /* the store goes on */
	lane_close(lane);
}

/* Connections are killed all the time; each flush must be applied exactly once. */
static void
lost_acknowledgements_cost_no_count(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	redisContext *redis = by_hand();
	const int rounds = 300;
	for (int i = 0; i < rounds; i++) {
		struct weir_store_request request = flush_request(1, epoch, i - 1, i);
		assert_true(weir_store_submit(lane->store, &request));
		usleep((useconds_t)(i * 7 % 200));
		freeReplyObject(redisCommand(redis, "CLIENT KILL TYPE normal SKIPME yes"));
		assert_ptr_equal(wait_answer(lane, 20000), &request);
		assert_int_equal(request.result, WEIR_STORE_DONE);
		weir_buf_free(&request.body);
	}
	redisFree(redis);
	assert_int_equal(say("STRLEN weir:{1}:log"), rounds);
	struct weir_store_counters counters;
	weir_store_counters_get(lane->store, &counters);
	assert_true(counters.reconnects > 0);
	lane_close(lane);
}

static void
a_killed_redis_is_waited_for(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	for (int i = 0; i < 4; i++) {
		struct weir_store_request request = flush_request(1, epoch, i - 1, i);
		for (int page = 0; page < 4000; page++) { /* 32 MB: long enough to be hit */
			weir_resp_command(&request.body, 3);
			weir_resp_text(&request.body, "SET");
			weir_resp_key(&request.body, "weir", 1, "s:%d", page);
			memset(weir_resp_reserve(&request.body, WEIR_SLAB_PAGE_BYTES), 'p', WEIR_SLAB_PAGE_BYTES);
			request.commands++;
		}
		assert_true(weir_store_submit(lane->store, &request));
		usleep((useconds_t)i * 15000);
		private_redis_kill(&server);
		usleep(50000);
		assert_true(private_redis_run(&server));
		assert_ptr_equal(wait_answer(lane, 60000), &request);
		assert_int_equal(request.result, WEIR_STORE_DONE);
		assert_int_equal(say("STRLEN weir:{1}:log"), i + 1);
		weir_buf_free(&request.body);
	}
	lane_close(lane);
}

static void
cancel_and_stop_do_not_wait(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	uint64_t epoch = take(lane, 1);
	private_redis_kill(&server);
	struct weir_store_request a = flush_request(1, epoch, -1, 1), b = flush_request(2, epoch, -1, 1),
				  c = flush_request(1, epoch, 1, 2);
	assert_true(weir_store_submit(lane->store, &a));
	assert_true(weir_store_submit(lane->store, &b));
	assert_true(weir_store_submit(lane->store, &c));
	usleep(300000);
	assert_null(weir_store_next(lane->store));
	struct weir_steady before = weir_steady_now();
	weir_store_cancel(lane->store, 1);
	assert_ptr_equal(wait_answer(lane, 5000), &a);
	assert_true(weir_steady_since_us(before) < 100000);
	assert_int_equal(a.result, WEIR_STORE_CANCELLED);
	assert_null(wait_answer(lane, 50)); /* answers keep their order: b waits for Redis, c behind it */
	before = weir_steady_now();
	weir_store_stop(lane->store);
	assert_true(weir_steady_since_us(before) < 100000);
	assert_ptr_equal(weir_store_next(lane->store), &b);
	assert_ptr_equal(weir_store_next(lane->store), &c);
	assert_int_equal(b.result, WEIR_STORE_CANCELLED);
	assert_int_equal(c.result, WEIR_STORE_CANCELLED);
	assert_false(weir_store_submit(lane->store, &a));
	weir_buf_free(&a.body);
	weir_buf_free(&b.body);
	weir_buf_free(&c.body);
	lane_close(lane);
	assert_true(private_redis_run(&server));
}

static void
the_ring_is_bounded_and_in_order(void **state)
{
	(void)state;
	struct lane *lane = lane_open("one");
	static struct weir_store_request requests[257];
	for (int i = 0; i < 257; i++)
		requests[i] = (struct weir_store_request){.kind = WEIR_STORE_FETCH};
	for (int i = 0; i < 256; i++)
		assert_true(weir_store_submit(lane->store, &requests[i]));
	assert_false(weir_store_submit(lane->store, &requests[256]));
	for (int i = 0; i < 256; i++)
		assert_ptr_equal(wait_answer(lane, 5000), &requests[i]);
	assert_true(weir_store_submit(lane->store, &requests[256]));
	assert_ptr_equal(wait_answer(lane, 5000), &requests[256]);
	lane_close(lane);
}

int
main(void)
{
	if (!redis_is_installed("store_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(taking_raises_the_epoch, empty_server),
	    cmocka_unit_test_setup(flushing_moves_offsets_once, empty_server),
	    cmocka_unit_test_setup(an_older_owner_is_fenced, empty_server),
	    cmocka_unit_test_setup(owners_that_race_never_both_write, empty_server),
	    cmocka_unit_test_setup(a_redis_that_lost_writes_is_noticed, empty_server),
	    cmocka_unit_test_setup(an_error_inside_the_transaction_is_fatal_and_loud, empty_server),
	    cmocka_unit_test_setup(lost_acknowledgements_cost_no_count, empty_server),
	    cmocka_unit_test_setup(a_killed_redis_is_waited_for, empty_server),
	    cmocka_unit_test_setup(cancel_and_stop_do_not_wait, empty_server),
	    cmocka_unit_test_setup(the_ring_is_bounded_and_in_order, empty_server),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
