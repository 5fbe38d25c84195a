/*
 * What the Redis Functions weir_card and weir_pool say: every field, numbers beyond 2^53, letters, unknown cards, another
 * prefix. Slots are written as the core lays them out, so that layout and functions cannot drift apart.
 */
#include "aggregators/tables/slots.h"
#include "config/base/iccid.h"
#include "pipeline/redis/functions.h"
#include "store_lane.h"

#define CYCLE(year, month) (((year)-1970) * 12 + (month)-1)

/* Writes a slot where the core would: pages of 8 KiB. */
static void
store_slot(redisContext *redis, uint32_t partition, const char *slab, uint32_t slot, const void *bytes, size_t size)
{
	uint32_t a_page = (uint32_t)(WEIR_SLAB_PAGE_BYTES / size);
	redisReply *reply = redisCommand(redis, "SETRANGE weir:{%u}:%s:%u %u %b", partition, slab, slot / a_page,
	    slot % a_page * (uint32_t)size, bytes, size);
	assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
	freeReplyObject(reply);
}

static void
store_closed_cycle(redisContext *redis, const char *pages, int cycle, uint32_t slot, uint64_t up, uint64_t down)
{
	struct weir_closed_cycle_slot closed_cycles = {.up = up, .down = down};
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:%s:%d:%u %u %b", pages, cycle, slot / 256, slot % 256 * 32,
	    &closed_cycles, sizeof(closed_cycles)));
}

static struct weir_iccid
iccid_of(const char *text)
{
	struct weir_iccid iccid;
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	return iccid;
}

/* A card and its place in the directory, after a neighbour with the same tag whose slot holds another card. */
static void
store_card_slot(redisContext *redis, uint32_t partition, uint32_t slot, const struct weir_card_slot *card)
{
	uint32_t tag = weir_iccid_tag(card->iccid);
	const uint32_t entries[4] = {tag, slot + 1, tag, slot};
	store_slot(redis, partition, "c", slot, card, sizeof(*card));
	freeReplyObject(redisCommand(redis, "APPEND weir:{%u}:d:%u %b", partition, tag % 1024, entries, sizeof(entries)));
}

static void
store_card(redisContext *redis, const char *text, uint32_t slot, uint64_t up, uint64_t down)
{
	struct weir_card_slot card = {.iccid = iccid_of(text),
	    .up = up,
	    .down = down,
	    .records = UINT32_MAX,
	    .sessions = 12,
	    .last_s = 1774847286,
	    .cycle = CYCLE(2026, 3),
	    .reasons = WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) | WEIR_REASON_BIT(WEIR_REASON_MANUAL),
	    .plan = 3, /* the third plan, the second carrier */
	    .carrier = 2,
	    .flags = WEIR_STATUS_IN_USE | WEIR_CARD_AUTO_REGISTERED,
	    .overrides = 131};
	struct weir_card_overrides_slot overrides = {.card = slot + 1,
	    .enforcement = 34,
	    .limit = (UINT64_C(1) << 53) + 1,
	    .addon_bytes = UINT64_MAX,
	    .addon_cycle = CYCLE(2026, 3)};
	struct weir_enforcement_slot e = {.card = slot + 1, .desired = 2, .confirmed = 1, .command = 3, .ticket = "T-0042"};
	store_card_slot(redis, 3, slot, &card);
	store_slot(redis, 3, "t", 130, &overrides, sizeof(overrides));
	store_slot(redis, 3, "e", 33, &e, sizeof(e));
	store_closed_cycle(redis, "y", CYCLE(2026, 2), slot, 1000, 337);
}

