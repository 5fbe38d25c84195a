/* What the owner's files share among themselves; see owner.h and owner.c. */
#ifndef WEIR_PIPELINE_OWNER_PRIV_H
#define WEIR_PIPELINE_OWNER_PRIV_H

#include "config/base/check.h"
#include "pipeline/engine/owner.h"

/* owner_state.c: the only place where the state changes. */
void owner_become(struct owner *o, enum owner_state state);
/* Says something through io->note. */
void owner_note(struct owner *o, enum owner_note note, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* It cannot go on exactly. */
void owner_stop(struct owner *o, const char *why);
static inline void
owner_check(const struct owner *o)
{
	WEIR_CHECK_MAGIC(o, OWNER_MAGIC);
	WEIR_CHECK(o->fetching + (o->flush.phase == OWNER_FLUSH_SENT) <= o->requests);
}

/* owner_take.c */
void owner_fence(struct owner *o, uint64_t stored_epoch);
void owner_lose_writes(struct owner *o, uint64_t stored_epoch);
void owner_take_again(struct owner *o);
/* Drops what is not flushed and reads it again, once no flush is out. */
void owner_reload(struct owner *o);
/* The source cannot go on: batch says which topic's log is another one, or was cut off, and where it could be read on. */
void owner_log_changed(struct owner *o, const struct weir_batch *batch, const char *why);
void owner_submit_take(struct owner *o);

/* owner_read.c */
/* One batch of each topic that is due; true when there was one. */
bool owner_read(struct owner *o);
/* Tells the core how far its records were read in time; ten times a second. */
void owner_watermark(struct owner *o);

/* owner_flush.c */
void owner_flush_round(struct owner *o);
/* When what has changed is to be flushed; it may still have to wait for fetches and the outbox. */
int64_t owner_flush_due_us(const struct owner *o);
/* Must the partition not read now? */
bool owner_is_paused(const struct owner *o);

/* owner_purge.c */
void owner_purge_begin(struct owner *o);
void owner_purge(struct owner *o);

/* owner_effects.c */
/* Gives out what the core left; batch holds the raw bytes of rejected records of that input (NULL = none). */
void owner_effects(struct owner *o, uint32_t input, const struct weir_batch *batch);
/* What is due to others, and all that was left: the end of a round. */
void owner_publish(struct owner *o);
void owner_reject(
    struct owner *o, uint32_t topic, const struct weir_message *message, enum weir_reject reject, const char *text);

/* owner_audit.c */
void owner_audit(struct owner *o, const struct weir_audit *audit);

#endif
