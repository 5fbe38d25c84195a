/* Reference data: messages that hold and that break the schema, what partitions tell each other, shipped carriers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/calendar/calendar.h"
#include "config/reference/reference.h"

static struct weir_reference
parse_reference(const char *json)
{
	struct weir_reference reference;
	struct weir_error err = {0};
	if (weir_reference_parse(weir_slice_of(json), &reference, &err) != WEIR_OK)
		fail_msg("%s: %s", json, err.text);
	return reference;
}

#define CARD "{\"type\":\"card\",\"iccid\":\"89860000000000000001\","
#define PLAN "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"c\","
#define CARRIER "{\"type\":\"carrier\",\"id\":\"c\","
#define REQUEST "{\"type\":\"request\",\"iccid\":\"89860000000000000001\","
#define POOL "{\"type\":\"pool\",\"id\":\"p1\",\"carrier\":\"c\","
#define ON_POOL "{\"type\":\"request\",\"pool\":\"p1\","
#define LADDER "{\"type\":\"alerts\",\"id\":\"l\""
#define WORD "{\"type\":\"pool_state\",\"pool\":\"p\",\"epoch\":1,\"version\":1,\"cycle\":1,"

static void
test_messages(void **state)
{
	(void)state;
	struct weir_reference r =
	    parse_reference("{\"type\":\"carrier\",\"id\":\"cu\",\"zone\":\"Asia/Shanghai\",\"cycle_day\":27,"
			    "\"cycle_named_after\":\"end\",\"mb_bytes\":1048576}");
	assert_int_equal(r.type, WEIR_REF_CARRIER);
	assert_int_equal(r.carrier.cycle_day, 27);
	assert_true(r.carrier.named_after_end);
	r = parse_reference(
	    "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"cu\",\"kind\":\"metered\",\"limit\":5,\"term_months\":12}");
	assert_int_equal(r.plan.kind, WEIR_PLAN_METERED);
	assert_int_equal(r.plan.limit_bytes, 5);
	assert_int_equal(r.plan.term_months, 12);
	r = parse_reference(
	    "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"cu\",\"kind\":\"single\",\"allowance\":9223372036854775807}");
	assert_true(r.plan.allowance_bytes == INT64_MAX);
	assert_true(r.plan.limit_bytes == WEIR_NO_LIMIT);
	r = parse_reference("{\"type\":\"card\",\"iccid\":\"89860000000000000001\"}");
	assert_false(r.card.has_carrier || r.card.has_plan || r.card.has_status || r.card.has_limit);
	assert_false(r.card.has_auto_restore || r.card.has_imei);
	r = parse_reference(
	    "{\"type\":\"card\",\"iccid\":\"89860000000000000001\",\"carrier\":\"cm\",\"plan\":null,\"status\":"
	    "\"inactive\","
	    "\"limit\":null,\"auto_restore\":false,\"pool\":null,\"imei\":\"8677300511111142\"}");
	assert_true(r.card.has_carrier && r.card.has_plan && r.card.has_status && r.card.has_limit);
	assert_string_equal(r.card.plan, "");
	assert_int_equal(r.card.status, WEIR_STATUS_INACTIVE);
	assert_true(r.card.limit_bytes == WEIR_NO_LIMIT);
	assert_true(r.card.has_auto_restore && !r.card.auto_restore);
	assert_true(r.card.imei14 == UINT64_C(86773005111111));
}

static void
test_requests(void **state)
{
	(void)state;
	struct weir_reference r =
	    parse_reference("{\"type\":\"request\",\"iccid\":\"89860000000000000001\",\"action\":\"limit\","
			    "\"limit\":7,\"auto_restore\":false}");
	assert_int_equal(r.request.action, WEIR_ACTION_LIMIT);
	assert_int_equal(r.request.bytes, 7);
	assert_true(r.request.has_auto_restore && !r.request.auto_restore);
	assert_true(r.request.id_hash == 0);
	r = parse_reference(
	    "{\"type\":\"request\",\"iccid\":\"89860000000000000001\",\"action\":\"limit\",\"limit\":null}");
	assert_true(r.request.bytes == WEIR_NO_LIMIT);
	r = parse_reference(
	    "{\"type\":\"request\",\"iccid\":\"89860000000000000001\",\"action\":\"addon\",\"bytes\":9,\"id\":\"a-1\","
	    "\"by\":\"ops\",\"time\":\"2026-01-01T00:00:00Z\"}");
	assert_int_equal(r.request.bytes, 9);
	assert_true(r.request.id_hash != 0);
	assert_string_equal(r.request.by, "ops");
}

static void
test_refused_messages(void **state)
{
	(void)state;
	static const struct {
		const char *json, *says;
	} cases[] = {
	    {"", "not valid JSON"},
	    {"[]", "one JSON object"},
	    {"{}", "type"},
	    {"{\"type\":5}", "type"},
	    {"{\"type\":\"cards\"}", "type"},
	    {"{\"type\":\"card\",\"type\":\"plan\"}", "not valid JSON"},
	    {CARD "\"limit\":1} x", "not valid JSON"},
	    {"{\"type\":\"card\"}", "card: iccid: missing"},
	    {"{\"type\":\"card\",\"iccid\":5}", "iccid: must be a text"},
	    {"{\"type\":\"card\",\"iccid\":\"8986\"}", "19 or 20"},
	    {CARD "\"limt\":1}", "limt: unknown member; did you mean limit?"},
	    {CARD "\"limit\":0}", "out of range"},
	    {CARD "\"limit\":-1}", "out of range"},
	    {CARD "\"limit\":1.0}", "whole number"},
	    {CARD "\"limit\":\"1\"}", "whole number"},
	    {CARD "\"limit\":18446744073709551616}", "not valid JSON"},
	    {CARD "\"limit\":9223372036854775808}", "not valid JSON"},
	    {CARD "\"auto_restore\":1}", "true or false"},
	    {CARD "\"status\":\"inuse\"}", "did you mean in_use?"},
	    {CARD "\"carrier\":null}", "must not be null"},
	    {CARD "\"carrier\":\"\"}", "1 to 63"},
	    {CARD "\"carrier\":\"a b\"}", "1 to 63"},
	    {CARD "\"plan\":\"a{b\"}", "1 to 63"},
	    {CARD "\"plan\":\"\xc3\xa9\"}", "1 to 63"},
	    {CARD "\"plan\":\"0123456789012345678901234567890123456789012345678901234567890123\"}", "1 to 63"},
	    {CARD "\"plan\":\"a\\u0000b\"}", "not valid JSON"},
	    {CARD "\"imei\":\"123\"}", "14 to 16"},
	    {CARD "\"imei\":\"8600000000000x1\"}", "14 to 16"},
	    {CARD "\"imei\":860000000000001}", "must be a text"},
	    {PLAN "\"kind\":\"single\"}", "allowance: missing"},
	    {PLAN "\"kind\":\"single\",\"allowance\":0}", "out of range"},
	    {PLAN "\"kind\":\"accumulative\"}", "allowance: missing"},
	    {PLAN "\"kind\":\"singel\",\"allowance\":1}", "did you mean single?"},
	    {PLAN "\"kind\":\"fixed\",\"term_months\":0}", "out of range"},
	    {"{\"type\":\"plan\",\"id\":\"p\",\"kind\":\"fixed\"}", "carrier: missing"},
	    {CARRIER "\"zone\":\"UTC\",\"cycle_day\":29}", "1 to 28"},
	    {CARRIER "\"zone\":\"UTC\",\"cycle_named_after\":\"middle\"}", "unknown"},
	    {CARRIER "\"zone\":\"../etc/passwd\"}", "IANA"},
	    {CARRIER "\"zone\":\"UTC\",\"mb_bytes\":0}", "out of range"},
	    {CARRIER "\"cycle_day\":1}", "zone: missing"},
	    {REQUEST "\"id\":\"x\"}", "action: missing"},
	    {REQUEST "\"action\":\"suspnd\"}", "did you mean suspend?"},
	    {REQUEST "\"action\":\"limit\"}", "limit: missing"},
	    {REQUEST "\"action\":\"addon\"}", "bytes: missing"},
	    {REQUEST "\"action\":\"addon\",\"bytes\":0}", "out of range"},
	    {REQUEST "\"action\":\"suspend\",\"bytes\":1}", "does not belong"},
	    {REQUEST "\"action\":\"resume\",\"limit\":1}", "does not belong"},
	    {REQUEST "\"action\":\"suspend\",\"time\":-1}", "time"},
	    {REQUEST "\"action\":\"suspend\",\"plan\":\"p\"}", "unknown member"},
	    /* new members and types; each names its rule */
	    {CARRIER "\"zone\":\"UTC\",\"unsupported\":{\"single\":[\"usage\"]}}", "no reason to be cut off (SUS-4)"},
	    {CARRIER "\"zone\":\"UTC\",\"unsupported\":{\"single\":[\"reset\"]}}", "no reason to be cut off (SUS-4)"},
	    {CARRIER "\"zone\":\"UTC\",\"unsupported\":{\"singel\":[]}}", "must be single or pooled (SUS-4)"},
	    {CARRIER "\"zone\":\"UTC\",\"unsupported\":[]}", "(SUS-4)"},
	    {CARRIER "\"zone\":\"UTC\",\"unsupported\":{\"single\":\"usage_limit\"}}", "a list of reasons"},
	    {CARRIER "\"zone\":\"UTC\",\"device_lock\":\"allert\"}", "did you mean alert? (SUS-5)"},
	    {CARRIER "\"zone\":\"UTC\",\"rebinds_per_month\":-1}", "(SUS-5)"},
	    {CARRIER "\"zone\":\"UTC\",\"test_quota\":-1}", "(LIFE-3)"},
	    {CARRIER "\"zone\":\"UTC\",\"silent_months\":1201}", "(LIFE-4)"},
	    {CARRIER "\"zone\":\"UTC\",\"cancel_months\":0}", "(LIFE-7)"},
	    {CARRIER "\"zone\":\"UTC\",\"cycle_day\":0}", "(CYC-2)"},
	    {PLAN "\"kind\":\"single\",\"allowance\":1,\"voucher\":\"C_SF_M_1_30M\"}", "but the voucher says accumulative"},
	    {PLAN "\"allowance\":1,\"voucher\":\"CM_SF_M_1_30M\"}", "c, but the voucher says cm"},
	    {PLAN "\"allowance\":1,\"voucher\":\"C_SFD_M_1_30M\",\"directional\":false}",
		"directional: false, but the voucher"},
	    {PLAN "\"allowance\":1,\"voucher\":\"C_XX_M_1_30M\"}", "voucher: type 'XX' is unknown"},
	    {PLAN "\"voucher\":\"C_SF_M_1_30M\"}", "allowance: missing"},
	    {CARD "\"parent\":\"89860000000000000001\"}", "its own parent (POOL-8)"},
	    {CARD "\"parent\":\"8986\"}", "must be 19 or 20 letters and digits (POOL-8)"},
	    {CARD "\"since\":\"1970-01-01T00:00:00Z\"}", "out of range"},
	    {CARD "\"activated\":\"2106-01-01T00:00:00Z\"}", "32 bits (LIFE-2)"},
	    {CARD "\"expires\":\"2026-01-01\"}", "ISO 8601"},
	    {CARD "\"expires\":1774847286123}", "ISO 8601"},
	    {CARD "\"expires\":\"2026-01-01T00:00:00Z\",\"activated\":\"2026-01-01T00:00:00Z\"}",
		"not after activated (LIFE-5)"},
	    {CARD "\"status\":\"testable\",\"activated\":\"2026-01-01T00:00:00Z\"}", "has not been activated (LIFE-2)"},
	    {CARD "\"tags\":[\"a\",\"b\",\"c\",\"d\"]}", "at most 3"},
	    {CARD "\"tags\":[\"\"]}", "tags"},
	    {CARD "\"tags\":[5]}", "tags"},
	    {CARD "\"tags\":\"a\"}", "tags"},
	    {CARD "\"tags\":[\"012345678901234567890123456789012\"]}", "1 to 32"},
	    {POOL "\"kind\":\"single\"}", "never single; must be accumulative, fixed or metered (POOL-1)"},
	    {POOL "\"kind\":\"fixed\"}", "total: missing (POOL-1)"},
	    {POOL "\"kind\":\"fixed\",\"total\":0}", "out of range"},
	    {POOL "\"kind\":\"metered\",\"total\":5}", "a metered pool has none"},
	    {POOL "\"kind\":\"accumulative\"}", "plan: missing"},
	    {POOL "\"kind\":\"accumulative\",\"plan\":null}", "plan: missing"},
	    {POOL "\"kind\":\"accumulative\",\"plan\":\"p\",\"total\":5}", "total: an accumulative pool's"},
	    {POOL "\"kind\":\"metered\",\"threshold\":0}",
		"has used nothing, for ever; null takes a threshold away (POOL-5)"},
	    {POOL "\"kind\":\"metered\",\"threshold_action\":\"suspend\"}", "there is no threshold (POOL-5)"},
	    {POOL "\"kind\":\"fixed\",\"total\":5,\"threshold\":5,\"threshold_action\":\"suspend\"}",
		"threshold_action: suspend is for metered pools; fixed ones end with their total (POOL-5)"},
	    {POOL "\"kind\":\"metered\",\"retention_days\":0}", "(POOL-5)"},
	    {POOL "\"kind\":\"metered\",\"name\":\"\"}", "name"},
	    {POOL "\"kind\":\"metered\",\"batches\":[1]}", "(POOL-6)"},
	    {POOL "\"plan\":\"p\"}", "kind: missing"},
	    {"{\"type\":\"pool\",\"id\":\"p\",\"kind\":\"metered\"}", "carrier: missing"},
	    {REQUEST "\"pool\":\"p\",\"action\":\"addon\",\"bytes\":1}", "not on both"},
	    {"{\"type\":\"request\",\"action\":\"suspend\"}", "iccid: missing"},
	    {REQUEST "\"action\":\"freeze\"}", "action: freeze is for pools (POOL-5)"},
	    {ON_POOL "\"action\":\"suspend\"}", "action: suspend is for cards"},
	    {ON_POOL "\"action\":\"addon\",\"bytes\":1,\"cycle\":\"2026-13\"}", "cycle"},
	    {ON_POOL "\"action\":\"addon\",\"bytes\":1,\"cycle\":\"2026-1\"}", "cycle"},
	    {ON_POOL "\"action\":\"addon\",\"bytes\":1,\"cycle\":\"1969-12\"}", "cycle"},
	    {ON_POOL "\"action\":\"addon\",\"bytes\":1,\"cycle\":\"20x6-12\"}", "cycle"},
	    {ON_POOL "\"action\":\"paid\",\"bytes\":1}", "bytes: does not belong to action paid"},
	    {REQUEST "\"action\":\"activate\",\"months\":1}", "months: does not belong"},
	    {REQUEST "\"action\":\"renew\",\"months\":0}", "(LIFE-5)"},
	    {REQUEST "\"action\":\"renew\",\"months\":1,\"until\":\"2026-01-01T00:00:00Z\"}", "not both (LIFE-5)"},
	    {REQUEST "\"action\":\"flag\",\"reason\":\"manual\",\"set\":true}", "reason: 'manual' is unknown"},
	    {REQUEST "\"action\":\"flag\",\"reason\":\"violation\"}", "set: missing"},
	    {REQUEST "\"action\":\"flag\",\"set\":true}", "reason: missing"},
	    {REQUEST "\"action\":\"suspend\",\"time\":\"yesterday\"}", "time: must be ISO 8601"},
	    {LADDER "}", "levels: missing; levels or a step is needed (ALR-1)"},
	    {LADDER ",\"levels\":[]}", "1 to 16"},
	    {LADDER ",\"levels\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "1 to 16"},
	    {LADDER ",\"levels\":[\"50%\"],\"step\":5}", "not both"},
	    {LADDER ",\"levels\":[\"50%\",\"50%\"]}", "level 2: levels rise"},
	    {LADDER ",\"levels\":[5,\"50%\"]}", "level 2: levels rise"},
	    {LADDER ",\"levels\":[\"0%\"]}", "level 1"},
	    {LADDER ",\"levels\":[\"1001%\"]}", "level 1"},
	    {LADDER ",\"levels\":[\"50\"]}", "level 1"},
	    {LADDER ",\"levels\":[0]}", "level 1"},
	    {LADDER ",\"levels\":[1.5]}", "level 1"},
	    {LADDER ",\"step\":0}", "(ALR-1)"},
	    {"{\"type\":\"guard\",\"action\":\"trip\"}", "(CMD-5)"},
	    {"{\"type\":\"guard\"}", "action: missing (CMD-5)"},
	    {WORD "\"reasons\":[\"manual\"],\"slack\":1,\"used\":1}", "reasons"},
	    {WORD "\"reasons\":[],\"slack\":-1,\"used\":1}", "slack"},
	    {WORD "\"reasons\":[],\"slack\":\"1x\",\"used\":1}", "slack"},
	    {WORD "\"reasons\":[],\"slack\":1,\"used\":1,\"carrier\":\"cm\"}", "kind: missing"},
	    {"{\"type\":\"child\",\"parent\":\"89860000000000000001\",\"child\":\"89860000000000000001\"}", "(POOL-8)"},
	    {"{\"type\":\"child\",\"parent\":\"89860000000000000001\"}", "child: missing"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_reference reference;
		struct weir_error err = {0};
		assert_int_equal(weir_reference_parse(weir_slice_of(cases[i].json), &reference, &err), WEIR_POISON);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("%s: '%s' does not say '%s'", cases[i].json, err.text, cases[i].says);
		assert_int_equal(weir_reference_parse(weir_slice_of(cases[i].json), &reference, NULL), WEIR_POISON);
	}
}

