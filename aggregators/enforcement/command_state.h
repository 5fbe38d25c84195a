/* A command as its card's owner sees it (CMD-1, CMD-2). */
#ifndef WEIR_AGGREGATORS_ENFORCEMENT_COMMAND_STATE_H
#define WEIR_AGGREGATORS_ENFORCEMENT_COMMAND_STATE_H

#include "aggregators/state/command.h"
#include "aggregators/state/state.h"

/* Takes what the dispatcher reported. */
void weir_partition_command(struct weir_partition *partition, const struct weir_command_report *report);

/*
 * May the card's desired state be sent? False while its guard is tripped and it would be suspended (CMD-5), and for states
 * that take no commands (LIFE-6). The owner asks for each pending command.
 */
bool weir_partition_may_send(struct weir_partition *partition, uint32_t card_slot);

/*
 * Enqueues every card whose desired state is not its confirmed one, or that a command in motion may take out of it;
 * unknown_too also those that an intent made unknown.
 */
void weir_partition_enqueue_all(struct weir_partition *partition, bool unknown_too);

#endif
