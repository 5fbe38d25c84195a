/* Inside of settings: the table's rows, and what the readers of file, environment and --set share. */
#ifndef WEIR_CONFIG_SETTINGS_PRIV_H
#define WEIR_CONFIG_SETTINGS_PRIV_H

#include "config/base/mistakes.h"
#include "config/settings/settings.h"

struct weir_yaml;

enum weir_setting_type {
	WEIR_SETTING_TEXT,        /* char *; min and max are lengths in bytes */
	WEIR_SETTING_U32,         /* uint32_t */
	WEIR_SETTING_U64,         /* uint64_t */
	WEIR_SETTING_BOOL,        /* bool */
	WEIR_SETTING_SECRET_FILE, /* char *; the value is a file's first line */
};

/* NULL when the text is valid, else what it must be. */
typedef const char *(*weir_setting_check_fn)(const char *text);

struct weir_setting {
	const char *name;
	enum weir_setting_type type;
	const char *unit; /* "bytes" admits KiB, MiB, GiB */
	uint64_t min;
	uint64_t max;
	const char *default_text;
	const char *text; /* what it is, for people */
	size_t offset;    /* in struct weir_settings or struct weir_carrier_settings */
	bool secret;      /* from the environment only, never printed */
	weir_setting_check_fn check;
};

/* The one table, and the rows of a carrier under `carriers.<id>`. */
const struct weir_setting *weir_settings_table(uint32_t *count_out);
const struct weir_setting *weir_settings_carrier_table(uint32_t *count_out);
const struct weir_setting *weir_setting_find(const struct weir_setting *rows, uint32_t count, const char *name);

#define WEIR_REASON_MAX 256
#define WEIR_SETTINGS_MAX 160 /* rows of the table, at most */

/* Sets the row's field in the struct at base. False with a reason ("what is wrong; what it must be"). */
bool weir_setting_assign(
    const struct weir_setting *row, unsigned char *base, const char *text, char reason[WEIR_REASON_MAX]);
void weir_settings_defaults(const struct weir_setting *rows, uint32_t count, unsigned char *base);
void weir_settings_rows_free(const struct weir_setting *rows, uint32_t count, unsigned char *base);

/* One reader at work: a stage is the file, the environment or one --set. */
struct weir_settings_reader {
	struct weir_settings *settings;
	struct weir_mistakes mistakes;
	bool rows_seen[WEIR_SETTINGS_MAX];     /* a row of the table each, in this stage */
	uint32_t input_lines[WEIR_INPUTS_MAX]; /* for mistakes found after reading */
	char input_source[64];
};

void weir_settings_read_tree(struct weir_settings_reader *reader, const struct weir_yaml *root);
void weir_settings_read_environment(struct weir_settings_reader *reader);
void weir_settings_read_set(struct weir_settings_reader *reader, const char *key_value);

/* Sections. Each replaces what an earlier stage said (carriers: member by member). */
void weir_settings_read_inputs(struct weir_settings_reader *reader, const struct weir_yaml *node);
void weir_settings_read_feeds(struct weir_settings_reader *reader, const struct weir_yaml *node);
void weir_settings_read_carriers(struct weir_settings_reader *reader, const struct weir_yaml *node);
void weir_settings_read_properties(struct weir_settings_reader *reader, const struct weir_yaml *node, const char *prefix);
void weir_settings_inputs_free(struct weir_settings *settings);

/* Sets or replaces a librdkafka property; a name ending in _file names a file that holds the value. */
bool weir_settings_property_set(
    struct weir_settings *settings, const char *name, const char *value, char reason[WEIR_REASON_MAX]);
bool weir_settings_property_is_secret(const char *name);
/* The row of a carrier, added with defaults if absent; NULL when there is no room. */
struct weir_carrier_settings *weir_settings_carrier_row(struct weir_settings *settings, const char *id);

/* Reports an unknown name with the nearest known one, of the rows and of the sections (ended by NULL; NULL = none). */
void weir_settings_unknown(struct weir_settings_reader *reader, uint32_t line, const char *prefix, const char *name,
    const struct weir_setting *rows, uint32_t count, const char *const *sections);
/* Checks that concern several settings, and the defaults that depend on others. */
void weir_settings_finish(struct weir_settings_reader *reader);

#endif