/* Compares the answer with "field=value" lines. */
static void
assert_says(redisContext *redis, const char *function, const char *of, bool by_key, const char *expected)
{
	redisReply *reply = by_key ? redisCommand(redis, "FCALL_RO %s 1 weir:{3}:h %s", function, of)
				   : redisCommand(redis, "FCALL_RO %s 0 %s", function, of);
	struct weir_buf got = {0};
	weir_buf_reserve(&got, 1);
	got.data[0] = 0;
	if (reply->type == REDIS_REPLY_ERROR)
		weir_buf_printf(&got, "%s", reply->str);
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		assert_int_equal(reply->element[i + 1]->type, REDIS_REPLY_STRING);
		weir_buf_printf(&got, "%s=%s\n", reply->element[i]->str, reply->element[i + 1]->str);
	}
	assert_string_equal((const char *)got.data, expected);
	weir_buf_free(&got);
	freeReplyObject(reply);
}

static const char *
value_of(const redisReply *reply, const char *field)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2)
		if (strcmp(reply->element[i]->str, field) == 0)
			return reply->element[i + 1]->str;
	return "(no such field)";
}

static void
assert_field(redisContext *redis, const char *iccid, bool by_key, const char *field, const char *expected)
{
	redisReply *reply = by_key ? redisCommand(redis, "FCALL_RO weir_card 1 weir:{3}:h %s", iccid)
				   : redisCommand(redis, "FCALL_RO weir_card 0 %s", iccid);
	assert_string_equal(value_of(reply, field), expected);
	freeReplyObject(reply);
}

static enum weir_class
install(const char *prefix, struct weir_error *err)
{
	struct weir_redis *redis = weir_redis_new(&(struct weir_redis_opts){.settings = &settings});
	enum weir_class class = weir_redis_install_functions(redis, prefix, err);
	weir_redis_free(redis);
	return class;
}

