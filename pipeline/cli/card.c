/*
 * `weir card`: what Redis knows of one card, through the function that every other reader may call too (FCALL_RO
 * weir_card). No older than one flush.
 */
#include <string.h>

#include "config/base/iccid.h"
#include "pipeline/cli/cli.h"
#include "pipeline/cli/common.h"
#include "pipeline/cli/show.h"

static const struct weir_usage usage = {
    .command = "card",
    .arguments = "ICCID",
    .text = "Shows a card's status, its usage of the cycle and of past ones, limits, pool, reasons to be cut off (and "
	    "which of\n"
	    "them its carrier does not enforce), its last command, and for a smart card its children's sum.\n"
	    "Amounts are bytes. Exit code 1 when there is no such card.\n",
};

static const char *const texts[] = {"iccid", "carrier", "plan", "pool", "imei", "ticket", "parent", NULL};
static const char *const lists[] = {"reasons", "not_enforced", "children", "tags", NULL};
static const char *const pairs[] = {"previous", NULL};
static const struct weir_show show = {"card", "weir_card", "card", texts, lists, pairs};

int
weir_cli_card(int argc, char **argv)
{
	struct weir_common common = {0};
	bool json = false;
	const struct weir_option options[] = {WEIR_OPTIONS_COMMON(common),
	    {.name = "json", .help = "one JSON object instead of a table", .flag = &json}, {0}};
	struct weir_words words;
	int code;
	if (!weir_options_accept(&usage, options, argc, argv, 1, 1, &words, &code))
		return code;
	struct weir_iccid iccid;
	struct weir_error err = {0};
	if (!weir_iccid_parse((const uint8_t *)words.v[0], strlen(words.v[0]), &iccid)) {
		(void)weir_error_set(&err, WEIR_POISON, "'%s' is no ICCID: 19 or 20 letters and digits", words.v[0]);
		return weir_cli_fail("card", WEIR_EXIT_USAGE, &err);
	}
	struct weir_settings *settings = NULL;
	code = weir_common_load(&common, "card", &settings);
	if (code != WEIR_EXIT_OK)
		return code;
	char text[WEIR_ICCID_TEXT_MAX];
	(void)weir_iccid_format(iccid, text);
	code = weir_show(&show, settings, text, json);
	weir_settings_free(settings);
	return code;
}
