/*
 * Lists as the reader tells them, page by page: searches, a pool's members, tagged cards, pools, usage of a page of cards;
 * and the fleet in numbers.
 */
#include "read_fixture.h"

#define FLEET 600u /* more than a page of each partition */
#define MANUAL ((FLEET + 2) / 3)

/* Card number n: partition by its key, slot by order there. Odd ones are of cu, every third is suspended by hand. */
static char texts[FLEET][WEIR_ICCID_TEXT_MAX];
static uint32_t slots[FLEET];

static void
put_cards(void)
{
	uint32_t next[PARTITIONS] = {0};
	for (uint32_t n = 0; n < FLEET; n++) {
		(void)snprintf(texts[n], sizeof(texts[n]), "898600000000%08u", n);
		uint32_t p = home_of(texts[n]);
		next[p] += next[p] % 128 == 127; /* a page's last slot is never given out */
		slots[n] = next[p]++;
		struct weir_card_slot card = {.up = n,
		    .records = 1,
		    .cycle = n % 2 == 1 ? CYCLE(2026, 4) : CYCLE(2026, 3),
		    .plan = 2,
		    .carrier = n % 2 == 1 ? 2 : 1,
		    .reasons = n % 3 == 0 ? WEIR_REASON_BIT(WEIR_REASON_MANUAL) : 0,
		    .flags = WEIR_STATUS_IN_USE};
		put_card(texts[n], slots[n], card, (struct weir_lifecycle_slot){0});
	}
	for (uint32_t p = 0; p < PARTITIONS; p++)
		put("HSET weir:{%u}:h cards %u lives %u", p, next[p], next[p]);
}

/* Takes all pages and marks the cards that were told; returns how many, each once. */
static uint32_t
take_all(
    struct weir_reader *reader, const struct weir_card_query *query, uint32_t max, bool listed[FLEET], uint32_t *pages_out)
{
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	uint32_t count = 0, pages = 0;
	memset(listed, 0, FLEET * sizeof(*listed));
	do {
		enum weir_read answer = weir_read_search(reader, query, page.next, max, &page, &err);
		if (answer != WEIR_READ_OK)
			fail_msg("%s", err.text);
		assert_true(page.count <= max);
		for (uint32_t i = 0; i < page.count; i++) {
			uint32_t n = (uint32_t)atoi(page.cards[i].text + 12);
			assert_true(n < FLEET);
			assert_false(listed[n]);
			listed[n] = true;
			assert_int_equal(page.cards[i].used.up, n);
			count++;
		}
		assert_true(++pages < 1000);
	} while (page.next[0] != '\0');
	if (pages_out != NULL)
		*pages_out = pages;
	return count;
}

/* Every card that matches is told once, however large the pages are. */
static void
searches_list_each_match_once(void **state)
{
	bool listed[FLEET];
	uint32_t pages;
	put_cards();
	for (uint32_t max = 1; max <= 1000; max = max * 3 + 1)
		assert_int_equal(take_all(*state, &(struct weir_card_query){0}, max, listed, &pages), FLEET);
	struct weir_card_query q = {.carrier = "cu"};
	assert_int_equal(take_all(*state, &q, 64, listed, NULL), FLEET / 2);
	assert_true(listed[1] && !listed[2]);
	q = (struct weir_card_query){.reasons = WEIR_REASON_BIT(WEIR_REASON_MANUAL)};
	assert_int_equal(take_all(*state, &q, 64, listed, NULL), MANUAL);
	q = (struct weir_card_query){.statuses = 1u << WEIR_STATUS_SUSPENDED};
	assert_int_equal(take_all(*state, &q, 64, listed, NULL), MANUAL);
	q = (struct weir_card_query){.statuses = 1u << WEIR_STATUS_IN_USE | 1u << WEIR_STATUS_CANCELLED, .carrier = "cm"};
	assert_int_equal(take_all(*state, &q, 64, listed, NULL), FLEET / 3);
	q = (struct weir_card_query){.from = iccid_of(texts[10]), .to = iccid_of(texts[29])};
	assert_int_equal(take_all(*state, &q, 7, listed, NULL), 20);
	assert_true(listed[10] && listed[29] && !listed[30]);
	q = (struct weir_card_query){.plan = "pooled", .carrier = "cu", .reasons = 0xffff, .to = iccid_of(texts[11])};
	assert_int_equal(take_all(*state, &q, 7, listed, NULL), 2); /* 3 and 9 */
	q = (struct weir_card_query){.plan = "nothing"};
	assert_int_equal(take_all(*state, &q, 7, listed, NULL), 0);
}

