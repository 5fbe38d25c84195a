/* Shards as sets and as indexes, against a sorted array that cannot be wrong: adds, growth, removals. rule REC-3 (marks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aggregators/tables/dedupe_keys.h"
#include "config/base/random.h"

static void
test_set_remembers_each_once(void **state)
{
	(void)state;
	struct weir_shards shards = {0};
	enum { N = 200000 };
	struct weir_random random = {7};
	for (int i = 0; i < N; i++) {
		uint64_t h = weir_random_next(&random);
		assert_true(weir_shard_add(weir_shards_of(&shards, h), h));
	}
	random.state = 7;
	for (int i = 0; i < N; i++) {
		uint64_t h = weir_random_next(&random);
		assert_false(weir_shard_add(weir_shards_of(&shards, h), h));
	}
	uint64_t used = 0;
	for (int i = 0; i < WEIR_SHARDS; i++)
		used += shards.shard[i].used;
	assert_int_equal(used, N);
	weir_shards_free(&shards);
}

/* Room that was taken for n entries holds n without growing, and what was in before stays. */
static void
test_room_is_taken_at_once(void **state)
{
	(void)state;
	for (uint32_t n = 1; n < 3000; n = n * 3 / 2 + 1) {
		struct weir_shard shard = {0};
		struct weir_random random = {n};
		for (uint32_t i = 0; i < n; i++) {
			if (i == n / 3)
				weir_shard_reserve(&shard, n);
			uint32_t cap = shard.cap;
			assert_true(weir_shard_add(&shard, weir_random_next(&random)));
			if (i >= n / 3)
				assert_int_equal(shard.cap, cap);
		}
		weir_shard_reserve(&shard, n / 2); /* has more */
		random.state = n;
		for (uint32_t i = 0; i < n; i++)
			assert_false(weir_shard_add(&shard, weir_random_next(&random)));
		assert_int_equal(shard.used, n);
		weir_shard_free(&shard);
	}
}

static uint64_t
id_index_of(const struct weir_dedupe_keys_hour *hour)
{
	uint64_t places = 0;
	for (uint32_t i = 0; i < WEIR_SHARDS; i++)
		places += hour->shards.shard[i].cap;
	return places;
}

/* Marks of one hour that come evenly; how often a shard grew. */
static uint64_t
fill_hour(struct weir_dedupe_keys *dedupe_keys, int64_t number, uint32_t count)
{
	struct weir_random random = {(uint64_t)number};
	uint64_t grown = 0;
	for (uint32_t i = 0; i < count; i++) {
		dedupe_keys->stream_us = number * WEIR_HOUR_US + WEIR_HOUR_US / count * i;
		struct weir_dedupe_keys_hour *hour = weir_dedupe_keys_hour_find(dedupe_keys, number);
		uint64_t h = weir_random_next(&random);
		uint32_t before = weir_shards_of(&hour->shards, h)->cap;
		assert_true(weir_dedupe_keys_hour_add(dedupe_keys, hour, h));
		grown += weir_shards_of(&hour->shards, h)->cap != before;
	}
	return grown;
}

/* Growing by half each time, a shard of 1,563 marks would take 12 steps, and an hour like the one before as many again. */
static void
test_an_hour_begins_as_large_as_the_last_one(void **state)
{
	(void)state;
	enum { N = 200000 };
	struct weir_dedupe_keys dedupe_keys;
	weir_dedupe_keys_init(&dedupe_keys);
	dedupe_keys.fresh_from = 100;
	assert_in_range(fill_hour(&dedupe_keys, 100, N), WEIR_SHARDS, 9 * WEIR_SHARDS);
	assert_in_range(id_index_of(weir_dedupe_keys_hour_find(&dedupe_keys, 100)), N * 4 / 3, 2 * N);
	assert_in_range(fill_hour(&dedupe_keys, 101, N), WEIR_SHARDS, WEIR_SHARDS + 8);
	assert_in_range(id_index_of(weir_dedupe_keys_hour_find(&dedupe_keys, 101)), N * 4 / 3, 2 * N);
	/* A few of an hour before those two take no more than they need. */
	assert_non_null(weir_dedupe_keys_hour_find(&dedupe_keys, 100));
	dedupe_keys.fresh_from = 99;
	uint64_t late = weir_random_next(&(struct weir_random){5}) | 1;
	assert_true(weir_dedupe_keys_hour_add(&dedupe_keys, weir_dedupe_keys_hour_find(&dedupe_keys, 99), late));
	assert_in_range(id_index_of(weir_dedupe_keys_hour_find(&dedupe_keys, 99)), 1, 64);
	weir_dedupe_keys_free(&dedupe_keys);
}

