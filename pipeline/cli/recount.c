/* Counting anew; see recount.h. */
#include "pipeline/cli/recount.h"

#include <stdlib.h>
#include <string.h>

#define HOUR_US INT64_C(3600000000)
#define CARRIERS_MAX 256

/* ---- sets and tables: open addressing, powers of two, half full at most ---- */

struct set { /* of hashes that are not 0 */
	uint64_t *v;
	uint32_t cap, used;
};
struct hour {
	int64_t hour;
	struct set seen;
};
struct session {
	uint64_t key; /* 0 = empty */
	uint64_t up, down;
	int64_t last_us;
	int32_t cycle;
};
struct cell {
	uint64_t key; /* slot << 16 | cycle, plus one; 0 = empty */
	struct weir_recounted counted;
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
	uint32_t *index; /* slot + 1 by ICCID */
	uint32_t index_cap;
	int64_t *known_us; /* by slot; 0 = from the beginning */
	struct hour *hours;
	uint32_t hour_count;
	struct session *sessions;
	uint32_t session_cap, session_used;
	struct cell *cells;
	uint32_t cell_cap, cell_used;
	struct weir_recount_stats stats;
};

static uint64_t
mix_hash(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

static bool
set_put(struct set *set, uint64_t hash)
{
	uint32_t at = (uint32_t)mix_hash(hash) & (set->cap - 1);
	while (set->v[at] != 0) {
		if (set->v[at] == hash)
			return false;
		at = (at + 1) & (set->cap - 1);
	}
	set->v[at] = hash;
	set->used++;
	return true;
}

/* False when it was there already. */
static bool
set_add(struct set *set, uint64_t hash)
{
	if (set->used * 2 >= set->cap) {
		struct set grown = {.cap = set->cap == 0 ? 256 : set->cap * 2};
		grown.v = weir_calloc(grown.cap, sizeof(*grown.v));
		for (uint32_t i = 0; i < set->cap; i++)
			if (set->v[i] != 0)
				(void)set_put(&grown, set->v[i]);
		free(set->v);
		*set = grown;
	}
	return set_put(set, hash == 0 ? 1 : hash);
}

/* The hour's set; hours beyond the horizon are let go of. */
static struct set *
hour_set(struct weir_recount *r, int64_t hour)
{
	int64_t oldest = (r->stream_us - r->horizon_us) / HOUR_US - 1;
	for (uint32_t i = 0; i < r->hour_count;) {
		if (r->hours[i].hour == hour)
			return &r->hours[i].seen;
		if (r->hours[i].hour < oldest) {
			free(r->hours[i].seen.v);
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
session_place(struct session *sessions, uint32_t cap, uint64_t key)
{
	uint32_t at = (uint32_t)mix_hash(key) & (cap - 1);
	while (sessions[at].key != 0 && sessions[at].key != key)
		at = (at + 1) & (cap - 1);
	return &sessions[at];
}

static struct session *
session_get(struct weir_recount *r, uint64_t key, bool *fresh_out)
{
	if (r->session_used * 2 >= r->session_cap) {
		uint32_t cap = r->session_cap == 0 ? 256 : r->session_cap * 2;
		struct session *grown = weir_calloc(cap, sizeof(*grown));
		for (uint32_t i = 0; i < r->session_cap; i++)
			if (r->sessions[i].key != 0)
				*session_place(grown, cap, r->sessions[i].key) = r->sessions[i];
		free(r->sessions);
		r->sessions = grown;
		r->session_cap = cap;
	}
	struct session *session = session_place(r->sessions, r->session_cap, key);
	*fresh_out = session->key == 0;
	r->session_used += *fresh_out;
	session->key = key;
	return session;
}

static uint64_t
cell_key(uint32_t slot, int32_t cycle)
{
	return ((uint64_t)slot << 16 | (uint16_t)cycle) + 1;
}

static struct cell *
cell_place(struct cell *cells, uint32_t cap, uint64_t key)
{
	uint32_t at = (uint32_t)mix_hash(key) & (cap - 1);
	while (cells[at].key != 0 && cells[at].key != key)
		at = (at + 1) & (cap - 1);
	return &cells[at];
}

static struct weir_recounted *
cell_get(struct weir_recount *r, uint32_t slot, int32_t cycle)
{
	uint64_t key = cell_key(slot, cycle);
	if (r->cell_used * 2 >= r->cell_cap) {
		uint32_t cap = r->cell_cap == 0 ? 256 : r->cell_cap * 2;
		struct cell *grown = weir_calloc(cap, sizeof(*grown));
		for (uint32_t i = 0; i < r->cell_cap; i++)
			if (r->cells[i].key != 0)
				*cell_place(grown, cap, r->cells[i].key) = r->cells[i];
		free(r->cells);
		r->cells = grown;
		r->cell_cap = cap;
	}
	struct cell *cell = cell_place(r->cells, r->cell_cap, key);
	r->cell_used += cell->key == 0;
	cell->key = key;
	return &cell->counted;
}

/* ---- life ---- */

static bool
find_card(const struct weir_recount *r, struct weir_iccid iccid, uint32_t *slot_out)
{
	uint32_t at = (uint32_t)weir_iccid_hash(iccid) & (r->index_cap - 1);
	for (; r->index[at] != 0; at = (at + 1) & (r->index_cap - 1)) {
		*slot_out = r->index[at] - 1;
		if (weir_iccid_equal(r->snapshot->cards[*slot_out].iccid, iccid))
			return true;
	}
	return false;
}

static void
index_cards(struct weir_recount *r)
{
	for (r->index_cap = 64; r->index_cap < r->snapshot->card_slots * 2;)
		r->index_cap *= 2;
	r->index = weir_calloc(r->index_cap, sizeof(*r->index));
	r->known_us = weir_calloc(r->snapshot->card_slots + 1, sizeof(*r->known_us));
	for (uint32_t slot = 0; slot < r->snapshot->card_slots; slot++) {
		struct weir_iccid iccid = r->snapshot->cards[slot].iccid;
		if (weir_iccid_is_zero(iccid))
			continue;
		uint32_t at = (uint32_t)weir_iccid_hash(iccid) & (r->index_cap - 1);
		while (r->index[at] != 0)
			at = (at + 1) & (r->index_cap - 1);
		r->index[at] = slot + 1;
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
		free(r->hours[i].seen.v);
	free(r->hours);
	free(r->index);
	free(r->known_us);
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
	*up = record->up > session->up ? record->up - session->up : 0;
	*down = record->down > session->down ? record->down - session->down : 0;
	session->up += *up;
	session->down += *down;
	return fresh || *up + *down > 0 || record->end_us > session->last_us;
}

/* Identity of a number in a session, apart from record ids. */
static uint64_t
sequence_hash(const struct weir_record *record)
{
	return mix_hash(record->session_hash ^ mix_hash(record->seq + UINT64_C(0x9e3779b97f4a7c15)));
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
	return r->session_cap == 0 || session_place(r->sessions, r->session_cap, record->session_hash)->key == 0;
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
	if (r->cell_cap == 0)
		return (struct weir_recounted){0};
	return cell_place(r->cells, r->cell_cap, cell_key(slot, cycle))->counted;
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
