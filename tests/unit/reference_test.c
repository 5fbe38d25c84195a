/* Reference data: messages that hold and that break the schema, YAML and CSV files, shipped carriers, the sample fleet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/calendar/calendar.h"
#include "config/reference/reference.h"
#include "config/reference/reference_priv.h"

static struct weir_reference
parse(const char *json)
{
	struct weir_reference reference;
	struct weir_error err = {0};
	if (weir_reference_parse(weir_slice_of(json), &reference, &err) != WEIR_OK)
		fail_msg("%s: %s", json, err.text);
	return reference;
}

static void
test_messages(void **state)
{
	(void)state;
	struct weir_reference r = parse("{\"type\":\"carrier\",\"id\":\"cu\",\"zone\":\"Asia/Shanghai\",\"cycle_day\":27,"
					"\"cycle_named_after\":\"end\",\"mb_bytes\":1048576}");
	assert_int_equal(r.type, WEIR_REF_CARRIER);
	assert_int_equal(r.carrier.cycle_day, 27);
	assert_true(r.carrier.named_after_end);
	r = parse(
	    "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"cu\",\"kind\":\"metered\",\"limit\":5,\"term_months\":12}");
	assert_int_equal(r.plan.kind, WEIR_PLAN_METERED);
	assert_int_equal(r.plan.limit_bytes, 5);
	assert_int_equal(r.plan.term_months, 12);
	r = parse(
	    "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"cu\",\"kind\":\"single\",\"allowance\":9223372036854775807}");
	assert_true(r.plan.allowance_bytes == INT64_MAX);
	assert_true(r.plan.limit_bytes == WEIR_NO_LIMIT);
	r = parse("{\"type\":\"card\",\"iccid\":\"89860000000000000001\"}");
	assert_false(r.card.has_carrier || r.card.has_plan || r.card.has_status || r.card.has_limit);
	assert_false(r.card.has_auto_restore || r.card.has_imei);
	r = parse("{\"type\":\"card\",\"iccid\":\"89860000000000000001\",\"carrier\":\"cm\",\"plan\":null,\"status\":"
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
	struct weir_reference r = parse("{\"type\":\"request\",\"iccid\":\"89860000000000000001\",\"action\":\"limit\","
					"\"limit\":7,\"auto_restore\":false}");
	assert_int_equal(r.request.action, WEIR_ACTION_LIMIT);
	assert_int_equal(r.request.bytes, 7);
	assert_true(r.request.has_auto_restore && !r.request.auto_restore);
	assert_true(r.request.id_hash == 0);
	r = parse("{\"type\":\"request\",\"iccid\":\"89860000000000000001\",\"action\":\"limit\",\"limit\":null}");
	assert_true(r.request.bytes == WEIR_NO_LIMIT);
	r = parse(
	    "{\"type\":\"request\",\"iccid\":\"89860000000000000001\",\"action\":\"addon\",\"bytes\":9,\"id\":\"a-1\","
	    "\"by\":\"ops\",\"time\":\"2026-01-01T00:00:00Z\"}");
	assert_int_equal(r.request.bytes, 9);
	assert_true(r.request.id_hash != 0);
	assert_string_equal(r.request.by, "ops");
}

#define CARD "{\"type\":\"card\",\"iccid\":\"89860000000000000001\","
#define PLAN "{\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"c\","
#define CARRIER "{\"type\":\"carrier\",\"id\":\"c\","
#define REQUEST "{\"type\":\"request\",\"iccid\":\"89860000000000000001\","

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

struct sink {
	char text[65536];
	size_t len;
	uint64_t count;
	uint64_t stop_after; /* 0 = never */
};

/* Keeps each message as "key json\n" and parses it again. */
static bool
sink_emit(void *ctx, const char *key, const char *json, size_t json_len)
{
	struct sink *sink = ctx;
	struct weir_reference reference;
	if (sink->stop_after > 0 && sink->count == sink->stop_after)
		return false;
	sink->count++;
	assert_int_equal(
	    weir_reference_parse((struct weir_slice){(const uint8_t *)json, json_len}, &reference, NULL), WEIR_OK);
	if (sink->len + json_len + 64 < sizeof(sink->text))
		sink->len += (size_t)snprintf(sink->text + sink->len, 64 + json_len, "%s %.*s\n", key, (int)json_len, json);
	return true;
}

