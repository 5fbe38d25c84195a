/*
 * Rows of a YAML reference file: lists `carriers`, `plans`, `cards`, always taken in that order. A card may stand for a
 * range: {iccid_from: "8986…", count: 1000, …} counts the ICCID's trailing digits up.
 */
#include <stdlib.h>

#include "config/base/nearest.h"
#include "config/reference/reference_file.h"

#define RANGE_MAX 100000000u

static const char *const LISTS[] = {"carriers", "plans", "cards"};

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
	weir_mistake_add(&reader->mistakes, node->line, "count: a whole number from 1 to %u is right", RANGE_MAX);
	return 0;
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
	if (node->kind != WEIR_YAML_SCALAR) {
		weir_mistake_add(
		    &reader->mistakes, node->line, "%s: %s; one value is right", name, weir_yaml_kind_name(node->kind));
		return false;
	}
	if (json_object_set_new(object, name, weir_reference_scalar(member, node->text, node->quoted)) == 0)
		return true;
	weir_mistake_add(&reader->mistakes, node->line, "%s: not UTF-8", name);
	return false;
}

static bool
read_row(struct weir_reference_reader *reader, enum weir_reference_type type, const struct weir_yaml *row)
{
	if (row->kind != WEIR_YAML_MAP) {
		weir_mistake_add(
		    &reader->mistakes, row->line, "%s: a map of members is right", weir_reference_type_name(type));
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
read_list(struct weir_reference_reader *reader, enum weir_reference_type type, const struct weir_yaml *list)
{
	if (list == NULL || weir_yaml_is_null(list))
		return true;
	if (list->kind != WEIR_YAML_LIST) {
		weir_mistake_add(&reader->mistakes, list->line, "%s: a list is right", LISTS[type]);
		return true;
	}
	for (uint32_t i = 0; i < list->child_count; i++)
		if (!read_row(reader, type, &list->children[i]))
			return false;
	return true;
}

void
weir_reference_read_yaml(const struct weir_yaml *root, struct weir_reference_reader *reader)
{
	if (root->kind != WEIR_YAML_MAP) {
		weir_mistake_add(&reader->mistakes, root->line, "a map with carriers, plans and cards is right");
		return;
	}
	for (uint32_t i = 0; i < root->child_count; i++) {
		const char *name = root->children[i].name;
		if (strcmp(name, LISTS[0]) != 0 && strcmp(name, LISTS[1]) != 0 && strcmp(name, LISTS[2]) != 0)
			unknown(reader, &root->children[i], weir_nearest(name, LISTS, 3));
	}
	for (uint32_t type = 0; type < 3; type++)
		if (!read_list(reader, (enum weir_reference_type)type, weir_yaml_member(root, LISTS[type])))
			return;
}
