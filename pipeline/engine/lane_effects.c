/*
 * What a fold left behind, told to others: offers to the dispatcher, audit entries to Redis and Kafka, dead letters to
 * Kafka; and the dispatcher's results told to the core. Off the record path: a few per thousand records.
 */
#include <stdio.h>

#include "pipeline/engine/lane_priv.h"
#include "pipeline/redis/resp.h"

static const char *const EVENT_NAMES[] = {
    "decided", "reason", "request", "sent", "accepted", "confirmed", "failed", "refused"};

static const char *
action_name(uint8_t desired)
{
	return desired == WEIR_DESIRED_SUSPENDED ? "suspend" : "resume";
}

/*
 * A card that must get no command now (CMD-5, LIFE-6) is offered as having what it should: that withdraws a command which
 * waits in the dispatcher's queue. The guard's release, or the card's next change, offers it again.
 */
static void
fill_command(const struct lane_partition *lp, uint32_t slot, struct weir_pending_command *pending_command)
{
	const struct weir_partition *p = lp->core;
	const struct weir_card_slot *card = weir_slab_at(&p->tables.cards, slot);
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	*pending_command = (struct weir_pending_command){.iccid = card->iccid,
	    .partition = lp->number,
	    .slot = slot,
	    .desired = e != NULL ? e->desired : WEIR_CARD_ACTIVE,
	    .confirmed = e != NULL ? e->confirmed : WEIR_CARD_ACTIVE};
	(void)snprintf(pending_command->carrier, sizeof(pending_command->carrier), "%s",
	    weir_partition_carrier_name(p, card->carrier));
	if (!weir_partition_may_send(lp->core, slot)) {
		/* Not the confirmed state: the dispatcher may know of a newer one, and would command ours. */
		pending_command->desired = WEIR_CARD_UNKNOWN;
		return;
	}
	pending_command->pending = e != NULL ? e->pending : 0;
	if (e == NULL || !lp->restart_commands)
		return;
	pending_command->resumed_state = e->command;
	pending_command->resumed_desired = e->target;
	pending_command->resumed_attempts = e->attempts;
	memcpy(pending_command->ticket, e->ticket, sizeof(pending_command->ticket));
}

/* What the ring does not take stays in the list and is offered in the next round. */
static void
enqueue_commands(struct lane_partition *lp)
{
	struct weir_u64_list *pending_commands = &lp->core->effects.pending_commands;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < pending_commands->n; i++) {
		struct weir_pending_command pending_command;
		bool waits = kept > 0;
		if (!waits) {
			fill_command(lp, (uint32_t)pending_commands->v[i], &pending_command);
			waits = !weir_dispatch_enqueue(lp->lane->shared->dispatch, lp->lane->number, &pending_command);
		}
		if (waits)
			pending_commands->v[kept++] = pending_commands->v[i];
	}
	pending_commands->n = kept;
	if (kept == 0)
		lp->restart_commands = false;
}

/* JSON text of words that may come from a carrier: quotes, backslashes and controls escaped. */
static void
json_text(struct weir_buf *out, const char *name, const char *text)
{
	weir_buf_printf(out, ",\"%s\":\"", name);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			weir_buf_printf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			weir_buf_printf(out, "\\u%04x", c);
		else
			weir_buf_append(out, &c, 1);
	}
	weir_buf_append(out, "\"", 1);
}

static void
json_reasons(struct weir_buf *out, uint16_t reasons)
{
	weir_buf_printf(out, ",\"reasons\":[");
	for (unsigned i = 0, n = 0; i < WEIR_REASON_COUNT; i++)
		if ((reasons & WEIR_REASON_BIT(i)) != 0)
			weir_buf_printf(out, "%s\"%s\"", n++ > 0 ? "," : "", weir_reason_name(i));
	weir_buf_append(out, "]", 1);
}

