/*
 * The records that the benchmarks through Kafka send.
 */
#ifndef WEIR_BENCH_RECORDS_H
#define WEIR_BENCH_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "bench/bench.h"

enum { BENCH_ICCID_LEN = 20, BENCH_ICCID_FIXED = 4 }; /* characters; those that are the same for all cards */

void bench_iccid(uint64_t card, char out[32]);
/*
 * One record in docs/formats.md's usual order; sequence numbers when by_sequence, else a record id. Its length depends on
 * the digits of up (random's low 16 bits) and down (the next 20) only. Returns the length.
 */
int bench_record(char *out, size_t cap, const char *iccid, uint64_t n, uint64_t random, time_t end_s, bool by_sequence);

#endif
