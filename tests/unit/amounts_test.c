/* How the command line writes and reads amounts, counts and times, and its tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/amounts.h"
#include "config/calendar/instants.h"
#include "pipeline/cli/table.h"

#define NOW_US INT64_C(1774847286000000) /* 2026-03-30T05:08:06Z */
#define HOUR_US INT64_C(3600000000)

static void
amounts_are_readable(void **state)
{
	(void)state;
	char text[WEIR_AMOUNT_TEXT_MAX];
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.00 KiB"}, {1535, "1.49 KiB"}, {10239, "9.99 KiB"},
	    {10240, "10.0 KiB"}, {102400, "100 KiB"}, {1048575, "1023 KiB"}, {1048576, "1.00 MiB"},
	    {UINT64_C(1) << 40, "1.00 TiB"}, {UINT64_MAX - 1, "15.9 EiB"}, {UINT64_MAX, "none"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(weir_amount_text(rows[i].bytes, text), rows[i].text);
	assert_string_equal(weir_amount_signed_text(-2048, text), "-2.00 KiB");
	assert_string_equal(weir_amount_signed_text(INT64_MIN, text), "-8.00 EiB");
	assert_string_equal(weir_count_text(0, text), "0");
	assert_string_equal(weir_count_text(1234567, text), "1,234,567");
	assert_string_equal(weir_count_text(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

/* MB and GB are refused: carriers differ on them. */
static void
amounts_are_read_exactly(void **state)
{
	(void)state;
	uint64_t bytes;
	struct weir_error err;
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {{"1572864000", 1572864000}, {"5MiB", 5242880}, {"1.5gib", 1610612736}, {"1 KiB", 1024}, {"0", 0},
	    {"7 B", 7}, {"0.001KiB", 1}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(weir_amount_parse(rows[i].text, &bytes, &err));
		assert_int_equal(bytes, rows[i].bytes);
	}
	static const char *const wrong[] = {
	    "", "MiB", "-1", "1.5.5KiB", "5XiB", "99999999999999999999", "9223372036854775808", "8192PiB", "1e3", "0x10"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(weir_amount_parse(wrong[i], &bytes, &err));
	assert_false(weir_amount_parse("500MB", &bytes, &err));
	assert_non_null(strstr(err.text, "MiB"));
}

static void
instants_are_local_days_or_so_long_ago(void **state)
{
	(void)state;
	struct weir_zone *zone;
	struct weir_error err;
	int64_t us;
	char text[WEIR_AMOUNT_TEXT_MAX];
	assert_int_equal(weir_zone_open("Asia/Shanghai", &zone, &err), WEIR_OK);
	assert_true(weir_instant_parse("2026-03-30T05:08:06Z", zone, false, NOW_US, &us, &err));
	assert_int_equal(us, NOW_US);
	assert_true(weir_instant_parse("2026-03-30", zone, false, NOW_US, &us, &err));
	assert_string_equal(weir_instant_text(us, text), "2026-03-29 16:00:00Z");
	assert_string_equal(weir_local_text(zone, us, true, text), "2026-03-30 00:00");
	assert_true(weir_instant_parse("2026-03-30", zone, true, NOW_US, &us, &err));
	assert_string_equal(weir_instant_text(us, text), "2026-03-30 16:00:00Z");
	assert_true(weir_instant_parse("2026-03-30", NULL, false, NOW_US, &us, &err));
	assert_string_equal(weir_instant_text(us, text), "2026-03-30 00:00:00Z");
	assert_true(weir_instant_parse("7d", zone, false, NOW_US, &us, &err));
	assert_int_equal(us, NOW_US - 7 * 24 * HOUR_US);
	assert_true(weir_instant_parse("90m", zone, false, NOW_US, &us, &err));
	assert_int_equal(us, NOW_US - HOUR_US * 3 / 2);
	static const char *const wrong[] = {
	    "", "2026-02-30", "2026-3-1", "yesterday", "7", "-7d", "99999999d", "d", "2026-03-30T05"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(weir_instant_parse(wrong[i], zone, false, NOW_US, &us, &err));
	assert_string_equal(weir_instant_text(0, text), "-");
	assert_string_equal(weir_instant_text(INT64_MAX, text), "never");
	weir_zone_free(zone);
}

/* Columns line up whatever letters they hold, and what is stored moves no cursor. */
static void
tables_line_up(void **state)
{
	(void)state;
	static const struct weir_column columns[] = {{"name", 'l'}, {"used", 'r'}, {NULL, 0}};
	struct weir_table table;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(weir_text_width("a\xc3\xa9\xe4\xb8\x83"), 4);
	weir_table_init(&table, columns);
	weir_table_print(&table, out);
	weir_table_cell(&table, "%s", "\xe4\xb8\x83\xe4\xb8\x83\xe4\xb8\x83");
	weir_table_cell(&table, "%d", 7);
	weir_table_cell(&table, "%s", "x\x1b[2Jy");
	weir_table_cell(&table, "%d", 12345);
	weir_table_print(&table, out);
	(void)fclose(out);
	assert_string_equal(text, "name     used\n\xe4\xb8\x83\xe4\xb8\x83\xe4\xb8\x83      7\nx?[2Jy  12345\n");
	free(text);
	weir_table_cell(&table, "%s", "not printed");
	weir_table_free(&table);
}

/* A narrow terminal gets what matters: spare columns go in their order, no more of them than must, the rest stays. */
static void
tables_fit_a_terminal(void **state)
{
	(void)state;
	static const struct weir_column columns[] = {{"card", 'l'}, {"plan", 'l'}, {"used", 'r'}, {"note", 'l'}, {NULL, 0}};
	static const struct {
		uint32_t width, left_out;
		const char *text;
	} cases[] = {{22, 0, "card  plan  used  note\n1     2        3  4\n"},
	    {21, 1, "card  plan  used\n1     2        3\n"}, {16, 1, "card  plan  used\n1     2        3\n"},
	    {15, 2, "card  used\n1        3\n"}, {3, 2, "card  used\n1        3\n"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&text, &len);
		struct weir_table table;
		weir_table_init(&table, columns);
		weir_table_spare(&table, "note,plan");
		for (int cell = 1; cell <= 4; cell++)
			weir_table_cell(&table, "%d", cell);
		assert_int_equal(weir_table_fit(&table, cases[i].width), cases[i].left_out);
		weir_table_print(&table, out);
		(void)fclose(out);
		assert_string_equal(text, cases[i].text);
		free(text);
		weir_table_free(&table);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(amounts_are_readable),
	    cmocka_unit_test(amounts_are_read_exactly),
	    cmocka_unit_test(instants_are_local_days_or_so_long_ago),
	    cmocka_unit_test(tables_line_up),
	    cmocka_unit_test(tables_fit_a_terminal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
