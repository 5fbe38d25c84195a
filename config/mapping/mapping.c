/*
 * Words of mappings, the canonical format as a mapping, printing and freeing; see mapping.h. The compiler is in
 * mapping_compile.c.
 */
#include "config/mapping/mapping.h"

#include <inttypes.h>
#include <stdlib.h>

#include "config/mapping/mapping_words.h"
#include "config/yaml/document.h"

const char *const weir_field_names[WEIR_FIELD_COUNT] = {"iccid", "id", "session", "seq", "up", "down", "up_total",
    "down_total", "end", "start", "event", "imei", "apn", "rat", "plmn"};
const char *const weir_time_format_names[WEIR_TIME_FORMAT_COUNT] = {"iso", "unix_s", "unix_ms", "unix_us", "iso_or_ms"};
const char *const weir_event_names[3] = {"start", "update", "stop"};
const struct weir_unit weir_units[WEIR_UNIT_COUNT] = {
    {"B", 1}, {"kB", 1000}, {"MB", 1000000}, {"KiB", 1024}, {"MiB", 1048576}};

/* The structure holds char * for the compiled ones; the canonical one is static and const, so nobody writes to these. */
#define FIELD(name)                                                                                                        \
	{                                                                                                                  \
		.path = (char *)(name), .unit_bytes = 1, .time_format = WEIR_TIME_ISO_OR_MS                                \
	}

static const struct weir_mapping CANONICAL = {
    .name = (char *)"canonical",
    .fields =
	{
	    [WEIR_FIELD_ICCID] = FIELD("iccid"),
	    [WEIR_FIELD_ID] = FIELD("id"),
	    [WEIR_FIELD_SESSION] = FIELD("session"),
	    [WEIR_FIELD_SEQ] = FIELD("seq"),
	    [WEIR_FIELD_UP] = FIELD("up"),
	    [WEIR_FIELD_DOWN] = FIELD("down"),
	    [WEIR_FIELD_UP_TOTAL] = FIELD("up_total"),
	    [WEIR_FIELD_DOWN_TOTAL] = FIELD("down_total"),
	    [WEIR_FIELD_END] = FIELD("end"),
	    [WEIR_FIELD_START] = FIELD("start"),
	    [WEIR_FIELD_EVENT] = FIELD("event"),
	    [WEIR_FIELD_IMEI] = FIELD("imei"),
	    [WEIR_FIELD_APN] = FIELD("apn"),
	    [WEIR_FIELD_RAT] = FIELD("rat"),
	    [WEIR_FIELD_PLMN] = FIELD("plmn"),
	},
    .event_values = {{(char *)"start"}, {(char *)"update"}, {(char *)"stop"}},
    .event_value_count = {1, 1, 1},
};

const struct weir_mapping *
weir_mapping_canonical(void)
{
	return &CANONICAL;
}

void
weir_mapping_free(struct weir_mapping *mapping)
{
	if (mapping == NULL)
		return;
	for (uint32_t i = 0; i < WEIR_FIELD_COUNT; i++)
		free(mapping->fields[i].path);
	for (uint32_t i = 0; i < mapping->filter_count; i++) {
		free(mapping->filters[i].path);
		for (uint32_t j = 0; j < mapping->filters[i].value_count; j++)
			free(mapping->filters[i].values[j]);
	}
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t j = 0; j < mapping->event_value_count[i]; j++)
			free(mapping->event_values[i][j]);
	free(mapping->name);
	free(mapping);
}

static void
print_values(const char *name, char *const *values, uint32_t count, FILE *out)
{
	(void)fprintf(out, ", %s: [", name);
	for (uint32_t i = 0; i < count; i++) {
		(void)fputs(i > 0 ? ", " : "", out);
		weir_yaml_print_text(values[i], out);
	}
	(void)fputc(']', out);
}

static void
print_field(const struct weir_mapping *mapping, uint32_t field, unsigned indent, FILE *out)
{
	const struct weir_field_map *map = &mapping->fields[field];
	(void)fprintf(out, "%*s%s: {path: ", (int)indent, "", weir_field_names[field]);
	weir_yaml_print_text(map->path, out);
	for (uint32_t i = 0; weir_field_is_volume(field) && i < WEIR_UNIT_COUNT; i++)
		if (weir_units[i].bytes == map->unit_bytes)
			(void)fprintf(out, ", unit: %s", weir_units[i].name);
	if (weir_field_is_time(field))
		(void)fprintf(out, ", format: %s", weir_time_format_names[map->time_format]);
	for (uint32_t i = 0; field == WEIR_FIELD_EVENT && i < 3; i++)
		if (mapping->event_value_count[i] > 0)
			print_values(weir_event_names[i], mapping->event_values[i], mapping->event_value_count[i], out);
	(void)fputs("}\n", out);
}

void
weir_mapping_print(const struct weir_mapping *mapping, unsigned indent, FILE *out)
{
	if (mapping->filter_count > 0)
		(void)fprintf(out, "%*sfilter:\n", (int)indent, "");
	for (uint32_t i = 0; i < mapping->filter_count; i++) {
		const struct weir_filter *filter = &mapping->filters[i];
		(void)fprintf(out, "%*s- {path: ", (int)indent + 2, "");
		weir_yaml_print_text(filter->path, out);
		print_values(filter->prefix ? "prefix" : "equals", filter->values, filter->value_count, out);
		(void)fputs("}\n", out);
	}
	for (uint32_t field = 0; field < WEIR_FIELD_COUNT; field++)
		if (mapping->fields[field].path != NULL)
			print_field(mapping, field, indent, out);
}
