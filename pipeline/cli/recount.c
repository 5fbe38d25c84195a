/* Counting anew; see recount.h. */
#include "pipeline/cli/recount.h"

#include <stdlib.h>
#include <string.h>

#include "config/base/map.h"
#include "config/base/random.h"
#include "config/base/saturate.h"
#include "config/base/vec.h"

#define HOUR_US INT64_C(3600000000)
#define CARRIERS_MAX 256

struct hour {
	int64_t hour;
	struct weir_map seen; /* hashes of its records' identities; the value means nothing */
};
struct session {
	uint64_t up, down;
	int64_t last_us;
	int32_t cycle;
};

struct weir_recount {
	const struct weir_snapshot *snapshot;
	int64_t now_us, stream_us, exact_from_us, horizon_us, skew_us, retention_us;
	bool truncated;
	struct {
		struct weir_zone *zone;
		const struct weir_ref_carrier *ref;
		struct weir_window last; /* cycle that was asked for last */
	} carriers[CARRIERS_MAX];
	struct weir_map slots; /* of cards, by the ICCID's hash */
	int64_t *known_us;     /* by slot; 0 = from the beginning */
	struct hour *hours;
	uint32_t hour_count;
	struct weir_map session_places; /* by session */
	struct session *sessions;
	uint32_t session_count, session_cap;
	struct weir_map cell_places; /* by slot << 16 | cycle */
	struct weir_recounted *cells;
	uint32_t cell_count, cell_cap;
	struct weir_recount_stats stats;
};

/* ---- what has been seen ---- */

/* False when it was there already. */
static bool
set_add(struct weir_map *set, uint64_t hash)
{
	if (weir_map_get(set, hash) != WEIR_MAP_NONE)
		return false;
	weir_map_add(set, hash, 0);
	return true;
}

/* The hour's set; hours beyond the horizon are let go of. */
static struct weir_map *
hour_set(struct weir_recount *r, int64_t hour)
{
	int64_t oldest = (r->stream_us - r->horizon_us) / HOUR_US - 1;
	for (uint32_t i = 0; i < r->hour_count;) {
		if (r->hours[i].hour == hour)
			return &r->hours[i].seen;
		if (r->hours[i].hour < oldest) {
			weir_map_free(&r->hours[i].seen);
			r->hours[i] = r->hours[--r->hour_count];
		} else {
			i++;
		}
	}
	r->hours = weir_realloc(r->hours, (r->hour_count + 1) * sizeof(*r->hours));
	r->hours[r->hour_count] = (struct hour){.hour = hour};
	return &r->hours[r->hour_count++].seen;
}

static struct session *
session_get(struct weir_recount *r, uint64_t key, bool *fresh_out)
{
	uint32_t i = weir_map_get(&r->session_places, key);
	*fresh_out = i == WEIR_MAP_NONE;
	if (!*fresh_out)
		return &r->sessions[i];
	WEIR_VEC_ROOM(r->sessions, r->session_count, r->session_cap, 256);
	weir_map_add(&r->session_places, key, r->session_count);
	r->sessions[r->session_count] = (struct session){0};
	return &r->sessions[r->session_count++];
}

static uint64_t
cell_key(uint32_t slot, int32_t cycle)
{
	return (uint64_t)slot << 16 | (uint16_t)cycle;
}

static struct weir_recounted *
cell_get(struct weir_recount *r, uint32_t slot, int32_t cycle)
{
	uint32_t i = weir_map_get(&r->cell_places, cell_key(slot, cycle));
	if (i != WEIR_MAP_NONE)
		return &r->cells[i];
	WEIR_VEC_ROOM(r->cells, r->cell_count, r->cell_cap, 256);
	weir_map_add(&r->cell_places, cell_key(slot, cycle), r->cell_count);
	r->cells[r->cell_count] = (struct weir_recounted){0};
	return &r->cells[r->cell_count++];
}

/* ---- life ---- */

static bool
find_card(const struct weir_recount *r, struct weir_iccid iccid, uint32_t *slot_out)
{
	uint64_t hash = weir_iccid_hash(iccid);
	uint32_t at, slot = weir_map_first(&r->slots, hash, &at);
	while (slot != WEIR_MAP_NONE && !weir_iccid_equal(r->snapshot->cards[slot].iccid, iccid))
		slot = weir_map_next(&r->slots, hash, &at);
	*slot_out = slot;
	return slot != WEIR_MAP_NONE;
}