/* The rule that speaks in a reason, for the audit. */
static const char *
rule_of(uint8_t reason)
{
	switch (reason) {
	case WEIR_REASON_PLAN_EXHAUSTED:
		return "SUS plan_exhausted";
	case WEIR_REASON_USAGE_LIMIT:
		return "SUS usage_limit";
	case WEIR_REASON_POOL_EXHAUSTED:
		return "SUS pool_exhausted";
	case WEIR_REASON_POOL_THRESHOLD:
		return "SUS pool_threshold";
	case WEIR_REASON_POOL_FROZEN:
		return "SUS pool_frozen";
	case WEIR_REASON_PLAN_EXPIRED:
		return "LIFE-5 plan_expired";
	case WEIR_REASON_MANUAL:
		return "SUS-1 manual";
	case WEIR_REASON_DEVICE_CHANGE:
		return "SUS-5 device_change";
	case WEIR_REASON_RESET:
		return "SUS-6 reset";
	default:
		return "SUS";
	}
}

/* Whom an entry is of: a card's ICCID or a pool's id; the key of its message. */
static void
audit_subject(const struct weir_audit *a, char out[WEIR_ID_MAX])
{
	if (a->pool[0] == '\0')
		(void)weir_iccid_format(a->iccid, out);
	else
		(void)snprintf(out, WEIR_ID_MAX, "%s", a->pool);
}

static void
audit_json(const struct lane_partition *lp, const struct weir_audit *a, struct weir_buf *out)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	char subject[WEIR_ID_MAX];
	audit_subject(a, subject);
	out->len = 0;
	weir_buf_printf(out, "{\"event\":\"%s\",\"action\":\"%s\"", EVENT_NAMES[a->event], action_name(a->action));
	json_text(out, a->pool[0] == '\0' ? "iccid" : "pool", subject);
	if (a->pool[0] != '\0')
		weir_buf_printf(out, ",\"cycle\":\"%04d-%02d\"", 1970 + a->cycle / 12, a->cycle % 12 + 1);
	json_reasons(out, a->reasons);
	weir_buf_printf(out,
	    ",\"reason\":\"%s\",\"rule\":\"%s\",\"limit\":%llu,\"usage_before\":%llu,\"usage_after\":%llu,\"overshoot\":%"
	    "llu",
	    weir_reason_name(a->reason), rule_of(a->reason), (unsigned long long)a->limit,
	    (unsigned long long)a->usage_before, (unsigned long long)a->usage_after, (unsigned long long)a->overshoot);
	if (a->input < shared->topic_count)
		weir_buf_printf(out, ",\"topic\":\"%s\",\"partition\":%u,\"offset\":%lld", shared->topics[a->input],
		    lp->number, (long long)a->offset);
	weir_buf_printf(out,
	    ",\"at_us\":%lld,\"record_us\":%lld,\"decided_us\":%lld,\"sent_us\":%lld,\"confirmed_us\":%lld,\"carrier\":\"%"
	    "s\"",
	    (long long)a->at_us, (long long)a->record_us, (long long)a->decided_us, (long long)a->sent_us,
	    (long long)a->confirmed_us, weir_partition_carrier_name(lp->core, a->carrier));
	if (a->ticket[0] != '\0')
		json_text(out, "ticket", a->ticket);
	if (a->text[0] != '\0')
		json_text(out, "reply", a->text);
	weir_buf_append(out, "}", 1);
}

static void
show_event(const struct lane_partition *lp, const struct weir_audit *a)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	if (shared->event == NULL || a->event == WEIR_AUDIT_REASON)
		return;
	struct weir_run_event event = {
	    .at_us = a->at_us, .overshoot_bytes = a->overshoot, .limit_bytes = a->limit, .is_pool = a->pool[0] != '\0'};
	audit_subject(a, event.subject);
	(void)snprintf(event.carrier, sizeof(event.carrier), "%s", weir_partition_carrier_name(lp->core, a->carrier));
	(void)snprintf(event.what, sizeof(event.what), "%s", EVENT_NAMES[a->event]);
	(void)snprintf(event.action, sizeof(event.action), "%s", action_name(a->action));
	(void)snprintf(event.reason, sizeof(event.reason), "%s", weir_reason_name(a->reason));
	shared->event(shared->event_ctx, &event);
}