/* rule SUS-4, rule SUS-5, rule LIFE-3, rule LIFE-4: what a carrier can do is data. */
static void
test_carrier_capabilities(void **state)
{
	(void)state;
	struct weir_reference r = parse_reference(CARRIER "\"zone\":\"UTC\",\"mb_bytes\":1000}");
	assert_int_equal(r.carrier.unsupported_single | r.carrier.unsupported_pooled, 0);
	assert_int_equal(r.carrier.device_lock, WEIR_DEVICE_LOCK_NONE);
	assert_int_equal(r.carrier.rebinds_per_month, 0);
	assert_int_equal(r.carrier.test_quota_bytes, 6000);
	assert_int_equal(r.carrier.test_months, 6);
	assert_int_equal(r.carrier.silent_months, 6);
	assert_int_equal(r.carrier.cancel_months, 3);
	r = parse_reference(
	    CARRIER "\"zone\":\"UTC\",\"unsupported\":{\"single\":[\"usage_limit\",\"manual\"],\"pooled\":[\"abnormal\"]},"
		    "\"device_lock\":\"suspend\",\"rebinds_per_month\":2,\"test_quota\":0,\"test_months\":0,"
		    "\"silent_months\":0,\"cancel_months\":1}");
	assert_int_equal(
	    r.carrier.unsupported_single, WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) | WEIR_REASON_BIT(WEIR_REASON_MANUAL));
	assert_int_equal(r.carrier.unsupported_pooled, WEIR_REASON_BIT(WEIR_REASON_ABNORMAL));
	assert_int_equal(r.carrier.device_lock, WEIR_DEVICE_LOCK_SUSPEND);
	assert_int_equal(r.carrier.rebinds_per_month, 2);
	assert_int_equal(r.carrier.test_quota_bytes + r.carrier.test_months + r.carrier.silent_months, 0);
	assert_int_equal(r.carrier.cancel_months, 1);
}

