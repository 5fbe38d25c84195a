/*
 * Compiling a feed's YAML into a struct weir_mapping; see mapping.h.
 *
 * All mistakes of a feed are reported, not the first only. A mapping that compiles is complete: it yields a time, an
 * identity and volumes, so the decoder asks nothing about the mapping per record.
 */
#include <stdlib.h>
#include <string.h>

#include "config/base/nearest.h"
#include "config/mapping/mapping_words.h"
#include "config/yaml/document.h"

#define PATH_MAX_BYTES 255
#define PATH_DEPTH_MAX 16

struct compiler {
	struct weir_mapping *mapping;
	struct weir_mistakes *mistakes;
	const char *feed;
};

#define MISTAKE(compiler, line, fmt, ...)                                                                                  \
	weir_mistake_add((compiler)->mistakes, line, "feeds.%.64s" fmt, (compiler)->feed, __VA_ARGS__)

static void
unknown_member(
    struct compiler *compiler, const struct weir_yaml *node, const char *where, const char *const *words, uint32_t count)
{
	const char *near = weir_nearest(node->name, words, count);
	MISTAKE(compiler, node->line, "%s.%.64s: unknown%s%s%s", where, node->name, near ? "; did you mean " : "",
	    near ? near : "", near ? "?" : "");
}

static int
word_index(const char *word, const char *const *words, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	return -1;
}

/* Dotted member names, none empty; no control characters. */
static bool
path_is_valid(const char *path)
{
	size_t len = strlen(path), depth = 1;
	if (len == 0 || len > PATH_MAX_BYTES || path[0] == '.' || path[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == '"' || path[i] == '\\')
			return false;
		if (path[i] == '.') {
			depth++;
			if (path[i + 1] == '.')
				return false;
		}
	}
	return depth <= PATH_DEPTH_MAX;
}

/* Copies a path; NULL and a mistake when it is none. */
static char *
path_take(struct compiler *compiler, const struct weir_yaml *node, const char *where)
{
	if (node->kind == WEIR_YAML_SCALAR && !weir_yaml_is_null(node) && path_is_valid(node->text))
		return weir_strdup(node->text);
	MISTAKE(compiler, node->line, "%s: not a path; must be dotted member names such as data.sim.iccid", where);
	return NULL;
}

/* A scalar or a list of 1 to 8 scalars. */
static void
values_take(struct compiler *compiler, const struct weir_yaml *node, const char *where,
    char *values[WEIR_FILTER_VALUES_MAX], uint32_t *count)
{
	bool list = node->kind == WEIR_YAML_LIST;
	uint32_t given = list ? node->child_count : 1;
	bool right = node->kind != WEIR_YAML_MAP && given >= 1 && *count == 0 && given <= WEIR_FILTER_VALUES_MAX;
	for (uint32_t i = 0; right && i < given; i++) {
		const struct weir_yaml *value = list ? &node->children[i] : node;
		right = value->kind == WEIR_YAML_SCALAR && !weir_yaml_is_null(value);
		if (right)
			values[(*count)++] = weir_strdup(value->text);
	}
	if (!right)
		MISTAKE(
		    compiler, node->line, "%s: must be a list of 1 to %d texts or numbers", where, WEIR_FILTER_VALUES_MAX);
}

static void
compile_filter(struct compiler *compiler, const struct weir_yaml *node, struct weir_filter *filter)
{
	static const char *const words[] = {"path", "equals", "prefix"};
	if (node->kind != WEIR_YAML_MAP) {
		MISTAKE(compiler, node->line, ".%s", "filter: each is a map with path and equals or prefix");
		return;
	}
	for (uint32_t i = 0; i < node->child_count; i++) {
		const struct weir_yaml *member = &node->children[i];
		int word = word_index(member->name, words, 3);
		if (word < 0)
			unknown_member(compiler, member, ".filter", words, 3);
		else if (word == 0)
			filter->path = path_take(compiler, member, ".filter.path");
		else {
			filter->prefix = word == 2;
			values_take(compiler, member, ".filter", filter->values, &filter->value_count);
		}
	}
	if (filter->path == NULL || filter->value_count == 0)
		MISTAKE(compiler, node->line, ".%s", "filter: needs path and either equals or prefix");
}

