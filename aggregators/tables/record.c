/*
 * Records: names of rejects, the growing array, and identities; see record.h.
 *
 * Identity is XXH3 (64 bits) over the id's bytes, seeded by the mixed ICCID. A packed batch and a JSON feed may carry the
 * same record, one with the id as a number, the other as text; so a number is hashed as its decimal text.
 */
#include "aggregators/tables/record.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config/base/check.h"
#include "config/base/decimal_digits.h"

static const char *const REJECT_NAMES[WEIR_REJECT_COUNT] = {
    [WEIR_REJECT_NONE] = "none",
    [WEIR_REJECT_MALFORMED] = "malformed",
    [WEIR_REJECT_NO_CARD] = "no_card",
    [WEIR_REJECT_BAD_ICCID] = "bad_iccid",
    [WEIR_REJECT_NO_IDENTITY] = "no_identity",
    [WEIR_REJECT_BAD_VOLUME] = "bad_volume",
    [WEIR_REJECT_BAD_TIME] = "bad_time",
    [WEIR_REJECT_BAD_FIELD] = "bad_field",
    [WEIR_REJECT_FUTURE] = "future",
    [WEIR_REJECT_TOO_LATE] = "too_late",
    [WEIR_REJECT_UNKNOWN_CARD] = "unknown_card",
    [WEIR_REJECT_BAD_REFERENCE] = "bad_reference",
    [WEIR_REJECT_BAD_REQUEST] = "bad_request",
    [WEIR_REJECT_TOO_LARGE] = "too_large",
};

const char *
weir_reject_name(enum weir_reject reject)
{
	WEIR_CHECK((unsigned)reject < WEIR_REJECT_COUNT);
	return REJECT_NAMES[reject];
}

void
weir_records_grow(struct weir_records *records)
{
	WEIR_CHECK(records->cap < UINT32_MAX / 2);
	records->cap = records->cap ? records->cap * 2 : 256;
	records->v = weir_realloc(records->v, (size_t)records->cap * sizeof(*records->v));
}

void
weir_records_free(struct weir_records *records)
{
	free(records->v);
	*records = (struct weir_records){0};
}

/* Flat: the hash of a short text is few instructions, but looks like too many to inline with a checked memcpy in it. */
__attribute__((flatten)) uint64_t
weir_identity_hash_seeded(uint64_t seed, const uint8_t *data, size_t len)
{
	uint64_t hash = XXH3_64bits_withSeed(data, len, seed);
	return hash ? hash : 1;
}

uint64_t
weir_identity_hash(struct weir_iccid iccid, const uint8_t *data, size_t len)
{
	return weir_identity_hash_seeded(weir_identity_seed(iccid), data, len);
}

uint64_t
weir_identity_hash_u64_seeded(uint64_t seed, uint64_t number)
{
	uint8_t digits[32];
	size_t first = weir_decimal_digits_u64(number, digits);
	return weir_identity_hash_seeded(seed, digits + first, sizeof(digits) - first);
}

uint64_t
weir_identity_hash_u64(struct weir_iccid iccid, uint64_t number)
{
	return weir_identity_hash_u64_seeded(weir_identity_seed(iccid), number);
}

const char *
weir_reject_text(enum weir_reject reject)
{
	WEIR_CHECK(reject < WEIR_REJECT_COUNT);
	static const char *const TEXTS[WEIR_REJECT_COUNT] = {
	    [WEIR_REJECT_NONE] = "counted",
	    [WEIR_REJECT_MALFORMED] = "not valid JSON, not an object, or a packed batch of a wrong length",
	    [WEIR_REJECT_NO_CARD] = "no ICCID in the record, and the message key is none",
	    [WEIR_REJECT_BAD_ICCID] = "an ICCID has 19 or 20 letters and digits",
	    [WEIR_REJECT_NO_IDENTITY] = "needs a record id, a session with a sequence number, or a session with totals",
	    [WEIR_REJECT_BAD_VOLUME] = "volumes are whole numbers of bytes from 0 to below 2^56, at least one of a pair",
	    [WEIR_REJECT_BAD_TIME] = "times are ISO 8601 with Z or an offset, or milliseconds since 1970",
	    [WEIR_REJECT_BAD_FIELD] = "a member has a wrong type or range",
	    [WEIR_REJECT_FUTURE] = "the end time is further in the future than the allowed skew (REC-7)",
	    [WEIR_REJECT_TOO_LATE] = "older than the dedupe horizon, or no longer provably new (REC-3)",
	    [WEIR_REJECT_UNKNOWN_CARD] = "no reference data for this card (REC-7)",
	    [WEIR_REJECT_BAD_REFERENCE] = "reference data breaks its schema",
	    [WEIR_REJECT_BAD_REQUEST] = "the request breaks its schema",
	    [WEIR_REJECT_TOO_LARGE] = "the message is larger than lane.message_max_bytes",
	};
	return reject < WEIR_REJECT_COUNT ? TEXTS[reject] : "unknown";
}
