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
 * A shape that proves of use gets *direct steps*, which make the record without slots between; see there.
 *
 * Learning costs about as much as parsing, so it pauses when what was learnt was never used again: 1, 2, 4 ... 64 misses.
 */
#include "consumers/decode/shape.h"

#include <stddef.h>
#include <stdlib.h>

#include "aggregators/tables/record.h"
#include "config/base/check.h"
#include "config/base/timetext.h"
#include "consumers/decode/plan.h"
#include "consumers/decode/scan.h"

#define SHAPES 8
#define STEPS_MAX 192
#define VALUES_MAX 160
#define DIRECT_MAX 96
#define OBJECT_MAX 8192
#define MARGIN 96       /* a step reads fewer bytes than that */
#define TAIL_ROOM 96    /* of the message in the tail's copy; the zeros come behind */
#define TAIL_EARLY 1024 /* so short a text has its tail copied at once, not to wait for the copy later */
#define EVENT_MAX 16
#define ODD_MAX 16
#define REST 64
#define PREDICT_NEVER 255 /* a slot's length varies */
#define PREDICT_MISSES 8
#define PAUSE_MAX 64

/* A place known by prediction, without waiting for a scan: the compiler must not notice that it could be computed. */
#define KEEP_BRANCH(place) __asm__("" : "+r"(place))

/* Length of the string in a place, PREDICT_NEVER = varies. */
struct guess {
	uint8_t len;
	uint8_t misses;
};

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

/* What a direct step makes of the value behind its text; see "Direct steps" below. */
enum op {
	OP_NONE, /* no value */
	OP_ANY,
	OP_TEXT, /* text of no interest, which must be text */
	OP_ICCID,
	OP_ID,
	OP_SESSION,
	OP_TIME,
	OP_NUMBER,
	OP_IMEI,
	OP_EVENT,
	OP_END, /* no value and no step behind it */
};

struct direct {
	uint8_t fixed[WEIR_SCAN_BLOCK]; /* with the opening quote where text is expected */
	uint32_t mask;
	uint8_t len;
	uint8_t op;
	uint8_t record_off; /* where OP_TIME and OP_NUMBER put it in struct weir_record */
	uint8_t event_len;  /* 0 = none known */
	uint8_t event_flags;
	struct guess guess;
	uint8_t pad[5];
	uint8_t event[EVENT_MAX]; /* the last event word and its closing quote */
};
_Static_assert(sizeof(struct direct) == 64, "a cache line");

struct shape {
	_Alignas(64) uint32_t count; /* 0 = free */
	uint32_t direct_count;       /* 0 = it has no direct steps */
	uint32_t hits;
	uint32_t present;     /* leaves that its slots fill, a bit each */
	uint32_t odd;         /* how often a value was not as the direct steps expect, less how often all were */
	uint32_t rest;        /* records to read without direct steps, after many odd ones */
	uint8_t direct_flags; /* of the record */
	bool lines;           /* fixed text holds a newline */
	_Alignas(64) struct direct direct[DIRECT_MAX];
	struct step steps[STEPS_MAX];
	struct guess guess[STEPS_MAX];
};

struct learnt_value {
	const uint8_t *start;
	const uint8_t *end;
	uint8_t leaf;
};

