/*
 * Do slots agree with each other? The loader asks this of stored bytes, which are input; weir_partition_check asserts it of
 * memory. Each answers for one slot that is in use (neither released nor a page's filler).
 */
#ifndef WEIR_AGGREGATORS_STATE_SOUND_H
#define WEIR_AGGREGATORS_STATE_SOUND_H

#include "aggregators/state/state.h"

bool weir_card_is_sound(const struct weir_partition *p, uint32_t slot);
bool weir_card_overrides_are_sound(const struct weir_partition *p, uint32_t slot);
bool weir_enforcement_is_sound(const struct weir_partition *p, uint32_t slot);
bool weir_session_is_sound(const struct weir_partition *p, uint32_t slot);
/* The card's place in its pool's list of members. Lists whose every link answers, and that have one head, hold no loop. */
bool weir_membership_is_sound(const struct weir_partition *p, uint32_t card_slot);
bool weir_pool_local_is_sound(const struct weir_partition *p, uint32_t slot);
bool weir_pool_is_sound(const struct weir_partition *p, uint32_t slot);
/* The pool's list of sources is its own; *visited_io counts them over all pools, so that a loop ends. */
bool weir_pool_source_list_is_sound(const struct weir_partition *p, uint32_t pool_slot, uint32_t *visited_io);

#endif
