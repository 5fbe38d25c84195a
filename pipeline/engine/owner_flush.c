/*
 * Flushes: when, what, and what the answer means. The order of the steps is what keeps state, position and messages one;
 * see owner.c, rules 1 to 3.
 *
 *   due, changed, nothing parked, closed window acknowledged
 *     -> encoded: offsets before and after, what changed, purges, history; the window of messages is closed
 *     -> sent, when all messages of that window are acknowledged
 *     -> stored | fenced | lost writes | failed
 *
 * What is encoded is in memory no more. Until the flush is with the store, no fetch may be sent (owner_effects.c).
 */
#include "pipeline/engine/owner_priv.h"

#define BEHIND_US 10000000ll /* older records than that are a backlog */
#define PROBE_US 5000000ll   /* at rest a flush that changes nothing: that is how a store that lost writes is noticed */

uint64_t
owner_unflushed(const struct owner *o)
{
	uint64_t encoded = o->flush.phase != OWNER_FLUSH_NONE ? o->flush.bytes : 0;
	return encoded + weir_partition_unflushed(o->core) + o->history.len;
}

/*
 * A backlog is flushed less often: cards that come again meanwhile are written once, and what is shown is as old as the
 * backlog in any case.
 */
int64_t
owner_flush_due_us(const struct owner *o)
{
	const struct owner_rules *rules = o->rules;
	if (o->behind_us < BEHIND_US || o->leaving ||
	    weir_partition_unflushed(o->core) + o->history.len >= rules->unflushed_max / 4)
		return o->flush_due_us;
	int64_t longer_us = rules->backlog_interval_us - rules->flush_interval_us;
	return o->flush_due_us + (longer_us > 0 ? longer_us : 0);
}

static bool
is_due(const struct owner *o)
{
	return o->now.wall_us >= o->flush_due_us && o->now.wall_us >= owner_flush_due_us(o);
}

/*
 * A flush that is due waits for the parked records' fetches, so nothing new may be parked meanwhile. With the store away
 * there is no flush to wait for: records are folded and commands decided until memory's bound.
 */
bool
owner_is_paused(const struct owner *o)
{
	uint32_t parked = weir_partition_parked(o->core);
	if (o->proving || o->reload_due)
		return true;
	if (parked >= o->rules->core.parked_max)
		return true;
	if (parked > 0 && o->flush.phase == OWNER_FLUSH_NONE && is_due(o) && o->io->store_connected(o->ctx))
		return true;
	return owner_unflushed(o) >= o->rules->unflushed_max;
}

/* ---- encoding ---- */

static void
describe(struct owner *o)
{
	struct owner_flush *flush = &o->flush;
	uint32_t topics = o->rules->topic_count;
	*flush = (struct owner_flush){.phase = OWNER_FLUSH_ENCODED, .probe = !o->changed, .epoch = o->epoch};
	for (uint32_t t = 0; t < topics; t++) {
		WEIR_CHECK(o->stored[t] <= o->next_offset[t] || o->new_logs[t].verdict != LOG_SAME);
		flush->before[t] = o->stored[t];
		flush->after[t] = o->next_offset[t];
		flush->logs[t] = o->logs[t];
	}
	flush->before[topics] = o->flush_number;
	flush->number = flush->after[topics] = ++o->flush_number;
}

static void
encode(struct owner *o)
{
	struct weir_writer writer;
	WEIR_CHECK(o->flush.phase == OWNER_FLUSH_NONE && weir_partition_parked(o->core) == 0);
	describe(o);
	o->io->flush_begin(o->ctx, weir_partition_encode_bytes(o->core) + o->history.len, &writer);
	weir_partition_encode(o->core, &writer, o->rules->sparse_slots);
	owner_purge(o);
	o->flush.bytes = o->io->flush_end(o->ctx, &o->history, o->history_commands);
	o->history.len = 0;
	o->history_commands = 0;
	o->changed = false;
	o->io->window_close(o->ctx); /* messages from here on belong to the next flush */
}

static void
submit(struct owner *o)
{
	WEIR_CHECK(o->flush.phase == OWNER_FLUSH_ENCODED && o->flush.epoch == o->epoch);
	if (o->io->store_flush(o->ctx)) {
		o->flush.phase = OWNER_FLUSH_SENT;
		o->requests++;
	}
}