struct weir_shapes {
	_Alignas(64) struct shape shape[SHAPES];
	struct shape draft;
	uint8_t tail[TAIL_ROOM + MARGIN * 2]; /* copy of a message's last bytes, ending at TAIL_ROOM; zeros behind */
	const struct weir_plan *plan;
	uint32_t hot; /* last that matched */
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
weir_shapes_new(const struct weir_plan *plan)
{
	struct weir_shapes *shapes = aligned_alloc(64, sizeof(*shapes));
	WEIR_CHECK(shapes != NULL);
	memset(shapes, 0, sizeof(*shapes));
	shapes->plan = plan;
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

/* Gives the place in the copy that stands for `at`. Zeros follow the copy's end and are never written to. */
static inline const uint8_t *
tail_enter(struct weir_shapes *shapes, const uint8_t *base, const uint8_t *at, const uint8_t *end, struct window *window,
    bool copied)
{
	size_t left = (size_t)(end - at);
	if (end - base < TAIL_ROOM)
		memcpy(shapes->tail + TAIL_ROOM - left, at, left);
	else if (!copied)
		memcpy(shapes->tail, end - TAIL_ROOM, TAIL_ROOM);
	window->limit = window->last = shapes->tail + sizeof(shapes->tail);
	window->end = shapes->tail + TAIL_ROOM;
	return window->end - left;
}

/* A string longer than a block: finds its last byte. Strings may reach into the message's end, read there bytewise. */
static const uint8_t *__attribute__((noinline)) long_string_end(const struct window *window, const uint8_t *at)
{
	while (window->limit - at >= WEIR_SCAN_BLOCK) {
		uint32_t special = weir_scan_special(at);
		if (special != 0)
			return at + __builtin_ctz(special);
		at += WEIR_SCAN_BLOCK;
	}
	while (at < window->end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at < window->end ? at : NULL;
}

/* The slot's length was not as predicted. */
static void __attribute__((noinline)) predict_missed(struct guess *guess, uint32_t len)
{
	guess->len = ++guess->misses > PREDICT_MISSES ? PREDICT_NEVER : (uint8_t)len;
}

/* The matchers below give the place behind the value, NULL when it is not one that they judge. */
static inline const uint8_t *
string_match(struct guess *guess, const struct window *window, const uint8_t *start, struct weir_scalar *value)
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
	uint32_t predicted = guess->len;
	const uint8_t *after = start + predicted + 1;
	KEEP_BRANCH(after); /* where the value ends if its length is as predicted */
	value->len = len;
	if (__builtin_expect(len == predicted, 1))
		return after;
	if (predicted != PREDICT_NEVER)
		predict_missed(guess, len);
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
	const uint8_t *base = at;
	struct window window = {end - at > MARGIN ? end - MARGIN : at, end, end};
	const struct step *step = shape->steps;
	uint32_t count = shape->count;
	for (uint32_t i = 0; i < count; i++, step++) {
		if (__builtin_expect(at >= window.last, 0))
			at = tail_enter(shapes, base, at, end, &window, false);
		if (!weir_scan_equal(at, step->fixed, step->mask))
			return NULL;
		at += step->len;
		if (!step->has_value)
			continue;
		struct weir_scalar *value = (struct weir_scalar *)(void *)((uint8_t *)values + step->value_off);
		if (*at == '"')
			at = string_match(&shape->guess[i], &window, at + 1, value);
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

/*
 * Direct steps: most records of a feed have values of the same kinds, so each step of a shape knows the field that its
 * value is for and converts it on the spot, without a slot between. They judge only what they are sure of: an ICCID, an ISO
 * time, a number of up to 15 digits (below every limit), plain text. All else is *odd* and left to the slots of the same
 * shape, which leave to weir_fields_apply what it means. Formats that are strict about their characters need no search
 * for the string's end.
 */
enum outcome { OUTCOME_MADE, OUTCOME_OTHER, OUTCOME_ODD };

struct text {
	const uint8_t *data;
	uint32_t len;
};

/* The text at `at` is not the step's. Odd when only the quote is missing or a number went on: another kind of value. */
static enum outcome __attribute__((noinline))
direct_differs(const struct shape *shape, const struct direct *step, const uint8_t *at)
{
	if (step > shape->direct && step[-1].op == OP_NUMBER && (*at == '.' || (*at | 0x20) == 'e'))
		return OUTCOME_ODD;
	bool text = step->op >= OP_TEXT && step->op != OP_NUMBER && step->op != OP_END;
	return text && step->len > 0 && weir_scan_equal(at, step->fixed, step->mask >> 1) ? OUTCOME_ODD : OUTCOME_OTHER;
}

/* An event word that is not the one before. */
static bool __attribute__((noinline))
event_apply(const struct weir_plan *plan, struct direct *step, const struct weir_scalar *value, uint8_t *flags)
{
	struct weir_record rec = {0};
	if (!weir_fields_event(plan, value, &rec))
		return false;
	*flags |= rec.flags;
	if (value->len + 1 > EVENT_MAX)
		return true;
	step->event_len = (uint8_t)(value->len + 1);
	step->event_flags = rec.flags;
	memcpy(step->event, value->data, value->len + 1); /* and the quote */
	return true;
}

static inline void
record_put(struct weir_record *rec, uint8_t off, uint64_t number)
{
	memcpy((uint8_t *)rec + off, &number, sizeof(number));
}

static inline enum outcome
direct_match(struct weir_shapes *shapes, struct shape *shape, const uint8_t *at, const uint8_t *end,
    struct weir_record *rec, const uint8_t **after_out)
{
	const uint8_t *base = at;
	struct window window = {end - at > MARGIN ? end - MARGIN : at, end, end};
	struct direct *step = shape->direct;
	struct text id = {0}, session = {0};
	uint8_t flags = shape->direct_flags;
	bool tail_early = (size_t)(end - at) - TAIL_ROOM < TAIL_EARLY;
	if (tail_early)
		memcpy(shapes->tail, end - TAIL_ROOM, TAIL_ROOM);
	for (;; step++) {
		struct weir_scalar value;
		if (__builtin_expect(at >= window.last, 0))
			at = tail_enter(shapes, base, at, end, &window, tail_early);
		if (__builtin_expect(!weir_scan_equal(at, step->fixed, step->mask), 0))
			return direct_differs(shape, step, at);
		at += step->len;
		switch ((enum op)step->op) {
		case OP_NONE:
			continue;
		case OP_ANY:
			if (*at == '"')
				at = string_match(&step->guess, &window, at + 1, &value);
			else if (*at == '-' || (uint8_t)(*at - '0') <= 9)
				at = number_match(at, &value);
			else
				at = literal_match(at, &value);
			break;
		case OP_TEXT:
			at = string_match(&step->guess, &window, at, &value);
			break;
		case OP_ICCID: {
			uint32_t len = 20;
			const uint8_t *after = at + 21;
			if (__builtin_expect(at[20] != '"', 0)) {
				len = 19;
				after = at + 20;
			}
			KEEP_BRANCH(after);
			if (after[-1] != '"' || !weir_iccid_parse(at, len, &rec->iccid))
				return OUTCOME_ODD;
			at = after;
			continue;
		}
		case OP_ID:
			at = string_match(&step->guess, &window, at, &value);
			id = (struct text){value.data, value.len};
			break;
		case OP_SESSION:
			at = string_match(&step->guess, &window, at, &value);
			session = (struct text){value.data, value.len};
			break;
		case OP_TIME: {
			int64_t us;
			if (__builtin_expect(at[24] == '"', 1)) {
				value.data = at;
				value.len = 24;
				at += 25;
			} else if ((at = string_match(&step->guess, &window, at, &value)) == NULL) {
				return OUTCOME_ODD;
			}
			if (!weir_time_parse(value.data, value.len, &us))
				return OUTCOME_ODD;
			record_put(rec, step->record_off, (uint64_t)us);
			continue;
		}
		case OP_NUMBER: {
			uint32_t digits = weir_scan_digits(at);
			if (digits - 1 >= 15 || (*at == '0' && digits > 1))
				return OUTCOME_ODD;
			record_put(rec, step->record_off, weir_scan_number(at, digits));
			at += digits;
			continue;
		}
		case OP_IMEI: {
			uint32_t digits = weir_scan_digits(at);
			if (digits < 14 || at[digits] != '"')
				return OUTCOME_ODD;
			rec->imei14 = weir_scan_number(at, 14);
			const uint8_t *after = at + 16;
			KEEP_BRANCH(after);
			at = __builtin_expect(digits == 15, 1) ? after : at + digits + 1;
			continue;
		}
		case OP_EVENT:
			if (__builtin_expect(weir_scan_equal16(at, step->event, step->event_len), 1)) {
				at += step->event_len;
				flags |= step->event_flags;
				continue;
			}
			at = string_match(&step->guess, &window, at, &value);
			if (at != NULL && !event_apply(shapes->plan, step, &value, &flags))
				return OUTCOME_ODD;
			break;
		case OP_END:
			goto done;
		default:
			__builtin_unreachable();
		}
		if (__builtin_expect(at == NULL, 0))
			return OUTCOME_ODD;
	}
done:
	if (__builtin_expect((id.data != NULL && id.len == 0) || (session.data != NULL && session.len == 0), 0))
		return OUTCOME_ODD;
	rec->flags = flags;
	uint64_t seed = weir_identity_seed(rec->iccid);
	if (id.data != NULL)
		rec->id_hash = weir_identity_hash_seeded(seed, id.data, id.len);
	if (session.data != NULL && weir_record_needs_session(rec))
		rec->session_hash = weir_identity_hash_seeded(seed, session.data, session.len);
	*after_out = end - (window.end - at);
	return OUTCOME_MADE;
}

/* How the value of a field is converted on the spot; false when it is not. kind: of a value seen there; null tells
 * nothing. */
static bool
direct_op(const struct weir_plan *plan, enum weir_field field, enum weir_kind kind, struct direct *step)
{
	const struct weir_field_map *map = &plan->mapping->fields[field];
	static const uint8_t OPS[WEIR_FIELD_COUNT] = {
	    [WEIR_FIELD_ICCID] = OP_ICCID,
	    [WEIR_FIELD_ID] = OP_ID,
	    [WEIR_FIELD_SESSION] = OP_SESSION,
	    [WEIR_FIELD_SEQ] = OP_NUMBER,
	    [WEIR_FIELD_UP] = OP_NUMBER,
	    [WEIR_FIELD_DOWN] = OP_NUMBER,
	    [WEIR_FIELD_UP_TOTAL] = OP_NUMBER,
	    [WEIR_FIELD_DOWN_TOTAL] = OP_NUMBER,
	    [WEIR_FIELD_END] = OP_TIME,
	    [WEIR_FIELD_START] = OP_TIME,
	    [WEIR_FIELD_EVENT] = OP_EVENT,
	    [WEIR_FIELD_IMEI] = OP_IMEI,
	    [WEIR_FIELD_APN] = OP_TEXT,
	    [WEIR_FIELD_RAT] = OP_TEXT,
	    [WEIR_FIELD_PLMN] = OP_TEXT,
	};
	static const uint8_t OFFSETS[WEIR_FIELD_COUNT] = {
	    [WEIR_FIELD_SEQ] = offsetof(struct weir_record, seq),
	    [WEIR_FIELD_UP] = offsetof(struct weir_record, up),
	    [WEIR_FIELD_DOWN] = offsetof(struct weir_record, down),
	    [WEIR_FIELD_UP_TOTAL] = offsetof(struct weir_record, up),
	    [WEIR_FIELD_DOWN_TOTAL] = offsetof(struct weir_record, down),
	    [WEIR_FIELD_END] = offsetof(struct weir_record, end_us),
	    [WEIR_FIELD_START] = offsetof(struct weir_record, start_us),
	};
	step->op = OPS[field];
	step->record_off = OFFSETS[field];
	if (step->op == OP_NUMBER)
		return (field == WEIR_FIELD_SEQ || map->unit_bytes == 1) &&
		       (kind == WEIR_KIND_NULL || kind == WEIR_KIND_UINT);
	if (step->op == OP_TIME && map->time_format != WEIR_TIME_ISO && map->time_format != WEIR_TIME_ISO_OR_MS)
		return false;
	return step->op != OP_NONE && (kind == WEIR_KIND_NULL || kind == WEIR_KIND_STRING);
}

/* Whether a record with values in the shape's leaves is complete, whatever they say; and its flags. */
static bool
direct_complete(const struct weir_plan *plan, struct shape *shape)
{
#define HAS(field) (shape->present >> plan->field_leaf[WEIR_FIELD_##field] & 1)
	bool totals = HAS(UP_TOTAL) || HAS(DOWN_TOTAL);
	bool deltas = HAS(UP) || HAS(DOWN);
	bool identity = totals ? HAS(SESSION) : HAS(ID) || (HAS(SESSION) && HAS(SEQ));
	shape->direct_flags = (uint8_t)((HAS(SEQ) ? WEIR_RECORD_HAS_SEQ : 0) | (totals ? WEIR_RECORD_TOTALS : 0));
	return HAS(ICCID) && HAS(END) && totals != deltas && identity;
#undef HAS
}

/* Adds the direct step for step i of the shape, given the value last seen in its leaf. */
static bool
direct_add(const struct weir_plan *plan, struct shape *shape, uint32_t i, uint32_t leaf, enum weir_kind kind)
{
	const struct step *from = &shape->steps[i];
	struct direct *step = &shape->direct[i];
	*step = (struct direct){.mask = from->mask, .len = from->len, .guess = shape->guess[i]};
	memcpy(step->fixed, from->fixed, sizeof(step->fixed));
	if (!from->has_value)
		return true;
	step->op = OP_ANY;
	if (leaf == WEIR_LEAF_SKIP)
		return true;
	uint32_t fields = 0;
	for (uint32_t field = 0; field < WEIR_FIELD_COUNT; field++)
		if (plan->field_leaf[field] == leaf &&
		    (fields++ > 0 || !direct_op(plan, (enum weir_field)field, kind, step)))
			return false;
	if (step->op == OP_NUMBER)
		return true;
	if (fields == 0 || step->len == WEIR_SCAN_BLOCK)
		return false;
	step->fixed[step->len] = '"';
	step->mask |= 1u << step->len++;
	return true;
}

/*
 * Makes a shape's direct steps, where its values allow them. Done when the shape is used for the first time: most that are
 * learnt from a feed without order never are.
 */
static void __attribute__((noinline))
direct_make(const struct weir_plan *plan, struct shape *shape, const struct weir_values *values)
{
	uint32_t seen = 0;
	if (plan->mapping->filter_count != 0 || shape->count > DIRECT_MAX || !direct_complete(plan, shape))
		return;
	for (uint32_t i = 0; i < shape->count; i++) {
		const struct step *step = &shape->steps[i];
		uint32_t leaf =
		    (uint32_t)((step->value_off - offsetof(struct weir_values, leaf)) / sizeof(values->leaf[0]));
		if (step->has_value && leaf != WEIR_LEAF_SKIP) {
			if (seen >> leaf & 1)
				return; /* the last counts, and may be null */
			seen |= 1u << leaf;
		}
		if (!direct_add(plan, shape, i, leaf, values->leaf[leaf].kind))
			return;
	}
	shape->direct[shape->count - 1].op = OP_END; /* the last has no value */
	shape->direct_count = shape->count;
}

const uint8_t *
weir_shapes_match(struct weir_shapes *shapes, const uint8_t *at, const uint8_t *end, struct weir_values *values,
    struct weir_record *rec, bool *made_out, bool *lines_out)
{
	for (uint32_t i = 0; i < SHAPES; i++) {
		uint32_t which = (shapes->hot + i) % SHAPES;
		struct shape *shape = &shapes->shape[which];
		const uint8_t *after = NULL;
		if (shape->count == 0)
			continue;
		*made_out = false;
		if (shape->rest != 0) {
			shape->rest--;
		} else if (shape->direct_count != 0) {
			enum outcome outcome = direct_match(shapes, shape, at, end, rec, &after);
			if (__builtin_expect(outcome == OUTCOME_MADE, 1)) {
				*made_out = true;
				shape->odd -= shape->odd > 0;
				shapes->hot = which;
				shape->hits++;
				*lines_out = shape->lines;
				return after;
			}
			weir_record_clear(rec);
			if (outcome == OUTCOME_OTHER)
				continue;
			if (++shape->odd == ODD_MAX) {
				shape->odd = 0;
				shape->rest = REST;
			}
		}
		after = shape_match(shapes, shape, at, end, values);
		if (after != NULL) {
			if (shape->hits++ == 0)
				direct_make(shapes->plan, shape, values);
			shapes->hot = which;
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
		draft->guess[draft->count - 1] = (struct guess){string ? (uint8_t)contents : PREDICT_NEVER - 1, 0};
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
	memcpy(shape->guess, shapes->draft.guess, steps * sizeof(struct guess));
	shape->count = shapes->draft.count;
	shape->lines = shapes->draft.lines;
	shape->present = shapes->draft.present;
	shape->direct_count = 0;
	shape->odd = 0;
	shape->rest = 0;
	shape->hits = 0;
}
