/*
 * The owner's states and its round. Read this to know why weir counts exactly once; the other owner files are its verbs.
 *
 * One owner holds one partition: a core (aggregators/) that is a function of the log, and a store that keeps the core's
 * bytes and the log's offsets together. Four rules make the count exact, whatever dies, repeats or comes late:
 *
 * 1. State and position are one. A flush carries what changed since the last one and the offsets it stands for, in one
 *    transaction (owner_flush.c). It is encoded only when nothing is parked: a record read but not folded would lie behind
 * the offset and in no counter. Whoever takes the partition reads on from there, so each record is in the state once.
 * 2. One writer. Taking raises an epoch in the store. A flush names its epoch, the offsets it builds on and the number of
 * the flush before; the store applies it only if all of them are what it holds, or answers FENCED        a higher epoch:
 * there is another owner. Let go, and wait for the group to say whose it is; lost writes   an older position than ours: the
 * store has forgotten flushes. Forget everything, load what is left, rewind the log to it. One flush is out at a time, so
 * what it builds on is always the last answer.
 * 3. The outbox goes first. Messages for others (dead letters, audit, usage reports, pool states, alerts, rows) are
 * produced into a window; encoding a flush closes the window, and the flush is sent when all of that window is
 * acknowledged. A crash repeats messages, which are absolute and versioned; it never drops one. A message refused for good
 * stops the partition.
 * 4. Commands follow from state. Cards whose desired state is not the confirmed one are enqueued again after each take;
 * what a dead owner sent is known by its intents. A replay may decide what was decided before, so unknown states are
 * asserted only when it has caught up with the end of all topics.
 *
 *      NEW -> TAKING -----> RUNNING -----------> GONE        given back: a last flush, then nothing
 *              | ^ ^         | |  |
 *              | | '---------' |  '--> STOPPED -> GONE       log gone, message refused, state damaged: needs a person
 *              | |  lost writes|
 *              | '--- FENCED <-'                             retaken after a while, if the group goes on calling it ours
 *              '-> STOPPED, GONE                             cannot be loaded; cancelled
 *
 * A round: reference data first and to its end, then usage reports, then records, one batch each; caught up?; watermark;
 * background work; what is due to others; a flush, if one is due. Answers come in between rounds. A round never waits: what
 * finds no room in a ring is tried again in the next.
 *
 * With the store away nothing is flushed, and reading goes on up to rules->unflushed_max: commands are decided meanwhile.
 *
 * Rejected: one function per input and state (a table of thirty cells, most of them "ignore"); the answers' first line says
 * in which state they count.
 */
#include "pipeline/engine/owner.h"

#include "pipeline/engine/owner_priv.h"

/* ---- the round ---- */

/*
 * How far the replay after a take has come. The card stage's inputs are cards and records, the pool stage's cards and usage
 * reports; what they held back until then is published.
 */
static void
catch_up(struct owner *o)
{
	const struct owner_rules *rules = o->rules;
	bool cards = o->at_end[rules->cards], pools = cards && o->at_end[rules->reports];
	for (uint32_t t = 0; t < rules->cards; t++)
		cards = cards && o->at_end[t];
	/* What is parked is not counted yet: a pool's usage would fall back for as long as it waits. */
	cards = cards && o->core->parked.records.n == 0;
	if (cards != o->cards_caught_up || pools != o->pools_caught_up) {
		o->cards_caught_up = cards;
		o->pools_caught_up = pools;
		weir_partition_caught_up(o->core, cards, pools);
	}
	if (!cards || !pools)
		return;
	o->caught_up = true;
	o->resumed = true;
	weir_partition_enqueue_all(o->core, true);
	owner_effects(o, 0, NULL);
}

/* The source is told in a round, never within an answer: those come also while the group's callbacks are under way. */
static void
tell_source(struct owner *o)
{
	struct weir_error err;
	WEIR_CHECK(!o->drop_due || o->state != OWNER_RUNNING);
	if (o->drop_due && o->state == OWNER_STOPPED)
		o->io->source_drop(o->ctx);
	o->drop_due = false;
	if (!o->rewind_due || o->state != OWNER_RUNNING)
		return;
	o->rewind_due = false;
	if (o->io->source_rewind(o->ctx, o->next_offset, o->logs, &err) != WEIR_OK)
		owner_stop(o, err.text);
}

static bool
run_round(struct owner *o)
{
	weir_partition_set_time(o->core, o->now.wall_us, 0);
	bool worked = false;
	if (!owner_is_paused(o))
		worked = owner_read(o);
	if (o->state != OWNER_RUNNING)
		return true;
	if (!o->caught_up)
		catch_up(o);
	owner_watermark(o);
	if (weir_partition_tick(o->core, o->rules->tick_slots))
		worked = true;
	owner_publish(o);
	o->changed |= weir_partition_has_changed(o->core);
	owner_flush_round(o);
	return worked;
}

bool
owner_round(struct owner *o, struct owner_now now)
{
	owner_check(o);
	o->now = now;
	if (o->state == OWNER_FENCED && now.wall_us >= o->retake_us) {
		owner_take_again(o);
		return true;
	}
	if (o->take_due)
		owner_submit_take(o);
	tell_source(o);
	if (o->state == OWNER_RUNNING && o->reload_due && o->flush.phase == OWNER_FLUSH_NONE) {
		owner_reload(o);
		return true;
	}
	return o->state == OWNER_RUNNING && run_round(o);
}

#define HELD_WAIT_US 1000ll /* a flush that is due waits for fetches or the outbox; both wake the owner's thread */

int64_t
owner_next_due_us(const struct owner *o)
{
	if (o->state == OWNER_FENCED)
		return o->retake_us;
	if (o->take_due)
		return o->now.wall_us + HELD_WAIT_US;
	if (o->state != OWNER_RUNNING || !o->changed || o->flush.phase != OWNER_FLUSH_NONE)
		return INT64_MAX;
	int64_t due_us = owner_flush_due_us(o);
	return due_us > o->now.wall_us ? due_us : o->now.wall_us + HELD_WAIT_US;
}

/* ---- leaving ---- */

bool
owner_leave(struct owner *o, struct owner_now now)
{
	owner_check(o);
	o->now = now;
	if (!o->leaving) {
		o->leaving = true;
		o->leave_until_us = now.wall_us + o->rules->leave_us;
	}
	if (owner_is_flushed(o) || now.wall_us >= o->leave_until_us)
		return true;
	o->flush_due_us = 0;
	owner_flush_round(o);
	if (o->state == OWNER_RUNNING)
		owner_publish(o); /* rows hold up the next flush; fetches waited for this one to be sent */
	return false;
}
