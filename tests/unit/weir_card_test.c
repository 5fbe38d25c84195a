/*
 * What the Redis Function weir_card says: every field, numbers beyond 2^53, letters, unknown cards, another prefix.
 */
#include "config/base/iccid.h"
#include "store_lane.h"

static void
put(uint8_t *at, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
		at[i] = (uint8_t)(number >> (8 * i));
}

static void
store_card(redisContext *redis, const char *text, uint32_t slot, uint64_t up, uint64_t down)
{
	uint8_t card[64] = {0}, terms[64] = {0}, enforcement[256] = {0}, past[32] = {0}, entry[16] = {0};
	struct weir_iccid iccid;
	assert_true(weir_iccid_parse((const uint8_t *)text, strlen(text), &iccid));
	put(card, iccid.hi, 8);
	put(card + 8, iccid.lo, 8);
	put(card + 16, up, 8);
	put(card + 24, down, 8);
	put(card + 40, 4294967295u, 4);
	put(card + 44, 12, 4);
	put(card + 48, 1774847286, 4);
	put(card + 52, 56 * 12 + 2, 2); /* 2026-03 */
	put(card + 54, 1 << 1 | 1 << 6, 2);
	put(card + 56, 3, 2); /* the third plan, the second carrier */
	card[58] = 2;
	card[59] = 2 | 8;
	put(card + 60, 131, 4);
	put(terms, slot + 1, 4);
	put(terms + 4, 34, 4);
	put(terms + 8, (UINT64_C(1) << 53) + 1, 8);
	put(terms + 16, UINT64_MAX, 8);
	put(terms + 32, 56 * 12 + 2, 2);
	put(enforcement, slot + 1, 4);
	enforcement[4] = 2;
	enforcement[5] = 1;
	enforcement[6] = 3;
	memcpy(enforcement + 96, "T-0042", 6);
	put(past, 1000, 8);
	put(past + 8, 337, 8);
	uint32_t tag = weir_iccid_tag(iccid);
	put(entry, tag, 4); /* a neighbour with the same tag, whose slot holds another card */
	put(entry + 4, slot + 1, 4);
	put(entry + 8, tag, 4);
	put(entry + 12, slot, 4);
	freeReplyObject(
	    redisCommand(redis, "SETRANGE weir:{3}:c:%u %u %b", slot / 128, slot % 128 * 64, card, sizeof(card)));
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:t:1 %d %b", 2 * 64, terms, sizeof(terms)));
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:e:1 %d %b", 1 * 256, enforcement, sizeof(enforcement)));
	freeReplyObject(redisCommand(
	    redis, "SETRANGE weir:{3}:y:%d:%u %u %b", 56 * 12 + 1, slot / 256, slot % 256 * 32, past, sizeof(past)));
	freeReplyObject(redisCommand(redis, "APPEND weir:{3}:d:%u %b", tag % 1024, entry, sizeof(entry)));
}

/* Compares the answer with "field=value" lines. */
static void
assert_card(redisContext *redis, const char *iccid, bool by_key, const char *expected)
{
	redisReply *reply = by_key ? redisCommand(redis, "FCALL_RO weir_card 1 weir:{3}:h %s", iccid)
				   : redisCommand(redis, "FCALL_RO weir_card 0 %s", iccid);
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

static void
weir_card_answers_in_words(void **state)
{
	(void)state;
	redisContext *redis = by_hand();
	struct weir_error err = {0};
	assert_int_equal(weir_redis_install_functions(redis, &err), WEIR_OK);
	assert_int_equal(weir_redis_install_functions(redis, &err), WEIR_OK);
	assert_card(redis, "89860000000000000001", false, "ERR weir_card: weir:partitions is not set: has weir run?");
	freeReplyObject(redisCommand(redis, "SET weir:partitions 12"));
	freeReplyObject(redisCommand(redis, "RPUSH weir:{3}:n p:x c:cu c:cm p:y p:gold"));
	freeReplyObject(
	    redisCommand(redis, "HSET weir:{3}:r plan:gold %s", "{\"limit\":9007199254740995,\"id\":\"gold\"}"));
	store_card(redis, "8986000000000000000a", 1000, UINT64_MAX - 1, (UINT64_C(1) << 53) + 1);
	static const char EXPECTED[] =
	    "iccid=8986000000000000000A\npartition=3\nslot=1000\ncarrier=cm\nplan=gold\nstatus=in_use\ncycle=2026-03\n"
	    "up_bytes=18446744073709551614\ndown_bytes=9007199254740993\nused_bytes=18455751272964292607\n"
	    "records=4294967295\nsessions=12\nlast_record=2026-03-30T05:08:06Z\nreasons=usage_limit,manual\n"
	    "limit_bytes=9007199254740993\naddon_bytes=18446744073709551615\ndesired=suspended\nconfirmed=active\n"
	    "command=accepted\nticket=T-0042\nprevious=2026-02:1337\n";
	assert_card(redis, "8986000000000000000a", false, EXPECTED);
	assert_card(redis, "8986000000000000000A", true, EXPECTED);
	assert_card(redis, "89860000000000000002", false, "");
	assert_card(redis, "89860000000000000002", true, "");
	assert_card(redis, "8986", false, "ERR weir_card: an ICCID has 19 or 20 letters and digits");
	assert_card(redis, "8986000000000000-001", false, "ERR weir_card: an ICCID has 19 or 20 letters and digits");

	/* 19 characters, no terms: defaults and the plan's limit, digit by digit */
	store_card(redis, "ZZ86000000000000001", 5, 0, 0);
	freeReplyObject(redisCommand(redis, "SETRANGE weir:{3}:c:0 %d %b", 5 * 64 + 60, "\0\0\0\0", (size_t)4));
	redisReply *reply = redisCommand(redis, "FCALL_RO weir_card 0 ZZ86000000000000001");
	assert_int_equal(reply->elements, 46 - 4);
	assert_string_equal(reply->element[29]->str, "9007199254740995");
	assert_string_equal(reply->element[31]->str, "0");
	assert_string_equal(reply->element[33]->str, "active");
	freeReplyObject(reply);

	/* another prefix: the library is replaced */
	assert_int_equal(weir_redis_install_functions_at(redis, "other", &err), WEIR_OK);
	assert_card(redis, "89860000000000000001", false, "ERR weir_card: other:partitions is not set: has weir run?");
	assert_int_equal(weir_redis_install_functions_at(redis, "it's", &err), WEIR_POISON);
	redisFree(redis);
}

int
main(void)
{
	if (!redis_is_installed("weir_card_test"))
		return 0;
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(weir_card_answers_in_words, empty_server),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
