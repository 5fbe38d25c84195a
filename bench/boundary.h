/* `weir bench core --boundary`: how long a round of the core is when much happens at once. */
#ifndef WEIR_BENCH_BOUNDARY_H
#define WEIR_BENCH_BOUNDARY_H

#include "bench/bench.h"

/* cards, members: 0 = the default. Returns the exit code. */
int bench_boundary(const struct bench_common *common, uint64_t cards, uint64_t members);

#endif
