/* The sections that are lists or maps: inputs, feeds, carriers, kafka.properties. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/mapping/mapping.h"
#include "config/settings/settings_priv.h"
#include "config/yaml/document.h"

#define PROPERTIES_MAX 256
#define FEEDS_MAX 64

/* Borrowed text of a scalar, NULL otherwise. */
static const char *
scalar_text(const struct weir_yaml *node)
{
	return node->kind == WEIR_YAML_SCALAR && !weir_yaml_is_null(node) ? node->text : NULL;
}

/* Ids name Redis members and variables: letters, digits, underscores, hyphens. */
static bool
id_is_valid(const char *id)
{
	size_t len = strlen(id);
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]) && id[i] != '_' && id[i] != '-' && id[i] != '.')
			return false;
	return len >= 1 && len <= 63;
}

void
weir_settings_inputs_free(struct weir_settings *settings)
{
	for (uint32_t i = 0; i < settings->input_count; i++) {
		free(settings->inputs[i].topic);
		free(settings->inputs[i].format);
		settings->inputs[i] = (struct weir_input){0};
	}
	settings->input_count = 0;
}

static void
read_input(struct weir_settings_reader *reader, const struct weir_yaml *node)
{
	struct weir_settings *settings = reader->settings;
	const char *topic = NULL, *format = "canonical";
	for (uint32_t i = 0; node->kind == WEIR_YAML_MAP && i < node->child_count; i++) {
		const struct weir_yaml *member = &node->children[i];
		static const char *const words[] = {"topic", "format"};
		const char *near = weir_nearest(member->name, words, 2);
		if (strcmp(member->name, "topic") == 0)
			topic = scalar_text(member);
		else if (strcmp(member->name, "format") == 0)
			format = scalar_text(member);
		else
			weir_mistake_add(&reader->mistakes, member->line, "inputs: %.64s: unknown%s%s%s", member->name,
			    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	}
	if (topic == NULL || topic[0] == '\0' || strlen(topic) > 249 || format == NULL) {
		weir_mistake_add(&reader->mistakes, node->line, "inputs: must be {topic: name, format: name}");
		return;
	}
	reader->input_lines[settings->input_count] = node->line;
	settings->inputs[settings->input_count++] =
	    (struct weir_input){.topic = weir_strdup(topic), .format = weir_strdup(format)};
}

void
weir_settings_read_inputs(struct weir_settings_reader *reader, const struct weir_yaml *node)
{
	if (node->kind != WEIR_YAML_LIST || node->child_count == 0 || node->child_count > WEIR_INPUTS_MAX) {
		weir_mistake_add(
		    &reader->mistakes, node->line, "inputs: must be a list of 1 to %d {topic, format}", WEIR_INPUTS_MAX);
		return;
	}
	weir_settings_inputs_free(reader->settings);
	(void)snprintf(reader->input_source, sizeof(reader->input_source), "%.63s", reader->mistakes.source);
	for (uint32_t i = 0; i < node->child_count; i++)
		read_input(reader, &node->children[i]);
}

static void
feed_put(struct weir_settings *settings, struct weir_mapping *mapping)
{
	for (uint32_t i = 0; i < settings->mapping_count; i++)
		if (strcmp(settings->mapping_names[i], mapping->name) == 0) {
			weir_mapping_free(settings->mappings[i]);
			settings->mappings[i] = mapping;
			settings->mapping_names[i] = mapping->name;
			return;
		}
	uint32_t count = settings->mapping_count + 1;
	settings->mappings = weir_realloc(settings->mappings, count * sizeof(*settings->mappings));
	settings->mapping_names = weir_realloc(settings->mapping_names, count * sizeof(*settings->mapping_names));
	settings->mappings[settings->mapping_count] = mapping;
	settings->mapping_names[settings->mapping_count] = mapping->name;
	settings->mapping_count = count;
}

void
weir_settings_read_feeds(struct weir_settings_reader *reader, const struct weir_yaml *node)
{
	if (weir_yaml_is_null(node))
		return;
	if (node->kind != WEIR_YAML_MAP || node->child_count > FEEDS_MAX) {
		weir_mistake_add(&reader->mistakes, node->line, "feeds: must be a map of at most %d feeds", FEEDS_MAX);
		return;
	}
	for (uint32_t i = 0; i < node->child_count; i++) {
		const struct weir_yaml *feed = &node->children[i];
		bool taken = strcmp(feed->name, "canonical") == 0 || strcmp(feed->name, "packed") == 0;
		if (taken || !id_is_valid(feed->name)) {
			weir_mistake_add(&reader->mistakes, feed->line,
			    "feeds.%.64s: must be a name of letters, digits, dots, underscores and hyphens other than "
			    "canonical and packed",
			    feed->name);
			continue;
		}
		struct weir_mapping *mapping = weir_mapping_compile(feed->name, feed, &reader->mistakes);
		if (mapping != NULL)
			feed_put(reader->settings, mapping);
	}
}

struct weir_carrier_settings *
weir_settings_carrier_row(struct weir_settings *settings, const char *id)
{
	for (uint32_t i = 0; i < settings->carrier_count; i++)
		if (strcmp(settings->carriers[i].id, id) == 0)
			return &settings->carriers[i];
	if (settings->carrier_count == WEIR_CARRIERS_MAX)
		return NULL;
	struct weir_carrier_settings *carrier = &settings->carriers[settings->carrier_count++];
	uint32_t count;
	const struct weir_setting *rows = weir_settings_carrier_table(&count);
	carrier->id = weir_strdup(id);
	weir_settings_defaults(rows, count, (unsigned char *)carrier);
	return carrier;
}

static void
read_carrier_member(
    struct weir_settings_reader *reader, struct weir_carrier_settings *carrier, const struct weir_yaml *member)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_carrier_table(&count);
	const struct weir_setting *row = weir_setting_find(rows, count, member->name);
	char prefix[96], reason[WEIR_REASON_MAX];
	(void)snprintf(prefix, sizeof(prefix), "carriers.%.64s.", carrier->id);
	if (row == NULL)
		weir_settings_unknown(reader, member->line, prefix, member->name, rows, count, NULL);
	else if (row->secret)
		weir_mistake_add(&reader->mistakes, member->line,
		    "%s%s: a secret must not be here; use %s_file or the environment", prefix, row->name, row->name);
	else if (member->kind != WEIR_YAML_SCALAR)
		weir_mistake_add(&reader->mistakes, member->line, "%s%s: %s; must be one value", prefix, row->name,
		    weir_yaml_kind_name(member->kind));
	else if (!weir_setting_assign(row, (unsigned char *)carrier, weir_yaml_is_null(member) ? "" : member->text, reason))
		weir_mistake_add(&reader->mistakes, member->line, "%s%s: %s", prefix, row->name, reason);
}

