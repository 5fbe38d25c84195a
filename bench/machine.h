/* What a figure belongs to: the machine and the versions of what ran, as JSON objects for a report. */
#ifndef WEIR_BENCH_MACHINE_H
#define WEIR_BENCH_MACHINE_H

#include <jansson.h>
#include <stdint.h>

/* Processor, cores that this process may use, caches, memory, kernel, load at the start. A new reference. */
json_t *bench_machine(void);
/* weir, compiler, instruction set, allocator, libraries. A new reference. */
json_t *bench_versions(void);
/* Memory that could be taken now without swapping, in bytes. */
uint64_t bench_memory_available(void);

#endif
