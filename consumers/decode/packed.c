/*
 * Packed batches: fixed 64-byte records for producers that can make them, see docs/formats.md. Nothing to parse, but
 * everything to check: the bytes come from outside.
 */
#include <string.h>

#include "config/base/timetext.h"
#include "consumers/decode/decode_priv.h"

#define HEADER_BYTES 16
#define RECORD_BYTES 64
#define FLAGS_KNOWN 15
#define IMEI14_LIMIT 100000000000000u

struct packed {
	uint64_t iccid_hi;
	uint64_t iccid_lo;
	uint64_t id;
	uint64_t session;
	uint64_t up;
	uint64_t down;
	int32_t end_ms; /* from the batch's base */
	uint32_t seq;
	uint64_t imei_flags; /* 56 bits IMEI, 8 bits flags */
};
_Static_assert(sizeof(struct packed) == RECORD_BYTES, "as on the wire");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed batches and stored slots are little-endian");

/*
 * Whether ten 6-bit codes are each 1..36. Every second code is compared in a lane of 12 bits, so that a sum's carry stays
 * in its lane: code + 63 reaches bit 6 unless the code is 0, code + 27 reaches it when the code is above 36.
 */
static inline bool
codes_valid(uint64_t codes)
{
	const uint64_t lanes = 0x003f03f03f03f03fu, ones = 0x0001001001001001u, bit6 = ones << 6;
	uint64_t even = codes & lanes, odd = codes >> 6 & lanes;
	uint64_t filled = (even + ones * 63) & (odd + ones * 63) & bit6;
	uint64_t above = ((even + ones * 27) | (odd + ones * 27)) & bit6;
	return filled == bit6 && above == 0;
}

/* Nineteen or twenty codes, then zeros. */
static inline bool
iccid_valid(struct weir_iccid iccid)
{
	uint64_t first = iccid.hi >> 4;
	uint64_t second = (iccid.hi & 15) << 56 | iccid.lo >> 8;
	if ((iccid.lo & 0xff) != 0)
		return false;
	if ((second & 63) == 0)
		second |= 1; /* the twentieth may be missing */
	return codes_valid(first) && codes_valid(second);
}

static inline enum weir_reject
packed_check(const struct weir_job *job, const struct packed *packed, int64_t base_us, struct weir_record *rec)
{
	uint32_t flags = (uint32_t)(packed->imei_flags >> 56);
	uint64_t imei14 = packed->imei_flags & (((uint64_t)1 << 56) - 1);
	int64_t end_us;
	rec->iccid = (struct weir_iccid){packed->iccid_hi, packed->iccid_lo};
	if (weir_iccid_is_zero(rec->iccid)) {
		if (job->key.data == NULL || !weir_iccid_parse(job->key.data, job->key.len, &rec->iccid)) {
			rec->iccid = (struct weir_iccid){0};
			return WEIR_REJECT_NO_CARD;
		}
	} else if (!iccid_valid(rec->iccid)) {
		rec->iccid = (struct weir_iccid){0};
		return WEIR_REJECT_BAD_ICCID;
	}
	if (flags > FLAGS_KNOWN || imei14 >= IMEI14_LIMIT)
		return WEIR_REJECT_BAD_FIELD;
	rec->flags = (uint8_t)flags;
	rec->seq = flags & WEIR_RECORD_HAS_SEQ ? packed->seq : 0;
	rec->imei14 = imei14;
	rec->up = packed->up;
	rec->down = packed->down;
	if ((packed->up | packed->down) >= WEIR_VOLUME_LIMIT)
		return WEIR_REJECT_BAD_VOLUME;
	bool by_session = packed->session != 0 && (flags & (WEIR_RECORD_HAS_SEQ | WEIR_RECORD_TOTALS)) != 0;
	bool totals_without = (flags & WEIR_RECORD_TOTALS) && packed->session == 0;
	if (totals_without || (packed->id == 0 && !by_session))
		return WEIR_REJECT_NO_IDENTITY;
	uint64_t seed = weir_identity_seed(rec->iccid);
	if (packed->id != 0)
		rec->id_hash = weir_identity_hash_u64_seeded(seed, packed->id);
	if (packed->session != 0 && weir_record_needs_session(rec))
		rec->session_hash = weir_identity_hash_u64_seeded(seed, packed->session);
	if (__builtin_add_overflow(base_us, (int64_t)packed->end_ms * 1000, &end_us) || end_us < 0 ||
	    end_us >= WEIR_TIME_LIMIT_US)
		return WEIR_REJECT_BAD_TIME;
	rec->end_us = end_us;
	return WEIR_REJECT_NONE;
}

void
weir_packed_decode(struct weir_job *job, struct weir_slice value)
{
	uint32_t count;
	int64_t base_us;
	if (value.len >= HEADER_BYTES)
		memcpy(&count, value.data + 4, sizeof(count));
	if (value.len < HEADER_BYTES || value.len != HEADER_BYTES + (uint64_t)count * RECORD_BYTES) {
		weir_decode_whole_reject(job, WEIR_REJECT_MALFORMED, value);
		return;
	}
	memcpy(&base_us, value.data + 8, sizeof(base_us));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t off = HEADER_BYTES + i * RECORD_BYTES;
		struct packed packed;
		memcpy(&packed, value.data + off, sizeof(packed));
		struct weir_record *rec = weir_records_add(job->out);
		rec->message = job->message;
		rec->element = i;
		rec->raw_off = off;
		rec->raw_len = RECORD_BYTES;
		rec->reject = (uint8_t)packed_check(job, &packed, base_us, rec);
	}
}
