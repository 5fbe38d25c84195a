/*
 * What a record's values mean: the one place where a value becomes a field or a reject, for every JSON feed and for both
 * ways of decoding. docs/decoding.md lists the order of checks; the first that fails names the reject.
 */
#include <string.h>

#include "aggregators/tables/record.h"
#include "config/base/decimal.h"
#include "config/base/slice.h"
#include "config/base/timetext.h"
#include "consumers/decode/plan.h"

/* The value of a field, NULL when the record does not have it (or says null). */
static inline const struct weir_scalar *
field_value(const struct weir_plan *plan, const struct weir_values *values, enum weir_field field)
{
	uint32_t leaf = plan->field_leaf[field];
	if (!(values->present >> leaf & 1) || values->leaf[leaf].kind == WEIR_KIND_NULL)
		return NULL;
	return &values->leaf[leaf];
}

static inline bool
word_matches(const struct weir_word *word, const struct weir_scalar *value, bool prefix)
{
	if (prefix ? word->len > value->len : word->len != value->len)
		return false;
	return memcmp(word->text, value->data, word->len) == 0;
}

bool
weir_fields_pass(const struct weir_plan *plan, const struct weir_values *values)
{
	for (uint32_t i = 0; i < plan->mapping->filter_count; i++) {
		const struct weir_filter *filter = &plan->mapping->filters[i];
		uint32_t leaf = plan->filter_leaf[i];
		const struct weir_scalar *value = &values->leaf[leaf];
		bool matches = false;
		if (!(values->present >> leaf & 1) || value->kind == WEIR_KIND_NULL || value->kind == WEIR_KIND_CONTAINER)
			return false;
		for (uint32_t j = 0; j < filter->value_count && !matches; j++)
			matches = word_matches(&plan->filter[i][j], value, filter->prefix);
		if (!matches)
			return false;
	}
	return true;
}

static inline enum weir_reject
apply_iccid(const struct weir_scalar *value, const struct weir_slice *key, struct weir_record *rec)
{
	if (value != NULL) {
		if (value->kind == WEIR_KIND_STRING && weir_iccid_parse(value->data, value->len, &rec->iccid))
			return WEIR_REJECT_NONE;
		rec->iccid = (struct weir_iccid){0};
		return WEIR_REJECT_BAD_ICCID;
	}
	if (key->data != NULL && weir_iccid_parse(key->data, key->len, &rec->iccid))
		return WEIR_REJECT_NONE;
	rec->iccid = (struct weir_iccid){0};
	return WEIR_REJECT_NO_CARD;
}

/* Text that is not empty, or an unsigned integer as written. */
static inline bool
apply_identity(const struct weir_scalar *value, struct weir_iccid iccid, uint64_t *hash_out)
{
	if (value == NULL)
		return true;
	if (value->len == 0 || (value->kind != WEIR_KIND_STRING && value->kind != WEIR_KIND_UINT))
		return false;
	*hash_out = weir_identity_hash(iccid, value->data, value->len);
	return true;
}

static inline bool
apply_seq(const struct weir_scalar *value, struct weir_record *rec)
{
	if (value == NULL)
		return true;
	if (value->kind != WEIR_KIND_UINT || value->number >> 63)
		return false;
	rec->seq = value->number;
	rec->flags |= WEIR_RECORD_HAS_SEQ;
	return true;
}

static inline bool
apply_volume(const struct weir_field_map *map, const struct weir_scalar *value, uint64_t *bytes_out)
{
	uint64_t bytes;
	if (value == NULL)
		return true;
	if (value->kind == WEIR_KIND_UINT) {
		if (__builtin_mul_overflow(value->number, map->unit_bytes, &bytes))
			return false;
	} else if (!(value->kind == WEIR_KIND_NUMBER && map->decimal &&
		       weir_decimal_to_bytes(value->data, value->len, map->unit_bytes, &bytes))) {
		return false;
	}
	*bytes_out = bytes;
	return bytes < WEIR_VOLUME_LIMIT;
}

/* Deltas or totals, one of a pair at least, never both kinds. */
static inline bool
apply_volumes(const struct weir_plan *plan, const struct weir_values *values, struct weir_record *rec)
{
	const struct weir_field_map *map = plan->mapping->fields;
	const struct weir_scalar *up = field_value(plan, values, WEIR_FIELD_UP);
	const struct weir_scalar *down = field_value(plan, values, WEIR_FIELD_DOWN);
	const struct weir_scalar *up_total = field_value(plan, values, WEIR_FIELD_UP_TOTAL);
	const struct weir_scalar *down_total = field_value(plan, values, WEIR_FIELD_DOWN_TOTAL);
	if (up_total != NULL || down_total != NULL) {
		rec->flags |= WEIR_RECORD_TOTALS;
		return up == NULL && down == NULL && apply_volume(&map[WEIR_FIELD_UP_TOTAL], up_total, &rec->up) &&
		       apply_volume(&map[WEIR_FIELD_DOWN_TOTAL], down_total, &rec->down);
	}
	return (up != NULL || down != NULL) && apply_volume(&map[WEIR_FIELD_UP], up, &rec->up) &&
	       apply_volume(&map[WEIR_FIELD_DOWN], down, &rec->down);
}