/* Into the list of the card or pool in Redis, with the next flush. `name`: j:<card's slot>, jp:<pool>. */
static void
keep_audit(struct lane_partition *lp, const char *name, struct weir_slice json)
{
	const struct weir_settings *settings = lp->lane->shared->settings;
	weir_resp_command(&lp->audits, 3);
	weir_resp_text(&lp->audits, "LPUSH");
	weir_resp_key(&lp->audits, settings->redis_prefix, lp->number, "%s", name);
	weir_resp_bulk(&lp->audits, json.data, json.len);
	weir_resp_command(&lp->audits, 4);
	weir_resp_text(&lp->audits, "LTRIM");
	weir_resp_key(&lp->audits, settings->redis_prefix, lp->number, "%s", name);
	weir_resp_i64(&lp->audits, 0);
	weir_resp_i64(&lp->audits, (int64_t)settings->history_entries - 1);
	lp->audit_commands += 2;
}

static void
give_audits(struct lane_partition *lp)
{
	struct weir_lane *lane = lp->lane;
	for (uint32_t i = 0; i < lp->core->effects.audits.n; i++) {
		const struct weir_audit *a = &lp->core->effects.audits.v[i];
		char subject[WEIR_ID_MAX], name[WEIR_ID_MAX + 8];
		audit_subject(a, subject);
		audit_json(lp, a, &lane->json);
		struct weir_slice json = {lane->json.data, lane->json.len};
		if (a->pool[0] == '\0')
			(void)snprintf(name, sizeof(name), "j:%u", a->slot);
		else
			(void)snprintf(name, sizeof(name), "jp:%s", subject);
		keep_audit(lp, name, json);
		weir_outbox_produce_audit(lane->shared->outbox_producer, lp->ack_window, subject, json);
		show_event(lp, a);
		lane_count_audit(lane, a);
	}
	lp->changed |= lp->core->effects.audits.n > 0;
	lp->core->effects.audits.n = 0;
}

static void
give_rejects(struct lane_partition *lp, uint32_t input, const struct weir_batch *batch)
{
	struct weir_records *rejects = &lp->core->effects.dead_letters;
	for (uint32_t i = 0; i < rejects->n; i++) {
		const struct weir_record *r = &rejects->v[i];
		struct weir_dead_letter dead_letter = {.reject = (enum weir_reject)r->reject,
		    .text = weir_reject_text((enum weir_reject)r->reject),
		    .topic = lp->lane->shared->topics[r->input],
		    .partition = lp->number,
		    .offset = r->offset,
		    .element = r->element};
		if (batch != NULL && r->input == input && r->message < batch->count &&
		    batch->messages[r->message].offset == r->offset) {
			const struct weir_message *message = &batch->messages[r->message];
			dead_letter.key = message->key;
			dead_letter.value = message->value;
			if (r->raw_len > 0 && (size_t)r->raw_off + r->raw_len <= message->value.len)
				dead_letter.value = (struct weir_slice){message->value.data + r->raw_off, r->raw_len};
		}
		weir_outbox_produce_dead_letter(lp->lane->shared->outbox_producer, lp->ack_window, &dead_letter);
	}
	rejects->n = 0;
}

static const char *
outbox_topic_name(const struct weir_lane_shared *shared, uint8_t topic)
{
	switch ((enum weir_outbox_topic)topic) {
	case WEIR_OUTBOX_USAGE_REPORTS:
		return shared->topics[shared->reports];
	case WEIR_OUTBOX_CARDS:
		return shared->topics[shared->cards];
	case WEIR_OUTBOX_ALERTS:
		break;
	case WEIR_OUTBOX_POOL_HOURLY:
		return shared->settings->topic_pool_hourly;
	case WEIR_OUTBOX_POOL_DAILY:
		return shared->settings->topic_pool_daily;
	case WEIR_OUTBOX_CARD_DAILY:
		return shared->settings->topic_card_daily;
	}
	return shared->settings->topic_alerts;
}

