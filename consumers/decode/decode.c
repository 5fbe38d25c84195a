/*
 * Decoding a message: which format, where its JSON texts begin and end, which of the two ways reads each; see decode.h
 * and docs/decoding.md.
 *
 * A message is one JSON text, or JSON lines. The first line that is not blank decides: if it is valid JSON by itself, the
 * message is lines. If not, and the whole is valid, it is one text (printed over several lines). If neither, it is one
 * bad text when its first line only opens something (`{`, or `[` without its end), else lines of which the first is bad.
 *
 * The fast way goes through a text element by element and gives up as a whole: the full parser then starts over, so that no
 * half of a text is ever counted by one and half by the other.
 */
#include "consumers/decode/decode.h"

#include <stdlib.h>

#include "consumers/decode/decode_priv.h"
#include "consumers/decode/json_text.h"

#define DECODER_MAGIC 0x64656331u

struct weir_decoder *
weir_decoder_new(const struct weir_mapping *mapping, size_t message_max)
{
	struct weir_decoder *decoder = weir_calloc(1, sizeof(*decoder));
	decoder->magic = DECODER_MAGIC;
	decoder->message_max = message_max < UINT32_MAX / 2 ? message_max : UINT32_MAX / 2;
	decoder->plan = weir_plan_new(mapping ? mapping : weir_mapping_canonical());
	decoder->index = weir_json_index_new();
	WEIR_CHECK(decoder->index != NULL);
	decoder->shapes = weir_shapes_new(decoder->plan);
	decoder->node_seen = weir_calloc(decoder->plan->node_count, sizeof(*decoder->node_seen));
	return decoder;
}

void
weir_decoder_free(struct weir_decoder *decoder)
{
	if (decoder == NULL)
		return;
	WEIR_CHECK_MAGIC(decoder, DECODER_MAGIC);
	decoder->magic = 0;
	weir_plan_free(decoder->plan);
	weir_json_index_free(decoder->index);
	weir_shapes_free(decoder->shapes);
	weir_buf_free(&decoder->unescaped);
	free(decoder->node_seen);
	free(decoder);
}

const struct weir_decode_stats *
weir_decoder_stats(const struct weir_decoder *decoder)
{
	WEIR_CHECK_MAGIC(decoder, DECODER_MAGIC);
	return &decoder->stats;
}

/* What a text added, to be taken back when it proves bad. */
struct mark {
	uint32_t n;
	uint32_t element;
	uint32_t fast;
	uint32_t full;
	uint32_t filtered;
};

static inline struct mark
mark_of(const struct weir_job *job)
{
	return (struct mark){job->out->n, job->element, job->fast, job->full, job->filtered};
}

static inline void
take_back(struct weir_job *job, const struct mark *mark)
{
	job->out->n = mark->n;
	job->element = mark->element;
	job->fast = mark->fast;
	job->full = mark->full;
	job->filtered = mark->filtered;
}

/* A text by the full parser; nothing is added when it is not valid. */
static bool
text_full(struct weir_decoder *decoder, struct weir_job *job, struct weir_slice text, const uint8_t *learn_at)
{
	struct mark mark = mark_of(job);
	if (weir_walk_text(decoder, job, text, learn_at)) {
		if (learn_at != NULL)
			weir_shapes_learn_commit(decoder->shapes);
		return true;
	}
	if (learn_at != NULL)
		weir_shapes_learn_begin(decoder->shapes);
	take_back(job, &mark);
	return false;
}

static inline const uint8_t *
skip_space(const uint8_t *at, const uint8_t *end, bool *lines)
{
	while (at < end && weir_json_is_space(*at))
		*lines |= *at++ == '\n';
	return at;
}

static const uint8_t *
line_end(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *found = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
	return found ? found : end;
}

/* One element by the shape cache: its end, or NULL. */
static inline const uint8_t *
element_fast(struct weir_decoder *decoder, struct weir_job *job, const uint8_t *at, const uint8_t *end, bool *lines)
{
	bool shape_lines = false, made = false;
	if (at >= end || *at != '{')
		return NULL;
	struct weir_record *rec = weir_records_add(job->out);
	const uint8_t *after = weir_shapes_match(decoder->shapes, at, end, &decoder->values, rec, &made, &shape_lines);
	if (__builtin_expect(!made, 0))
		job->out->n--;
	if (after == NULL)
		return NULL;
	*lines |= shape_lines;
	if (__builtin_expect(made, 1))
		record_place(job, rec, at, (size_t)(after - at));
	else
		weir_decode_emit(decoder, job, true, at, (size_t)(after - at));
	job->fast++;
	return after;
}

/*
 * One text by the shape cache, from at (not blank): its end, or NULL with *stuck_out on the element that no shape fits and
 * with records added that the caller takes back. *lines: whether it spans several lines.
 */
static inline const uint8_t *
text_fast(struct weir_decoder *decoder, struct weir_job *job, const uint8_t *at, const uint8_t *end, bool *lines,
    const uint8_t **stuck_out)
{
	if (*at != '[') {
		*stuck_out = at;
		return element_fast(decoder, job, at, end, lines);
	}
	for (at = skip_space(at + 1, end, lines);; at = skip_space(at + 1, end, lines)) {
		*stuck_out = at;
		const uint8_t *after = element_fast(decoder, job, at, end, lines);
		if (after == NULL)
			return NULL;
		at = skip_space(after, end, lines);
		if (at < end && *at == ']')
			return at + 1;
		if (at >= end || *at != ',')
			return NULL;
	}
}

