/* What the files of the partition share among themselves; not for other folders. */
#ifndef WEIR_AGGREGATORS_PARTITION_PRIV_H
#define WEIR_AGGREGATORS_PARTITION_PRIV_H

#include "aggregators/partition.h"

static inline struct weir_card_slot *
weir_card_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.cards, slot);
}

static inline struct weir_card_overrides_slot *
weir_card_overrides_of(const struct weir_partition *p, const struct weir_card_slot *card)
{
	return card->overrides == 0 ? NULL : weir_slab_at(&p->tables.overrides, card->overrides - 1);
}

static inline struct weir_lifecycle_slot *
weir_lifecycle_at(const struct weir_partition *p, uint32_t card_slot)
{
	return weir_slab_at(&p->tables.lifecycles, card_slot);
}

static inline struct weir_pool_local_slot *
weir_pool_local_at(const struct weir_partition *p, uint32_t slot)
{
	return weir_slab_at(&p->tables.pool_locals, slot);
}

/* The card's account, or NULL when it is in no pool. */
static inline struct weir_pool_local_slot *
weir_pool_local_of(const struct weir_partition *p, uint32_t card_slot)
{
	uint32_t pool_local = weir_lifecycle_at(p, card_slot)->pool_local;
	return pool_local == 0 ? NULL : weir_pool_local_at(p, pool_local - 1);
}

static inline unsigned
weir_card_status_of(const struct weir_card_slot *card)
{
	return card->flags & WEIR_CARD_STATUS_MASK;
}

/* Does it count as an activated member (POOL-2): in use, suspended or not, and not expired. */
static inline bool
weir_card_is_activated(const struct weir_card_slot *card)
{
	unsigned status = weir_card_status_of(card);
	return (status == WEIR_STATUS_IN_USE || status == WEIR_STATUS_SUSPENDED) && (card->flags & WEIR_CARD_EXPIRED) == 0;
}

/* What is too late, in the future, or in an hour kept whole, by a stream time. A division only where an hour ends. */
static inline void
weir_partition_limits(struct weir_partition *p, int64_t stream_us)
{
	p->clock.too_late_us = stream_us - (int64_t)p->opts.dedupe_horizon_h * WEIR_HOUR_US;
	p->clock.future_us = stream_us + (int64_t)p->opts.future_skew_s * 1000000;
	if (__builtin_expect((uint64_t)(stream_us - p->clock.stream_hour_us) >= (uint64_t)WEIR_HOUR_US, 0)) {
		int64_t hour = stream_us / WEIR_HOUR_US;
		p->clock.stream_hour_us = hour * WEIR_HOUR_US;
		p->tables.dedupe_keys.fresh_from = hour - p->opts.dedupe_fresh_h;
	}
}

/* state.c: all cards are to be evaluated anew, a bounded number a tick. */
void weir_partition_scan_all(struct weir_partition *p);

/* registry.c: numbers of carriers and plans; new ones get the next number. UINT32_MAX when there is no room. */
uint32_t weir_partition_carrier_number(struct weir_partition *p, const char *id);
uint32_t weir_partition_plan_number(struct weir_partition *p, const char *id);
enum weir_class weir_partition_define_carrier(
    struct weir_partition *p, const struct weir_ref_carrier *carrier, struct weir_error *err);
void weir_partition_define_plan(struct weir_partition *p, const struct weir_ref_plan *plan);

/* cards.c */
uint32_t weir_partition_new_card(struct weir_partition *p, struct weir_iccid iccid, uint32_t carrier_number);
/* The card's terms, made when it has none. */
struct weir_card_overrides_slot *weir_partition_card_overrides(struct weir_partition *p, uint32_t slot);
/* The card's enforcement slot, made (active, confirmed) when it has none. */
struct weir_enforcement_slot *weir_partition_enforce(struct weir_partition *p, uint32_t slot);

