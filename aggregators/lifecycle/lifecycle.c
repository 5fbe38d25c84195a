/*
 * A card's lifecycle (LIFE-1 to LIFE-7, SUS-6): status, dates, and what ends them; docs/lifecycle.md is the design.
 *
 * Status lies in the card's flags, dates and the next event in its lifecycle slot. Everything that changes one of them goes
 * through here and ends in weir_lifecycle_changed, which brings the flag "expired", the card's timer and its pool local's
 * number of activated members in line, so that no caller can forget one of them. Reasons follow by the evaluator, which
 * derives plan_expired from the flag and reset from the overrides.
 *
 * Times: a record acts at its end time, a message at its Kafka time, a timer at the instant for which it was set, not at
 * the one at which it was run. So a lane that was away for a week ends with the dates of one that was not.
 */
#include "aggregators/lifecycle/lifecycle.h"

#include "aggregators/enforcement/rollover.h"
#include "aggregators/lifecycle/timers.h"
#include "aggregators/pools/pool_local.h"

static struct weir_carrier_entry *
carrier_of(const struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(weir_card_at(p, slot)->carrier > 0);
	return &p->registry.carriers[weir_card_at(p, slot)->carrier - 1];
}

uint32_t
weir_lifecycle_seconds(int64_t at_us)
{
	int64_t at_s = at_us / WEIR_LIFECYCLE_S_US;
	return at_s < 1 ? 1 : at_s >= WEIR_LIFECYCLE_NEVER ? WEIR_LIFECYCLE_NEVER - 1 : (uint32_t)at_s;
}

uint32_t
weir_lifecycle_now(const struct weir_partition *p)
{
	return weir_lifecycle_seconds(p->clock.now_us);
}

int64_t
weir_lifecycle_cause_us(const struct weir_partition *p, const struct weir_cause *cause)
{
	return cause->arrived_us != 0 ? cause->arrived_us : p->clock.now_us;
}

uint32_t
weir_lifecycle_add_months(const struct weir_partition *p, uint32_t slot, uint32_t from_s, uint32_t months)
{
	return weir_lifecycle_seconds(
	    weir_zone_add_months(carrier_of(p, slot)->zone, from_s * WEIR_LIFECYCLE_S_US, months));
}

bool
weir_lifecycle_has_dates(const struct weir_card_slot *card)
{
	return weir_card_status_of(card) > WEIR_STATUS_INACTIVE;
}

/* ---- what is due next ---- */

/* The status's own deadline: due_s, unless a network reset hides it. */
static uint32_t
deadline(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, weir_card_at(p, slot));
	return overrides != NULL && overrides->reset_s != 0 ? overrides->status_due_s : weir_lifecycle_at(p, slot)->due_s;
}

static void
set_deadline(struct weir_partition *p, uint32_t slot, uint32_t due_s)
{
	struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	if (overrides != NULL && overrides->reset_s != 0) {
		overrides->status_due_s = due_s;
		weir_slab_dirty(&p->tables.overrides, card->overrides - 1);
		if (due_s == 0 || overrides->reset_s < due_s)
			due_s = overrides->reset_s;
	}
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	if (lifecycle->due_s == due_s)
		return;
	lifecycle->due_s = due_s;
	weir_slab_dirty(&p->tables.lifecycles, slot);
	weir_timers_touch(p, slot);
}

void
weir_lifecycle_set_reset(struct weir_partition *p, uint32_t slot, uint32_t end_s)
{
	struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, weir_card_at(p, slot));
	if (end_s == 0 && (overrides == NULL || overrides->reset_s == 0))
		return;
	uint32_t due_s = deadline(p, slot);
	overrides = weir_partition_card_overrides(p, slot);
	overrides->reset_s = end_s;
	overrides->status_due_s = 0;
	set_deadline(p, slot, due_s);
}

