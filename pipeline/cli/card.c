/*
 * `weir card`: one card, all that Redis knows of it, or the cards that filters find. No older than one flush (ROL-4).
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/amounts.h"
#include "config/base/exit.h"
#include "config/base/iccid.h"
#include "config/calendar/instants.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/cli/table.h"

#define PAGE 500u

static const struct weir_usage usage = {
    .command = "card",
    .arguments = "[ICCID]",
    .text =
	"With an ICCID: the card's status, usage of its cycle, limits, pool, reasons to be cut off (and which of them its\n"
	"carrier does not enforce), its last command, and a smart card's children with their sum.\n"
	"Without: the cards that match all filters, a line each. Exit code 1 when there is no such card.\n",
};

static void
print_line(const char *name, const char *fmt, ...)
{
	va_list args;
	(void)printf("%-14s", name);
	va_start(args, fmt);
	(void)vprintf(fmt, args);
	va_end(args);
	(void)putchar('\n');
}

static const char *
or_dash(const char *text)
{
	return text[0] == '\0' ? "-" : text;
}

static void
show_usage(const struct weir_card_view *card)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], c[WEIR_AMOUNT_TEXT_MAX], cycle[16];
	weir_cycle_format(card->cycle.number, cycle);
	print_line("cycle", "%s  (in %s)", cycle, or_dash(card->zone));
	print_line(
	    "cycle runs", "%s to %s", weir_instant_text(card->cycle.start_us, a), weir_instant_text(card->cycle.end_us, b));
	print_line("used", "%s  (%s bytes)", weir_amount_text(weir_volume_bytes(&card->used), a),
	    weir_count_text(weir_volume_bytes(&card->used), b));
	print_line("up, down", "%s, %s", weir_amount_text(card->used.up, a), weir_amount_text(card->used.down, b));
	print_line("records", "%s in %s sessions, the last %s", weir_count_text(card->used.records, a),
	    weir_count_text(card->used.sessions, b), weir_instant_text(card->last_record_us, c));
	if (card->stored_status == WEIR_STATUS_TESTABLE)
		print_line("test used", "%s", weir_amount_text(card->test_used, a));
}

static void
show_limits(const struct weir_card_view *card)
{
	char a[WEIR_AMOUNT_TEXT_MAX];
	print_line("allowance", "%s", weir_amount_text(card->total, a));
	if (card->addons > 0)
		print_line("add-ons", "%s in it", weir_amount_text(card->addons, a));
	print_line("usage limit", "%s%s%s%s", weir_amount_text(card->limit, a),
	    card->limit_lifted             ? ", lifted until the cycle ends"
	    : card->limit_own              ? ", its own"
	    : card->limit != WEIR_NO_LIMIT ? ", its plan's"
					   : "",
	    card->limit == WEIR_NO_LIMIT || card->auto_restore ? "" : ", kept over the cycle's end", "");
	print_line("remaining", "%s", weir_amount_text(card->remaining, a));
}

static void
show_command(const struct weir_command_view *command)
{
	static const char *const states[] = {"unknown", "active", "suspended"};
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], c[WEIR_AMOUNT_TEXT_MAX];
	if (!command->exists)
		return;
	print_line("desired", "%s, confirmed %s", states[command->desired], states[command->confirmed]);
	print_line("command", "%s %s, %u attempts, ticket %s", or_dash(command->action), command->state, command->attempts,
	    or_dash(command->ticket));
	print_line("decided", "%s by %s", weir_instant_text(command->decided_us, a), weir_reason_name(command->reason));
	print_line("sent", "%s, confirmed %s", weir_instant_text(command->sent_us, b),
	    weir_instant_text(command->confirmed_us, c));
	if (command->limit != 0)
		print_line("overshoot", "%s above %s", weir_amount_text(command->overshoot, a),
		    weir_amount_text(command->limit, b));
}

static void
show_people(const struct weir_card_view *card)
{
	if (card->tag_count > 0) {
		(void)printf("%-14s", "tags");
		for (uint32_t i = 0; i < card->tag_count; i++)
			(void)printf("%s%s", i > 0 ? ", " : "", card->tags[i]);
		(void)putchar('\n');
	}
	if (card->remark[0] != '\0')
		print_line("remark", "%s", card->remark);
	if (card->has_parent)
		print_line("parent", "%s", card->parent);
}

static void
show_children(const struct weir_card_view *card)
{
	static const struct weir_column columns[] = {
	    {"  sub-card", 'l'}, {"carrier", 'l'}, {"status", 'l'}, {"used", 'r'}, {NULL, 0}};
	struct weir_table table;
	char a[WEIR_AMOUNT_TEXT_MAX];
	if (card->child_count == 0)
		return;
	print_line("sub-cards", "%s used by all", weir_amount_text(card->children_used, a));
	weir_table_init(&table, columns);
	for (uint32_t i = 0; i < card->child_count; i++) {
		const struct weir_child_view *child = &card->children[i];
		char iccid[WEIR_ICCID_TEXT_MAX];
		(void)weir_iccid_format(child->iccid, iccid);
		weir_table_cell(&table, "  %s", iccid);
		weir_table_cell(&table, "%s", or_dash(child->carrier));
		weir_table_cell(&table, "%s", child->known ? child->status : "not known");
		weir_table_cell(&table, "%s", weir_amount_text(child->used, a));
	}
	weir_table_print(&table, stdout);
	weir_table_free(&table);
}

static void
show_card(const struct weir_card_view *card)
{
	char reasons[WEIR_REASONS_TEXT_MAX], a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX];
	print_line("card", "%s", card->text);
	print_line("status", "%s%s%s", card->status, card->expired ? ", expired" : "",
	    card->auto_registered ? ", registered by its first record" : "");
	print_line("carrier", "%s, plan %s, pool %s", or_dash(card->carrier), or_dash(card->plan), or_dash(card->pool));
	print_line("activated", "%s, expires %s", weir_instant_text(card->activated_us, a),
	    weir_instant_text(card->expires_us, b));
	if (card->imei14 != 0)
		print_line("imei", "%014" PRIu64, card->imei14);
	show_usage(card);
	show_limits(card);
	print_line("reasons", "%s", weir_reasons_text(card->reasons, reasons));
	if (card->not_enforced != 0)
		print_line("not enforced", "%s", weir_reasons_text(card->not_enforced, reasons));
	show_command(&card->command);
	show_people(card);
	show_children(card);
	print_line("place", "partition %u, slot %u", card->partition, card->slot);
}

static int
one_card(struct weir_reading *reading, const char *word, bool as_json)
{
	const struct weir_card_view *card;
	struct weir_error err = {0};
	struct weir_iccid iccid;
	(void)weir_iccid_parse((const uint8_t *)word, strlen(word), &iccid);
	enum weir_read answer = weir_read_card(reading->reader, iccid, &card, &err);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, &err);
	if (!as_json) {
		show_card(card);
		return WEIR_EXIT_OK;
	}
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_print_card(&json, NULL, card);
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
	return WEIR_EXIT_OK;
}

/* ---- lists ---- */

