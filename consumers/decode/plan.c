/*
 * Building a plan from a mapping, see plan.h.
 *
 * Children are found by a small table over length, first and last byte: the names of a feed's members seldom agree in all
 * three. Two paths that are the same share a leaf. A path may end where another goes on (`a` and `a.b`).
 */
#include "consumers/decode/plan.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/check.h"

static inline uint32_t
name_hash(const uint8_t *name, uint32_t len)
{
	uint32_t ends = len == 0 ? 0 : name[0] * 5u + name[len - 1] * 11u;
	return (ends + len) % WEIR_PLAN_BUCKETS;
}

/* memcmp for names: most have 2 to 16 bytes, compared as two words that may overlap. */
static inline bool
name_equal(const char *a, const uint8_t *b, uint32_t len)
{
	uint64_t a8[2], b8[2];
	uint32_t a4[2], b4[2];
	if (len > 16 || len < 4)
		return len == 2 ? a[0] == (char)b[0] && a[1] == (char)b[1] : memcmp(a, b, len) == 0;
	if (len >= 8) {
		memcpy(&a8[0], a, 8);
		memcpy(&b8[0], b, 8);
		memcpy(&a8[1], a + len - 8, 8);
		memcpy(&b8[1], b + len - 8, 8);
		return ((a8[0] ^ b8[0]) | (a8[1] ^ b8[1])) == 0;
	}
	memcpy(&a4[0], a, 4);
	memcpy(&b4[0], b, 4);
	memcpy(&a4[1], a + len - 4, 4);
	memcpy(&b4[1], b + len - 4, 4);
	return ((a4[0] ^ b4[0]) | (a4[1] ^ b4[1])) == 0;
}

int32_t
weir_plan_child(const struct weir_plan *plan, int32_t node, const uint8_t *name, uint32_t len)
{
	const struct weir_plan_node *parent = &plan->nodes[node];
	for (uint32_t at = name_hash(name, len);; at = (at + 1) % WEIR_PLAN_BUCKETS) {
		int32_t child = parent->bucket[at];
		if (child == WEIR_NODE_NONE)
			return WEIR_NODE_NONE;
		const struct weir_plan_node *node_at = &plan->nodes[child];
		if (node_at->len == len && name_equal(node_at->name, name, len))
			return child;
	}
}

static int32_t
node_add(struct weir_plan *plan, const char *name, uint32_t len)
{
	WEIR_CHECK(plan->node_count < INT16_MAX);
	plan->nodes = weir_realloc(plan->nodes, (plan->node_count + 1) * sizeof(*plan->nodes));
	struct weir_plan_node *node = &plan->nodes[plan->node_count];
	*node = (struct weir_plan_node){.name = weir_strndup(name, len), .len = len, .leaf = WEIR_LEAF_SKIP};
	for (uint32_t i = 0; i < WEIR_PLAN_BUCKETS; i++)
		node->bucket[i] = WEIR_NODE_NONE;
	return (int32_t)plan->node_count++;
}

static int32_t
child_add(struct weir_plan *plan, int32_t parent, const char *name, uint32_t len)
{
	int32_t child = weir_plan_child(plan, parent, (const uint8_t *)name, len);
	if (child != WEIR_NODE_NONE)
		return child;
	child = node_add(plan, name, len);
	WEIR_CHECK(++plan->nodes[parent].child_count < WEIR_PLAN_BUCKETS);
	uint32_t at = name_hash((const uint8_t *)name, len);
	while (plan->nodes[parent].bucket[at] != WEIR_NODE_NONE)
		at = (at + 1) % WEIR_PLAN_BUCKETS;
	plan->nodes[parent].bucket[at] = (int16_t)child;
	return child;
}

/* Adds a dotted path and gives its leaf. */
static uint8_t
path_add(struct weir_plan *plan, const char *path)
{
	int32_t trail[64];
	uint32_t depth = 0;
	int32_t node = 0;
	for (const char *name = path; name != NULL;) {
		const char *dot = strchr(name, '.');
		size_t len = dot ? (size_t)(dot - name) : strlen(name);
		WEIR_CHECK(depth < 64);
		trail[depth++] = node;
		node = child_add(plan, node, name, (uint32_t)len);
		name = dot ? dot + 1 : NULL;
	}
	if (plan->nodes[node].leaf == WEIR_LEAF_SKIP) {
		WEIR_CHECK(plan->leaf_count < WEIR_LEAF_SKIP);
		plan->nodes[node].leaf = (int32_t)plan->leaf_count++;
	}
	for (uint32_t i = 0; i < depth; i++)
		plan->nodes[trail[i]].below |= 1u << plan->nodes[node].leaf;
	return (uint8_t)plan->nodes[node].leaf;
}

static struct weir_word
state_of_pool(const char *text)
{
	return (struct weir_word){text, (uint32_t)strlen(text)};
}

struct weir_plan *
weir_plan_new(const struct weir_mapping *mapping)
{
	struct weir_plan *plan = weir_calloc(1, sizeof(*plan));
	plan->mapping = mapping;
	(void)node_add(plan, "", 0);
	for (uint32_t i = 0; i < WEIR_FIELD_COUNT; i++)
		plan->field_leaf[i] = mapping->fields[i].path ? path_add(plan, mapping->fields[i].path) : WEIR_LEAF_SKIP;
	for (uint32_t i = 0; i < mapping->filter_count; i++) {
		plan->filter_leaf[i] = path_add(plan, mapping->filters[i].path);
		for (uint32_t j = 0; j < mapping->filters[i].value_count; j++)
			plan->filter[i][j] = state_of_pool(mapping->filters[i].values[j]);
	}
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t j = 0; j < mapping->event_value_count[i]; j++)
			plan->event[i][j] = state_of_pool(mapping->event_values[i][j]);
	return plan;
}

void
weir_plan_free(struct weir_plan *plan)
{
	for (uint32_t i = 0; i < plan->node_count; i++)
		free(plan->nodes[i].name);
	free(plan->nodes);
	free(plan);
}
