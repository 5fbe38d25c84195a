/*
 * `weir commands` and `weir audit`: what was decided about a card (or pool) and what became of it (CMD-4), as far as Redis
 * keeps it (audit.history); all of it is in the audit topic.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/base/amounts.h"
#include "config/base/exit.h"
#include "config/calendar/instants.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/cli/table.h"

static const struct weir_usage commands_usage = {
    .command = "commands",
    .arguments = "ICCID",
    .text =
	"Shows a card's commands, newest first: why, when decided, sent and confirmed, the carrier's ticket, and by how\n"
	"much the limit was overshot. As far as Redis keeps them (audit.history).\n",
};
static const struct weir_usage audit_usage = {
    .command = "audit",
    .arguments = "ICCID|POOL",
    .text = "Shows the audit entries of a card or a pool, newest first, as far as Redis keeps them (audit.history).\n"
	    "A word that could be an ICCID is one, unless --pool says otherwise.\n",
};

static const char *
or_dash(const char *text)
{
	return text[0] == '\0' ? "-" : text;
}

/* Milliseconds between two instants; "-" when one is missing. */
static const char *
after_text(int64_t from_us, int64_t to_us, char out[WEIR_AMOUNT_TEXT_MAX])
{
	if (from_us <= 0 || to_us < from_us)
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "-");
	else if (to_us - from_us < 100000000)
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%.1f ms", (double)(to_us - from_us) / 1000);
	else
		(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "%" PRId64 " s", (to_us - from_us) / 1000000);
	return out;
}

static void
commands_table(const struct weir_commands *commands)
{
	static const struct weir_column columns[] = {{"decided", 'l'}, {"action", 'l'}, {"reason", 'l'}, {"state", 'l'},
	    {"sent in", 'r'}, {"confirmed in", 'r'}, {"limit", 'r'}, {"overshoot", 'r'}, {"ticket", 'l'}, {NULL, 0}};
	struct weir_table table;
	char a[WEIR_AMOUNT_TEXT_MAX];
	weir_table_init(&table, columns);
	weir_table_spare(&table, "ticket,limit,sent in");
	for (uint32_t i = 0; i < commands->count; i++) {
		const struct weir_command_entry *c = &commands->commands[i];
		weir_table_cell(&table, "%s", weir_instant_text(c->decided_us, a));
		weir_table_cell(&table, "%s", or_dash(c->action));
		weir_table_cell(&table, "%s", weir_reason_name(c->reason));
		weir_table_cell(&table, "%s", c->state);
		weir_table_cell(&table, "%s", after_text(c->decided_us, c->sent_us, a));
		weir_table_cell(&table, "%s", after_text(c->decided_us, c->confirmed_us, a));
		weir_table_cell(&table, "%s", c->limit == 0 ? "-" : weir_amount_text(c->limit, a));
		weir_table_cell(&table, "%s", c->limit == 0 ? "-" : weir_amount_text(c->overshoot, a));
		weir_table_cell(&table, "%s", or_dash(c->ticket));
	}
	weir_table_print(&table, stdout);
	weir_table_free(&table);
}

/* What a request asked for is the first word of its reply; its own action says what the card is to be afterwards. */
static void
cell_of_action(struct weir_table *table, const struct weir_history_entry *e)
{
	size_t len = strcspn(e->reply, " ");
	if (strcmp(e->event, "request") != 0 && strcmp(e->event, "refused") != 0)
		len = 0;
	if (len > 0)
		weir_table_cell(table, "%.*s", (int)len, e->reply);
	else
		weir_table_cell(table, "%s", or_dash(e->action));
}

