/*
 * The shape cache: reading a record by what the last ones looked like.
 *
 * A producer writes its records with the same members in the same order. A *shape* is such a record taken apart: fixed
 * text (braces, names, colons, white space) and slots where scalar values stand. To read a record by a shape is to compare
 * the fixed text and scan each value strictly: a string of plain ASCII, a number without exponent, true, false, null.
 *
 * Why this accepts only JSON: every fixed text stood in a text that the full parser accepted, and between two of them
 * stands a complete scalar where that text had one; exchanging one scalar for another keeps JSON valid. All else (escapes,
 * non-ASCII, exponents, numbers of 20 digits, an object where a scalar stood) is left to the full parser, not judged.
 *
 * Speed: fixed text is compared 32 bytes at a time, so that reading must stay inside the message: the last bytes
 * are read from a copy with zeros behind it, and no shape accepts a zero. The place of the next value depends on the
 * length of this one, a chain of loads that would be most of the time; so a slot that keeps its length (ids, times) is
 * *predicted*: the branch predictor, not the data, then carries the chain. Rejected: comparing the whole record with
 * the last one byte by byte (values differ everywhere) and per-shape machine code (W^X, and no faster here).
 *
 * Learning costs about as much as parsing, so it pauses when what was learnt was never used again: 1, 2, 4 ... 64 misses.
 */
#include "consumers/decode/shape.h"

#include <stddef.h>
#include <stdlib.h>

#include "config/base/check.h"
#include "consumers/decode/scan.h"

#define SHAPES 8
#define STEPS_MAX 192
#define VALUES_MAX 160
#define OBJECT_MAX 8192
#define MARGIN 96         /* a step reads fewer bytes than that */
#define PREDICT_NEVER 255 /* a slot's length varies */
#define PREDICT_MISSES 8
#define PAUSE_MAX 64

/* Fixed text of up to 32 bytes, then a value (or none, when more fixed text follows). */
struct step {
	uint8_t fixed[WEIR_SCAN_BLOCK];
	uint32_t mask; /* a bit per byte of fixed */
	uint8_t len;
	bool has_value;
	uint16_t value_off; /* where the value goes in struct weir_values */
	uint8_t pad[24];
};
_Static_assert(sizeof(struct step) == 64, "a cache line");

struct shape {
	_Alignas(64) struct step steps[STEPS_MAX];
	uint32_t count; /* 0 = free */
	uint32_t hits;
	uint32_t present;           /* leaves that its slots fill, a bit each */
	bool lines;                 /* fixed text holds a newline */
	uint8_t predict[STEPS_MAX]; /* length of the string there, PREDICT_NEVER = varies */
	uint8_t misses[STEPS_MAX];
};

struct learnt_value {
	const uint8_t *start;
	const uint8_t *end;
	uint8_t leaf;
};

struct weir_shapes {
	_Alignas(64) struct shape shape[SHAPES];
	struct shape draft;
	uint8_t tail[MARGIN * 3]; /* copy of a message's last bytes; zeros behind */
	uint32_t hot;             /* last that matched */
	uint32_t victim;
	uint32_t pause; /* misses to let pass before learning again */
	uint32_t pause_next;
	struct learnt_value learnt[VALUES_MAX];
	uint32_t learnt_count;
	bool forbidden;
	const uint8_t *learnt_start;
	const uint8_t *learnt_end;
};

struct weir_shapes *
weir_shapes_new(void)
{
	struct weir_shapes *shapes = aligned_alloc(64, sizeof(*shapes));
	WEIR_CHECK(shapes != NULL);
	memset(shapes, 0, sizeof(*shapes));
	shapes->pause_next = 1;
	return shapes;
}

void
weir_shapes_free(struct weir_shapes *shapes)
{
	free(shapes);
}

/* What may be read from where: in the message, or in the copy of its tail. Places go by value, to stay in registers. */
struct window {
	const uint8_t *last;  /* a step may start before here */
	const uint8_t *limit; /* nothing at or beyond is read */
	const uint8_t *end;   /* of the text */
};

