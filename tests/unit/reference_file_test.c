/* Reference files: YAML and CSV, what a file must agree on with itself, and the sample fleet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/reference/reference.h"
#include "config/reference/reference_priv.h"

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
expect_read(const char *suffix, const char *text, const char *expected)
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
	expect_read(".yaml",
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
	expect_read(".yml", "", "");
	expect_read(".yml", "cards:\n", "");
}

static void
test_refused_yaml(void **state)
{
	(void)state;
	refused(".yaml", "crads: []\n", 1, "did you mean cards?");
	refused(".yaml", "cards: {}\n", 1, "must be a list");
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
	expect_read(".csv",
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
	refused(".csv", "iccid,plan\n89860000000000000001\n", 2, "1 cells; must be 2");
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

#define FLEET                                                                                                              \
	"carriers: [{id: x, zone: UTC}, {id: y, zone: UTC}]\n"                                                             \
	"plans: [{id: p, carrier: x, kind: accumulative, allowance: 1}, {id: q, carrier: x, kind: fixed},\n"               \
	"  {id: s, carrier: x, kind: single, allowance: 1}]\n"

/* Definitions come before what names them; a pool goes under its id, ladders to everybody. */
static void
test_yaml_pools(void **state)
{
	(void)state;
	expect_read(".yaml",
	    "cards:\n"
	    "  - {iccid: 89860000000000000001, pool: '7', tags: [a, 2026], activated: 2026-01-31T00:00:00Z, expires: "
	    "null}\n"
	    "pools:\n  - {id: '7', carrier: x, kind: fixed, total: 5, batches: [b-1]}\n"
	    "plans:\n  - {id: p, carrier: x, kind: fixed, alerts: l}\n"
	    "alerts:\n  - {id: l, levels: [50%, '100%', 1000000]}\n"
	    "carriers:\n  - id: x\n    zone: UTC\n    unsupported: {single: [usage_limit], pooled: []}\n    device_lock: "
	    "alert\n",
	    " {\"type\":\"carrier\",\"id\":\"x\",\"zone\":\"UTC\",\"unsupported\":{\"single\":[\"usage_limit\"],\"pooled\":"
	    "[]},"
	    "\"device_lock\":\"alert\"}\n"
	    " {\"type\":\"alerts\",\"id\":\"l\",\"levels\":[\"50%\",\"100%\",1000000]}\n"
	    " {\"type\":\"plan\",\"id\":\"p\",\"carrier\":\"x\",\"kind\":\"fixed\",\"alerts\":\"l\"}\n"
	    "7 {\"type\":\"pool\",\"id\":\"7\",\"carrier\":\"x\",\"kind\":\"fixed\",\"total\":5,\"batches\":[\"b-1\"]}\n"
	    "89860000000000000001 "
	    "{\"type\":\"card\",\"iccid\":\"89860000000000000001\",\"pool\":\"7\",\"tags\":[\"a\",\"2026\"],"
	    "\"activated\":\"2026-01-31T00:00:00Z\",\"expires\":null}\n");
}

