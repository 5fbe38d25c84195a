/*
 * Loading, checking and freeing; see settings.h. The stages run in order over one struct: defaults, file, environment,
 * --set; then the checks that concern several settings. Reading goes on after a mistake, so that `weir check` shows all of
 * them.
 */
#include "config/settings/settings.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"
#include "config/mapping/mapping.h"
#include "config/settings/settings_priv.h"
#include "config/yaml/document.h"

#define FILE_MAX_BYTES ((size_t)4 << 20)

static void
read_file(struct weir_settings_reader *reader, const char *path)
{
	struct weir_yaml root;
	struct weir_error err = {0};
	if (weir_yaml_read(path, FILE_MAX_BYTES, &root, &err) != WEIR_OK) {
		if (reader->mistakes.count++ == 0 && reader->mistakes.err != NULL)
			*reader->mistakes.err = err; /* names file and line already */
		if (reader->mistakes.out != NULL)
			(void)fprintf(reader->mistakes.out, "%s\n", err.text);
		return;
	}
	reader->mistakes.source = path;
	weir_settings_read_tree(reader, &root);
	weir_yaml_free(&root);
}

static void
read_all(struct weir_settings_reader *reader, const char *path, const struct weir_set *sets, uint32_t set_count)
{
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	weir_settings_defaults(rows, count, (unsigned char *)reader->settings);
	if (path != NULL)
		read_file(reader, path);
	weir_settings_read_environment(reader);
	for (uint32_t i = 0; i < set_count; i++)
		weir_settings_read_set(reader, sets[i].key_value);
	reader->mistakes.source = path != NULL ? path : "settings";
	weir_settings_finish(reader);
}

enum weir_class
weir_settings_load(const char *path, const struct weir_set *sets, uint32_t set_count, struct weir_settings **settings_out,
    struct weir_error *err)
{
	struct weir_settings_reader reader = {
	    .settings = weir_calloc(1, sizeof(struct weir_settings)), .mistakes = {.err = err}};
	read_all(&reader, path, sets, set_count);
	if (reader.mistakes.count > 0) {
		weir_settings_free(reader.settings);
		return WEIR_POISON;
	}
	*settings_out = reader.settings;
	return WEIR_OK;
}

uint32_t
weir_settings_check(const char *path, const struct weir_set *sets, uint32_t set_count, FILE *out)
{
	struct weir_settings_reader reader = {
	    .settings = weir_calloc(1, sizeof(struct weir_settings)), .mistakes = {.out = out}};
	read_all(&reader, path, sets, set_count);
	weir_settings_free(reader.settings);
	return reader.mistakes.count;
}

void
weir_settings_free(struct weir_settings *settings)
{
	if (settings == NULL)
		return;
	uint32_t count;
	const struct weir_setting *rows = weir_settings_table(&count);
	weir_settings_rows_free(rows, count, (unsigned char *)settings);
	rows = weir_settings_carrier_table(&count);
	for (uint32_t i = 0; i < settings->carrier_count; i++) {
		weir_settings_rows_free(rows, count, (unsigned char *)&settings->carriers[i]);
		free(settings->carriers[i].id);
	}
	weir_settings_inputs_free(settings);
	for (uint32_t i = 0; i < settings->kafka_property_count; i++) {
		free(settings->kafka_properties[i].name);
		free(settings->kafka_properties[i].value);
	}
	free(settings->kafka_properties);
	for (uint32_t i = 0; i < settings->mapping_count; i++)
		weir_mapping_free(settings->mappings[i]);
	free(settings->mappings);
	free(settings->mapping_names); /* the names belong to the mappings */
	free(settings);
}
