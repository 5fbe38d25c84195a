/*
 * The fold: decoded records into counters (REC-2 to REC-7), the record path's centre.
 *
 * Records come in blocks. Three passes over a block keep many cache misses in flight at once: hash and prefetch the index
 * and the dedupe key's place; look up the card and prefetch its line; fold. Deciding what a record is needs, in this order:
 * its time against stream time, its card, the closed cycle's totals if it is late for a closed cycle, its identity.
 * Everything that may be missing in memory (an old hour's dedupe keys, closed cycles' totals) is checked before anything is
 * changed, so that a parked record can simply be folded again.
 */
#include "aggregators/fold/fold.h"

#include "aggregators/enforcement/device_lock.h"
#include "aggregators/enforcement/rollover.h"
#include "aggregators/fold/park.h"
#include "aggregators/fold/sessions.h"
#include "aggregators/lifecycle/card_register.h"
#include "aggregators/lifecycle/lifecycle.h"
#include "aggregators/pools/pool_local.h"
#include "aggregators/rollups/feed_cards.h"
#include "aggregators/rollups/feed_pools.h"
#include "aggregators/rollups/restated.h"
#include "aggregators/rollups/window_usage.h"
#include "aggregators/state/carrier_windows.h"

#define BLOCK 64u
#define NO_SLOT UINT32_MAX

/* Stream time moves with each record, so that a replay evaluates each as the first run did, wherever batches end. */
static inline void
advance_stream(struct weir_partition *p, int64_t arrived_us)
{
	if (arrived_us <= p->clock.stream_time_us || p->clock.stream_time_us >= p->clock.now_us)
		return;
	int64_t to = arrived_us < p->clock.now_us ? arrived_us : p->clock.now_us;
	if (__builtin_expect(p->clock.stream_time_us == 0, 0))
		weir_feeds_begin(p, to);
	p->clock.stream_time_us = to;
	weir_clock_limits(&p->clock, &p->opts, &p->tables.dedupe_keys, to);
}

/* The old hour's bucket, or NULL when it must be fetched first. */
static struct weir_dedupe_keys_bucket *
bucket_ready(struct weir_partition *p, int64_t hour, uint64_t hash)
{
	bool created;
	uint32_t number = (uint32_t)(hash & (WEIR_SHARDS - 1));
	struct weir_dedupe_keys_bucket *bucket =
	    weir_dedupe_keys_bucket_get(&p->tables.dedupe_keys, hour, number, &created);
	if (created)
		weir_partition_request_fetch(
		    p, (struct weir_fetch_request){.kind = WEIR_FETCH_DEDUPE_KEYS, .number = hour, .place = number});
	return bucket->loaded ? bucket : NULL;
}

/* A record that is being counted. */
struct counting {
	const struct weir_record *record;
	struct weir_counts more; /* what it adds */
	uint32_t pool_local;     /* of its card, + 1; 0 = none */
	int32_t cycle;           /* that it belongs to */
	bool unchanged;          /* windows change by the counters alone (weir_window_unchanged) */
};

/* What a record is to its card's lifecycle, lock and pool; true when thresholds and pool count it (LIFE-3). */
static inline bool
count_for_lifecycle(struct weir_partition *p, uint32_t slot, const struct counting *c, const struct weir_cause *cause)
{
	const struct weir_record *r = c->record;
	bool exempt = weir_lifecycle_record(p, slot, r, c->more.up + c->more.down, cause) == WEIR_LIFECYCLE_EXEMPT;
	weir_device_record(p, slot, r->imei14, cause);
	if (c->pool_local == 0 || exempt)
		return !exempt;
	if (__builtin_expect(!c->unchanged, 0))
		weir_window_count_pool_local(p, c->pool_local - 1, slot, r, c->cycle, &c->more);
	weir_pool_local_count(
	    p, c->pool_local - 1, c->cycle, c->more.up, c->more.down, c->more.sessions != 0, r->arrived_us);
	return true;
}

/* LIFE-3: counted, but to be compared with no threshold. */
static void
exempt_in_card(struct weir_partition *p, uint32_t slot, uint64_t bytes)
{
	struct weir_card_overrides_slot *overrides = weir_partition_card_overrides(p, slot);
	uint16_t cycle = weir_card_at(p, slot)->cycle;
	if (overrides->exempt_cycle != cycle) {
		overrides->exempt_cycle = cycle;
		overrides->exempt_bytes = 0;
	}
	if (__builtin_add_overflow(overrides->exempt_bytes, bytes, &overrides->exempt_bytes))
		overrides->exempt_bytes = UINT64_MAX;
}

/* Another window than its card's newest record was in: its baseline, or later windows' (ROL-1). */
static void
note_baselines(struct weir_partition *p, uint32_t slot, const struct weir_card_slot *card, const struct counting *c)
{
	struct weir_counts before = {card->up, card->down, card->records, card->sessions};
	weir_window_count_card(p, slot, c->record, &before, &c->more);
}