/* rule POOL-1, rule POOL-8: what a file must agree on with itself. */
static void
test_refused_pools(void **state)
{
	(void)state;
	refused(".yaml", FLEET "pools:\n  - {id: a, carrier: y, kind: accumulative, plan: p}\n", 5, "(POOL-1)");
	refused(".yaml", FLEET "pools:\n  - {id: a, carrier: x, kind: metered, plan: q}\n", 5, "is fixed (POOL-1)");
	refused(".yaml", FLEET "pools:\n  - {id: a, carrier: z, kind: metered}\n", 5, "carrier z is not in this file");
	refused(".yaml", FLEET "pools:\n  - {id: a, carrier: x, kind: metered}\n  - {id: a, carrier: x, kind: metered}\n",
	    6, "pool a: given twice");
	refused(".yaml",
	    FLEET "pools: [{id: a, carrier: x, kind: metered}]\ncards:\n  - {iccid: 89860000000000000001, pool: b}\n", 6,
	    "pool b is not in this file");
	refused(".yaml",
	    FLEET
	    "pools: [{id: a, carrier: x, kind: metered}]\ncards:\n  - {iccid: 89860000000000000001, carrier: y, pool: a}\n",
	    6, "is of carrier x (POOL-1)");
	refused(".yaml",
	    FLEET "pools: [{id: a, carrier: x, kind: accumulative, plan: p}]\n"
		  "cards:\n  - {iccid: 89860000000000000001, carrier: x, plan: s, pool: a}\n",
	    6, "plan s, but its pool a has plan p (POOL-1)");
	refused(".yaml",
	    FLEET "cards:\n  - {iccid: 89860000000000000001, carrier: x, plan: p, pool: a}\n"
		  "  - {iccid: 89860000000000000002, carrier: x, plan: s, pool: a}\n",
	    6, "has plan p (POOL-1)");
	refused(".yaml",
	    FLEET "cards:\n  - {iccid: 89860000000000000001, carrier: x, pool: a}\n"
		  "  - {iccid: 89860000000000000002, carrier: y, pool: a}\n",
	    6, "is of carrier x (POOL-1)");
	refused(".yaml",
	    "cards:\n  - {iccid: 89860000000000000001, parent: 89860000000000000002}\n"
	    "  - {iccid: 89860000000000000002, parent: 89860000000000000003}\n",
	    3, "one level (POOL-8)");
	refused(".yaml",
	    "cards:\n  - {iccid: 89860000000000000001, parent: 89860000000000000002}\n"
	    "  - {iccid: 89860000000000000002, parent: 89860000000000000001}\n",
	    2, "one level (POOL-8)");
	refused(".yaml", "cards:\n  - {iccid_from: 89860000000000000001, count: 9, parent: 89860000000000000005}\n", 2,
	    "its own parent (POOL-8)");
	refused(".csv",
	    "iccid,parent\n89860000000000000001,89860000000000000002\n89860000000000000002,89860000000000000003\n", 3,
	    "one level (POOL-8)");
	refused(".yaml", "alerts: [{id: a, step: 5}]\nplans:\n  - {id: p, carrier: cm, kind: fixed, alerts: b}\n", 3,
	    "alerts b is not in this file (ALR-1)");
	refused(".yaml", "alerts: [{id: a, step: 5}, {id: a, step: 5}]\n", 1, "given twice");
	refused(".yaml", "alerts:\n  - {id: a, levels: {b: c}}\n", 2, "a list of 1 to 16");
	refused(".yaml", "pools:\n  - {id: a, carrier: cm, kind: fixed}\n", 2, "total: missing (POOL-1)");
	refused(".yaml", "pools:\n  - {id: a, carrier: cm, kind: fixed, totl: 5}\n", 2, "did you mean total?");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, tags: [a, b, c, d]}\n", 2, "at most 3");
	refused(".yaml", "cards:\n  - {iccid: 89860000000000000001, tags: \"\\xff\"}\n", 2, "tags");
	refused(".yaml", "polls: []\n", 1, "did you mean pools?");
}

/* Members of a pool that is defined elsewhere may differ in plans that share nothing. */
static void
test_pool_elsewhere(void **state)
{
	(void)state;
	static struct sink sink;
	uint64_t count = 0;
	struct weir_error err = {0};
	memset(&sink, 0, sizeof(sink));
	assert_int_equal(
	    read_text(".yaml",
		FLEET "cards:\n  - {iccid: 89860000000000000001, carrier: x, plan: q, pool: a}\n"
		      "  - {iccid: 89860000000000000002, carrier: x, pool: a}\n"
		      "  - {iccid: 89860000000000000003, carrier: x, plan: p, pool: b, parent: 89860000000000000001}\n"
		      "  - {iccid: 89860000000000000004, parent: 89860000000000000001}\n",
		&sink, &count, &err),
	    WEIR_OK);
	assert_int_equal(count, 9);
}

static void
test_csv_lists(void **state)
{
	(void)state;
	expect_read(".csv",
	    "iccid,pool,parent,since,tags\n"
	    "89860000000000000001,a,89860000000000000009,2026-01-01T00:00:00+08:00,x;7\n"
	    "89860000000000000002,null,null,null,null\n"
	    "89860000000000000003,,,,\"a,b;c\"\n",
	    "89860000000000000001 {\"type\":\"card\",\"iccid\":\"89860000000000000001\",\"pool\":\"a\","
	    "\"parent\":\"89860000000000000009\",\"since\":\"2026-01-01T00:00:00+08:00\",\"tags\":[\"x\",\"7\"]}\n"
	    "89860000000000000002 {\"type\":\"card\",\"iccid\":\"89860000000000000002\",\"pool\":null,\"parent\":null,"
	    "\"since\":null,\"tags\":null}\n"
	    "89860000000000000003 {\"type\":\"card\",\"iccid\":\"89860000000000000003\",\"tags\":[\"a,b\",\"c\"]}\n");
	refused(".csv", "iccid,tags\n89860000000000000001,a;b;c;d\n", 2, "at most 3");
	refused(".csv", "iccid,tags\n89860000000000000001,a;;b\n", 2, "tags");
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
	assert_int_equal(count, 5 + 3 + 7 + 4 + 10 + 820);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_yaml),
	    cmocka_unit_test(test_refused_yaml),
	    cmocka_unit_test(test_yaml_pools),
	    cmocka_unit_test(test_refused_pools),
	    cmocka_unit_test(test_pool_elsewhere),
	    cmocka_unit_test(test_csv_rows),
	    cmocka_unit_test(test_csv_lists),
	    cmocka_unit_test(test_refused_csv),
	    cmocka_unit_test(test_emit_may_stop),
	    cmocka_unit_test(test_missing_file),
	    cmocka_unit_test(test_iccid_counts_up),
	    cmocka_unit_test(test_sample_fleet),
	};
	return cmocka_run_group_tests_name("reference_file", tests, NULL, NULL);
}
