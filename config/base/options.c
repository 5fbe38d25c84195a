/* Option parsing; see options.h. */
#include "config/base/options.h"

#include <stdio.h>
#include <string.h>

#include "config/base/exit.h"
#include "config/base/nearest.h"

#define OPTIONS_MAX 32

/* Digits only, no sign, no overflow; *rest_out is what follows them. False without a digit. */
static bool
digits_parse(const char *text, uint64_t *number_out, const char **rest_out)
{
	uint64_t number = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');
		if (number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*number_out = number;
	*rest_out = at;
	return at != text;
}

bool
weir_duration_parse(const char *text, uint64_t *ms_out)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}};
	uint64_t number;
	const char *rest;
	if (!digits_parse(text, &number, &rest))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].unit) != 0)
			continue;
		if (number > UINT64_MAX / units[i].ms)
			return false;
		*ms_out = number * units[i].ms;
		return true;
	}
	return false;
}

static enum weir_parsed
value_wrong(const struct weir_option *option, const char *value, const char *what, struct weir_error *err)
{
	(void)weir_error_set(err, WEIR_POISON, "--%s %s: %s", option->name, value, what);
	return WEIR_PARSED_WRONG;
}

static enum weir_parsed
number_take(const struct weir_option *option, const char *value, struct weir_error *err)
{
	const char *rest;
	if (!digits_parse(value, option->number, &rest) || *rest != '\0')
		return value_wrong(option, value, "a whole number is needed", err);
	uint64_t max = option->max != 0 ? option->max : UINT64_MAX;
	if (*option->number < option->min || *option->number > max) {
		(void)weir_error_set(err, WEIR_POISON, "--%s %s: must be from %llu to %llu", option->name, value,
		    (unsigned long long)option->min, (unsigned long long)max);
		return WEIR_PARSED_WRONG;
	}
	return WEIR_PARSED_OK;
}

static enum weir_parsed
value_take(const struct weir_option *option, const char *value, struct weir_error *err)
{
	if (option->text != NULL) {
		*option->text = value;
		return WEIR_PARSED_OK;
	}
	if (option->number != NULL)
		return number_take(option, value, err);
	if (option->duration_ms != NULL) {
		if (!weir_duration_parse(value, option->duration_ms))
			return value_wrong(option, value, "a duration is needed, as 20s, 500ms, 2m or 1h", err);
		return WEIR_PARSED_OK;
	}
	if (option->words->n == WEIR_WORDS_MAX)
		return value_wrong(option, value, "given too often", err);
	option->words->v[option->words->n++] = value;
	return WEIR_PARSED_OK;
}

static const struct weir_option *
option_find(const struct weir_option *options, const char *name, size_t len)
{
	for (; options->name != NULL; options++)
		if (strlen(options->name) == len && memcmp(options->name, name, len) == 0)
			return options;
	return NULL;
}

static enum weir_parsed
option_unknown(const struct weir_option *options, const char *word, size_t len, struct weir_error *err)
{
	const char *names[OPTIONS_MAX];
	char name[64];
	uint32_t count = 0;
	for (; options->name != NULL && count < OPTIONS_MAX - 1; options++)
		names[count++] = options->name;
	names[count++] = "help";
	(void)snprintf(name, sizeof(name), "%.*s", (int)(len < 60 ? len : 60), word);
	const char *nearest = weir_nearest(name, names, count);
	if (nearest != NULL)
		(void)weir_error_set(err, WEIR_POISON, "no option --%s; did you mean --%s?", name, nearest);
	else
		(void)weir_error_set(err, WEIR_POISON, "no option --%s; --help lists them", name);
	return WEIR_PARSED_WRONG;
}

/* One word that begins with dashes; *at moves on when the next word is its value. */
static enum weir_parsed
option_take(const struct weir_option *options, int argc, char **argv, int *at, struct weir_error *err)
{
	const char *word = argv[*at];
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return WEIR_PARSED_HELP;
	if (word[1] != '-') {
		(void)weir_error_set(err, WEIR_POISON, "no option %s; options begin with two dashes", word);
		return WEIR_PARSED_WRONG;
	}
	const char *name = word + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
	const struct weir_option *option = option_find(options, name, len);
	if (option == NULL)
		return option_unknown(options, name, len, err);
	if (option->flag != NULL) {
		*option->flag = true;
		return equals == NULL ? WEIR_PARSED_OK : value_wrong(option, equals + 1, "takes no value", err);
	}
	if (equals != NULL)
		return value_take(option, equals + 1, err);
	if (*at + 1 >= argc) {
		(void)weir_error_set(
		    err, WEIR_POISON, "--%s needs a value: --%s %s", option->name, option->name, option->placeholder);
		return WEIR_PARSED_WRONG;
	}
	return value_take(option, argv[++*at], err);
}

enum weir_parsed
weir_options_parse(const struct weir_option *options, int argc, char **argv, uint32_t words_min, uint32_t words_max,
    struct weir_words *words_out, struct weir_error *err)
{
	bool only_words = false;
	words_out->n = 0;
	for (int at = 1; at < argc; at++) {
		const char *word = argv[at];
		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
		} else if (!only_words && word[0] == '-' && word[1] != '\0') {
			enum weir_parsed parsed = option_take(options, argc, argv, &at, err);
			if (parsed != WEIR_PARSED_OK)
				return parsed;
		} else if (words_out->n == words_max || words_out->n == WEIR_WORDS_MAX) {
			(void)weir_error_set(err, WEIR_POISON, "'%s' is one argument too many", word);
			return WEIR_PARSED_WRONG;
		} else {
			words_out->v[words_out->n++] = word;
		}
	}
	if (words_out->n < words_min) {
		(void)weir_error_set(err, WEIR_POISON, "an argument is missing");
		return WEIR_PARSED_WRONG;
	}
	return WEIR_PARSED_OK;
}

void
weir_options_help(const struct weir_usage *usage, const struct weir_option *options)
{
	(void)printf("usage: weir %s%s%s%s\n\n%s", usage->command, usage->arguments[0] != '\0' ? " " : "", usage->arguments,
	    options->name != NULL ? " [options]" : "", usage->text);
	if (options->name != NULL)
		(void)printf("\noptions:\n");
	for (; options->name != NULL; options++) {
		char left[48];
		(void)snprintf(left, sizeof(left), "--%s%s%s", options->name, options->placeholder != NULL ? " " : "",
		    options->placeholder != NULL ? options->placeholder : "");
		(void)printf("  %-20s %s\n", left, options->help);
	}
}

bool
weir_options_accept(const struct weir_usage *usage, const struct weir_option *options, int argc, char **argv,
    uint32_t words_min, uint32_t words_max, struct weir_words *words_out, int *code_out)
{
	struct weir_error err;
	switch (weir_options_parse(options, argc, argv, words_min, words_max, words_out, &err)) {
	case WEIR_PARSED_OK:
		return true;
	case WEIR_PARSED_HELP:
		weir_options_help(usage, options);
		*code_out = WEIR_EXIT_OK;
		return false;
	case WEIR_PARSED_WRONG:
		break;
	}
	(void)fprintf(
	    stderr, "weir %s: %s\nusage: weir %s %s\n", usage->command, err.text, usage->command, usage->arguments);
	*code_out = WEIR_EXIT_USAGE;
	return false;
}
