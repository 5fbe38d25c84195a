/*
 * What the core left behind, given out: dead letters, commands, audit entries, messages; and the dispatcher's results taken
 * in. All of it is at least once: what is produced before a flush that fails is produced again by the replay.
 */
#include <stdio.h>

#include "pipeline/engine/owner_priv.h"

/* Whose effects are given out, and the batch that they may be of. */
struct drain {
	struct owner *owner;
	uint32_t input;
	const struct weir_batch *batch; /* NULL = none */
};

/* ---- commands ---- */

/*
 * A card that must get no command now (CMD-5, LIFE-6) is enqueued as desired unknown: that withdraws a command which waits
 * in the dispatcher's queue. The guard's release, or the card's next change, enqueues it again.
 */
static void
fill_command(const struct owner *o, uint32_t slot, struct weir_pending_command *command)
{
	const struct weir_partition *p = o->core;
	const struct weir_card_slot *card = weir_slab_at(&p->tables.cards, slot);
	const struct weir_enforcement_slot *e = weir_partition_enforcement(p, slot);
	*command = (struct weir_pending_command){.iccid = card->iccid,
	    .partition = o->number,
	    .slot = slot,
	    .desired = e != NULL ? e->desired : WEIR_DESIRED_ACTIVE,
	    .confirmed = e != NULL ? e->confirmed : WEIR_DESIRED_ACTIVE};
	(void)snprintf(command->carrier, sizeof(command->carrier), "%s", weir_partition_carrier_name(p, card->carrier));
	if (!weir_partition_may_send(o->core, slot)) {
		/* Not the confirmed state: the dispatcher may know of a newer one, and would command ours. */
		command->desired = WEIR_DESIRED_UNKNOWN;
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
static bool
on_command(void *ctx, uint32_t card_slot)
{
	struct owner *o = ((struct drain *)ctx)->owner;
	struct weir_pending_command command;
	fill_command(o, card_slot, &command);
	return o->io->enqueue(o->ctx, &command);
}

/* ---- dead letters ---- */

void
owner_reject(struct owner *o, uint32_t topic, const struct weir_message *message, enum weir_reject reject, const char *text)
{
	struct weir_dead_letter letter = {.key = message->key,
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
find_bytes(const struct weir_record *r, const struct weir_batch *batch, struct weir_dead_letter *letter)
{
	const struct weir_message *message = &batch->messages[r->message];
	letter->key = message->key;
	letter->value = message->value;
	if (r->raw_len > 0 && (size_t)r->raw_off + r->raw_len <= message->value.len)
		letter->value = (struct weir_slice){message->value.data + r->raw_off, r->raw_len};
}

static void
on_dead_letter(void *ctx, const struct weir_record *r)
{
	const struct drain *drain = ctx;
	const struct weir_batch *batch = drain->batch;
	struct owner *o = drain->owner;
	WEIR_CHECK(r->input < o->rules->cards);
	struct weir_dead_letter letter = {.reject = (enum weir_reject)r->reject,
	    .text = weir_reject_text((enum weir_reject)r->reject),
	    .topic = o->rules->topics[r->input],
	    .partition = o->number,
	    .offset = r->offset,
	    .element = r->element};
	if (batch != NULL && r->input == drain->input && r->message < batch->count &&
	    batch->messages[r->message].offset == r->offset)
		find_bytes(r, batch, &letter);
	o->io->dead_letter(o->ctx, &letter);
}

/* ---- the rest ---- */

static void
on_audit(void *ctx, const struct weir_audit *audit)
{
	owner_audit(((struct drain *)ctx)->owner, audit);
}

static void
on_message(void *ctx, const struct weir_outbox_message *message, struct weir_slice key, struct weir_slice value)
{
	struct owner *o = ((struct drain *)ctx)->owner;
	o->io->publish(o->ctx, (enum weir_outbox_topic)message->topic, message->partition, key, value);
	o->changed |= !o->leaving;
}

/* As many of the first as there is room for; returns how many. */
static uint32_t
submit_fetches(struct owner *o, const struct weir_fetch_request *requests, uint32_t count)
{
	uint32_t taken = 0;
	/* What is encoded is in memory no more: a fetch must not overtake the flush that brings it to the store. */
	if (o->flush.phase == OWNER_FLUSH_ENCODED)
		return 0;
	while (taken < count && o->fetching < o->rules->fetching_max) {
		uint32_t more = count - taken < o->rules->fetch_max ? count - taken : o->rules->fetch_max;
		if (!o->io->store_fetch(o->ctx, requests + taken, more))
			break;
		o->requests++;
		o->fetching++;
		taken += more;
	}
	return taken;
}

static uint32_t
on_fetch(void *ctx, const struct weir_fetch_request *requests, uint32_t count)
{
	return submit_fetches(((struct drain *)ctx)->owner, requests, count);
}

void
owner_effects(struct owner *o, uint32_t input, const struct weir_batch *batch)
{
	WEIR_CHECK(o->state == OWNER_RUNNING);
	struct drain drain = {o, input, batch};
	const struct weir_effects_handler to = {&drain, on_dead_letter, on_command, on_audit, on_message, on_fetch};
	bool commands = o->core->effects.pending_commands.n > 0;
	weir_effects_drain(&o->core->effects, &to);
	if (commands && o->core->effects.pending_commands.n == 0)
		o->resumed = false;
}

void
owner_publish(struct owner *o)
{
	weir_partition_publish(o->core);
	owner_effects(o, 0, NULL);
}

/* ---- results of commands ---- */

static bool
is_of(const struct owner *o, const struct weir_command_result *result)
{
	if (result->slot >= o->core->tables.cards.used || weir_slab_is_filler(&o->core->tables.cards, result->slot))
		return false;
	const struct weir_card_slot *card = weir_slab_at(&o->core->tables.cards, result->slot);
	return weir_iccid_equal(card->iccid, result->iccid);
}

void
owner_command_result(struct owner *o, struct owner_now now, const struct weir_command_result *result)
{
	owner_check(o);
	WEIR_CHECK(result->partition == o->number);
	o->now = now;
	if (o->state == OWNER_TAKING) {
		struct weir_unconfirmed_card unconfirmed_card = {.iccid = result->iccid, .state = WEIR_DESIRED_UNKNOWN};
		weir_unconfirmed_push(&o->known, &unconfirmed_card);
	}
	if (o->state != OWNER_RUNNING)
		return;
	if (!is_of(o, result)) { /* from before the partition was loaded anew, and its card is not replayed yet */
		weir_partition_unconfirmed(o->core, result->iccid);
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