static void __attribute__((noinline)) tail_copy(struct weir_shapes *shapes, const uint8_t *at, size_t left)
{
	memcpy(shapes->tail, at, left);
	memset(shapes->tail + left, 0, MARGIN);
}

/* A string longer than a block: finds its last byte. Strings may reach into the message's end, read there bytewise. */
static const uint8_t *__attribute__((noinline)) long_string_end(struct window window, const uint8_t *at)
{
	while (window.limit - at >= WEIR_SCAN_BLOCK) {
		uint32_t special = weir_scan_special(at);
		if (special != 0)
			return at + __builtin_ctz(special);
		at += WEIR_SCAN_BLOCK;
	}
	while (at < window.end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at < window.end ? at : NULL;
}

/* The slot's length was not as predicted. */
static void __attribute__((noinline)) predict_missed(struct shape *shape, uint32_t i, uint32_t len)
{
	shape->predict[i] = ++shape->misses[i] > PREDICT_MISSES ? PREDICT_NEVER : (uint8_t)len;
}

/* The matchers below give the place behind the value, NULL when it is not one that they judge. */
static inline const uint8_t *
string_match(struct shape *shape, uint32_t i, struct window window, const uint8_t *start, struct weir_scalar *value)
{
	uint32_t special = weir_scan_special(start);
	value->data = start;
	value->kind = WEIR_KIND_STRING;
	if (__builtin_expect(special == 0, 0)) {
		const uint8_t *end = long_string_end(window, start + WEIR_SCAN_BLOCK);
		if (end == NULL || *end != '"')
			return NULL;
		value->len = (uint32_t)(end - start);
		return end + 1;
	}
	uint32_t len = (uint32_t)__builtin_ctz(special);
	if (__builtin_expect(start[len] != '"', 0))
		return NULL;
	uint32_t predicted = shape->predict[i];
	const uint8_t *after = start + predicted + 1;
	/* Where the value ends if its length is as predicted: known without waiting for the scan, and the compiler must not
	 * notice that it is the same place. */
	__asm__("" : "+r"(after));
	value->len = len;
	if (__builtin_expect(len == predicted, 1))
		return after;
	if (predicted != PREDICT_NEVER)
		predict_missed(shape, i, len);
	return start + len + 1;
}

/* A number that is not just up to 15 digits: a sign, a fraction, 16 to 19 digits. Others are left to the full parser. */
static const uint8_t *__attribute__((noinline)) number_match_long(const uint8_t *start, struct weir_scalar *value)
{
	const uint8_t *at = start;
	bool minus = *at == '-';
	at += minus;
	uint32_t whole = weir_scan_digits(at);
	if (whole == 16)
		whole += weir_scan_digits(at + 16);
	if (whole == 0 || whole > 19 || (whole > 1 && *at == '0'))
		return NULL;
	uint64_t number = weir_scan_number(at, whole < 16 ? whole : 16);
	for (uint32_t i = 16; i < whole; i++)
		number = number * 10 + (uint64_t)(at[i] - '0');
	at += whole;
	value->kind = minus ? WEIR_KIND_NUMBER : WEIR_KIND_UINT;
	if (*at == '.') {
		uint32_t decimals = weir_scan_digits(at + 1);
		if (decimals == 0 || decimals == 16)
			return NULL;
		at += 1 + decimals;
		value->kind = WEIR_KIND_NUMBER;
	}
	value->data = start;
	value->len = (uint32_t)(at - start);
	value->number = number;
	return (*at | 0x20) == 'e' ? NULL : at;
}

static inline const uint8_t *
number_match(const uint8_t *at, struct weir_scalar *value)
{
	uint32_t count = weir_scan_digits(at);
	if (__builtin_expect(count == 0 || count == 16 || at[count] == '.' || (at[count] | 0x20) == 'e', 0))
		return number_match_long(at, value);
	value->data = at;
	value->len = count;
	value->kind = WEIR_KIND_UINT;
	value->number = weir_scan_number(at, count);
	return count > 1 && *at == '0' ? NULL : at + count;
}

static const uint8_t *__attribute__((noinline)) literal_match(const uint8_t *at, struct weir_scalar *value)
{
	static const struct {
		const char *text;
		uint32_t len;
		enum weir_kind kind;
	} LITERALS[] = {{"null", 4, WEIR_KIND_NULL}, {"true", 4, WEIR_KIND_TRUE}, {"false", 5, WEIR_KIND_FALSE}};
	for (uint32_t i = 0; i < 3; i++)
		if (memcmp(at, LITERALS[i].text, LITERALS[i].len) == 0) {
			*value = (struct weir_scalar){at, 0, LITERALS[i].len, LITERALS[i].kind};
			return at + LITERALS[i].len;
		}
	return NULL;
}

static inline const uint8_t *
shape_match(
    struct weir_shapes *shapes, struct shape *shape, const uint8_t *at, const uint8_t *end, struct weir_values *values)
{
	struct window window = {end - at > MARGIN ? end - MARGIN : at, end, end};
	const struct step *step = shape->steps;
	uint32_t count = shape->count;
	for (uint32_t i = 0; i < count; i++, step++) {
		if (__builtin_expect(at >= window.last, 0)) {
			size_t left = (size_t)(end - at);
			tail_copy(shapes, at, left);
			at = shapes->tail;
			window.limit = window.last = shapes->tail + sizeof(shapes->tail);
			window.end = at + left;
		}
		if (!weir_scan_equal(at, step->fixed, step->mask))
			return NULL;
		at += step->len;
		if (!step->has_value)
			continue;
		struct weir_scalar *value = (struct weir_scalar *)(void *)((uint8_t *)values + step->value_off);
		if (*at == '"')
			at = string_match(shape, i, window, at + 1, value);
		else if (*at == '-' || (uint8_t)(*at - '0') <= 9)
			at = number_match(at, value);
		else
			at = literal_match(at, value);
		if (at == NULL)
			return NULL;
	}
	values->present = shape->present;
	return end - (window.end - at);
}

const uint8_t *
weir_shapes_match(
    struct weir_shapes *shapes, const uint8_t *at, const uint8_t *end, struct weir_values *values, bool *lines_out)
{
	for (uint32_t i = 0; i < SHAPES; i++) {
		uint32_t which = (shapes->hot + i) % SHAPES;
		struct shape *shape = &shapes->shape[which];
		if (shape->count == 0)
			continue;
		const uint8_t *after = shape_match(shapes, shape, at, end, values);
		if (after != NULL) {
			shapes->hot = which;
			shape->hits++;
			*lines_out = shape->lines;
			return after;
		}
	}
	return NULL;
}

bool
weir_shapes_wants(struct weir_shapes *shapes)
{
	if (shapes->pause == 0)
		return true;
	shapes->pause--;
	return false;
}

void
weir_shapes_learn_begin(struct weir_shapes *shapes)
{
	shapes->learnt_count = 0;
	shapes->forbidden = false;
	shapes->learnt_start = NULL;
}

void
weir_shapes_learn_value(struct weir_shapes *shapes, const uint8_t *start, const uint8_t *end, uint32_t leaf)
{
	if (shapes->learnt_count == VALUES_MAX)
		shapes->forbidden = true;
	else
		shapes->learnt[shapes->learnt_count++] = (struct learnt_value){start, end, (uint8_t)leaf};
}

void
weir_shapes_learn_forbid(struct weir_shapes *shapes)
{
	shapes->forbidden = true;
}

void
weir_shapes_learn_end(struct weir_shapes *shapes, const uint8_t *start, const uint8_t *end)
{
	shapes->learnt_start = start;
	shapes->learnt_end = end;
}

/* Adds fixed text to the draft, in steps; the last one is followed by a value when has_value. */
static bool
draft_add(struct shape *draft, const uint8_t *text, size_t len, bool has_value, uint8_t leaf)
{
	do {
		if (draft->count == STEPS_MAX)
			return false;
		uint32_t part = len < WEIR_SCAN_BLOCK ? (uint32_t)len : WEIR_SCAN_BLOCK;
		struct step *step = &draft->steps[draft->count++];
		*step = (struct step){.len = (uint8_t)part, .has_value = has_value && part == len};
		step->value_off = (uint16_t)offsetof(struct weir_values, leaf[leaf]);
		step->mask = part == WEIR_SCAN_BLOCK ? UINT32_MAX : (1u << part) - 1;
		memcpy(step->fixed, text, part);
		draft->lines |= memchr(text, '\n', part) != NULL;
		text += part;
		len -= part;
	} while (len > 0);
	return true;
}

static bool
draft_make(struct weir_shapes *shapes)
{
	struct shape *draft = &shapes->draft;
	const uint8_t *at = shapes->learnt_start;
	draft->count = 0;
	draft->hits = 0;
	draft->lines = false;
	draft->present = 0;
	for (uint32_t i = 0; i < shapes->learnt_count; i++) {
		const struct learnt_value *value = &shapes->learnt[i];
		if (!draft_add(draft, at, (size_t)(value->start - at), true, value->leaf))
			return false;
		draft->present |= (1u << value->leaf) & ~(1u << WEIR_LEAF_SKIP);
		size_t contents = (size_t)(value->end - value->start) - 2;
		bool string = *value->start == '"' && contents < WEIR_SCAN_BLOCK;
		draft->predict[draft->count - 1] = string ? (uint8_t)contents : PREDICT_NEVER - 1;
		draft->misses[draft->count - 1] = 0;
		at = value->end;
	}
	return draft_add(draft, at, (size_t)(shapes->learnt_end - at), false, WEIR_LEAF_SKIP);
}

static bool
is_known(const struct weir_shapes *shapes)
{
	for (uint32_t i = 0; i < SHAPES; i++)
		if (shapes->shape[i].count == shapes->draft.count &&
		    memcmp(shapes->shape[i].steps, shapes->draft.steps, shapes->draft.count * sizeof(struct step)) == 0)
			return true;
	return false;
}

/* What was learnt last was of no use: let more records pass before the next try. */
static void
pause_longer(struct weir_shapes *shapes)
{
	shapes->pause = shapes->pause_next;
	if (shapes->pause_next < PAUSE_MAX)
		shapes->pause_next *= 2;
}

void
weir_shapes_learn_commit(struct weir_shapes *shapes)
{
	if (shapes->learnt_start == NULL)
		return;
	size_t len = (size_t)(shapes->learnt_end - shapes->learnt_start);
	bool made = !shapes->forbidden && len <= OBJECT_MAX && draft_make(shapes);
	shapes->learnt_start = NULL;
	if (!made || is_known(shapes)) {
		pause_longer(shapes);
		return;
	}
	/* The least useful of the next two places goes, never the one in use. */
	uint32_t victim = (shapes->victim + 1) % SHAPES;
	if (victim == shapes->hot && shapes->shape[victim].hits > 0)
		victim = (victim + 1) % SHAPES;
	struct shape *shape = &shapes->shape[victim];
	if (shape->count != 0 && shape->hits == 0)
		pause_longer(shapes);
	else
		shapes->pause_next = 1;
	shapes->victim = victim;
	size_t steps = shapes->draft.count;
	memcpy(shape->steps, shapes->draft.steps, steps * sizeof(struct step));
	memcpy(shape->predict, shapes->draft.predict, steps);
	memcpy(shape->misses, shapes->draft.misses, steps);
	shape->count = shapes->draft.count;
	shape->lines = shapes->draft.lines;
	shape->present = shapes->draft.present;
	shape->hits = 0;
}