static void
compile_filters(struct compiler *compiler, const struct weir_yaml *node)
{
	if (node->kind != WEIR_YAML_LIST || node->child_count > WEIR_FILTERS_MAX) {
		MISTAKE(compiler, node->line, ".filter: must be a list of at most %d filters", WEIR_FILTERS_MAX);
		return;
	}
	for (uint32_t i = 0; i < node->child_count; i++)
		compile_filter(
		    compiler, &node->children[i], &compiler->mapping->filters[compiler->mapping->filter_count++]);
}

static void
compile_unit(struct compiler *compiler, const struct weir_yaml *node, struct weir_field_map *map)
{
	for (uint32_t i = 0; node->kind == WEIR_YAML_SCALAR && i < WEIR_UNIT_COUNT; i++)
		if (strcmp(node->text, weir_units[i].name) == 0) {
			map->unit_bytes = weir_units[i].bytes;
			map->decimal = map->unit_bytes > 1;
			return;
		}
	MISTAKE(compiler, node->line, ".unit: not a unit%s; must be B, kB, MB, KiB or MiB", "");
}

static void
compile_format(struct compiler *compiler, const struct weir_yaml *node, struct weir_field_map *map)
{
	int format =
	    node->kind == WEIR_YAML_SCALAR ? word_index(node->text, weir_time_format_names, WEIR_TIME_FORMAT_COUNT) : -1;
	if (format < 0)
		MISTAKE(compiler, node->line,
		    ".format: not a time format%s; must be iso, unix_s, unix_ms, unix_us or iso_or_ms", "");
	else
		map->time_format = (enum weir_time_format)format;
}

static void
compile_field_member(struct compiler *compiler, uint32_t field, const struct weir_yaml *member)
{
	static const char *const words[] = {"path", "unit", "format", "start", "update", "stop"};
	struct weir_mapping *mapping = compiler->mapping;
	struct weir_field_map *map = &mapping->fields[field];
	int word = word_index(member->name, words, 6);
	if (word == 0)
		map->path = path_take(compiler, member, ".path");
	else if (word == 1 && weir_field_is_volume(field))
		compile_unit(compiler, member, map);
	else if (word == 2 && weir_field_is_time(field))
		compile_format(compiler, member, map);
	else if (word >= 3 && field == WEIR_FIELD_EVENT)
		values_take(
		    compiler, member, ".event", mapping->event_values[word - 3], &mapping->event_value_count[word - 3]);
	else
		unknown_member(compiler, member, "", words, word < 0 ? 6 : 0);
}

static void
compile_field(struct compiler *compiler, uint32_t field, const struct weir_yaml *node)
{
	struct weir_field_map *map = &compiler->mapping->fields[field];
	if (map->path != NULL) {
		MISTAKE(compiler, node->line, ".%s: given twice", weir_field_names[field]);
		return;
	}
	if (node->kind != WEIR_YAML_MAP) {
		char where[32];
		(void)snprintf(where, sizeof(where), ".%s", weir_field_names[field]);
		map->path = path_take(compiler, node, where);
		return;
	}
	for (uint32_t i = 0; i < node->child_count; i++)
		compile_field_member(compiler, field, &node->children[i]);
	if (weir_yaml_member(node, "path") == NULL)
		MISTAKE(compiler, node->line, ".%s: needs a path", weir_field_names[field]);
}

/* `event: member` alone means the canonical words. */
static void
compile_event_defaults(struct weir_mapping *mapping)
{
	if (mapping->fields[WEIR_FIELD_EVENT].path == NULL)
		return;
	if (mapping->event_value_count[0] + mapping->event_value_count[1] + mapping->event_value_count[2] > 0)
		return;
	for (uint32_t i = 0; i < 3; i++)
		mapping->event_values[i][mapping->event_value_count[i]++] = weir_strdup(weir_event_names[i]);
}

/* Whether `volume:` says that up and down are totals. */
static bool
compile_volume(struct compiler *compiler, const struct weir_yaml *node)
{
	const struct weir_yaml *volume = weir_yaml_member(node, "volume");
	if (volume == NULL)
		return false;
	bool scalar = volume->kind == WEIR_YAML_SCALAR;
	if (scalar && strcmp(volume->text, "total") == 0)
		return true;
	if (!scalar || strcmp(volume->text, "delta") != 0)
		MISTAKE(compiler, volume->line, ".volume%s", ": must be delta or total");
	return false;
}

