/*
 * Taking a partition, letting go of it, and what goes wrong in between; see owner.c.
 *
 * What an owner knows and the store does not is asked three times: a fenced owner knows nothing that counts (the other one
 * does); one whose store lost writes keeps what it knows of cards' states at their carriers, because commands were sent in
 * the time that the store lost, and the replay may decide otherwise than the run before it did; one that is given back
 * flushes first.
 */
#include "pipeline/engine/owner_priv.h"

#include "config/calendar/calendar.h"

/* ---- taking ---- */

/* Finds no room in the ring to the store: the next round tries again. */
void
owner_submit_take(struct owner *o)
{
	WEIR_CHECK(o->state == OWNER_TAKING && o->flush.phase == OWNER_FLUSH_NONE);
	o->take_due = !o->io->store_take(o->ctx, o->epoch);
	o->requests += !o->take_due;
}

static void
begin_take(struct owner *o)
{
	owner_become(o, OWNER_TAKING);
	owner_submit_take(o);
}

void
owner_take(struct owner *o, struct owner_now now, bool from_group)
{
	owner_check(o);
	WEIR_CHECK(o->state == OWNER_NEW);
	o->now = now;
	o->from_group = from_group;
	begin_take(o);
}

bool
owner_load_begin(struct owner *o, const struct weir_store_header *header, int64_t wall_us)
{
	WEIR_CHECK_MAGIC(o, OWNER_MAGIC);
	if (header->epoch <= o->epoch)
		return false;
	struct weir_partition_opts opts = o->rules->core;
	opts.number = o->number;
	opts.epoch = header->epoch;
	weir_partition_free(o->core);
	o->core = weir_partition_new(&opts);
	weir_partition_set_time(o->core, wall_us, header->stream_time_us);
	weir_partition_load_sizes(o->core, header->slots, header->stream_time_us);
	return true;
}

/*
 * By the clock, so that flushes of all partitions, whoever owns them, take turns at the store. Neighbours, which one lane
 * often has, are as far apart as can be: the number's bits the other way round.
 */
static int64_t
first_flush_us(const struct owner *o)
{
	int64_t interval_us = o->rules->flush_interval_us, now_us = o->now.wall_us;
	uint32_t turn = 0;
	for (uint32_t bit = 0; bit < 8; bit++)
		turn |= (o->number >> bit & 1) << (7 - bit);
	int64_t due_us = now_us - now_us % interval_us + interval_us * turn / 256;
	return due_us > now_us ? due_us : due_us + interval_us;
}

/* What the store does not know of cards' states at their carriers. */
static void
take_known(struct owner *o)
{
	if (o->lost_writes)
		weir_partition_load_known(o->core, &o->known);
	for (uint32_t i = 0; i < o->known.n; i++) /* results that came while it was loaded */
		weir_partition_unconfirmed(o->core, o->known.v[i].iccid);
	weir_unconfirmed_free(&o->known);
	o->lost_writes = false;
}

/*
 * A log that was replaced or cut off is read on from where the source said. The stored place may be of before that by now,
 * or another owner's of after it: then it is as good as any.
 */
static void
take_new_log(struct owner *o, uint32_t topic)
{
	struct owner_new_log *new_log = &o->new_logs[topic];
	bool replaced = new_log->verdict == LOG_REPLACED && !log_id_equals(&new_log->log.id, &o->logs[topic].id);
	bool truncated = new_log->verdict == LOG_TRUNCATED && log_id_equals(&new_log->log.id, &o->logs[topic].id) &&
			 new_log->next_offset < o->next_offset[topic];
	if (!replaced && !truncated) {
		*new_log = (struct owner_new_log){0};
		return;
	}
	o->next_offset[topic] = new_log->next_offset;
	o->logs[topic] = new_log->log;
	o->changed = true;
}

static void
begin_position(struct owner *o, const struct weir_store_header *header)
{
	o->epoch = header->epoch;
	for (uint32_t t = 0; t < o->rules->topic_count; t++) {
		o->stored[t] = o->next_offset[t] = header->offsets[t];
		o->logs[t] = header->logs[t];
		take_new_log(o, t);
	}
	o->reload_due = o->proving = false;
	o->flush_number = header->offsets[o->rules->topic_count];
	memset(o->newest_us, 0, sizeof(o->newest_us));
	memset(o->at_end, 0, sizeof(o->at_end));
	o->caught_up = o->cards_caught_up = o->pools_caught_up = false;
	o->flush_due_us = first_flush_us(o);
	o->rewind_due = !o->from_group;
	o->from_group = false;
}

