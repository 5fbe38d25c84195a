/* Cards as CSV: columns, windows of usage, quoting, and what is refused. The rows' usage is read_lists_test's. */
#include "read_fixture.h"

#include "pipeline/query/csv.h"

static const char *
text_of(struct weir_buf *buf)
{
	weir_buf_append(buf, "", 1);
	buf->len = 0;
	return (const char *)buf->data;
}

/* RFC 4180. */
static void
fields_are_quoted_where_they_need_it(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	static const char *const rows[][2] = {{"plain", "plain"}, {"", ""}, {"a,b", "\"a,b\""},
	    {"say \"hi\"", "\"say \"\"hi\"\"\""}, {"two\nlines", "\"two\nlines\""}, {"tab\tin", "\"tab\tin\""},
	    {" edge", "\" edge\""}, {"edge ", "\"edge \""}, {"in side", "in side"}, {"\xe4\xb8\x83", "\xe4\xb8\x83"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		weir_csv_text(&buf, rows[i][0]);
		assert_string_equal(text_of(&buf), rows[i][1]);
	}
	weir_buf_free(&buf);
}

/* What a spreadsheet would take for a formula stays a text there. */
static void
formulas_are_guarded(void **state)
{
	(void)state;
	struct weir_buf buf = {0};
	static const char *const rows[][2] = {{"=1+1", "'=1+1"}, {"+49 30", "'+49 30"}, {"-1", "'-1"},
	    {"@SUM(A1)", "'@SUM(A1)"}, {"\t=1", "\"'\t=1\""}, {"\r=1", "\"'\r=1\""},
	    {"=cmd|' /C calc'!A0,1", "\"'=cmd|' /C calc'!A0,1\""},
	    {"=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""}, {"a=b", "a=b"}, {"'=", "'="}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		weir_csv_text(&buf, rows[i][0]);
		assert_string_equal(text_of(&buf), rows[i][1]);
	}
	weir_buf_free(&buf);
}

static void
columns_are_chosen_by_name(void **state)
{
	(void)state;
	struct weir_csv csv = {0};
	struct weir_error err = {0};
	struct weir_buf buf = {0};
	assert_int_equal(weir_csv_fields(&csv, "tags,iccid", &err), WEIR_READ_OK);
	weir_csv_header(&csv, &buf);
	assert_string_equal(text_of(&buf), "tags,iccid\r\n");
	assert_int_equal(weir_csv_fields(&csv, NULL, &err), WEIR_READ_OK);
	weir_csv_header(&csv, &buf);
	assert_int_equal(strncmp(text_of(&buf), "iccid,status,carrier,", 21), 0);
	/* all of them at once */
	struct weir_buf all = {0};
	for (uint32_t i = 0; weir_csv_field_name(i) != NULL; i++)
		weir_buf_printf(&all, "%s%s", i > 0 ? "," : "", weir_csv_field_name(i));
	assert_int_equal(weir_csv_fields(&csv, text_of(&all), &err), WEIR_READ_OK);
	weir_buf_free(&all);
	static const char *const wrong[][2] = {{"icid", "did you mean 'iccid'?"}, {"iccid,iccid", "named twice"},
	    {"iccid,", "no field ''"}, {",", "no field ''"}, {"iccid,,tags", "no field ''"}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(weir_csv_fields(&csv, wrong[i][0], &err), WEIR_READ_REFUSED);
		assert_int_equal(strncmp(err.text, "fields: ", 8), 0);
		assert_non_null(strstr(err.text, wrong[i][1]));
	}
	weir_buf_free(&buf);
}

#define HOUR_US INT64_C(3600000000)
#define NOON_US ((int64_t)TODAY * 24 * HOUR_US + 12 * HOUR_US)

static void
windows_are_days_or_months(void **state)
{
	(void)state;
	struct weir_csv csv = {0};
	struct weir_error err = {0};
	struct weir_buf buf = {0};
	assert_int_equal(weir_csv_fields(&csv, "iccid", &err), WEIR_READ_OK);
	assert_int_equal(weir_csv_usage(&csv, "day", "2026-02-27", "2026-03-01", NULL, NOW_S * S_US, &err), WEIR_READ_OK);
	weir_csv_header(&csv, &buf);
	assert_string_equal(text_of(&buf), "iccid,2026-02-27,2026-02-28,2026-03-01\r\n");
	assert_int_equal(
	    weir_csv_usage(&csv, "cycle", "2025-12", "2026-01", "records,up_bytes", NOW_S * S_US, &err), WEIR_READ_OK);
	weir_csv_header(&csv, &buf);
	assert_string_equal(text_of(&buf), "iccid,2025-12 records,2025-12 up_bytes,2026-01 records,2026-01 up_bytes\r\n");
	/* this month's days so far, east of UTC also tomorrow's; the last seven cycles, and the one of the next month's
	 * name */
	assert_int_equal(weir_csv_usage(&csv, "day", "", "", "", NOON_US - 3 * HOUR_US, &err), WEIR_READ_OK);
	assert_int_equal(csv.first, TODAY - 29);
	assert_int_equal(csv.windows, 30);
	assert_int_equal(weir_csv_usage(&csv, "day", "", "", "", NOON_US, &err), WEIR_READ_OK);
	assert_int_equal(csv.windows, 31);
	assert_int_equal(weir_csv_usage(&csv, "cycle", NULL, NULL, NULL, NOW_S * S_US, &err), WEIR_READ_OK);
	assert_int_equal(csv.first, CYCLE(2025, 9));
	assert_int_equal(csv.windows, 8);
	static const struct {
		const char *span, *from, *to, *fields, *says;
	} wrong[] = {{"hour", NULL, NULL, NULL, "usage: "}, {"day", "2026-02-30", NULL, NULL, "from: "},
	    {"day", "2026-02", NULL, NULL, "from: "}, {"day", NULL, "x", NULL, "to: "},
	    {"cycle", "2026-13", NULL, NULL, "from: "}, {"cycle", "2026-1 ", NULL, NULL, "from: "},
	    {"day", "2026-03-02", "2026-03-01", NULL, "from: "}, {"day", "2025-01-01", "2026-01-02", NULL, "from: "},
	    {"day", NULL, NULL, "bytes", "usage_fields: "}};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(
		    weir_csv_usage(&csv, wrong[i].span, wrong[i].from, wrong[i].to, wrong[i].fields, NOW_S * S_US, &err),
		    WEIR_READ_REFUSED);
		assert_int_equal(strncmp(err.text, wrong[i].says, strlen(wrong[i].says)), 0);
	}
	weir_buf_free(&buf);
}

static void
rows_hold_what_the_views_say(void **state)
{
	(void)state;
	struct weir_csv csv = {0};
	struct weir_error err = {0};
	struct weir_buf buf = {0};
	const struct weir_card_view card = {.text = "89860000000000000001",
	    .carrier = "cm",
	    .plan = "a,b",
	    .pool = "",
	    .status = "suspended",
	    .zone = "",
	    .cycle = {0, 0, CYCLE(2026, 3)},
	    .used = {.up = UINT64_MAX, .down = 1, .records = 3, .sessions = 2},
	    .last_record_us = NOW_S * S_US,
	    .limit = WEIR_NO_LIMIT,
	    .remaining = 0,
	    .reasons = WEIR_REASON_BIT(WEIR_REASON_USAGE_LIMIT) | WEIR_REASON_BIT(WEIR_REASON_MANUAL),
	    .expires_us = INT64_MAX,
	    .tags = {"x", "y;z", "\"q\""},
	    .tag_count = 3,
	    .remark = "",
	    .command = {.ticket = ""}};
	const struct weir_card_page page = {.cards = &card, .count = 1};
	assert_int_equal(
	    weir_csv_fields(&csv,
		"iccid,status,plan,pool,cycle,used_bytes,limit_bytes,remaining_bytes,reasons,last_record,expires,"
		"imei,tags,command",
		&err),
	    WEIR_READ_OK);
	assert_int_equal(weir_csv_rows(NULL, &csv, &page, &buf, &err), WEIR_READ_OK);
	assert_string_equal(text_of(&buf),
	    "89860000000000000001,suspended,\"a,b\",,2026-03,18446744073709551615,,0,usage_limit;manual,"
	    "2026-03-30T05:08:06.000Z,,,\"x;y;z;\"\"q\"\"\",\r\n");
	weir_buf_free(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_are_quoted_where_they_need_it),
	    cmocka_unit_test(formulas_are_guarded),
	    cmocka_unit_test(columns_are_chosen_by_name),
	    cmocka_unit_test(windows_are_days_or_months),
	    cmocka_unit_test(rows_hold_what_the_views_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
