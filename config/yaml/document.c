/* Building the tree from libyaml's events; see document.h. Recursion is bounded by DEPTH_MAX. */
#include "config/yaml/document.h"

#include <stdlib.h>
#include <yaml.h>

#include "config/base/file.h"
#include "config/base/mistakes.h"

#define DEPTH_MAX 32
#define MEMBERS_MAX 4096 /* of one map: the search for repeated keys is quadratic */

struct builder {
	yaml_parser_t parser;
	yaml_event_t event;
	bool event_live;
	struct weir_mistakes mistakes;
};

static void
event_drop(struct builder *builder)
{
	if (builder->event_live)
		yaml_event_delete(&builder->event);
	builder->event_live = false;
}

static uint32_t
event_line(const struct builder *builder)
{
	return (uint32_t)builder->event.start_mark.line + 1;
}

static bool
event_next(struct builder *builder)
{
	event_drop(builder);
	if (yaml_parser_parse(&builder->parser, &builder->event) == 0) {
		const yaml_parser_t *parser = &builder->parser;
		weir_mistake_add(&builder->mistakes, (uint32_t)parser->problem_mark.line + 1, "not valid YAML: %s",
		    parser->problem != NULL ? parser->problem : "unknown");
		return false;
	}
	builder->event_live = true;
	return true;
}

static bool
refuse_document(struct builder *builder, const char *what)
{
	weir_mistake_add(&builder->mistakes, event_line(builder), "%s", what);
	return false;
}

static char *
scalar_take(struct builder *builder)
{
	size_t len = builder->event.data.scalar.length;
	const char *value = (const char *)builder->event.data.scalar.value;
	if (memchr(value, 0, len) != NULL) {
		(void)refuse_document(builder, "a zero byte in a text");
		return NULL;
	}
	if (builder->event.data.scalar.tag != NULL || builder->event.data.scalar.anchor != NULL) {
		(void)refuse_document(builder, "anchors and tags are not supported");
		return NULL;
	}
	return weir_strndup(value, len);
}

static struct weir_yaml *
child_add(struct weir_yaml *parent)
{
	if (parent->child_count == parent->child_cap) {
		parent->child_cap = parent->child_cap == 0 ? 4 : parent->child_cap * 2;
		parent->children = weir_realloc(parent->children, parent->child_cap * sizeof(*parent->children));
	}
	struct weir_yaml *child = &parent->children[parent->child_count++];
	*child = (struct weir_yaml){0};
	return child;
}

static bool build_node(struct builder *builder, struct weir_yaml *node, unsigned depth);

static bool
build_list(struct builder *builder, struct weir_yaml *node, unsigned depth)
{
	node->kind = WEIR_YAML_LIST;
	for (;;) {
		if (!event_next(builder))
			return false;
		if (builder->event.type == YAML_SEQUENCE_END_EVENT)
			return true;
		if (!build_node(builder, child_add(node), depth + 1))
			return false;
	}
}

static bool
name_is_new(struct builder *builder, const struct weir_yaml *map, const char *name)
{
	if (map->child_count >= MEMBERS_MAX)
		return refuse_document(builder, "too many members in one map");
	for (uint32_t i = 0; i < map->child_count; i++)
		if (strcmp(map->children[i].name, name) == 0) {
			weir_mistake_add(&builder->mistakes, event_line(builder), "%s: given twice; first in line %u", name,
			    map->children[i].line);
			return false;
		}
	return true;
}