/* Page tokens of another query, and what is none. */
static void
cursors_of_other_queries_are_refused(void **state)
{
	struct weir_card_page page, other;
	struct weir_error err = {0};
	struct weir_card_query all = {0}, cu = {.carrier = "cu"};
	put_cards();
	assert_int_equal(weir_read_search(*state, &all, NULL, 5, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, 5);
	assert_int_equal(weir_read_search(*state, &cu, page.next, 5, &other, &err), WEIR_READ_REFUSED);
	assert_non_null(strstr(err.text, "another query"));
	assert_int_equal(weir_read_search(*state, &all, "nonsense", 5, &other, &err), WEIR_READ_REFUSED);
	assert_int_equal(weir_read_search(*state, &all, NULL, 0, &other, &err), WEIR_READ_REFUSED);
	assert_int_equal(weir_read_search(*state, &all, NULL, WEIR_PAGE_MAX + 1, &other, &err), WEIR_READ_REFUSED);
}

static uint32_t members[FLEET], member_count;

/* Makes every card of `partition` a member of city-7 there, in a list of descending numbers. */
static void
put_members(uint32_t partition, uint32_t pool_local_slot)
{
	struct weir_pool_local_slot pool_local = {.pool = "city-7", .cycle = CYCLE(2026, 3), .carrier = 1};
	uint32_t first = 0;
	for (uint32_t n = 0; n < FLEET; n++) {
		if (home_of(texts[n]) != partition)
			continue;
		struct weir_lifecycle_slot lifecycle = {.pool_local = pool_local_slot + 1, .next = first};
		put_slot(partition, 'l', slots[n], &lifecycle, sizeof(lifecycle));
		first = slots[n] + 1;
		pool_local.members++;
		members[member_count++] = n;
	}
	pool_local.first = first;
	put_slot(partition, 'a', pool_local_slot, &pool_local, sizeof(pool_local));
}

/* rule POOL-6: members over all partitions, each once, with their usage. */
static void
members_are_scanned_over_partitions(void **state)
{
	bool listed[FLEET];
	struct weir_card_query q = {.pool = "city-7"};
	struct weir_card_page page;
	struct weir_error err = {0};
	member_count = 0;
	put_cards();
	put_members(1, 5);
	put_members(3, 31 + 7);
	for (uint32_t max = 1; max <= 1000; max = max * 5 + 1) {
		assert_int_equal(take_all(*state, &q, max, listed, NULL), member_count);
		for (uint32_t i = 0; i < member_count; i++)
			assert_true(listed[members[i]]);
	}
	q.reasons = WEIR_REASON_BIT(WEIR_REASON_MANUAL);
	assert_in_range(take_all(*state, &q, 3, listed, NULL), 1, member_count / 2);
	assert_int_equal(weir_read_members(*state, "city-7", "", 10, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, 10);
	assert_string_equal(page.cards[0].pool, "city-7");
	assert_int_equal(weir_read_members(*state, "city-9", "", 10, &page, &err), WEIR_READ_MISSING);
}

static void
unlink_member(uint32_t partition, uint32_t slot, uint32_t before)
{
	struct weir_lifecycle_slot gone = {0}, lifecycle;
	redisContext *redis = by_hand();
	redisReply *reply = redisCommand(
	    redis, "GETRANGE weir:{%u}:l:%u %u %u", partition, slot / 256, slot % 256 * 32, slot % 256 * 32 + 31);
	memcpy(&lifecycle, reply->str, sizeof(lifecycle));
	freeReplyObject(reply);
	redisFree(redis);
	struct weir_lifecycle_slot linked = {.pool_local = lifecycle.pool_local, .next = lifecycle.next};
	if (before != UINT32_MAX)
		put_slot(partition, 'l', before, &linked, sizeof(linked));
	put_slot(partition, 'l', slot, &gone, sizeof(gone));
}

/* Members leave between two pages, the next one and the one told last: who stays is told all the same. */
static void
members_that_leave_lose_nobody(void **state)
{
	struct weir_card_query q = {.pool = "city-7"};
	struct weir_card_page page;
	struct weir_error err = {0};
	bool listed[FLEET] = {false};
	member_count = 0;
	put_cards();
	put_members(2, 0);
	assert_int_equal(weir_read_search(*state, &q, "", 4, &page, &err), WEIR_READ_OK);
	for (uint32_t i = 0; i < page.count; i++)
		listed[atoi(page.cards[i].text + 12)] = true;
	/* the list descends: the last told is the fourth from the end, the next one the fifth */
	uint32_t last = members[member_count - 4], next = members[member_count - 5];
	unlink_member(2, slots[next], slots[last]);
	unlink_member(2, slots[last], slots[members[member_count - 3]]);
	while (page.next[0] != '\0') {
		assert_int_equal(weir_read_search(*state, &q, page.next, 7, &page, &err), WEIR_READ_OK);
		for (uint32_t i = 0; i < page.count; i++)
			listed[atoi(page.cards[i].text + 12)] = true;
	}
	for (uint32_t i = 0; i < member_count; i++)
		if (members[i] != next)
			assert_true(listed[members[i]]);
	assert_false(listed[next]);
}

/* The next one alone has left: from the last one told on, and nobody twice. */
static void
a_member_that_leaves_makes_nobody_listed_twice(void **state)
{
	struct weir_card_query q = {.pool = "city-7"};
	struct weir_card_page page;
	struct weir_error err = {0};
	uint32_t listed = 0;
	member_count = 0;
	put_cards();
	put_members(2, 0);
	assert_int_equal(weir_read_search(*state, &q, "", 4, &page, &err), WEIR_READ_OK);
	listed += page.count;
	unlink_member(2, slots[members[member_count - 5]], slots[members[member_count - 4]]);
	while (page.next[0] != '\0') {
		assert_int_equal(weir_read_search(*state, &q, page.next, 7, &page, &err), WEIR_READ_OK);
		listed += page.count;
	}
	assert_int_equal(listed, member_count - 1);
}

/* A list that has become a ring, and one that leads out of the partition: both end. */
static void
broken_lists_end(void **state)
{
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	member_count = 0;
	put_cards();
	put_members(2, 0);
	struct weir_lifecycle_slot ring = {.pool_local = 1, .next = slots[members[member_count - 1]] + 1};
	put_slot(2, 'l', slots[members[0]], &ring, sizeof(ring));
	uint32_t pages = 0;
	do {
		assert_int_equal(weir_read_members(*state, "city-7", page.next, 1000, &page, &err), WEIR_READ_OK);
		assert_true(++pages < 100);
	} while (page.next[0] != '\0');
	ring.next = UINT32_MAX;
	put_slot(2, 'l', slots[members[0]], &ring, sizeof(ring));
	page.next[0] = '\0';
	assert_int_equal(weir_read_members(*state, "city-7", page.next, 1000, &page, &err), WEIR_READ_AWAY);
	assert_non_null(strstr(err.text, "change faster"));
}

static void
tagged_cards_are_found(void **state)
{
	bool listed[FLEET];
	uint32_t tagged = 0;
	put_cards();
	for (uint32_t n = 0; n < FLEET; n++) {
		if (n % 4 != 0)
			continue;
		char json[128];
		(void)snprintf(json, sizeof(json), "{\"iccid\":\"%.20s\",\"tags\":[\"%.8s\",\"meter \\u0037\"]}", texts[n],
		    n % 8 == 0 ? "north" : "northern");
		put("HSET weir:{%u}:x tags:%s %s children:%s x", home_of(texts[n]), texts[n], json, texts[n]);
		tagged += n % 8 == 0;
	}
	struct weir_card_query q = {.tag = "north"};
	for (uint32_t max = 1; max <= 1000; max = max * 7 + 1)
		assert_int_equal(take_all(*state, &q, max, listed, NULL), tagged);
	assert_true(listed[8] && !listed[4]);
	q.tag = "meter 7";
	assert_int_equal(take_all(*state, &q, 10, listed, NULL), FLEET / 4);
	q.carrier = "cu"; /* odd ones, of which none is tagged */
	assert_int_equal(take_all(*state, &q, 10, listed, NULL), 0);
	/* with a pool the members are walked, and the tag is looked for in them */
	member_count = 0;
	put_members(1, 0);
	q = (struct weir_card_query){.tag = "north", .pool = "city-7"};
	uint32_t found = take_all(*state, &q, 10, listed, NULL), expected = 0;
	for (uint32_t i = 0; i < member_count; i++)
		expected += members[i] % 8 == 0;
	assert_int_equal(found, expected);
}

static void
put_pools(uint32_t count)
{
	uint32_t next[PARTITIONS] = {0};
	for (uint32_t n = 0; n < count; n++) {
		struct weir_pool_slot pool = {.carrier = 1,
		    .plan = 2,
		    .kind = (uint8_t)(1 + n % 3),
		    .cycle = CYCLE(2026, 3),
		    .flags = WEIR_POOL_DEFINED,
		    .status = n % 5 == 0 ? WEIR_POOL_SUSPENDED : WEIR_POOL_IN_USE,
		    .reasons = n % 5 == 0 ? WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD) : 0,
		    .effective_total = UINT64_MAX,
		    .threshold_bytes = WEIR_NO_LIMIT};
		(void)snprintf(pool.id, sizeof(pool.id), "pool-%u", n);
		uint32_t p = home_of(pool.id);
		next[p] += next[p] % 32 == 31;
		put_slot(p, 'q', next[p]++, &pool, sizeof(pool));
		if (n % 10 == 0)
			put("HSET weir:{%u}:r pool:%s %s", p, pool.id, "{\"name\":\"Harbour North\"}");
	}
	for (uint32_t p = 0; p < PARTITIONS; p++)
		put("HSET weir:{%u}:h pools %u accounts 0", p, next[p]);
}

static uint32_t
count_pools(struct weir_reader *reader, const struct weir_pool_query *query, uint32_t max)
{
	struct weir_pool_page page = {0};
	struct weir_error err = {0};
	uint32_t count = 0;
	do {
		enum weir_read answer = weir_read_pools(reader, query, page.next, max, &page, &err);
		if (answer != WEIR_READ_OK)
			fail_msg("%s", err.text);
		count += page.count;
	} while (page.next[0] != '\0');
	return count;
}

static void
pools_are_listed(void **state)
{
	struct weir_pool_page page;
	struct weir_error err = {0};
	put_pools(200);
	for (uint32_t max = 1; max <= 1000; max = max * 7 + 1)
		assert_int_equal(count_pools(*state, &(struct weir_pool_query){0}, max), 200);
	assert_int_equal(count_pools(*state, &(struct weir_pool_query){.statuses = 1u << WEIR_POOL_SUSPENDED}, 9), 40);
	assert_int_equal(
	    count_pools(*state, &(struct weir_pool_query){.reasons = WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD)}, 9), 40);
	assert_int_equal(count_pools(*state, &(struct weir_pool_query){.kinds = 1u << WEIR_PLAN_METERED}, 9), 66);
	assert_int_equal(count_pools(*state, &(struct weir_pool_query){.carrier = "cu"}, 9), 0);
	assert_int_equal(count_pools(*state, &(struct weir_pool_query){.plan = "pooled"}, 9), 200);
	assert_int_equal(count_pools(*state, &(struct weir_pool_query){.name = "harbour"}, 3), 20);
	assert_int_equal(count_pools(*state, &(struct weir_pool_query){.name = "POOL-19"}, 3), 11);
	assert_int_equal(weir_read_pools(*state, &(struct weir_pool_query){0}, "", 3, &page, &err), WEIR_READ_OK);
	assert_int_equal(
	    weir_read_pools(*state, &(struct weir_pool_query){.name = "x"}, page.next, 3, &page, &err), WEIR_READ_REFUSED);
}

