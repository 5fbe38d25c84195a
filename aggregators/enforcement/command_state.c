/*
 * The way of a command as its card's owner sees it (CMD-1, CMD-2, CMD-4): what the dispatcher reports is written to the
 * card's enforcement slot and to the audit. Level-triggered: the slot holds desired and confirmed state, and whoever finds
 * them apart enqueues the card for the dispatcher again.
 */
#include "aggregators/enforcement/command_state.h"

#include <string.h>

#include "aggregators/enforcement/evaluate.h"
#include "aggregators/enforcement/guard.h"
#include "aggregators/state/pool_table.h"

static struct weir_audit *
audit_command(struct weir_partition *p, uint32_t slot, enum weir_audit_event event, const struct weir_enforcement_slot *e,
    const struct weir_command_report *report)
{
	struct weir_cause cause = {e->input, e->offset, e->record_us, e->arrived_us, e->usage_before};
	struct weir_audit *audit = weir_partition_add_audit(p, slot, event, &cause);
	audit->action = report->target;
	audit->reason = e->reason;
	audit->limit = e->limit;
	audit->overshoot = e->overshoot;
	audit->decided_us = e->decided_us;
	audit->sent_us = e->sent_us;
	audit->confirmed_us = e->confirmed_us;
	audit->at_us = report->at_us;
	memcpy(audit->ticket, e->ticket, sizeof(audit->ticket));
	if (report->text != NULL)
		(void)strncpy(audit->text, report->text, sizeof(audit->text) - 1);
	return audit;
}

/* Usage above the limit when the cut was confirmed: what the delay cost. Of a pool, as its newest state says. */
static void
measure_overshoot(const struct weir_partition *p, uint32_t slot, struct weir_enforcement_slot *e, uint8_t target)
{
	const struct weir_card_slot *card = weir_card_at(p, slot);
	uint64_t used = weir_card_metered(p, card);
	bool by_pool = e->reason >= WEIR_REASON_POOL_EXHAUSTED && e->reason <= WEIR_REASON_POOL_FROZEN;
	const struct weir_pool_local_slot *pool_local = weir_pool_local_of(p, slot);
	if (by_pool)
		used = pool_local == NULL ? 0 : pool_local->cut_used;
	if (target == WEIR_DESIRED_SUSPENDED && e->limit != 0 && used > e->limit)
		e->overshoot = used - e->limit;
}

static void
confirmed(
    struct weir_partition *p, uint32_t slot, struct weir_enforcement_slot *e, const struct weir_command_report *report)
{
	WEIR_CHECK(report->target == WEIR_DESIRED_ACTIVE || report->target == WEIR_DESIRED_SUSPENDED);
	e->confirmed = report->target;
	e->confirmed_us = report->at_us;
	measure_overshoot(p, slot, e, report->target);
	(void)audit_command(p, slot, WEIR_AUDIT_CONFIRMED, e, report);
}

/* The stored slot says from now on what the intent said: it goes with the flush that stores the slot. */
static void
intent_done(struct weir_partition *p, const struct weir_command_report *report)
{
	struct weir_unconfirmed_card intent = {weir_card_at(p, report->slot)->iccid, report->token, report->target};
	if (report->token != 0)
		weir_unconfirmed_push(&p->unconfirmed.intents_done, &intent);
}

/*
 * Held back (LIFE-6, CMD-5) after an attempt that may have been done: the dispatcher does nothing more of itself. What held
 * it back may be over by the time its owner reads this, which then has to ask for it anew.
 */
static bool
is_left_unknown(const struct weir_command_report *report)
{
	return report->state == WEIR_COMMAND_QUEUED && report->next_us == 0 && report->attempts > 0;
}

void
weir_partition_command(struct weir_partition *p, const struct weir_command_report *report)
{
	WEIR_CHECK(report->state <= WEIR_COMMAND_FAILED);
	if (report->slot >= p->tables.cards.used || report->target == WEIR_DESIRED_UNKNOWN)
		return;
	/* A slot given back meanwhile is made again only for what happened at the carrier. */
	bool known = weir_partition_enforcement(p, report->slot) != NULL;
	if (!known && (report->state == WEIR_COMMAND_IDLE || report->state == WEIR_COMMAND_QUEUED))
		return;
	struct weir_enforcement_slot *e = weir_partition_enforce(p, report->slot);
	e->command = report->state;
	e->target = report->target;
	e->pending = report->pending;
	e->attempts = report->attempts;
	e->next_us = report->next_us;
	memset(e->ticket, 0, sizeof(e->ticket));
	if (report->ticket != NULL)
		(void)strncpy(e->ticket, report->ticket, sizeof(e->ticket) - 1);
	switch (report->state) {
	case WEIR_COMMAND_SENT:
		if (e->sent_us == 0) {
			e->sent_us = report->at_us;
			(void)audit_command(p, report->slot, WEIR_AUDIT_SENT, e, report);
		}
		intent_done(p, report);
		break;
	case WEIR_COMMAND_ACCEPTED:
		(void)audit_command(p, report->slot, WEIR_AUDIT_ACCEPTED, e, report);
		break;
	case WEIR_COMMAND_CONFIRMED:
		confirmed(p, report->slot, e, report);
		intent_done(p, report); /* again: a Redis that was slow may have written it after the first time */
		break;
	case WEIR_COMMAND_FAILED:
		e->confirmed = WEIR_DESIRED_UNKNOWN;
		(void)audit_command(p, report->slot, WEIR_AUDIT_FAILED, e, report);
		break;
	case WEIR_COMMAND_QUEUED: /* for a retry; or left undone */
		if (is_left_unknown(report))
			e->confirmed = WEIR_DESIRED_UNKNOWN;
		break;
	default: /* idle: withdrawn before it was sent */
		break;
	}
	bool ended =
	    report->state == WEIR_COMMAND_CONFIRMED || report->state == WEIR_COMMAND_IDLE || is_left_unknown(report);
	/* LIFE-6: enqueued before the card ceased to take commands, and its owner had lost sight of it: withdrawn now. */
	bool goes_on = report->state == WEIR_COMMAND_SENT || (report->state == WEIR_COMMAND_QUEUED && report->next_us != 0);
	bool may_command = weir_card_may_command(weir_card_at(p, report->slot));
	bool stray = goes_on && !may_command;
	bool undone = ended && e->desired != e->confirmed && (may_command || !is_left_unknown(report));
	if (undone || stray)
		weir_u64_list_push(&p->effects.pending_commands, report->slot);
	weir_partition_release_idle(p, report->slot);
}

bool
weir_partition_may_send(struct weir_partition *p, uint32_t slot)
{
	WEIR_CHECK(slot < p->tables.cards.used);
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	if (!weir_card_may_command(weir_card_at(p, slot)))
		return false;
	if (!p->guard->tripped || e == NULL || e->desired != WEIR_DESIRED_SUSPENDED)
		return true;
	p->stats.guarded++;
	return false;
}

void
weir_partition_enqueue_all(struct weir_partition *p, bool unknown_too)
{
	for (uint32_t i = 0; i < p->tables.enforcements.used; i++) {
		const struct weir_enforcement_slot *e = weir_slab_at(&p->tables.enforcements, i);
		if (e->card == 0 || !weir_command_is_due(e) || e->command == WEIR_COMMAND_FAILED)
			continue;
		if (!weir_card_may_command(weir_card_at(p, e->card - 1)))
			continue;
		if (e->confirmed != WEIR_DESIRED_UNKNOWN || unknown_too)
			weir_u64_list_push(&p->effects.pending_commands, e->card - 1);
	}
}