/* unconfirmed.c: what was loaded is taken, after the checks, which it relies on. */
void weir_unconfirmed_loaded(struct weir_partition *p);
/* The card is new; was a command for it under way when the owner before us died? */
void weir_unconfirmed_card_made_slow(struct weir_partition *p, uint32_t slot);
static inline void
weir_unconfirmed_card_created(struct weir_partition *p, uint32_t slot)
{
	if (__builtin_expect(p->unconfirmed.early.n > 0, 0))
		weir_unconfirmed_card_made_slow(p, slot);
}

/* rollover.c: the number of the cycle of an instant for a carrier; the common case is one comparison. */
int32_t weir_partition_cycle_slow(struct weir_carrier_entry *carrier, int64_t at_us);
static inline int32_t
weir_partition_cycle_of(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us >= carrier->current.start_us && at_us < carrier->current.end_us)
		return carrier->current.number;
	return weir_partition_cycle_slow(carrier, at_us);
}
/* The window of that cycle; valid until the next call. */
static inline const struct weir_window *
weir_partition_cycle_window(struct weir_carrier_entry *carrier, int64_t at_us)
{
	if (at_us >= carrier->current.start_us && at_us < carrier->current.end_us)
		return &carrier->current;
	(void)weir_partition_cycle_slow(carrier, at_us);
	return &carrier->other;
}
/* Ends the card's cycle: its totals go to the past, counting starts anew in `cycle` (CYC-3, CYC-4). */
void weir_card_roll_over(struct weir_partition *p, uint32_t slot, int32_t cycle, const struct weir_cause *cause);

/* evaluate.c: brings reasons, desired state and gate in line with the card's usage and terms (SUS-2). */
void weir_partition_evaluate(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause);
/* LIFE-6: a deactivated or cancelled card takes no command. */
static inline bool
weir_card_may_command(const struct weir_card_slot *card)
{
	return weir_card_status_of(card) < WEIR_STATUS_DEACTIVATED;
}
/*
 * May a command have reached the carrier without an answer that says what came of it? Sent, accepted, or queued again after
 * an attempt: until there is one nobody knows the card's state, whatever was confirmed before.
 */
static inline bool
weir_command_in_motion(const struct weir_enforcement_slot *e)
{
	return e->command == 2 || e->command == 3 || (e->command == 1 && e->attempts > 0);
}
/*
 * Has the dispatcher to know what is desired? Also of a card whose desired state is the one confirmed last: a command in
 * motion may take it out of that, and the last that the dispatcher heard may be that nothing is wanted (LIFE-6, CMD-5).
 */
static inline bool
weir_command_is_due(const struct weir_enforcement_slot *e)
{
	return e->desired != e->confirmed || weir_command_in_motion(e);
}
/* Gives the card's enforcement slot back when it holds nothing more to do or to know. */
void weir_partition_release_idle(struct weir_partition *p, uint32_t slot);
/* Sets and clears reasons that are not derived, then evaluates. */
void weir_partition_change_reasons(
    struct weir_partition *p, uint32_t slot, uint16_t set, uint16_t clear, const struct weir_cause *cause);

/* SUS-4: the card has moved and was evaluated; reasons that it still holds and that are enforced no more are told. */
void weir_partition_alert_moved(
    struct weir_partition *p, uint32_t slot, uint16_t enforced_before, const struct weir_cause *cause);

/* evaluate.c: usage that thresholds are compared with: the cycle's, less exempted test traffic (LIFE-3). */
uint64_t weir_card_metered(const struct weir_partition *p, const struct weir_card_slot *card);
/* The card's thresholds now; UINT64_MAX = none. */
struct weir_thresholds {
	uint64_t plan;  /* single plan's allowance and add-ons */
	uint64_t limit; /* usage limit in force */
	bool limit_held;
};
struct weir_thresholds weir_card_thresholds(const struct weir_partition *p, uint32_t slot);

/* lifecycle.c: LIFE-1 to LIFE-7. Every change of status or expiry goes through here: it keeps accounts, timers and reasons
 * in line. */
