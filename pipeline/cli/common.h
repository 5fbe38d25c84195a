/*
 * What most commands share: --config and --set, where the settings file is looked for, and signals as something to wait
 * for.
 */
#ifndef WEIR_PIPELINE_CLI_COMMON_H
#define WEIR_PIPELINE_CLI_COMMON_H

#include "config/settings/settings.h"
#include "pipeline/cli/options.h"

struct weir_common {
	const char *config; /* --config; NULL = not given */
	struct weir_words sets;
};

/* Rows for a command's option table; `common` is a struct weir_common variable. */
#define WEIR_OPTIONS_COMMON(common)                                                                                        \
	{.name = "config",                                                                                                 \
	    .placeholder = "FILE",                                                                                         \
	    .help = "settings file; else ./weir.yaml, else /etc/weir/weir.yaml, if there",                                 \
	    .text = &(common).config},                                                                                     \
	{                                                                                                                  \
		.name = "set", .placeholder = "KEY=VALUE",                                                                 \
		.help = "one setting, over file and environment; may be repeated", .words = &(common).sets                 \
	}

/* The file to read: --config, ./weir.yaml, /etc/weir/weir.yaml, or NULL for defaults alone. Static or borrowed. */
const char *weir_common_path(const struct weir_common *common);

/* The --set values in the shape that settings take; sets_out has room for WEIR_WORDS_MAX. */
uint32_t weir_common_sets(const struct weir_common *common, struct weir_set *sets_out);

/* Loads settings; on a mistake says so as `command` and returns an exit code other than 0. Caller frees *settings_out. */
int weir_common_load(const struct weir_common *common, const char *command, struct weir_settings **settings_out);

/*
 * Blocks SIGINT, SIGTERM and SIGHUP in this thread and in all it starts afterwards, so that weir_signal_wait can take them.
 * Rejected: a handler with a global flag. A child process must be started with weir_signal_unblock.
 */
void weir_signal_block(void);
void weir_signal_unblock(void);
/* Waits up to timeout_ms for one of them; returns its number, or 0 when none came. */
int weir_signal_wait(uint64_t timeout_ms);

/* Microseconds: since 1970, and of a clock that never jumps. */
int64_t weir_clock_us(void);
int64_t weir_clock_steady_us(void);

#endif