static void
index_cards(struct weir_recount *r)
{
	r->known_us = weir_calloc(r->snapshot->card_slots + 1, sizeof(*r->known_us));
	for (uint32_t slot = 0; slot < r->snapshot->card_slots; slot++) {
		struct weir_iccid iccid = r->snapshot->cards[slot].iccid;
		if (!weir_iccid_is_zero(iccid))
			weir_map_add(&r->slots, weir_iccid_hash(iccid), slot);
	}
}

struct weir_recount *
weir_recount_new(const struct weir_settings *settings, const struct weir_snapshot *snapshot, int64_t now_us)
{
	struct weir_recount *r = weir_calloc(1, sizeof(*r));
	r->snapshot = snapshot;
	r->now_us = now_us;
	r->horizon_us = (int64_t)settings->dedupe_horizon_h * HOUR_US;
	r->retention_us = (int64_t)settings->session_retention_h * HOUR_US;
	r->skew_us = (int64_t)settings->future_skew_s * 1000000;
	for (uint32_t i = 0; i < snapshot->carrier_count && i + 1 < CARRIERS_MAX; i++) {
		if (!snapshot->carriers[i].defined ||
		    weir_zone_open(snapshot->carriers[i].ref.zone, &r->carriers[i + 1].zone, NULL) != WEIR_OK)
			r->carriers[i + 1].zone = NULL;
		r->carriers[i + 1].ref = &snapshot->carriers[i].ref;
	}
	index_cards(r);
	return r;
}

void
weir_recount_free(struct weir_recount *r)
{
	for (uint32_t i = 0; i < CARRIERS_MAX; i++)
		weir_zone_free(r->carriers[i].zone);
	for (uint32_t i = 0; i < r->hour_count; i++)
		weir_map_free(&r->hours[i].seen);
	free(r->hours);
	weir_map_free(&r->slots);
	free(r->known_us);
	weir_map_free(&r->session_places);
	weir_map_free(&r->cell_places);
	free(r->sessions);
	free(r->cells);
	free(r);
}

void
weir_recount_truncated(struct weir_recount *r, int64_t exact_from_us)
{
	r->truncated = true;
	if (exact_from_us > r->exact_from_us)
		r->exact_from_us = exact_from_us;
}

void
weir_recount_card(struct weir_recount *r, struct weir_iccid iccid, int64_t arrived_us)
{
	uint32_t slot;
	if (find_card(r, iccid, &slot) && r->known_us[slot] == 0)
		r->known_us[slot] = arrived_us;
}

/* ---- records ---- */

/* CYC-1: false when the card's carrier has no calendar. */
static bool
cycle_of(struct weir_recount *r, uint32_t slot, int64_t at_us, int32_t *cycle_out)
{
	uint8_t number = r->snapshot->cards[slot].carrier;
	struct weir_window *last = &r->carriers[number].last;
	const struct weir_ref_carrier *ref = r->carriers[number].ref;
	if (r->carriers[number].zone == NULL)
		return false;
	if (at_us < last->start_us || at_us >= last->end_us)
		*last = weir_zone_cycle(r->carriers[number].zone, ref->cycle_day, ref->named_after_end, at_us);
	*cycle_out = last->number;
	return true;
}

/* REC-2: what a total adds; false when it is an old record. */
static bool
total_adds(struct session *session, const struct weir_record *record, bool fresh, uint64_t *up, uint64_t *down)
{
	if (!fresh && (record->flags & WEIR_RECORD_START) != 0 && record->end_us > session->last_us)
		session->up = session->down = 0;
	*up = weir_sub_saturating(record->up, session->up);
	*down = weir_sub_saturating(record->down, session->down);
	session->up += *up;
	session->down += *down;
	return fresh || *up + *down > 0 || record->end_us > session->last_us;
}

/* Identity of a number in a session, apart from record ids. */
static uint64_t
sequence_hash(const struct weir_record *record)
{
	return weir_random_mix(record->session_hash ^ weir_random_mix(record->seq + WEIR_RANDOM_STEP));
}

struct counted {
	uint64_t up, down;
	bool session; /* begins one of the cycle */
	bool unsure;
};