static bool
build_map(struct builder *builder, struct weir_yaml *node, unsigned depth)
{
	node->kind = WEIR_YAML_MAP;
	for (;;) {
		if (!event_next(builder))
			return false;
		if (builder->event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (builder->event.type != YAML_SCALAR_EVENT)
			return refuse_document(builder, "a key must be a plain word");
		char *name = scalar_take(builder);
		if (name == NULL || !name_is_new(builder, node, name)) {
			free(name);
			return false;
		}
		uint32_t line = event_line(builder);
		struct weir_yaml *child = child_add(node);
		child->name = name;
		if (!event_next(builder) || !build_node(builder, child, depth + 1))
			return false;
		child->line = line;
	}
}

/* The current event opens the node. */
static bool
build_node(struct builder *builder, struct weir_yaml *node, unsigned depth)
{
	const yaml_event_t *event = &builder->event;
	node->line = event_line(builder);
	if (depth > DEPTH_MAX)
		return refuse_document(builder, "nested too deeply; at most 32 levels");
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = WEIR_YAML_SCALAR;
		node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		node->text = scalar_take(builder);
		return node->text != NULL;
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL)
			return refuse_document(builder, "anchors and tags are not supported");
		return build_list(builder, node, depth);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL)
			return refuse_document(builder, "anchors and tags are not supported");
		return build_map(builder, node, depth);
	case YAML_ALIAS_EVENT:
		return refuse_document(builder, "aliases are not supported");
	default:
		return refuse_document(builder, "a value is missing");
	}
}

static bool
build_document(struct builder *builder, struct weir_yaml *root)
{
	if (!event_next(builder) || !event_next(builder)) /* stream start; document start, or stream end */
		return false;
	if (builder->event.type == YAML_STREAM_END_EVENT) {
		*root = (struct weir_yaml){.kind = WEIR_YAML_MAP, .line = 1};
		return true;
	}
	if (!event_next(builder) || !build_node(builder, root, 0))
		return false;
	if (!event_next(builder) || !event_next(builder)) /* document end, stream end */
		return false;
	if (builder->event.type != YAML_STREAM_END_EVENT)
		return refuse_document(builder, "a second document in one file");
	return true;
}

enum weir_class
weir_yaml_parse(struct weir_slice text, const char *source, struct weir_yaml *root_out, struct weir_error *err)
{
	struct builder builder = {.mistakes = {.source = source, .err = err}};
	WEIR_CHECK(yaml_parser_initialize(&builder.parser) != 0);
	yaml_parser_set_input_string(&builder.parser, text.data, text.len);
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	*root_out = (struct weir_yaml){0};
	bool built = build_document(&builder, root_out);
	event_drop(&builder);
	yaml_parser_delete(&builder.parser);
	if (built)
		return WEIR_OK;
	weir_yaml_free(root_out);
	return WEIR_POISON;
}

enum weir_class
weir_yaml_read(const char *path, size_t size_max, struct weir_yaml *root_out, struct weir_error *err)
{
	struct weir_buf buf = {0};
	*root_out = (struct weir_yaml){0};
	enum weir_class class = weir_file_read(path, size_max, &buf, err);
	if (class == WEIR_OK)
		class = weir_yaml_parse((struct weir_slice){buf.data, buf.len}, path, root_out, err);
	weir_buf_free(&buf);
	return class;
}

void
weir_yaml_free(struct weir_yaml *root)
{
	for (uint32_t i = 0; i < root->child_count; i++)
		weir_yaml_free(&root->children[i]);
	free(root->children);
	free(root->name);
	free(root->text);
	*root = (struct weir_yaml){0};
}

bool
weir_yaml_is_null(const struct weir_yaml *node)
{
	if (node->kind != WEIR_YAML_SCALAR || node->quoted)
		return false;
	return node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0;
}

const struct weir_yaml *
weir_yaml_member(const struct weir_yaml *map, const char *name)
{
	for (uint32_t i = 0; map->kind == WEIR_YAML_MAP && i < map->child_count; i++)
		if (strcmp(map->children[i].name, name) == 0)
			return &map->children[i];
	return NULL;
}

const char *
weir_yaml_kind_name(enum weir_yaml_kind kind)
{
	return kind == WEIR_YAML_SCALAR ? "a text" : kind == WEIR_YAML_MAP ? "a map" : "a list";
}

void
weir_yaml_print_text(const char *text, FILE *out)
{
	(void)fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			(void)fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			(void)fprintf(out, "\\x%02x", (unsigned char)*text);
		else
			(void)fputc(*text, out);
	}
	(void)fputc('"', out);
}
