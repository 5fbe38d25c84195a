/*
 * A place in a log: topic id, leader epoch, offset (rule REC-9; docs/logs.md). Pure: types, their text form, and the
 * verdict whether a place is still in the log that the brokers serve.
 *
 * An offset alone names no record. A topic that was deleted and created again has another id; a log that an unclean
 * election cut off ends an epoch earlier than before. The evidence is what brokers answered; what they did not answer is
 * unknown and decides nothing.
 */
#ifndef WEIR_BASE_LOG_PLACE_H
#define WEIR_BASE_LOG_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/base/error.h"
#include "config/base/slice.h"

#define LOG_EPOCH_UNKNOWN (-1)
#define LOG_OFFSET_UNKNOWN (-1)
#define LOG_ID_CHARS 22
#define LOG_TEXT_MAX 40 /* "<id> <epoch>", terminated */

/* A topic's id; all zero: not known. */
struct log_id {
	uint8_t bytes[16];
};

/* Which log an offset belongs to. All zero it is the unknown log: an epoch means something beside a topic id only. */
struct log_name {
	struct log_id id;
	int32_t epoch; /* of the leader that wrote the last batch before the offset; LOG_EPOCH_UNKNOWN */
};
#define LOG_UNKNOWN ((struct log_name){.epoch = LOG_EPOCH_UNKNOWN})

bool log_id_is_known(const struct log_id *id);
bool log_id_equals(const struct log_id *a, const struct log_id *b);
/* As Kafka's tools print it: 22 characters of base64url, or "-" for an unknown one. */
void log_id_text(const struct log_id *id, char text[LOG_ID_CHARS + 1]);
/* False: no topic id. */
bool log_id_parse(struct weir_slice text, struct log_id *id_out);

/* "<id> <epoch>", as a partition's header holds it; "- -1" for the unknown log. */
void log_name_text(const struct log_name *name, char text[LOG_TEXT_MAX]);
/* False: anything but what log_name_text writes; input from outside. */
bool log_name_parse(struct weir_slice text, struct log_name *name_out);

/* What brokers said of one topic's partition. */
struct log_evidence {
	struct log_id id;
	int64_t first_offset, end_offset; /* of the log; LOG_OFFSET_UNKNOWN */
	bool epoch_answered;              /* the end of the place's epoch was asked for and answered */
	int32_t epoch_found;              /* the largest epoch that is not above it; LOG_EPOCH_UNKNOWN: none such */
	int64_t epoch_end;                /* where the first later epoch begins, or the log's end */
};
#define LOG_NO_EVIDENCE                                                                                                    \
	((struct log_evidence){.first_offset = LOG_OFFSET_UNKNOWN,                                                         \
	    .end_offset = LOG_OFFSET_UNKNOWN,                                                                              \
	    .epoch_found = LOG_EPOCH_UNKNOWN,                                                                              \
	    .epoch_end = LOG_OFFSET_UNKNOWN})

enum log_verdict {
	LOG_SAME,      /* nothing speaks against it */
	LOG_REPLACED,  /* the topic was created again */
	LOG_TRUNCATED, /* the log was cut off below the offset */
	LOG_EXPIRED,   /* records from the offset on were removed before they were read */
};
const char *log_verdict_name(enum log_verdict verdict);

/* Does the place (name, next_offset) belong to the log? A negative offset is no place yet: only its id is compared. */
enum log_verdict log_verdict_of(const struct log_name *name, int64_t next_offset, const struct log_evidence *evidence);
/* Where reading goes on in the log that is there: the start of a new one, or where a truncated one parts from ours. */
int64_t log_resume_offset(enum log_verdict verdict, int64_t next_offset, const struct log_evidence *evidence);
/* Why a partition stops, for people: topic, partition, both logs, what is known. FATAL. Not for LOG_SAME. */
enum weir_class log_verdict_error(struct weir_error *err, enum log_verdict verdict, const char *topic, uint32_t partition,
    const struct log_name *name, int64_t next_offset, const struct log_evidence *evidence);

/* A topic has another number of partitions than the installation was made with. FATAL. */
enum weir_class log_partitions_error(struct weir_error *err, const char *topic, uint32_t count, uint32_t pinned);

#endif