/* rule ROL-2: usage of many cards at once is what each of them is told alone. */
static void
a_page_s_usage_is_that_of_its_cards(void **state)
{
	struct weir_card_page page;
	struct weir_error err = {0};
	const struct weir_volume *volumes;
	put_cards();
	for (uint32_t n = 0; n < FLEET; n += 3) {
		uint32_t p = home_of(texts[n]);
		put_baseline(p, "wd", TODAY - 2, slots[n], (struct weir_volume){0, 0, 0, 0});
		put_baseline(p, "wd", TODAY, slots[n], (struct weir_volume){n / 2, 0, 0, 0});
		put_closed_cycle(
		    p, 'y', n % 2 == 1 ? CYCLE(2026, 3) : CYCLE(2026, 2), slots[n], (struct weir_volume){n + 7, 1, 1, 1});
	}
	assert_int_equal(weir_read_search(*state, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_OK);
	assert_int_equal(page.count, FLEET);
	assert_int_equal(weir_read_page_usage(*state, &page, WEIR_SPAN_DAY, TODAY - 2, 2, &volumes, &err), WEIR_READ_OK);
	for (uint32_t i = 0; i < page.count; i++) {
		uint32_t n = (uint32_t)atoi(page.cards[i].text + 12);
		assert_int_equal(volumes[2 * i].up, n % 3 == 0 ? n / 2 : 0);
		assert_int_equal(volumes[2 * i + 1].up, 0);
	}
	assert_int_equal(weir_read_page_usage(*state, &page, WEIR_SPAN_DAY, TODAY, 1, &volumes, &err), WEIR_READ_OK);
	for (uint32_t i = 0; i < page.count; i++) {
		uint32_t n = (uint32_t)atoi(page.cards[i].text + 12);
		assert_int_equal(volumes[i].up, n % 3 == 0 ? n - n / 2 : 0);
	}
	assert_int_equal(
	    weir_read_page_usage(*state, &page, WEIR_SPAN_CYCLE, CYCLE(2026, 2), 3, &volumes, &err), WEIR_READ_OK);
	for (uint32_t i = 0; i < page.count; i++) {
		uint32_t n = (uint32_t)atoi(page.cards[i].text + 12), current = n % 2 == 1 ? 2 : 1;
		assert_int_equal(volumes[3 * i + current].up, n);
		assert_int_equal(volumes[3 * i + current - 1].up, n % 3 == 0 ? n + 7 : 0);
	}
	/* Kept are days of this and the last cycle, and six cycles before this one; the cards of cu are a cycle ahead. */
	assert_int_equal(
	    weir_read_page_usage(*state, &page, WEIR_SPAN_CYCLE, CYCLE(2025, 8), 3, &volumes, &err), WEIR_READ_OK);
	for (uint32_t i = 0; i < page.count; i++) {
		bool ahead = atoi(page.cards[i].text + 12) % 2 == 1;
		assert_false(weir_volume_is_kept(&volumes[3 * i]));
		assert_int_equal(weir_volume_is_kept(&volumes[3 * i + 1]), !ahead);
		assert_true(weir_volume_is_kept(&volumes[3 * i + 2]));
	}
	assert_int_equal(weir_read_page_usage(*state, &page, WEIR_SPAN_DAY, TODAY - 70, 71, &volumes, &err), WEIR_READ_OK);
	assert_false(weir_volume_is_kept(&volumes[0]));
	assert_true(weir_volume_is_kept(&volumes[70]));
	assert_int_equal(weir_read_page_usage(*state, &page, WEIR_SPAN_HOUR, 1, 1, &volumes, &err), WEIR_READ_REFUSED);
	put("APPEND weir:{%u}:wd:%d:0 x", home_of(texts[0]), TODAY);
	assert_int_equal(weir_read_page_usage(*state, &page, WEIR_SPAN_DAY, TODAY, 1, &volumes, &err), WEIR_READ_BROKEN);
}

static void
the_fleet_is_counted(void **state)
{
	const struct weir_fleet_view *fleet;
	const struct weir_partition_view *partitions;
	struct weir_error err = {0};
	uint32_t count;
	put_cards();
	assert_int_equal(weir_read_fleet(*state, &fleet, &err), WEIR_READ_OK);
	assert_int_equal(fleet->cards, FLEET);
	assert_int_equal(fleet->done, FLEET);
	assert_int_equal(fleet->as_of_us, NOW_S * S_US);
	assert_int_equal(fleet->by_status[WEIR_STATUS_SUSPENDED], MANUAL);
	assert_int_equal(fleet->by_status[WEIR_STATUS_IN_USE], FLEET - MANUAL);
	assert_int_equal(fleet->by_reason[WEIR_REASON_MANUAL], MANUAL);
	assert_int_equal(fleet->with_reason, MANUAL);
	assert_int_equal(fleet->carrier_count, 2);
	assert_int_equal(fleet->carriers[0].count, FLEET / 2);
	assert_int_equal(fleet->used, FLEET * (FLEET - 1) / 2);
	assert_int_equal(fleet->records_read, 100 * PARTITIONS);
	assert_int_equal(fleet->stream_time_us, NOW_S * S_US);
	assert_int_equal(weir_read_partitions(*state, &partitions, &count, &err), WEIR_READ_OK);
	assert_int_equal(count, PARTITIONS);
	assert_string_equal(partitions[2].owner, "me");
	assert_int_equal(partitions[2].epoch, 7);
	assert_int_equal(partitions[2].flush, 5);
	assert_int_equal(partitions[2].topic_count, 2);
}

/* A question that was refused in its middle leaves nothing behind for the next one. */
static void
a_failed_question_leaves_nothing(void **state)
{
	struct weir_card_page page;
	struct weir_error err = {0};
	bool listed[FLEET];
	put_cards();
	put("DEL weir:{1}:c:0");
	put("LPUSH weir:{1}:c:0 x");
	assert_int_equal(weir_read_search(*state, &(struct weir_card_query){0}, "", 1000, &page, &err), WEIR_READ_BROKEN);
	put("DEL weir:{1}:c:0");
	put_cards();
	assert_int_equal(take_all(*state, &(struct weir_card_query){0}, 1000, listed, NULL), FLEET);
}

int
main(void)
{
	if (!redis_is_installed("read_lists_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    READ_TEST(searches_list_each_match_once),
	    READ_TEST(cursors_of_other_queries_are_refused),
	    READ_TEST(members_are_scanned_over_partitions),
	    READ_TEST(members_that_leave_lose_nobody),
	    READ_TEST(a_member_that_leaves_makes_nobody_listed_twice),
	    READ_TEST(broken_lists_end),
	    READ_TEST(tagged_cards_are_found),
	    READ_TEST(pools_are_listed),
	    READ_TEST(a_page_s_usage_is_that_of_its_cards),
	    READ_TEST(the_fleet_is_counted),
	    READ_TEST(a_failed_question_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