static void
weir_card_answers_in_words(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	struct weir_error err = {0};
	assert_int_equal(install("weir", &err), WEIR_OK);
	assert_int_equal(install("weir", &err), WEIR_OK);
	assert_says(
	    redis, "weir_card", "89860000000000000001", false, "ERR weir_card: weir:partitions is not set: has weir run?");
	freeReplyObject(redisCommand(redis, "SET weir:partitions 12"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{3}:n p:x c:cu c:cm p:y p:gold"));
	freeReplyObject(
	    redisCommand(redis, "HSET weir:{3}:r plan:gold %s", "{\"limit\":9007199254740995,\"id\":\"gold\"}"));
	store_card(redis, "8986000000000000000a", 1000, UINT64_MAX - 1, (UINT64_C(1) << 53) + 1);
	/* status in_use is shown as suspended while a reason is enforced */
	static const char EXPECTED[] =
	    "iccid=8986000000000000000A\npartition=3\nslot=1000\ncarrier=cm\nplan=gold\npool=none\nstatus=suspended\n"
	    "activated=none\nexpires=none\ntest_used_bytes=0\nimei=none\ncycle=2026-03\n"
	    "up_bytes=18446744073709551614\ndown_bytes=9007199254740993\nused_bytes=18455751272964292607\n"
	    "records=4294967295\nsessions=12\nlast_record=2026-03-30T05:08:06Z\nreasons=usage_limit,manual\n"
	    "not_enforced=none\nlimit_bytes=9007199254740993\naddon_bytes=18446744073709551615\ndesired=suspended\n"
	    "confirmed=active\ncommand=accepted\nticket=T-0042\nparent=none\nchildren=none\nchildren_used_bytes=none\n"
	    "tags=none\nprevious=2026-02:1337\n";
	assert_says(redis, "weir_card", "8986000000000000000a", false, EXPECTED);
	assert_says(redis, "weir_card", "8986000000000000000A", true, EXPECTED);
	assert_says(redis, "weir_card", "89860000000000000002", false, "");
	assert_says(redis, "weir_card", "89860000000000000002", true, "");
	assert_says(redis, "weir_card", "8986", false, "ERR weir_card: an ICCID has 19 or 20 letters and digits");
	assert_says(
	    redis, "weir_card", "8986000000000000-001", false, "ERR weir_card: an ICCID has 19 or 20 letters and digits");

	/* 19 characters, no terms: defaults and the plan's limit, digit by digit */
	store_card(redis, "ZZ86000000000000001", 5, 0, 0);
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:c:0 %d %b", 5 * 64 + 60, "\0\0\0\0", (size_t)4));
	redisReply *reply = redisCommand(redis, "FCALL_RO weir_card 0 ZZ86000000000000001");
	assert_int_equal(reply->elements, 62);
	assert_string_equal(value_of(reply, "limit_bytes"), "9007199254740995");
	assert_string_equal(value_of(reply, "addon_bytes"), "0");
	assert_string_equal(value_of(reply, "desired"), "active");
	freeReplyObject(reply);

	/* another prefix: the library is replaced */
	assert_int_equal(install("other", &err), WEIR_OK);
	assert_says(
	    redis, "weir_card", "89860000000000000001", false, "ERR weir_card: other:partitions is not set: has weir run?");
	assert_int_equal(install("it's", &err), WEIR_POISON);
	redisFree(redis);
}

/* rule LIFE-1, rule SUS-4: dates, pool, device, tags, and the reasons that its carrier does not enforce. */
static void
a_card_s_lifecycle_is_shown(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	struct weir_error err = {0};
	assert_int_equal(install("weir", &err), WEIR_OK);
	freeReplyObject(redisCommand(redis, "SET weir:partitions 4"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{3}:n c:ct p:x"));
	/* usage_limit is not enforced on cards outside pools, device_change on those inside */
	freeReplyObject(redisCommand(redis, "HSET weir:{3}:h k:ct %s", "2 128 674 1772294400 1774972800"));
	struct weir_card_slot card = {.iccid = iccid_of("89860000000000000007"),
	    .cycle = CYCLE(2026, 3),
	    .reasons = WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) | WEIR_REASON_BIT(WEIR_REASON_DEVICE_CHANGE),
	    .carrier = 1,
	    .plan = 1,
	    .flags = WEIR_STATUS_IN_USE};
	struct weir_lifecycle_slot lifecycle = {.activated_s = 1774847286,
	    .expires_s = 1774847287,
	    .imei_low = (uint32_t)(UINT64_C(86000000000001) & UINT32_MAX),
	    .imei_high = (uint16_t)(UINT64_C(86000000000001) >> 32)};
	store_card_slot(redis, 3, 300, &card);
	store_slot(redis, 3, "l", 300, &lifecycle, sizeof(lifecycle));
	freeReplyObject(redisCommand(redis, "HSET weir:{3}:x tags:89860000000000000007 %s",
	    "{\"type\":\"card\",\"iccid\":\"89860000000000000007\",\"tags\":[\"north\",\"meter 7\"]}"));
	const char *iccid = "89860000000000000007";
	assert_field(redis, iccid, true, "not_enforced", "usage_limit");
	assert_field(redis, iccid, false, "status", "suspended");
	assert_field(redis, iccid, false, "activated", "2026-03-30T05:08:06Z");
	assert_field(redis, iccid, false, "expires", "2026-03-30T05:08:07Z");
	lifecycle.expires_s = WEIR_LIFECYCLE_NEVER;
	store_slot(redis, 3, "l", 300, &lifecycle, sizeof(lifecycle));
	assert_field(redis, iccid, false, "expires", "none");
	assert_field(redis, iccid, false, "imei", "86000000000001");
	assert_field(redis, iccid, false, "tags", "north,meter 7");
	assert_field(redis, iccid, false, "pool", "none");
	/* in a pool, where nothing of what it has is enforced */
	struct weir_pool_local_slot pool_local = {.pool = "city-7", .members = 1};
	store_slot(redis, 3, "a", 40, &pool_local, sizeof(pool_local));
	lifecycle.pool_local = 41;
	store_slot(redis, 3, "l", 300, &lifecycle, sizeof(lifecycle));
	card.reasons = WEIR_REASON_BIT(WEIR_REASON_DEVICE_CHANGE);
	store_slot(redis, 3, "c", 300, &card, sizeof(card));
	assert_field(redis, iccid, false, "pool", "city-7");
	assert_field(redis, iccid, false, "not_enforced", "device_change");
	assert_field(redis, iccid, false, "status", "in_use");
	/* testable: what lies where the dates would is the quota used */
	card.flags = WEIR_STATUS_TESTABLE;
	lifecycle.test_used = (UINT64_C(1) << 53) + 1;
	store_slot(redis, 3, "c", 300, &card, sizeof(card));
	store_slot(redis, 3, "l", 300, &lifecycle, sizeof(lifecycle));
	assert_field(redis, iccid, false, "test_used_bytes", "9007199254740993");
	assert_field(redis, iccid, false, "activated", "none");
	redisFree(redis);
}

/* rule POOL-8: the sum of the children, wherever they are, and partially_in_use while they differ. */
static void
a_smart_card_shows_its_children(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	struct weir_error err = {0};
	assert_int_equal(install("weir", &err), WEIR_OK);
	freeReplyObject(redisCommand(redis, "SET weir:partitions 4"));
	const char *parent = "89860000000000000010", *first = "89860000000000000011", *second = "8986000000000000012S";
	struct weir_card_slot card = {.iccid = iccid_of(parent),
	    .cycle = CYCLE(2026, 3),
	    .up = 5,
	    .flags = WEIR_STATUS_IN_USE | WEIR_CARD_HAS_CHILDREN};
	store_card_slot(redis, 3, 1, &card);
	freeReplyObject(redisCommand(redis, "HSET weir:{3}:r children:%s %s", parent,
	    "{\"type\":\"children\",\"parent\":\"89860000000000000010\",\"children\":[\"89860000000000000011\","
	    "\"8986000000000000012S\"]}"));
	card = (struct weir_card_slot){.iccid = iccid_of(first),
	    .cycle = CYCLE(2026, 3),
	    .up = UINT64_C(1) << 53,
	    .down = 1,
	    .flags = WEIR_STATUS_IN_USE | WEIR_CARD_HAS_PARENT,
	    .overrides = 1};
	struct weir_card_overrides_slot overrides = {.card = 10, .parent = iccid_of(parent)};
	store_card_slot(redis, 0, 9, &card);
	store_slot(redis, 0, "t", 0, &overrides, sizeof(overrides));
	/* its carrier's cycle is March still; the second one's is April, with nothing used in it yet */
	freeReplyObject(redisCommand(redis, "RPUSH weir:{2}:n c:cu"));
	freeReplyObject(redisCommand(redis, "HSET weir:{2}:h k:cu %s", "0 0 675 1774540800 1777219200"));
	card = (struct weir_card_slot){.iccid = iccid_of(second),
	    .cycle = CYCLE(2026, 3),
	    .up = 77,
	    .carrier = 1,
	    .flags = WEIR_STATUS_IN_USE | WEIR_CARD_HAS_PARENT};
	store_card_slot(redis, 2, 8, &card);
	assert_field(redis, parent, false, "children", "89860000000000000011,8986000000000000012S");
	assert_field(redis, parent, false, "children_used_bytes", "9007199254740993");
	assert_field(redis, parent, false, "status", "in_use");
	assert_field(redis, first, false, "parent", parent);
	/* one partition alone knows the list, not the sum */
	assert_field(redis, parent, true, "children", "89860000000000000011,8986000000000000012S");
	assert_field(redis, parent, true, "children_used_bytes", "none");
	card.flags = WEIR_STATUS_DEACTIVATED | WEIR_CARD_HAS_PARENT;
	store_slot(redis, 2, "c", 8, &card, sizeof(card));
	assert_field(redis, parent, false, "status", "partially_in_use");
	redisFree(redis);
}

/* rule POOL-6: all it names; remaining may be negative. */
static void
weir_pool_answers_in_words(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	struct weir_error err = {0};
	assert_int_equal(install("weir", &err), WEIR_OK);
	assert_says(redis, "weir_pool", "city-7", false, "ERR weir_pool: weir:partitions is not set: has weir run?");
	freeReplyObject(redisCommand(redis, "SET weir:partitions 4"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{3}:n c:cm p:x c:cu p:gold"));
	freeReplyObject(redisCommand(redis, "HSET weir:{3}:h pools 40 k:cu %s", "0 0 675 1774540800 1777219200"));
	freeReplyObject(redisCommand(redis, "HSET weir:{3}:r pool:city-7 %s",
	    "{\"type\":\"pool\",\"id\":\"city-7\",\"name\":\"City, \xe4\xb8\x83\",\"batches\":[\"B-1\",\"B-2\"]}"));
	struct weir_pool_slot pool = {.id = "xcity-7"};
	store_slot(redis, 3, "q", 37, &pool, sizeof(pool)); /* ends as the one asked for */
	pool = (struct weir_pool_slot){.id = "city-7",
	    .members = 12,
	    .active = 10,
	    .cycle = CYCLE(2026, 4),
	    .plan = 2,
	    .carrier = 2,
	    .kind = WEIR_PLAN_ACCUMULATIVE,
	    .status = WEIR_POOL_SUSPENDED,
	    .reasons = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED),
	    .threshold_bytes = WEIR_NO_LIMIT,
	    .addon_bytes = 7,
	    .addon_cycle = CYCLE(2026, 4),
	    .used = (UINT64_C(1) << 60) + 3,
	    .changed_us = INT64_C(1774847286123456),
	    .effective_total = UINT64_C(1) << 60};
	store_slot(redis, 3, "q", 38, &pool, sizeof(pool));
	store_closed_cycle(redis, "z", CYCLE(2026, 3), 38, 40, 2);
	static const char EXPECTED[] =
	    "pool=city-7\npartition=3\nslot=38\nname=City, \xe4\xb8\x83\nkind=accumulative\ncarrier=cu\nplan=gold\n"
	    "status=suspended\ncards=12\neffective_cards=10\ntotal_bytes=1152921504606846976\n"
	    "used_bytes=1152921504606846979\nremaining_bytes=-3\naddon_bytes=7\nthreshold_bytes=none\n"
	    "reasons=pool_exhausted\nbatches=B-1,B-2\ncycle=2026-04\ncycle_start=2026-03-26T16:00:00Z\n"
	    "cycle_end=2026-04-26T16:00:00Z\nchanged=2026-03-30T05:08:06Z\nprevious=2026-03:42\n";
	assert_says(redis, "weir_pool", "city-7", false, EXPECTED);
	assert_says(redis, "weir_pool", "city-7", true, EXPECTED);
	assert_says(redis, "weir_pool", "city-8", false, "");
	/* not defined yet: sums, and nothing to compare them with */
	pool = (struct weir_pool_slot){.id = "new", .used = 5, .members = 1, .effective_total = UINT64_MAX};
	store_slot(redis, 3, "q", 5, &pool, sizeof(pool));
	assert_says(redis, "weir_pool", "new", false,
	    "pool=new\npartition=3\nslot=5\nname=new\nkind=none\ncarrier=none\nplan=none\nstatus=undefined\ncards=1\n"
	    "effective_cards=0\ntotal_bytes=none\nused_bytes=5\nremaining_bytes=none\naddon_bytes=0\n"
	    "threshold_bytes=none\nreasons=none\nbatches=none\ncycle=none\ncycle_start=none\ncycle_end=none\n"
	    "changed=none\nprevious=none\n");
	redisReply *reply = redisCommand(redis, "FCALL_RO weir_pool 0 %s", "a b");
	assert_int_equal(reply->type, REDIS_REPLY_ERROR);
	freeReplyObject(reply);
	redisFree(redis);
}

int
main(void)
{
	if (!redis_is_installed("weir_card_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(weir_card_answers_in_words, empty_server),
	    cmocka_unit_test_setup(a_card_s_lifecycle_is_shown, empty_server),
	    cmocka_unit_test_setup(a_smart_card_shows_its_children, empty_server),
	    cmocka_unit_test_setup(weir_pool_answers_in_words, empty_server),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
