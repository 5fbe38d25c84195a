/* How records leave the decoder: one for each element that passes, and one that says why a text is no record. */
#include "consumers/decode/decode_priv.h"

static inline struct weir_record *
record_add(struct weir_job *job, const uint8_t *data, size_t len)
{
	struct weir_record *rec = weir_records_add(job->out);
	record_place(job, rec, data, len);
	return rec;
}

void
weir_decode_emit(struct weir_decoder *decoder, struct weir_job *job, bool valid, const uint8_t *data, size_t len)
{
	if (valid && !weir_fields_pass(decoder->plan, &decoder->values)) {
		job->element++;
		job->filtered++;
		return;
	}
	struct weir_record *rec = record_add(job, data, len);
	if (valid)
		weir_fields_apply(decoder->plan, &decoder->values, &job->key, rec);
	else
		rec->reject = WEIR_REJECT_MALFORMED;
}

void
weir_decode_whole_reject(struct weir_job *job, enum weir_reject reject, struct weir_slice value)
{
	record_add(job, value.data, value.len)->reject = (uint8_t)reject;
}