static char path[64];

static enum weir_class
read_text(const char *suffix, const char *text, struct sink *sink, uint64_t *count, struct weir_error *err)
{
	(void)snprintf(path, sizeof(path), "/tmp/weir_reference_test_XXXXXX%s", suffix);
	int fd = mkstemps(path, (int)strlen(suffix));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
	enum weir_class class = weir_reference_read(path, sink_emit, sink, count, err);
	(void)unlink(path);
	return class;
}

static void
reads(const char *suffix, const char *text, const char *expected)
{
	static struct sink sink;
	uint64_t count = 0;
	struct weir_error err = {0};
	memset(&sink, 0, sizeof(sink));
	if (read_text(suffix, text, &sink, &count, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	assert_int_equal(count, sink.count);
	assert_string_equal(sink.text, expected);
}

static void
refused(const char *suffix, const char *text, uint32_t line, const char *says)
{
	static struct sink sink;
	uint64_t count = 1;
	struct weir_error err = {0};
	char place[96] = "";
	memset(&sink, 0, sizeof(sink));
	assert_int_equal(read_text(suffix, text, &sink, &count, &err), WEIR_POISON);
	if (line > 0)
		(void)snprintf(place, sizeof(place), "%s:%u: ", path, line);
	if (strncmp(err.text, place, strlen(place)) != 0 || strstr(err.text, says) == NULL)
		fail_msg("'%s' does not say '%s%s'", err.text, place, says);
	assert_int_equal(sink.count, 0); /* nothing of a bad file goes out */
	assert_int_equal(count, 0);
}

static void
test_yaml(void **state)
{
	(void)state;
	reads(".yaml",
	    "cards:\n"
	    "  - {iccid: 8986001234567890983s, plan: 5, carrier: x, limit: 10, auto_restore: true, imei: 860000000000001}\n"
	    "  - {iccid_from: 89860000000000000098, count: 3, carrier: x, limit: null}\n"
	    "plans:\n  - {id: 5, carrier: x, kind: fixed}\n"
	    "carriers: [{id: x, zone: UTC}]\n",
	    " {\"type\":\"carrier\",\"id\":\"x\",\"zone\":\"UTC\"}\n"
	    " {\"type\":\"plan\",\"id\":\"5\",\"carrier\":\"x\",\"kind\":\"fixed\"}\n"
	    "8986001234567890983S {\"type\":\"card\",\"iccid\":\"8986001234567890983S\",\"plan\":\"5\",\"carrier\":\"x\","
	    "\"limit\":10,\"auto_restore\":true,\"imei\":\"860000000000001\"}\n"
	    "89860000000000000098 {\"type\":\"card\",\"iccid\":\"89860000000000000098\",\"carrier\":\"x\",\"limit\":null}\n"
	    "89860000000000000099 {\"type\":\"card\",\"iccid\":\"89860000000000000099\",\"carrier\":\"x\",\"limit\":null}\n"
	    "89860000000000000100 "
	    "{\"type\":\"card\",\"iccid\":\"89860000000000000100\",\"carrier\":\"x\",\"limit\":null}\n");
	reads(".yml", "", "");
	reads(".yml", "cards:\n", "");
}

static void
test_refused_yaml(void **state)
{
	(void)state;
	refused(".yaml", "crads: []\n", 1, "did you mean cards?");
	refused(".yaml", "cards: {}\n", 1, "a list is right");
	refused(".yaml", "cards: [5]\n", 1, "a map of members");
	refused(".yaml", "cards:\n  - {iccid: 8986, carrier: x}\n", 2, "19 or 20");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, lmit: 5}\n", 2, "did you mean limit?");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, limit: '5'}\n", 2, "whole number");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, limit: 1e3}\n", 2, "whole number");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, limit: -5}\n", 2, "out of range");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, limit: 18446744073709551616}\n", 2, "whole number");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, limit: [5]}\n", 2, "one value");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, auto_restore: yes}\n", 2, "true or false");
	refused(
	    ".yaml", "cards:\n  - {iccid: 89860000000000000001}\n  - {iccid: 89860000000000000001}\n", 3, "given twice");
	refused(".yaml", "cards:\n  - {iccid_from: 89860000000000000000, count: 9}\n  - {iccid: 89860000000000000008}\n", 3,
	    "given twice");
	refused(".yaml", "cards:\n  - {iccid_from: 89860000000000000000}\n", 2, "a range has");
	refused(".yaml", "cards:\n  - {count: 2, iccid: 89860000000000000000}\n", 2, "a range has");
	refused(".yaml", "cards:\n  - {iccid_from: 89860000000000000000, count: 0}\n", 2, "count");
	refused(".yaml", "cards:\n  - {iccid_from: 89860000000000000000, count: 99999999999999999999999}\n", 2, "count");
	refused(".yaml", "cards:\n  - {iccid_from: 8986000000000000A998, count: 3}\n", 2, "digits end before");
	refused(".yaml", "cards:\n  - {iccid_from: 8986000000000000000S, count: 2}\n", 2, "digits end before");
	refused(".yaml", "plans:\n  - {id: p, carrier: x, kind: fixed}\n  - {id: p, carrier: x, kind: fixed}\n", 3,
	    "given twice");
	refused(".yaml", "carriers: [{id: x, zone: UTC}]\nplans:\n  - {id: p, carrier: y, kind: fixed}\n", 3,
	    "not in this file");
	refused(".yaml", "carriers: [{id: x, zone: UTC}, {id: x, zone: UTC}]\n", 1, "given twice");
	refused(".yaml", "carriers:\n  - {id: x, zone: Mars/Olympus}\n", 2, "Mars/Olympus");
	refused(".yaml",
	    "plans: [{id: p, carrier: x, kind: fixed}]\ncards:\n  - {iccid: 89860000000000000001, carrier: y, plan: p}\n",
	    3, "is of carrier x");
	refused(".yaml", "cards: &a [*a]\n", 1, "not supported");
	refused(".txt", "", 0, ".yaml, .yml or .csv");
}