static void
history_table(const struct weir_history *history)
{
	static const struct weir_column columns[] = {{"at", 'l'}, {"event", 'l'}, {"action", 'l'}, {"reason", 'l'},
	    {"reasons after", 'l'}, {"usage", 'r'}, {"limit", 'r'}, {"reply", 'l'}, {NULL, 0}};
	struct weir_table table;
	char a[WEIR_AMOUNT_TEXT_MAX], reasons[WEIR_REASONS_TEXT_MAX];
	weir_table_init(&table, columns);
	weir_table_spare(&table, "limit,reasons after,usage,reason");
	for (uint32_t i = 0; i < history->count; i++) {
		const struct weir_history_entry *e = &history->entries[i];
		weir_table_cell(&table, "%s", weir_instant_text(e->at_us, a));
		weir_table_cell(&table, "%s", e->event);
		cell_of_action(&table, e);
		weir_table_cell(&table, "%s", e->reason == WEIR_REASON_NONE ? "-" : weir_reason_name(e->reason));
		weir_table_cell(&table, "%s", weir_reasons_text(e->reasons, reasons));
		weir_table_cell(&table, "%s", e->usage_after == 0 ? "-" : weir_amount_text(e->usage_after, a));
		weir_table_cell(&table, "%s", e->limit == 0 ? "-" : weir_amount_text(e->limit, a));
		weir_table_cell(&table, "%s", or_dash(e->reply));
	}
	weir_table_print(&table, stdout);
	weir_table_free(&table);
}

/* ---- commands ---- */

static int
show_commands(struct weir_reading *reading, const char *text, struct weir_iccid iccid, bool as_json)
{
	struct weir_commands commands;
	struct weir_error err = {0};
	enum weir_read answer = weir_read_card_commands(reading->reader, iccid, &commands, &err);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, &err);
	if (!as_json) {
		commands_table(&commands);
		return WEIR_EXIT_OK;
	}
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, "iccid", text);
	weir_json_open(&json, "commands", '[');
	for (uint32_t i = 0; i < commands.count; i++)
		weir_print_command(&json, &commands.commands[i]);
	weir_json_close(&json, ']');
	weir_json_close(&json, '}');
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
	return WEIR_EXIT_OK;
}

int
weir_cli_commands_of(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	bool as_json = false;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "json", .help = "one JSON object instead of a table", .flag = &as_json}, {0}};
	struct weir_words words;
	struct weir_iccid iccid;
	struct weir_error err = {0};
	int code;
	if (!weir_options_accept(&commands_usage, options, argc, argv, 1, 1, &words, &code))
		return code;
	if (!weir_iccid_parse((const uint8_t *)words.v[0], strlen(words.v[0]), &iccid)) {
		(void)weir_error_set(&err, WEIR_POISON, "'%s' is no ICCID: 19 or 20 letters and digits", words.v[0]);
		return weir_exit_fail("commands", WEIR_EXIT_USAGE, &err);
	}
	struct weir_reading reading;
	code = weir_reading_open(&reading, "commands", &common);
	if (code == WEIR_EXIT_OK)
		code = show_commands(&reading, words.v[0], iccid, as_json);
	weir_reading_close(&reading);
	return code;
}

/* ---- audit ---- */

static int
show_history(struct weir_reading *reading, const char *subject, bool is_pool, bool as_json)
{
	struct weir_history history;
	struct weir_error err = {0};
	struct weir_iccid iccid = {0};
	is_pool |= !weir_iccid_parse((const uint8_t *)subject, strlen(subject), &iccid);
	enum weir_read answer = is_pool ? weir_read_pool_history(reading->reader, subject, &history, &err)
					: weir_read_card_history(reading->reader, iccid, &history, &err);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, &err);
	if (!as_json) {
		history_table(&history);
		if (history.unreadable > 0)
			(void)fprintf(stderr, "%u entries cannot be read\n", history.unreadable);
		return WEIR_EXIT_OK;
	}
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_json_open(&json, NULL, '{');
	weir_json_text(&json, is_pool ? "pool" : "iccid", subject);
	weir_json_open(&json, "audit", '[');
	for (uint32_t i = 0; i < history.count; i++)
		weir_print_history_entry(&json, &history.entries[i]);
	weir_json_close(&json, ']');
	weir_json_u64(&json, "unreadable", history.unreadable);
	weir_json_close(&json, '}');
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
	return WEIR_EXIT_OK;
}

int
weir_cli_audit(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	bool as_json = false, is_pool = false;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "pool", .help = "the word is a pool's id, whatever it looks like", .flag = &is_pool},
	    {.name = "json", .help = "one JSON object instead of a table", .flag = &as_json}, {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&audit_usage, options, argc, argv, 1, 1, &words, &code))
		return code;
	struct weir_reading reading;
	code = weir_reading_open(&reading, "audit", &common);
	if (code == WEIR_EXIT_OK)
		code = show_history(&reading, words.v[0], is_pool, as_json);
	weir_reading_close(&reading);
	return code;
}