void
weir_settings_read_carriers(struct weir_settings_reader *reader, const struct weir_yaml *node)
{
	if (weir_yaml_is_null(node))
		return;
	if (node->kind != WEIR_YAML_MAP) {
		weir_mistake_add(&reader->mistakes, node->line, "carriers: must be a map from carrier id to its members");
		return;
	}
	for (uint32_t i = 0; i < node->child_count; i++) {
		const struct weir_yaml *map = &node->children[i];
		struct weir_carrier_settings *carrier =
		    id_is_valid(map->name) ? weir_settings_carrier_row(reader->settings, map->name) : NULL;
		if (carrier == NULL)
			weir_mistake_add(&reader->mistakes, map->line,
			    "carriers.%.64s: must be one of at most %d ids of letters, digits, dots, underscores and "
			    "hyphens",
			    map->name, WEIR_CARRIERS_MAX);
		else if (map->kind != WEIR_YAML_MAP)
			weir_mistake_add(&reader->mistakes, map->line, "carriers.%s: must be a map of members", map->name);
		for (uint32_t j = 0; carrier != NULL && map->kind == WEIR_YAML_MAP && j < map->child_count; j++)
			read_carrier_member(reader, carrier, &map->children[j]);
	}
}

bool
weir_settings_property_is_secret(const char *name)
{
	static const char *const words[] = {"password", "secret", "key", "token", "sasl.jaas", "sasl.oauthbearer.config"};
	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasestr(name, words[i]) != NULL)
			return true;
	return false;
}

static bool
property_put(struct weir_settings *settings, const char *name, size_t name_len, const char *value)
{
	for (uint32_t i = 0; i < settings->kafka_property_count; i++) {
		struct weir_property *property = &settings->kafka_properties[i];
		if (strlen(property->name) == name_len && strncmp(property->name, name, name_len) == 0) {
			free(property->value);
			property->value = weir_strdup(value);
			return true;
		}
	}
	if (settings->kafka_property_count == PROPERTIES_MAX)
		return false;
	uint32_t count = settings->kafka_property_count + 1;
	settings->kafka_properties = weir_realloc(settings->kafka_properties, count * sizeof(*settings->kafka_properties));
	settings->kafka_properties[settings->kafka_property_count] =
	    (struct weir_property){weir_strndup(name, name_len), weir_strdup(value)};
	settings->kafka_property_count = count;
	return true;
}

bool
weir_settings_property_set(
    struct weir_settings *settings, const char *name, const char *value, char reason[WEIR_REASON_MAX])
{
	static const struct weir_setting file_row = {.name = "file", .type = WEIR_SETTING_SECRET_FILE, .unit = ""};
	size_t len = strlen(name);
	bool from_file = len > 5 && strcmp(name + len - 5, "_file") == 0;
	char *secret = NULL;
	if (len == 0 || (from_file && value[0] == '\0')) {
		(void)snprintf(reason, WEIR_REASON_MAX, "empty");
		return false;
	}
	if (from_file && !weir_setting_assign(&file_row, (unsigned char *)&secret, value, reason))
		return false;
	bool put = property_put(settings, name, from_file ? len - 5 : len, from_file ? secret : value);
	free(secret);
	if (!put)
		(void)snprintf(reason, WEIR_REASON_MAX, "too many properties; must be at most %d", PROPERTIES_MAX);
	return put;
}

void
weir_settings_read_properties(struct weir_settings_reader *reader, const struct weir_yaml *node, const char *prefix)
{
	char name[256], reason[WEIR_REASON_MAX];
	for (uint32_t i = 0; node->kind == WEIR_YAML_MAP && i < node->child_count; i++) {
		const struct weir_yaml *child = &node->children[i];
		int len = snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", child->name);
		if (len >= (int)sizeof(name))
			weir_mistake_add(&reader->mistakes, child->line, "kafka.properties: a name is too long");
		else
			weir_settings_read_properties(reader, child, name);
	}
	if (node->kind == WEIR_YAML_MAP || (prefix[0] == '\0' && weir_yaml_is_null(node)))
		return;
	if (node->kind != WEIR_YAML_SCALAR || prefix[0] == '\0')
		weir_mistake_add(&reader->mistakes, node->line,
		    "kafka.properties%s%.100s: must be a map of names and values", prefix[0] != '\0' ? "." : "", prefix);
	else if (!weir_settings_property_set(reader->settings, prefix, weir_yaml_is_null(node) ? "" : node->text, reason))
		weir_mistake_add(&reader->mistakes, node->line, "kafka.properties.%.100s: %s", prefix, reason);
}
