/*
 * A decoded traffic record (REC-1): what every decoder makes and the fold takes. 128 bytes, two cache lines.
 *
 * Plain data, owned by the lane that decoded it; it points to nothing. A record that could not be decoded is still a
 * record, with `reject` set, so that order and coordinates are kept and the lane can write its dead letter.
 */
#ifndef WEIR_AGGREGATORS_TABLES_RECORD_H
#define WEIR_AGGREGATORS_TABLES_RECORD_H

#include <stdint.h>

#include "config/base/iccid.h"

/* Why a record was not counted; names are the dead letters' `reason` (docs/formats.md). */
enum weir_reject {
	WEIR_REJECT_NONE = 0,
	WEIR_REJECT_MALFORMED,
	WEIR_REJECT_NO_CARD,
	WEIR_REJECT_BAD_ICCID,
	WEIR_REJECT_NO_IDENTITY,
	WEIR_REJECT_BAD_VOLUME,
	WEIR_REJECT_BAD_TIME,
	WEIR_REJECT_BAD_FIELD,
	WEIR_REJECT_FUTURE,
	WEIR_REJECT_TOO_LATE,
	WEIR_REJECT_UNKNOWN_CARD,
	WEIR_REJECT_BAD_REFERENCE,
	WEIR_REJECT_BAD_REQUEST,
	WEIR_REJECT_TOO_LARGE,
	WEIR_REJECT_COUNT
};

const char *weir_reject_name(enum weir_reject reject);
/* The same in words for people: the dead letters' `text` where nothing more is known. */
const char *weir_reject_text(enum weir_reject reject);

enum {
	WEIR_RECORD_HAS_SEQ = 1, /* seq and session_hash identify the record */
	WEIR_RECORD_TOTALS = 2,  /* up/down are the session's totals so far (REC-2), not deltas */
	WEIR_RECORD_START = 4,   /* start marker: a session's totals begin anew */
	WEIR_RECORD_STOP = 8,
};

#define WEIR_VOLUME_LIMIT ((uint64_t)1 << 56) /* a record's up or down is below this, in bytes */

struct weir_record {
	struct weir_iccid iccid;
	uint64_t id_hash;      /* weir_identity_hash over ICCID and record id; 0 = no record id */
	uint64_t session_hash; /* likewise over the session id; 0 = none, or none is needed (weir_record_needs_session) */
	uint64_t seq;          /* sequence number in the session, with WEIR_RECORD_HAS_SEQ */
	uint64_t up;           /* bytes, delta or total */
	uint64_t down;         /* bytes, delta or total */
	int64_t end_us;        /* end time, microseconds UTC: hour, day and cycle (REC-5) */
	int64_t start_us;      /* start time, 0 = not given */
	uint64_t imei14;       /* first 14 digits as an integer, 0 = not given */
	int64_t offset;        /* of its Kafka message */
	uint32_t message;      /* index of its message in the batch: where its raw bytes are */
	uint32_t element;      /* index in its message, from 0 */
	uint32_t raw_off;      /* element's bytes in the message value */
	uint32_t raw_len;
	uint8_t flags;  /* WEIR_RECORD_… */
	uint8_t reject; /* enum weir_reject */
	uint8_t input;  /* index of the input topic (settings order) */
	uint8_t pad[13];
	int64_t arrived_us; /* Kafka timestamp of its message, microseconds UTC: where latency is measured from */
};
_Static_assert(sizeof(struct weir_record) == 128, "two cache lines");

/* A record id alone names a record of deltas (REC-3); its session is then nobody's concern, and is not hashed. */
static inline bool
weir_record_needs_session(const struct weir_record *rec)
{
	return rec->id_hash == 0 || (rec->flags & WEIR_RECORD_TOTALS) != 0;
}

/* A growing array of records; memory kept between polls, so that it stops allocating after warm-up. */
struct weir_records {
	struct weir_record *v;
	uint32_t n;
	uint32_t cap;
};

void weir_records_grow(struct weir_records *records);

/* By four vectors: compilers make a slow `rep stos` of an assignment. */
static inline void
weir_record_clear(struct weir_record *rec)
{
	typedef uint64_t vector __attribute__((vector_size(32), aligned(8), may_alias));
	vector *to = (vector *)(void *)rec;
	to[0] = to[1] = to[2] = to[3] = (vector){0};
}

/* Next free record, zeroed; grows the array when it is full. */
static inline struct weir_record *
weir_records_add(struct weir_records *records)
{
	if (__builtin_expect(records->n == records->cap, 0))
		weir_records_grow(records);
	struct weir_record *rec = &records->v[records->n++];
	weir_record_clear(rec);
	return rec;
}

void weir_records_free(struct weir_records *records);

/*
 * Identity of text within a card: XXH3 over the bytes, seeded by the ICCID. Never 0. The ICCID is mixed in because
 * some feeds number records per card.
 */
uint64_t weir_identity_hash(struct weir_iccid iccid, const uint8_t *data, size_t len);

/* The same in two parts, for several identities of one card. */
static inline uint64_t
weir_identity_seed(struct weir_iccid iccid)
{
	return weir_iccid_hash(iccid);
}
uint64_t weir_identity_hash_seeded(uint64_t seed, const uint8_t *data, size_t len);

/* The same for a number, as packed batches and integer ids carry it: equals the hash of its decimal text. */
uint64_t weir_identity_hash_u64(struct weir_iccid iccid, uint64_t number);
uint64_t weir_identity_hash_u64_seeded(uint64_t seed, uint64_t number);

#endif
