/* The states of a command to a carrier (CMD-1), as slots hold them and the dispatcher reports them. */
#ifndef WEIR_AGGREGATORS_STATE_COMMAND_H
#define WEIR_AGGREGATORS_STATE_COMMAND_H

#include "aggregators/tables/slots.h"
#include <stdbool.h>

enum weir_command_state {
	WEIR_COMMAND_IDLE = 0,
	WEIR_COMMAND_QUEUED,
	WEIR_COMMAND_SENT,
	WEIR_COMMAND_ACCEPTED, /* the carrier took it (202, ticket) and will do it later */
	WEIR_COMMAND_CONFIRMED,
	WEIR_COMMAND_FAILED, /* permanent: the carrier refuses this card */
};

/*
 * May a command have reached the carrier without an answer that says what came of it? Sent, accepted, or queued again after
 * an attempt: until there is one nobody knows the card's state, whatever was confirmed before.
 */
static inline bool
weir_command_in_motion(const struct weir_enforcement_slot *e)
{
	return e->command == WEIR_COMMAND_SENT || e->command == WEIR_COMMAND_ACCEPTED ||
	       (e->command == WEIR_COMMAND_QUEUED && e->attempts > 0);
}

/*
 * Has the dispatcher to know what is desired? Also of a card whose desired state is the one confirmed last: a command in
 * motion may take it out of that, and the last that the dispatcher heard may be that nothing is wanted (LIFE-6, CMD-5).
 */
static inline bool
weir_command_is_due(const struct weir_enforcement_slot *e)
{
	return e->desired != e->confirmed || weir_command_in_motion(e);
}

/* A command's progress, as the dispatcher reported it. */
struct weir_command_report {
	uint32_t slot;
	uint8_t state; /* enum weir_command_state */
	uint8_t target;
	uint16_t attempts;
	int64_t at_us, next_us;
	const char *ticket, *text; /* borrowed */
	uint64_t token;            /* of the card's newest intent, 0 = none */
	uint8_t pending;           /* states for which commands may be on their way, as a set */
};

#endif