static inline void
count_in_card(struct weir_partition *p, uint32_t slot, struct weir_card_slot *card, const struct counting *c, bool metered)
{
	const struct weir_record *r = c->record;
	uint64_t before = weir_card_used(card), up = c->more.up, down = c->more.down;
	if (__builtin_expect(!c->unchanged, 0))
		note_baselines(p, slot, card, c);
	if (__builtin_add_overflow(card->up, up, &card->up))
		card->up = UINT64_MAX;
	if (__builtin_add_overflow(card->down, down, &card->down))
		card->down = UINT64_MAX;
	card->records++;
	card->sessions += c->more.sessions;
	uint32_t end_s = (uint32_t)(r->end_us / 1000000);
	if (end_s > card->last_s)
		card->last_s = end_s;
	weir_slab_dirty(&p->tables.cards, slot);
	if (__builtin_expect(!metered, 0))
		exempt_in_card(p, slot, up + down);
	if (__builtin_expect(weir_card_used(card) >= card->next_threshold || !metered, 0)) {
		struct weir_cause cause = {r->input, r->offset, r->end_us, r->arrived_us, before};
		weir_partition_evaluate(p, slot, &cause);
	}
}

/* A closed cycle: restated as a closed cycle, and in its windows (REC-6). */
static void
count_in_closed_cycle(
    struct weir_partition *p, uint32_t slot, struct weir_closed_cycle_entry *entry, const struct counting *c)
{
	struct weir_closed_cycle_slot *value = &entry->value;
	struct weir_counts before = {value->up, value->down, value->records, value->sessions};
	weir_window_count_card(p, slot, c->record, &before, &c->more);
	value->up += c->more.up;
	value->down += c->more.down;
	value->records++;
	value->sessions += c->more.sessions;
	weir_closed_cycles_mark_dirty(&p->tables.closed_cycles, entry);
	struct weir_card_slot *card = weir_card_at(p, slot);
	uint32_t end_s = (uint32_t)(c->record->end_us / 1000000);
	if (end_s > card->last_s) {
		card->last_s = end_s;
		weir_slab_dirty(&p->tables.cards, slot);
	}
}

/* Is it new? Then it is remembered as seen. Everything needed is in memory by now. */
static inline bool
identity_is_new(struct weir_partition *p, const struct weir_record *r, struct weir_dedupe_keys_hour *hour,
    struct weir_dedupe_keys_bucket *bucket)
{
	if (r->id_hash == 0)
		return true;
	bool fresh = hour != NULL ? weir_dedupe_keys_hour_add(&p->tables.dedupe_keys, hour, r->id_hash)
				  : weir_dedupe_keys_bucket_add(&p->tables.dedupe_keys, bucket, r->id_hash);
	p->stats.duplicates += !fresh;
	return fresh;
}

static bool
session_says_count(struct weir_partition *p, uint32_t slot, int32_t cycle, const struct weir_record *r, uint64_t *up_io,
    uint64_t *down_io, bool *session_out)
{
	switch (weir_partition_session(p, slot, (uint16_t)cycle, r, up_io, down_io, session_out)) {
	case WEIR_SESSION_COUNT:
		return true;
	case WEIR_SESSION_SEEN:
		p->stats.duplicates++;
		return false;
	case WEIR_SESSION_STALE:
		p->stats.stale++;
		return false;
	case WEIR_SESSION_TOO_LATE:
		weir_partition_reject(p, r, WEIR_REJECT_TOO_LATE);
		return false;
	}
	return false;
}

/* Is all of the windows in memory that the record may change, or that its pool local is about to forget? Else asked for. */
static bool
windows_are_ready(struct weir_partition *p, uint32_t slot, const struct counting *c)
{
	bool ready = weir_window_ready(p, slot, c->pool_local, c->record);
	return (c->pool_local == 0 || weir_feeds_keep_cycles(p, c->pool_local - 1, c->cycle)) && ready;
}

