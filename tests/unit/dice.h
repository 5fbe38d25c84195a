/* Dice for unit tests: a stream that each test begins anew by setting dice.state. */
#ifndef WEIR_TESTS_DICE_H
#define WEIR_TESTS_DICE_H

#include "config/base/random.h"

static struct weir_random dice;

/* 0 .. 2^31 - 1. */
static inline int
roll_dice(void)
{
	return (int)(weir_random_next(&dice) >> 33);
}

#endif
