/*
 * `weir check`: settings and reference data, without Kafka or Redis. All mistakes of a settings file are told at once; of
 * a reference file the first.
 */
#include <inttypes.h>
#include <stdio.h>

#include "config/base/exit.h"
#include "config/reference/reference.h"
#include "config/settings/settings_options.h"
#include "pipeline/cli/cli.h"

static const struct weir_usage usage = {
    .command = "check",
    .arguments = "[FILE]",
    .text = "Checks a settings file and reference files. Exit code 0 when there is no mistake, else 3. FILE is as --config "
	    "FILE.\n",
};

static bool
reference_accept(void *ctx, const char *key, const char *json, size_t json_len)
{
	(void)ctx, (void)key, (void)json, (void)json_len;
	return true;
}

/* The number of wrong files. */
static uint32_t
references_check(const struct weir_words *files)
{
	uint32_t wrong = 0;
	for (uint32_t i = 0; i < files->n; i++) {
		struct weir_error err = {0};
		uint64_t count;
		if (weir_reference_read(files->v[i], reference_accept, NULL, &count, &err) == WEIR_OK) {
			(void)printf("%s: right, %" PRIu64 " messages\n", files->v[i], count);
		} else {
			(void)printf("%s\n", err.text);
			wrong++;
		}
	}
	return wrong;
}

static int
effective_print(const struct weir_settings_options *common)
{
	struct weir_settings *settings = NULL;
	int code = weir_settings_options_load(common, "check", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	weir_settings_print(settings, stdout);
	weir_settings_free(settings);
	return WEIR_EXIT_OK;
}

static int
check_all(const struct weir_settings_options *common, const struct weir_words *references)
{
	struct weir_set sets[WEIR_WORDS_MAX];
	uint32_t count = weir_settings_options_sets(common, sets);
	const char *path = weir_settings_options_path(common);
	uint32_t mistakes = weir_settings_check(path, sets, count, stdout);
	if (mistakes == 0)
		(void)printf("%s: right\n", path != NULL ? path : "settings (defaults, no file)");
	mistakes += references_check(references);
	return mistakes == 0 ? WEIR_EXIT_OK : WEIR_EXIT_SETTINGS;
}

int
weir_cli_check(int argc, char **argv)
{
	struct weir_settings_options common = {0};
	struct weir_words words, references = {0};
	bool list = false, effective = false;
	const struct weir_option options[] = {WEIR_SETTINGS_OPTIONS(common),
	    {.name = "reference", .placeholder = "FILE", .help = "a reference file; may be repeated", .words = &references},
	    {.name = "list", .help = "print every setting: type, range, default, meaning", .flag = &list},
	    {.name = "effective", .help = "print the values that would hold, secrets masked", .flag = &effective}, {0}};
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 0, 1, &words, &code))
		return code;
	if (words.n == 1)
		common.config = words.v[0];
	if (list) {
		weir_settings_print_table(stdout);
		return WEIR_EXIT_OK;
	}
	return effective ? effective_print(&common) : check_all(&common, &references);
}
