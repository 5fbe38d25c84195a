/*
 * Sessions: dedupe by sequence number (REC-1, REC-3, REC-4) and deltas out of totals (REC-2).
 *
 * A sequence needs no dedupe keys: the highest number, a bitmap of the 64 ending with it, and up to three ranges of numbers
 * still missing below the window. When a fourth range would be needed the oldest is given up: its numbers can no longer be
 * proven new and are rejected as too late if they come (counted in gaps_lost); they are never counted twice.
 *
 * A total adds what it exceeds the session's high-water mark by; a lower one is an old record. A start marker newer than
 * anything seen of the session begins the count anew. A session unknown here that began before the retention may have been
 * forgotten: its total cannot be separated from what was counted, so it is too late.
 */
#include "aggregators/fold/sessions.h"

#include <string.h>

#define WINDOW 64u
#define RANGES 3u

static struct weir_session_slot *
session_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.sessions, slot);
}

static bool
session_find(struct weir_partition *p, uint64_t key, uint32_t *slot_out)
{
	struct weir_shard *shard = weir_shards_of(&p->tables.session_index, key);
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, key);
	while (weir_index_candidate(shard, key, &pos, slot_out))
		if (session_at(p, *slot_out)->key == key)
			return true;
	return false;
}

void
weir_partition_session_index(struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(session_at(p, slot)->key != 0);
	uint64_t key = session_at(p, slot)->key;
	weir_shard_insert(weir_shards_of(&p->tables.session_index, key), weir_index_entry(key, slot));
}

static struct weir_session_gaps *
gaps_of(struct weir_partition *p, struct weir_session_slot *s)
{
	if (s->gaps == 0)
		return NULL;
	WEIR_CHECK(((const struct weir_session_gaps *)weir_slab_at(&p->tables.sessions, s->gaps - 1))->key == s->key);
	weir_slab_dirty(&p->tables.sessions, s->gaps - 1);
	return weir_slab_at(&p->tables.sessions, s->gaps - 1);
}

static void
gaps_drop_at(struct weir_session_gaps *gaps, uint32_t at)
{
	WEIR_CHECK(at < gaps->count && gaps->count <= RANGES);
	for (uint32_t i = at; i + 1 < gaps->count; i++)
		gaps->range[i] = gaps->range[i + 1];
	gaps->count--;
	memset(&gaps->range[gaps->count], 0, sizeof(gaps->range[0]));
}

/* Remembers from..to as missing; ranges are kept in rising order, the lowest is given up when there is no room. */
static void
gaps_add(struct weir_partition *p, struct weir_session_slot *s, uint64_t from, uint64_t to)
{
	WEIR_CHECK(from <= to);
	if (s->gaps == 0) {
		uint32_t slot = weir_slab_new(&p->tables.sessions);
		struct weir_session_gaps *made = weir_slab_at(&p->tables.sessions, slot);
		*made = (struct weir_session_gaps){.key = s->key, .card = WEIR_SESSION_GAPS};
		s->gaps = slot + 1;
	}
	struct weir_session_gaps *gaps = gaps_of(p, s);
	if (gaps->count > 0 && gaps->range[gaps->count - 1].to + 1 == from) {
		gaps->range[gaps->count - 1].to = to;
		return;
	}
	if (gaps->count == RANGES) {
		gaps_drop_at(gaps, 0);
		s->flags |= WEIR_SESSION_LOST;
		p->stats.gaps_lost++;
	}
	gaps->range[gaps->count].from = from;
	gaps->range[gaps->count].to = to;
	gaps->count++;
}

/* The window moves up by `shift` to end with `seq`: numbers that leave it unseen become missing ranges. */
static void
window_move(struct weir_partition *p, struct weir_session_slot *s, uint64_t seq)
{
	uint64_t shift = seq - s->seq_high;
	uint64_t low = s->seq_high >= WINDOW - 1 ? s->seq_high - (WINDOW - 1) : 0;
	uint64_t new_low = seq >= WINDOW - 1 ? seq - (WINDOW - 1) : 0;
	for (uint64_t n = low; n < new_low && n <= s->seq_high; n++)
		if ((s->seq_bits >> (s->seq_high - n) & 1) == 0)
			gaps_add(p, s, n, n);
	if (new_low > s->seq_high + 1)
		gaps_add(p, s, s->seq_high + 1, new_low - 1);
	s->seq_bits = shift >= WINDOW ? 1 : s->seq_bits << shift | 1;
	s->seq_high = seq;
}

/* A number below the window: new only if it lies in a missing range, which it then leaves. */
static enum weir_session_answer
gaps_take(struct weir_partition *p, struct weir_session_slot *s, uint64_t seq)
{
	struct weir_session_gaps *gaps = gaps_of(p, s);
	for (uint32_t i = 0; gaps != NULL && i < gaps->count; i++) {
		uint64_t from = gaps->range[i].from, to = gaps->range[i].to;
		if (seq < from || seq > to)
			continue;
		if (from == to) {
			gaps_drop_at(gaps, i);
		} else if (seq == from) {
			gaps->range[i].from++;
		} else if (seq == to) {
			gaps->range[i].to--;
		} else if (gaps->count < RANGES) {
			memmove(&gaps->range[i + 1], &gaps->range[i], (gaps->count - i) * sizeof(gaps->range[0]));
			gaps->count++;
			gaps->range[i].to = seq - 1;
			gaps->range[i + 1].from = seq + 1;
		} else {
			/* no room to split: keep the upper part, give up the lower */
			gaps->range[i].from = seq + 1;
			s->flags |= WEIR_SESSION_LOST;
			p->stats.gaps_lost++;
		}
		return WEIR_SESSION_COUNT;
	}
	return (s->flags & WEIR_SESSION_LOST) != 0 ? WEIR_SESSION_TOO_LATE : WEIR_SESSION_SEEN;
}

