/*
 * `weir pool`: one pool (POOL-6), its members with their usage, or the pools that filters find. No older than one flush.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/base/amounts.h"
#include "config/base/exit.h"
#include "config/base/nearest.h"
#include "config/calendar/instants.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/reading.h"
#include "pipeline/cli/table.h"

#define PAGE 500u

static const struct weir_usage usage = {
    .command = "pool",
    .arguments = "[ID]",
    .text =
	"With an id: the pool's name, kind, status, plan, cards, total, used and remaining, batch numbers, cycle and last\n"
	"change; with --members its cards. Without: pools, a line each. What remains may be negative.\n"
	"Exit code 1 when there is no such pool.\n",
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

static const char *
remaining_text(const struct weir_pool_view *pool, char out[WEIR_AMOUNT_TEXT_MAX])
{
	if (pool->has_remaining)
		return weir_amount_signed_text(pool->remaining, out);
	(void)snprintf(out, WEIR_AMOUNT_TEXT_MAX, "-");
	return out;
}

static void
show_money(const struct weir_pool_view *pool)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX];
	if (pool->threshold != WEIR_NO_LIMIT)
		print_line("threshold", "%s, then %s", weir_amount_text(pool->threshold, a),
		    pool->threshold_suspends ? "suspend" : "alert");
	if (pool->frozen || pool->arrears_us != 0)
		print_line(
		    "arrears", "since %s, kept for %u days", weir_instant_text(pool->arrears_us, a), pool->retention_days);
	if (pool->disabled_us != 0)
		print_line("disabled", "since %s", weir_instant_text(pool->disabled_us, b));
}

static void
show_batches(const struct weir_pool_view *pool)
{
	if (pool->batch_count == 0)
		return;
	(void)printf("%-14s", "batches");
	for (uint32_t i = 0; i < pool->batch_count; i++)
		(void)printf("%s%s", i > 0 ? ", " : "", pool->batches[i]);
	(void)putchar('\n');
}

static void
show_pool(const struct weir_pool_view *pool)
{
	char a[WEIR_AMOUNT_TEXT_MAX], b[WEIR_AMOUNT_TEXT_MAX], reasons[WEIR_REASONS_TEXT_MAX], cycle[16];
	print_line("pool", "%s", pool->id);
	print_line("name", "%s", pool->name);
	print_line("status", "%s", pool->status);
	print_line("kind", "%s, carrier %s, plan %s", pool->defined ? weir_plan_kind_name(pool->kind) : "-",
	    or_dash(pool->carrier), or_dash(pool->plan));
	print_line(
	    "cards", "%s, of which %s count", weir_count_text(pool->cards, a), weir_count_text(pool->effective_cards, b));
	weir_cycle_format(pool->cycle.number, cycle);
	print_line("cycle", "%s  (in %s)", pool->cycle.number > 0 ? cycle : "-", or_dash(pool->zone));
	print_line(
	    "cycle runs", "%s to %s", weir_instant_text(pool->cycle.start_us, a), weir_instant_text(pool->cycle.end_us, b));
	print_line("total", "%s", weir_amount_text(pool->effective_total, a));
	if (pool->addons > 0)
		print_line("add-ons", "%s in it", weir_amount_text(pool->addons, a));
	print_line("used", "%s  (%s bytes)", weir_amount_text(weir_volume_bytes(&pool->used), a),
	    weir_count_text(weir_volume_bytes(&pool->used), b));
	print_line("remaining", "%s", remaining_text(pool, a));
	show_money(pool);
	print_line("reasons", "%s", weir_reasons_text(pool->reasons, reasons));
	show_batches(pool);
	print_line("changed", "%s", weir_instant_text(pool->changed_us, a));
}

static int
one_pool(struct weir_reading *reading, const char *id, bool as_json)
{
	const struct weir_pool_view *pool;
	struct weir_error err = {0};
	enum weir_read answer = weir_read_pool(reading->reader, id, &pool, &err);
	if (answer != WEIR_READ_OK)
		return weir_reading_fail(reading, answer, &err);
	if (!as_json) {
		show_pool(pool);
		return WEIR_EXIT_OK;
	}
	struct weir_buf buf = {0};
	struct weir_json json = {&buf, false};
	weir_print_pool(&json, NULL, pool);
	(void)weir_reading_put(&buf);
	weir_buf_free(&buf);
	return WEIR_EXIT_OK;
}

/* ---- lists ---- */

static void
add_row(struct weir_table *table, const struct weir_pool_view *pool)
{
	char a[WEIR_AMOUNT_TEXT_MAX], reasons[WEIR_REASONS_TEXT_MAX];
	weir_table_cell(table, "%s", pool->id);
	weir_table_cell(table, "%.40s", pool->name);
	weir_table_cell(table, "%s", pool->defined ? weir_plan_kind_name(pool->kind) : "-");
	weir_table_cell(table, "%s", pool->status);
	weir_table_cell(table, "%s", weir_count_text(pool->cards, a));
	weir_table_cell(table, "%s", weir_amount_text(weir_volume_bytes(&pool->used), a));
	weir_table_cell(table, "%s", pool->has_remaining ? weir_amount_text(pool->effective_total, a) : "-");
	weir_table_cell(table, "%s", remaining_text(pool, a));
	weir_table_cell(table, "%s", weir_reasons_text(pool->reasons, reasons));
}