/* When a status that began at since_us ends by itself, 0 = never; for those in use expiry says it. */
static uint32_t
deadline_of(const struct weir_partition *p, uint32_t slot, unsigned status, int64_t since_us)
{
	const struct weir_carrier_entry *carrier = carrier_of(p, slot);
	uint32_t since_s = weir_lifecycle_seconds(since_us);
	switch (status) {
	case WEIR_STATUS_TESTABLE:
		return carrier->ref.test_months == 0
			   ? 0
			   : weir_lifecycle_add_months(p, slot, since_s, carrier->ref.test_months);
	case WEIR_STATUS_INACTIVE:
		if (carrier->ref.silent_months == 0)
			return 0;
		int64_t end_us =
		    weir_lifecycle_add_months(p, slot, since_s, carrier->ref.silent_months) * WEIR_LIFECYCLE_S_US;
		return weir_lifecycle_seconds(weir_zone_month_start_after(carrier->zone, end_us));
	case WEIR_STATUS_DEACTIVATED:
		return carrier->ref.cancel_months == 0
			   ? 0
			   : weir_lifecycle_add_months(p, slot, since_s, carrier->ref.cancel_months);
	default:
		return 0;
	}
}

void
weir_lifecycle_changed(struct weir_partition *p, uint32_t slot, bool was_active)
{
	WEIR_CHECK(p->tables.lifecycles.used == p->tables.cards.used);
	struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	unsigned status = weir_card_status_of(card);
	bool ends =
	    weir_lifecycle_has_dates(card) && lifecycle->expires_s != 0 && lifecycle->expires_s != WEIR_LIFECYCLE_NEVER;
	bool expired = ends && lifecycle->expires_s <= weir_lifecycle_now(p);
	bool was_expired = (card->flags & WEIR_CARD_EXPIRED) != 0;
	if (expired != was_expired) {
		card->flags ^= WEIR_CARD_EXPIRED;
		weir_slab_dirty(&p->tables.cards, slot);
		p->stats.expiries += expired;
	}
	if (status == WEIR_STATUS_IN_USE || status == WEIR_STATUS_SUSPENDED)
		set_deadline(p, slot, ends && !expired ? lifecycle->expires_s : 0);
	bool active = weir_card_is_activated(card);
	if (active != was_active && lifecycle->pool_local != 0)
		weir_pool_local_activity(p, slot, active);
}

/* ---- changes of status ---- */

static void
expire_by_term(struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	uint32_t months = card->plan == 0 ? 0 : p->registry.plans[card->plan - 1].ref.term_months;
	lifecycle->expires_s = months == 0 || lifecycle->activated_s == 0
				   ? 0
				   : weir_lifecycle_add_months(p, slot, lifecycle->activated_s, months);
	weir_slab_dirty(&p->tables.lifecycles, slot);
}

static bool
is_renewed(const struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, weir_card_at(p, slot));
	return overrides != NULL && (overrides->flags & WEIR_OVERRIDES_RENEWED) != 0;
}

void
weir_lifecycle_set_renewed(struct weir_partition *p, uint32_t slot, bool renewed)
{
	if (is_renewed(p, slot) != renewed)
		weir_partition_card_overrides(p, slot)->flags ^= WEIR_OVERRIDES_RENEWED;
}

static void
activated_at(struct weir_partition *p, uint32_t slot, int64_t at_us)
{
	weir_lifecycle_at(p, slot)->activated_s = at_us == 0 ? 0 : weir_lifecycle_seconds(at_us);
	weir_lifecycle_set_renewed(p, slot, false);
	expire_by_term(p, slot);
}

/* Commands cease or begin (LIFE-6): what waits is withdrawn, or what was left undone is done, by the same desired state. */
static void
enqueue_anew(struct weir_partition *p, uint32_t slot, bool ceases)
{
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	if (e != NULL && (ceases || weir_command_is_due(e)))
		weir_u64_list_push(&p->effects.pending_commands, slot);
}

void
weir_lifecycle_enter(struct weir_partition *p, uint32_t slot, unsigned status, int64_t since_us)
{
	WEIR_CHECK(slot < p->tables.cards.used && status <= WEIR_STATUS_CANCELLED);
	struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	unsigned before = weir_card_status_of(card);
	if (!weir_lifecycle_has_dates(card) || status <= WEIR_STATUS_INACTIVE)
		lifecycle->test_used = 0; /* and the dates, which lie there */
	card->flags = (uint8_t)((card->flags & ~WEIR_CARD_STATUS_MASK) | status);
	weir_slab_dirty(&p->tables.cards, slot);
	weir_slab_dirty(&p->tables.lifecycles, slot);
	if (status == WEIR_STATUS_DEACTIVATED || status == WEIR_STATUS_CANCELLED)
		weir_lifecycle_set_reset(p, slot, 0); /* LIFE-6: no command, so nothing to bring back */
	if ((before >= WEIR_STATUS_DEACTIVATED) != (status >= WEIR_STATUS_DEACTIVATED))
		enqueue_anew(p, slot, status >= WEIR_STATUS_DEACTIVATED);
	/* A suspended card was activated before, if nobody knows when. */
	if (status == WEIR_STATUS_IN_USE && before != WEIR_STATUS_SUSPENDED && lifecycle->activated_s == 0) {
		activated_at(p, slot, since_us);
		p->stats.activations++;
	}
	set_deadline(p, slot, deadline_of(p, slot, status, since_us));
}