static void
test_plan_vouchers(void **state)
{
	(void)state;
	static const struct {
		const char *voucher;
		enum weir_plan_kind kind;
		bool directional;
		const char *carrier, *pool;
	} cases[] = {
	    {"CM_SC_M_1_30M", WEIR_PLAN_SINGLE, false, "cm", ""},
	    {"CU_SCD_Y_2.0_1G", WEIR_PLAN_SINGLE, true, "cu", ""},
	    {"CM_SF_M_1_30M", WEIR_PLAN_ACCUMULATIVE, false, "cm", ""},
	    {"CM_SF_M_1_30M/p-1", WEIR_PLAN_ACCUMULATIVE, false, "cm", "p-1"},
	    {"ct_SFD_M_1_30M", WEIR_PLAN_ACCUMULATIVE, true, "ct", ""},
	    {"CT_UP_M_1_my_pool", WEIR_PLAN_FIXED, false, "ct", "my_pool"},
	    {"AL_UPG_M_1_30M/my_pool", WEIR_PLAN_FIXED, true, "al", "my_pool"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_ref_plan plan = {.term_months = 7};
		char pool[WEIR_ID_MAX];
		assert_int_equal(weir_voucher_parse(cases[i].voucher, &plan, pool, NULL), WEIR_OK);
		assert_int_equal(plan.kind, cases[i].kind);
		assert_int_equal(plan.directional, cases[i].directional);
		assert_string_equal(plan.carrier, cases[i].carrier);
		assert_string_equal(pool, cases[i].pool);
		assert_int_equal(plan.term_months, 7);
	}
	static const char *const bad[] = {"", "CM", "CM_SF", "CM_SF_M_1", "CM_SF_M_1_", "_SF_M_1_30M", "CM_XX_M_1_30M",
	    "CM_sf_M_1_30M", "CM_SF_W_1_30M", "CM_SF_M__30M", "CM_SC_M_1_30M/p", "CM_SF_M_1_30 M", "CM_SF_M_1_/p",
	    "CM_SF_M_1_30M/", "CM_SF_M_1_30M/a b", "C M_SF_M_1_30M",
	    "CM_UP_M_1_0123456789012345678901234567890123456789012345678901234567890123"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct weir_ref_plan plan = {0};
		struct weir_error err = {0};
		char pool[WEIR_ID_MAX];
		if (weir_voucher_parse(bad[i], &plan, pool, &err) != WEIR_POISON || err.text[0] == '\0')
			fail_msg("'%s' was taken", bad[i]);
	}
	struct weir_reference r = parse_reference(
	    "{\"type\":\"plan\",\"id\":\"p\",\"voucher\":\"CM_SFD_M_1_30M\",\"allowance\":5,\"alerts\":\"l\"}");
	assert_string_equal(r.plan.carrier, "cm");
	assert_int_equal(r.plan.kind, WEIR_PLAN_ACCUMULATIVE);
	assert_true(r.plan.directional);
	assert_string_equal(r.plan.alerts, "l");
	r = parse_reference(PLAN "\"kind\":\"fixed\",\"directional\":true}");
	assert_true(r.plan.directional);
	r = parse_reference(PLAN "\"kind\":\"fixed\",\"voucher\":\"C_UP_M_1_x\",\"directional\":false}");
	assert_string_equal(r.plan.carrier, "c");
}

/* rule LIFE-1, rule LIFE-2, rule LIFE-5, rule POOL-8 */
static void
test_card_lifecycle(void **state)
{
	(void)state;
	struct weir_reference r = parse_reference(
	    CARD "\"pool\":\"p1\",\"parent\":\"89860000000000000009\",\"since\":\"2026-01-31T08:00:00+08:00\","
		 "\"activated\":\"2026-01-31T00:00:01Z\",\"expires\":\"2105-12-31T23:59:59Z\",\"tags\":[\"a\",\"b "
		 "c\",\"\xe7\x89\xa9\"]}");
	assert_true(r.card.has_pool && r.card.has_parent && r.card.has_since && r.card.has_activated);
	assert_true(r.card.has_expires && r.card.has_tags);
	assert_string_equal(r.card.pool, "p1");
	struct weir_iccid parent;
	assert_true(weir_iccid_parse((const uint8_t *)"89860000000000000009", 20, &parent));
	assert_true(weir_iccid_equal(r.card.parent, parent));
	assert_true(r.card.since_us == INT64_C(1769817600000000));
	assert_true(r.card.activated_us == INT64_C(1769817601000000));
	assert_true(r.card.expires_us == INT64_C(4291747199000000)); /* the last second that 32 bits and whole years hold */
	r = parse_reference(
	    CARD "\"pool\":null,\"parent\":null,\"since\":null,\"activated\":null,\"expires\":null,\"tags\":null}");
	assert_true(r.card.has_pool && r.card.has_parent && r.card.has_since && r.card.has_activated);
	assert_true(r.card.has_expires && r.card.has_tags && r.card.pool[0] == '\0' && weir_iccid_is_zero(r.card.parent));
	assert_true(r.card.since_us == 0 && r.card.activated_us == 0 && r.card.expires_us == 0);
	r = parse_reference(CARD "\"status\":\"inactive\",\"activated\":null,\"tags\":[]}");
	assert_false(r.card.has_pool || r.card.has_parent || r.card.has_since || r.card.has_expires);
}

static void
test_actions(void **state)
{
	(void)state;
	static const enum weir_action plain[] = {WEIR_ACTION_SUSPEND, WEIR_ACTION_RESUME, WEIR_ACTION_ACTIVATE,
	    WEIR_ACTION_DEACTIVATE, WEIR_ACTION_CANCEL, WEIR_ACTION_RENEW, WEIR_ACTION_REBIND, WEIR_ACTION_RESET};
	char json[256];
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		(void)snprintf(json, sizeof(json), REQUEST "\"action\":\"%s\"}", weir_action_name(plain[i]));
		assert_int_equal(parse_reference(json).request.action, plain[i]);
	}
	for (int action = WEIR_ACTION_FREEZE; action <= WEIR_ACTION_ENABLE; action++) {
		(void)snprintf(json, sizeof(json), ON_POOL "\"action\":\"%s\"}", weir_action_name(action));
		struct weir_reference r = parse_reference(json);
		assert_int_equal(r.request.action, action);
		assert_string_equal(r.request.pool, "p1");
		assert_true(weir_iccid_is_zero(r.request.iccid));
	}
	struct weir_reference r = parse_reference(REQUEST "\"action\":\"renew\",\"months\":12,\"time\":1774847286123}");
	assert_int_equal(r.request.months, 12);
	assert_true(r.request.time_us == INT64_C(1774847286123000));
	r = parse_reference(REQUEST "\"action\":\"renew\",\"until\":\"2027-01-01T00:00:00Z\"}");
	assert_true(r.request.until_us == INT64_C(1798761600000000) && r.request.months == 0);
	r = parse_reference(REQUEST "\"action\":\"renew\"}");
	assert_true(r.request.until_us == 0 && r.request.months == 0 && r.request.time_us == 0);
	r = parse_reference(REQUEST "\"action\":\"flag\",\"reason\":\"violation\",\"set\":true}");
	assert_int_equal(r.request.reason, WEIR_REASON_VIOLATION);
	assert_true(r.request.set);
	r = parse_reference(REQUEST "\"action\":\"flag\",\"reason\":\"abnormal\",\"set\":false}");
	assert_int_equal(r.request.reason, WEIR_REASON_ABNORMAL);
	assert_false(r.request.set);
	r = parse_reference(ON_POOL "\"action\":\"addon\",\"bytes\":5,\"cycle\":\"2026-11\",\"id\":\"a\"}");
	assert_int_equal(r.request.bytes, 5);
	assert_int_equal(r.request.cycle, (2026 - 1970) * 12 + 10);
	assert_true(r.request.id_hash != 0);
	r = parse_reference(ON_POOL "\"action\":\"addon\",\"bytes\":5}");
	assert_int_equal(r.request.cycle, -1);
	r = parse_reference("{\"type\":\"guard\",\"action\":\"release\",\"by\":\"ops\"}");
	assert_int_equal(r.type, WEIR_REF_GUARD);
}

