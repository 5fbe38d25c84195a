/*
 * Loading a partition and fetching strings from a real Redis: what is asked for, what arrives, what is poison.
 */
#include "store_lane.h"

static void
a_partition_is_loaded_whole(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	static char page[WEIR_SLAB_PAGE_BYTES];
	int64_t hour = 1774847286 / 3600;
	freeReplyObject(redisCommand(redis,
	    "HSET weir:{5}:h format 4 epoch 6 stream_time_us 1774847286000000 cards %d terms 66 enforcements 33 sessions "
	    "1 lives %d accounts 33 pools 33 shares 65 o:weir.records 5 o:weir.cards 9007199254740993",
	    600 * 128, 600 * 128));
	for (int i = 0; i < 600; i++)
		freeReplyObject(redisCommand(redis, "SET weir:{5}:c:%d %b", i, page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:t:1 short"));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:e:1 %b", page, sizeof(page)));
	for (int i = 0; i < 300; i++)
		freeReplyObject(redisCommand(redis, "SET weir:{5}:l:%d %b", i, page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:a:0 %b", page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:q:1 %b", page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:h:1 %b", page, sizeof(page)));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:c:600 beyond"));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:l:300 beyond"));
	freeReplyObject(redisCommand(redis, "SET weir:{5}:h:2 beyond"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{5}:n cm gold"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:r plan:gold {}"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:i 8986000000000000983S:18446744073709551615 2"));
	for (int i = 0; i < 256; i++)
		for (int64_t h = hour - 2; h <= hour + 2; h++)
			freeReplyObject(redisCommand(redis, "SET weir:{5}:m:%lld:%d 1234567", (long long)h, i));
	struct lane *lane = lane_open("one");
	struct loaded loaded = {0};
	struct weir_store_request request = take_request(5, &loaded);
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_true(request.header.exists);
	assert_true(request.header.epoch > 6);
	assert_int_equal(request.header.slots[WEIR_SLAB_POOL_SOURCES], 65);
	assert_true(request.header.offsets[1] == INT64_C(9007199254740993));
	assert_int_equal(request.header.stream_time_us, INT64_C(1774847286000000));
	assert_int_equal(loaded.pages[WEIR_SLAB_CARDS], 600);
	assert_int_equal(loaded.pages[WEIR_SLAB_CARD_OVERRIDES], 1);
	assert_int_equal(loaded.pages[WEIR_SLAB_ENFORCEMENTS], 1);
	assert_int_equal(loaded.pages[WEIR_SLAB_LIFECYCLES], 300);
	assert_int_equal(loaded.pages[WEIR_SLAB_POOL_LOCALS], 1);
	assert_int_equal(loaded.pages[WEIR_SLAB_POOLS], 1);
	assert_int_equal(loaded.pages[WEIR_SLAB_POOL_SOURCES], 1);
	assert_int_equal(loaded.page_bytes, 904 * WEIR_SLAB_PAGE_BYTES + 5);
	assert_int_equal(loaded.names, 2);
	assert_string_equal(loaded.last_name, "gold");
	assert_string_equal(loaded.last_json, "{}");
	assert_int_equal(loaded.intents, 1);
	assert_true(loaded.intent_token == UINT64_MAX);
	assert_int_equal(loaded.dedupe_keys, 3 * 256);
	assert_int_equal(loaded.dedupe_key_bytes, 3 * 256 * 7);
	assert_int_equal(loaded.last_hour, hour + 1);

	loaded.reject_pages = true;
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_POISON);
	assert_non_null(strstr(request.error.text, "weir:{5}:c:0"));
	loaded.reject_pages = false;
	static const char *const wrong[] = {"77 2", "8986000000000000983S 2", "8986000000000000983S: 2", ":5 2",
	    "8986000000000000983S:5x 2", "8986000000000000983S:5 many"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char command[96];
		(void)snprintf(command, sizeof(command), "HSET weir:{5}:i %s", wrong[i]);
		freeReplyObject(redisCommand(redis, "DEL weir:{5}:i"));
		freeReplyObject(redisCommand(redis, command));
		assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
		assert_non_null(strstr(request.error.text, "weir:{5}:i"));
	}
	freeReplyObject(redisCommand(redis, "SET weir:{5}:i string"));
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	freeReplyObject(redisCommand(redis, "DEL weir:{5}:i"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:h format 1"));
	assert_int_equal(run(lane, &request), WEIR_STORE_FAILED);
	assert_int_equal(request.error.class, WEIR_POISON);
	assert_non_null(strstr(request.error.text, "weir:{5}:h is of format 1, which is of a development version"));
	freeReplyObject(redisCommand(redis, "HSET weir:{5}:h format 4"));
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	lane_close(lane);
	redisFree(redis);
}

static void
fetching_reads_whole_strings_and_ranges(void **state)
{
	(void)state;
	(void)say("SET weir:{3}:m:1:2 0123456789");
	struct lane *lane = lane_open("one");
	struct weir_store_fetch fetches[300] = {{.key = "m:1:2"}, {.key = "m:1:2", .from = 2, .len = 3}, {.key = "none"},
	    {.key = "m:1:2", .from = 8, .len = 9}};
	for (int i = 4; i < 300; i++)
		(void)snprintf(fetches[i].key, sizeof(fetches[i].key), "m:1:%d", i == 299 ? 2 : 3);
	struct weir_store_request request = {
	    .kind = WEIR_STORE_FETCH, .partition = 3, .fetches = fetches, .fetch_count = 300};
	assert_int_equal(run(lane, &request), WEIR_STORE_DONE);
	assert_int_equal(fetches[0].value_out.len, 10);
	assert_int_equal(fetches[1].value_out.len, 3);
	assert_memory_equal(fetches[1].value_out.data, "234", 3);
	assert_int_equal(fetches[2].value_out.len, 0);
	assert_int_equal(fetches[3].value_out.len, 2);
	assert_int_equal(fetches[298].value_out.len, 0);
	assert_int_equal(fetches[299].value_out.len, 10);
	for (int i = 0; i < 300; i++)
		weir_buf_free(&fetches[i].value_out);
	lane_close(lane);
}

int
main(void)
{
	if (!redis_is_installed("store_load_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_partition_is_loaded_whole, empty_server),
	    cmocka_unit_test_setup(fetching_reads_whole_strings_and_ranges, empty_server),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
