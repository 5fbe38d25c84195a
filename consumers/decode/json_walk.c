/*
 * The full way: the JSON grammar walked over the places that simdjson's first stage found.
 *
 * The places are the start of every structural character, string and other scalar, in order. So the grammar is a small
 * state machine over single bytes, a string's end is the last quote before the next place, and elements' bytes are
 * known without a second search. Containers are kept on a fixed stack, no recursion: hostile nesting ends in `malformed`.
 *
 * A repeated member counts as its last; for a container on the way to asked members that means that all found under the
 * earlier one is forgotten.
 */
#include <string.h>

#include "consumers/decode/decode_priv.h"
#include "consumers/decode/json_text.h"

struct walk {
	struct weir_decoder *decoder;
	const uint8_t *text;
	uint32_t len;
	const uint32_t *places;
	uint32_t count;
	uint32_t at;   /* next place */
	uint32_t end;  /* where the last value ended */
	bool escapes;  /* the text holds a backslash somewhere */
	bool learning; /* this element teaches the shape cache */
};

/* Bytes between the quotes of the string that starts at place pos. */
static inline bool
string_bounds(const struct walk *walk, uint32_t pos, struct weir_slice *raw_out)
{
	uint32_t end = walk->at < walk->count ? walk->places[walk->at] : walk->len;
	while (end > pos + 1 && weir_json_is_space(walk->text[end - 1]))
		end--;
	if (end <= pos + 1 || walk->text[end - 1] != '"')
		return false;
	*raw_out = (struct weir_slice){walk->text + pos + 1, end - pos - 2};
	return true;
}

/* The string's contents; wanted: whether anybody will read them. Room was reserved for the whole text. */
static bool
string_contents(struct walk *walk, struct weir_slice raw, bool wanted, const uint8_t **data_out, uint32_t *len_out)
{
	*data_out = raw.data;
	*len_out = (uint32_t)raw.len;
	if (!walk->escapes || memchr(raw.data, '\\', raw.len) == NULL)
		return true;
	struct weir_buf *buf = &walk->decoder->unescaped;
	uint8_t *out = wanted ? buf->data + buf->len : NULL;
	if (!weir_json_unescape(raw.data, (uint32_t)raw.len, out, len_out))
		return false;
	if (wanted) {
		*data_out = out;
		buf->len += *len_out;
	}
	return true;
}

static inline void
value_set(struct walk *walk, int32_t leaf, const struct weir_scalar *value)
{
	if (leaf == WEIR_LEAF_SKIP)
		return;
	walk->decoder->values.leaf[leaf] = *value;
	walk->decoder->values.present |= 1u << leaf;
}

static bool
is_plain(const struct weir_slice raw)
{
	uint8_t bits = 0;
	for (size_t i = 0; i < raw.len; i++)
		bits |= (uint8_t)(raw.data[i] | (raw.data[i] == '\\' ? 0x80 : 0));
	return bits < 0x80;
}

/* A string that nobody asks for and that is not plain ASCII stays part of the shape's fixed text. */
static void
learn_string(struct walk *walk, struct weir_slice raw, int32_t leaf)
{
	if (leaf != WEIR_LEAF_SKIP || is_plain(raw))
		weir_shapes_learn_value(walk->decoder->shapes, raw.data - 1, raw.data + raw.len + 1, (uint32_t)leaf);
}

static bool
string_take(struct walk *walk, uint32_t pos, int32_t leaf)
{
	struct weir_slice raw;
	struct weir_scalar value = {.kind = WEIR_KIND_STRING};
	if (!string_bounds(walk, pos, &raw) || !string_contents(walk, raw, leaf != WEIR_LEAF_SKIP, &value.data, &value.len))
		return false;
	walk->end = pos + (uint32_t)raw.len + 2;
	value_set(walk, leaf, &value);
	if (walk->learning)
		learn_string(walk, raw, leaf);
	return true;
}

static bool
scalar_take(struct walk *walk, uint32_t pos, int32_t leaf)
{
	struct weir_scalar value = {.data = NULL};
	uint32_t len = weir_json_scalar(walk->text + pos, walk->len - pos, &value);
	if (len == 0)
		return false;
	walk->end = pos + len;
	value_set(walk, leaf, &value);
	if (walk->learning)
		weir_shapes_learn_value(walk->decoder->shapes, walk->text + pos, walk->text + pos + len, (uint32_t)leaf);
	return true;
}

/* Forgets what an earlier member of the same name gave. */
static inline void
member_enter(struct walk *walk, int32_t node)
{
	struct weir_decoder *decoder = walk->decoder;
	if (decoder->plan->nodes[node].below == 0)
		return;
	if (decoder->node_seen[node] == decoder->element_serial) {
		decoder->values.present &= ~decoder->plan->nodes[node].below;
		if (walk->learning)
			weir_shapes_learn_forbid(decoder->shapes);
	}
	decoder->node_seen[node] = decoder->element_serial;
}

/* Reads `"name":`; gives the plan's node for it. */
static bool
name_take(struct walk *walk, int32_t parent, int32_t *node_out)
{
	struct weir_slice raw;
	const uint8_t *name;
	uint32_t len;
	if (walk->at >= walk->count)
		return false;
	uint32_t pos = walk->places[walk->at++];
	size_t kept = walk->decoder->unescaped.len;
	if (walk->text[pos] != '"' || !string_bounds(walk, pos, &raw) ||
	    !string_contents(walk, raw, parent != WEIR_NODE_NONE, &name, &len))
		return false;
	if (walk->at >= walk->count || walk->text[walk->places[walk->at++]] != ':')
		return false;
	*node_out = WEIR_NODE_NONE;
	if (parent != WEIR_NODE_NONE) {
		*node_out = weir_plan_child(walk->decoder->plan, parent, name, len);
		walk->decoder->unescaped.len = kept;
		if (*node_out != WEIR_NODE_NONE)
			member_enter(walk, *node_out);
	}
	return true;
}

