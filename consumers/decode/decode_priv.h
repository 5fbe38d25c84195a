/*
 * What the files of the decoder share. Threads: a decoder and all below it belong to one.
 */
#ifndef WEIR_CONSUMERS_DECODE_PRIV_H
#define WEIR_CONSUMERS_DECODE_PRIV_H

#include "aggregators/tables/record.h"
#include "config/base/slice.h"
#include "consumers/decode/decode.h"
#include "consumers/decode/json_full.h"
#include "consumers/decode/plan.h"
#include "consumers/decode/scalar.h"
#include "consumers/decode/shape.h"

#define WEIR_JSON_DEPTH_MAX 1024 /* containers within each other; deeper is malformed */

struct weir_level {
	int32_t node; /* plan node of this container's members, WEIR_NODE_NONE = nothing asked for */
	bool object;
};

/* One call's constants and what it has made so far; committed to the statistics when a text proves valid. */
struct weir_job {
	const uint8_t *base; /* the message */
	struct weir_slice key;
	struct weir_records *out;
	uint32_t message;
	uint32_t element; /* next element's index */
	uint32_t fast;
	uint32_t full;
	uint32_t filtered;
};

struct weir_decoder {
	uint32_t magic;
	size_t message_max;
	struct weir_plan *plan;
	struct weir_json_index *index;
	struct weir_shapes *shapes;
	struct weir_buf unescaped; /* strings with escapes resolved, of one element */
	uint32_t *node_seen;       /* per plan node: the element that last had it */
	uint32_t element_serial;
	struct weir_decode_stats stats;
	struct weir_values values;
	struct weir_level levels[WEIR_JSON_DEPTH_MAX];
};

/*
 * Walks one JSON text (an object, or an array of elements) by the full parser, adding its records to job->out. False, with
 * records added that the caller takes back, when it is not valid JSON. learn_at: the element starting there teaches the
 * shape cache (NULL = none does).
 */
bool weir_walk_text(struct weir_decoder *decoder, struct weir_job *job, struct weir_slice text, const uint8_t *learn_at);

/* Where in its message a record lies; data NULL = not in its bytes. Numbers the element. */
static inline void
record_place(struct weir_job *job, struct weir_record *rec, const uint8_t *data, size_t len)
{
	rec->message = job->message;
	rec->element = job->element++;
	rec->raw_off = data ? (uint32_t)(data - job->base) : 0;
	rec->raw_len = (uint32_t)len;
}

/* Makes the record of an element from decoder->values; valid: it was an object. */
void weir_decode_emit(struct weir_decoder *decoder, struct weir_job *job, bool valid, const uint8_t *data, size_t len);

/* Packed batches (docs/formats.md). */
#define WEIR_PACKED_MAGIC "WRP1"
void weir_packed_decode(struct weir_job *job, struct weir_slice value);
void weir_decode_whole_reject(struct weir_job *job, enum weir_reject reject, struct weir_slice value);

#endif
