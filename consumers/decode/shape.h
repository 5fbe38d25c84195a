/*
 * The shape cache: what records looked like lately, so that most need no parser. See shape.c. Internal to consumers/decode.
 */
#ifndef WEIR_CONSUMERS_SHAPE_H
#define WEIR_CONSUMERS_SHAPE_H

#include "consumers/decode/scalar.h"

struct weir_shapes;
struct weir_plan;
struct weir_record;

/* plan is borrowed. */
struct weir_shapes *weir_shapes_new(const struct weir_plan *plan);
void weir_shapes_free(struct weir_shapes *shapes);

/*
 * Tries to read an object that starts at `at` by a known shape, filling either the fields of rec (given zeroed; *made_out:
 * it is a complete record without a reject, and passes the filters) or values, from which the record is to be made. Returns
 * its end, NULL when no shape fits or the object holds something that only the full parser judges. Reads nothing at or
 * beyond `end`. values point into the message or into the cache and last until the next call. *lines_out: whether the
 * object spans several lines.
 */
const uint8_t *weir_shapes_match(struct weir_shapes *shapes, const uint8_t *at, const uint8_t *end,
    struct weir_values *values, struct weir_record *rec, bool *made_out, bool *lines_out);

/* Learning: begin, then each scalar value in order, then commit with the whole object once its text has proved valid. */
void weir_shapes_learn_begin(struct weir_shapes *shapes);
void weir_shapes_learn_value(struct weir_shapes *shapes, const uint8_t *start, const uint8_t *end, uint32_t leaf);
void weir_shapes_learn_forbid(struct weir_shapes *shapes); /* this object cannot be a shape */
void weir_shapes_learn_end(struct weir_shapes *shapes, const uint8_t *start, const uint8_t *end);
void weir_shapes_learn_commit(struct weir_shapes *shapes);

/* Whether to spend time on learning now; false for a while when what was learnt proved useless. */
bool weir_shapes_wants(struct weir_shapes *shapes);

#endif