/* rule POOL-1, rule POOL-5 */
static void
test_pools(void **state)
{
	(void)state;
	struct weir_reference r = parse_reference(POOL "\"kind\":\"accumulative\",\"plan\":\"p\"}");
	assert_int_equal(r.type, WEIR_REF_POOL);
	assert_string_equal(r.pool.id, "p1");
	assert_string_equal(r.pool.name, "p1");
	assert_string_equal(r.pool.plan, "p");
	assert_true(r.pool.threshold_bytes == WEIR_NO_LIMIT && !r.pool.threshold_suspends);
	assert_int_equal(r.pool.retention_days, 30);
	r = parse_reference(
	    POOL "\"kind\":\"fixed\",\"total\":7,\"threshold\":5,\"name\":\"\xe6\xb1\xa0 1\",\"alerts\":\"l\"}");
	assert_int_equal(r.pool.total_bytes, 7);
	assert_int_equal(r.pool.threshold_bytes, 5);
	assert_false(r.pool.threshold_suspends);
	assert_string_equal(r.pool.name, "\xe6\xb1\xa0 1");
	assert_string_equal(r.pool.alerts, "l");
	assert_string_equal(r.pool.plan, "");
	r = parse_reference(
	    POOL "\"kind\":\"metered\",\"threshold\":5,\"threshold_action\":\"suspend\",\"retention_days\":7,"
		 "\"batches\":[\"b1\",\"b2\"],\"plan\":null}");
	assert_int_equal(r.pool.kind, WEIR_PLAN_METERED);
	assert_true(r.pool.threshold_suspends);
	assert_int_equal(r.pool.retention_days, 7);
}

