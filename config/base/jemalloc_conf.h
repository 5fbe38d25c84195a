/*
 * How jemalloc is set up: included by the main file of each program that links it, once (jemalloc reads this symbol at
 * start).
 *
 * thp:always - librdkafka turns over hundreds of megabytes a second in buffers and messages; on 4 KiB pages a fifth of all
 * CPU went into page faults (measured: 1,500 -> 1,060 ns a record for a whole drain). Slow decay - memory is used again
 * within the second. oversize_threshold:0 - flush bodies above 8 MiB are not unmapped after each use. MALLOC_CONF in the
 * environment overrides.
 */
#ifndef WEIR_BASE_JEMALLOC_CONF_H
#define WEIR_BASE_JEMALLOC_CONF_H

extern const char *malloc_conf;
const char *malloc_conf = "thp:always,dirty_decay_ms:60000,muzzy_decay_ms:60000,oversize_threshold:0";

#endif