static void
fold_card(struct weir_partition *p, uint32_t slot, const struct weir_record *r)
{
	if (__builtin_expect(p->parked.records.n > 0, 0) && weir_park_must_wait(p, slot, r)) {
		weir_park(p, slot, r);
		return;
	}
	struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_carrier_entry *carrier = &p->registry.carriers[card->carrier - 1];
	struct weir_cause cause = {r->input, r->offset, r->end_us, r->arrived_us, weir_card_used(card)};
	if (__builtin_expect(card->cycle < carrier->current.number, 0))
		weir_card_roll_over(p, slot, carrier->current.number, &cause);
	int32_t cycle = weir_partition_cycle_of(carrier, r->end_us);

	struct weir_closed_cycle_entry *closed_cycles = NULL;
	bool closed = cycle < card->cycle;
	if (__builtin_expect(closed, 0))
		closed_cycles = weir_partition_closed_cycle(p, (uint16_t)cycle, slot);
	struct weir_dedupe_keys_hour *hour = NULL;
	struct weir_dedupe_keys_bucket *bucket = NULL;
	if (r->id_hash != 0) {
		hour = weir_dedupe_keys_hour_find(&p->tables.dedupe_keys, r->end_us / WEIR_HOUR_US);
		if (__builtin_expect(hour == NULL, 0))
			bucket = bucket_ready(p, r->end_us / WEIR_HOUR_US, r->id_hash);
	}
	struct counting c = {.record = r, .cycle = cycle};
	c.pool_local = p->tables.pool_locals.used == 0 ? 0 : weir_lifecycle_at(p, slot)->pool_local;
	c.unchanged = weir_window_unchanged(p, carrier, card, c.pool_local, r);
	bool baselines = c.unchanged || windows_are_ready(p, slot, &c);
	bool identity = r->id_hash == 0 || hour != NULL || bucket != NULL;
	if (__builtin_expect((closed && closed_cycles == NULL) || !baselines || !identity, 0)) {
		weir_park(p, slot, r);
		return;
	}

	if (!identity_is_new(p, r, hour, bucket))
		return;
	uint64_t up = r->up, down = r->down;
	bool session = (r->flags & WEIR_RECORD_START) != 0;
	bool by_session = r->session_hash != 0 && weir_record_needs_session(r);
	if (by_session && !session_says_count(p, slot, cycle, r, &up, &down, &session))
		return;
	p->stats.counted++;
	p->stats.bytes_up += up;
	p->stats.bytes_down += down;
	c.more = (struct weir_counts){up, down, 1, session};
	if (closed) {
		p->stats.late++;
		count_in_closed_cycle(p, slot, closed_cycles, &c);
		(void)count_for_lifecycle(p, slot, &c, &cause);
		return;
	}
	if (__builtin_expect(cycle > card->cycle, 0))
		weir_card_roll_over(p, slot, cycle, &cause);
	bool metered = count_for_lifecycle(p, slot, &c, &cause);
	count_in_card(p, slot, card, &c, metered);
}

/* An unknown card registers itself when the settings say so (REC-7). */
static uint32_t
unknown_card(struct weir_partition *p, const struct weir_record *r)
{
	uint32_t slot;
	if (weir_partition_find(p, r->iccid, &slot) != NULL)
		return slot; /* made earlier in this block */
	uint32_t carrier = UINT32_MAX;
	if (p->opts.auto_register)
		carrier = weir_partition_carrier_number(p, p->opts.auto_register_carrier);
	if (carrier == UINT32_MAX)
		return NO_SLOT;
	slot = weir_card_register(p, r->iccid, carrier);
	weir_card_at(p, slot)->flags |= WEIR_CARD_AUTO_REGISTERED;
	return slot;
}

static inline void
fold_one(struct weir_partition *p, const struct weir_record *r, uint32_t slot)
{
	advance_stream(p, r->arrived_us);
	if (__builtin_expect(r->reject != WEIR_REJECT_NONE, 0)) {
		weir_partition_reject(p, r, (enum weir_reject)r->reject);
		return;
	}
	if (__builtin_expect(r->end_us > p->clock.future_us, 0)) {
		weir_partition_reject(p, r, WEIR_REJECT_FUTURE);
		return;
	}
	if (__builtin_expect(r->end_us < p->clock.too_late_us, 0)) {
		weir_partition_reject(p, r, WEIR_REJECT_TOO_LATE);
		return;
	}
	if (__builtin_expect(slot == NO_SLOT, 0))
		slot = unknown_card(p, r);
	if (__builtin_expect(slot == NO_SLOT, 0)) {
		weir_partition_reject(p, r, WEIR_REJECT_UNKNOWN_CARD);
		return;
	}
	fold_card(p, slot, r);
}

/* Where the record's dedupe key or session will be looked for; an hour not held yet has nothing to fetch. */
static inline void
prefetch_identity(struct weir_partition *p, const struct weir_record *r)
{
	if (r->id_hash == 0) {
		weir_shard_prefetch(weir_shards_of(&p->tables.session_index, r->session_hash), r->session_hash);
		return;
	}
	int64_t number = r->end_us / WEIR_HOUR_US;
	for (uint32_t i = 0; i < p->tables.dedupe_keys.hour_count; i++)
		if (p->tables.dedupe_keys.hours[i]->hour == number)
			weir_shard_prefetch(
			    weir_shards_of(&p->tables.dedupe_keys.hours[i]->shards, r->id_hash), r->id_hash);
}