/* Partials, words, alerts and rows; the flush that stands for them waits for their acknowledgement. */
static void
publish_outbox(struct lane_partition *lp)
{
	const struct weir_lane_shared *shared = lp->lane->shared;
	struct weir_partition *p = lp->core;
	for (uint32_t i = 0; i < p->effects.outbox.n; i++) {
		const struct weir_outbox_message *outgoing = &p->effects.outbox.v[i];
		const uint8_t *key = p->effects.outbox.bytes.data + outgoing->at;
		struct weir_slice id = {key, outgoing->key_len}, value = {key + outgoing->key_len, outgoing->value_len};
		if (outgoing->topic >= WEIR_OUTBOX_POOL_HOURLY) {
			weir_outbox_produce_row(
			    shared->outbox_producer, lp->ack_window, outbox_topic_name(shared, outgoing->topic), id, value);
			lp->lane->feed_rows[outgoing->topic - WEIR_OUTBOX_POOL_HOURLY]++;
		} else {
			weir_outbox_produce(shared->outbox_producer, lp->ack_window,
			    outbox_topic_name(shared, outgoing->topic), outgoing->partition, id, value);
		}
	}
	lp->changed |= p->effects.outbox.n > 0 && !lp->leaving;
	p->effects.outbox.n = 0;
	p->effects.outbox.bytes.len = 0;
}

void
lane_publish(struct lane_partition *lp)
{
	struct weir_partition *p = lp->core;
	if (p->guard.tripped && !lp->guard_tripped)
		weir_partition_enqueue_all(p, false); /* what waits in the dispatcher's queue is withdrawn */
	lp->guard_tripped = p->guard.tripped;
	weir_partition_publish(p);
	lane_effects(lp, 0, NULL);
}

void
lane_effects(struct lane_partition *lp, uint32_t input, const struct weir_batch *batch)
{
	if (lp->core->effects.dead_letters.n > 0)
		give_rejects(lp, input, batch);
	if (lp->core->effects.pending_commands.n > 0)
		enqueue_commands(lp);
	if (lp->core->effects.audits.n > 0)
		give_audits(lp);
	if (lp->core->effects.outbox.n > 0)
		publish_outbox(lp);
	if (lp->core->effects.fetch_requests.n > 0)
		lane_submit_fetches(lp);
}

static bool
is_of(const struct lane_partition *lp, const struct weir_command_result *result)
{
	if (result->slot >= lp->core->tables.cards.used || weir_slab_is_filler(&lp->core->tables.cards, result->slot))
		return false;
	const struct weir_card_slot *card = weir_slab_at(&lp->core->tables.cards, result->slot);
	return weir_iccid_equal(card->iccid, result->iccid);
}

static void
one_result(struct weir_lane *lane, const struct weir_command_result *result)
{
	struct lane_partition *lp = lane_find(lane, result->partition);
	if (lp != NULL && lp->state == LANE_TAKING) {
		struct weir_unconfirmed_card unconfirmed_card = {.iccid = result->iccid, .state = WEIR_DESIRED_UNKNOWN};
		weir_unconfirmed_push(&lp->known, &unconfirmed_card);
	}
	if (lp == NULL || lp->state != LANE_RUNNING)
		return;
	if (!is_of(lp, result)) { /* from before the partition was loaded anew, and its card is not replayed yet */
		weir_partition_unconfirmed(lp->core, result->iccid);
		return;
	}
	const struct weir_enforcement_slot *e = weir_partition_enforcement(lp->core, result->slot);
	if (result->state == WEIR_COMMAND_SENT) {
		lane->commands_sent++;
		if (e != NULL && e->sent_us == 0 && e->desired == result->target)
			lane_count_latency(lane, result->at_us - e->arrived_us);
	}
	lane->commands_confirmed += result->state == WEIR_COMMAND_CONFIRMED;
	lane->commands_failed += result->state == WEIR_COMMAND_FAILED;
	struct weir_command_report report = {.slot = result->slot,
	    .state = result->state,
	    .target = result->target,
	    .attempts = result->attempts,
	    .at_us = result->at_us,
	    .next_us = result->next_us,
	    .token = result->token,
	    .pending = result->pending,
	    .ticket = result->ticket,
	    .text = result->text};
	weir_partition_command(lp->core, &report);
	lp->changed = true;
	lane_effects(lp, 0, NULL);
}

bool
lane_dispatch_results(struct weir_lane *lane)
{
	struct weir_command_result result;
	bool any = false;
	while (weir_dispatch_next(lane->shared->dispatch, lane->number, &result)) {
		one_result(lane, &result);
		any = true;
	}
	return any;
}
