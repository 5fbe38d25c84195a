/*
 * The three stages a scalar may come from: the file's tree (nested maps are flattened with dots), WEIR_… variables and
 * --set. A secret is taken from the environment alone: files get copied and committed, command lines are seen by all.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/settings/settings_priv.h"
#include "config/yaml/document.h"

#define NAME_MAX_BYTES 255

extern char **environ;

typedef void (*section_fn)(struct weir_settings_reader *reader, const struct weir_yaml *node);

static void
read_properties_whole(struct weir_settings_reader *reader, const struct weir_yaml *node)
{
	weir_settings_read_properties(reader, node, "");
}

/* Feeds come before inputs, which name them; the tree is walked section by section. */
static const struct section {
	const char *name;
	section_fn read;
} SECTIONS[] = {
    {"feeds", weir_settings_read_feeds},
    {"inputs", weir_settings_read_inputs},
    {"carriers", weir_settings_read_carriers},
    {"kafka.properties", read_properties_whole},
};
#define SECTION_COUNT (sizeof(SECTIONS) / sizeof(SECTIONS[0]))

static void
unknown(struct weir_settings_reader *reader, uint32_t line, const char *name)
{
	const char *sections[SECTION_COUNT + 1] = {NULL};
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	for (uint32_t i = 0; i < SECTION_COUNT; i++)
		sections[i] = SECTIONS[i].name;
	weir_settings_unknown(reader, line, "", name, rows, count, sections);
}

static const struct section *
section_find(const char *name)
{
	for (uint32_t i = 0; i < SECTION_COUNT; i++)
		if (strcmp(SECTIONS[i].name, name) == 0)
			return &SECTIONS[i];
	return NULL;
}

static void
row_set(struct weir_settings_reader *reader, uint32_t line, const struct weir_setting *row, const char *text)
{
	uint32_t count;
	bool *seen = &reader->rows_seen[row - weir_settings_table(&count)];
	char reason[WEIR_REASON_MAX];
	if (*seen)
		weir_mistake_add(&reader->mistakes, line, "%s: given twice", row->name);
	else if (!weir_setting_assign(row, (unsigned char *)reader->settings, text, reason))
		weir_mistake_add(&reader->mistakes, line, "%s: %s", row->name, reason);
	*seen = true;
}

static void
secret_refuse(struct weir_settings_reader *reader, uint32_t line, const char *name)
{
	weir_mistake_add(
	    &reader->mistakes, line, "%s: a secret must not be here; use %s_file or the environment", name, name);
}

static void
read_scalar(struct weir_settings_reader *reader, const char *name, const struct weir_yaml *node)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	const struct weir_setting *row = weir_setting_find(rows, count, name);
	if (row == NULL)
		unknown(reader, node->line, name);
	else if (row->secret)
		secret_refuse(reader, node->line, name);
	else if (node->kind != WEIR_YAML_SCALAR)
		weir_mistake_add(
		    &reader->mistakes, node->line, "%s: %s; must be one value", name, weir_yaml_kind_name(node->kind));
	else
		row_set(reader, node->line, row, weir_yaml_is_null(node) ? "" : node->text);
}

/* Whether some row's name begins with name and a dot. */
static bool
name_is_group(const char *name)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	size_t len = strlen(name);
	for (uint32_t i = 0; i < count; i++)
		if (strncmp(rows[i].name, name, len) == 0 && rows[i].name[len] == '.')
			return true;
	return false;
}

static void
read_group(struct weir_settings_reader *reader, const char *prefix, const struct weir_yaml *map)
{
	for (uint32_t i = 0; i < map->child_count; i++) {
		const struct weir_yaml *node = &map->children[i];
		char name[NAME_MAX_BYTES + 1];
		int len = snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", node->name);
		const struct section *section = section_find(name);
		if (len > NAME_MAX_BYTES)
			weir_mistake_add(&reader->mistakes, node->line, "%.40s...: unknown key", name);
		else if (section != NULL)
			section->read(reader, node);
		else if (strncmp(name, "kafka.properties.", 17) == 0)
			weir_settings_read_properties(reader, node, name + 17);
		else if (node->kind == WEIR_YAML_MAP && name_is_group(name))
			read_group(reader, name, node);
		else if (!weir_yaml_is_null(node) || !name_is_group(name)) /* a group with nothing in it is no mistake */
			read_scalar(reader, name, node);
	}
}

void
weir_settings_read_tree(struct weir_settings_reader *reader, const struct weir_yaml *root)
{
	memset(reader->rows_seen, 0, sizeof(reader->rows_seen));
	if (weir_yaml_is_null(root))
		return;
	if (root->kind != WEIR_YAML_MAP)
		weir_mistake_add(
		    &reader->mistakes, root->line, "%s; must be a map of settings", weir_yaml_kind_name(root->kind));
	else
		read_group(reader, "", root);
}

/* WEIR_ and a name in capitals, every other character an underscore. */
static void
variable_name(const char *prefix, const char *name, const char *suffix, char out[NAME_MAX_BYTES + 1])
{
	(void)snprintf(out, NAME_MAX_BYTES + 1, "WEIR_%s%s%s", prefix, name, suffix);
	for (char *at = out; *at != '\0'; at++)
		*at = (char)(isalnum((unsigned char)*at) ? toupper((unsigned char)*at) : '_');
}

