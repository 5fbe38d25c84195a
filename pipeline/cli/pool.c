/*
 * `weir pool`: what Redis knows of one pool (POOL-6), through the function weir_pool. No older than one flush, and behind
 * its cards by what is under way to it (docs/pools.md).
 */
#include <string.h>

#include "config/reference/reference.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/common.h"
#include "pipeline/cli/show.h"

static const struct weir_usage usage = {
    .command = "pool",
    .arguments = "ID",
    .text = "Shows a pool's name, kind, status, plan, total and effective cards, total, used and remaining bytes, batch\n"
	    "numbers, cycle with start and end, and when it changed last. remaining may be negative.\n"
	    "Exit code 1 when there is no such pool.\n",
};

static const char *const texts[] = {"pool", "name", "carrier", "plan", NULL};
static const char *const lists[] = {"reasons", "batches", NULL};
static const char *const pairs[] = {"previous", NULL};
static const struct weir_show show = {"pool", "weir_pool", "pool", texts, lists, pairs};

int
weir_cli_pool(int argc, char **argv)
{
	struct weir_common common = {0};
	bool json = false;
	const struct weir_option options[] = {WEIR_OPTIONS_COMMON(common),
	    {.name = "json", .help = "one JSON object instead of a table", .flag = &json}, {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 1, 1, &words, &code))
		return code;
	size_t len = strlen(words.v[0]);
	struct weir_error err = {0};
	if (len == 0 || len >= WEIR_ID_MAX) {
		(void)weir_error_set(&err, WEIR_POISON, "a pool's id has 1 to %d characters", WEIR_ID_MAX - 1);
		return weir_cli_fail("pool", WEIR_EXIT_USAGE, &err);
	}
	struct weir_settings *settings = NULL;
	code = weir_common_load(&common, "pool", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	code = weir_show(&show, settings, words.v[0], json);
	weir_settings_free(settings);
	return code;
}