/* Before a record's usage is counted: what its card's status makes of it. */
enum weir_lifecycle_answer { WEIR_LIFECYCLE_COUNT, WEIR_LIFECYCLE_EXEMPT /* counted, but by no threshold and no pool */ };
enum weir_lifecycle_answer weir_lifecycle_record_slow(
    struct weir_partition *p, uint32_t slot, const struct weir_record *r, uint64_t bytes, const struct weir_cause *cause);
static inline enum weir_lifecycle_answer
weir_lifecycle_record(
    struct weir_partition *p, uint32_t slot, const struct weir_record *r, uint64_t bytes, const struct weir_cause *cause)
{
	if (__builtin_expect(weir_card_status_of(weir_card_at(p, slot)) <= WEIR_STATUS_INACTIVE, 0))
		return weir_lifecycle_record_slow(p, slot, r, bytes, cause);
	return WEIR_LIFECYCLE_COUNT;
}
/* Does its life let the card (NULL = a new one) take what the message says? POISON for what LIFE-7 forbids. */
enum weir_class weir_lifecycle_admits(
    const struct weir_card_slot *card, const struct weir_ref_card *ref, struct weir_error *err);
/* From reference data that was admitted: status, since, activated, expires as given. Evaluation is the caller's. */
void weir_lifecycle_apply(
    struct weir_partition *p, uint32_t slot, const struct weir_ref_card *ref, const struct weir_cause *cause);
/* The card has got another plan: expiry by activation and the new term. Evaluation is the caller's. */
void weir_lifecycle_plan_changed(struct weir_partition *p, uint32_t slot);
/* The card's plan may have been defined since the card was activated: it then gets its expiry. Likewise. */
void weir_lifecycle_term_known(struct weir_partition *p, uint32_t slot);
/* Activation without traffic, deactivation, cancellation, renewal, network reset; *reply_out: words for the audit. */
enum weir_class weir_lifecycle_request(struct weir_partition *p, uint32_t slot, const struct weir_ref_request *request,
    const struct weir_cause *cause, const char **reply_out, struct weir_error *err);
/* What the card's timer stands for has come. */
void weir_lifecycle_due(struct weir_partition *p, uint32_t slot);

/* timers.c: cards' next events by due_s of their life slots. */
void weir_timers_free(struct weir_partition *p);
/* The card's due_s has changed (or was loaded). */
void weir_timers_touch(struct weir_partition *p, uint32_t slot);
/* Runs at most max events that are due and goes on with the scan; true when more is due. */
bool weir_timers_run(struct weir_partition *p, uint32_t max);

/* device_lock.c: SUS-5. For a record that carries an IMEI. */
void weir_device_record_slow(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause);
static inline void
weir_device_record(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause)
{
	if (imei14 != 0 && __builtin_expect(weir_lifecycle_imei(weir_lifecycle_at(p, slot)) != imei14, 0))
		weir_device_record_slow(p, slot, imei14, cause);
}
/* Reference data says which device it is; 0 = none, the next record binds. Clears device_change if that is another one. */
void weir_device_bind(struct weir_partition *p, uint32_t slot, uint64_t imei14, const struct weir_cause *cause);
enum weir_class weir_device_rebind(struct weir_partition *p, uint32_t slot, const struct weir_cause *cause,
    const char **reply_out, struct weir_error *err);

static inline uint64_t
weir_add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* fold.c: asks for a string; the owner takes the list. */
void weir_partition_request_fetch(struct weir_partition *p, struct weir_fetch_request fetch);
/* The card's totals of a closed cycle, or NULL: they are wished for. Valid until the next call. */
struct weir_closed_cycle_entry *weir_partition_closed_cycle(struct weir_partition *p, uint16_t cycle, uint32_t slot);

/* window_usage.c: windows of cards and accounts as differences (docs/rollups.md). */
/*
 * Is the record in the hour of its card's newest record, and of its account's (+ 1, 0 = none), and can neither have been
 * told? Then no window changes but by the counters. Two comparisons and one an account, on the fold's usual path.
 */
