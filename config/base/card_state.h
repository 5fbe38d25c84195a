/*
 * What a card is at its carrier, as it is desired, as it was confirmed, and as commands and carriers' answers name it. Values
 * are stored, and are bits of sets of states.
 */
#ifndef WEIR_BASE_CARD_STATE_H
#define WEIR_BASE_CARD_STATE_H

enum weir_desired { WEIR_DESIRED_UNKNOWN = 0, WEIR_DESIRED_ACTIVE = 1, WEIR_DESIRED_SUSPENDED = 2 };

#endif