/* LIFE-3, LIFE-4: what comes after the test. */
static void
end_test(struct weir_partition *p, uint32_t slot, int64_t at_us)
{
	weir_lifecycle_enter(
	    p, slot, carrier_of(p, slot)->ref.silent_months == 0 ? WEIR_STATUS_IN_USE : WEIR_STATUS_INACTIVE, at_us);
}

enum weir_lifecycle_answer
weir_lifecycle_record_slow(
    struct weir_partition *p, uint32_t slot, const struct weir_record *r, uint64_t bytes, const struct weir_cause *cause)
{
	WEIR_CHECK(weir_card_status_of(weir_card_at(p, slot)) <= WEIR_STATUS_INACTIVE);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	if (weir_card_status_of(weir_card_at(p, slot)) == WEIR_STATUS_INACTIVE) { /* LIFE-2 */
		weir_lifecycle_enter(p, slot, WEIR_STATUS_IN_USE, r->end_us);
		weir_lifecycle_changed(p, slot, false);
		weir_partition_evaluate(p, slot, cause);
		return WEIR_LIFECYCLE_COUNT;
	}
	if (__builtin_add_overflow(lifecycle->test_used, bytes, &lifecycle->test_used))
		lifecycle->test_used = UINT64_MAX;
	weir_slab_dirty(&p->tables.lifecycles, slot);
	if (lifecycle->test_used < carrier_of(p, slot)->ref.test_quota_bytes)
		return WEIR_LIFECYCLE_EXEMPT;
	end_test(p, slot, r->end_us);
	weir_lifecycle_changed(p, slot, false);
	weir_partition_evaluate(p, slot, cause);
	return WEIR_LIFECYCLE_EXEMPT;
}

/* The status's own deadline has come, at due_s. */
static void
status_due(struct weir_partition *p, uint32_t slot, uint32_t due_s)
{
	switch (weir_card_status_of(weir_card_at(p, slot))) {
	case WEIR_STATUS_TESTABLE:
		end_test(p, slot, due_s * WEIR_LIFECYCLE_S_US);
		break;
	case WEIR_STATUS_INACTIVE: /* LIFE-4: forced */
		weir_lifecycle_enter(p, slot, WEIR_STATUS_IN_USE, due_s * WEIR_LIFECYCLE_S_US);
		break;
	case WEIR_STATUS_DEACTIVATED: /* LIFE-7 */
		weir_lifecycle_enter(p, slot, WEIR_STATUS_CANCELLED, due_s * WEIR_LIFECYCLE_S_US);
		break;
	default: /* in use: expiry; settle sees to it */
		set_deadline(p, slot, 0);
		break;
	}
}

void
weir_lifecycle_due(struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(slot < p->tables.lifecycles.used);
	struct weir_card_slot *card = weir_card_at(p, slot);
	const struct weir_card_overrides_slot *overrides = weir_card_overrides_of(p, card);
	struct weir_cause cause = {
	    UINT32_MAX, -1, weir_lifecycle_at(p, slot)->due_s * WEIR_LIFECYCLE_S_US, 0, weir_card_metered(p, card)};
	bool was_active = weir_card_is_activated(card);
	uint32_t now_s = weir_lifecycle_now(p);
	if (overrides != NULL && overrides->reset_s != 0 && overrides->reset_s <= now_s)
		weir_lifecycle_set_reset(p, slot, 0);
	uint32_t due_s = deadline(p, slot);
	if (due_s != 0 && due_s <= now_s)
		status_due(p, slot, due_s);
	weir_lifecycle_changed(p, slot, was_active);
	weir_partition_evaluate(p, slot, &cause);
}

/* ---- reference data ---- */