static inline bool
weir_window_unchanged(const struct weir_partition *p, const struct weir_carrier_entry *carrier,
    const struct weir_card_slot *card, uint32_t pool_local, const struct weir_record *r)
{
	uint32_t end_s = (uint32_t)(r->end_us / 1000000);
	return end_s - carrier->hour_s < carrier->hour_len_s && card->last_s - carrier->hour_s < carrier->hour_len_s &&
	       r->end_us >= p->clock.published_edge_us &&
	       (pool_local == 0 || weir_pool_local_at(p, pool_local - 1)->hour == carrier->hour.number);
}
/* Is all in memory that the record may change, or wished for? To be asked before anything is changed. */
bool weir_window_ready(struct weir_partition *p, uint32_t slot, uint32_t pool_local, const struct weir_record *r);
/* The record is about to be counted in its card, whose totals of the record's cycle are `before`. */
void weir_window_count_card(struct weir_partition *p, uint32_t slot, const struct weir_record *r,
    const struct weir_counts *before, const struct weir_counts *more);
/* Likewise in its card's account, by whose cycle it is counted there. */
void weir_window_count_pool_local(struct weir_partition *p, uint32_t pool_local, uint32_t card_slot,
    const struct weir_record *r, int32_t cycle, const struct weir_counts *more);
/* Usage of a window of a card or an account. */
enum weir_window_usage_answer {
	WEIR_WINDOW_USAGE_NONE, /* nothing was counted in it */
	WEIR_WINDOW_USAGE_KNOWN,
	WEIR_WINDOW_USAGE_WAIT, /* wishes say for what */
	WEIR_WINDOW_USAGE_GONE, /* an account holds two cycles, and it is of an older one */
};
enum weir_window_usage_answer weir_window_usage(
    struct weir_partition *p, enum weir_window_kind kind, uint32_t slot, int32_t number, struct weir_counts *usage_out);
/* Loading: which windows may be in Redis. */
void weir_window_baselines_load(struct weir_partition *p);
/* Hour and day of an instant for a carrier, from its caches. Valid until the next call. */
const struct weir_window *weir_carrier_hour(struct weir_carrier_entry *carrier, int64_t at_us);
const struct weir_window *weir_carrier_day(struct weir_carrier_entry *carrier, int64_t at_us);
/* An instant within a window by its number. */
static inline int64_t
weir_hour_instant(int32_t number)
{
	return ((int64_t)number + 1) * WEIR_HOUR_US - 1;
}
struct weir_window weir_carrier_day_by_number(const struct weir_carrier_entry *carrier, int32_t number);
/* Asks for the page of a slot's window, once. */
void weir_partition_request_window(struct weir_partition *p, enum weir_window_kind kind, int32_t number, uint32_t slot);

/* pool_local.c, pool_local_state.c: pools on the cards' side (docs/pools.md). */
uint64_t weir_pool_hash(const char *id);
/* The pool's account, made when there is none. */
uint32_t weir_pool_local_get(struct weir_partition *p, const char *pool);
/* POOL-1: may a card of this carrier and plan (numbers + 1) be a member? POISON with err when the pool's word says no. */
enum weir_class weir_pool_local_admits(
    const struct weir_partition *p, const char *pool, uint8_t carrier, uint16_t plan, struct weir_error *err);
/*
 * Membership, activation or both have changed from what the card's account holds: pool "" = none; the same pool again
 * brings activation alone in line. What the card was counted as is remembered in its flags, so that order does not matter.
 * Evaluation is the caller's.
 */
void weir_pool_local_move(struct weir_partition *p, uint32_t card_slot, const char *pool);
/* The card's being an activated member has changed to `active`. */
void weir_pool_local_activity(struct weir_partition *p, uint32_t card_slot, bool active);
/* Usage of a record that was counted (POOL-3). */
void weir_pool_local_count_slow(struct weir_partition *p, uint32_t pool_local, int32_t cycle, uint64_t up, uint64_t down,
    bool session, int64_t arrived_us);
