/* The kinds of source there are: what the opts of weir_source_open are given. */
#ifndef WEIR_CONSUMERS_KINDS_H
#define WEIR_CONSUMERS_KINDS_H

#include "consumers/source/source.h"

/* In the order in which kafka.source `auto` tries them; ended by NULL. */
extern const struct weir_source_kind *const weir_source_kinds[];

#endif
