/*
 * The options that name the settings of a command: --config and --set, and where the settings file is looked for.
 */
#ifndef WEIR_CONFIG_SETTINGS_OPTIONS_H
#define WEIR_CONFIG_SETTINGS_OPTIONS_H

#include "config/base/options.h"
#include "config/settings/settings.h"

struct weir_settings_options {
	const char *config; /* --config; NULL = not given */
	struct weir_words sets;
};

/* Rows for a command's option table; `options` is a struct weir_settings_options variable. */
#define WEIR_SETTINGS_OPTIONS(options)                                                                                     \
	{.name = "config",                                                                                                 \
	    .placeholder = "FILE",                                                                                         \
	    .help = "settings file; else ./weir.yaml, else /etc/weir/weir.yaml, if there",                                 \
	    .text = &(options).config},                                                                                    \
	{                                                                                                                  \
		.name = "set", .placeholder = "KEY=VALUE",                                                                 \
		.help = "one setting, over file and environment; may be repeated", .words = &(options).sets                \
	}

/* The file to read: --config, ./weir.yaml, /etc/weir/weir.yaml, or NULL for defaults alone. Static or borrowed. */
const char *weir_settings_options_path(const struct weir_settings_options *options);

/* The --set values in the shape that settings take; sets_out has room for WEIR_WORDS_MAX. */
uint32_t weir_settings_options_sets(const struct weir_settings_options *options, struct weir_set *sets_out);

/* Loads settings; on a mistake says so as `command` and returns an exit code other than 0. Caller frees *settings_out. */
int weir_settings_options_load(
    const struct weir_settings_options *options, const char *command, struct weir_settings **settings_out);

#endif