/* The session's slot itself, once its index entry is in cache. */
static inline void
prefetch_session(struct weir_partition *p, const struct weir_record *r)
{
	if (__builtin_expect(r->id_hash != 0, 1))
		return;
	struct weir_shard *shard = weir_shards_of(&p->tables.session_index, r->session_hash);
	uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, r->session_hash), slot;
	if (weir_index_candidate(shard, r->session_hash, &pos, &slot))
		__builtin_prefetch(weir_slab_at(&p->tables.sessions, slot), 1, 3);
}

/*
 * A record's pool local, once its card's lifecycle is in cache, or NULL. The prefetches stand in fold_block itself: gcc 12
 * takes a function that does nothing but prefetch for one without effect and drops the call.
 */
static inline const struct weir_pool_local_slot *
pool_local_of(const struct weir_partition *p, uint32_t slot)
{
	uint32_t pool_local =
	    slot == NO_SLOT || p->tables.pool_locals.used == 0 ? 0 : weir_lifecycle_at(p, slot)->pool_local;
	return pool_local == 0 ? NULL : weir_pool_local_at(p, pool_local - 1);
}

/* Where a baseline will go, for a card whose newest record is of another hour than the one that is going on; or NULL. */
static inline const struct weir_window_page *
base_page(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_carrier_entry *carrier = &p->registry.carriers[card->carrier - 1];
	if (__builtin_expect(card->last_s - carrier->hour_s < carrier->hour_len_s, 1))
		return NULL;
	return weir_windows_page(&p->tables.windows[WEIR_WINDOW_CARD_HOUR], carrier->hour.number, slot / WEIR_WINDOW_SLOTS);
}

static void
fold_block(struct weir_partition *p, const struct weir_record *records, uint32_t count)
{
	WEIR_CHECK(count > 0 && count <= BLOCK);
	uint64_t hash[BLOCK];
	uint32_t slot[BLOCK];
	p->tables.dedupe_keys.stream_us = p->clock.stream_time_us;
	for (uint32_t i = 0; i < count; i++) {
		hash[i] = weir_iccid_hash(records[i].iccid);
		weir_shard_prefetch(weir_shards_of(&p->tables.card_index, hash[i]), hash[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_record *r = &records[i];
		struct weir_shard *shard = weir_shards_of(&p->tables.card_index, hash[i]);
		uint32_t pos = shard->cap == 0 ? 0 : weir_shard_home(shard, hash[i]);
		if (!weir_index_candidate(shard, hash[i], &pos, &slot[i]))
			slot[i] = NO_SLOT;
		else {
			__builtin_prefetch(weir_card_at(p, slot[i]), 1, 3);
			/* Looked at for the pool local and the device: without pools and IMEIs it stays where it is. */
			if (p->tables.pool_locals.used != 0 || r->imei14 != 0)
				__builtin_prefetch(weir_lifecycle_at(p, slot[i]), 0, 3);
		}
		prefetch_identity(p, r);
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct weir_window_page *baselines = slot[i] == NO_SLOT ? NULL : base_page(p, slot[i]);
		if (baselines != NULL) {
			__builtin_prefetch(baselines->present, 1, 3);
			__builtin_prefetch(&baselines->counts[slot[i] % WEIR_WINDOW_SLOTS], 1, 3);
		}
		prefetch_session(p, &records[i]);
		const struct weir_pool_local_slot *pool_local = pool_local_of(p, slot[i]);
		if (pool_local != NULL)
			__builtin_prefetch(&pool_local->up, 1, 3);
	}
	for (uint32_t i = 0; i < count; i++) {
		/* A candidate matched 32 bits of the hash; the card's line, by now in cache, says whether it is the card.
		 */
		if (slot[i] != NO_SLOT && !weir_iccid_equal(weir_card_at(p, slot[i])->iccid, records[i].iccid) &&
		    weir_partition_find(p, records[i].iccid, &slot[i]) == NULL)
			slot[i] = NO_SLOT;
		fold_one(p, &records[i], slot[i]);
	}
}

void
weir_partition_fold(struct weir_partition *p, const struct weir_record *records, uint32_t count)
{
	WEIR_CHECK_MAGIC(p, WEIR_PARTITION_MAGIC);
	p->stats.records += count;
	for (uint32_t at = 0; at < count; at += BLOCK)
		fold_block(p, records + at, count - at < BLOCK ? count - at : BLOCK);
}

void
weir_partition_unpark(struct weir_partition *p)
{
	weir_feeds_unpark(p);
	struct weir_records parked = weir_park_take(p);
	for (uint32_t i = 0; i < parked.n; i++) {
		uint32_t slot;
		if (weir_partition_find(p, parked.v[i].iccid, &slot) != NULL)
			fold_card(p, slot, &parked.v[i]);
	}
	if (p->parked.records.v == NULL) {
		parked.n = 0;
		p->parked.records = parked;
	} else {
		weir_records_free(&parked);
	}
}
