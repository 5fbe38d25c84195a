/* Places in logs; see log_place.h. */
#include "config/base/log_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool
log_id_is_known(const struct log_id *id)
{
	static const struct log_id NONE;
	return memcmp(id->bytes, NONE.bytes, sizeof(NONE.bytes)) != 0;
}

bool
log_id_equals(const struct log_id *a, const struct log_id *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* ---- text ---- */

void
log_id_text(const struct log_id *id, char text[LOG_ID_CHARS + 1])
{
	if (!log_id_is_known(id)) {
		memcpy(text, "-", 2);
		return;
	}
	uint32_t bits = 0;
	unsigned held = 0, at = 0;
	for (unsigned i = 0; i < sizeof(id->bytes); i++) {
		bits = bits << 8 | id->bytes[i];
		for (held += 8; held >= 6; held -= 6)
			text[at++] = DIGITS[bits >> (held - 6) & 63];
	}
	text[at++] = DIGITS[bits << (6 - held) & 63]; /* 128 bits leave two for the last character */
	text[at] = '\0';
}

bool
log_id_parse(struct weir_slice text, struct log_id *id_out)
{
	*id_out = (struct log_id){{0}};
	if (weir_slice_equals(text, "-"))
		return true;
	if (text.len != LOG_ID_CHARS)
		return false;
	uint32_t bits = 0;
	unsigned held = 0, at = 0;
	for (size_t i = 0; i < text.len; i++) {
		const char *digit = text.data[i] == '\0' ? NULL : strchr(DIGITS, text.data[i]);
		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - DIGITS);
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		id_out->bytes[at++] = (uint8_t)(bits >> held);
	}
	return (bits & 15) == 0 && log_id_is_known(id_out); /* what the last character has beyond 128 bits */
}

void
log_name_text(const struct log_name *name, char text[LOG_TEXT_MAX])
{
	char id[LOG_ID_CHARS + 1];
	log_id_text(&name->id, id);
	(void)snprintf(text, LOG_TEXT_MAX, "%s %d", id, log_id_is_known(&name->id) ? (int)name->epoch : LOG_EPOCH_UNKNOWN);
}

/* A decimal from -1 to INT32_MAX, without sign or zeros before it but that of -1. */
static bool
parse_epoch(struct weir_slice text, int32_t *epoch_out)
{
	int64_t epoch = 0;
	*epoch_out = LOG_EPOCH_UNKNOWN;
	if (weir_slice_equals(text, "-1"))
		return true;
	if (text.len == 0 || text.len > 10 || (text.data[0] == '0' && text.len > 1))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		epoch = epoch * 10 + (text.data[i] - '0');
	}
	*epoch_out = epoch > INT32_MAX ? LOG_EPOCH_UNKNOWN : (int32_t)epoch;
	return epoch <= INT32_MAX;
}

bool
log_name_parse(struct weir_slice text, struct log_name *name_out)
{
	*name_out = LOG_UNKNOWN;
	const uint8_t *space = text.len == 0 ? NULL : memchr(text.data, ' ', text.len);
	if (space == NULL)
		return false;
	struct weir_slice id = {text.data, (size_t)(space - text.data)};
	struct weir_slice epoch = {space + 1, text.len - id.len - 1};
	if (log_id_parse(id, &name_out->id) && parse_epoch(epoch, &name_out->epoch) &&
	    (log_id_is_known(&name_out->id) || name_out->epoch == LOG_EPOCH_UNKNOWN))
		return true;
	*name_out = LOG_UNKNOWN;
	return false;
}

/* ---- verdict ---- */

const char *
log_verdict_name(enum log_verdict verdict)
{
	static const char *const NAMES[] = {
	    [LOG_SAME] = "same", [LOG_REPLACED] = "replaced", [LOG_TRUNCATED] = "truncated", [LOG_EXPIRED] = "expired"};
	return NAMES[verdict];
}

