/* Feed mappings: what compiles, what is refused and with which line, and that a printed mapping reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/mapping/mapping.h"

static struct weir_mapping *
parse_mapping(const char *yaml)
{
	struct weir_mapping *mapping = NULL;
	struct weir_error err = {0};
	if (weir_mapping_parse("feed", weir_slice_of(yaml), &mapping, &err) != WEIR_OK)
		fail_msg("%s", err.text);
	return mapping;
}

static const char EMNIFY[] = "filter:\n"
			     "  - {path: traffic_type.id, equals: [5]}\n"
			     "iccid: sim.iccid\n"
			     "id: id\n"
			     "up: {path: volume.tx, unit: MB}\n"
			     "down: {path: volume.rx, unit: KiB}\n"
			     "end: {path: end_timestamp, format: unix_ms}\n"
			     "start: start_timestamp\n"
			     "imei: endpoint.imei\n";

static void
test_compiles(void **state)
{
	(void)state;
	struct weir_mapping *mapping = parse_mapping(EMNIFY);
	assert_string_equal(mapping->name, "feed");
	assert_string_equal(mapping->fields[WEIR_FIELD_ICCID].path, "sim.iccid");
	assert_int_equal(mapping->fields[WEIR_FIELD_UP].unit_bytes, 1000000);
	assert_true(mapping->fields[WEIR_FIELD_UP].decimal);
	assert_int_equal(mapping->fields[WEIR_FIELD_DOWN].unit_bytes, 1024);
	assert_int_equal(mapping->fields[WEIR_FIELD_END].time_format, WEIR_TIME_UNIX_MS);
	assert_int_equal(mapping->fields[WEIR_FIELD_START].time_format, WEIR_TIME_ISO);
	assert_null(mapping->fields[WEIR_FIELD_SEQ].path);
	assert_int_equal(mapping->filter_count, 1);
	assert_string_equal(mapping->filters[0].path, "traffic_type.id");
	assert_string_equal(mapping->filters[0].values[0], "5");
	assert_false(mapping->filters[0].prefix);
	weir_mapping_free(mapping);
}

static void
test_totals_and_events(void **state)
{
	(void)state;
	struct weir_mapping *mapping = parse_mapping("volume: total\nsession: s\nup: u\ndown: d\nend: t\n"
						     "event: {path: e, start: [Start, 1], stop: Stop}\n"
						     "filter: [{path: k, prefix: a}]\n");
	assert_null(mapping->fields[WEIR_FIELD_UP].path);
	assert_string_equal(mapping->fields[WEIR_FIELD_UP_TOTAL].path, "u");
	assert_string_equal(mapping->fields[WEIR_FIELD_DOWN_TOTAL].path, "d");
	assert_int_equal(mapping->event_value_count[0], 2);
	assert_string_equal(mapping->event_values[0][1], "1");
	assert_int_equal(mapping->event_value_count[1], 0);
	assert_string_equal(mapping->event_values[2][0], "Stop");
	assert_true(mapping->filters[0].prefix);
	weir_mapping_free(mapping);
	mapping = parse_mapping("id: i\nup: u\nend: t\nevent: e\n");
	assert_string_equal(mapping->event_values[1][0], "update");
	weir_mapping_free(mapping);
}

static void
test_canonical(void **state)
{
	(void)state;
	const struct weir_mapping *mapping = weir_mapping_canonical();
	for (uint32_t i = 0; i < WEIR_FIELD_COUNT; i++) {
		assert_non_null(mapping->fields[i].path);
		assert_int_equal(mapping->fields[i].unit_bytes, 1);
	}
	assert_int_equal(mapping->fields[WEIR_FIELD_END].time_format, WEIR_TIME_ISO_OR_MS);
	assert_int_equal(mapping->fields[WEIR_FIELD_START].time_format, WEIR_TIME_ISO_OR_MS);
	assert_string_equal(mapping->event_values[2][0], "stop");
}

static void
print(const struct weir_mapping *mapping, char *out, size_t size)
{
	memset(out, 0, size);
	FILE *file = fmemopen(out, size - 1, "w");
	weir_mapping_print(mapping, 0, file);
	(void)fclose(file);
}

static void
test_print_reads_back(void **state)
{
	(void)state;
	static const char *const texts[] = {EMNIFY,
	    "volume: total\nsession: s\nup: u\nend: t\nevent: {path: e, start: ['a\"b', \"\\x01\"]}\nplmn: 'p q'\n"};
	for (size_t i = 0; i < 2; i++) {
		char first[2048], second[2048];
		struct weir_mapping *mapping = parse_mapping(texts[i]);
		print(mapping, first, sizeof(first));
		weir_mapping_free(mapping);
		mapping = parse_mapping(first);
		print(mapping, second, sizeof(second));
		weir_mapping_free(mapping);
		assert_string_equal(first, second);
	}
}

static void
test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *says;
	} cases[] = {
	    {"id: i\nup: u\n", "needs end"},
	    {"up: u\nend: t\n", "needs an identity"},
	    {"session: s\nup: u\nend: t\n", "needs an identity"},
	    {"id: i\nend: t\n", "needs volumes"},
	    {"id: i\nup_total: u\nend: t\n", "totals need session"},
	    {"id: i\nseq: q\nup: u\nend: t\n", "seq needs session"},
	    {"id: i\nup: u\nendd: t\n", "feed:3: feeds.feed.endd: unknown; did you mean end?"},
	    {"id: i\nup: {path: u, unit: GB}\nend: t\n", "feed:2: feeds.feed.unit"},
	    {"id: i\nup: {path: u, unti: MB}\nend: t\n", "did you mean unit?"},
	    {"id: {path: i, unit: MB}\nup: u\nend: t\n", "unit: unknown"},
	    {"id: i\nup: u\nend: {path: t, format: rfc822}\n", "not a time format"},
	    {"id: i\nup: {unit: MB}\nend: t\n", "up: needs a path"},
	    {"id: i\nup: [u]\nend: t\n", "not a path"},
	    {"id: i\nup: a..b\nend: t\n", "not a path"},
	    {"id: i\nup: .a\nend: t\n", "not a path"},
	    {"id: i\nup: \nend: t\n", "not a path"},
	    {"id: i\nup: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\nend: t\n", "not a path"},
	    {"id: i\nup: u\nend: t\nvolume: sum\n", "delta or total"},
	    {"id: i\nup: u\nend: t\nfilter: x\n", "filter"},
	    {"id: i\nup: u\nend: t\nfilter: [{path: x}]\n", "needs path and either"},
	    {"id: i\nup: u\nend: t\nfilter: [{path: x, equals: []}]\n", "1 to 8"},
	    {"id: i\nup: u\nend: t\nfilter: [{path: x, equals: [1,2,3,4,5,6,7,8,9]}]\n", "1 to 8"},
	    {"id: i\nup: u\nend: t\nfilter: [{path: x, equals: 1, prefix: 2}]\n", "1 to 8"},
	    {"id: i\nup: u\nend: t\nfilter: [{path: x, equals: [{a: b}]}]\n", "1 to 8"},
	    {"id: i\nup: u\nend: t\nfilter: [{},{},{},{},{},{},{},{},{}]\n", "at most 8"},
	    {"volume: total\nsession: s\nup: u\nup_total: v\nend: t\n", "given twice"},
	    {"id: i\nid: j\nup: u\nend: t\n", "given twice; first in line 1"},
	    {"[1, 2]", "a map of fields"},
	    {"id: &a i\nup: *a\nend: t\n", "not supported"},
	    {"id: \"a\\0b\"\nup: u\nend: t\n", "zero byte"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_mapping *mapping = NULL;
		struct weir_error err = {0};
		assert_int_equal(weir_mapping_parse("feed", weir_slice_of(cases[i].yaml), &mapping, &err), WEIR_POISON);
		assert_null(mapping);
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("case %zu: '%s' does not say '%s'", i, err.text, cases[i].says);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compiles),
	    cmocka_unit_test(test_totals_and_events),
	    cmocka_unit_test(test_canonical),
	    cmocka_unit_test(test_print_reads_back),
	    cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