/* The messages of the closed window; a flush goes nowhere before they are acknowledged. */
static bool
is_acknowledged(struct owner *o)
{
	enum owner_window window = o->io->window(o->ctx);
	if (window == OWNER_WINDOW_REFUSED)
		owner_stop(o, "a message (dead letter, audit entry, partial, word or alert) was refused by Kafka for good");
	return window == OWNER_WINDOW_ACKNOWLEDGED;
}

/* A new log's start is not an offset yet: the source will say which. */
static bool
is_placed(const struct owner *o)
{
	for (uint32_t t = 0; t < o->rules->topic_count; t++)
		if (o->next_offset[t] < 0 && o->stored[t] >= 0)
			return false;
	return true;
}

/*
 * In which logs are the offsets places that a flush would store? Until the source knows, nothing more is read: it would
 * have to be proven too. What cannot be proven is read again.
 */
static bool
is_proven(struct owner *o)
{
	struct log_name logs[WEIR_TOPICS_MAX];
	enum weir_proof proof = o->io->prove(o->ctx, logs);
	o->proving = proof == WEIR_PROOF_PENDING;
	if (proof == WEIR_PROOF_GOOD)
		memcpy(o->logs, logs, o->rules->topic_count * sizeof(logs[0]));
	if (proof == WEIR_PROOF_AGAIN) {
		owner_note(o, OWNER_NOTE_UNPROVEN, "leaders changed: what was read since the last flush is read again");
		owner_reload(o);
	}
	return proof == WEIR_PROOF_GOOD;
}

void
owner_flush_round(struct owner *o)
{
	if (o->state != OWNER_RUNNING || o->flush.phase == OWNER_FLUSH_SENT)
		return;
	if (o->flush.phase == OWNER_FLUSH_NONE) {
		int64_t now_us = o->now.wall_us;
		bool probe = now_us - o->flushed_us >= PROBE_US || now_us < o->flushed_us;
		if ((!o->changed && !probe) || !is_due(o) || weir_partition_parked(o->core) > 0 || !is_acknowledged(o))
			return;
		if (o->reload_due || !is_placed(o) || !is_proven(o))
			return;
		int64_t next_us = o->flush_due_us + o->rules->flush_interval_us;
		encode(o);
		o->flush_due_us = next_us > now_us ? next_us : now_us + o->rules->flush_interval_us;
	}
	if (is_acknowledged(o))
		submit(o);
}

/* ---- the answer ---- */

static void
stored(struct owner *o, const struct owner_flush *flush, int64_t took_us)
{
	WEIR_CHECK(flush->epoch == o->epoch &&
		   memcmp(flush->before, o->stored, sizeof(o->stored[0]) * o->rules->topic_count) == 0);
	memcpy(o->stored, flush->after, sizeof(o->stored[0]) * o->rules->topic_count);
	memset(o->new_logs, 0, sizeof(o->new_logs)); /* their places are stored */
	o->flushed_us = o->now.wall_us;
	o->io->flushed(o->ctx, took_us);
	weir_partition_stored(o->core);
	o->io->source_commit(o->ctx, o->stored);
}

void
owner_flushed(struct owner *o, struct owner_now now, int64_t number, const struct owner_answer *answer)
{
	owner_check(o);
	WEIR_CHECK(o->requests > 0 && o->flush.phase == OWNER_FLUSH_SENT && o->flush.number == number);
	struct owner_flush flush = o->flush;
	o->flush.phase = OWNER_FLUSH_NONE;
	o->requests--;
	o->now = now;
	if (o->state != OWNER_RUNNING)
		return;
	switch (answer->result) {
	case WEIR_STORE_DONE:
		stored(o, &flush, answer->took_us);
		break;
	case WEIR_STORE_FENCED:
		owner_fence(o, answer->header->epoch);
		break;
	case WEIR_STORE_LOST_WRITES:
		owner_lose_writes(o, answer->header->epoch);
		break;
	case WEIR_STORE_FAILED:
		owner_stop(o, answer->error);
		break;
	default: /* cancelled, with all that it held: there is nothing to go on from */
		owner_gone(o, now, true);
		break;
	}
}