/* REC-3: is it new, and what does it add? */
static bool
is_new(struct weir_recount *r, const struct weir_record *record, int32_t cycle, struct counted *out)
{
	bool is_total = (record->flags & WEIR_RECORD_TOTALS) != 0, by_id = record->id_hash != 0, fresh;
	*out = (struct counted){record->up, record->down, (record->flags & WEIR_RECORD_START) != 0, false};
	if (by_id && !set_add(hour_set(r, record->end_us / HOUR_US), record->id_hash))
		return false;
	if (record->session_hash == 0 || (by_id && !is_total))
		return true;
	if (!by_id && (record->flags & WEIR_RECORD_HAS_SEQ) != 0 &&
	    !set_add(hour_set(r, record->end_us / HOUR_US), sequence_hash(record)))
		return false;
	struct session *session = session_get(r, record->session_hash, &fresh);
	if (is_total && !total_adds(session, record, fresh, &out->up, &out->down))
		return false;
	out->unsure = is_total && fresh && r->truncated && (record->flags & WEIR_RECORD_START) == 0;
	out->session = cycle > session->cycle;
	if (cycle > session->cycle)
		session->cycle = cycle;
	if (record->end_us > session->last_us)
		session->last_us = record->end_us;
	return true;
}

static void
count_record(struct weir_recount *r, uint32_t slot, const struct weir_record *record)
{
	int32_t cycle;
	struct counted counted;
	if (!cycle_of(r, slot, record->end_us, &cycle)) {
		r->stats.unknown_cards++;
		return;
	}
	if (!is_new(r, record, cycle, &counted)) {
		r->stats.duplicates++;
		return;
	}
	struct weir_recounted *cell = cell_get(r, slot, cycle);
	bool early = r->known_us[slot] != 0 && record->arrived_us < r->known_us[slot];
	struct weir_volume *volume = early ? &cell->early : &cell->sure;
	volume->up += counted.up;
	volume->down += counted.down;
	volume->records++;
	volume->sessions += counted.session;
	cell->unsure |= counted.unsure;
	r->stats.counted++;
}

/* A session that is not known here and began before the retention may have been counted (as the lanes judge). */
static bool
is_forgotten(const struct weir_recount *r, const struct weir_record *record)
{
	if ((record->flags & WEIR_RECORD_TOTALS) == 0 || record->session_hash == 0 || record->start_us == 0 ||
	    record->start_us >= r->stream_us - r->retention_us)
		return false;
	return weir_map_get(&r->session_places, record->session_hash) == WEIR_MAP_NONE;
}

void
weir_recount_record(struct weir_recount *r, const struct weir_record *record)
{
	uint32_t slot;
	int64_t arrived_us = record->arrived_us < r->now_us ? record->arrived_us : r->now_us;
	r->stats.records++;
	if (arrived_us > r->stream_us)
		r->stream_us = arrived_us;
	int64_t stream_us = r->stream_us != 0 ? r->stream_us : r->now_us;
	if (record->reject != WEIR_REJECT_NONE)
		r->stats.rejected++;
	else if (record->end_us > stream_us + r->skew_us)
		r->stats.future++;
	else if (record->end_us < stream_us - r->horizon_us || is_forgotten(r, record))
		r->stats.too_late++;
	else if (!find_card(r, record->iccid, &slot))
		r->stats.unknown_cards++;
	else
		count_record(r, slot, record);
}

/* ---- results ---- */

const struct weir_recount_stats *
weir_recount_stats(const struct weir_recount *r)
{
	return &r->stats;
}

struct weir_recounted
weir_recount_get(const struct weir_recount *r, uint32_t slot, int32_t cycle)
{
	uint32_t i = weir_map_get(&r->cell_places, cell_key(slot, cycle));
	return i != WEIR_MAP_NONE ? r->cells[i] : (struct weir_recounted){0};
}

bool
weir_recount_is_whole(const struct weir_recount *r, uint32_t slot, int32_t cycle)
{
	uint8_t number = r->snapshot->cards[slot].carrier;
	const struct weir_ref_carrier *ref = r->carriers[number].ref;
	if (!r->truncated)
		return true;
	if (r->carriers[number].zone == NULL || r->exact_from_us == INT64_MAX)
		return false;
	return weir_zone_cycle_by_number(r->carriers[number].zone, ref->cycle_day, ref->named_after_end, cycle).start_us >=
	       r->exact_from_us;
}