/* A burst is not taken for its hour's measure. */
static void
test_a_burst_takes_little(void **state)
{
	(void)state;
	struct weir_dedupe_keys dedupe_keys;
	weir_dedupe_keys_init(&dedupe_keys);
	dedupe_keys.fresh_from = 100;
	struct weir_random random = {11};
	for (int i = 0; i < 100000; i++) {
		dedupe_keys.stream_us = 100 * WEIR_HOUR_US + WEIR_HOUR_US / 10 + i;
		assert_true(weir_dedupe_keys_hour_add(
		    &dedupe_keys, weir_dedupe_keys_hour_find(&dedupe_keys, 100), weir_random_next(&random)));
	}
	assert_in_range(id_index_of(weir_dedupe_keys_hour_find(&dedupe_keys, 100)), 100000, 100000 * 2 + 100000);
	weir_dedupe_keys_free(&dedupe_keys);
}

/* Entries whose homes collide and wrap around the end, removed in every order: the rest must stay findable. */
static void
test_removal_keeps_the_rest(void **state)
{
	(void)state;
	struct weir_random random = {99};
	for (int round = 0; round < 2000; round++) {
		struct weir_shard shard = {0};
		uint64_t entries[10];
		for (int i = 0; i < 10; i++) {
			uint64_t high = round % 2 == 0 ? 0xffffffffu : weir_random_next(&random) % 4 * 0x3fffffffu;
			entries[i] = high << 32 | (uint64_t)(i + 1);
			weir_shard_insert(&shard, entries[i]);
		}
		uint32_t alive = (1u << 10) - 1;
		while (alive != 0) {
			int victim = (int)(weir_random_next(&random) % 10);
			if ((alive >> victim & 1) == 0)
				continue;
			uint32_t pos = weir_shard_home(&shard, entries[victim]);
			while (shard.entries[pos] != entries[victim])
				pos = weir_shard_next(&shard, pos);
			weir_shard_remove_at(&shard, pos);
			alive &= ~(1u << victim);
			for (int i = 0; i < 10; i++) {
				uint32_t at = weir_shard_home(&shard, entries[i]);
				while (shard.entries[at] != 0 && shard.entries[at] != entries[i])
					at = weir_shard_next(&shard, at);
				assert_int_equal(shard.entries[at] == entries[i], alive >> i & 1);
			}
		}
		assert_int_equal(shard.used, 0);
		weir_shard_free(&shard);
	}
}

static void
test_stored_dedupe_keys_come_back(void **state)
{
	(void)state;
	struct weir_dedupe_keys dedupe_keys;
	weir_dedupe_keys_init(&dedupe_keys);
	dedupe_keys.fresh_from = 100;
	struct weir_random random = {3};
	for (int i = 0; i < 1000; i++) {
		uint64_t h = weir_random_next(&random) | 1;
		uint64_t high = h >> 8;
		assert_true(
		    weir_dedupe_keys_load(&dedupe_keys, 100, h & 255, (const uint8_t *)&high, WEIR_DEDUPE_KEY_BYTES));
		struct weir_dedupe_keys_hour *hour = weir_dedupe_keys_hour_find(&dedupe_keys, 100);
		assert_false(weir_dedupe_keys_hour_add(&dedupe_keys, hour, h));
		assert_true(weir_dedupe_keys_hour_add(&dedupe_keys, hour, h ^ (1ull << 63)));
	}
	assert_false(weir_dedupe_keys_load(&dedupe_keys, 100, 0, (const uint8_t *)"12345678", 8)); /* not whole marks */
	assert_null(weir_dedupe_keys_hour_find(&dedupe_keys, 99));                                 /* not fresh */
	weir_dedupe_keys_free(&dedupe_keys);
}

static void
test_warm_buckets_are_dropped_only_when_clean(void **state)
{
	(void)state;
	struct weir_dedupe_keys dedupe_keys;
	weir_dedupe_keys_init(&dedupe_keys);
	bool created;
	for (uint32_t i = 0; i < 300; i++) {
		struct weir_dedupe_keys_bucket *bucket =
		    weir_dedupe_keys_bucket_get(&dedupe_keys, 5 + i / 256, i % 256, &created);
		assert_true(created);
		assert_true(weir_dedupe_keys_bucket_load(bucket, NULL, 0));
	}
	struct weir_dedupe_keys_bucket *bucket = weir_dedupe_keys_bucket_find(&dedupe_keys, 5, 17);
	assert_non_null(bucket);
	assert_true(weir_dedupe_keys_bucket_add(&dedupe_keys, bucket, 0x1111));
	assert_false(weir_dedupe_keys_bucket_add(&dedupe_keys, bucket, 0x1111));
	assert_int_equal(dedupe_keys.pending, 1);
	bucket->pending.n = 0;
	weir_dedupe_keys_trim(&dedupe_keys, 299);
	assert_int_equal(dedupe_keys.warm_count, 0);
	weir_dedupe_keys_free(&dedupe_keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_remembers_each_once),
	    cmocka_unit_test(test_room_is_taken_at_once),
	    cmocka_unit_test(test_an_hour_begins_as_large_as_the_last_one),
	    cmocka_unit_test(test_a_burst_takes_little),
	    cmocka_unit_test(test_removal_keeps_the_rest),
	    cmocka_unit_test(test_stored_dedupe_keys_come_back),
	    cmocka_unit_test(test_warm_buckets_are_dropped_only_when_clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