void weir_pool_local_changed(struct weir_partition *p, uint32_t pool_local, bool urgent);
static inline void
weir_pool_local_count(struct weir_partition *p, uint32_t pool_local, int32_t cycle, uint64_t up, uint64_t down,
    bool session, int64_t arrived_us)
{
	struct weir_pool_local_slot *a = weir_pool_local_at(p, pool_local);
	if (__builtin_expect(cycle != a->cycle, 0)) {
		weir_pool_local_count_slow(p, pool_local, cycle, up, down, session, arrived_us);
		return;
	}
	a->up = weir_add_saturating(a->up, up);
	a->down = weir_add_saturating(a->down, down);
	a->records++;
	a->sessions += session;
	a->crossed_us = arrived_us;
	weir_slab_dirty(&p->tables.pool_locals, pool_local);
	bool urgent = weir_add_saturating(a->up, a->down) - a->published_used >= a->unreported_allowance ||
		      a->published_cycle != cycle;
	if (__builtin_expect(
		(a->flags & WEIR_POOL_LOCAL_QUEUED) == 0 || (urgent && (a->flags & WEIR_POOL_LOCAL_URGENT) == 0), 0))
		weir_pool_local_changed(p, pool_local, urgent);
}
/* Reasons that the card's pool gives it now; what was met and by whose record is in its account: cut_limit, cut_used,
 * cut_us. */
uint16_t weir_pool_local_reasons(const struct weir_partition *p, uint32_t card_slot);
enum weir_class weir_pool_local_apply_state(
    struct weir_partition *p, const struct weir_ref_pool_state *pool_state, struct weir_error *err);
/* Looks at most at max members of accounts whose word has changed; true when more are due. */
bool weir_pool_locals_scan(struct weir_partition *p, uint32_t max);
/* Partials that are due. all: of every account that has ever told, changed or not (the stage has just settled). */
void weir_pool_locals_publish(struct weir_partition *p, bool all);
/* Loading: index, lists of members checked, walks begun again. False when slots contradict each other. */
bool weir_pool_locals_load(struct weir_partition *p);

/* pools.c, pool_….c: pools on their own side. */
enum weir_class weir_pool_define(struct weir_partition *p, const struct weir_ref_pool *ref, struct weir_error *err);
enum weir_class weir_pool_request(struct weir_partition *p, const struct weir_ref_request *request,
    const struct weir_cause *cause, struct weir_error *err);
/* A plan (by number) was defined anew: pools of it are judged anew. */
void weir_pools_plan_changed(struct weir_partition *p, uint32_t plan_number);
/* The pool stage has settled: every pool goes by the clock from now, and tells its word. */
void weir_pools_caught_up(struct weir_partition *p);
/* Boundaries, arrears and retention by the clock; bounded; true when more is due. */
bool weir_pools_tick(struct weir_partition *p, uint32_t max);
void weir_pools_publish(struct weir_partition *p);
bool weir_pools_load(struct weir_partition *p);

/* smart_cards.c: POOL-8. */
enum weir_class weir_smart_parent(
    struct weir_partition *p, uint32_t slot, struct weir_iccid parent, struct weir_error *err);
enum weir_class weir_smart_child(struct weir_partition *p, const struct weir_ref_child *child, struct weir_error *err);
/* Loading: takes a `children` line of the reference data; false when it is none. */
bool weir_smart_load(struct weir_partition *p, struct weir_slice json);
void weir_smart_free(struct weir_partition *p);
/* A card was made: its sub-cards may have been told before it. */
void weir_smart_card_made(struct weir_partition *p, struct weir_iccid iccid);