enum weir_class
weir_lifecycle_admits(const struct weir_card_slot *card, const struct weir_ref_card *ref, struct weir_error *err)
{
	unsigned now = card == NULL ? WEIR_STATUS_IN_USE : weir_card_status_of(card);
	unsigned status = ref->has_status ? ref->status : now;
	if (now == WEIR_STATUS_CANCELLED && status != now)
		return weir_error_set(err, WEIR_POISON,
		    "the card is cancelled, which is final: its status cannot become %s",
		    weir_status_name((enum weir_card_status)status));
	if (status <= WEIR_STATUS_INACTIVE && (ref->activated_us != 0 || ref->expires_us != 0))
		return weir_error_set(err, WEIR_POISON, "a card that is %s has no 'activated' and no 'expires'",
		    weir_status_name((enum weir_card_status)status));
	return WEIR_OK;
}

/*
 * A file of reference data that is sent again says of cards, meanwhile activated, that they were testable or inactive since
 * some time: true, and over.
 */
static bool
is_old_news(const struct weir_partition *p, uint32_t slot, const struct weir_ref_card *ref)
{
	const struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	return ref->status <= WEIR_STATUS_INACTIVE && weir_lifecycle_has_dates(weir_card_at(p, slot)) &&
	       lifecycle->activated_s != 0 && ref->since_us != 0 &&
	       weir_lifecycle_seconds(ref->since_us) <= lifecycle->activated_s;
}

static void
apply_dates(struct weir_partition *p, uint32_t slot, const struct weir_ref_card *ref)
{
	WEIR_CHECK(slot < p->tables.lifecycles.used);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	if (!weir_lifecycle_has_dates(weir_card_at(p, slot)))
		return; /* where the dates lie test_used does */
	if (ref->has_activated)
		activated_at(p, slot, ref->activated_us);
	if (!ref->has_expires)
		return;
	lifecycle->expires_s = ref->expires_us == 0 ? WEIR_LIFECYCLE_NEVER : weir_lifecycle_seconds(ref->expires_us);
	weir_lifecycle_set_renewed(p, slot, false);
	weir_slab_dirty(&p->tables.lifecycles, slot);
}

void
weir_lifecycle_apply(
    struct weir_partition *p, uint32_t slot, const struct weir_ref_card *ref, const struct weir_cause *cause)
{
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	bool was_active = weir_card_is_activated(weir_card_at(p, slot));
	unsigned now = weir_card_status_of(weir_card_at(p, slot));
	bool dated = ref->has_since && ref->since_us != 0;
	int64_t since_us = dated ? ref->since_us : weir_lifecycle_cause_us(p, cause);
	unsigned status = ref->has_status && !is_old_news(p, slot, ref) ? ref->status : now;
	if (status != now) {
		weir_lifecycle_enter(p, slot, status, since_us);
	} else if (dated && status == WEIR_STATUS_IN_USE && lifecycle->activated_s == 0) {
		activated_at(p, slot, since_us);
	} else if (dated && !(ref->has_status && ref->status != now)) {
		uint32_t due_s = deadline_of(p, slot, status, since_us);
		if (due_s != 0)
			set_deadline(p, slot, due_s);
	}
	apply_dates(p, slot, ref);
	weir_lifecycle_changed(p, slot, was_active);
}

void
weir_lifecycle_plan_changed(struct weir_partition *p, uint32_t slot)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	struct weir_lifecycle_slot *lifecycle = weir_lifecycle_at(p, slot);
	bool was_active = weir_card_is_activated(card);
	if (!weir_lifecycle_has_dates(card) || lifecycle->activated_s == 0)
		return;
	uint32_t before_s = lifecycle->expires_s;
	expire_by_term(p, slot);
	/* LIFE-5: what was renewed is not taken back; without a term there is nothing to expire. */
	bool has_term = card->plan == 0 || p->registry.plans[card->plan - 1].known;
	if (is_renewed(p, slot) && (lifecycle->expires_s != 0 || !has_term) && before_s > lifecycle->expires_s)
		lifecycle->expires_s = before_s;
	weir_lifecycle_changed(p, slot, was_active);
}

void
weir_lifecycle_term_known(struct weir_partition *p, uint32_t slot)
{
	if (weir_lifecycle_has_dates(weir_card_at(p, slot)) && weir_lifecycle_at(p, slot)->expires_s == 0)
		weir_lifecycle_plan_changed(p, slot);
}
