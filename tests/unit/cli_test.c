/* The command line's pure parts: the table of commands, option parsing, durations, nearest words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config/base/nearest.h"
#include "config/base/options.h"
#include "config/base/signals.h"
#include "config/settings/settings_options.h"
#include "pipeline/cli/cli.h"

static void
every_command_has_function_and_help(void **state)
{
	(void)state;
	uint32_t count = 0;
	for (const struct weir_command *command = weir_cli_commands(); command->name != NULL; command++, count++) {
		assert_non_null(command->run);
		assert_true(strlen(command->help) > 10);
		assert_non_null(command->arguments);
		for (const struct weir_command *other = weir_cli_commands(); other != command; other++)
			assert_string_not_equal(command->name, other->name);
	}
	assert_int_equal(count, 18);
}

static void
a_wrong_word_finds_its_neighbour(void **state)
{
	(void)state;
	static const char *const names[] = {"run", "demo", "load", "card", "check", "version"};
	assert_string_equal(weir_nearest("lod", names, 6), "load");
	assert_string_equal(weir_nearest("chekc", names, 6), "check");
	assert_string_equal(weir_nearest("cards", names, 6), "card");
	assert_null(weir_nearest("xylophone", names, 6));
}

struct given {
	bool flag;
	const char *text;
	uint64_t number, duration_ms;
	struct weir_words list, words;
	struct weir_error err;
};

/* Parses up to eight words after the command's name. */
static enum weir_parsed
parse(struct given *given, uint32_t words_min, uint32_t words_max, const char *const *argv)
{
	char copy[10][64] = {"command"};
	char *args[10] = {copy[0]};
	int argc = 1;
	for (; argv[argc - 1] != NULL; argc++) {
		(void)snprintf(copy[argc], sizeof(copy[argc]), "%s", argv[argc - 1]);
		args[argc] = copy[argc];
	}
	*given = (struct given){0};
	const struct weir_option options[] = {{.name = "json", .help = "h", .flag = &given->flag},
	    {.name = "config", .placeholder = "FILE", .help = "h", .text = &given->text},
	    {.name = "rate", .placeholder = "N", .help = "h", .number = &given->number, .min = 10, .max = 100},
	    {.name = "for", .placeholder = "TIME", .help = "h", .duration_ms = &given->duration_ms},
	    {.name = "set", .placeholder = "K=V", .help = "h", .words = &given->list}, {0}};
	enum weir_parsed parsed = weir_options_parse(options, argc, args, words_min, words_max, &given->words, &given->err);
	/* Texts point into argv, which ends here. */
	given->text = given->text != NULL && strcmp(given->text, "a.yaml") == 0 ? "a.yaml" : NULL;
	return parsed;
}

#define PARSE(given, min, max, ...) parse(given, min, max, (const char *const[]){__VA_ARGS__, NULL})

static void
options_and_words_in_any_order(void **state)
{
	(void)state;
	struct given g;
	assert_int_equal(PARSE(&g, 1, 2, "one", "--json", "--config", "a.yaml", "two", "--rate=20"), WEIR_PARSED_OK);
	assert_true(g.flag);
	assert_string_equal(g.text, "a.yaml");
	assert_int_equal(g.number, 20);
	assert_int_equal(g.words.n, 2);
	assert_int_equal(PARSE(&g, 0, 0, "--set", "a=1", "--set=b=2"), WEIR_PARSED_OK);
	assert_int_equal(g.list.n, 2);
	assert_int_equal(PARSE(&g, 1, 1, "--", "--json"), WEIR_PARSED_OK);
	assert_false(g.flag);
	assert_int_equal(g.words.n, 1);
}

static void
help_wins(void **state)
{
	(void)state;
	struct given g;
	assert_int_equal(PARSE(&g, 1, 1, "--help"), WEIR_PARSED_HELP);
	assert_int_equal(PARSE(&g, 0, 0, "-h"), WEIR_PARSED_HELP);
}

static void
mistakes_are_reported(void **state)
{
	(void)state;
	struct given g;
	assert_int_equal(PARSE(&g, 0, 0, "--jsn"), WEIR_PARSED_WRONG);
	assert_non_null(strstr(g.err.text, "--json"));
	assert_int_equal(PARSE(&g, 0, 0, "--confg=x"), WEIR_PARSED_WRONG);
	assert_non_null(strstr(g.err.text, "--config"));
	assert_int_equal(PARSE(&g, 0, 0, "--json=yes"), WEIR_PARSED_WRONG);
	assert_int_equal(PARSE(&g, 0, 0, "--config"), WEIR_PARSED_WRONG);
	assert_non_null(strstr(g.err.text, "FILE"));
	assert_int_equal(PARSE(&g, 0, 0, "-j"), WEIR_PARSED_WRONG);
	assert_int_equal(PARSE(&g, 0, 0, "word"), WEIR_PARSED_WRONG);
	assert_int_equal(PARSE(&g, 1, 1, "--json"), WEIR_PARSED_WRONG);
	const char *numbers[] = {"9", "101", "-20", "1e1", "20x", "", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(PARSE(&g, 0, 0, "--rate", numbers[i]), WEIR_PARSED_WRONG);
}

static void
durations(void **state)
{
	(void)state;
	uint64_t ms = 0;
	assert_true(weir_duration_parse("20s", &ms) && ms == 20000);
	assert_true(weir_duration_parse("500ms", &ms) && ms == 500);
	assert_true(weir_duration_parse("2m", &ms) && ms == 120000);
	assert_true(weir_duration_parse("1h", &ms) && ms == 3600000);
	assert_true(weir_duration_parse("7", &ms) && ms == 7000);
	const char *wrong[] = {"", "s", "1.5s", "-1s", "1 s", "1d", "18446744073709551615h", "99999999999999999999"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(weir_duration_parse(wrong[i], &ms));
}

static void
signals_are_waited_for(void **state)
{
	(void)state;
	weir_signal_block();
	assert_int_equal(weir_signal_wait(1), 0);
	assert_int_equal(raise(SIGTERM), 0);
	assert_int_equal(weir_signal_wait(1000), SIGTERM);
	weir_signal_unblock();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_command_has_function_and_help),
	    cmocka_unit_test(a_wrong_word_finds_its_neighbour),
	    cmocka_unit_test(options_and_words_in_any_order),
	    cmocka_unit_test(help_wins),
	    cmocka_unit_test(mistakes_are_reported),
	    cmocka_unit_test(durations),
	    cmocka_unit_test(signals_are_waited_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
