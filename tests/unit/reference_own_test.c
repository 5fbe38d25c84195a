/* What partitions tell each other: printed and read back the same, and read the same by both readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "config/reference/parser_priv.h"

#define WORD "{\"type\":\"pool_state\",\"pool\":\"p\",\"epoch\":1,\"version\":1,\"cycle\":1,"

static void
pool_state_round_trip(const struct weir_ref_pool_state *state)
{
	struct weir_buf buf = {0};
	struct weir_reference r;
	struct weir_error err = {0};
	weir_reference_print_pool_state(state, &buf);
	if (weir_reference_parse((struct weir_slice){buf.data, buf.len}, &r, &err) != WEIR_OK)
		fail_msg("%.*s: %s", (int)buf.len, (const char *)buf.data, err.text);
	assert_int_equal(r.type, WEIR_REF_POOL_STATE);
	assert_memory_equal(&r.pool_state, state, sizeof(*state));
	weir_buf_free(&buf);
}

/* What partitions tell each other comes back byte for byte (rule POOL-7, rule POOL-8). */
static void
test_words_round_trip(void **state)
{
	(void)state;
	struct weir_ref_pool_state word;
	memset(&word, 0, sizeof(word)); /* also between members: compared as bytes */
	(void)strcpy(word.pool, "a\\b|~");
	pool_state_round_trip(&word);
	word.defined = true;
	(void)strcpy(word.carrier, "cm");
	word.kind = WEIR_PLAN_METERED;
	word.epoch = UINT64_C(1774847286123456);
	word.version = 3;
	word.cycle = 682;
	word.used = word.unreported_allowance = word.limit = INT64_MAX;
	pool_state_round_trip(&word);
	(void)strcpy(word.plan, "plan-1");
	word.kind = WEIR_PLAN_ACCUMULATIVE;
	word.cycle = UINT16_MAX;
	word.reasons = WEIR_REASON_BIT(WEIR_REASON_POOL_EXHAUSTED) | WEIR_REASON_BIT(WEIR_REASON_POOL_THRESHOLD) |
		       WEIR_REASON_BIT(WEIR_REASON_POOL_FROZEN);
	word.epoch = word.version = word.used = word.unreported_allowance = word.limit = UINT64_MAX;
	word.crossed_us = INT64_MAX;
	word.active = UINT32_MAX;
	pool_state_round_trip(&word);
	struct weir_ref_child child;
	memset(&child, 0, sizeof(child));
	assert_true(weir_iccid_parse((const uint8_t *)"8986000000000000001S", 20, &child.parent));
	assert_true(weir_iccid_parse((const uint8_t *)"8986000000000000002", 19, &child.child));
	for (int removed = 0; removed < 2; removed++) {
		struct weir_buf buf = {0};
		child.removed = removed;
		weir_reference_print_child(&child, &buf);
		struct weir_reference r;
		assert_int_equal(weir_reference_parse((struct weir_slice){buf.data, buf.len}, &r, NULL), WEIR_OK);
		assert_int_equal(r.type, WEIR_REF_CHILD);
		assert_memory_equal(&r.child, &child, sizeof(child));
		weir_buf_free(&buf);
	}
}

/* A word as all messages are read, by jansson. */
static enum weir_class
parse_slowly(const char *json, size_t len, struct weir_reference *reference)
{
	json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	enum weir_class class = root == NULL ? WEIR_POISON : weir_reference_from_json(root, reference, NULL);
	json_decref(root);
	return class;
}

static void
same_both_ways(const char *json, size_t len)
{
	struct weir_reference a, b;
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	enum weir_class fast = weir_reference_parse((struct weir_slice){(const uint8_t *)json, len}, &a, NULL);
	enum weir_class slow = parse_slowly(json, len, &b);
	if (fast != slow || (fast == WEIR_OK && memcmp(&a, &b, sizeof(a)) != 0))
		fail_msg("'%.*s' is read in two ways", (int)len, json);
}

/* The quick reading of words takes nothing that the other would refuse or read otherwise: every byte changed, put in, cut.
 */
static void
test_words_both_ways(void **state)
{
	(void)state;
	static const char *const words[] = {
	    WORD "\"reasons\":[],\"slack\":65536,\"limit\":0,\"used\":1,\"active\":0,\"crossed_us\":0}",
	    "{\"type\":\"pool_state\",\"pool\":\"p\",\"epoch\":10,\"version\":\"18446744073709551615\",\"carrier\":\"cm\","
	    "\"plan\":\"x\",\"kind\":\"fixed\",\"cycle\":65535,\"reasons\":[\"pool_exhausted\",\"pool_frozen\"],"
	    "\"slack\":9223372036854775807,\"limit\":7,\"used\":7,\"active\":4294967295,\"crossed_us\":"
	    "9223372036854775807}",
	};
	static const char bytes[] = "\"\\,:{}[]019-+. eanptx\x00\x01\x7f\xff";
	for (size_t w = 0; w < 2; w++) {
		size_t len = strlen(words[w]);
		struct weir_ref_pool_state word = {0};
		assert_true(weir_ref_scan_pool_state((struct weir_slice){(const uint8_t *)words[w], len}, &word));
		for (size_t at = 0; at < len; at++) {
			char json[600];
			same_both_ways(words[w], at);
			for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
				memcpy(json, words[w], len + 1);
				json[at] = bytes[b];
				same_both_ways(json, len);
				memcpy(json + at + 1, words[w] + at, len - at);
				same_both_ways(json, len + 1);
			}
			memcpy(json + at, words[w] + at + 1, len - at);
			same_both_ways(json, len - 1);
		}
	}
	static const char *const numbers[] = {
	    WORD "\"reasons\":[],\"slack\":9223372036854775808,\"limit\":0,\"used\":1,\"active\":0,\"crossed_us\":0}",
	    WORD "\"reasons\":[],\"slack\":\"18446744073709551616\",\"limit\":0,\"used\":1,\"active\":0,\"crossed_us\":0}",
	    WORD "\"reasons\":[],\"slack\":1,\"limit\":\"5\",\"used\":1,\"active\":\"0\",\"crossed_us\":0}",
	    WORD "\"reasons\":[],\"slack\":1,\"limit\":\"5\",\"used\":1,\"active\":4294967296,\"crossed_us\":0}",
	    WORD "\"reasons\":[\"pool_frozen\",\"pool_frozen\"],\"slack\":1,\"limit\":\"05\",\"used\":1,\"active\":0,"
		 "\"crossed_us\":0}",
	};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		same_both_ways(numbers[i], strlen(numbers[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words_round_trip),
	    cmocka_unit_test(test_words_both_ways),
	};
	return cmocka_run_group_tests_name("reference_own", tests, NULL, NULL);
}