static void
read_variable(struct weir_settings_reader *reader, const struct weir_setting *row)
{
	char variable[NAME_MAX_BYTES + 1], reason[WEIR_REASON_MAX];
	variable_name("", row->name, "", variable);
	const char *text = getenv(variable);
	reader->mistakes.source = "environment";
	if (text != NULL && !weir_setting_assign(row, (unsigned char *)reader->settings, text, reason))
		weir_mistake_add(&reader->mistakes, 0, "%s: %s", variable, row->secret ? "not valid" : reason);
}

/* WEIR_KAFKA_PROPERTIES_SASL_PASSWORD -> sasl.password. */
static void
read_property_variable(struct weir_settings_reader *reader, const char *entry)
{
	const char *value = strchr(entry, '=');
	char name[NAME_MAX_BYTES + 1], reason[WEIR_REASON_MAX];
	size_t prefix = strlen("WEIR_KAFKA_PROPERTIES_");
	size_t len = value == NULL ? 0 : (size_t)(value - entry);
	if (len <= prefix || len - prefix > NAME_MAX_BYTES || strncmp(entry, "WEIR_KAFKA_PROPERTIES_", prefix) != 0)
		return;
	for (size_t i = prefix; i < len; i++)
		name[i - prefix] = (char)(entry[i] == '_' ? '.' : tolower((unsigned char)entry[i]));
	name[len - prefix] = '\0';
	if (len - prefix > 5 && strcmp(name + len - prefix - 5, ".file") == 0)
		name[len - prefix - 5] = '_';
	reader->mistakes.source = "environment";
	if (!weir_settings_property_set(reader->settings, name, value + 1, reason))
		weir_mistake_add(&reader->mistakes, 0, "kafka.properties.%.100s: %s", name, reason);
}

static void
read_carrier_keys(struct weir_settings *settings)
{
	for (uint32_t i = 0; i < settings->carrier_count; i++) {
		char variable[NAME_MAX_BYTES + 1];
		variable_name("CARRIER_", settings->carriers[i].id, "_API_KEY", variable);
		const char *text = getenv(variable);
		if (text == NULL)
			continue;
		free(settings->carriers[i].api_key);
		settings->carriers[i].api_key = weir_strdup(text);
	}
}

void
weir_settings_read_environment(struct weir_settings_reader *reader)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	for (uint32_t i = 0; i < count; i++)
		read_variable(reader, &rows[i]);
	for (char **entry = environ; *entry != NULL; entry++)
		read_property_variable(reader, *entry);
	read_carrier_keys(reader->settings);
}

/* The value of a section is YAML: --set 'inputs=[{topic: t}]'. */
static void
read_set_section(struct weir_settings_reader *reader, const struct section *section, const char *value)
{
	struct weir_yaml root;
	struct weir_error err = {0};
	if (weir_yaml_parse(weir_slice_of(value), "value", &root, &err) != WEIR_OK) {
		weir_mistake_add(&reader->mistakes, 0, "%s: %s", section->name, err.text);
		return;
	}
	section->read(reader, &root);
	weir_yaml_free(&root);
}

/* carriers.<id>.<member>=value, as a small tree of its own. */
static void
read_set_carrier(struct weir_settings_reader *reader, char *name, const char *value)
{
	char *dot = strchr(name, '.');
	if (dot == NULL) {
		weir_mistake_add(&reader->mistakes, 0, "carriers.%s: must be carriers.<id>.<member>=value", name);
		return;
	}
	*dot = '\0';
	struct weir_yaml member = {.kind = WEIR_YAML_SCALAR, .quoted = true, .name = dot + 1, .text = (char *)value};
	struct weir_yaml carrier = {.kind = WEIR_YAML_MAP, .name = name, .children = &member, .child_count = 1};
	struct weir_yaml map = {.kind = WEIR_YAML_MAP, .children = &carrier, .child_count = 1};
	weir_settings_read_carriers(reader, &map);
}

void
weir_settings_read_set(struct weir_settings_reader *reader, const char *key_value)
{
	char name[NAME_MAX_BYTES + 1];
	const char *value = strchr(key_value, '=');
	reader->mistakes.source = "--set";
	memset(reader->rows_seen, 0, sizeof(reader->rows_seen));
	if (value == NULL || value == key_value || value - key_value > NAME_MAX_BYTES) {
		weir_mistake_add(&reader->mistakes, 0, "%.40s: must be key=value", key_value);
		return;
	}
	memcpy(name, key_value, (size_t)(value - key_value));
	name[value - key_value] = '\0';
	struct weir_yaml node = {.kind = WEIR_YAML_SCALAR, .quoted = true, .text = (char *)(value + 1)};
	const struct section *section = section_find(name);
	if (section != NULL)
		read_set_section(reader, section, value + 1);
	else if (strncmp(name, "kafka.properties.", 17) == 0)
		weir_settings_read_properties(reader, &node, name + 17);
	else if (strncmp(name, "carriers.", 9) == 0)
		read_set_carrier(reader, name + 9, value + 1);
	else
		read_scalar(reader, name, &node);
}