/* ladders.c: ALR-1, ALR-2. */
/* The ladder's number, given when new; 0 = "default". A name of kind `l` (docs/formats.md). UINT32_MAX: no room. */
uint32_t weir_ladder_number(struct weir_partition *p, const char *id);
/* Loading: the next ladder's name, in order; false when there is no room. */
bool weir_ladder_load_name(struct weir_partition *p, const char *id);
void weir_ladder_define(struct weir_partition *p, const struct weir_ref_alerts *ref);
/* The same, of one that cards and pools may have climbed by now: levels that stay have been told as they were. */
void weir_ladder_redefine(struct weir_partition *p, const struct weir_ref_alerts *ref);
/* The ladder that the card is on (number + 1, 0 = default), and a change of it from `before`. */
uint16_t weir_card_ladder(const struct weir_partition *p, uint32_t slot);
void weir_ladder_moved(struct weir_partition *p, uint32_t slot, uint16_t before);
/*
 * Which levels `used` has reached, a bit each (for a step: how many steps), where percent is of `base` (0 = only byte
 * levels hold), and the usage at which the next one is due (UINT64_MAX = none).
 */
uint16_t weir_ladder_reached(
    const struct weir_partition *p, uint16_t ladder_plus_1, uint64_t base, uint64_t used, uint64_t *next_out);
/* One alert for all levels that `used` reaches and *reached_io does not hold yet, told under `key` (the card's ICCID or the
 * pool's id; scope "card" or "pool"); true when there was one. */
bool weir_ladder_alert(struct weir_partition *p, const char *scope, const char *key, uint16_t ladder_plus_1, uint64_t base,
    uint64_t used, int32_t cycle, uint16_t *reached_io, const struct weir_cause *cause);

/* effects.c: what goes to Kafka. fmt makes the value. */
void weir_outbox_add(struct weir_partition *p, enum weir_outbox_topic topic, uint32_t partition, const char *key,
    const void *value, uint32_t len);
void weir_partition_alert(struct weir_partition *p, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* An id as it stands in JSON: backslashes escaped; an id holds nothing else that needs it. */
#define WEIR_JSON_ID_MAX (2 * WEIR_ID_MAX)
void weir_json_id(const char *id, char out[WEIR_JSON_ID_MAX]);

/* guard.c: CMD-5. */
void weir_guard_suspend(struct weir_partition *p); /* a suspend was decided */
void weir_guard_release(struct weir_partition *p);
/* Loading: takes the guard's line of the reference data (`guard:`); false when it is none. */
bool weir_guard_load(struct weir_partition *p, struct weir_slice json);

/* requests.c: an operator's or upstream's request on a card (SUS-1, SUS-2, SUS-5, SUS-6, LIFE). */
enum weir_class weir_partition_request(
    struct weir_partition *p, const struct weir_ref_request *request, struct weir_cause cause, struct weir_error *err);
/* The card's own usage limit, WEIR_NO_LIMIT = none. Evaluation is the caller's. */
void weir_partition_set_limit(
    struct weir_partition *p, uint32_t slot, uint64_t limit, bool has_auto_restore, bool auto_restore);

/* apply.c: keeps a reference's JSON in the partition's hash under "kind:id". */
void weir_partition_remember(struct weir_partition *p, const char *kind, const char *id, struct weir_slice json);

/* sessions.c: REC-2 and sequence dedupe. */
enum weir_session_answer { WEIR_SESSION_COUNT, WEIR_SESSION_SEEN, WEIR_SESSION_STALE, WEIR_SESSION_TOO_LATE };
enum weir_session_answer weir_partition_session(struct weir_partition *p, uint32_t card_slot, uint16_t cycle,
    const struct weir_record *r, uint64_t *up_out, uint64_t *down_out, bool *first_in_cycle_out);
void weir_partition_session_sweep(struct weir_partition *p, uint32_t slots_max);
void weir_partition_session_index(struct weir_partition *p, uint32_t slot);

struct weir_audit *weir_partition_add_audit(
    struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_cause *cause);
void weir_partition_reject(struct weir_partition *p, const struct weir_record *record, enum weir_reject reject);

#endif