static enum weir_session_answer
sequence(struct weir_partition *p, struct weir_session_slot *s, uint64_t seq, bool fresh)
{
	if (fresh) {
		s->seq_high = seq;
		s->seq_bits = 1;
		if (seq >= WINDOW)
			gaps_add(p, s, 0, seq - WINDOW);
		return WEIR_SESSION_COUNT;
	}
	if (seq > s->seq_high) {
		window_move(p, s, seq);
		return WEIR_SESSION_COUNT;
	}
	uint64_t back = s->seq_high - seq;
	if (back >= WINDOW)
		return gaps_take(p, s, seq);
	if ((s->seq_bits >> back & 1) != 0)
		return WEIR_SESSION_SEEN;
	s->seq_bits |= (uint64_t)1 << back;
	return WEIR_SESSION_COUNT;
}

static enum weir_session_answer
count_totals(struct weir_session_slot *s, const struct weir_record *r, bool fresh, uint64_t *up_out, uint64_t *down_out)
{
	if (!fresh && (r->flags & WEIR_RECORD_START) != 0 && r->end_us > s->last_us)
		s->up_total = s->down_total = 0;
	*up_out = r->up > s->up_total ? r->up - s->up_total : 0;
	*down_out = r->down > s->down_total ? r->down - s->down_total : 0;
	s->up_total += *up_out;
	s->down_total += *down_out;
	return fresh || *up_out + *down_out > 0 || r->end_us > s->last_us ? WEIR_SESSION_COUNT : WEIR_SESSION_STALE;
}

static struct weir_session_slot *
session_new(struct weir_partition *p, uint64_t key, uint32_t card_slot, uint32_t *slot_out)
{
	*slot_out = weir_slab_new(&p->tables.sessions);
	struct weir_session_slot *s = session_at(p, *slot_out);
	s->key = key;
	s->card = card_slot + 1;
	weir_partition_session_index(p, *slot_out);
	return s;
}

enum weir_session_answer
weir_partition_session(struct weir_partition *p, uint32_t card_slot, uint16_t cycle, const struct weir_record *r,
    uint64_t *up_out, uint64_t *down_out, bool *first_in_cycle_out)
{
	uint32_t slot;
	bool fresh = !session_find(p, r->session_hash, &slot);
	bool is_total = (r->flags & WEIR_RECORD_TOTALS) != 0;
	int64_t forgotten_us = p->clock.stream_time_us - (int64_t)p->opts.session_retention_h * WEIR_HOUR_US;
	if (fresh && is_total && r->start_us != 0 && r->start_us < forgotten_us)
		return WEIR_SESSION_TOO_LATE;
	struct weir_session_slot *s = fresh ? session_new(p, r->session_hash, card_slot, &slot) : session_at(p, slot);
	bool by_sequence = (r->flags & WEIR_RECORD_HAS_SEQ) != 0 && r->id_hash == 0;
	enum weir_session_answer answer = by_sequence ? sequence(p, s, r->seq, fresh) : WEIR_SESSION_COUNT;
	if (answer == WEIR_SESSION_COUNT && is_total)
		answer = count_totals(s, r, fresh, up_out, down_out);
	weir_slab_dirty(&p->tables.sessions, slot);
	if (answer != WEIR_SESSION_COUNT)
		return answer;
	*first_in_cycle_out = cycle > s->cycle;
	if (cycle > s->cycle)
		s->cycle = cycle;
	if (r->end_us > s->last_us) {
		s->last_us = r->end_us;
		s->last_s = (uint32_t)(r->end_us / 1000000);
	}
	return answer;
}

static void
session_expire(struct weir_partition *p, uint32_t slot)
{
	struct weir_session_slot *s = session_at(p, slot);
	struct weir_shard *shard = weir_shards_of(&p->tables.session_index, s->key);
	for (uint32_t pos = weir_shard_home(shard, s->key); shard->entries[pos] != 0; pos = weir_shard_next(shard, pos)) {
		if (shard->entries[pos] != weir_index_entry(s->key, slot))
			continue;
		weir_shard_remove_at(shard, pos);
		break;
	}
	if (s->gaps != 0)
		weir_slab_release(&p->tables.sessions, s->gaps - 1);
	weir_slab_release(&p->tables.sessions, slot);
}

void
weir_partition_session_sweep(struct weir_partition *p, uint32_t slots_max)
{
	int64_t keep_s = (int64_t)p->opts.session_retention_h * 3600;
	int64_t oldest_s = p->clock.stream_time_us / 1000000 - keep_s;
	for (uint32_t i = 0; i < slots_max && p->tables.sessions.used > 0; i++) {
		if (p->scans.session_sweep >= p->tables.sessions.used)
			p->scans.session_sweep = 0;
		struct weir_session_slot *s = session_at(p, p->scans.session_sweep);
		if (s->key != 0 && s->card != WEIR_SESSION_GAPS && s->last_s < oldest_s)
			session_expire(p, p->scans.session_sweep);
		p->scans.session_sweep++;
	}
}