static void
test_csv_rows(void **state)
{
	(void)state;
	reads(".csv",
	    "\xef\xbb\xbf"
	    "iccid,carrier,plan,limit,auto_restore\r\n"
	    "89860000000000000001,cm,\"p,x\",5,true\r\n"
	    "\r\n"
	    "\"89860000000000000002\",cm,,null,\n"
	    "89860000000000000003,cm,null,\"7\",false",
	    "89860000000000000001 "
	    "{\"type\":\"card\",\"iccid\":\"89860000000000000001\",\"carrier\":\"cm\",\"plan\":\"p,x\","
	    "\"limit\":5,\"auto_restore\":true}\n"
	    "89860000000000000002 "
	    "{\"type\":\"card\",\"iccid\":\"89860000000000000002\",\"carrier\":\"cm\",\"limit\":null}\n"
	    "89860000000000000003 {\"type\":\"card\",\"iccid\":\"89860000000000000003\",\"carrier\":\"cm\",\"plan\":null,"
	    "\"limit\":7,\"auto_restore\":false}\n");
}

static void
test_refused_csv(void **state)
{
	(void)state;
	refused(".csv", "", 1, "empty");
	refused(".csv", "carrier\ncm\n", 1, "no column iccid");
	refused(".csv", "iccid,palns\n", 1, "column palns: unknown; did you mean plan?");
	refused(".csv", "iccid,plan,plan\n", 1, "given twice");
	refused(".csv", "iccid,plan\n89860000000000000001\n", 2, "1 cells; 2");
	refused(".csv", "iccid\n89860000000000000001\n89860000000000000001\n", 3, "given twice");
	refused(".csv", "iccid,plan\n\n\n89860000000000000001,\"p\n", 4, "not closed");
	refused(".csv", "iccid,plan\n89860000000000000001,\"p\"q\n", 2, "quote within");
	refused(".csv", "iccid,plan\n89860000000000000001,p\"q\"\n", 2, "quote within");
	refused(".csv", "iccid,plan\n89860000000000000001,p\rq\n", 2, "carriage return");
	refused(".csv", "iccid,plan\n89860000000000000001,\"a\nb\"\n", 2, "1 to 63");
	refused(".csv", "iccid,plan\n89860000000000000001,\"a\nb\"\n89860000000000000002,p,q\n", 2, "1 to 63");
	refused(".csv", "iccid,limit\n89860000000000000001,-1\n", 2, "out of range");
	refused(".csv", "iccid,limit\n89860000000000000001,18446744073709551616\n", 2, "whole number");
	refused(".csv", "iccid,plan\n89860000000000000001,\xff\n", 2, "not UTF-8");
	refused(".csv", "iccid,plan\n89860000000000000001,\"\"\n", 2, "1 to 63");
	refused(".csv", ",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n", 1, "too many columns");
	char *wide = malloc(100002);
	memset(wide, 'a', 100000);
	(void)strcpy(wide + 100000, "\n");
	refused(".csv", wide, 1, "too long");
	wide[0] = '"';
	refused(".csv", wide, 1, "too long");
	free(wide);
}