static int
list_pools(struct weir_reading *reading, const struct weir_pool_query *query, uint64_t max, bool as_json)
{
	static const struct weir_column columns[] = {{"id", 'l'}, {"name", 'l'}, {"kind", 'l'}, {"status", 'l'},
	    {"cards", 'r'}, {"used", 'r'}, {"total", 'r'}, {"remaining", 'r'}, {"reasons", 'l'}, {NULL, 0}};
	struct weir_pool_page page = {0};
	struct weir_error err = {0};
	struct weir_table table;
	struct weir_buf buf = {0};
	uint64_t shown = 0;
	enum weir_read answer;
	weir_table_init(&table, columns);
	weir_table_spare(&table, "name,kind,total,cards");
	do {
		uint32_t room = max - shown < PAGE ? (uint32_t)(max - shown) : PAGE;
		answer = weir_read_pools(reading->reader, query, page.next, room, &page, &err);
		if (answer != WEIR_READ_OK)
			break;
		shown += page.count;
		for (uint32_t i = 0; i < page.count; i++) {
			struct weir_json json = {&buf, false};
			if (!as_json) {
				add_row(&table, &page.pools[i]);
				continue;
			}
			weir_print_pool(&json, NULL, &page.pools[i]);
			(void)weir_reading_put(&buf);
		}
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

/* ---- options ---- */

static bool
take_word(
    const char *option, const char *word, const char *const *names, uint32_t count, uint32_t *bits, struct weir_error *err)
{
	if (word == NULL)
		return true;
	for (uint32_t i = 0; i < count; i++) {
		if (names[i] != NULL && strcmp(names[i], word) == 0) {
			*bits = 1u << i;
			return true;
		}
	}
	const char *nearest = weir_nearest(word, names, count);
	(void)weir_error_set(err, WEIR_POISON, "--%s %.40s: there is no such %s%s%s", option, word, option,
	    nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "");
	return false;
}

int
weir_cli_pool(int argc, char **argv)
{
	static const char *const kinds[] = {"single", "accumulative", "fixed", "metered"};
	static const char *const statuses[] = {"in_use", "suspended", "disabled"};
	struct weir_settings_options common = {0};
	struct weir_pool_query query = {0};
	const char *kind = NULL, *status = NULL;
	bool as_json = false, members = false;
	uint64_t max = 100;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "members", .help = "the pool's cards", .flag = &members},
	    {.name = "status",
		.placeholder = "WORD",
		.help = "pools that are in_use, suspended, disabled",
		.text = &status},
	    {.name = "kind", .placeholder = "WORD", .help = "accumulative, fixed or metered pools", .text = &kind},
	    {.name = "carrier", .placeholder = "ID", .help = "pools of this carrier", .text = &query.carrier},
	    {.name = "plan", .placeholder = "ID", .help = "pools of this plan", .text = &query.plan},
	    {.name = "name", .placeholder = "TEXT", .help = "pools with this in their id or name", .text = &query.name},
	    {.name = "max", .placeholder = "N", .help = "at most so many lines of a list (100)", .number = &max, .min = 1},
	    {.name = "json", .help = "one JSON object, or one a line of a list", .flag = &as_json}, {0}};
	struct weir_words words;
	struct weir_error err = {0};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 1, &words, &code))
		return code;
	bool filtered = kind != NULL || status != NULL || query.carrier != NULL || query.plan != NULL || query.name != NULL;
	size_t len = words.n == 1 ? strlen(words.v[0]) : 1;
	if (len == 0 || len >= WEIR_ID_MAX)
		(void)weir_error_set(&err, WEIR_POISON, "a pool's id has 1 to %d characters", WEIR_ID_MAX - 1);
	else if (words.n == 1 && filtered)
		(void)weir_error_set(&err, WEIR_POISON, "either a pool's id or filters");
	else if (words.n == 0 && members)
		(void)weir_error_set(&err, WEIR_POISON, "--members: of which pool?");
	else if (take_word("kind", kind, kinds, 4, &query.kinds, &err))
		(void)take_word("status", status, statuses, 3, &query.statuses, &err);
	if (err.class != WEIR_OK)
		return weir_exit_fail("pool", WEIR_EXIT_USAGE, &err);
	struct weir_reading reading;
	code = weir_reading_open(&reading, "pool", &common);
	const struct weir_card_query of_pool = {.pool = words.n == 1 ? words.v[0] : NULL};
	if (code == WEIR_EXIT_OK)
		code = members        ? weir_cli_card_list(&reading, &of_pool, max, as_json)
		       : words.n == 1 ? one_pool(&reading, words.v[0], as_json)
				      : list_pools(&reading, &query, max, as_json);
	weir_reading_close(&reading);
	return code;
}
