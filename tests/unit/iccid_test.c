/* ICCIDs: packing keeps text and order; what is none is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/base/iccid.h"

static bool
parse_iccid(const char *text, struct weir_iccid *out)
{
	return weir_iccid_parse((const uint8_t *)text, strlen(text), out);
}

static void
test_round_trip(void **state)
{
	(void)state;
	static const char *const texts[] = {"89860000000000000001", "8986000000000000000", "8986001234567890983S",
	    "ZZZZZZZZZZZZZZZZZZZZ", "0000000000000000000", "AAAAAAAAAAAAAAAAAAA"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct weir_iccid iccid;
		char out[WEIR_ICCID_TEXT_MAX];
		assert_true(parse_iccid(texts[i], &iccid));
		assert_int_equal(weir_iccid_format(iccid, out), strlen(texts[i]));
		assert_string_equal(out, texts[i]);
		assert_int_equal(iccid.lo & 0xff, 0);
		assert_false(weir_iccid_is_zero(iccid));
	}
}

static void
test_lower_case_is_the_same_card(void **state)
{
	(void)state;
	struct weir_iccid lower, upper;
	assert_true(parse_iccid("8986001234567890983s", &lower));
	assert_true(parse_iccid("8986001234567890983S", &upper));
	assert_true(weir_iccid_equal(lower, upper));
}

static void
test_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "898600000000000000", "898600000000000000011", "8986000000000000000 ",
	    "8986000000000000-001", "898600000000000000\xc3\xa9", "{9860000000000000001"};
	struct weir_iccid iccid;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(parse_iccid(texts[i], &iccid));
	assert_false(weir_iccid_parse((const uint8_t *)"8986000000000000000\0", 20, &iccid));
}

static void
test_packed_order_is_text_order(void **state)
{
	(void)state;
	static const char *const texts[] = {"8986000000000000000", "89860000000000000000", "89860000000000000001",
	    "8986000000000000000A", "8986000000000000001", "89860000009000000000", "8986000000A000000000"};
	struct weir_iccid before = {0, 0}, iccid;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(parse_iccid(texts[i], &iccid));
		assert_true(iccid.hi > before.hi || (iccid.hi == before.hi && iccid.lo > before.lo));
		before = iccid;
	}
}

static void
test_tag_follows_its_definition(void **state)
{
	(void)state;
	static const char text[] = "8986001234567890983S";
	struct weir_iccid iccid;
	assert_true(parse_iccid(text, &iccid));
	double tag = 0; /* as Lua computes it */
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		double product = tag * 61 + text[i];
		tag = product - 4294967291.0 * (double)(uint64_t)(product / 4294967291.0);
	}
	assert_int_equal(weir_iccid_tag(iccid), (uint32_t)tag);
}

static void
test_zero_formats_to_nothing(void **state)
{
	(void)state;
	char out[WEIR_ICCID_TEXT_MAX] = "x";
	assert_int_equal(weir_iccid_format((struct weir_iccid){0, 0}, out), 0);
	assert_string_equal(out, "");
}

/* Neighbouring numbers, as fleets have them, spread over the low and the high bits alike. */
static void
test_hash_spreads_ranges(void **state)
{
	(void)state;
	uint32_t low[256] = {0}, high[256] = {0};
	for (unsigned i = 0; i < 65536; i++) {
		char text[WEIR_ICCID_TEXT_MAX];
		struct weir_iccid iccid;
		(void)snprintf(text, sizeof(text), "898600000000000%05u", i);
		assert_true(parse_iccid(text, &iccid));
		uint64_t hash = weir_iccid_hash(iccid);
		low[hash & 255]++;
		high[hash >> 56]++;
	}
	for (int i = 0; i < 256; i++) {
		assert_in_range(low[i], 160, 360);
		assert_in_range(high[i], 160, 360);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_lower_case_is_the_same_card),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_packed_order_is_text_order),
	    cmocka_unit_test(test_tag_follows_its_definition),
	    cmocka_unit_test(test_zero_formats_to_nothing),
	    cmocka_unit_test(test_hash_spreads_ranges),
	};
	return cmocka_run_group_tests_name("iccid", tests, NULL, NULL);
}