static bool
is_replaced(const struct log_name *name, const struct log_evidence *evidence)
{
	return log_id_is_known(&name->id) && log_id_is_known(&evidence->id) && !log_id_equals(&name->id, &evidence->id);
}

/* A leader that never had the epoch, or any before it, has another history: epochs only rise. */
static bool
is_truncated(const struct log_name *name, int64_t next_offset, const struct log_evidence *evidence)
{
	if (log_id_is_known(&name->id) && name->epoch != LOG_EPOCH_UNKNOWN && evidence->epoch_answered &&
	    (evidence->epoch_found == LOG_EPOCH_UNKNOWN || evidence->epoch_end < next_offset))
		return true;
	return evidence->end_offset != LOG_OFFSET_UNKNOWN && evidence->end_offset < next_offset;
}

enum log_verdict
log_verdict_of(const struct log_name *name, int64_t next_offset, const struct log_evidence *evidence)
{
	if (is_replaced(name, evidence))
		return LOG_REPLACED;
	if (next_offset < 0)
		return LOG_SAME;
	if (is_truncated(name, next_offset, evidence))
		return LOG_TRUNCATED;
	return evidence->first_offset > next_offset ? LOG_EXPIRED : LOG_SAME;
}

int64_t
log_resume_offset(enum log_verdict verdict, int64_t next_offset, const struct log_evidence *evidence)
{
	int64_t resume = next_offset;
	if (verdict == LOG_REPLACED)
		return LOG_OFFSET_UNKNOWN;
	if (verdict != LOG_TRUNCATED)
		return next_offset;
	if (evidence->end_offset != LOG_OFFSET_UNKNOWN && evidence->end_offset < resume)
		resume = evidence->end_offset;
	if (evidence->epoch_answered && evidence->epoch_end < resume)
		resume = evidence->epoch_found == LOG_EPOCH_UNKNOWN ? LOG_OFFSET_UNKNOWN : evidence->epoch_end;
	return resume > evidence->first_offset ? resume : LOG_OFFSET_UNKNOWN;
}

enum weir_class
log_verdict_error(struct weir_error *err, enum log_verdict verdict, const char *topic, uint32_t partition,
    const struct log_name *name, int64_t next_offset, const struct log_evidence *evidence)
{
	char ours[LOG_ID_CHARS + 1], theirs[LOG_ID_CHARS + 1];
	int64_t resume = log_resume_offset(verdict, next_offset, evidence);
	log_id_text(&name->id, ours);
	log_id_text(&evidence->id, theirs);
	switch (verdict) {
	case LOG_REPLACED:
		return weir_error_set(err, WEIR_FATAL,
		    "%s [%u]: the topic was deleted and created again: its id is %s, the stored offset %lld belongs to id "
		    "%s; "
		    "kafka.on_new_log read_from_start counts the new topic from its start",
		    topic, partition, theirs, (long long)next_offset, ours);
	case LOG_TRUNCATED:
		return weir_error_set(err, WEIR_FATAL,
		    "%s [%u]: Kafka's log was cut off: it agrees with what was counted up to offset %lld only, the stored "
		    "offset is %lld, of leader epoch %d; kafka.on_new_log read_from_start counts on from there",
		    topic, partition, (long long)resume, (long long)next_offset, (int)name->epoch);
	default:
		return weir_error_set(err, WEIR_FATAL,
		    "%s [%u]: Kafka no longer holds offset %lld, where the stored state ends: its log begins at %lld, the "
		    "records between were removed before they were counted",
		    topic, partition, (long long)next_offset, (long long)evidence->first_offset);
	}
}

enum weir_class
log_partitions_error(struct weir_error *err, const char *topic, uint32_t count, uint32_t pinned)
{
	return weir_error_set(err, WEIR_FATAL,
	    "topic %s has %u partitions and must have %u: the stored state was made with so many, and a card's records "
	    "would "
	    "now come to two partitions; give the topic %u partitions again, or move the state with weir repartition",
	    topic, count, pinned, pinned);
}