static void
compile_member(struct compiler *compiler, const struct weir_yaml *member, bool totals)
{
	const char *words[WEIR_FIELD_COUNT + 2];
	memcpy(words, weir_field_names, sizeof(weir_field_names));
	words[WEIR_FIELD_COUNT] = "filter";
	words[WEIR_FIELD_COUNT + 1] = "volume";
	int word = word_index(member->name, words, WEIR_FIELD_COUNT + 2);
	if (totals && (word == WEIR_FIELD_UP || word == WEIR_FIELD_DOWN))
		word += WEIR_FIELD_UP_TOTAL - WEIR_FIELD_UP;
	if (word < 0)
		unknown_member(compiler, member, "", words, WEIR_FIELD_COUNT + 2);
	else if (word < WEIR_FIELD_COUNT)
		compile_field(compiler, (uint32_t)word, member);
	else if (word == WEIR_FIELD_COUNT)
		compile_filters(compiler, member);
}

static bool
has(const struct compiler *compiler, enum weir_field field)
{
	return compiler->mapping->fields[field].path != NULL;
}

static void
compile_completeness(struct compiler *compiler, uint32_t line)
{
	bool delta = has(compiler, WEIR_FIELD_UP) || has(compiler, WEIR_FIELD_DOWN);
	bool total = has(compiler, WEIR_FIELD_UP_TOTAL) || has(compiler, WEIR_FIELD_DOWN_TOTAL);
	bool session = has(compiler, WEIR_FIELD_SESSION);
	if (!has(compiler, WEIR_FIELD_END))
		MISTAKE(compiler, line, "%s", ": needs end: the path of the record's time");
	if (!delta && !total)
		MISTAKE(compiler, line, "%s", ": needs volumes: up and down, or up_total and down_total");
	if (total && !session)
		MISTAKE(compiler, line, "%s", ": totals need session");
	if (has(compiler, WEIR_FIELD_SEQ) && !session)
		MISTAKE(compiler, line, "%s", ": seq needs session");
	if (!has(compiler, WEIR_FIELD_ID) && !(session && (total || has(compiler, WEIR_FIELD_SEQ))))
		MISTAKE(compiler, line, "%s", ": needs an identity: id, or session with seq, or session with totals");
}

struct weir_mapping *
weir_mapping_compile(const char *name, const struct weir_yaml *node, struct weir_mistakes *mistakes)
{
	struct compiler compiler = {weir_calloc(1, sizeof(struct weir_mapping)), mistakes, name};
	uint32_t before = mistakes->count;
	compiler.mapping->name = weir_strdup(name);
	for (uint32_t i = 0; i < WEIR_FIELD_COUNT; i++)
		compiler.mapping->fields[i].unit_bytes = 1;
	if (node->kind != WEIR_YAML_MAP) {
		MISTAKE(&compiler, node->line, ": must be a map of fields, not %s", weir_yaml_kind_name(node->kind));
	} else {
		bool totals = compile_volume(&compiler, node);
		for (uint32_t i = 0; i < node->child_count; i++)
			compile_member(&compiler, &node->children[i], totals);
		compile_event_defaults(compiler.mapping);
		if (mistakes->count == before)
			compile_completeness(&compiler, node->line);
	}
	if (mistakes->count == before)
		return compiler.mapping;
	weir_mapping_free(compiler.mapping);
	return NULL;
}

enum weir_class
weir_mapping_parse(const char *name, struct weir_slice yaml, struct weir_mapping **mapping_out, struct weir_error *err)
{
	struct weir_yaml root;
	if (weir_yaml_parse(yaml, name, &root, err) != WEIR_OK)
		return WEIR_POISON;
	struct weir_mistakes mistakes = {.source = name, .err = err};
	*mapping_out = weir_mapping_compile(name, &root, &mistakes);
	weir_yaml_free(&root);
	return *mapping_out == NULL ? WEIR_POISON : WEIR_OK;
}
