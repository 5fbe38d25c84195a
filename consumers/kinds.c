/* The table of sources; a new kind is a row here. See kinds.h. */
#include "consumers/kinds.h"

#include "consumers/direct/direct.h"
#include "consumers/source/source_kind.h"

const struct weir_source_kind *const weir_source_kinds[] = {&source_direct, &source_rdkafka, NULL};
