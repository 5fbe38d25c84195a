/* The direct source's face: it reads record batches where they were received (docs/direct.md). */
#ifndef WEIR_CONSUMERS_DIRECT_H
#define WEIR_CONSUMERS_DIRECT_H

#include "consumers/source/source.h"

extern const struct weir_source_kind source_direct;

#endif
