/*
 * An owner's birth, its states and its end; what all its files stand on. See owner.c.
 */
#include "pipeline/engine/owner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/engine/owner_priv.h"

void
owner_become(struct owner *o, enum owner_state state)
{
#define TO(state) (1u << (state))
	static const uint8_t ALLOWED[] = {[OWNER_NEW] = TO(OWNER_TAKING),
	    [OWNER_TAKING] = TO(OWNER_RUNNING) | TO(OWNER_STOPPED) | TO(OWNER_GONE),
	    [OWNER_RUNNING] = TO(OWNER_TAKING) | TO(OWNER_FENCED) | TO(OWNER_STOPPED) | TO(OWNER_GONE),
	    [OWNER_FENCED] = TO(OWNER_TAKING) | TO(OWNER_GONE),
	    [OWNER_STOPPED] = TO(OWNER_GONE),
	    [OWNER_GONE] = 0};
	WEIR_CHECK((ALLOWED[o->state] & TO(state)) != 0);
	o->state = state;
}

void
owner_note(struct owner *o, enum owner_note note, const char *fmt, ...)
{
	char text[512];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	o->io->note(o->ctx, note, text);
}

struct owner *
owner_new(const struct owner_rules *rules, uint32_t number, const struct owner_io *io, void *ctx)
{
	WEIR_CHECK(rules->cards < rules->reports && rules->reports < rules->topic_count);
	WEIR_CHECK(rules->topic_count <= WEIR_TOPICS_MAX && rules->topic_count < WEIR_CHECKPOINT_OFFSETS_MAX);
	WEIR_CHECK(rules->fetch_max > 0 && rules->fetching_max > 0);
	struct owner *o = weir_calloc(1, sizeof(*o));
	o->magic = OWNER_MAGIC;
	o->rules = rules;
	o->io = io;
	o->ctx = ctx;
	o->number = number;
	return o;
}

void
owner_free(struct owner *o)
{
	WEIR_CHECK_MAGIC(o, OWNER_MAGIC);
	weir_partition_free(o->core);
	weir_buf_free(&o->history);
	weir_buf_free(&o->json);
	weir_unconfirmed_free(&o->known);
	o->magic = 0;
	free(o);
}

void
owner_stop(struct owner *o, const char *why)
{
	if (o->state == OWNER_STOPPED)
		return;
	owner_become(o, OWNER_STOPPED);
	o->drop_due = true;
	owner_note(o, OWNER_NOTE_STOPPED, "%s", why);
}

bool
owner_is_flushed(const struct owner *o)
{
	return o->state != OWNER_RUNNING ||
	       (!o->changed && o->flush.phase == OWNER_FLUSH_NONE && weir_partition_parked(o->core) == 0);
}

bool
owner_is_done(const struct owner *o)
{
	return o->state == OWNER_GONE && o->requests == 0;
}
