/*
 * Rows of a YAML reference file: lists `carriers`, `alerts`, `plans`, `pools`, `cards`, always taken in that order, so that
 * what is named comes before what names it. A card may stand for a range: {iccid_from: "8986…", count: 1000, …} counts the
 * ICCID's trailing digits up.
 */
#include <stdlib.h>

#include "config/base/nearest.h"
#include "config/reference/reference_file.h"

#define RANGE_MAX 100000000u

#define LISTS 5
static const char *const NAMES[LISTS] = {"carriers", "alerts", "plans", "pools", "cards"};
static const enum weir_reference_type TYPES[LISTS] = {
    WEIR_REF_CARRIER, WEIR_REF_ALERTS, WEIR_REF_PLAN, WEIR_REF_POOL, WEIR_REF_CARD};

static void
unknown(struct weir_reference_reader *reader, const struct weir_yaml *node, const char *near)
{
	weir_mistake_add(&reader->mistakes, node->line, "%.64s: unknown%s%s%s", node->name, near ? "; did you mean " : "",
	    near ? near : "", near ? "?" : "");
}

/* 1 to RANGE_MAX; 0 and a mistake otherwise. */
static uint64_t
read_count(struct weir_reference_reader *reader, const struct weir_yaml *node)
{
	uint64_t count = 0;
	const char *text = node->kind == WEIR_YAML_SCALAR && !node->quoted ? node->text : "";
	for (; *text >= '0' && *text <= '9' && count <= RANGE_MAX; text++)
		count = count * 10 + (uint64_t)(*text - '0');
	if (node->kind == WEIR_YAML_SCALAR && *text == '\0' && count >= 1 && count <= RANGE_MAX)
		return count;
	weir_mistake_add(&reader->mistakes, node->line, "count: must be a whole number from 1 to %u", RANGE_MAX);
	return 0;
}

/* A node as JSON; NULL when a text is not UTF-8. Depth is bounded by the YAML reader's. */
static json_t *
node_json(const struct weir_member *member, const struct weir_yaml *node)
{
	if (node->kind == WEIR_YAML_SCALAR)
		return weir_reference_scalar(member, node->text, node->quoted);
	json_t *value = node->kind == WEIR_YAML_LIST ? json_array() : json_object();
	for (uint32_t i = 0; i < node->child_count; i++) {
		json_t *child = node_json(member, &node->children[i]);
		int put = node->kind == WEIR_YAML_LIST ? json_array_append_new(value, child)
						       : json_object_set_new(value, node->children[i].name, child);
		if (put != 0) {
			json_decref(value);
			return NULL;
		}
	}
	return value;
}

static bool
member_set(struct weir_reference_reader *reader, json_t *object, enum weir_reference_type type, const char *name,
    const struct weir_yaml *node)
{
	const struct weir_member *member = weir_reference_member_find(type, name);
	if (member == NULL) {
		unknown(reader, node, weir_reference_member_nearest(type, name));
		return false;
	}
	bool one = member->kind != WEIR_MEMBER_TEXTS && member->kind != WEIR_MEMBER_LEVELS;
	if (one && node->kind != WEIR_YAML_SCALAR) {
		weir_mistake_add(
		    &reader->mistakes, node->line, "%s: %s; must be one value", name, weir_yaml_kind_name(node->kind));
		return false;
	}
	if (json_object_set_new(object, name, node_json(member, node)) == 0)
		return true;
	weir_mistake_add(&reader->mistakes, node->line, "%s: not UTF-8", name);
	return false;
}

static bool
read_row(struct weir_reference_reader *reader, enum weir_reference_type type, const struct weir_yaml *row)
{
	if (row->kind != WEIR_YAML_MAP) {
		weir_mistake_add(
		    &reader->mistakes, row->line, "%s: must be a map of members", weir_reference_type_name(type));
		return true;
	}
	json_t *object = json_object();
	const struct weir_yaml *from = weir_yaml_member(row, "iccid_from"), *count = weir_yaml_member(row, "count");
	bool right = true, range = type == WEIR_REF_CARD && (from != NULL || count != NULL);
	uint64_t card_count = 1;
	if (range && (from == NULL || count == NULL || weir_yaml_member(row, "iccid") != NULL)) {
		weir_mistake_add(&reader->mistakes, row->line, "card: a range has iccid_from and count, and no iccid");
		right = false;
	} else if (range) {
		card_count = read_count(reader, count);
		right = card_count > 0;
	}
	for (uint32_t i = 0; right && i < row->child_count; i++) {
		const struct weir_yaml *member = &row->children[i];
		if (range && member == count)
			continue;
		right = member_set(reader, object, type, range && member == from ? "iccid" : member->name, member);
	}
	bool going = !right || weir_reference_row(reader, row->line, type, object, card_count);
	json_decref(object);
	return going;
}

static bool
read_list(struct weir_reference_reader *reader, uint32_t number, const struct weir_yaml *list)
{
	if (list == NULL || weir_yaml_is_null(list))
		return true;
	if (list->kind != WEIR_YAML_LIST) {
		weir_mistake_add(&reader->mistakes, list->line, "%s: must be a list", NAMES[number]);
		return true;
	}
	for (uint32_t i = 0; i < list->child_count; i++)
		if (!read_row(reader, TYPES[number], &list->children[i]))
			return false;
	return true;
}

static bool
is_list_name(const char *name)
{
	for (uint32_t i = 0; i < LISTS; i++)
		if (strcmp(name, NAMES[i]) == 0)
			return true;
	return false;
}

void
weir_reference_read_yaml(const struct weir_yaml *root, struct weir_reference_reader *reader)
{
	if (root->kind != WEIR_YAML_MAP) {
		weir_mistake_add(
		    &reader->mistakes, root->line, "must be a map with carriers, alerts, plans, pools and cards");
		return;
	}
	for (uint32_t i = 0; i < root->child_count; i++)
		if (!is_list_name(root->children[i].name))
			unknown(reader, &root->children[i], weir_nearest(root->children[i].name, NAMES, LISTS));
	for (uint32_t i = 0; i < LISTS; i++)
		if (!read_list(reader, i, weir_yaml_member(root, NAMES[i])))
			return;
}