/* rule ALR-1 */
static void
test_ladders(void **state)
{
	(void)state;
	struct weir_reference r =
	    parse_reference("{\"type\":\"alerts\",\"id\":\"l\",\"levels\":[\"1%\",\"50%\",\"1000%\",1,1000000]}");
	assert_int_equal(r.alerts.level_count, 5);
	assert_true(r.alerts.levels[2].is_percent && !r.alerts.levels[3].is_percent);
	assert_int_equal(r.alerts.levels[2].value, 1000);
	assert_int_equal(r.alerts.levels[4].value, 1000000);
	assert_int_equal(r.alerts.step_bytes, 0);
	r = parse_reference("{\"type\":\"alerts\",\"id\":\"default\",\"step\":5000}");
	assert_int_equal(r.alerts.level_count, 0);
	assert_int_equal(r.alerts.step_bytes, 5000);
}

/* rule CYC-1; what each can do: rule SUS-4, rule SUS-5, rule LIFE-3, rule LIFE-4 */
static void
test_shipped_carriers(void **state)
{
	(void)state;
	uint32_t count;
	const struct weir_ref_carrier *carriers = weir_reference_shipped_carriers(&count);
	assert_int_equal(count, 5);
	for (uint32_t i = 0; i < count; i++) {
		struct weir_zone *zone = NULL;
		bool unicom = strcmp(carriers[i].id, "cu") == 0;
		assert_int_equal(weir_zone_open(carriers[i].zone, &zone, NULL), WEIR_OK);
		weir_zone_free(zone);
		assert_int_equal(carriers[i].cycle_day, unicom ? 27 : 1);
		assert_int_equal(carriers[i].named_after_end, unicom);
		bool telecom = strcmp(carriers[i].id, "ct") == 0, overseas = strcmp(carriers[i].id, "overseas") == 0;
		bool pools_only = unicom || strcmp(carriers[i].id, "cm") == 0;
		assert_int_equal(carriers[i].unsupported_single, pools_only ? WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) : 0);
		assert_int_equal(carriers[i].unsupported_pooled, 0);
		if (pools_only)
			assert_int_equal(carriers[i].device_lock, WEIR_DEVICE_LOCK_SUSPEND);
		if (telecom)
			assert_int_equal(carriers[i].device_lock, WEIR_DEVICE_LOCK_ALERT);
		assert_int_equal(carriers[i].rebinds_per_month, telecom ? 2 : 0);
		assert_int_equal(carriers[i].test_quota_bytes, 6 * carriers[i].mb_bytes);
		assert_int_equal(carriers[i].test_months, 6);
		assert_int_equal(carriers[i].silent_months, overseas ? 0 : 6);
		assert_int_equal(carriers[i].cancel_months, 3);
	}
	assert_string_equal(weir_status_name(WEIR_STATUS_IN_USE), "in_use");
	assert_string_equal(weir_plan_kind_name(WEIR_PLAN_METERED), "metered");
	assert_string_equal(weir_action_name(WEIR_ACTION_ADDON), "addon");
	assert_string_equal(weir_action_name(WEIR_ACTION_ENABLE), "enable");
	assert_string_equal(weir_reason_name(WEIR_REASON_PLAN_EXHAUSTED), "plan_exhausted");
	assert_string_equal(weir_reason_name(WEIR_REASON_RESET), "reset");
	assert_string_equal(weir_reason_name(WEIR_REASON_NONE), "none");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_refused_messages),
	    cmocka_unit_test(test_carrier_capabilities),
	    cmocka_unit_test(test_plan_vouchers),
	    cmocka_unit_test(test_card_lifecycle),
	    cmocka_unit_test(test_actions),
	    cmocka_unit_test(test_pools),
	    cmocka_unit_test(test_ladders),
	    cmocka_unit_test(test_shipped_carriers),
	};
	return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