static void
test_emit_may_stop(void **state)
{
	(void)state;
	static struct sink sink;
	uint64_t count = 0;
	struct weir_error err = {0};
	memset(&sink, 0, sizeof(sink));
	sink.stop_after = 2;
	assert_int_equal(
	    read_text(".yaml", "cards: [{iccid_from: 89860000000000000000, count: 9}]\n", &sink, &count, &err), WEIR_RETRY);
	assert_int_equal(count, 2);
	memset(&sink, 0, sizeof(sink));
	sink.stop_after = 1;
	assert_int_equal(
	    read_text(".csv", "iccid\n89860000000000000000\n89860000000000000001\n", &sink, &count, &err), WEIR_RETRY);
	assert_int_equal(count, 1);
}

static void
test_missing_file(void **state)
{
	(void)state;
	uint64_t count;
	struct weir_error err = {0};
	assert_int_equal(weir_reference_read("/nonexistent.csv", sink_emit, NULL, &count, &err), WEIR_POISON);
	assert_non_null(strstr(err.text, "/nonexistent.csv"));
	assert_int_equal(weir_reference_read("/nonexistent.yaml", sink_emit, NULL, &count, &err), WEIR_POISON);
}

static void
test_iccid_counts_up(void **state)
{
	(void)state;
	char out[WEIR_ICCID_TEXT_MAX];
	assert_true(weir_iccid_text_add("89860000000000009999", 1, out));
	assert_string_equal(out, "89860000000000010000");
	assert_true(weir_iccid_text_add("8986000000000000S099", 900, out));
	assert_string_equal(out, "8986000000000000S999");
	assert_false(weir_iccid_text_add("8986000000000000S099", 901, out));
	assert_true(weir_iccid_text_add("8986000000000000000S", 0, out));
	assert_false(weir_iccid_text_add("99999999999999999999", 1, out));
}

static void
test_sample_fleet(void **state)
{
	(void)state;
	static struct sink sink;
	uint64_t count = 0;
	struct weir_error err = {0};
	memset(&sink, 0, sizeof(sink));
	if (weir_reference_read("config/samples/fleet.yaml", sink_emit, &sink, &count, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	assert_int_equal(count, 5 + 6 + 5 + 800);
}

/* rule CYC-1 */
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
	}
	assert_string_equal(weir_status_name(WEIR_STATUS_IN_USE), "in_use");
	assert_string_equal(weir_plan_kind_name(WEIR_PLAN_METERED), "metered");
	assert_string_equal(weir_action_name(WEIR_ACTION_ADDON), "addon");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages),
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_refused_messages),
	    cmocka_unit_test(test_yaml),
	    cmocka_unit_test(test_refused_yaml),
	    cmocka_unit_test(test_csv_rows),
	    cmocka_unit_test(test_refused_csv),
	    cmocka_unit_test(test_emit_may_stop),
	    cmocka_unit_test(test_missing_file),
	    cmocka_unit_test(test_iccid_counts_up),
	    cmocka_unit_test(test_sample_fleet),
	    cmocka_unit_test(test_shipped_carriers),
	};
	return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