static void
add_row(struct weir_table *table, const struct weir_card_view *card)
{
	char a[WEIR_AMOUNT_TEXT_MAX], reasons[WEIR_REASONS_TEXT_MAX];
	weir_table_cell(table, "%s", card->text);
	weir_table_cell(table, "%s", card->status);
	weir_table_cell(table, "%s", or_dash(card->carrier));
	weir_table_cell(table, "%s", or_dash(card->plan));
	weir_table_cell(table, "%s", or_dash(card->pool));
	weir_table_cell(table, "%s", weir_amount_text(weir_volume_bytes(&card->used), a));
	weir_table_cell(table, "%s", card->remaining == WEIR_NO_LIMIT ? "-" : weir_amount_text(card->remaining, a));
	weir_table_cell(table, "%s", weir_reasons_text(card->reasons, reasons));
}

/* One object a line, so that a program may read the list as it comes. */
static void
json_rows(const struct weir_card_page *page, struct weir_buf *buf)
{
	for (uint32_t i = 0; i < page->count; i++) {
		struct weir_json json = {buf, false};
		weir_print_card_row(&json, &page->cards[i]);
		(void)weir_reading_put(buf);
	}
}

int
weir_cli_card_list(struct weir_reading *reading, const struct weir_card_query *query, uint64_t max, bool as_json)
{
	static const struct weir_column columns[] = {{"iccid", 'l'}, {"status", 'l'}, {"carrier", 'l'}, {"plan", 'l'},
	    {"pool", 'l'}, {"used", 'r'}, {"remaining", 'r'}, {"reasons", 'l'}, {NULL, 0}};
	struct weir_card_page page = {0};
	struct weir_error err = {0};
	struct weir_table table;
	struct weir_buf buf = {0};
	uint64_t shown = 0;
	enum weir_read answer;
	weir_table_init(&table, columns);
	weir_table_spare(&table, "remaining,plan,carrier,pool");
	do {
		uint32_t room = max - shown < PAGE ? (uint32_t)(max - shown) : PAGE;
		answer = weir_read_search(reading->reader, query, page.next, room, &page, &err);
		if (answer != WEIR_READ_OK)
			break;
		shown += page.count;
		if (as_json)
			json_rows(&page, &buf);
		for (uint32_t i = 0; !as_json && i < page.count; i++)
			add_row(&table, &page.cards[i]);
	} while (page.next[0] != '\0' && shown < max && ferror(stdout) == 0);
	weir_table_print(&table, stdout);
	weir_table_free(&table);
	weir_buf_free(&buf);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, &err);
	if (page.next[0] != '\0' && !as_json)
		(void)fprintf(stderr, "the first %" PRIu64 "; --max N shows more\n", shown);
	return WEIR_EXIT_OK;
}

int
weir_cli_card(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct weir_filters filters = {0};
	struct weir_card_query query;
	bool as_json = false;
	uint64_t max = 100;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common), WEIR_OPTIONS_FILTERS(filters),
	    {.name = "max", .placeholder = "N", .help = "at most so many cards of a list (100)", .number = &max, .min = 1},
	    {.name = "json", .help = "one JSON object, or one a line of a list", .flag = &as_json}, {0}};
	struct weir_words words;
	struct weir_iccid iccid;
	struct weir_error err = {0};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 1, &words, &code))
		return code;
	if (words.n == 0 && !weir_filters_given(&filters))
		(void)weir_error_set(
		    &err, WEIR_POISON, "an argument is missing: an ICCID, or filters as --status suspended");
	else if (words.n == 1 && weir_filters_given(&filters))
		(void)weir_error_set(&err, WEIR_POISON, "either an ICCID or filters");
	else if (words.n == 1 && !weir_iccid_parse((const uint8_t *)words.v[0], strlen(words.v[0]), &iccid))
		(void)weir_error_set(&err, WEIR_POISON, "'%s' is no ICCID: 19 or 20 letters and digits", words.v[0]);
	else
		(void)weir_filters_query(&filters, &query, &err);
	if (err.class != WEIR_OK)
		return weir_exit_fail("card", WEIR_EXIT_USAGE, &err);
	struct weir_reading reading;
	code = weir_reading_open(&reading, "card", &common);
	if (code == WEIR_EXIT_OK)
		code = words.n == 1 ? one_card(&reading, words.v[0], as_json)
				    : weir_cli_card_list(&reading, &query, max, as_json);
	weir_reading_close(&reading);
	return code;
}
