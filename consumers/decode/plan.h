/*
 * A mapping made ready for decoding: a tree of member names whose leaves are numbered, so that a value found on the way
 * through a record goes to its place without comparing paths. Built once, read-only after. Internal to consumers/decode.
 */
#ifndef WEIR_CONSUMERS_PLAN_H
#define WEIR_CONSUMERS_PLAN_H

#include "config/base/iccid.h"
#include "config/mapping/mapping.h"
#include "consumers/decode/scalar.h"

#define WEIR_NODE_NONE (-1)
#define WEIR_PLAN_BUCKETS 64

struct weir_plan_node {
	char *name; /* member's name; NULL at the root */
	uint32_t len;
	int32_t leaf;                      /* where a value here goes; WEIR_LEAF_SKIP = nowhere */
	uint32_t below;                    /* leaves of the members under this one, a bit each */
	uint32_t child_count;              /* 0: nothing under this one is asked for */
	int16_t bucket[WEIR_PLAN_BUCKETS]; /* children by weir_plan_hash, WEIR_NODE_NONE = free */
};

struct weir_word {
	const char *text; /* mapping's */
	uint32_t len;
};

struct weir_plan {
	const struct weir_mapping *mapping;
	struct weir_plan_node *nodes; /* [0] is the record element itself */
	uint32_t node_count;
	uint32_t leaf_count;
	uint8_t field_leaf[WEIR_FIELD_COUNT]; /* WEIR_LEAF_SKIP = the feed has no such field */
	uint8_t filter_leaf[WEIR_FILTERS_MAX];
	struct weir_word event[3][WEIR_FILTER_VALUES_MAX];
	struct weir_word filter[WEIR_FILTERS_MAX][WEIR_FILTER_VALUES_MAX];
};

struct weir_plan *weir_plan_new(const struct weir_mapping *mapping);
void weir_plan_free(struct weir_plan *plan);

/* The child of node that is called so, or WEIR_NODE_NONE. name may hold any bytes. */
int32_t weir_plan_child(const struct weir_plan *plan, int32_t node, const uint8_t *name, uint32_t len);

/* Whether the mapping's filters let an element with these values through. */
bool weir_fields_pass(const struct weir_plan *plan, const struct weir_values *values);

struct weir_record;
struct weir_slice;
/* Turns values into a record: sets its fields and, when they will not do, its reject. key: see weir_decode. */
void weir_fields_apply(
    const struct weir_plan *plan, const struct weir_values *values, const struct weir_slice *key, struct weir_record *rec);

/* Sets rec's flags by an event word; false when the word is wrong. value may be NULL. */
bool weir_fields_event(const struct weir_plan *plan, const struct weir_scalar *value, struct weir_record *rec);

#endif