void
owner_taken(struct owner *o, struct owner_now now, const struct owner_answer *answer)
{
	owner_check(o);
	WEIR_CHECK(o->requests > 0);
	o->requests--;
	o->now = now;
	if (o->state != OWNER_TAKING)
		return; /* given back meanwhile */
	if (answer->result == WEIR_STORE_CANCELLED) {
		owner_become(o, OWNER_GONE);
		return;
	}
	if (answer->result != WEIR_STORE_DONE) {
		owner_stop(o, answer->error);
		return;
	}
	WEIR_CHECK(answer->header->epoch > o->epoch && o->core->opts.epoch == answer->header->epoch);
	WEIR_CHECK(o->flush.phase == OWNER_FLUSH_NONE);
	if (!weir_partition_load_finish(o->core)) {
		owner_stop(o, "the stored state contradicts itself");
		return;
	}
	take_known(o);
	owner_become(o, OWNER_RUNNING);
	begin_position(o, answer->header);
	owner_purge_begin(o);
	weir_partition_enqueue_all(o->core, false);
	o->resumed = true;
	owner_note(o, OWNER_NOTE_TAKEN, "epoch=%llu cards=%u took_us=%lld", (unsigned long long)o->epoch,
	    o->core->tables.cards.used, (long long)answer->took_us);
}

/* Everything here is dropped and loaded anew; the log goes back to what is stored. */
void
owner_take_again(struct owner *o)
{
	WEIR_CHECK(o->flush.phase == OWNER_FLUSH_NONE);
	o->io->core_ends(o->ctx, &o->core->stats);
	o->history.len = 0;
	o->history_commands = 0;
	o->changed = false;
	o->io->forget_commands(o->ctx);
	begin_take(o);
}

/* ---- what goes wrong ---- */

void
owner_fence(struct owner *o, uint64_t stored_epoch)
{
	WEIR_CHECK(stored_epoch > o->epoch);
	owner_note(o, OWNER_NOTE_FENCED, "epoch=%llu stored_epoch=%llu: another owner; letting go",
	    (unsigned long long)o->epoch, (unsigned long long)stored_epoch);
	owner_become(o, OWNER_FENCED);
	o->epoch = stored_epoch;
	o->retake_us = o->now.wall_us + o->rules->retake_us;
	o->io->source_drop(o->ctx);
	o->io->forget_commands(o->ctx);
}

/* Loads what is stored and goes back to it, but keeps what was decided since: commands were sent in that time. */
static void
load_again(struct owner *o)
{
	o->io->source_drop(o->ctx);
	o->io->drain_results(o->ctx);
	weir_partition_known(o->core, &o->known);
	o->lost_writes = true;
	owner_take_again(o);
}

void
owner_lose_writes(struct owner *o, uint64_t stored_epoch)
{
	owner_note(o, OWNER_NOTE_LOST_WRITES, "epoch=%llu stored_epoch=%llu: reloading and rewinding",
	    (unsigned long long)o->epoch, (unsigned long long)stored_epoch);
	if (stored_epoch > o->epoch)
		o->epoch = stored_epoch;
	load_again(o);
}

void
owner_reload(struct owner *o)
{
	o->reload_due = true;
	o->proving = false;
	if (o->flush.phase == OWNER_FLUSH_NONE)
		load_again(o);
}

void
owner_log_changed(struct owner *o, const struct weir_batch *batch, const char *why)
{
	if (!o->rules->read_new_logs || (batch->verdict != LOG_REPLACED && batch->verdict != LOG_TRUNCATED)) {
		owner_stop(o, why);
		return;
	}
	WEIR_CHECK(batch->topic < o->rules->topic_count);
	owner_note(o, OWNER_NOTE_NEW_LOG, "reading on: %s", why);
	o->new_logs[batch->topic] = (struct owner_new_log){batch->verdict, batch->log, batch->next_offset};
	owner_reload(o);
}

/* ---- giving back ---- */

void
owner_gone(struct owner *o, struct owner_now now, bool lost)
{
	owner_check(o);
	o->now = now;
	bool loading = o->state == OWNER_TAKING; /* the core is not ours to look at */
	owner_note(o, lost ? OWNER_NOTE_LOST : OWNER_NOTE_GIVEN_BACK, "flushed=%d", owner_is_flushed(o));
	owner_become(o, OWNER_GONE);
	o->take_due = false;
	o->io->store_cancel(o->ctx);
	o->io->forget_commands(o->ctx);
	if (!loading && o->core != NULL)
		o->io->core_ends(o->ctx, &o->core->stats);
}