static inline bool
has_identity(const struct weir_record *rec)
{
	if (rec->flags & WEIR_RECORD_TOTALS)
		return rec->session_hash != 0; /* a total belongs to a session, whatever else names the record */
	return rec->id_hash != 0 || (rec->session_hash != 0 && (rec->flags & WEIR_RECORD_HAS_SEQ));
}

static inline bool
apply_time(const struct weir_field_map *map, const struct weir_scalar *value, int64_t *us_out)
{
	static const uint32_t UNIT_US[] = {
	    [WEIR_TIME_ISO] = 0,
	    [WEIR_TIME_UNIX_S] = 1000000,
	    [WEIR_TIME_UNIX_MS] = 1000,
	    [WEIR_TIME_UNIX_US] = 1,
	    [WEIR_TIME_ISO_OR_MS] = 1000,
	};
	if (value->kind == WEIR_KIND_STRING)
		return (map->time_format == WEIR_TIME_ISO || map->time_format == WEIR_TIME_ISO_OR_MS) &&
		       weir_time_parse(value->data, value->len, us_out);
	uint32_t unit = UNIT_US[map->time_format];
	if (value->kind != WEIR_KIND_UINT || unit == 0 || value->number >= (uint64_t)WEIR_TIME_LIMIT_US / unit)
		return false;
	*us_out = (int64_t)(value->number * unit);
	return true;
}

/* A word that no list holds: wrong when the feed lists its updates, else just an update. */
bool
weir_fields_event(const struct weir_plan *plan, const struct weir_scalar *value, struct weir_record *rec)
{
	static const uint8_t FLAGS[3] = {WEIR_RECORD_START, 0, WEIR_RECORD_STOP};
	if (value == NULL)
		return true;
	if (value->kind == WEIR_KIND_CONTAINER)
		return false;
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t j = 0; j < plan->mapping->event_value_count[i]; j++)
			if (word_matches(&plan->event[i][j], value, false)) {
				rec->flags |= FLAGS[i];
				return true;
			}
	return plan->mapping->event_value_count[1] == 0;
}

/* Eight digits at once, first digit in the lowest byte; *valid is cleared when one is no digit. */
static inline uint32_t
eight_digits(const uint8_t *text, bool *valid)
{
	uint64_t bytes;
	memcpy(&bytes, text, 8);
	*valid &= (((bytes + 0x4646464646464646u) | (bytes - 0x3030303030303030u)) & 0x8080808080808080u) == 0;
	bytes = (bytes & 0x0f0f0f0f0f0f0f0fu) * 2561 >> 8;
	bytes = (bytes & 0x00ff00ff00ff00ffu) * 6553601 >> 16;
	return (uint32_t)((bytes & 0x0000ffff0000ffffu) * 42949672960001u >> 32);
}

static inline bool
apply_imei(const struct weir_scalar *value, struct weir_record *rec)
{
	if (value == NULL)
		return true;
	if (value->kind != WEIR_KIND_STRING || value->len < 14 || value->len > 16)
		return false;
	bool digits = true;
	uint64_t first = eight_digits(value->data, &digits);
	uint64_t second = eight_digits(value->data + 6, &digits); /* two digits again, then six new ones */
	for (uint32_t i = 14; i < value->len; i++)
		digits &= (uint8_t)(value->data[i] - '0') <= 9;
	rec->imei14 = digits ? first * 1000000 + second % 1000000 : 0;
	return digits;
}

static inline bool
is_text(const struct weir_scalar *value)
{
	return value == NULL || value->kind == WEIR_KIND_STRING;
}

static inline enum weir_reject
apply(const struct weir_plan *plan, const struct weir_values *values, const struct weir_slice *key, struct weir_record *rec)
{
	const struct weir_field_map *map = plan->mapping->fields;
#define VALUE(field) field_value(plan, values, WEIR_FIELD_##field)
	enum weir_reject reject = apply_iccid(VALUE(ICCID), key, rec);
	if (reject != WEIR_REJECT_NONE)
		return reject;
	if (!apply_identity(VALUE(ID), rec->iccid, &rec->id_hash) ||
	    !apply_identity(VALUE(SESSION), rec->iccid, &rec->session_hash) || !apply_seq(VALUE(SEQ), rec))
		return WEIR_REJECT_BAD_FIELD;
	if (!apply_volumes(plan, values, rec))
		return WEIR_REJECT_BAD_VOLUME;
	if (!has_identity(rec))
		return WEIR_REJECT_NO_IDENTITY;
	if (!weir_record_needs_session(rec))
		rec->session_hash = 0;
	const struct weir_scalar *end = VALUE(END);
	const struct weir_scalar *start = VALUE(START);
	if (end == NULL || !apply_time(&map[WEIR_FIELD_END], end, &rec->end_us) ||
	    (start != NULL && !apply_time(&map[WEIR_FIELD_START], start, &rec->start_us)))
		return WEIR_REJECT_BAD_TIME;
	if (!weir_fields_event(plan, VALUE(EVENT), rec) || !apply_imei(VALUE(IMEI), rec) || !is_text(VALUE(APN)) ||
	    !is_text(VALUE(RAT)) || !is_text(VALUE(PLMN)))
		return WEIR_REJECT_BAD_FIELD;
#undef VALUE
	return WEIR_REJECT_NONE;
}

void
weir_fields_apply(
    const struct weir_plan *plan, const struct weir_values *values, const struct weir_slice *key, struct weir_record *rec)
{
	rec->reject = (uint8_t)apply(plan, values, key, rec);
}
