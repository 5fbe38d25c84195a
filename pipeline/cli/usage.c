/*
 * `weir usage`: a card's or a pool's usage by hour, day or cycle (ROL-1). Windows are shown in the carrier's zone.
 */
#include <stdio.h>
#include <string.h>

#include "config/base/amounts.h"
#include "config/base/clock.h"
#include "config/base/exit.h"
#include "config/calendar/instants.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/cli/table.h"

static const struct weir_usage usage = {
    .command = "usage",
    .arguments = "ICCID|POOL",
    .text =
	"Shows usage by hour, day or cycle of the carrier's calendar. Without a range: the last 24 hours, the days of "
	"this\n"
	"and the last cycle, all cycles that are kept. Times are 2026-11-21 (a local day), 2026-11-21T08:00:00Z, or so\n"
	"long ago: 90m, 24h, 7d. A word that could be an ICCID is one, unless --pool says otherwise.\n",
};

struct asked {
	const char *subject;
	bool is_pool;
	struct weir_iccid iccid;
	enum weir_span span;
	const char *from, *to;
	bool as_json;
};

/* The zone in which days are written on the command line: of the card's or pool's carrier. */
static enum weir_read
find_zone(struct weir_reader *reader, const struct asked *asked, struct weir_zone **zone_out, struct weir_error *err)
{
	const struct weir_card_view *card;
	const struct weir_pool_view *pool;
	enum weir_read answer = asked->is_pool ? weir_read_pool(reader, asked->subject, &pool, err)
					       : weir_read_card(reader, asked->iccid, &card, err);
	if (answer != WEIR_READ_OK)
		return answer;
	const char *name = asked->is_pool ? pool->zone : card->zone;
	if (name[0] == '\0' || weir_zone_open(name, zone_out, err) != WEIR_OK)
		*zone_out = NULL;
	return WEIR_READ_OK;
}

static void
print_table(const struct weir_usage_rows *rows, const struct weir_zone *zone)
{
	static const struct weir_column columns[] = {
	    {"window", 'l'}, {"up", 'r'}, {"down", 'r'}, {"used", 'r'}, {"records", 'r'}, {"sessions", 'r'}, {NULL, 0}};
	struct weir_table table;
	struct weir_volume sum = {0};
	char a[WEIR_AMOUNT_TEXT_MAX];
	weir_table_init(&table, columns);
	for (uint32_t i = 0; i <= rows->count; i++) {
		bool last = i == rows->count;
		const struct weir_volume *v = last ? &sum : &rows->rows[i].volume;
		if (last) {
			weir_table_cell(&table, "sum");
		} else if (rows->span == WEIR_SPAN_CYCLE) {
			weir_cycle_format(rows->rows[i].cycle, a);
			weir_table_cell(&table, "%s%s", a, rows->rows[i].open ? " *" : "");
		} else {
			weir_table_cell(&table, "%s%s",
			    weir_local_text(zone, rows->rows[i].window.start_us, rows->span == WEIR_SPAN_HOUR, a),
			    rows->rows[i].open ? " *" : "");
		}
		weir_table_cell(&table, "%s", weir_amount_text(v->up, a));
		weir_table_cell(&table, "%s", weir_amount_text(v->down, a));
		weir_table_cell(&table, "%s", weir_amount_text(weir_volume_bytes(v), a));
		weir_table_cell(&table, "%s", weir_count_text(v->records, a));
		weir_table_cell(&table, "%s", weir_count_text(v->sessions, a));
		sum.up += last ? 0 : v->up;
		sum.down += last ? 0 : v->down;
		sum.records += last ? 0 : v->records;
		sum.sessions += last ? 0 : v->sessions;
	}
	weir_table_print(&table, stdout);
	weir_table_free(&table);
	(void)printf("in %s; * has not ended yet\n", rows->zone);
}

static void
print_json(const struct asked *asked, const struct weir_usage_rows *rows)
{
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, asked->is_pool ? "pool" : "iccid", asked->subject);
	weir_json_text(&json, "by", weir_span_name(rows->span));
	weir_json_text(&json, "zone", rows->zone);
	weir_json_open(&json, "windows", '[');
	for (uint32_t i = 0; i < rows->count; i++)
		weir_print_usage_row(&json, rows->span, &rows->rows[i]);
	weir_json_close(&json, ']');
	weir_json_close(&json, '}');
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
}

static int
show_usage(struct weir_reading *reading, const struct asked *asked)
{
	struct weir_zone *zone = NULL;
	struct weir_usage_rows rows;
	struct weir_error err = {0};
	int64_t from_us = 0, to_us = 0, now_us = weir_wall_now().us;
	enum weir_read answer = find_zone(reading->reader, asked, &zone, &err);
	if (answer == WEIR_READ_OK &&
	    ((asked->from != NULL && !weir_instant_parse(asked->from, zone, false, now_us, &from_us, &err)) ||
		(asked->to != NULL && !weir_instant_parse(asked->to, zone, true, now_us, &to_us, &err))))
		answer = WEIR_READ_REFUSED;
	if (answer == WEIR_READ_OK)
		answer =
		    asked->is_pool
			? weir_read_pool_usage(reading->reader, asked->subject, asked->span, from_us, to_us, &rows, &err)
			: weir_read_card_usage(reading->reader, asked->iccid, asked->span, from_us, to_us, &rows, &err);
	if (answer == WEIR_READ_OK && asked->as_json)
		print_json(asked, &rows);
	else if (answer == WEIR_READ_OK)
		print_table(&rows, zone);
	weir_zone_free(zone);
	return answer == WEIR_READ_OK ? WEIR_EXIT_OK : weir_reading_fail(reading, answer, &err);
}

int
weir_cli_usage(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct asked asked = {0};
	const char *by = "day";
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "by", .placeholder = "WORD", .help = "hour, day (the default) or cycle", .text = &by},
	    {.name = "from", .placeholder = "TIME", .help = "windows from this time on", .text = &asked.from},
	    {.name = "to", .placeholder = "TIME", .help = "up to this time", .text = &asked.to},
	    {.name = "pool", .help = "the word is a pool's id, whatever it looks like", .flag = &asked.is_pool},
	    {.name = "json", .help = "one JSON object instead of a table", .flag = &asked.as_json}, {0}};
	struct weir_words words;
	struct weir_error err = {0};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 1, 1, &words, &code))
		return code;
	asked.subject = words.v[0];
	asked.is_pool |= !weir_iccid_parse((const uint8_t *)asked.subject, strlen(asked.subject), &asked.iccid);
	if (!weir_span_parse(by, &asked.span)) {
		(void)weir_error_set(&err, WEIR_POISON, "--by %.40s: must be hour, day or cycle", by);
		return weir_exit_fail("usage", WEIR_EXIT_USAGE, &err);
	}
	struct weir_reading reading;
	code = weir_reading_open(&reading, "usage", &common);
	if (code == WEIR_EXIT_OK)
		code = show_usage(&reading, &asked);
	weir_reading_close(&reading);
	return code;
}