static void
container_enter(struct walk *walk, int32_t node, int32_t leaf, bool object, struct weir_level *level)
{
	static const struct weir_scalar CONTAINER = {.kind = WEIR_KIND_CONTAINER};
	bool asked = object && node != WEIR_NODE_NONE && walk->decoder->plan->nodes[node].child_count > 0;
	*level = (struct weir_level){.node = asked ? node : WEIR_NODE_NONE, .object = object};
	value_set(walk, leaf, &CONTAINER);
	if (leaf != WEIR_LEAF_SKIP && walk->learning)
		weir_shapes_learn_forbid(walk->decoder->shapes);
}

/* Whether the container just entered ends at once; then takes its end. */
static inline bool
is_empty(struct walk *walk, uint8_t close)
{
	if (walk->at >= walk->count || walk->text[walk->places[walk->at]] != close)
		return false;
	walk->end = walk->places[walk->at++] + 1;
	return true;
}

enum step { STEP_VALUE, STEP_DONE, STEP_BAD };

/* Behind a value: closes containers, until another value is due or the outermost is closed. */
static enum step
value_end(struct walk *walk, uint32_t *depth, int32_t *node_out)
{
	while (*depth > 0) {
		const struct weir_level *level = &walk->decoder->levels[*depth - 1];
		if (walk->at >= walk->count)
			return STEP_BAD;
		uint32_t pos = walk->places[walk->at++];
		uint8_t c = walk->text[pos];
		if (c == ',') {
			*node_out = WEIR_NODE_NONE;
			return !level->object || name_take(walk, level->node, node_out) ? STEP_VALUE : STEP_BAD;
		}
		if (c != (level->object ? '}' : ']'))
			return STEP_BAD;
		walk->end = pos + 1;
		(*depth)--;
	}
	return STEP_DONE;
}

/* Walks the value at the next place and all in it. node: the plan's node for it. */
static bool
value_walk(struct walk *walk, int32_t node)
{
	const struct weir_plan_node *nodes = walk->decoder->plan->nodes;
	enum step step = STEP_VALUE;
	uint32_t depth = 0;
	while (step == STEP_VALUE) {
		if (walk->at >= walk->count)
			return false;
		uint32_t pos = walk->places[walk->at++];
		uint8_t c = walk->text[pos];
		int32_t leaf = node == WEIR_NODE_NONE ? WEIR_LEAF_SKIP : nodes[node].leaf;
		if (c == '{' || c == '[') {
			if (depth == WEIR_JSON_DEPTH_MAX)
				return false;
			struct weir_level *level = &walk->decoder->levels[depth];
			container_enter(walk, node, leaf, c == '{', level);
			if (!is_empty(walk, c == '{' ? '}' : ']')) {
				depth++;
				node = WEIR_NODE_NONE;
				if (c == '{' && !name_take(walk, level->node, &node))
					return false;
				continue;
			}
		} else if (!(c == '"' ? string_take(walk, pos, leaf) : scalar_take(walk, pos, leaf))) {
			return false;
		}
		step = value_end(walk, &depth, &node);
	}
	return step == STEP_DONE;
}

/* One record element: walks it and makes its record. */
static bool
element_walk(struct walk *walk, struct weir_job *job, const uint8_t *learn_at)
{
	struct weir_decoder *decoder = walk->decoder;
	if (walk->at >= walk->count)
		return false;
	const uint8_t *start = walk->text + walk->places[walk->at];
	bool object = *start == '{';
	decoder->values.present = 0;
	decoder->unescaped.len = 0;
	if (++decoder->element_serial == 0) { /* wrapped: old marks would look new */
		memset(decoder->node_seen, 0, decoder->plan->node_count * sizeof(*decoder->node_seen));
		decoder->element_serial = 1;
	}
	walk->learning = object && start == learn_at;
	if (walk->learning)
		weir_shapes_learn_begin(decoder->shapes);
	if (!value_walk(walk, object ? 0 : WEIR_NODE_NONE))
		return false;
	const uint8_t *end = walk->text + walk->end;
	if (walk->learning)
		weir_shapes_learn_end(decoder->shapes, start, end);
	walk->learning = false;
	weir_decode_emit(decoder, job, object, start, (size_t)(end - start));
	job->full++;
	return true;
}

static bool
array_walk(struct walk *walk, struct weir_job *job, const uint8_t *learn_at)
{
	walk->at++;
	if (is_empty(walk, ']'))
		return true;
	for (;;) {
		if (!element_walk(walk, job, learn_at) || walk->at >= walk->count)
			return false;
		uint8_t c = walk->text[walk->places[walk->at++]];
		if (c == ']')
			return true;
		if (c != ',')
			return false;
	}
}

bool
weir_walk_text(struct weir_decoder *decoder, struct weir_job *job, struct weir_slice text, const uint8_t *learn_at)
{
	struct walk walk = {.decoder = decoder, .text = text.data, .len = (uint32_t)text.len};
	if (!weir_json_index_run(decoder->index, text.data, text.len, &walk.places, &walk.count))
		return false;
	walk.escapes = memchr(text.data, '\\', text.len) != NULL;
	decoder->unescaped.len = 0;
	if (walk.escapes)
		weir_buf_reserve(&decoder->unescaped, text.len);
	bool array = text.data[walk.places[0]] == '[';
	bool valid = array ? array_walk(&walk, job, learn_at) : element_walk(&walk, job, learn_at);
	return valid && walk.at == walk.count;
}