/* Whether only white space stands between at and the end of its line. */
static inline bool
line_done(const uint8_t *at, const uint8_t *end)
{
	while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
		at++;
	return at == end || *at == '\n';
}

/* `{` alone, or `[` without its end: a line that only opens something. */
static bool
line_opens(const uint8_t *at, const uint8_t *end)
{
	while (end > at && weir_json_is_space(end[-1]))
		end--;
	return (*at == '{' && end - at == 1) || (*at == '[' && end[-1] != ']');
}

static struct weir_slice
trimmed(const uint8_t *at, const uint8_t *end)
{
	while (end > at && weir_json_is_space(end[-1]))
		end--;
	return (struct weir_slice){at, (size_t)(end - at)};
}

/*
 * The text at `at` when the shape cache could not read it: by the full parser, alone in its line or (first text) over the
 * rest of the message. Returns where to go on.
 */
static const uint8_t *
line_full(struct weir_decoder *decoder, struct weir_job *job, const uint8_t *at, const uint8_t *end, bool first,
    const uint8_t *learn_at)
{
	const uint8_t *stop = line_end(at, end);
	bool dummy = false;
	if (text_full(decoder, job, trimmed(at, stop), learn_at))
		return stop;
	bool more = first && skip_space(stop, end, &dummy) < end;
	if (more && text_full(decoder, job, trimmed(at, end), learn_at))
		return end;
	if (more && line_opens(at, stop))
		stop = end;
	weir_decode_whole_reject(job, WEIR_REJECT_MALFORMED, trimmed(at, stop));
	return stop;
}

static void
json_decode(struct weir_decoder *decoder, struct weir_job *job, struct weir_slice value, bool fast)
{
	const uint8_t *end = value.data + value.len;
	bool dummy = false;
	struct mark mark = mark_of(job);
	const uint8_t *at = value.data, *after = NULL, *stuck = at;
	bool lines = false;
	bool object = fast && *at == '{';
	if (object) { /* most messages are one object */
		after = element_fast(decoder, job, at, end, &lines);
		if (after == end)
			return;
	}
	at = skip_space(at, end, &dummy);
	if (at == end)
		weir_decode_whole_reject(job, WEIR_REJECT_MALFORMED, value);
	for (bool first = true; at < end; first = false) {
		if (!(first && object)) {
			mark = mark_of(job);
			stuck = NULL;
			lines = false;
			after = fast ? text_fast(decoder, job, at, end, &lines, &stuck) : NULL;
		}
		bool whole = after != NULL && first && skip_space(after, end, &dummy) == end;
		if (after != NULL && (whole || (!lines && line_done(after, end)))) {
			at = skip_space(after, end, &dummy);
			continue;
		}
		take_back(job, &mark);
		const uint8_t *learn_at = fast && after == NULL && weir_shapes_wants(decoder->shapes) ? stuck : NULL;
		at = skip_space(line_full(decoder, job, at, end, first, learn_at), end, &dummy);
	}
}

static uint32_t
decode(struct weir_decoder *decoder, struct weir_slice key, struct weir_slice value, uint32_t message,
    struct weir_records *out, bool fast)
{
	WEIR_CHECK_MAGIC(decoder, DECODER_MAGIC);
	uint32_t before = out->n;
	struct weir_job job = {.base = value.data, .key = key, .out = out, .message = message};
	bool packed = value.data != NULL && value.len >= 4 && memcmp(value.data, WEIR_PACKED_MAGIC, 4) == 0;
	if (value.len > decoder->message_max)
		weir_decode_whole_reject(&job, WEIR_REJECT_TOO_LARGE, value);
	else if (packed)
		weir_packed_decode(&job, value);
	else if (value.data == NULL || value.len == 0)
		weir_decode_whole_reject(&job, WEIR_REJECT_MALFORMED, value);
	else
		json_decode(decoder, &job, value, fast);
	uint32_t added = out->n - before;
	decoder->stats.fast_records += job.fast;
	if (__builtin_expect((job.full | job.filtered) != 0, 0)) {
		decoder->stats.full_records += job.full;
		decoder->stats.filtered += job.filtered;
	}
	if (packed && value.len <= decoder->message_max)
		decoder->stats.packed_records += added;
	for (uint32_t i = before; i < out->n; i++)
		decoder->stats.rejects += out->v[i].reject != WEIR_REJECT_NONE;
	return added;
}

uint32_t
weir_decode(struct weir_decoder *decoder, struct weir_slice key, struct weir_slice value, uint32_t message,
    struct weir_records *out)
{
	return decode(decoder, key, value, message, out, true);
}

uint32_t
weir_decode_full(struct weir_decoder *decoder, struct weir_slice key, struct weir_slice value, uint32_t message,
    struct weir_records *out)
{
	return decode(decoder, key, value, message, out, false);
}
