/*
 * What the core left behind, given out: dead letters, commands, audit entries, messages; and the dispatcher's results taken
 * in. All of it is at least once: what is produced before a flush that fails is produced again by the replay.
 */
#include <stdio.h>

#include "pipeline/engine/owner_priv.h"

/* ---- commands ---- */

/*
 * A card that must get no command now (CMD-5, LIFE-6) is enqueued as desired unknown: that withdraws a command which waits
 * in the dispatcher's queue. The guard's release, or the card's next change, enqueues it again.
 */
static void
fill_command(const struct owner *o, uint32_t slot, struct weir_command_offer *command)
{
	const struct weir_partition *p = o->core;
	const struct weir_card_slot *card = weir_slab_at(&p->cards, slot);
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	*command = (struct weir_command_offer){.iccid = card->iccid,
	    .partition = o->number,
	    .slot = slot,
	    .desired = e != NULL ? e->desired : WEIR_CARD_ACTIVE,
	    .confirmed = e != NULL ? e->confirmed : WEIR_CARD_ACTIVE};
	(void)snprintf(command->carrier, sizeof(command->carrier), "%s", weir_partition_carrier_name(p, card->carrier));
	if (!weir_partition_may_send(o->core, slot)) {
		/* Not the confirmed state: the dispatcher may know of a newer one, and would command ours. */
		command->desired = WEIR_CARD_UNKNOWN;
		return;
	}
	command->pending = e != NULL ? e->pending : 0;
	if (e == NULL || !o->resumed)
		return;
	command->resumed_state = e->command;
	command->resumed_desired = e->target;
	command->resumed_attempts = e->attempts;
	memcpy(command->ticket, e->ticket, sizeof(command->ticket));
}

/* What the queue does not take stays in the list, in order, and is enqueued in the next round. */
static void
give_commands(struct owner *o)
{
	struct weir_u64_list *slots = &o->core->offers;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < slots->n; i++) {
		struct weir_command_offer command;
		bool waits = kept > 0;
		if (!waits) {
			fill_command(o, (uint32_t)slots->v[i], &command);
			waits = !o->io->enqueue(o->ctx, &command);
		}
		if (waits)
			slots->v[kept++] = slots->v[i];
	}
	slots->n = kept;
	if (kept == 0)
		o->resumed = false;
}

/* ---- dead letters ---- */

void
owner_reject(struct owner *o, uint32_t topic, const struct weir_message *message, enum weir_reject reject, const char *text)
{
	struct weir_letter letter = {.key = message->key,
	    .value = message->value,
	    .reject = reject,
	    .text = text,
	    .topic = o->rules->topics[topic],
	    .partition = o->number,
	    .offset = message->offset};
	o->core->stats.rejected[reject]++;
	o->io->dead_letter(o->ctx, &letter);
}

/* The bytes of a rejected record: its own within its message, while that is there. */
static void
find_bytes(const struct weir_record *r, const struct weir_batch *batch, struct weir_letter *letter)
{
	const struct weir_message *message = &batch->messages[r->message];
	letter->key = message->key;
	letter->value = message->value;
	if (r->raw_len > 0 && (size_t)r->raw_off + r->raw_len <= message->value.len)
		letter->value = (struct weir_slice){message->value.data + r->raw_off, r->raw_len};
}

static void
give_rejects(struct owner *o, uint32_t input, const struct weir_batch *batch)
{
	struct weir_records *rejects = &o->core->rejects;
	for (uint32_t i = 0; i < rejects->n; i++) {
		const struct weir_record *r = &rejects->v[i];
		WEIR_CHECK(r->input < o->rules->cards);
		struct weir_letter letter = {.reject = (enum weir_reject)r->reject,
		    .text = weir_reject_text((enum weir_reject)r->reject),
		    .topic = o->rules->topics[r->input],
		    .partition = o->number,
		    .offset = r->offset,
		    .element = r->element};
		if (batch != NULL && r->input == input && r->message < batch->count &&
		    batch->messages[r->message].offset == r->offset)
			find_bytes(r, batch, &letter);
		o->io->dead_letter(o->ctx, &letter);
	}
	rejects->n = 0;
}

/* ---- messages ---- */

static void
give_messages(struct owner *o)
{
	struct weir_partition *p = o->core;
	for (uint32_t i = 0; i < p->tell_count; i++) {
		const struct weir_tell *message = &p->tells[i];
		const uint8_t *key = p->tell_bytes.data + message->at;
		struct weir_slice id = {key, message->key_len}, value = {key + message->key_len, message->value_len};
		WEIR_CHECK((size_t)message->at + message->key_len + message->value_len <= p->tell_bytes.len);
		o->io->publish(o->ctx, (enum weir_tell_topic)message->topic, message->partition, id, value);
	}
	o->changed |= p->tell_count > 0 && !o->leaving;
	p->tell_count = 0;
	p->tell_bytes.len = 0;
}

void
owner_publish(struct owner *o)
{
	weir_partition_tell(o->core);
	owner_effects(o, 0, NULL);
}

void
owner_effects(struct owner *o, uint32_t input, const struct weir_batch *batch)
{
	WEIR_CHECK(o->state == OWNER_RUNNING);
	if (o->core->rejects.n > 0)
		give_rejects(o, input, batch);
	if (o->core->offers.n > 0)
		give_commands(o);
	if (o->core->audit_count > 0)
		owner_give_audits(o);
	if (o->core->tell_count > 0)
		give_messages(o);
	if (o->core->wish_count > 0)
		owner_fetch(o);
}

/* ---- results of commands ---- */

static bool
is_of(const struct owner *o, const struct weir_command_result *result)
{
	if (result->slot >= o->core->cards.used || weir_slab_is_filler(&o->core->cards, result->slot))
		return false;
	const struct weir_card_slot *card = weir_slab_at(&o->core->cards, result->slot);
	return weir_iccid_equal(card->iccid, result->iccid);
}

void
owner_command_result(struct owner *o, struct owner_now now, const struct weir_command_result *result)
{
	owner_check(o);
	WEIR_CHECK(result->partition == o->number);
	o->now = now;
	if (o->state == OWNER_TAKING) {
		struct weir_doubt doubt = {.iccid = result->iccid, .state = WEIR_DESIRED_UNKNOWN};
		weir_doubts_push(&o->known, &doubt);
	}
	if (o->state != OWNER_RUNNING)
		return;
	if (!is_of(o, result)) { /* from before the partition was loaded anew, and its card is not replayed yet */
		weir_partition_doubt(o->core, result->iccid);
		return;
	}
	o->io->commanded(o->ctx, result, weir_partition_enforcement(o->core, result->slot));
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
	weir_partition_command(o->core, &report);
	o->changed = true;
	owner_effects(o, 0, NULL);
}
